"""The errors that providers answer with, in the words of each dialect.

Types, codes and messages follow the reference pages "wire formats" (sections 2 to 9) and "limits"
(1.4); the recorded ones are given as recorded.
"""

from __future__ import annotations

import msgspec

Pair = tuple[str, str | None]


class ErrorKind(msgspec.Struct, frozen=True):
    """One kind of error: its usual status, and (type, code) or type in each dialect."""

    status: int
    message: str
    openai: Pair
    deepseek: Pair
    anthropic: str
    google: str


_INVALID = "invalid_request_error"
_DS_AUTH: Pair = ("authentication_error", _INVALID)
_DS: Pair = (_INVALID, _INVALID)
_DS_UNKNOWN: Pair = ("unknown_error", _INVALID)

KINDS: dict[str, ErrorKind] = {
    "invalid": ErrorKind(
        400,
        "The request body could not be understood.",
        (_INVALID, None),
        _DS,
        _INVALID,
        "INVALID_ARGUMENT",
    ),
    "unauthorized": ErrorKind(
        401,
        "Authentication fails: your api key is invalid",
        (_INVALID, "invalid_api_key"),
        _DS_AUTH,
        "authentication_error",
        "UNAUTHENTICATED",
    ),
    "balance": ErrorKind(
        402,
        "Insufficient Balance",
        ("insufficient_quota", "insufficient_quota"),
        _DS_UNKNOWN,
        "billing_error",
        "RESOURCE_EXHAUSTED",
    ),
    "forbidden": ErrorKind(
        403,
        "Your key may not use this model.",
        (_INVALID, "model_not_found"),
        ("permission_error", _INVALID),
        "permission_error",
        "PERMISSION_DENIED",
    ),
    "region": ErrorKind(
        403,
        "Country, region, or territory not supported",
        ("request_forbidden", "unsupported_country_region_territory"),
        ("request_forbidden", "unsupported_country_region_territory"),
        "permission_error",
        "FAILED_PRECONDITION",
    ),
    "no_model": ErrorKind(
        404,
        "The model does not exist or you do not have access to it.",
        (_INVALID, "model_not_found"),
        _DS,
        "not_found_error",
        "NOT_FOUND",
    ),
    "gone": ErrorKind(
        410,
        "The model has been decommissioned and is no longer supported.",
        (_INVALID, "model_decommissioned"),
        _DS,
        "not_found_error",
        "NOT_FOUND",
    ),
    "timeout": ErrorKind(
        408, "Request timeout", ("timeout", None), _DS_UNKNOWN, "timeout_error", "DEADLINE_EXCEEDED"
    ),
    "conflict": ErrorKind(
        409, "Conflict, try again", ("conflict", None), _DS, "api_error", "ABORTED"
    ),
    "too_large": ErrorKind(
        413,
        "Request exceeds the maximum size",
        (_INVALID, "request_too_large"),
        _DS,
        "request_too_large",
        "INVALID_ARGUMENT",
    ),
    "unprocessable": ErrorKind(
        422, "Invalid parameters", (_INVALID, None), _DS, _INVALID, "INVALID_ARGUMENT"
    ),
    "context": ErrorKind(
        400,
        "This model's maximum context length is 131072 tokens. However, your messages resulted in "
        "140004 tokens. Please reduce the length of the messages.",
        (_INVALID, "context_length_exceeded"),
        _DS,
        _INVALID,
        "INVALID_ARGUMENT",
    ),
    "policy": ErrorKind(
        400,
        "Your request was rejected as a result of our safety system: content policy violation.",
        (_INVALID, "content_policy_violation"),
        (_INVALID, "content_policy_violation"),
        _INVALID,
        "INVALID_ARGUMENT",
    ),
    "prefill": ErrorKind(
        400,
        "This model does not support assistant message prefill. The conversation must end with a "
        "user message.",
        (_INVALID, None),
        _DS,
        _INVALID,
        "INVALID_ARGUMENT",
    ),
    "history": ErrorKind(
        400,
        "The reasoning_content in the thinking mode must be passed back to the API.",
        (_INVALID, None),
        _DS,
        _INVALID,
        "INVALID_ARGUMENT",
    ),
    "rate": ErrorKind(
        429,
        "Rate limit reached. Please slow down.",
        ("requests", "rate_limit_exceeded"),
        ("rate_limit_reached_error", "rate_limit_reached_error"),
        "rate_limit_error",
        "RESOURCE_EXHAUSTED",
    ),
    "quota": ErrorKind(
        429,
        "You exceeded your current quota, please check your plan and billing details.",
        ("insufficient_quota", "insufficient_quota"),
        ("insufficient_quota", "insufficient_quota"),
        "rate_limit_error",
        "RESOURCE_EXHAUSTED",
    ),
    "server": ErrorKind(
        500,
        "The server had an error while processing your request.",
        ("server_error", None),
        ("server_error", None),
        "api_error",
        "INTERNAL",
    ),
    "unavailable": ErrorKind(
        503,
        "The server is overloaded, try again later.",
        ("server_error", None),
        ("service_unavailable_error", "service_unavailable_error"),
        "overloaded_error",
        "UNAVAILABLE",
    ),
    "overloaded": ErrorKind(
        529,
        "Overloaded",
        ("server_error", "overloaded"),
        ("service_unavailable_error", "service_unavailable_error"),
        "overloaded_error",
        "UNAVAILABLE",
    ),
}

# What a bare status means, where a fault names no kind.
BY_STATUS: dict[int, str] = {
    400: "invalid",
    401: "unauthorized",
    402: "balance",
    403: "forbidden",
    404: "no_model",
    408: "timeout",
    409: "conflict",
    410: "gone",
    413: "too_large",
    422: "unprocessable",
    429: "rate",
    500: "server",
    503: "unavailable",
    529: "overloaded",
}


def kind_for(status: int) -> str:
    """The kind of error that a bare status stands for: "server" or "invalid" if nothing better."""
    return BY_STATUS.get(status, "server" if status >= 500 else "invalid")
