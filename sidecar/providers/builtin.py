"""The well-known providers that speak the chat dialect or a native one: data, nothing else.

Facts and their sources: the reference on wire formats, sections 2 to 12. What that page marks as
unverified is marked here too. A configuration may override every field.
"""

from __future__ import annotations

from typing import Any

from sidecar.providers.builtin_native import NATIVE
from sidecar.providers.profiles import (
    ModelProfile,
    PrefixStyle,
    ProviderProfile,
    Quirks,
    Timeouts,
)

CHAT = "openai-chat"

# OpenAI's own words; MAX is asked for as xhigh only by models that list it.
_EFFORT: dict[str, dict[str, Any]] = {
    "none": {"reasoning_effort": "none"},
    "low": {"reasoning_effort": "low"},
    "medium": {"reasoning_effort": "medium"},
    "high": {"reasoning_effort": "high"},
    "max": {"reasoning_effort": "high"},
}
_EFFORT_FROM_LOW = {name: body for name, body in _EFFORT.items() if name != "none"}


def _thinking(kind: str, effort: str = "") -> dict[str, Any]:
    body: dict[str, Any] = {"thinking": {"type": kind}}
    return {**body, "reasoning_effort": effort} if effort else body


# DeepSeek knows low, high and max; its own table maps medium to high.
_DEEPSEEK_EFFORTS = {
    "none": _thinking("disabled"),
    "low": _thinking("enabled", "low"),
    "medium": _thinking("enabled", "high"),
    "high": _thinking("enabled", "high"),
    "max": _thinking("enabled", "max"),
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
    # It queues for up to ten minutes with keep-alives before it begins.
    timeouts=Timeouts(headers_s=600.0, first_event_s=600.0, total_s=1_800.0),
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
    "efforts": _EFFORT,
    "drop": ("temperature", "top_p", "presence_penalty", "frequency_penalty"),
    "refuse": ("stop",),
    "system_role": "developer",
}
# xhigh came with 5.2; before 5.1 the least there was is minimal.
_GPT_5_2 = {**_OPENAI_REASONING, "efforts": {**_EFFORT, "max": {"reasoning_effort": "xhigh"}}}
_GPT_5 = {**_OPENAI_REASONING, "efforts": {**_EFFORT, "none": {"reasoning_effort": "minimal"}}}
_O_SERIES = {**_OPENAI_REASONING, "efforts": _EFFORT_FROM_LOW}


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
    quirks=_OPENAI_QUIRKS,
    models=_OPENAI_MODELS,
)
GENERIC = ProviderProfile(name="generic", dialect=CHAT, base_url="")

