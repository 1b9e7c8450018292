"""Each cut and each silence does what its row says."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from sidecar.testing.journal import Ending
from sidecar.testing.texts import token_count, written
from sidecar.testing.virtual import in_virtual_time, run

MODEL = "fake-reasoner-30-30"


def spoken(seen: Any) -> int:
    return token_count(seen.reasoning) + token_count(seen.answer)


@in_virtual_time
async def test_cut_loses_the_connection_after_k_tokens(new_world: Any) -> None:
    world = new_world()
    seen = await world.ask(f"{MODEL}+cut-40")
    assert isinstance(seen.error, httpx.RemoteProtocolError)
    assert (spoken(seen), seen.finish, seen.done) == (40, None, False)
    assert world.log[0].ending is Ending.CUT


@in_virtual_time
async def test_rst_resets_the_connection_after_k_tokens(new_world: Any) -> None:
    seen = await new_world().ask(f"{MODEL}+rst-40")
    assert isinstance(seen.error, httpx.ReadError)
    assert spoken(seen) == 40


@in_virtual_time
async def test_eof_ends_the_body_well_but_without_a_finish_reason(new_world: Any) -> None:
    world = new_world()
    seen = await world.ask(f"{MODEL}+eof-40")
    assert seen.error is None
    assert (spoken(seen), seen.finish, seen.done) == (40, None, False)
    assert world.log[0].ending is Ending.COMPLETE


@in_virtual_time
async def test_a_cut_of_nothing_comes_before_the_first_token(new_world: Any) -> None:
    seen = await new_world().ask(f"{MODEL}+cut-0")
    assert (seen.status, spoken(seen), len(seen.payloads)) == (200, 0, 1)


@in_virtual_time
async def test_a_cut_beyond_the_end_changes_nothing(new_world: Any) -> None:
    assert (await new_world().ask(f"{MODEL}+cut-61")).done


@in_virtual_time
async def test_a_cut_in_reasoning_counts_reasoning_alone(new_world: Any) -> None:
    seen = await new_world().ask(f"{MODEL}+cut-reasoning-20")
    assert (token_count(seen.reasoning), seen.answer) == (20, "")


@in_virtual_time
async def test_a_cut_in_the_answer_counts_the_answer_alone(new_world: Any) -> None:
    seen = await new_world().ask(f"{MODEL}+cut-answer-20")
    assert (token_count(seen.reasoning), token_count(seen.answer)) == (30, 20)


@in_virtual_time
async def test_a_cut_in_tool_arguments_leaves_json_that_does_not_parse(new_world: Any) -> None:
    seen = await new_world().ask("fake-tools-5-1+cut-tool-3")
    deltas = [choice["delta"] for chunk in seen.chunks for choice in chunk["choices"]]
    pieces = [call["function"]["arguments"] for d in deltas for call in d.get("tool_calls", ())]
    text = "".join(pieces)
    assert text.startswith("{")
    assert not text.endswith("}")


@in_virtual_time
async def test_a_cut_after_events_counts_the_role_chunk_too(new_world: Any) -> None:
    seen = await new_world().ask(f"{MODEL}+cut-event-5")
    assert (len(seen.payloads), spoken(seen)) == (5, 4)


def test_a_cut_at_any_byte_sends_exactly_so_many_and_bills_whole_events(new_world: Any) -> None:
    async def main() -> None:
        world = new_world()
        whole = await world.ask("fake-4+style-unicode+ms-0")
        for count in range(1, len(whole.body), 7):
            seen = await world.ask(f"fake-4+style-unicode+ms-0+cut-byte-{count}")
            assert len(seen.body) == world.log[-1].sent_bytes == count
            told = seen.body.decode("utf-8", "ignore").count("\n\n") - 1
            assert world.log[-1].usage.output_tokens == min(max(told, 0), 4)

    run(main())


@in_virtual_time
async def test_stall_is_silent_after_k_tokens_and_then_closes(new_world: Any) -> None:
    world = new_world()
    seen = await world.ask(f"{MODEL}+stall-20-30")
    assert spoken(seen) == 20
    assert world.clock.now() == pytest.approx(20 * 0.015 + 30)
    assert isinstance(seen.error, httpx.RemoteProtocolError)


@in_virtual_time
async def test_silent_sends_no_byte_and_closes_after_its_time(new_world: Any) -> None:
    world = new_world()
    seen = await world.ask(f"{MODEL}+silent")
    assert (seen.status, world.clock.now()) == (0, 120.0)
    assert world.provider.bill.total_nano_usd == 0


@in_virtual_time
async def test_silent_can_say_for_how_long(new_world: Any) -> None:
    world = new_world()
    await world.ask(f"{MODEL}+silent-7.5")
    assert world.clock.now() == 7.5


@pytest.mark.parametrize(
    ("way", "error"),
    [
        ("reset", httpx.ReadError),
        ("close", httpx.RemoteProtocolError),
        ("refuse", httpx.ConnectError),
    ],
)
def test_lose_ends_before_any_byte(new_world: Any, way: str, error: type[Exception]) -> None:
    async def main() -> None:
        seen = await new_world().ask(f"{MODEL}+lose-{way}")
        assert isinstance(seen.error, error)

    run(main())


@in_virtual_time
async def test_first_sends_the_role_at_once_and_a_token_late(new_world: Any) -> None:
    world = new_world()
    seen = await world.ask(f"{MODEL}+first-20")
    assert world.log[0].head_s == 0.0
    assert seen.times[0] == 0.0
    assert seen.times[1] == pytest.approx(20.015)
    assert seen.done


@in_virtual_time
async def test_queued_sends_headers_at_once_and_events_late(new_world: Any) -> None:
    world = new_world()
    seen = await world.ask(f"{MODEL}+queued-20")
    assert (world.log[0].head_s, seen.times[0]) == (0.0, 20.0)


@in_virtual_time
async def test_headers_come_late_and_then_all_is_well(new_world: Any) -> None:
    world = new_world()
    seen = await world.ask(f"{MODEL}+headers-20")
    assert (world.log[0].head_s, seen.done) == (20.0, True)


@in_virtual_time
async def test_second_is_late_and_the_first_is_not(new_world: Any) -> None:
    seen = await new_world().ask(f"{MODEL}+second-20")
    assert seen.times[1] == pytest.approx(0.015)
    assert seen.times[2] == pytest.approx(20.03)


@in_virtual_time
async def test_pause_is_silent_after_k_tokens_and_goes_on(new_world: Any) -> None:
    seen = await new_world().ask(f"{MODEL}+pause-10-20")
    assert seen.times[11] - seen.times[10] == pytest.approx(20.015)
    assert seen.done


@in_virtual_time
async def test_gap_lies_between_reasoning_and_answer(new_world: Any) -> None:
    seen = await new_world().ask(f"{MODEL}+gap-20")
    assert seen.times[31] - seen.times[30] == pytest.approx(20.015)
    assert seen.reasoning == written(0, 30, 30).reasoning


@in_virtual_time
async def test_keepalive_sends_comments_for_a_while_and_bills_nothing_for_them(
    new_world: Any,
) -> None:
    world = new_world()
    seen = await world.ask(f"{MODEL}+keepalive-20-3")
    assert seen.reads[:6] == [b": keep-alive\n\n"] * 6
    assert seen.times[:6] == [3.0, 6.0, 9.0, 12.0, 15.0, 18.0]
    assert seen.times[6] == pytest.approx(20.0)
    assert seen.done


@in_virtual_time
async def test_keepalive_puts_blank_lines_before_a_whole_answer(new_world: Any) -> None:
    seen = await new_world().ask(f"{MODEL}+keepalive-20-3", stream=False)
    assert seen.body.startswith(b"\n" * 6 + b"{")
    assert seen.json["choices"][0]["finish_reason"] == "stop"


@in_virtual_time
async def test_a_hang_up_while_queued_costs_nothing(new_world: Any) -> None:
    world = new_world(seconds=1.0)
    await world.ask(f"{MODEL}+keepalive-20-3")
    assert world.log[0].ending is Ending.CLIENT_CLOSED
    assert world.provider.bill.total_nano_usd == 0


@in_virtual_time
async def test_a_drip_is_a_token_a_second(new_world: Any) -> None:
    seen = await new_world().ask("fake-10+tps-1")
    assert seen.times[10] == pytest.approx(10.0)


@in_virtual_time
async def test_a_whole_answer_is_cut_before_its_headers(new_world: Any) -> None:
    world = new_world()
    seen = await world.ask(f"{MODEL}+cut-40", stream=False)
    assert (seen.status, world.log[0].usage.output_tokens) == (0, 40)
