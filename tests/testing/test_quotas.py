"""Every kind of limit, against the plainest statement of what it allows."""

from __future__ import annotations

import asyncio
import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.testing.config import Key, ProviderConfig
from sidecar.testing.quotas import Cost, Hold, Quota, Quotas, Refused
from sidecar.testing.virtual import in_virtual_time, run

ONE = Cost(input_tokens=10, reserved_tokens=20)


def admitted(quota: Quota, times: list[float]) -> list[float]:
    quotas = Quotas([quota])
    return [t for t in times if isinstance(quotas.take("k", "a", "m", ONE, t), Hold)]


def most_in_any(times: list[float], window: float) -> int:
    return max(sum(1 for t in times if start <= t < start + window) for start in times)


TENTHS = [round(i * 0.1, 1) for i in range(3000)]


def test_a_bucket_lets_its_burst_pass_and_then_its_rate() -> None:
    passed = admitted(Quota("q", "bucket", 60, 60.0, burst=10), TENTHS)
    assert len([t for t in passed if t < 0.95]) == 10
    assert len([t for t in passed if 1.0 <= t < 201.0]) == 200


def test_a_fixed_window_starts_again_at_its_multiples() -> None:
    passed = admitted(Quota("q", "fixed", 5, 10.0), TENTHS)
    assert [t for t in passed if t < 20] == [0.0, 0.1, 0.2, 0.3, 0.4, 10.0, 10.1, 10.2, 10.3, 10.4]


def test_a_fixed_window_allows_twice_its_amount_round_its_edge() -> None:
    quotas = Quotas([Quota("q", "fixed", 5, 10.0)])
    times = [9.9] * 5 + [10.0] * 5
    assert all(isinstance(quotas.take("k", "a", "m", ONE, t), Hold) for t in times)


def test_a_sliding_window_allows_its_amount_in_any_window() -> None:
    passed = admitted(Quota("q", "sliding", 5, 10.0), TENTHS)
    assert most_in_any(passed, 9.99) == 5
    assert len(passed) == 5 * 30


def test_a_quantised_limit_allows_one_in_each_interval() -> None:
    passed = admitted(Quota("q", "quantised", 60, 60.0), TENTHS)
    gaps = [b - a for a, b in itertools.pairwise(passed)]
    assert min(gaps) == pytest.approx(1.0)
    assert len(passed) == 300


def test_concurrency_counts_what_has_not_ended() -> None:
    quotas = Quotas([Quota("q", "concurrency", 2)])
    first = quotas.take("k", "a", "m", ONE, 0.0)
    assert isinstance(first, Hold)
    assert isinstance(quotas.take("k", "a", "m", ONE, 0.0), Hold)
    assert isinstance(quotas.take("k", "a", "m", ONE, 0.0), Refused)
    first.end(5, 1.0)
    assert isinstance(quotas.take("k", "a", "m", ONE, 1.0), Hold)


@given(
    kind=st.sampled_from(["bucket", "fixed", "sliding", "quantised"]),
    amount=st.integers(1, 50),
    per_s=st.floats(0.5, 600),
    gaps=st.lists(st.floats(0, 30), min_size=1, max_size=80),
)
def test_who_waits_as_long_as_told_is_let_in(
    kind: Any, amount: int, per_s: float, gaps: list[float]
) -> None:
    quotas, now = Quotas([Quota("q", kind, amount, per_s)]), 0.0
    for gap in gaps:
        now += gap
        answer = quotas.take("k", "a", "m", ONE, now)
        if isinstance(answer, Refused):
            assert 0 < answer.wait_s <= per_s + 1e-6
            now += answer.wait_s + 1e-6
            assert isinstance(quotas.take("k", "a", "m", ONE, now), Hold)


@given(
    amount=st.integers(1, 20),
    burst=st.integers(1, 30),
    gaps=st.lists(st.floats(0, 5), min_size=1, max_size=200),
)
def test_a_bucket_never_passes_more_than_burst_and_rate(
    amount: int, burst: int, gaps: list[float]
) -> None:
    times = [sum(gaps[: i + 1]) for i in range(len(gaps))]
    passed = admitted(Quota("q", "bucket", amount, 10.0, burst=burst), times)
    for i, start in enumerate(passed):
        for j, end in enumerate(passed[i:], 1):
            assert j <= burst + (end - start) * amount / 10.0 + 1e-3


def test_tokens_are_charged_as_input_and_reserve() -> None:
    quotas = Quotas([Quota("q", "fixed", 100, 60.0, dimension="tokens")])
    passed = [isinstance(quotas.take("k", "a", "m", ONE, 0.0), Hold) for _ in range(5)]
    assert passed == [True, True, True, False, False]


