"""The well-known providers behind a dialect of their own: data, nothing else.

Facts and their sources: the reference on wire formats, sections 2 to 5, 9 and 10. A second door of
a provider that has one already names no `key_env`: one key in the environment is one provider.
"""

from __future__ import annotations

from typing import Any

from sidecar.providers.profiles import (
    ModelProfile,
    PrefixStyle,
    ProviderProfile,
    Quirks,
    Timeouts,
)

MESSAGES = "anthropic"
RESPONSES = "openai-responses"


def _adaptive(effort: str) -> dict[str, Any]:
    """Thinking as the model sees fit. The summary is asked for: some models omit it by default."""
    return {
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": effort},
    }


def _budget(tokens: int) -> dict[str, Any]:
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}}


# Thinking is off unless asked for, and newer models refuse the word "disabled": NONE says nothing.
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
# Temperature must be 1 and no tool may be forced while thinking.
_THINKING_DROPS = ("temperature", "top_p", "seed", "presence_penalty", "frequency_penalty")
_NEVER = ("seed", "presence_penalty", "frequency_penalty")
_BUDGETED: dict[str, Any] = {
    "efforts": _BUDGETS,
    "budget_path": "thinking.budget_tokens",
    "budget_body": {"thinking": {"type": "enabled"}},
}
# From Opus 4.7 on sampling options are refused altogether.
_NO_SAMPLING: dict[str, Any] = {"drop": (*_NEVER, "temperature", "top_p")}


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
    ("claude-opus-4-6*", _claude(200_000, 128_000)),
    ("claude-*-4-6*", _claude(200_000, 64_000)),
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
        forced_tools="plain",
        drop=_NEVER,
        drop_thinking=_THINKING_DROPS,
    ),
    models=_CLAUDE_MODELS,
    # What comes after 4.6 is taken to be like the latest known.
    default_model=_claude(200_000, 128_000, **_NO_SAMPLING),
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


def _effort(word: str) -> dict[str, Any]:
    return {"reasoning": {"effort": word}}


_RESPONSES_EFFORTS = {
    "none": _effort("none"),
    "low": _effort("low"),
    "medium": _effort("medium"),
    "high": _effort("high"),
    "max": _effort("xhigh"),
}
_RESPONSES_DROPS = ("seed", "presence_penalty", "frequency_penalty")
_RESPONSES_REASONING: dict[str, Any] = {
    "thinks_by_default": True,
    "efforts": _RESPONSES_EFFORTS,
    "drop": (*_RESPONSES_DROPS, "temperature", "top_p"),
    "system_role": "developer",
}


def _openai(**efforts: dict[str, Any]) -> ModelProfile:
    quirks = {**_RESPONSES_REASONING, "efforts": {**_RESPONSES_EFFORTS, **efforts}}
    return ModelProfile(
        reasoning=True, context_tokens=400_000, max_output_tokens=128_000, quirks=quirks
    )


OPENAI_RESPONSES = ProviderProfile(
    name="openai-responses",
    dialect=RESPONSES,
    base_url="https://api.openai.com/v1",
    telemetry_name="openai",
    trace_header="x-request-id",
    quirks=Quirks(drop=_RESPONSES_DROPS),
    models=(
        ("gpt-5*-chat*", ModelProfile(context_tokens=128_000, max_output_tokens=16_384)),
        ("gpt-5.[2-9]*", _openai()),
        ("gpt-5.*", _openai(max=_effort("high"))),
        ("gpt-5*", _openai(none=_effort("minimal"), max=_effort("high"))),
        ("o[0-9]*", _openai(none=_effort("low"), max=_effort("high"))),
        ("gpt-4.1*", ModelProfile(context_tokens=1_047_576, max_output_tokens=32_768)),
        ("gpt-4o*", ModelProfile(context_tokens=128_000, max_output_tokens=16_384)),
    ),
)
XAI_RESPONSES = ProviderProfile(
    name="xai-responses",
    dialect=RESPONSES,
    base_url="https://api.x.ai/v1",
    telemetry_name="x_ai",
    trace_header="x-request-id",
    quirks=Quirks(thinks_by_default=True, efforts=_RESPONSES_EFFORTS, drop=_RESPONSES_DROPS),
    models=(("grok-*-non-reasoning*", ModelProfile()),),
    default_model=ModelProfile(reasoning=True),
)
DEEPSEEK_RESPONSES = ProviderProfile(
    name="deepseek-responses",
    dialect=RESPONSES,
    base_url="https://api.deepseek.com",
    telemetry_name="deepseek",
    trace_header="x-ds-trace-id",
    timeouts=Timeouts(headers_s=60.0, first_event_s=600.0, total_s=1_800.0),
    quirks=Quirks(
        thinks_by_default=True,
        efforts={
            "none": _effort("none"),
            "low": _effort("low"),
            "medium": _effort("high"),
            "high": _effort("high"),
            "max": _effort("max"),
        },
        forced_tools="plain",
        replay="text",
        schema=False,
        drop=_RESPONSES_DROPS,
    ),
    default_model=ModelProfile(
        reasoning=True, context_tokens=1_000_000, max_output_tokens=384_000, images=False
    ),
)


def _thinking(**config: Any) -> dict[str, Any]:
    return {"generationConfig": {"thinkingConfig": config}}


