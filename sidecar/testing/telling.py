"""How providers tell about their limits: headers on every answer, and the words of a 429.

Reference: "limits", section 1.4; "wire formats", sections 3 and 4.
"""

from __future__ import annotations

import datetime
import math

from sidecar.testing.asked import Asked
from sidecar.testing.dialects.base import Refusal
from sidecar.testing.quotas import Level, Refused
from sidecar.testing.refusals import KINDS

Headers = tuple[tuple[str, str], ...]

# Which way a flavour of chat tells; the other dialects have one of their own.
_SILENT = {"deepseek", "gemini", "ollama", "mistral"}
_SHORT = {
    "requests": "requests per min (RPM)",
    "tokens": "tokens per min (TPM)",
    "input_tokens": "input tokens per min (ITPM)",
    "output_tokens": "output tokens per min (OTPM)",
}

# The header in which a provider gives its own id of a call, by flavour (reference "wire formats").
TRACES = {
    "deepseek": "x-ds-trace-id",
    "openai": "x-request-id",
    "openrouter": "x-generation-id",
    "mistral": "mistral-correlation-id",
    "groq": "x-request-id",
    "xai": "x-request-id",
    "anthropic": "request-id",
}


def trace(asked: Asked, number: int) -> Headers:
    """The provider's own id of call `number`, where it gives one."""
    name = TRACES.get(asked.flavour)
    return ((name, f"fake-{number:08d}"),) if name else ()


def headers(levels: list[Level], asked: Asked, account: str, wall_ns: int) -> Headers:
    """What an answer that was let in tells: owner, limit, what remains, and until when."""
    told = [level for level in levels if level.quota.tells and level.quota.kind != "concurrency"]
    if asked.flavour in _SILENT:
        return ()
    if asked.dialect == "anthropic":
        owner: Headers = (("anthropic-organization-id", account),)
        return sum((_anthropic(level, wall_ns) for level in told), owner)
    return sum((_openai(level) for level in told), (("openai-organization", account),))


def refusal(refused: Refused, asked: Asked, account: str) -> Refusal:
    """The 429 of a limit: with numbers and times, as far as the provider tells any."""
    wait = refused.wait_s if math.isfinite(refused.wait_s) else None
    if refused.quota.kind == "concurrency":
        return Refusal(429, "rate", _concurrency(refused))
    if not refused.quota.tells or asked.flavour in _SILENT - {"gemini"}:
        return Refusal(429, "rate", KINDS["rate"].message)
    return Refusal(429, "rate", _words(refused, asked, account), _waits(wait, asked), wait)


def go_duration(seconds: float) -> str:
    """A duration as Go prints it: 12ms, 1.5s, 6m0s."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}m{rest:.3g}s" if minutes else f"{rest:.4g}s"


def _concurrency(refused: Refused) -> str:
    return (
        f"Your current concurrency is {refused.used + 1}, which exceeds your concurrency limit "
        f"of {refused.amount} based on your remaining balance"
    )


def _words(refused: Refused, asked: Asked, account: str) -> str:
    again = f" Please try again in {refused.wait_s:.4g}s." if math.isfinite(refused.wait_s) else ""
    return (
        f"Rate limit reached for {asked.model} in organization {account} on "
        f"{_SHORT[refused.quota.dimension]}: Limit {refused.amount}, Used {refused.used}, "
        f"Requested {refused.asked}.{again}"
    )


def _waits(wait_s: float | None, asked: Asked) -> Headers:
    if wait_s is None or asked.flavour == "gemini":
        return ()
    seconds: Headers = (("retry-after", str(math.ceil(wait_s))),)
    if asked.dialect == "anthropic":
        return seconds
    return (*seconds, ("retry-after-ms", str(math.ceil(wait_s * 1000))))


def _openai(level: Level) -> Headers:
    unit = "requests" if level.quota.dimension == "requests" else "tokens"
    return (
        (f"x-ratelimit-limit-{unit}", str(level.amount)),
        (f"x-ratelimit-remaining-{unit}", str(level.remaining)),
        (f"x-ratelimit-reset-{unit}", go_duration(level.reset_s)),
    )


def _anthropic(level: Level, wall_ns: int) -> Headers:
    name = f"anthropic-ratelimit-{level.quota.dimension.replace('_', '-')}"
    reset = datetime.datetime.fromtimestamp(wall_ns / 1e9 + level.reset_s, datetime.UTC)
    return (
        (f"{name}-limit", str(level.amount)),
        (f"{name}-remaining", str(level.remaining)),
        (f"{name}-reset", reset.strftime("%Y-%m-%dT%H:%M:%SZ")),
    )
