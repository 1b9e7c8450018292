"""Refusals before the stream, as each provider words them, and what must be made of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sidecar.core.failure import Cause
from sidecar.providers import errors
from sidecar.providers.replay import known

NOON_NS = 1_767_182_400_000_000_000


def plain(message: str, code: Any = None, type: Any = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": type, "param": None, "code": code}}


def anthropic(type: str, message: str = "x") -> dict[str, Any]:
    return {"type": "error", "error": {"type": type, "message": message}, "request_id": "r"}


def google(code: int, status: str, message: str = "x", *details: Any) -> dict[str, Any]:
    told = {"code": code, "message": message, "status": status}
    return {"error": {**told, "details": list(details)} if details else told}


def router(code: int, message: str, **metadata: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "metadata": metadata}, "user_id": "u"}


def vllm(code: int, message: str, type: str) -> dict[str, Any]:
    return {"object": "error", "message": message, "type": type, "code": code}


def coded(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": "x"}}


def detailed(code: str) -> dict[str, Any]:
    """Anthropic's newer way: the type says little, the details say what."""
    told = {"type": "rate_limit_error", "message": "x", "details": {"error_code": code}}
    return {"type": "error", "error": told}


def too_large(of: str, limit: int, requested: int) -> dict[str, Any]:
    message = f"Too many {of} per min: Limit {limit}, Requested {requested}."
    return plain(message, "rate_limit_exceeded", of)


