"""Real examples of what providers send; texts shortened only where nothing is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.limits.bucket import Bucket, Dimension
from sidecar.limits.learn import (
    Told,
    observations,
    owner,
    read,
    retry_after_s,
    should_retry,
    window_s,
)
from sidecar.limits.store import Observation
from tests.limits.meters import requests, seats, tokens

NOW_NS = 1_793_620_800_000_000_000  # 2026-11-02 12:00:00 UTC

OPENAI_BODY = (
    '{"error":{"message":"Rate limit reached for gpt-4o in organization org-abc on tokens per min'
    ' (TPM): Limit 10000, Used 9500, Requested 1200. Please try again in 4.2s. Visit https://x",'
    '"type":"tokens","param":null,"code":"rate_limit_exceeded"}}'
)
OPENAI_TOO_LARGE = (
    '{"error":{"message":"Request too large for gpt-4o in organization org-abc on tokens per min'
    ' (TPM): Limit 30000, Requested 41442. The input or output tokens must be reduced."}}'
)
GROQ_BODY = (
    '{"error":{"message":"Rate limit reached for model `llama-3.3-70b-versatile` in organization'
    " `org_x` service tier `on_demand` on requests per day (RPD): Limit 1000, Used 1000,"
    ' Requested 1. Please try again in 1m26.4s."}}'
)
DEEPSEEK_BODY = (
    '{"error":{"message":"Your current concurrency is 40, which exceeds your concurrency limit of'
    ' 39 based on your remaining balance","type":"rate_limit"}}'
)
GEMINI_BODY = """{"error": {"code": 429, "message": "You exceeded your current quota.\\nPlease
 retry in 34.074824224s.", "status": "RESOURCE_EXHAUSTED", "details": [
 {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [
 {"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "quotaValue": "15"}]},
 {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}]}}"""
AZURE_BODY = (
    '{"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation have'
    ' exceeded the call rate limit. Please retry after 7 seconds."}}'
)


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({}, "", None),
        ({"retry-after": "20"}, "", 20.0),
        ({"Retry-After": "1.5"}, "", 1.5),
        ({"retry-after-ms": "250"}, "", 0.25),
        ({"retry-after": "Mon, 02 Nov 2026 12:00:30 GMT"}, "", 30.0),
        ({"retry-after": "Mon, 02 Nov 2026 12:00:30 -0000"}, "", 30.0),
        ({"retry-after": "Mon, 02 Nov 2026 11:00:00 GMT"}, "", 0.0),
        ({"retry-after": "2s"}, "", 2.0),
        ({"retry-after": "0"}, "", 0.0),
        ({"retry-after": "-5"}, "", None),
        ({"retry-after": "inf"}, "", None),
        ({"retry-after": "later"}, "", None),
        ({"retry-after": "1", "retry-after-ms": "1800"}, "", 1.8),
        ({"retry-after": "3"}, OPENAI_BODY, 4.2),
        ({"retry-after": "9"}, OPENAI_BODY, 9.0),
        ({}, "Please try again in 5.289s.", 5.289),
        ({}, "Please try again in 6m0s.", 360.0),
        ({}, "Please try again in 12ms.", 0.012),
        ({}, "Please try again in 20 minutes", 1200.0),
        ({}, GROQ_BODY, 86.4),
        ({}, GEMINI_BODY, 34.074824224),
        ({}, AZURE_BODY, 7.0),
        ({}, DEEPSEEK_BODY, None),
        ({}, "We will try again in the morning", None),
    ],
)
def test_the_longest_wait_that_is_told_counts(
    headers: dict[str, str], body: str, seconds: float | None
) -> None:
    told = retry_after_s(headers, body, NOW_NS)
    assert told == (None if seconds is None else pytest.approx(seconds))


@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms"]), st.text()), st.text())
def test_no_text_whatever_makes_a_wait_that_is_not_a_number(
    headers: dict[str, str], body: str
) -> None:
    told = retry_after_s(headers, body, NOW_NS)
    assert told is None or 0.0 <= told < 1e18


@given(
    st.dictionaries(
        st.sampled_from(
            ["x-ratelimit-limit-requests", "x-ratelimit-reset-tokens",
             "anthropic-ratelimit-requests-remaining"]
        ),
        st.text(),
    )
)  # fmt: skip
def test_no_header_value_whatever_raises(headers: dict[str, str]) -> None:
    for told in read(headers, "", NOW_NS):
        assert told.limit is None or told.limit >= 0


def test_openai_headers_are_read() -> None:
    told = read(
        {
            "X-RateLimit-Limit-Requests": "60",
            "x-ratelimit-limit-tokens": "150000",
            "x-ratelimit-remaining-requests": "59",
            "x-ratelimit-remaining-tokens": "149984",
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-reset-tokens": "6m0s",
        },
        "",
        NOW_NS,
    )
    assert told == (
        Told(Dimension.REQUESTS, 60, 59, reset_s=1.0),
        Told(Dimension.TOKENS, 150000, 149984, reset_s=360.0),
    )


def test_anthropic_headers_are_read() -> None:
    told = read(
        {
            "anthropic-ratelimit-input-tokens-limit": "40000",
            "anthropic-ratelimit-input-tokens-remaining": "39000",
            "anthropic-ratelimit-input-tokens-reset": "2026-11-02T12:00:02Z",
            "anthropic-ratelimit-output-tokens-limit": "8000",
        },
        "",
        NOW_NS,
    )
    assert told == (
        Told(Dimension.INPUT_TOKENS, 40000, 39000, reset_s=2.0),
        Told(Dimension.OUTPUT_TOKENS, 8000),
    )


def test_cerebras_headers_name_their_window() -> None:
    told = read({"x-ratelimit-limit-requests-day": "14400"}, "", NOW_NS)
    assert told == (Told(Dimension.REQUESTS, 14400, per_s=86400.0),)


def test_a_refusal_with_numbers_is_read_from_the_body() -> None:
    (told,) = read({}, OPENAI_BODY, NOW_NS)
    assert told == Told(Dimension.TOKENS, 10000, used=9500, requested=1200, per_s=60.0)


def test_the_body_of_a_refusal_outranks_its_headers() -> None:
    told = read({"x-ratelimit-remaining-tokens": "777"}, OPENAI_BODY, NOW_NS)
    assert [one.used for one in told] == [9500]


def test_deepseeks_concurrency_is_read_from_its_text() -> None:
    assert read({}, DEEPSEEK_BODY, NOW_NS) == (Told(Dimension.CONCURRENCY, 39, used=40),)


def test_deepseeks_concurrency_reaches_its_bucket() -> None:
    told = read({}, DEEPSEEK_BODY, NOW_NS)
    assert observations(told, [requests(), seats()], refused=True) == (
        (seats().id, Observation(limit=39, used=40, refused=True)),
    )


def test_the_window_is_inferred_from_reset_and_remaining() -> None:
    groq = Told(Dimension.REQUESTS, 14400, 14370, reset_s=180.0)
    assert window_s(groq) == pytest.approx(86400.0)


def test_a_daily_limit_does_not_touch_a_bucket_per_minute() -> None:
    groq = Told(Dimension.REQUESTS, 14400, 14370, reset_s=180.0)
    assert observations([groq], [requests(per_s=60.0)]) == ()


def test_a_daily_limit_reaches_the_bucket_per_day() -> None:
    groq = Told(Dimension.REQUESTS, 14400, 14370, reset_s=180.0)
    assert observations([groq], [requests(per_s=86400.0)]) == (
        (requests().id, Observation(14400, 14370)),
    )


def test_a_success_only_passes_on_what_was_told() -> None:
    told = read({"x-ratelimit-remaining-requests": "5"}, "", NOW_NS)
    assert observations(told, [requests(), tokens()]) == (
        (requests().id, Observation(remaining=5)),
    )


def test_a_refusal_that_names_nothing_blames_concurrency_and_requests() -> None:
    blamed = observations([], [requests(), tokens(), seats()], refused=True, wait_s=3.0)
    assert [(at, said.refused, said.wait_s) for at, said in blamed] == [
        (requests().id, True, 3.0),
        (seats().id, True, 3.0),
    ]


def test_the_bucket_that_is_empty_is_the_one_to_wait_for() -> None:
    told = read(
        {"x-ratelimit-remaining-requests": "40", "x-ratelimit-remaining-tokens": "0"}, "", NOW_NS
    )
    found = dict(observations(told, [requests(), tokens(), seats()], refused=True, wait_s=3.0))
    assert (found[requests().id].wait_s, found[tokens().id].wait_s) == (0.0, 3.0)
    assert seats().id not in found


def test_a_request_too_large_says_nothing_of_the_level() -> None:
    told = read({}, OPENAI_TOO_LARGE, NOW_NS)
    assert observations(told, [tokens()], refused=True) == ((tokens().id, Observation(30000)),)


@pytest.mark.parametrize(("value", "answer"), [("true", True), ("false", False), ("maybe", None)])
def test_the_provider_may_say_whether_to_retry(value: str, answer: bool | None) -> None:
    assert should_retry({"X-Should-Retry": value}) is answer


@pytest.mark.parametrize("name", ["OpenAI-Organization", "anthropic-organization-id"])
def test_the_owner_of_a_key_is_read(name: str) -> None:
    assert owner({name: "org-abc"}) == "org-abc"


def test_an_unknown_header_is_nothing() -> None:
    assert read({"x-ratelimit-flavour": "5", "date": "5"}, "", NOW_NS) == ()


def test_several_buckets_of_one_dimension_all_hear_it() -> None:
    per_key = Bucket("p/a/*/r/k1", "p", Dimension.REQUESTS, 60, 60.0, 10)
    heard = observations([Told(Dimension.REQUESTS, 50)], [requests(), per_key])
    assert [at for at, _ in heard] == [requests().id, per_key.id]
