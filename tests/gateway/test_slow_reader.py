"""A caller that does not read until its deadline has passed."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from sidecar.core.failure import Reason, RequestFailed
from sidecar.testing.virtual import in_virtual_time
from tests.gateway.house import House


async def read_slowly(house: House) -> None:
    async with aclosing(house.stream(house.request(timeout_s=5.0))) as events:
        async for _ in events:
            await asyncio.sleep(100.0)


@in_virtual_time
async def test_a_deadline_that_passes_in_the_callers_write_is_told_as_the_deadline() -> None:
    house = House()
    with pytest.raises(RequestFailed) as caught:
        await read_slowly(house)
    assert caught.value.reason is Reason.DEADLINE_EXCEEDED
    assert house.clock.now() < 6.0
    assert [entry.outcome.value for entry in house.books.entries] == ["abandoned"]
    assert house.engine.admission.active == 0
