"""Anthropic, and DeepSeek's door that speaks its dialect: data, nothing else.

Facts and their sources: the reference on wire formats, sections 2 and 4; of the models after 4.8,
Anthropic's own pages on each of them.
"""

from __future__ import annotations

from typing import Any

from sidecar.providers.profiles import ModelProfile, ProviderProfile, Quirks, Timeouts

MESSAGES = "anthropic"


def _adaptive(effort: str) -> dict[str, Any]:
    """Thinking as the model sees fit. The summary is asked for: some models omit it by default."""
    return {
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": effort},
    }


def _budget(tokens: int) -> dict[str, Any]:
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}}


# Up to 4.8 thinking is off unless asked for: NONE says nothing.
_ADAPTIVE: dict[str, dict[str, Any]] = {
    "none": {},
    "low": _adaptive("low"),
    "medium": _adaptive("medium"),
    "high": _adaptive("high"),
    "max": _adaptive("max"),
}
# What the efforts are worth in tokens is our choice; 1,024 is the provider's floor.
_BUDGETS: dict[str, dict[str, Any]] = {
    "none": {},
    "low": _budget(1_024),
    "medium": _budget(4_096),
    "high": _budget(16_384),
    "max": _budget(32_768),
}
# Temperature must be 1 while thinking.
_THINKING_DROPS = ("temperature", "top_p", "seed", "presence_penalty", "frequency_penalty")
_NEVER = ("seed", "presence_penalty", "frequency_penalty")
_BUDGETED: dict[str, Any] = {
    "efforts": _BUDGETS,
    "budget_path": "thinking.budget_tokens",
    "budget_body": {"thinking": {"type": "enabled"}},
    # Thinking to a budget, no tool may be forced; thinking as it sees fit, one may.
    "forced_tools": "plain",
}
# From Opus 4.7 on sampling options are refused altogether.
_NO_SAMPLING: dict[str, Any] = {"drop": (*_NEVER, "temperature", "top_p")}
# The fifth generation thinks unless told not to; how it is told, and whether it can be, differs.
_FIFTH: dict[str, Any] = {
    **_NO_SAMPLING,
    "thinks_by_default": True,
    "efforts": {**_ADAPTIVE, "none": {"thinking": {"type": "disabled"}}},
}
_BETWEEN_TOOLS = {
    **_FIFTH,
    "efforts": {**_ADAPTIVE, "none": {"thinking": {"type": "between_tools"}}},
}
_ALWAYS = {**_FIFTH, "efforts": {**_ADAPTIVE, "none": _adaptive("low")}}
_UNFORCED: dict[str, Any] = {"refuse": ("tool_choice",)}


def _claude(
    context: int,
    output: int,
    prefill: bool = False,
    reasoning: bool = True,
    **quirks: Any,
) -> ModelProfile:
    return ModelProfile(
        reasoning=reasoning,
        resume="prefill" if prefill else "none",
        context_tokens=context,
        max_output_tokens=output,
        quirks=quirks,
    )


# Prefill works up to 4.5; 4.6 and every later model refuse it.
_CLAUDE_MODELS = (
    ("claude-3-7-*", _claude(200_000, 64_000, True, schema=False, **_BUDGETED)),
    ("claude-3-haiku*", _claude(200_000, 4_096, True, reasoning=False, schema=False)),
    ("claude-3-*", _claude(200_000, 8_192, True, reasoning=False, schema=False)),
    ("claude-opus-4-[01]*", _claude(200_000, 32_000, True, schema=False, **_BUDGETED)),
    ("claude-opus-4-2025*", _claude(200_000, 32_000, True, schema=False, **_BUDGETED)),
    ("claude-sonnet-4-0*", _claude(200_000, 64_000, True, schema=False, **_BUDGETED)),
    ("claude-sonnet-4-2025*", _claude(200_000, 64_000, True, schema=False, **_BUDGETED)),
    ("claude-*-4-5*", _claude(200_000, 64_000, True, **_BUDGETED)),
    ("claude-*-4-6*", _claude(1_000_000, 128_000)),
    ("claude-*-4-*", _claude(1_000_000, 128_000, **_NO_SAMPLING)),
    ("claude-opus-5-5*", _claude(1_000_000, 128_000, **_ALWAYS, **_UNFORCED)),
    ("claude-fable-5-?", _claude(1_000_000, 128_000, **_ALWAYS, **_UNFORCED)),
    ("claude-mythos-5-?", _claude(1_000_000, 128_000, **_ALWAYS, **_UNFORCED)),
    ("claude-sonnet-5-5*", _claude(1_000_000, 128_000, **_BETWEEN_TOOLS, **_UNFORCED)),
    ("claude-opus-5*", _claude(1_000_000, 128_000, **_FIFTH)),
    ("claude-sonnet-5*", _claude(1_000_000, 128_000, **_FIFTH)),
    ("claude-haiku-5-5*", _claude(1_000_000, 128_000, **_FIFTH)),
)
ANTHROPIC = ProviderProfile(
    name="anthropic",
    dialect=MESSAGES,
    base_url="https://api.anthropic.com",
    auth="x-api-key",
    key_env="ANTHROPIC_API_KEY",
    telemetry_name="anthropic",
    trace_header="request-id",
    headers=(("anthropic-version", "2023-06-01"),),
    quirks=Quirks(
        efforts=_ADAPTIVE,
        drop=_NEVER,
        drop_thinking=_THINKING_DROPS,
    ),
    models=_CLAUDE_MODELS,
    # What is not known is told in the words that every model of the fifth generation takes.
    default_model=_claude(200_000, 128_000, **_ALWAYS),
)
DEEPSEEK_MESSAGES = ProviderProfile(
    name="deepseek-messages",
    dialect=MESSAGES,
    base_url="https://api.deepseek.com/anthropic",
    auth="x-api-key",
    telemetry_name="deepseek",
    trace_header="x-ds-trace-id",
    headers=(("anthropic-version", "2023-06-01"),),
    timeouts=Timeouts(headers_s=60.0, first_event_s=600.0, total_s=1_800.0),
    quirks=Quirks(
        thinks_by_default=True,
        # Budgets are ignored there; on and off is all there is.
        efforts={
            "none": {"thinking": {"type": "disabled"}},
            "low": {"thinking": {"type": "enabled"}},
            "medium": {"thinking": {"type": "enabled"}},
            "high": {"thinking": {"type": "enabled"}},
            "max": {"thinking": {"type": "enabled"}},
        },
        forced_tools="plain",
        replay="text",
        schema=False,
        drop=_NEVER,
        drop_thinking=_THINKING_DROPS,
    ),
    default_model=ModelProfile(
        reasoning=True, context_tokens=1_000_000, max_output_tokens=384_000, images=False
    ),
)
