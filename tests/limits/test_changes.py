from __future__ import annotations

import asyncio
import math

from sidecar.limits.changes import Changes
from sidecar.testing import virtual


@virtual.in_virtual_time
async def test_who_waits_is_woken_by_an_announcement() -> None:
    changes, clock = Changes(), virtual.clock()
    asyncio.get_running_loop().call_later(3.0, changes.announce, "p")
    await changes.wait("p", math.inf)
    assert clock.now() == 3.0


@virtual.in_virtual_time
async def test_who_waits_goes_on_at_the_latest_moment() -> None:
    changes, clock = Changes(), virtual.clock()
    await changes.wait("p", 2.0)
    assert clock.now() == 2.0


@virtual.in_virtual_time
async def test_another_pool_wakes_nobody() -> None:
    changes, clock = Changes(), virtual.clock()
    asyncio.get_running_loop().call_later(1.0, changes.announce, "other")
    await changes.wait("p", 2.0)
    assert clock.now() == 2.0


@virtual.in_virtual_time
async def test_one_who_gives_up_does_not_keep_the_others_from_waking() -> None:
    changes, clock = Changes(), virtual.clock()
    loop = asyncio.get_running_loop()
    quitter = loop.create_task(changes.wait("p", math.inf))
    loop.call_later(1.0, quitter.cancel)
    loop.call_later(2.0, changes.announce, "p")
    await changes.wait("p", math.inf)
    assert (clock.now(), quitter.cancelled()) == (2.0, True)
