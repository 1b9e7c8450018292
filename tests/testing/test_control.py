"""The back door over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sidecar.testing.config import Key, ProviderConfig
from sidecar.testing.quotas import Quota
from sidecar.testing.virtual import in_virtual_time, run


async def post(world: Any, door: str, **body: Any) -> Any:
    return await world.send("POST", f"/_fake/{door}", {}, json.dumps(body).encode())


async def get(world: Any, door: str) -> Any:
    return (await world.send("GET", f"/_fake/{door}", {})).json


@in_virtual_time
async def test_the_log_can_be_read_and_filtered(new_world: Any) -> None:
    world = new_world()
    for model, key in (("fake-1", "a"), ("fake-2", "a"), ("fake-2", "b")):
        await world.ask(model, key=key)
    assert [entry["number"] for entry in await get(world, "log")] == [1, 2, 3]
    assert [entry["number"] for entry in await get(world, "log?model=fake-2&key=key-2")] == [3]
    assert [entry["number"] for entry in await get(world, "log?after=1")] == [2, 3]


@in_virtual_time
async def test_an_entry_tells_all_that_a_judge_needs(new_world: Any) -> None:
    world = new_world()
    await world.ask("fake-5+cut-3")
    (entry,) = await get(world, "log")
    assert (entry["fault"], entry["ending"], entry["status"]) == ("cut-3", "cut", 200)
    assert entry["body"]["model"] == "fake-5+cut-3"
    assert entry["ended_s"] == 0.045
    assert entry["usage"]["output_tokens"] == 3
    assert entry["cost"]["answer_nano_usd"] == 3 * 600


@in_virtual_time
async def test_the_bill_can_be_read(new_world: Any) -> None:
    world = new_world()
    await world.ask("fake-5")
    bill = await get(world, "bill")
    assert bill["total"]["usage"]["output_tokens"] == 5
    assert bill["by_model"]["fake-5"]["attempts"] == 1


@in_virtual_time
async def test_the_back_door_itself_is_neither_logged_nor_billed(new_world: Any) -> None:
    world = new_world()
    await get(world, "bill")
    assert await get(world, "log") == []


@in_virtual_time
async def test_a_script_can_be_posted(new_world: Any) -> None:
    world = new_world()
    await post(world, "script", model="fake-5", faults=["http-503", "http-429-2"])
    assert [(await world.ask("fake-5")).status for _ in range(3)] == [503, 429, 200]


@in_virtual_time
async def test_a_limit_can_be_changed(new_world: Any) -> None:
    world = new_world(ProviderConfig(quotas=(Quota("rpm", "fixed", 0),)))
    await post(world, "limit", name="rpm", amount=1)
    assert (await world.ask("fake-5")).status == 200


@in_virtual_time
async def test_a_key_can_be_revoked_and_restored(new_world: Any) -> None:
    world = new_world(ProviderConfig(keys={"sk-one": Key("one")}))
    await post(world, "key", alias="one")
    assert (await world.ask("fake-5")).status == 401
    await post(world, "key", alias="one", revoked=False)
    assert (await world.ask("fake-5")).status == 200


@in_virtual_time
async def test_all_can_be_forgotten(new_world: Any) -> None:
    world = new_world()
    await world.ask("fake-5")
    await post(world, "reset")
    assert await get(world, "log") == []


@in_virtual_time
async def test_the_table_of_faults_can_be_read(new_world: Any) -> None:
    rows = await get(new_world(), "faults")
    assert {"name": "stall-K-S", "cards": ["S09"], "does": rows_text(rows, "stall-K-S")} in rows


def rows_text(rows: list[dict[str, Any]], name: str) -> str:
    return next(row["does"] for row in rows if row["name"] == name)


@pytest.mark.parametrize(
    ("door", "body", "status"),
    [
        ("script", {"faults": ["nonsense"]}, 400),
        ("script", {"faults": "cut-3"}, 400),
        ("limit", {"name": "none", "amount": 1}, 400),
        ("nowhere", {}, 404),
    ],
)
def test_a_mistake_is_told_and_changes_nothing(
    new_world: Any, door: str, body: dict[str, Any], status: int
) -> None:
    async def main() -> None:
        seen = await post(new_world(), door, **body)
        assert (seen.status, bool(seen.json["error"])) == (status, True)

    run(main())
