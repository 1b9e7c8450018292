"""Callers who hang up: the provider's connection goes with them, and nothing is left behind."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import msgspec
import pytest
from headway import AsyncClient, HeadwayError

from sidecar.testing import Ending, Entry, RunningProvider
from tests.support.configs import Config, config, deepseek
from tests.support.daemon import PATIENCE_S
from tests.support.fixtures import Start
from tests.support.machine import Starvation

pytestmark = pytest.mark.process
ENGINES = ("loop", "aio")

CALLERS = 300
PLACES = 100
# The promise: from the caller's cancel to the provider's end of the connection, seconds.
PROMISED_S = 0.100
# Long enough that none is over before it is cancelled; slow enough that 300 are no load.
MODEL = "deepseek/fake-reasoner-40-40+ms-500"


class Caller(msgspec.Struct):
    """One caller, its name its prompt. Times are seconds of the loop; `open_s` from its start."""

    name: str
    start_s: float
    open_s: float
    cancelled: float = 0.0
    ended: str = ""


def crowd(rng: random.Random) -> list[Caller]:
    """They come over two seconds, and hang up at any moment of the two after that."""
    return [
        Caller(f"caller {number}", rng.uniform(0.0, 2.0), rng.uniform(0.0, 2.0))
        for number in range(CALLERS)
    ]


async def call(client: AsyncClient, caller: Caller) -> None:
    """Stream, and hang up in the middle of whatever is going on then."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(caller.start_s)
    stream = client.stream("default", caller.name, caller=caller.name)

    def hang_up() -> None:
        caller.cancelled = loop.time()
        stream.close()

    loop.call_later(caller.open_s, hang_up)
    try:
        await stream.read()
    except HeadwayError as error:
        caller.ended = error.reason


def limited(folder: Path, base_url: str) -> Config:
    """Fewer places than callers, so that some are cancelled while they wait for one."""
    provider = deepseek(base_url, {"concurrency": PLACES})
    return config(folder, base_url, MODEL, providers={"deepseek": provider})


def caller_of(entry: Entry) -> str:
    assert entry.body is not None
    return str(entry.body["messages"][-1]["content"])


def late_s(entry: Entry, caller: Caller, began: float, starved: Starvation) -> float:
    """How long after its caller's cancel an attempt's connection ended, the machine's part off.

    `began` is the loop's time at the begin of the provider's log.
    """
    assert entry.ended_s is not None
    ended = began + entry.ended_s
    return ended - caller.cancelled - starved.waited_s(caller.cancelled, ended)


async def test_three_hundred_cancelled_callers_leave_nothing_behind(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    daemon = await start(limited(folder, provider.base_url))
    callers = {caller.name: caller for caller in crowd(random.Random(300))}
    async with daemon.client() as client, Starvation(daemon.process.pid) as starved:
        await asyncio.gather(*(call(client, caller) for caller in callers.values()))
        status = await daemon.wait_status(client, lambda status: status.streams.active == 0)
        async with asyncio.timeout(PATIENCE_S):
            await provider.wait_until(lambda: not provider.provider.journal.running)

    assert {caller.ended for caller in callers.values()} == {"CANCELLED"}
    assert {entry.ending for entry in provider.log} == {Ending.CLIENT_CLOSED}
    began = provider.provider.began_at
    late = [late_s(e, callers[caller_of(e)], began, starved) for e in provider.log]
    assert max(late) <= PROMISED_S

    assert [target.in_flight for target in status.targets] == [0]
    assert [key.in_flight for key in status.keys] == [0]
    assert [bucket.free_now for bucket in status.buckets] == [PLACES]
    assert not status.keys[0].HasField("not_now")
    assert await daemon.terminate() == 0
    rows = daemon.rows()
    assert {row["outcome"] for row in rows} == {"abandoned"}
    assert {row["caller"] for row in rows} >= {caller_of(entry) for entry in provider.log}