LENGTH, LIMITED = Cause.CONTEXT_LENGTH, Cause.RATE_LIMITED
# An aggregator's copy of what the upstream said.
ABROAD = '{"error": {"message": "x", "code": "unsupported_country_region_territory"}}'
ROWS: tuple[tuple[str, int, Any, Cause], ...] = (
    ("deepseek", 422, plain("x", type="invalid_request_error"), Cause.REQUEST_REFUSED),
    ("deepseek", 429, plain("Rate limit"), Cause.RATE_LIMITED),
    ("deepseek", 400, plain("The reasoning_content must be passed back."), Cause.REQUEST_REFUSED),
    ("openai", 404, plain("The model `x` does not exist"), Cause.MODEL_ACCESS),
    ("openai", 400, plain("Unsupported parameter: 'max_tokens'"), Cause.REQUEST_REFUSED),
    ("anthropic", 402, anthropic("billing_error"), Cause.QUOTA),
    ("anthropic", 403, anthropic("permission_error"), Cause.MODEL_ACCESS),
    ("anthropic", 404, anthropic("not_found_error", "model: claude-x"), Cause.MODEL_ACCESS),
    ("anthropic", 413, anthropic("request_too_large"), Cause.CONTEXT_LENGTH),
    ("anthropic", 500, anthropic("api_error"), Cause.SERVER_ERROR),
    ("anthropic", 504, anthropic("timeout_error"), Cause.SERVER_ERROR),
    ("gemini", 403, google(403, "PERMISSION_DENIED"), Cause.CREDENTIAL),
    ("gemini", 503, [google(503, "UNAVAILABLE")], Cause.OVERLOADED),
    ("gemini", 504, google(504, "DEADLINE_EXCEEDED"), Cause.SERVER_ERROR),
    ("gemini", 400, google(400, "x", "The input token count exceeds"), Cause.CONTEXT_LENGTH),
    (
        "mistral",
        422,
        {"object": "error", "message": {"detail": [{"type": "missing", "msg": "Field required"}]}},
        Cause.REQUEST_REFUSED,
    ),
    (
        "mistral",
        429,
        {
            "object": "error",
            "message": "Requests rate limit exceeded",
            "type": "rate_limited",
            "code": "1300",
        },
        Cause.RATE_LIMITED,
    ),
    ("openrouter", 402, router(402, "x"), Cause.QUOTA),
    ("openrouter", 402, router(402, "x", reason="in_flight_budget_exhausted"), Cause.RATE_LIMITED),
    ("openrouter", 402, router(402, "x", reason="weight_exceeds_budget"), Cause.QUOTA),
    ("openrouter", 403, router(403, "your input was flagged for x"), Cause.CONTENT_FILTER),
    ("openrouter", 408, router(408, "timed out"), Cause.SERVER_ERROR),
    ("openrouter", 502, router(502, "Provider returned error", raw="x"), Cause.SERVER_ERROR),
    ("openrouter", 503, router(503, "No available model provider"), Cause.OVERLOADED),
    ("groq", 400, plain("Failed to call", "tool_use_failed"), Cause.REQUEST_REFUSED),
    ("groq", 413, plain("Request too large", "rate_limit_exceeded"), Cause.CONTEXT_LENGTH),
    ("groq", 498, plain("x"), Cause.OVERLOADED),
    ("xai", 429, {"code": "exhausted", "error": "Too many requests"}, Cause.RATE_LIMITED),
    (
        "xai",
        403,
        {"code": "x", "error": "used all available credits or reached its monthly spending limit."},
        Cause.QUOTA,
    ),
    ("xai", 404, {"code": "x", "error": "The model grok-x does not exist"}, Cause.MODEL_ACCESS),
    (
        "vllm",
        400,
        vllm(400, "maximum context length is 8", "BadRequestError"),
        Cause.CONTEXT_LENGTH,
    ),
    ("vllm", 404, vllm(404, "The model `x` does not exist.", "NotFoundError"), Cause.MODEL_ACCESS),
    ("llamacpp", 503, plain("Loading model", 503), Cause.OVERLOADED),
    (
        "llamacpp",
        400,
        plain("Assistant response prefill is incompatible with enable_thinking."),
        Cause.PREFIX_REFUSED,
    ),
    ("ollama", 404, {"error": "model 'x' not found"}, Cause.MODEL_ACCESS),
    ("ollama", 400, {"error": '"x" does not support thinking'}, Cause.REQUEST_REFUSED),
    ("ollama", 503, {"error": "server busy"}, Cause.OVERLOADED),
    (
        "portkey",
        446,
        plain("The guardrail checks failed.", type="hooks_failed"),
        Cause.CONTENT_FILTER,
    ),
    (
        "portkey",
        408,
        plain("Request exceeded the timeout", type="timeout_error"),
        Cause.SERVER_ERROR,
    ),
    ("litellm", 400, plain("litellm.ContextWindowExceededError: x", "400"), Cause.CONTEXT_LENGTH),
    ("litellm", 400, plain("Budget has been exceeded!", "400", "budget_exceeded"), Cause.QUOTA),
    (
        "litellm",
        401,
        plain("Invalid proxy server token passed", "401", "auth_error"),
        Cause.CREDENTIAL,
    ),
    ("zai", 429, plain("Insufficient balance", "1113"), Cause.QUOTA),
    ("zai", 429, plain("High concurrency usage of this API", "1302"), Cause.RATE_LIMITED),
    ("zai", 429, plain("余额不足", "1113"), Cause.QUOTA),
    ("zai", 400, plain("The prompt exceeds the max length", "1261"), Cause.CONTEXT_LENGTH),
    ("openai", 429, too_large("tokens", 30_000, 35_364), Cause.CONTEXT_LENGTH),
    ("openai", 429, too_large("tokens", 30_000, 2_000), Cause.RATE_LIMITED),
    ("openai", 400, plain("Your organization must be verified to x", "y"), Cause.MODEL_ACCESS),
    ("anthropic", 400, anthropic("x", "input and max_tokens exceed context limit"), LENGTH),
    ("anthropic", 400, anthropic("x", "This organization has been disabled."), Cause.CREDENTIAL),
    ("anthropic", 429, detailed("enforced_spend_limit_reached"), Cause.QUOTA),
    ("anthropic", 429, detailed("ramp_limit_exceeded"), Cause.RATE_LIMITED),
    ("anthropic", 400, detailed("organization_on_hold"), Cause.CREDENTIAL),
    ("openai", 400, plain("x", "invalid_prompt"), Cause.CONTENT_FILTER),
    ("moonshot", 429, plain("x", type="engine_overloaded_error"), Cause.OVERLOADED),
    ("gemini", 429, google(429, "x", "Your prepayment credits are depleted."), Cause.QUOTA),
    ("gemini-interactions", 401, coded("authentication"), Cause.CREDENTIAL),
    ("gemini-interactions", 429, coded("quota_exceeded"), Cause.QUOTA),
    ("gemini-interactions", 429, coded("too_many_requests"), Cause.RATE_LIMITED),
    ("gemini-interactions", 400, coded("prohibited_content"), Cause.CONTENT_FILTER),
    ("gemini-interactions", 400, coded("content_blocked"), Cause.CONTENT_FILTER),
    ("xai", 403, {"code": "x", "error": "Your team doesn't have any credits yet"}, Cause.QUOTA),
    ("xai", 400, {"code": "x", "error": "This model's maximum prompt length is 8"}, LENGTH),
    ("alibaba", 403, plain("x", "AllocationQuota.FreeTierOnly"), Cause.QUOTA),
    ("alibaba", 403, plain("x", "Model.AccessDenied"), Cause.MODEL_ACCESS),
    ("alibaba", 400, plain("Range of input length should be [1, 8]", "x"), LENGTH),
    ("huggingface", 400, plain("x", "model_not_supported"), Cause.MODEL_ACCESS),
    ("huggingface", 422, {"error": "`inputs` + `max_new_tokens` must be <= 8"}, LENGTH),
    ("together", 400, plain("x", "model_not_available"), Cause.MODEL_ACCESS),
    ("fireworks", 412, plain("suspended: monthly spending limit"), Cause.QUOTA),
    ("moonshot", 400, plain("Your request exceeded model token limit: 8192"), LENGTH),
    ("moonshot", 404, plain("Not found the model kimi-x"), Cause.MODEL_ACCESS),
    ("azure", 400, plain("x", "unavailable_model"), Cause.MODEL_ACCESS),
    ("ollama", 403, {"error": "this model requires a subscription"}, Cause.MODEL_ACCESS),
    ("litellm", 401, plain("x", "401", "key_model_access_denied"), Cause.MODEL_ACCESS),
    ("litellm", 400, plain("litellm.ContentPolicyViolationError: x", "400"), Cause.CONTENT_FILTER),
    ("portkey", 412, plain("Usage limit exceeded"), Cause.QUOTA),
    ("openrouter", 402, router(402, "x", limit_source="openrouter_in_flight_budget"), LIMITED),
    ("openrouter", 403, router(403, "x", limit_source="openrouter_key_limit"), Cause.QUOTA),
    ("openrouter", 404, router(404, "No allowed providers are available"), Cause.MODEL_ACCESS),
    ("openrouter", 403, router(403, "x", raw=ABROAD), Cause.REGION),
    ("openrouter", 400, router(400, "x", error_type="context_length_exceeded"), LENGTH),
)


