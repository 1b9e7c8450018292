"""Usage of the chat dialect in the normal form: input with cache, output with reasoning."""

from __future__ import annotations

from typing import Any

from sidecar.core.usage import Usage
from sidecar.providers import loose
from sidecar.providers.numbers import count, known_count, nano_usd, ticks_nano_usd


def usage_of(told: dict[str, Any], outside: bool = False) -> tuple[Usage, bool]:
    """Normalise a `usage` object; tell also whether it itemised reasoning.

    Whether reasoning is inside the output count is told by the total, not by the provider's name:
    output is whatever the total holds beyond the input (xAI and Gemini's compatible door report
    less). `outside` True: reasoning larger than the output lies beside it although the total
    forgot it (Vercel, Perplexity); otherwise such a count is a slip, and the output its floor.
    """
    details_in = loose.record(told.get("prompt_tokens_details"))
    details_out = loose.record(told.get("completion_tokens_details"))
    input_tokens = count(told.get("prompt_tokens"))
    reported = count(told.get("completion_tokens"))
    output = max(reported, count(told.get("total_tokens")) - input_tokens)
    reasoning = known_count(details_out.get("reasoning_tokens"))
    if reasoning is None:
        reasoning = known_count(told.get("reasoning_tokens"))
    itemised = reasoning is not None or output > reported
    if reasoning is None:
        reasoning = output - reported
    if reasoning > output:
        output = output + reasoning if outside else reasoning
    cached = _first(details_in, told, "cached_tokens", "prompt_cache_hit_tokens")
    written = _first(details_in, told, "cache_write_tokens", "cache_creation_input_tokens")
    return Usage(
        input_tokens=input_tokens,
        cached_input_tokens=min(cached, input_tokens),
        cache_write_tokens=min(written, max(input_tokens - cached, 0)),
        output_tokens=output,
        reasoning_tokens=reasoning,
    ), itemised


def cost_of(told: dict[str, Any]) -> int | None:
    """What the provider says it charged, in nano-USD; None if it says nothing."""
    if "cost_in_usd_ticks" in told:
        return ticks_nano_usd(told["cost_in_usd_ticks"])
    cost = told.get("cost")
    if isinstance(cost, dict):
        return nano_usd(cost.get("total_cost"))
    own = nano_usd(cost)
    if own is not None and told.get("is_byok") is True:
        # OpenRouter with the caller's own key: its fee, and beside it what the upstream charged.
        upstream = nano_usd(loose.record(told.get("cost_details")).get("upstream_inference_cost"))
        return own + (upstream or 0)
    return own


def _first(details: dict[str, Any], told: dict[str, Any], *names: str) -> int:
    for name in names:
        for place in (details, told):
            value = known_count(place.get(name))
            if value is not None:
                return value
    return 0