MISTRAL = ProviderProfile(
    name="mistral",
    dialect=CHAT,
    base_url="https://api.mistral.ai/v1",
    key_env="MISTRAL_API_KEY",
    telemetry_name="mistral_ai",
    trace_header="mistral-correlation-id",
    quirks=Quirks(
        reasoning_fields=("content", "reasoning_content"),
        think_tags="off",
        efforts={
            "none": {"reasoning_effort": "none"},
            "low": {"reasoning_effort": "high"},
            "medium": {"reasoning_effort": "high"},
            "high": {"reasoning_effort": "high"},
            "max": {"reasoning_effort": "high"},
        },
        stream_usage=False,
        tool_ids="mistral",
        prefix=PrefixStyle(message={"prefix": True}, echo=True),
        error_causes={"1300": "RATE_LIMITED"},
    ),
    models=(
        ("magistral*", ModelProfile(reasoning=True, resume="prefix", thinking=True)),
        ("mistral-small*", ModelProfile(reasoning=True, resume="prefix")),
        ("mistral-medium*", ModelProfile(reasoning=True, resume="prefix")),
    ),
    default_model=ModelProfile(resume="prefix"),
)
OPENROUTER = ProviderProfile(
    name="openrouter",
    dialect=CHAT,
    base_url="https://openrouter.ai/api/v1",
    key_env="OPENROUTER_API_KEY",
    telemetry_name="openrouter",
    trace_header="x-generation-id",
    quirks=Quirks(
        reasoning_fields=("reasoning", "reasoning_content", "content", "reasoning_details"),
        efforts={
            "none": {"reasoning": {"enabled": False}},
            "low": {"reasoning": {"effort": "low"}},
            "medium": {"reasoning": {"effort": "medium"}},
            "high": {"reasoning": {"effort": "high"}},
            "max": {"reasoning": {"effort": "high"}},
        },
        budget_path="reasoning.max_tokens",
        replay="details",
        body={"usage": {"include": True}},
    ),
    # Prefill is passed through; whether it works is the upstream's matter (Claude 4.6+ refuses).
    default_model=ModelProfile(reasoning=True),
)
GROQ = ProviderProfile(
    name="groq",
    dialect=CHAT,
    base_url="https://api.groq.com/openai/v1",
    key_env="GROQ_API_KEY",
    telemetry_name="groq",
    trace_header="x-request-id",
    quirks=Quirks(max_tokens_field="max_completion_tokens"),
    models=(
        (
            "*gpt-oss*",
            ModelProfile(
                reasoning=True,
                images=False,
                quirks={"efforts": _EFFORT_FROM_LOW, "thinks_by_default": True},
            ),
        ),
        (
            "*qwen3*",
            ModelProfile(
                reasoning=True,
                images=False,
                quirks={
                    "thinks_by_default": True,
                    "efforts": {
                        "none": {"reasoning_effort": "none"},
                        "low": {"reasoning_effort": "default"},
                        "medium": {"reasoning_effort": "default"},
                        "high": {"reasoning_effort": "default"},
                        "max": {"reasoning_effort": "default"},
                    },
                    "body": {"reasoning_format": "parsed"},
                },
            ),
        ),
    ),
)
XAI = ProviderProfile(
    name="xai",
    dialect=CHAT,
    base_url="https://api.x.ai/v1",
    key_env="XAI_API_KEY",
    telemetry_name="x_ai",
    trace_header="x-request-id",
    quirks=Quirks(think_tags="off", thinks_by_default=True, efforts=_EFFORT),
    models=(
        # Its reasoning models take neither penalties nor stop sequences [unverified].
        ("grok-code*", ModelProfile(reasoning=True, quirks={"efforts": {}})),
        ("grok-*-non-reasoning*", ModelProfile()),
    ),
    default_model=ModelProfile(reasoning=True),
)
TOGETHER = ProviderProfile(
    name="together",
    dialect=CHAT,
    base_url="https://api.together.xyz/v1",
    key_env="TOGETHER_API_KEY",
    telemetry_name="together_ai",
    quirks=Quirks(thinks_by_default=True, efforts=_EFFORT_FROM_LOW),
    models=(
        ("*DeepSeek-R1*", ModelProfile(reasoning=True, thinking=True, quirks={"efforts": {}})),
        ("*gpt-oss*", ModelProfile(reasoning=True)),
    ),
)
FIREWORKS = ProviderProfile(
    name="fireworks",
    dialect=CHAT,
    base_url="https://api.fireworks.ai/inference/v1",
    key_env="FIREWORKS_API_KEY",
    telemetry_name="fireworks_ai",
    quirks=Quirks(efforts=_EFFORT, thinks_by_default=True),
    default_model=ModelProfile(reasoning=True),
)
PERPLEXITY = ProviderProfile(
    name="perplexity",
    dialect=CHAT,
    base_url="https://api.perplexity.ai",
    key_env="PERPLEXITY_API_KEY",
    telemetry_name="perplexity",
    quirks=Quirks(efforts=_EFFORT_FROM_LOW, drop=("seed",)),
    models=(("sonar-*reason*", ModelProfile(reasoning=True, tools=False)),),
    default_model=ModelProfile(tools=False),
)
ZAI = ProviderProfile(
    name="zai",
    dialect=CHAT,
    base_url="https://api.z.ai/api/paas/v4",
    key_env="ZAI_API_KEY",
    telemetry_name="z_ai",
    quirks=Quirks(
        think_tags="off",
        thinks_by_default=True,
        efforts={
            "none": _thinking("disabled"),
            "low": _thinking("enabled"),
            "medium": _thinking("enabled"),
            "high": _thinking("enabled"),
            "max": _thinking("enabled"),
        },
        schema=False,
        replay="text",
        # Its own numbers: balance, concurrency, rate, overload, unsafe content [unverified].
        error_causes={
            "1113": "QUOTA",
            "1302": "RATE_LIMITED",
            "1303": "RATE_LIMITED",
            "1305": "OVERLOADED",
            "1301": "CONTENT_FILTER",
        },
    ),
    default_model=ModelProfile(reasoning=True),
)
ALIBABA = ProviderProfile(
    name="alibaba",
    dialect=CHAT,
    base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    key_env="DASHSCOPE_API_KEY",
    telemetry_name="alibaba",
    trace_header="x-request-id",
    quirks=Quirks(
        efforts={
            "none": {"enable_thinking": False},
            "low": {"enable_thinking": True},
            "medium": {"enable_thinking": True},
            "high": {"enable_thinking": True},
            "max": {"enable_thinking": True},
        },
        budget_path="thinking_budget",
        budget_body={"enable_thinking": True},
    ),
    default_model=ModelProfile(reasoning=True),
)

