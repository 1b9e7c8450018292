"""Playing worlds and judging them, one or many."""

from __future__ import annotations

import functools
import multiprocessing
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

import msgspec

from sidecar.testing import virtual
from tests.simulation.checks import judge, servable, trace
from tests.simulation.places import FAULTS
from tests.simulation.world import Setting, World

# Faults for each attempt: of the worlds as they are drawn, and of the promise (issue 5).
USUAL_RATE, PROMISED_RATE = 0.12, 0.05
# Of a failed promise so many are told, for whoever has to find out why.
TOLD = 5


class Verdict(msgspec.Struct, frozen=True):
    """A world, judged: `wrong` is the traceback of what does not hold, "" if all does."""

    seed: int
    fingerprint: str
    figures: dict[str, int]
    wrong: str = ""
    unserved: tuple[str, ...] = ()


def play(setting: Setting) -> World:
    """Run one world in virtual time and return it, over."""

    async def run() -> World:
        world = World(setting)
        await world.run()
        return world

    start_ns = virtual.START_WALL_NS + setting.start_s * 1_000_000_000
    return virtual.run(run(), start_wall_ns=start_ns)


def simulate(
    seed: int, requests: int, rate: float = USUAL_RATE, faults: tuple[str, ...] = FAULTS
) -> World:
    """A plain world: one daemon, half an hour, no spell over any provider."""
    return play(Setting(seed, requests, rate, faults))


def verdict(requests: int, rate: float, seed: int) -> Verdict:
    """Play and judge the world that `seed` draws."""
    return judged(Setting.drawn(seed, requests, rate))


def judged(setting: Setting) -> Verdict:
    """Play and judge one world."""
    world, seed = play(setting), setting.seed
    try:
        figures = judge(world)
    except AssertionError:
        return Verdict(seed, trace(world), {}, traceback.format_exc(limit=-2))
    missed = [o for o in servable(world) if o.error is not None]
    unserved = tuple(f"caller {o.wish.number}: {o.error}" for o in missed[:TOLD])
    return Verdict(seed, trace(world), figures, unserved=unserved)


def verdicts(seeds: Iterable[int], requests: int, rate: float, jobs: int) -> Iterator[Verdict]:
    """Of every seed, in order; `jobs` processes share the work."""
    one = functools.partial(verdict, requests, rate)
    if jobs < 2:
        yield from map(one, seeds)
        return
    # Spawned, not forked: who runs us may have threads, gRPC's among them.
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(one, seeds, chunksize=4)