@pytest.mark.parametrize(("provider", "status", "body", "cause"), ROWS)
@pytest.mark.parametrize("head", [b"", b"\n\n", b"\xef\xbb\xbf"], ids=["bare", "blank", "mark"])
def test_a_refusal_has_its_cause(
    provider: str, status: int, body: Any, cause: Cause, head: bytes
) -> None:
    raw = head + json.dumps(body).encode()
    extra = known(provider).quirks.error_causes
    assert errors.of_response(status, {}, raw, NOON_NS, extra).cause is cause


def test_a_delay_among_the_details_is_waited_for() -> None:
    body = json.dumps(google(429, "RESOURCE_EXHAUSTED", "x", {"retryDelay": "34.4s"})).encode()
    assert errors.of_response(429, {}, body, NOON_NS).retry_after_s == 34.4


@pytest.mark.parametrize("shown", ["header", "body"])
def test_a_window_may_end_at_a_moment_of_the_unix_clock(shown: str) -> None:
    end = str(NOON_NS // 1_000_000 + 90_000)
    window = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": end}
    quoted = window if shown == "body" else {}
    headers = {} if quoted else {name.lower(): value for name, value in window.items()}
    body = json.dumps(router(429, "free-models-per-day", headers=quoted)).encode()
    assert errors.of_response(429, headers, body, NOON_NS).retry_after_s == 90.0