def test_input_and_output_tokens_are_limits_of_their_own() -> None:
    quotas = Quotas(
        [
            Quota("in", "fixed", 25, 60.0, dimension="input_tokens"),
            Quota("out", "fixed", 1000, 60.0, dimension="output_tokens"),
        ]
    )
    answers = [quotas.take("k", "a", "m", ONE, 0.0) for _ in range(3)]
    assert isinstance(answers[2], Refused)
    assert answers[2].quota.name == "in"


def test_actual_charging_takes_the_output_at_the_end_and_leaves_a_debt() -> None:
    quota = Quota("q", "bucket", 60, 60.0, dimension="tokens", burst=60, charge="actual")
    quotas = Quotas([quota])
    hold = quotas.take("k", "a", "m", ONE, 0.0)
    assert isinstance(hold, Hold)
    hold.end(110, 0.0)
    refused = quotas.take("k", "a", "m", ONE, 0.0)
    assert isinstance(refused, Refused)
    assert refused.wait_s == pytest.approx(70.0)


def test_a_request_larger_than_the_limit_can_never_pass() -> None:
    refused = Quotas([Quota("q", "bucket", 20, dimension="tokens")]).take("k", "a", "m", ONE, 0.0)
    assert isinstance(refused, Refused)
    assert refused.wait_s == math.inf


def test_a_refused_request_takes_nothing_from_any_gate() -> None:
    quotas = Quotas([Quota("wide", "fixed", 2, 60.0), Quota("narrow", "concurrency", 1)])
    hold = quotas.take("k", "a", "m", ONE, 0.0)
    assert isinstance(hold, Hold)
    assert isinstance(quotas.take("k", "a", "m", ONE, 0.0), Refused)
    hold.end(0, 0.0)
    assert isinstance(quotas.take("k", "a", "m", ONE, 0.0), Hold)


def test_refused_requests_count_where_the_limit_says_so() -> None:
    quotas = Quotas([Quota("q", "sliding", 1, 10.0, counts_refused=True)])
    answers = [isinstance(quotas.take("k", "a", "m", ONE, t), Hold) for t in (0.0, 5.0, 11.0, 20.9)]
    assert answers == [True, False, False, False]


def test_keys_of_one_account_share_and_each_key_has_its_own() -> None:
    shared = Quotas([Quota("q", "fixed", 1)])
    assert isinstance(shared.take("k1", "a", "m", ONE, 0.0), Hold)
    assert isinstance(shared.take("k2", "a", "m", ONE, 0.0), Refused)
    assert isinstance(shared.take("k3", "b", "m", ONE, 0.0), Hold)
    own = Quotas([Quota("q", "fixed", 1, scope="key")])
    assert isinstance(own.take("k1", "a", "m", ONE, 0.0), Hold)
    assert isinstance(own.take("k2", "a", "m", ONE, 0.0), Hold)


def test_a_limit_for_one_model_leaves_others_alone() -> None:
    quotas = Quotas([Quota("q", "fixed", 1, models=("big",))])
    answers = [quotas.take("k", "a", model, ONE, 0.0) for model in ("big", "big", "small", "small")]
    assert [isinstance(answer, Hold) for answer in answers] == [True, False, True, True]


def test_a_limit_can_fall_while_requests_run() -> None:
    quotas = Quotas([Quota("q", "concurrency", 500)])
    holds = [quotas.take("k", "a", "m", ONE, 0.0) for _ in range(40)]
    quotas.change("q", 39)
    refused = quotas.take("k", "a", "m", ONE, 0.0)
    assert isinstance(refused, Refused)
    assert (refused.used, refused.amount) == (40, 39)
    for hold in holds[:2]:
        assert isinstance(hold, Hold)
        hold.end(0, 0.0)
    assert isinstance(quotas.take("k", "a", "m", ONE, 0.0), Hold)


def test_a_limit_that_is_not_there_cannot_be_changed() -> None:
    with pytest.raises(KeyError):
        Quotas([]).change("q", 1)


KEYS = {"sk-1": Key("k1", "team"), "sk-2": Key("k2", "team")}


def test_the_provider_refuses_with_deepseeks_words(new_world: Any) -> None:
    async def main() -> None:
        quota = Quota("c", "concurrency", 2)
        world = new_world(ProviderConfig(keys=KEYS, quotas=(quota,)))
        seen = await asyncio.gather(
            *(world.ask("fake-60", key=f"sk-{i % 2 + 1}") for i in range(3))
        )
        assert [one.status for one in seen] == [200, 200, 429]
        assert seen[2].json["error"]["message"] == (
            "Your current concurrency is 3, which exceeds your concurrency limit of 2 based on "
            "your remaining balance"
        )
        assert [name for name in seen[2].headers if "retry" in name] == []
        assert world.log[2].fault == "limit c"
        assert (await world.ask("fake-60", key="sk-1")).status == 200

    run(main())


