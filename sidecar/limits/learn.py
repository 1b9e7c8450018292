"""What providers say about their limits, in headers and in the bodies of refusals. Pure.

One table of header shapes and one of body shapes; nothing here knows a provider by name. Header
names may come in any case. Bodies are read as text, so that one that is cut or not JSON still
tells what it tells.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

import msgspec

from sidecar.limits.bucket import Bucket, Dimension
from sidecar.limits.spans import clock_s, span_s
from sidecar.limits.store import Observation

SECONDS = {"second": 1.0, "sec": 1.0, "minute": 60.0, "min": 60.0, "hour": 3600.0, "day": 86400.0}
UNITS = {
    "requests": Dimension.REQUESTS,
    "request": Dimension.REQUESTS,
    "req": Dimension.REQUESTS,
    "tokens": Dimension.TOKENS,
    "token": Dimension.TOKENS,
    "input-tokens": Dimension.INPUT_TOKENS,
    "input tokens": Dimension.INPUT_TOKENS,
    "output-tokens": Dimension.OUTPUT_TOKENS,
    "output tokens": Dimension.OUTPUT_TOKENS,
}
_UNIT = "(?P<unit>input-tokens|output-tokens|tokens|requests|req)"
_FIELD = "(?P<field>limit|remaining|reset)"
HEADERS = (
    # OpenAI, Azure, Groq: x-ratelimit-limit-requests; Cerebras, Mistral: ...-tokens-minute
    re.compile(f"x-ratelimit-{_FIELD}-{_UNIT}(?:-(?P<per>second|minute|hour|day))?"),
    # Anthropic: anthropic-ratelimit-input-tokens-remaining
    re.compile(f"anthropic-ratelimit-{_UNIT}-{_FIELD}(?P<per>)"),
)
OWNERS = ("openai-organization", "anthropic-organization-id")
"""Response headers that name who owns a key's quota; two keys with one owner share buckets."""

_WORDS = r"(?P<unit>input tokens|output tokens|tokens|requests)"
BODIES = (
    # OpenAI, Groq: "on tokens per min (TPM): Limit 10000, Used 9500, Requested 1200."
    re.compile(
        rf"{_WORDS} per (?P<per>second|sec|minute|min|hour|day)\b[^:]*: Limit:? (?P<limit>\d+)"
        r"(?:, Used:? (?P<used>\d+))?(?:, Requested:? (?P<requested>\d+))?",
        re.IGNORECASE,
    ),
    # DeepSeek, whose limit follows the balance
    re.compile(
        r"current (?P<unit>concurrency) is (?P<used>\d+), which exceeds your concurrency limit "
        r"of (?P<limit>\d+)(?P<per>)(?P<requested>)",
        re.IGNORECASE,
    ),
)
WAITS = (
    # google.rpc.RetryInfo inside a JSON error
    re.compile(r'"retryDelay"\s*:\s*"(?P<span>[0-9.]+s)"'),
    # OpenAI, Groq: "Please try again in 6m0s"; Gemini: "Please retry in 22.8s"
    re.compile(r"\b(?:try again|retry) in (?P<span>(?:[0-9.]+(?:ms|us|h|m|s))+)\b", re.IGNORECASE),
    # Azure: "Please retry after 7 seconds"
    re.compile(
        r"\b(?:try again|retry) (?:in|after) (?P<span>[0-9.]+) (?P<unit>seconds?|minutes?|hours?)",
        re.IGNORECASE,
    ),
)
MISFIT = 3.0
"""A window that reset and remaining imply may be off by this factor (rounding) and still fit."""


class Told(msgspec.Struct, frozen=True):
    """What was said about one dimension. `per_s` None: no window was named. `reset_s`: until it
    is full again."""

    dimension: Dimension
    limit: int | None = None
    remaining: int | None = None
    used: int | None = None
    requested: int | None = None
    reset_s: float | None = None
    per_s: float | None = None