_TEMPLATE_SWITCH = {
    "none": {"chat_template_kwargs": {"enable_thinking": False}},
    "low": {"chat_template_kwargs": {"enable_thinking": True}},
    "medium": {"chat_template_kwargs": {"enable_thinking": True}},
    "high": {"chat_template_kwargs": {"enable_thinking": True}},
    "max": {"chat_template_kwargs": {"enable_thinking": True}},
}
_CONTINUE = PrefixStyle(body={"continue_final_message": True, "add_generation_prompt": False})
# On one's own hardware a long queue or a cold model is nothing unusual.
_OWN_HARDWARE = Timeouts(headers_s=120.0, first_event_s=120.0)
VLLM = ProviderProfile(
    name="vllm",
    dialect=CHAT,
    base_url="http://127.0.0.1:8000/v1",
    telemetry_name="vllm",
    timeouts=_OWN_HARDWARE,
    quirks=Quirks(efforts=_TEMPLATE_SWITCH, thinks_by_default=True, prefix=_CONTINUE),
    default_model=ModelProfile(reasoning=True, resume="prefill"),
)
SGLANG = ProviderProfile(
    name="sglang",
    dialect=CHAT,
    base_url="http://127.0.0.1:30000/v1",
    telemetry_name="sglang",
    timeouts=_OWN_HARDWARE,
    quirks=Quirks(
        efforts=_TEMPLATE_SWITCH,
        thinks_by_default=True,
        prefix=PrefixStyle(body={"continue_final_message": True}),
    ),
    default_model=ModelProfile(reasoning=True, resume="prefill"),
)
LLAMACPP = ProviderProfile(
    name="llamacpp",
    dialect=CHAT,
    base_url="http://127.0.0.1:8080/v1",
    telemetry_name="llama_cpp",
    timeouts=_OWN_HARDWARE,
    quirks=Quirks(
        efforts=_TEMPLATE_SWITCH,
        thinks_by_default=True,
        # A prefill with thinking on is refused: "incompatible with enable_thinking".
        prefix=PrefixStyle(body={"chat_template_kwargs": {"enable_thinking": False}}),
    ),
    default_model=ModelProfile(reasoning=True, resume="prefill"),
)
OLLAMA_COMPATIBLE = ProviderProfile(
    name="ollama-compatible",
    dialect=CHAT,
    base_url="http://127.0.0.1:11434/v1",
    telemetry_name="ollama",
    timeouts=_OWN_HARDWARE,
    quirks=Quirks(efforts=_EFFORT, thinks_by_default=True),
    default_model=ModelProfile(reasoning=True),
)
GPUSTACK = ProviderProfile(
    name="gpustack",
    dialect=CHAT,
    base_url="",
    telemetry_name="gpustack",
    timeouts=_OWN_HARDWARE,
    default_model=ModelProfile(reasoning=True),
)

