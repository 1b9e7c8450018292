"""kill -9 of a daemon under load, again and again; its callers go on through another one."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from sidecar.testing import Key, ProviderConfig, RunningProvider, running_provider, written
from tests.limits.servers import Server
from tests.soak.caller import Held, read_somehow
from tests.soak.load import at
from tests.support.configs import DEEPSEEK_KEY, OTHER_KEY, config
from tests.support.daemon import Daemon
from tests.support.machine import Starvation

MODEL = "deepseek/fake-reasoner-20-40+ms-30"
TEXT = written(0, 20, 40)
# Streams begun for each kill, and the time in which the kill falls, seconds: a stream takes 1.8.
STREAMS = 6
KILL_AFTER_S = (0.1, 1.9)


@dataclass(slots=True)
class Figures:
    """What came of it."""

    kills: int = 0
    ready_s: list[float] = field(default_factory=list)
    ready_own_s: list[float] = field(default_factory=list)
    ready_cpu_s: list[float] = field(default_factory=list)
    callers: list[Held] = field(default_factory=list)
    lost_entries: list[str] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)
    rows: int = 0
    estimated_rows: int = 0
    ledger_nano_usd: int = 0
    bill_nano_usd: int = 0

    @property
    def wrong(self) -> list[str]:
        """Callers that do not hold the model's text, word for word."""
        return [
            f"{held.request_id}: {held.errors[-1:] or held.answer!r}"
            for held in self.callers
            if held.completed is None
            or (held.reasoning, held.answer) != (TEXT.reasoning, TEXT.answer)
        ]

    @property
    def came_back(self) -> int:
        return sum(held.comebacks > 0 for held in self.callers)

    def __str__(self) -> str:
        ready, own, cpu = self.ready_s, self.ready_own_s, self.ready_cpu_s
        parts = (
            f"{self.kills} kills, {len(self.callers)} streams, {self.came_back} came back:",
            f"{len(self.wrong)} without their text, {len(self.lost_entries)} entries lost,",
            f"{len(self.corrupt)} ledgers corrupt; ready after p50 {at(0.5, ready):.2f} s,",
            f"at most {max(ready):.2f} s; without what the machine made it wait p50",
            f"{at(0.5, own):.2f}, p99 {at(0.99, own):.2f}, at most {max(own):.2f} s (of a core",
            f"p50 {at(0.5, cpu):.2f} s); ledgers {self.rows} rows, {self.estimated_rows} of them",
            f"estimated, {self.ledger_nano_usd} nano-USD, bill {self.bill_nano_usd} nano-USD",
            f"({self.ledger_nano_usd / self.bill_nano_usd:.1%})",
        )
        return " ".join(parts)


async def run(folder: Path, times: int, seed: int = 1) -> Figures:
    """Kill a daemon `times` times while it streams."""
    keys = {DEEPSEEK_KEY: Key("k1", "a"), OTHER_KEY: Key("o1", "b")}
    server = Server(folder)
    try:
        async with running_provider(ProviderConfig(keys=keys)) as provider:
            return await _run(folder, server.url, provider, times, random.Random(seed))
    finally:
        server.stop()


async def _run(
    folder: Path, store: str, provider: RunningProvider, times: int, rng: random.Random
) -> Figures:
    figures = Figures()
    victim, other = (_daemon(folder / name, store, provider) for name in "ab")
    try:
        await victim.start()
        await other.start()
        await _kill_again_and_again(victim, other, figures, times, rng)
        await victim.terminate()
        await other.terminate()
    finally:
        await victim.close()
        await other.close()
    figures.bill_nano_usd = provider.bill.total.cost.total_nano_usd
    _audit(figures, victim, other)
    return figures


def _daemon(folder: Path, store: str, provider: RunningProvider) -> Daemon:
    folder.mkdir()
    return Daemon(folder, config(folder, provider.base_url, MODEL, store=store))


async def _kill_again_and_again(
    victim: Daemon, other: Daemon, figures: Figures, times: int, rng: random.Random
) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(times):
            for _ in range(STREAMS):
                held = Held(str(uuid.UUID(int=rng.getrandbits(128), version=4)))
                figures.callers.append(held)
                group.create_task(_call(victim, other, held))
            await asyncio.sleep(rng.uniform(*KILL_AFTER_S))
            await victim.kill()
            figures.kills += 1
            await _restart(victim, figures)


async def _restart(victim: Daemon, figures: Figures) -> None:
    loop = asyncio.get_running_loop()
    async with Starvation() as starved:
        began = loop.time()
        await victim.launch()
        starved.watch(victim.process.pid)
        await victim.wait_ready()
        ready = loop.time()
        spent = psutil.Process(victim.process.pid).cpu_times()
    figures.ready_s.append(ready - began)
    # Of the two, who waits for whom cannot be told apart: no less than what it took of a core.
    cpu_s = spent.user + spent.system
    own_s = ready - began - starved.waited_s(began, ready)
    figures.ready_own_s.append(max(own_s, cpu_s))
    figures.ready_cpu_s.append(cpu_s)


async def _call(first: Daemon, other: Daemon, held: Held) -> None:
    async with first.client() as one, other.client() as two:
        await read_somehow(one, two, held)


def _audit(figures: Figures, *daemons: Daemon) -> None:
    """Is every file sound, and every attempt in it that a caller saw completed?"""
    done: set[str] = set()
    for daemon in daemons:
        path = str(daemon.config["ledger"]["path"])
        with contextlib.closing(sqlite3.connect(path)) as connection:
            (state,) = connection.execute("PRAGMA integrity_check").fetchone()
        if state != "ok":
            figures.corrupt.append(f"{path}: {state}")
        rows = daemon.rows()
        figures.rows += len(rows)
        figures.estimated_rows += sum(bool(row["estimated"]) for row in rows)
        figures.ledger_nano_usd += sum(_cost(row) for row in rows)
        done |= {str(row["request_id"]) for row in rows if row["outcome"] == "completed"}
    figures.lost_entries = [
        held.request_id
        for held in figures.callers
        if held.completed is not None and held.request_id not in done
    ]


def _cost(row: dict[str, object]) -> int:
    parts = ("input_nano_usd", "reasoning_nano_usd", "answer_nano_usd")
    return sum(int(str(row[part])) for part in parts)
