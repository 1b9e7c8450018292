"""The provider as a whole, over chat completions, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.core.money import Price
from sidecar.core.request import Prefix
from sidecar.testing import texts
from sidecar.testing.config import Key, ProviderConfig
from sidecar.testing.journal import Ending
from sidecar.testing.scripts import Listed, Seeded
from sidecar.testing.virtual import in_virtual_time, run

INPUT = texts.token_count("When does the next train leave?")


@in_virtual_time
async def test_a_healthy_model_says_the_sixty_words_of_the_card(new_world: Any) -> None:
    seen = await new_world().ask("fake-60")
    assert seen.answer == texts.written(0, 0, 60).answer
    assert (seen.reasoning, seen.finish, seen.done) == ("", "stop", True)


@in_virtual_time
async def test_a_reasoner_thinks_before_it_answers(new_world: Any) -> None:
    seen = await new_world().ask("fake-reasoner-30-20")
    expected = texts.written(0, 30, 20)
    assert (seen.reasoning, seen.answer) == (expected.reasoning, expected.answer)


@in_virtual_time
async def test_tokens_come_fifteen_milliseconds_apart_and_do_not_drift(new_world: Any) -> None:
    world = new_world()
    seen = await world.ask("fake-60")
    ticks = [world.log[0].head_s, *(round(t, 3) for t in seen.times)]
    assert ticks[-1] == pytest.approx(60 * 0.015)
    assert len(seen.reads) == 61


@in_virtual_time
async def test_usage_counts_word_pieces_exactly(new_world: Any) -> None:
    usage = (await new_world().ask("fake-reasoner-30-20")).usage
    assert usage["prompt_tokens"] == INPUT
    assert usage["completion_tokens"] == 50
    assert usage["completion_tokens_details"] == {"reasoning_tokens": 30}


@in_virtual_time
async def test_a_whole_answer_is_the_same_text_in_one_piece(new_world: Any) -> None:
    seen = await new_world().ask("fake-reasoner-30-20", stream=False)
    message = seen.json["choices"][0]["message"]
    expected = texts.written(0, 30, 20)
    assert (message["reasoning_content"], message["content"]) == (
        expected.reasoning,
        expected.answer,
    )
    assert seen.json["usage"]["total_tokens"] == INPUT + 50


@in_virtual_time
async def test_a_whole_answer_takes_as_long_as_a_streamed_one(new_world: Any) -> None:
    world = new_world()
    await world.ask("fake-60", stream=False)
    assert world.clock.now() == pytest.approx(0.9)


@in_virtual_time
async def test_a_seed_in_the_request_chooses_the_text(new_world: Any) -> None:
    seen = await new_world().ask("fake-60", seed=42)
    assert seen.answer == texts.written(42, 0, 60).answer


@in_virtual_time
async def test_max_tokens_ends_an_answer_with_length(new_world: Any) -> None:
    seen = await new_world().ask("fake-reasoner-30-20", max_tokens=35)
    assert seen.finish == "length"
    assert texts.token_count(seen.reasoning) + texts.token_count(seen.answer) == 35


@in_virtual_time
async def test_thinking_can_be_switched_off(new_world: Any) -> None:
    seen = await new_world().ask("fake-reasoner-30-20", thinking={"type": "disabled"})
    assert seen.reasoning == ""
    assert texts.token_count(seen.answer) == 20


@in_virtual_time
async def test_a_prefix_is_continued_exactly(new_world: Any) -> None:
    whole = texts.written(0, 30, 20)
    so_far = {"role": "assistant", "content": whole.answer[:37], "prefix": True}
    seen = await new_world().ask(
        "fake-reasoner-30-20",
        path="/beta/chat/completions",
        messages=[{"role": "user", "content": "go"}, so_far],
    )
    assert (seen.reasoning, seen.answer) == ("", whole.answer[37:])


@in_virtual_time
async def test_a_prefix_of_reasoning_is_continued_into_the_answer(new_world: Any) -> None:
    whole = texts.written(0, 30, 20)
    so_far = {"role": "assistant", "content": "", "prefix": True}
    so_far["reasoning_content"] = whole.reasoning[:50]
    world = new_world()
    seen = await world.ask(
        "fake-reasoner-30-20",
        path="/beta/chat/completions",
        messages=[{"role": "user", "content": "go"}, so_far],
    )
    assert (seen.reasoning, seen.answer) == (whole.reasoning[50:], whole.answer)
    assert world.log[0].prefix == Prefix(reasoning=whole.reasoning[:50])


@in_virtual_time
async def test_a_prefix_is_refused_outside_of_beta(new_world: Any) -> None:
    so_far = {"role": "assistant", "content": "x", "prefix": True}
    seen = await new_world().ask("fake-60", messages=[{"role": "user", "content": "go"}, so_far])
    assert (seen.status, "beta" in seen.json["error"]["message"]) == (400, True)


@in_virtual_time
async def test_an_assistants_turn_without_prefix_is_only_history(new_world: Any) -> None:
    turns = [{"role": "user", "content": "go"}, {"role": "assistant", "content": "Forest"}]
    seen = await new_world().ask("fake-60", messages=turns)
    assert seen.answer == texts.written(0, 0, 60).answer


@in_virtual_time
async def test_a_resent_prefix_is_billed_as_input(new_world: Any) -> None:
    world = new_world()
    so_far = {"role": "assistant", "content": " two words", "prefix": True}
    so_far["reasoning_content"] = "three more words"
    await world.ask(
        "fake-60",
        path="/beta/chat/completions",
        messages=[{"role": "user", "content": "go"}, so_far],
    )
    assert world.log[0].usage.input_tokens == 6


@in_virtual_time
async def test_tool_calls_come_in_pieces_that_make_json(new_world: Any) -> None:
    seen = await new_world().ask(
        "fake-tools-5-2", tools=[{"type": "function", "function": {"name": "book"}}]
    )
    pieces = [c["delta"]["tool_calls"][0] for x in seen.chunks for c in x["choices"][:1]
              if "tool_calls" in c["delta"]]  # fmt: skip
    assert [p["function"]["name"] for p in pieces if "id" in p] == ["book", "book"]
    second = "".join(p["function"]["arguments"] for p in pieces if p["index"] == 1)
    assert '"station": "Harbour 1"' in second
    assert seen.finish == "tool_calls"


@in_virtual_time
async def test_after_a_tools_result_comes_text(new_world: Any) -> None:
    turns = [{"role": "user", "content": "go"}, {"role": "tool", "content": "late"}]
    seen = await new_world().ask("fake-60+tools-1", messages=turns)
    assert seen.finish == "stop"


@in_virtual_time
async def test_a_stop_sequence_ends_the_answer_before_it(new_world: Any) -> None:
    answer = texts.written(0, 0, 60).answer
    stop = answer[100:110]
    seen = await new_world().ask("fake-60", stop=[stop])
    assert seen.answer == answer[: answer.index(stop)]


@in_virtual_time
async def test_an_unknown_key_is_refused(new_world: Any) -> None:
    world = new_world(ProviderConfig(keys={"sk-good": Key("good", "team")}))
    assert (await world.ask("fake-60", key="sk-bad")).status == 401
    assert (await world.ask("fake-60", key="sk-good")).status == 200
    assert [(entry.key, entry.account) for entry in world.log] == [("", ""), ("good", "team")]


@in_virtual_time
async def test_a_missing_key_is_refused_even_where_any_will_do(new_world: Any) -> None:
    assert (await new_world().ask("fake-60", headers={"authorization": ""})).status == 401


@in_virtual_time
async def test_a_revoked_key_is_refused_until_it_is_restored(new_world: Any) -> None:
    world = new_world(ProviderConfig(keys={"sk-one": Key("one")}))
    world.provider.revoke("one")
    assert (await world.ask("fake-60")).status == 401
    world.provider.restore("one")
    assert (await world.ask("fake-60")).status == 200


@in_virtual_time
async def test_no_secret_is_in_the_log(new_world: Any) -> None:
    world = new_world()
    await world.ask("fake-60", key="sk-planted-secret")
    assert "planted" not in repr(world.log)


@in_virtual_time
async def test_an_unknown_model_is_400_at_deepseek_and_404_elsewhere(new_world: Any) -> None:
    world = new_world()
    assert (await world.ask("gpt-9")).status == 400
    assert (await world.ask("gpt-9", path="/v1/chat/completions")).status == 404


@in_virtual_time
async def test_an_alias_gives_a_behaviour_another_name(new_world: Any) -> None:
    world = new_world(ProviderConfig(aliases={"deepseek-v4-pro": "fake-reasoner-5-5+cut-3"}))
    seen = await world.ask("deepseek-v4-pro")
    assert texts.token_count(seen.reasoning) == 3
    assert world.log[0].model == "deepseek-v4-pro"


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"messages":[]}', b'{"messages":"x"}', b"\xff"])
def test_a_body_that_is_no_request_gets_400(new_world: Any, body: bytes) -> None:
    async def main() -> None:
        seen = await new_world().send(
            "POST", "/chat/completions", {"authorization": "Bearer x"}, body
        )
        assert seen.status == 400

    run(main())


@in_virtual_time
async def test_an_endpoint_that_is_none_gets_404(new_world: Any) -> None:
    world = new_world()
    assert (await world.send("POST", "/nowhere", {})).status == 404
    assert (await world.send("GET", "/chat/completions", {})).status == 404


@in_virtual_time
async def test_the_bill_is_the_price_of_what_was_said(new_world: Any) -> None:
    price = Price(input=1_000_000_000, output=3_000_000_000, cached_input=100_000_000)
    world = new_world(ProviderConfig(prices={"fake-reasoner-30-20": price}))
    await world.ask("fake-reasoner-30-20+cached-2")
    line = world.provider.bill.total
    assert line.cost.input_nano_usd == (INPUT - 2) * 1000 + 2 * 100
    assert line.cost.reasoning_nano_usd == 30 * 3000
    assert line.cost.answer_nano_usd == 20 * 3000


@in_virtual_time
async def test_a_refused_attempt_costs_nothing(new_world: Any) -> None:
    world = new_world()
    await world.ask("fake-60+http-503")
    assert world.provider.bill.total_nano_usd == 0
    assert world.log[0].ending is Ending.REFUSED


@in_virtual_time
async def test_a_cut_stream_costs_what_was_sent(new_world: Any) -> None:
    world = new_world()
    await world.ask("fake-60+cut-40")
    entry = world.log[0]
    assert (entry.usage.input_tokens, entry.usage.output_tokens) == (INPUT, 40)
    assert entry.ending is Ending.CUT


@in_virtual_time
async def test_a_hang_up_ends_the_bill_at_that_moment(new_world: Any) -> None:
    world = new_world()
    seen = await world.ask("fake-60", hang_up_after=11)
    entry = world.log[0]
    assert texts.token_count(seen.answer) == entry.usage.output_tokens == 10
    assert (entry.ending, entry.ended_s) == (Ending.CLIENT_CLOSED, 0.15)


@in_virtual_time
async def test_a_hang_up_on_a_whole_answer_bills_what_was_generated(new_world: Any) -> None:
    world = new_world(seconds=0.5)
    await world.ask("fake-60", stream=False)
    assert world.log[0].ending is Ending.CLIENT_CLOSED
    assert world.log[0].usage.output_tokens == 33


@in_virtual_time
async def test_the_bill_is_kept_by_model_and_by_key(new_world: Any) -> None:
    world = new_world()
    await world.ask("fake-60", key="a")
    await world.ask("fake-10", key="b")
    bill = world.provider.bill
    assert {name: line.usage.output_tokens for name, line in bill.by_model.items()} == {
        "fake-60": 60,
        "fake-10": 10,
    }
    assert {name: line.attempts for name, line in bill.by_key.items()} == {"key-1": 1, "key-2": 1}


@in_virtual_time
async def test_a_script_is_used_up_attempt_by_attempt(new_world: Any) -> None:
    world = new_world(script=Listed(["http-503", "", "cut-3"]))
    seen = [await world.ask("fake-10") for _ in range(4)]
    assert [one.status for one in seen] == [503, 200, 200, 200]
    assert [one.done for one in seen] == [False, True, False, True]
    assert [entry.fault for entry in world.log] == ["http-503", "", "cut-3", ""]


@in_virtual_time
async def test_a_script_can_be_told_for_one_model_alone(new_world: Any) -> None:
    world = new_world()
    world.provider.tell("fake-10", ["http-500"])
    assert (await world.ask("fake-11")).status == 200
    assert (await world.ask("fake-10")).status == 500


@in_virtual_time
async def test_a_header_can_name_the_faults_of_one_request(new_world: Any) -> None:
    seen = await new_world().ask("fake-10", headers={"x-fake-faults": "http-429-7"})
    assert (seen.status, seen.headers["retry-after"]) == (429, "7")


def test_a_seed_repeats_its_faults(new_world: Any) -> None:
    async def faults() -> list[str]:
        world = new_world(script=Seeded(5, 0.5, ("http-503", "cut-3", "lose-reset")))
        for _ in range(30):
            await world.ask("fake-5")
        return [entry.fault for entry in world.log]

    first = run(faults())
    assert first == run(faults())
    assert len(set(first)) == 4


@in_virtual_time
async def test_forgetting_empties_log_and_bill(new_world: Any) -> None:
    world = new_world()
    await world.ask("fake-5+http-503@1")
    world.provider.forget()
    assert (world.log, world.provider.bill.total_nano_usd) == ((), 0)
    assert (await world.ask("fake-5+http-503@1")).status == 503


@in_virtual_time
async def test_the_log_keeps_only_the_last_attempts_but_the_bill_all(new_world: Any) -> None:
    world = new_world(ProviderConfig(keep=3, keep_bodies=1))
    for _ in range(5):
        await world.ask("fake-5")
    assert [(entry.number, entry.body is None) for entry in world.log] == [
        (3, True),
        (4, True),
        (5, False),
    ]
    assert world.provider.bill.total.usage.output_tokens == 25