def retry_after_s(headers: Mapping[str, str], body_text: str, wall_ns: int) -> float | None:
    """The longest wait that headers or body name, in seconds from now; None if none does.

    Every form counts: retry-after-ms; retry-after as integer, float or HTTP date; RetryInfo; "try
    again in". Dates in the past are 0.
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    waits = [_milliseconds(lower.get("retry-after-ms")), _after(lower.get("retry-after"), wall_ns)]
    waits += [_body_wait(match) for pattern in WAITS for match in pattern.finditer(body_text)]
    return max((wait for wait in waits if wait is not None), default=None)


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """`x-should-retry`, which outranks the status code; None if absent."""
    lower = {name.lower(): value.strip().lower() for name, value in headers.items()}
    return {"true": True, "false": False}.get(lower.get("x-should-retry", ""))


def owner(headers: Mapping[str, str]) -> str:
    """The organisation that the provider says a key belongs to, "" if it does not say."""
    lower = {name.lower(): value for name, value in headers.items()}
    return next((lower[name] for name in OWNERS if lower.get(name)), "")


def read(headers: Mapping[str, str], body_text: str, wall_ns: int) -> tuple[Told, ...]:
    """Everything said about limits, one `Told` per dimension and window; the body wins."""
    found: dict[tuple[Dimension, float | None], dict[str, float]] = {}
    for name, value in headers.items():
        _read_header(name.lower(), value.strip(), wall_ns, found)
    told = {
        at: Told(at[0], _whole(values, "limit"), _whole(values, "remaining"),
                 reset_s=values.get("reset"), per_s=at[1])
        for at, values in found.items()
    }  # fmt: skip
    for pattern in BODIES:
        for match in pattern.finditer(body_text):
            one = _read_body(match)
            told.pop((one.dimension, None), None)
            told[(one.dimension, one.per_s)] = one
    return tuple(told.values())


def window_s(told: Told) -> float | None:
    """The window that limit, remaining and reset imply; None where they imply nothing.

    Groq's unnamed request limit is per day, OpenAI's per minute: only the reset tells them apart.
    """
    if told.per_s is not None:
        return told.per_s
    if told.limit is None or told.remaining is None or not told.reset_s:
        return None
    used = told.limit - told.remaining
    return told.limit * told.reset_s / used if used > 0 else None


def observations(
    told: Iterable[Told],
    buckets: Iterable[Bucket],
    *,
    refused: bool = False,
    wait_s: float | None = None,
    sent_ago_s: float = 0.0,
) -> tuple[tuple[str, Observation], ...]:
    """Which bucket has to hear what. `refused`: this came with a 429.

    A refusal tightens the buckets it names; one that names none cuts the concurrency (nothing
    else is known) and empties the requests. 529 and 503 are not refusals: they concern everybody
    and belong to the breaker, never to a bucket.
    """
    said, known = tuple(told), tuple(buckets)
    named = {one.dimension for one in said if _empty(one)}
    unnamed = {Dimension.CONCURRENCY, Dimension.REQUESTS}
    guilty = (named or unnamed) if refused else set()
    found = []
    for bucket in known:
        fits = [one for one in said if one.dimension is bucket.dimension and _fits(one, bucket)]
        one = fits[0] if fits else None
        blamed = bucket.dimension in guilty
        if one is not None or blamed:
            found.append((bucket.id, _observation(one, blamed, wait_s, sent_ago_s)))
    return tuple(found)


def _observation(
    told: Told | None, blamed: bool, wait_s: float | None, sent_ago_s: float
) -> Observation:
    wait = (wait_s or 0.0) if blamed else 0.0
    if told is None:
        return Observation(refused=blamed, wait_s=wait, sent_ago_s=sent_ago_s)
    if told.requested is not None and told.limit is not None and told.requested > told.limit:
        return Observation(told.limit)  # it could never fit: that says nothing about the level
    return Observation(
        told.limit, told.remaining, told.used, None, wait, refused=blamed, sent_ago_s=sent_ago_s
    )


def _empty(told: Told) -> bool:
    """Does this explain a refusal?"""
    if told.used is not None or told.requested is not None:
        return True
    return told.remaining == 0


def _fits(told: Told, bucket: Bucket) -> bool:
    if bucket.dimension is Dimension.CONCURRENCY:
        return True
    window = window_s(told)
    return window is None or 1 / MISFIT <= window / bucket.per_s <= MISFIT


def _read_header(
    name: str,
    value: str,
    wall_ns: int,
    found: dict[tuple[Dimension, float | None], dict[str, float]],
) -> None:
    match = next((hit for hit in (shape.fullmatch(name) for shape in HEADERS) if hit), None)
    if match is None:
        return
    number = clock_s(value, wall_ns) if match["field"] == "reset" else _number(value)
    if number is not None:
        at = (UNITS[match["unit"]], SECONDS.get(match["per"] or ""))
        found.setdefault(at, {})[match["field"]] = number


def _read_body(match: re.Match[str]) -> Told:
    numbers = {field: _number(match[field]) for field in ("limit", "used", "requested")}
    whole = {field: None if value is None else int(value) for field, value in numbers.items()}
    dimension = UNITS.get(match["unit"].lower(), Dimension.CONCURRENCY)
    per_s = SECONDS.get((match["per"] or "").lower())
    return Told(dimension, whole["limit"], None, whole["used"], whole["requested"], per_s=per_s)


def _body_wait(match: re.Match[str]) -> float | None:
    unit = match.groupdict().get("unit")
    if unit is None:
        return span_s(match["span"])
    number = _number(match["span"])
    return None if number is None else number * SECONDS[unit.lower().rstrip("s")]


def _milliseconds(value: str | None) -> float | None:
    number = None if value is None else _number(value)
    return None if number is None else number / 1000.0


def _after(value: str | None, wall_ns: int) -> float | None:
    if value is None:
        return None
    number = _number(value)
    if number is not None:
        return number
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return span_s(value)
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(aware.timestamp() - wall_ns / 1e9, 0.0)


def _number(value: str | None) -> float | None:
    """A plain number without sign; anything else is None (not NaN, not infinity)."""
    if value is None or not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{0,15})?", value):
        return None
    return float(value)


def _whole(values: Mapping[str, float], field: str) -> int | None:
    value = values.get(field)
    return None if value is None else int(value)
