"""The well-known providers behind a dialect of their own: data, nothing else.

Facts and their sources: the reference on wire formats, sections 2 to 5, 9 and 10. A second door of
a provider that has one already names no `key_env`: one key in the environment is one provider.
"""

from __future__ import annotations

from typing import Any

from sidecar.providers.builtin.messages import ANTHROPIC, DEEPSEEK_MESSAGES
from sidecar.providers.profiles import (
    ModelProfile,
    PrefixStyle,
    ProviderProfile,
    Quirks,
    Timeouts,
)

RESPONSES = "openai-responses"


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


def _openai(**efforts: str) -> ModelProfile:
    said = {name: _effort(word) for name, word in efforts.items()}
    quirks = {**_RESPONSES_REASONING, "efforts": {**_RESPONSES_EFFORTS, **said}}
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
        # These cannot be told not to think; the least they know differs.
        ("gpt-6-astra*", _openai(none="low", max="max")),
        ("gpt-6.1-sol*", _openai(none="low", max="max")),
        ("gpt-[6-9]*", _openai(max="max")),
        ("gpt-5.[6-9]*", _openai(max="max")),
        ("gpt-5.[2-5]-pro*", _openai(none="medium", low="medium")),
        ("gpt-5.[2-5]*", _openai()),
        ("gpt-5.*", _openai(max="high")),
        ("gpt-5-pro*", _openai(**dict.fromkeys(_RESPONSES_EFFORTS, "high"))),
        ("gpt-5*", _openai(none="minimal", max="high")),
        ("o[0-9]*", _openai(none="low", max="high")),
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
    quirks=Quirks(
        thinks_by_default=True,
        efforts={**_RESPONSES_EFFORTS, "max": _effort("high")},
        drop=_RESPONSES_DROPS,
    ),
    models=(
        ("grok-*-non-reasoning*", ModelProfile()),
        # From 4.5 on it always thinks; 4.7 is the first to know xhigh.
        (
            "grok-4.[56]*",
            ModelProfile(reasoning=True, quirks={"efforts": {"none": _effort("low")}}),
        ),
        (
            "grok-4.[7-9]*",
            ModelProfile(
                reasoning=True,
                quirks={"efforts": {"none": _effort("low"), "max": _effort("xhigh")}},
            ),
        ),
    ),
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
# Written as the SDK does; the pages write small letters, which the API takes as well.
_GEMINI_3: dict[str, Any] = {
    "efforts": {
        "none": _thinking(thinkingLevel="LOW"),
        "low": _thinking(thinkingLevel="LOW"),
        "medium": _thinking(thinkingLevel="MEDIUM"),
        "high": _thinking(thinkingLevel="HIGH"),
        "max": _thinking(thinkingLevel="HIGH"),
    },
    "thinks_by_default": True,
    "signed_calls": True,
}


def _levels(**efforts: str) -> dict[str, Any]:
    """What the third generation says otherwise: its levels differ from model to model."""
    said = {name: _thinking(thinkingLevel=level) for name, level in efforts.items()}
    return {**_GEMINI_3, "efforts": {**_GEMINI_3["efforts"], **said}}


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
        ("gemini-3-pro*", _gemini(_levels(medium="HIGH"))),
        ("gemini-3.[7-9]*", _gemini(_GEMINI_3)),
        ("gemini-3*flash*", _gemini(_levels(none="MINIMAL"))),
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
            "none": {"generation_config": {"thinking_level": "low"}},
            "low": {"generation_config": {"thinking_level": "low"}},
            "medium": {"generation_config": {"thinking_level": "medium"}},
            "high": {"generation_config": {"thinking_level": "high"}},
            "max": {"generation_config": {"thinking_level": "high"}},
        },
        drop=("presence_penalty", "frequency_penalty"),
    ),
    models=(
        ("gemini-3.[7-9]*", _gemini({})),
        (
            "gemini-3*flash*",
            _gemini({"efforts": {"none": {"generation_config": {"thinking_level": "minimal"}}}}),
        ),
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
