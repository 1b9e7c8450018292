"""Each oddity of framing does what its row says."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from sidecar.testing.texts import token_count, written
from sidecar.testing.virtual import in_virtual_time, run

ANSWER = written(0, 0, 20).answer


def parses(payload: str) -> bool:
    try:
        json.loads(payload)
    except ValueError:
        return payload == "[DONE]"
    return True


@in_virtual_time
async def test_garbage_is_one_event_more_and_no_token_less(new_world: Any) -> None:
    seen = await new_world().ask("fake-20+garbage-10")
    assert [place for place, text in enumerate(seen.payloads, 1) if not parses(text)] == [10]
    good = [json.loads(text) for text in seen.payloads if parses(text) and text != "[DONE]"]
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in good) == ANSWER


@in_virtual_time
async def test_broken_spoils_the_event_itself(new_world: Any) -> None:
    world = new_world()
    seen = await world.ask("fake-20+broken-10")
    assert [place for place, text in enumerate(seen.payloads, 1) if not parses(text)] == [10]
    assert len(seen.payloads) == 23
    assert world.log[0].usage.output_tokens == 20


@in_virtual_time
async def test_bad_bytes_are_no_utf8(new_world: Any) -> None:
    seen = await new_world().ask("fake-20+badbytes-3")
    with pytest.raises(UnicodeDecodeError):
        seen.body.decode()


@in_virtual_time
async def test_no_done_leaves_out_the_end_mark_alone(new_world: Any) -> None:
    seen = await new_world().ask("fake-20+no-done")
    assert (seen.answer, seen.finish, seen.done, seen.error) == (ANSWER, "stop", False, None)


@in_virtual_time
async def test_no_finish_leaves_out_the_reason_alone(new_world: Any) -> None:
    seen = await new_world().ask("fake-20+no-finish")
    assert (seen.answer, seen.finish, seen.done) == (ANSWER, None, True)


@in_virtual_time
async def test_chunks_split_every_event_and_lose_nothing(new_world: Any) -> None:
    world = new_world()
    seen = await world.ask("fake-20+style-unicode+chunk-7")
    assert max(map(len, seen.reads)) <= 7
    assert seen.answer == written(0, 0, 20, "unicode").answer
    assert world.log[0].usage.output_tokens == token_count(seen.answer)


@pytest.mark.parametrize(
    ("style", "test"),
    [
        ("crlf", lambda body: b"\r\n\r\n" in body and b"\n\n" not in body),
        ("cr", lambda body: b"\r\r" in body and b"\n" not in body),
        ("tight", lambda body: b"data:{" in body and b"data: " not in body),
        ("comments", lambda body: body.startswith(b": PROCESSING\n\n:\n")),
        ("padded", lambda body: b"}      \n\n" in body),
        ("blank", lambda body: body.startswith(b"\n\n\ndata: ")),
        ("bom", lambda body: body.startswith(b"\xef\xbb\xbfdata: ") and body.count(b"\xef") == 1),
        ("split", lambda body: b'data: {"id":\ndata: "' in body),
    ],
)
def test_a_style_of_framing_keeps_to_the_standard(new_world: Any, style: str, test: Any) -> None:
    async def main() -> None:
        seen = await new_world().ask(f"fake-20+frame-{style}")
        assert test(seen.body)
        assert b"[DONE]" in seen.body

    run(main())


@in_virtual_time
async def test_an_unframed_body_has_neither_length_nor_chunks(new_world: Any) -> None:
    seen = await new_world().ask("fake-20+unframed+cut-5")
    assert seen.error is None
    assert token_count(seen.answer) == 5


@in_virtual_time
async def test_huge_is_one_event_of_that_size(new_world: Any) -> None:
    seen = await new_world().ask("fake-20+huge-1000000")
    assert max(map(len, seen.payloads)) >= 1_000_000
    assert seen.done


@in_virtual_time
async def test_an_endless_line_has_no_end(new_world: Any) -> None:
    seen = await new_world().ask("fake-20+endless-200000")
    assert seen.body.rsplit(b"\n", 1)[1] == b"y" * 200_000


@in_virtual_time
async def test_deep_is_json_that_nests(new_world: Any) -> None:
    seen = await new_world().ask("fake-20+deep-400")
    assert seen.payloads[1] == "[" * 400 + "]" * 400


@in_virtual_time
async def test_gzip_is_unpacked_by_any_client(new_world: Any) -> None:
    seen = await new_world().ask("fake-20+gzip")
    assert (seen.headers["content-encoding"], seen.answer) == ("gzip", ANSWER)


@in_virtual_time
async def test_gzip_claimed_falsely_is_a_decoding_error(new_world: Any) -> None:
    seen = await new_world().ask("fake-20+falsegzip")
    assert isinstance(seen.error, httpx.DecodingError)


@in_virtual_time
async def test_gzip_leaves_event_by_event(new_world: Any) -> None:
    seen = await new_world().ask("fake-20+gzip")
    assert len(seen.reads) == 21


@in_virtual_time
async def test_usage_that_is_not_told_is_billed_all_the_same(new_world: Any) -> None:
    world = new_world()
    seen = await world.ask("fake-20+no-usage")
    assert seen.usage is None
    assert world.log[0].usage.output_tokens == 20


@in_virtual_time
async def test_usage_told_as_zeros_is_billed_as_zeros(new_world: Any) -> None:
    world = new_world()
    seen = await world.ask("fake-20+zero-usage")
    assert seen.usage["total_tokens"] == 0
    assert world.provider.bill.total_nano_usd == 0


@in_virtual_time
async def test_thoughts_can_come_between_tags_in_the_answer(new_world: Any) -> None:
    world = new_world()
    seen = await world.ask("fake-reasoner-10-20+think")
    whole = written(0, 10, 20)
    assert seen.answer == f"<think>{whole.reasoning}</think>{whole.answer}"
    assert world.log[0].usage.reasoning_tokens == 10


@in_virtual_time
async def test_thoughts_between_tags_are_continued_without_a_second_tag(new_world: Any) -> None:
    whole = written(0, 10, 20)
    so_far = f"<think>{whole.reasoning[:20]}"
    messages = [{"role": "user", "content": "go"}, {"role": "assistant", "content": so_far}]
    seen = await new_world().ask("fake-reasoner-10-20+think+prefix-continue", messages=messages)
    assert so_far + seen.answer == f"<think>{whole.reasoning}</think>{whole.answer}"


@in_virtual_time
async def test_thoughts_that_run_out_of_tokens_close_no_tag(new_world: Any) -> None:
    seen = await new_world().ask("fake-reasoner-10-20+think", max_tokens=5)
    assert seen.answer.startswith("<think>")
    assert "</think>" not in seen.answer