@in_virtual_time
async def test_a_slot_is_free_once_the_client_hung_up(new_world: Any) -> None:
    world = new_world(ProviderConfig(quotas=(Quota("c", "concurrency", 1),)))
    await world.ask("fake-60", hang_up_after=3)
    assert (await world.ask("fake-60")).status == 200


@in_virtual_time
async def test_openai_tells_limits_in_headers_and_waits_in_both_units(new_world: Any) -> None:
    quota = Quota("rpm", "bucket", 60, 60.0, burst=2)
    world = new_world(ProviderConfig(keys=KEYS, quotas=(quota,)))
    path = "/v1/chat/completions"
    first = await world.ask("fake-0", path=path, key="sk-1")
    assert first.headers["x-ratelimit-limit-requests"] == "60"
    assert first.headers["x-ratelimit-remaining-requests"] == "59"
    assert first.headers["x-ratelimit-reset-requests"] == "1s"
    assert first.headers["openai-organization"] == "team"
    await world.ask("fake-0", path=path, key="sk-2")
    third = await world.ask("fake-0", path=path, key="sk-1")
    assert third.status == 429
    assert (third.headers["retry-after"], third.headers["retry-after-ms"]) == ("1", "1000")
    assert third.json["error"]["code"] == "rate_limit_exceeded"
    assert (
        "Limit 60, Used 2, Requested 1. Please try again in 1s." in third.json["error"]["message"]
    )


@in_virtual_time
async def test_deepseek_tells_nothing_about_rates(new_world: Any) -> None:
    world = new_world(ProviderConfig(quotas=(Quota("rpm", "fixed", 1),)))
    seen = [await world.ask("fake-0") for _ in range(2)]
    assert [one.status for one in seen] == [200, 429]
    assert not [n for one in seen for n in one.headers if "retry" in n or "ratelimit" in n]


@in_virtual_time
async def test_a_limit_that_keeps_quiet_gives_a_bare_429(new_world: Any) -> None:
    world = new_world(ProviderConfig(quotas=(Quota("rpm", "fixed", 0, tells=False),)))
    seen = await world.ask("fake-0", path="/v1/chat/completions")
    assert "retry-after" not in seen.headers
    assert "Limit" not in seen.json["error"]["message"]


@in_virtual_time
async def test_anthropic_tells_resets_as_times_of_day(new_world: Any) -> None:
    quota = Quota("itpm", "bucket", 60, 60.0, dimension="input_tokens")
    world = new_world(ProviderConfig(keys=KEYS, quotas=(quota,)))
    seen = await world.ask(
        "fake-0", path="/v1/messages", headers={"x-api-key": "sk-1", "authorization": ""},
        max_tokens=10,
    )  # fmt: skip
    assert seen.headers["anthropic-ratelimit-input-tokens-limit"] == "60"
    assert seen.headers["anthropic-ratelimit-input-tokens-remaining"] == "54"
    assert seen.headers["anthropic-ratelimit-input-tokens-reset"] == "2026-11-02T12:00:06Z"
    assert seen.headers["anthropic-organization-id"] == "team"


@in_virtual_time
async def test_gemini_tells_the_wait_in_the_body(new_world: Any) -> None:
    quota = Quota("rpm", "bucket", 40, 60.0, burst=1)
    world = new_world(ProviderConfig(quotas=(quota,)))
    path = "/v1beta/models/fake-0:generateContent"
    body = {"contents": [{"role": "user", "parts": [{"text": "go"}]}]}
    seen = [await world.ask("x", path=path, **body) for _ in range(2)]
    error = seen[1].json["error"]
    assert (error["code"], error["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert [d["@type"].rsplit(".", 1)[1] for d in error["details"]] == ["QuotaFailure", "RetryInfo"]
    assert error["details"][1]["retryDelay"] == "1.5s"
    assert "retry-after" not in seen[1].headers


@in_virtual_time
async def test_a_change_of_limit_reaches_the_next_request(new_world: Any) -> None:
    world = new_world(ProviderConfig(quotas=(Quota("rpm", "fixed", 0),)))
    assert (await world.ask("fake-0")).status == 429
    world.provider.change_limit("rpm", 5)
    assert (await world.ask("fake-0")).status == 200
