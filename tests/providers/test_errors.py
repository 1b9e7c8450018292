"""Every failure of a provider gets one cause, and no key gets out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sidecar.core.failure import Cause
from sidecar.providers import errors
from tests.providers.recorded import Recording, recordings, spoken, target_of

NOON_NS = 1_767_182_400_000_000_000
RECORDED = {
    "anthropic/err-400-prefill-unsupported-quoted": Cause.PREFIX_REFUSED,
    "anthropic/err-401": Cause.CREDENTIAL,
    "deepseek/err-400-tool-choice-thinking": Cause.REQUEST_REFUSED,
    "deepseek/err-401-auth": Cause.CREDENTIAL,
    "deepseek/err-402-insufficient-balance-quoted": Cause.QUOTA,
    "gemini/err-400-key": Cause.CREDENTIAL,
    "gemini/err-404-stream": Cause.MODEL_ACCESS,
    "llamacpp/err-400-context-overflow": Cause.CONTEXT_LENGTH,
    "mistral/err-401-nonstandard": Cause.CREDENTIAL,
    "openai/err-400-context-length": Cause.CONTEXT_LENGTH,
    "openai/err-401": Cause.CREDENTIAL,
    "openrouter/err-401": Cause.CREDENTIAL,
    "openrouter/err-429-upstream": Cause.RATE_LIMITED,
    "xai/err-400-key": Cause.CREDENTIAL,
}


def cause(status: int, body: Any = None, **headers: str) -> Cause:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return errors.of_response(status, names, raw, NOON_NS).cause


def openai(message: str, code: str | None = None, type: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": type, "param": None, "code": code}}


@pytest.mark.parametrize("recording", recordings("error"), ids=lambda r: r.id)
def test_a_recorded_error_has_its_cause(recording: Recording) -> None:
    failure = spoken(recording).failure(
        recording.status, recording.headers, recording.body, target_of(recording), NOON_NS
    )
    assert failure.cause == RECORDED[recording.id]


@pytest.mark.parametrize("recording", recordings("error"), ids=lambda r: r.id)
def test_a_recorded_error_keeps_its_message(recording: Recording) -> None:
    failure = spoken(recording).failure(
        recording.status, recording.headers, recording.body, target_of(recording), NOON_NS
    )
    assert failure.message.split("[redacted]")[0] in recording.expected["error_message"] + ": " or (
        failure.message.startswith(recording.expected["error_message"])
    )


CASES: dict[str, tuple[int, Any, Cause]] = {
    "openai quota": (
        429,
        openai("You exceeded your current quota", "insufficient_quota", "insufficient_quota"),
        Cause.QUOTA,
    ),
    "openai rate": (
        429,
        openai("Rate limit reached for gpt-5", "rate_limit_exceeded", "tokens"),
        Cause.RATE_LIMITED,
    ),
    "deepseek concurrency": (
        429,
        openai("Your current concurrency is 40, which exceeds your concurrency limit of 39"),
        Cause.RATE_LIMITED,
    ),
    "anthropic credit under 400": (
        400,
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "Your credit balance is too low to access the Anthropic API.",
            },
        },
        Cause.QUOTA,
    ),
    "anthropic overloaded": (
        529,
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        Cause.OVERLOADED,
    ),
    "anthropic context": (
        400,
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "prompt is too long: 210000 tokens > 200000 maximum",
            },
        },
        Cause.CONTEXT_LENGTH,
    ),
    "anthropic rate": (
        429,
        {"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down"}},
        Cause.RATE_LIMITED,
    ),
    "gemini per minute": (
        429,
        {
            "error": {
                "code": 429,
                "message": "You exceeded your current quota, please check your plan and billing",
                "status": "RESOURCE_EXHAUSTED",
                "details": [
                    {
                        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                        "violations": [{"quotaId": "GenerateRequestsPerMinutePerProject"}],
                    },
                    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"},
                ],
            }
        },
        Cause.RATE_LIMITED,
    ),
    "gemini per day": (
        429,
        {
            "error": {
                "code": 429,
                "message": "Quota exceeded",
                "status": "RESOURCE_EXHAUSTED",
                "details": [{"violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}],
            }
        },
        Cause.QUOTA,
    ),
    "openrouter credits": (
        402,
        {"error": {"code": 402, "message": "This request requires more credits"}},
        Cause.QUOTA,
    ),
    "openrouter key limit": (
        403,
        {"error": {"code": 403, "message": "Key limit exceeded (monthly limit)"}},
        Cause.QUOTA,
    ),
    "openrouter no endpoints": (
        404,
        {"error": {"code": 404, "message": "No endpoints found for foo/bar."}},
        Cause.MODEL_ACCESS,
    ),
    "deepseek unknown model": (
        400,
        openai("The supported API model names are deepseek-flash or deepseek-v4-pro"),
        Cause.MODEL_ACCESS,
    ),
    "deepseek context": (
        400,
        openai("This model's maximum context length is 1048576 tokens.", "invalid_request_error"),
        Cause.CONTEXT_LENGTH,
    ),
    "deepseek content": (400, openai("Content Exists Risk"), Cause.CONTENT_FILTER),
    "openai content": (
        400,
        openai("Rejected by our safety system", "content_policy_violation"),
        Cause.CONTENT_FILTER,
    ),
    "azure content": (
        400,
        openai("The response was filtered due to content management policy", "content_filter"),
        Cause.CONTENT_FILTER,
    ),
    "region": (
        403,
        openai(
            "Country, region, or territory not supported", "unsupported_country_region_territory"
        ),
        Cause.REGION,
    ),
    "gemini region": (
        400,
        {
            "error": {
                "code": 400,
                "message": "User location is not supported for the API use.",
                "status": "FAILED_PRECONDITION",
            }
        },
        Cause.REGION,
    ),
    "any other 403": (403, openai("Forbidden"), Cause.CREDENTIAL),
    "gone": (
        400,
        openai("The model `x` has been decommissioned", "model_decommissioned"),
        Cause.MODEL_GONE,
    ),
    "retired in words": (
        404,
        openai("The model claude-2 has been retired and is no longer available"),
        Cause.MODEL_GONE,
    ),
    "410": (410, {}, Cause.MODEL_GONE),
    "groq too large": (
        413,
        openai("Request too large on tokens per minute (TPM)", "rate_limit_exceeded", "tokens"),
        Cause.CONTEXT_LENGTH,
    ),
    "groq flex": (498, openai("capacity exceeded", "capacity_exceeded"), Cause.OVERLOADED),
    "llamacpp loading": (503, openai("Loading model", None, "unavailable_error"), Cause.OVERLOADED),
    "llamacpp prefill": (
        400,
        openai("Assistant response prefill is incompatible with enable_thinking."),
        Cause.PREFIX_REFUSED,
    ),
    "mistral last role": (
        400,
        {
            "object": "error",
            "message": "Expected last role User or Tool (or Assistant with prefix True)",
            "type": "invalid_request_error",
            "code": 3230,
        },
        Cause.PREFIX_REFUSED,
    ),
    "mistral validation": (
        422,
        {"object": "error", "message": {"detail": [{"type": "missing", "msg": "Field required"}]}},
        Cause.REQUEST_REFUSED,
    ),
    "500 whatever the body says": (500, openai("insufficient balance"), Cause.SERVER_ERROR),
    "502 page": (502, b"<html><body>Bad gateway</body></html>", Cause.SERVER_ERROR),
    "503": (503, b"", Cause.OVERLOADED),
    "529": (529, b"", Cause.OVERLOADED),
    "408": (408, b"", Cause.SERVER_ERROR),
    "409": (409, openai("conflict"), Cause.REQUEST_REFUSED),
    "401 that speaks of rates": (401, openai("rate limit, too many requests"), Cause.CREDENTIAL),
    "401 without a body": (401, b"", Cause.CREDENTIAL),
    "bare 404": (404, b"", Cause.UNKNOWN),
    "400 page of a proxy": (400, b"<html>no</html>", Cause.UNKNOWN),
    "a redirect": (302, b"", Cause.SERVER_ERROR),
    "a teapot": (418, b"", Cause.UNKNOWN),
    "guardrail": (
        446,
        {"error": {"message": "hooks failed", "type": "hooks_failed"}},
        Cause.CONTENT_FILTER,
    ),
    "tools not supported": (
        400,
        openai("tools is not supported with this model"),
        Cause.REQUEST_REFUSED,
    ),
    "ollama model": (404, {"error": "model 'x' not found"}, Cause.MODEL_ACCESS),
}


@pytest.mark.parametrize("name", CASES)
def test_a_failure_has_one_cause(name: str) -> None:
    status, body, wanted = CASES[name]
    assert cause(status, body) is wanted


def test_should_retry_false_on_a_429_is_a_spend_limit() -> None:
    body = {"type": "error", "error": {"type": "rate_limit_error", "message": "limit"}}
    assert cause(429, body, x_should_retry="false") is Cause.QUOTA


def test_should_retry_true_makes_a_refusal_transient() -> None:
    assert cause(409, openai("conflict"), x_should_retry="true") is Cause.SERVER_ERROR


def test_the_numbers_of_a_concurrency_refusal_are_kept() -> None:
    text = "Your current concurrency is 40, which exceeds your concurrency limit of 39 based on"
    failure = errors.of_response(429, {}, json.dumps(openai(text)).encode(), NOON_NS)
    assert dict(failure.limit) == {"in_flight": 40, "concurrency": 39}


def test_the_numbers_of_a_token_refusal_are_kept() -> None:
    text = "Rate limit reached on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000."
    failure = errors.of_response(429, {}, json.dumps(openai(text)).encode(), NOON_NS)
    assert dict(failure.limit) == {"limit": 30000, "used": 29000, "requested": 2000}


def test_the_largest_wait_counts() -> None:
    body = json.dumps(openai("Please try again in 5.289s.")).encode()
    failure = errors.of_response(429, {"retry-after": "2"}, body, NOON_NS)
    assert failure.retry_after_s == 5.289


def test_a_providers_own_code_decides_first() -> None:
    body = json.dumps({"error": {"code": "1302", "message": "?"}}).encode()
    failure = errors.of_response(400, {}, body, NOON_NS, {"1302": "RATE_LIMITED"})
    assert failure.cause is Cause.RATE_LIMITED


def test_the_upstreams_words_come_out_of_an_aggregators_wrapping() -> None:
    raw = json.dumps({"error": {"message": "prompt is too long: 3 tokens > 2 maximum"}})
    body = {"error": {"code": 400, "message": "Provider returned error", "metadata": {"raw": raw}}}
    assert cause(400, body) is Cause.CONTEXT_LENGTH


def test_who_stands_behind_an_aggregator_is_told() -> None:
    error = {"code": 502, "message": "x", "metadata": {"provider_name": "Up sk-proj-abcdef12345"}}
    failure = errors.of_response(502, {}, json.dumps({"error": error}).encode(), NOON_NS)
    assert failure.upstream == "Up [redacted]"


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-abcdefghijklmnop1234",
        "bad header Authorization: Bearer abcdef123456",
        "token AIzaSyA1234567890abcdefghijklmnopqrstu refused",
        "gsk_abcdefghij0123456789 is revoked",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc expired",
        "key 0123456789abcdef0123456789abcdef unknown",
        "id 3f2504e0-4f89-11d3-9a0c-0305e82c3301 unknown",
    ],
)
def test_nothing_like_a_key_gets_out(text: str) -> None:
    message = errors.of_response(401, {}, json.dumps(openai(text)).encode(), NOON_NS).message
    assert "[redacted]" in message
    for piece in ("1234567", "abcdef", "eyJ", "3f2504e0", "sk-proj"):
        assert piece not in message


def test_the_key_in_use_never_gets_out() -> None:
    key = "plainword"
    body = json.dumps(openai("plainword is no key of ours", code=key)).encode()
    failure = errors.of_response(401, {}, body, NOON_NS, key=key)
    assert key not in failure.message
    assert key not in failure.code


def test_model_names_are_not_taken_for_keys() -> None:
    text = "claude-haiku-4-5-20251001 and gemini-2.5-flash-preview-09-2025 are busy"
    message = errors.of_response(429, {}, json.dumps(openai(text)).encode(), NOON_NS).message
    assert message == text


def test_a_message_is_short_and_on_one_line() -> None:
    body = json.dumps(openai("long\n" * 1000)).encode()
    message = errors.of_response(400, {}, body, NOON_NS).message
    assert len(message) == 300
    assert "\n" not in message


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (b'error: {"code":500,"message":"no"}', Cause.SERVER_ERROR),
        (b"error: overloaded", Cause.OVERLOADED),
        (b'{\n "error": {"code": 503, "status": "UNAVAILABLE"}\n}', Cause.OVERLOADED),
        (b'[{"error": {"code": 429, "message": "rate limit"}}]', Cause.RATE_LIMITED),
        (b"<!DOCTYPE html><p>busy</p>", Cause.SERVER_ERROR),
    ],
)
def test_an_error_outside_the_framing_is_recognised(lines: bytes, wanted: Cause) -> None:
    failure = errors.from_stray(lines)
    assert failure is not None
    assert failure.cause is wanted


@pytest.mark.parametrize("lines", [b"x-field: 1", b'{"ok": true}', b"{", b"", b"[]", b"plain"])
def test_what_is_no_error_is_none(lines: bytes) -> None:
    assert errors.from_stray(lines) is None
