"""DeepSeek, OpenAI and Azure."""

from __future__ import annotations

from typing import Any

from sidecar.providers.builtin.efforts import CHAT, EFFORT, EFFORT_FROM_LOW, thinking
from sidecar.providers.profiles import (
    ModelProfile,
    PrefixStyle,
    ProviderProfile,
    Quirks,
    Timeouts,
)

# DeepSeek knows low, high and max; its own table maps medium to high.
_DEEPSEEK_EFFORTS = {
    "none": thinking("disabled"),
    "low": thinking("enabled", "low"),
    "medium": thinking("enabled", "high"),
    "high": thinking("enabled", "high"),
    "max": thinking("enabled", "max"),
}
_DEEPSEEK_MODEL = ModelProfile(
    reasoning=True,
    resume="prefix",
    context_tokens=1_000_000,
    max_output_tokens=384_000,
    images=False,
)
DEEPSEEK = ProviderProfile(
    name="deepseek",
    dialect=CHAT,
    base_url="https://api.deepseek.com",
    key_env="DEEPSEEK_API_KEY",
    telemetry_name="deepseek",
    trace_header="x-ds-trace-id",
    # It answers at once, then queues for up to ten minutes with keep-alives before it begins.
    timeouts=Timeouts(headers_s=60.0, first_event_s=600.0, total_s=1_800.0),
    quirks=Quirks(
        think_tags="off",
        thinks_by_default=True,
        efforts=_DEEPSEEK_EFFORTS,
        forced_tools="plain",
        # Silently ignored in thinking mode; seed is in no reference, and accepted (recorded).
        drop_thinking=("temperature", "presence_penalty", "frequency_penalty"),
        replay="text",
        schema=False,
        # Chat Prefix Completion (Beta); documented for both modes, never recorded.
        prefix=PrefixStyle(
            path="/beta/chat/completions",
            message={"prefix": True},
            reasoning_field="reasoning_content",
        ),
    ),
    models=(
        # Retired on 2026-07-24: names that callers still use, never sent upstream.
        (
            "deepseek-chat",
            ModelProfile(
                reasoning=True,
                resume="prefix",
                context_tokens=1_000_000,
                max_output_tokens=384_000,
                images=False,
                upstream="deepseek-flash",
                thinking=False,
            ),
        ),
        (
            "deepseek-reasoner",
            ModelProfile(
                reasoning=True,
                resume="prefix",
                context_tokens=1_000_000,
                max_output_tokens=384_000,
                images=False,
                upstream="deepseek-flash",
                thinking=True,
            ),
        ),
    ),
    default_model=_DEEPSEEK_MODEL,
)

# Reasoning models refuse max_tokens, and every sampling option but the default.
_OPENAI_REASONING: dict[str, Any] = {
    "max_tokens_field": "max_completion_tokens",
    "thinks_by_default": True,
    "efforts": EFFORT,
    "drop": ("temperature", "top_p", "presence_penalty", "frequency_penalty"),
    "refuse": ("stop",),
    "system_role": "developer",
}
# xhigh came with 5.2; before 5.1 the least there was is minimal.
_GPT_5_2 = {**_OPENAI_REASONING, "efforts": {**EFFORT, "max": {"reasoning_effort": "xhigh"}}}
# Two of the sixth generation cannot be told not to think.
_GPT_6_ALWAYS = {
    **_OPENAI_REASONING,
    "efforts": {**_GPT_5_2["efforts"], "none": {"reasoning_effort": "low"}},
}
_GPT_5 = {**_OPENAI_REASONING, "efforts": {**EFFORT, "none": {"reasoning_effort": "minimal"}}}
_O_SERIES = {**_OPENAI_REASONING, "efforts": EFFORT_FROM_LOW}


def _gpt_5(quirks: dict[str, Any]) -> ModelProfile:
    return ModelProfile(
        reasoning=True, context_tokens=400_000, max_output_tokens=128_000, quirks=quirks
    )


_OPENAI_QUIRKS = Quirks(think_tags="off", system_role="system")
_OPENAI_MODELS = (
    (
        "gpt-5*-chat*",
        ModelProfile(context_tokens=128_000, max_output_tokens=16_384),
    ),
    ("gpt-6-astra*", _gpt_5(_GPT_6_ALWAYS)),
    ("gpt-6.1-sol*", _gpt_5(_GPT_6_ALWAYS)),
    ("gpt-[6-9]*", _gpt_5(_GPT_5_2)),
    ("gpt-5.[2-9]*", _gpt_5(_GPT_5_2)),
    ("gpt-5.*", _gpt_5(_OPENAI_REASONING)),
    ("gpt-5*", _gpt_5(_GPT_5)),
    (
        "o[0-9]*",
        ModelProfile(
            reasoning=True, context_tokens=200_000, max_output_tokens=100_000, quirks=_O_SERIES
        ),
    ),
    ("gpt-4.1*", ModelProfile(context_tokens=1_047_576, max_output_tokens=32_768)),
    ("gpt-4o*", ModelProfile(context_tokens=128_000, max_output_tokens=16_384)),
    ("gpt-3.5*", ModelProfile(context_tokens=16_385, max_output_tokens=4_096, images=False)),
)
OPENAI = ProviderProfile(
    name="openai",
    dialect=CHAT,
    base_url="https://api.openai.com/v1",
    key_env="OPENAI_API_KEY",
    telemetry_name="openai",
    trace_header="x-request-id",
    quirks=_OPENAI_QUIRKS,
    models=_OPENAI_MODELS,
)
AZURE = ProviderProfile(
    name="azure",
    dialect=CHAT,
    # https://RESOURCE.openai.azure.com/openai/v1: the resource is the user's own.
    base_url="",
    auth="api-key",
    key_env="AZURE_OPENAI_API_KEY",
    telemetry_name="azure.ai.openai",
    trace_header="apim-request-id",
    # It hosts others' models too; some of them think in tags.
    quirks=Quirks(system_role="system"),
    models=_OPENAI_MODELS,
)