# The 2.5 models count thoughts in tokens; what the efforts are worth is our choice.
_GEMINI_25: dict[str, Any] = {
    "efforts": {
        "none": _thinking(thinkingBudget=0),
        "low": _thinking(thinkingBudget=1_024),
        "medium": _thinking(thinkingBudget=4_096),
        "high": _thinking(thinkingBudget=16_384),
        "max": _thinking(thinkingBudget=24_576),
    },
    "budget_path": "generationConfig.thinkingConfig.thinkingBudget",
    "thinks_by_default": True,
}
# 2.5 Pro cannot be told not to think: 128 is its floor.
_GEMINI_25_PRO = {
    **_GEMINI_25,
    "efforts": {**_GEMINI_25["efforts"], "none": _thinking(thinkingBudget=128)},
}
# The SDK's enumeration is in capitals, and that is what it sends; small letters are documented too.
_GEMINI_3: dict[str, Any] = {
    "efforts": {
        "none": _thinking(thinkingLevel="LOW"),
        "low": _thinking(thinkingLevel="LOW"),
        "medium": _thinking(thinkingLevel="HIGH"),
        "high": _thinking(thinkingLevel="HIGH"),
        "max": _thinking(thinkingLevel="HIGH"),
    },
    "thinks_by_default": True,
    "signed_calls": True,
}
# Flash knows two levels more.
_GEMINI_3_FLASH = {
    **_GEMINI_3,
    "efforts": {
        **_GEMINI_3["efforts"],
        "none": _thinking(thinkingLevel="MINIMAL"),
        "medium": _thinking(thinkingLevel="MEDIUM"),
    },
}


def _gemini(quirks: dict[str, Any], reasoning: bool = True) -> ModelProfile:
    return ModelProfile(
        reasoning=reasoning,
        context_tokens=1_048_576,
        max_output_tokens=65_536 if reasoning else 8_192,
        quirks=quirks,
    )


GEMINI = ProviderProfile(
    name="gemini",
    dialect="gemini",
    base_url="https://generativelanguage.googleapis.com/v1beta",
    auth="x-goog-api-key",
    key_env="GEMINI_API_KEY",
    telemetry_name="gcp.gemini",
    models=(
        ("gemini-2.0*", _gemini({}, reasoning=False)),
        ("gemini-2.5-pro*", _gemini(_GEMINI_25_PRO)),
        ("gemini-2.5*", _gemini(_GEMINI_25)),
        ("gemini-3*flash*", _gemini(_GEMINI_3_FLASH)),
        ("gemini-3*", _gemini(_GEMINI_3)),
    ),
    # A trailing model turn as prefix is accepted by some models, it is said: not relied upon.
    default_model=_gemini(_GEMINI_3),
)
GEMINI_INTERACTIONS = ProviderProfile(
    name="gemini-interactions",
    dialect="gemini-interactions",
    base_url="https://generativelanguage.googleapis.com/v1beta",
    auth="x-goog-api-key",
    telemetry_name="gcp.gemini",
    headers=(("api-revision", "2026-05-20"),),
    quirks=Quirks(
        thinks_by_default=True,
        efforts={
            "none": {"generation_config": {"thinking_level": "minimal"}},
            "low": {"generation_config": {"thinking_level": "low"}},
            "medium": {"generation_config": {"thinking_level": "medium"}},
            "high": {"generation_config": {"thinking_level": "high"}},
            "max": {"generation_config": {"thinking_level": "high"}},
        },
        drop=("presence_penalty", "frequency_penalty"),
    ),
    default_model=_gemini({}),
)
OLLAMA = ProviderProfile(
    name="ollama",
    dialect="ollama",
    base_url="http://127.0.0.1:11434",
    telemetry_name="ollama",
    # A cold model is loaded before the first token.
    timeouts=Timeouts(headers_s=120.0, first_event_s=120.0),
    quirks=Quirks(
        thinks_by_default=True,
        efforts={
            "none": {"think": False},
            "low": {"think": True},
            "medium": {"think": True},
            "high": {"think": True},
            "max": {"think": True},
        },
        # Its templates put the thinking of a tool turn back where they find it.
        replay="text",
        # An answer that has begun is not thought about anew.
        prefix=PrefixStyle(body={"think": False}),
    ),
    models=(
        (
            "*gpt-oss*",
            ModelProfile(
                reasoning=True,
                resume="none",
                quirks={
                    "efforts": {
                        "low": {"think": "low"},
                        "medium": {"think": "medium"},
                        "high": {"think": "high"},
                        "max": {"think": "high"},
                    }
                },
            ),
        ),
    ),
    # An assistant turn that comes last is continued [not documented].
    default_model=ModelProfile(reasoning=True, resume="prefill"),
)
TYPED_EVENT = ProviderProfile(
    name="typed-event",
    dialect="typed-event",
    base_url="",
    telemetry_name="typed-event",
    # The article that describes it knows of two kinds of text, and of no tool calls.
    default_model=ModelProfile(tools=False),
)

NATIVE: tuple[ProviderProfile, ...] = (
    ANTHROPIC,
    DEEPSEEK_MESSAGES,
    OPENAI_RESPONSES,
    XAI_RESPONSES,
    DEEPSEEK_RESPONSES,
    GEMINI,
    GEMINI_INTERACTIONS,
    OLLAMA,
    TYPED_EVENT,
)