HUGGINGFACE = ProviderProfile(
    name="huggingface",
    dialect=CHAT,
    base_url="https://router.huggingface.co/v1",
    key_env="HF_TOKEN",
    telemetry_name="huggingface",
    trace_header="x-request-id",
    default_model=ModelProfile(reasoning=True),
)
AVIAN = ProviderProfile(
    name="avian",
    dialect=CHAT,
    base_url="https://api.avian.io/v1",
    key_env="AVIAN_API_KEY",
    telemetry_name="avian",
    quirks=Quirks(efforts=_EFFORT),
    default_model=ModelProfile(reasoning=True),
)
LITELLM = ProviderProfile(
    name="litellm",
    dialect=CHAT,
    base_url="http://127.0.0.1:4000/v1",
    key_env="LITELLM_API_KEY",
    telemetry_name="litellm",
    # Sent before the stream, and so never final for one; right for a synchronous answer.
    cost_header="x-litellm-response-cost",
    trace_header="x-litellm-call-id",
    quirks=Quirks(efforts=_EFFORT),
    default_model=ModelProfile(reasoning=True),
)
PORTKEY = ProviderProfile(
    name="portkey",
    dialect=CHAT,
    base_url="https://api.portkey.ai/v1",
    key_env="PORTKEY_API_KEY",
    telemetry_name="portkey",
    trace_header="x-portkey-trace-id",
    # Without this, thinking does not come through.
    headers=(("x-portkey-strict-open-ai-compliance", "false"),),
    auth="x-portkey-api-key",
    quirks=Quirks(efforts=_EFFORT),
    default_model=ModelProfile(reasoning=True),
)
TOKENMIX = ProviderProfile(
    name="tokenmix",
    dialect=CHAT,
    base_url="https://api.tokenmix.ai/v1",
    key_env="TOKENMIX_API_KEY",
    telemetry_name="tokenmix",
    quirks=Quirks(efforts=_EFFORT),
    default_model=ModelProfile(reasoning=True),
)
VERCEL = ProviderProfile(
    name="vercel-gateway",
    dialect=CHAT,
    base_url="https://ai-gateway.vercel.sh/v1",
    key_env="AI_GATEWAY_API_KEY",
    telemetry_name="vercel_ai_gateway",
    quirks=Quirks(
        reasoning_fields=("reasoning", "reasoning_content", "content", "reasoning_details"),
        reasoning_beside_output=True,
        efforts={
            name: {"reasoning": body}
            for name, body in {
                "none": {"enabled": False},
                "low": {"effort": "low"},
                "medium": {"effort": "medium"},
                "high": {"effort": "high"},
                "max": {"effort": "high"},
            }.items()
        },
        budget_path="reasoning.max_tokens",
        replay="details",
    ),
    default_model=ModelProfile(reasoning=True),
)

PROFILES: dict[str, ProviderProfile] = {
    profile.name: profile
    for profile in (
        DEEPSEEK,
        OPENAI,
        AZURE,
        MISTRAL,
        OPENROUTER,
        GROQ,
        XAI,
        TOGETHER,
        FIREWORKS,
        PERPLEXITY,
        ZAI,
        ALIBABA,
        VLLM,
        SGLANG,
        LLAMACPP,
        OLLAMA_COMPATIBLE,
        GPUSTACK,
        HUGGINGFACE,
        AVIAN,
        LITELLM,
        PORTKEY,
        TOKENMIX,
        VERCEL,
        GENERIC,
        *NATIVE,
    )
}
