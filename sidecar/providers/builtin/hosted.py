"""Companies that host their own or others' models behind the chat dialect."""

from __future__ import annotations

from sidecar.providers.builtin.efforts import CHAT, EFFORT, EFFORT_FROM_LOW, thinking
from sidecar.providers.profiles import (
    ModelProfile,
    PrefixStyle,
    ProviderProfile,
    Quirks,
)

MISTRAL = ProviderProfile(
    name="mistral",
    dialect=CHAT,
    base_url="https://api.mistral.ai/v1",
    key_env="MISTRAL_API_KEY",
    telemetry_name="mistral_ai",
    trace_header="mistral-correlation-id",
    quirks=Quirks(
        # Its first reasoning models, and those of others that it hosts, think in tags.
        reasoning_fields=("content", "reasoning_content"),
        efforts={
            "none": {"reasoning_effort": "none"},
            "low": {"reasoning_effort": "high"},
            "medium": {"reasoning_effort": "high"},
            "high": {"reasoning_effort": "high"},
            "max": {"reasoning_effort": "high"},
        },
        stream_usage=False,
        # Its own name for it (its SDK's types).
        seed_field="random_seed",
        tool_ids="mistral",
        prefix=PrefixStyle(message={"prefix": True}, echo=True),
        error_causes={"1300": "RATE_LIMITED"},
    ),
    models=(
        ("magistral*", ModelProfile(reasoning=True, resume="prefill", thinking=True)),
        ("mistral-small*", ModelProfile(reasoning=True, resume="prefill")),
        ("mistral-medium*", ModelProfile(reasoning=True, resume="prefill")),
    ),
    default_model=ModelProfile(resume="prefill"),
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
                quirks={"efforts": EFFORT_FROM_LOW, "thinks_by_default": True},
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
_GROK_ALWAYS = {"none": {"reasoning_effort": "low"}}
XAI = ProviderProfile(
    name="xai",
    dialect=CHAT,
    base_url="https://api.x.ai/v1",
    key_env="XAI_API_KEY",
    telemetry_name="x_ai",
    trace_header="x-request-id",
    quirks=Quirks(think_tags="off", thinks_by_default=True, efforts=EFFORT),
    models=(
        # Its reasoning models take neither penalties nor stop sequences [unverified].
        ("grok-code*", ModelProfile(reasoning=True, quirks={"efforts": {}})),
        ("grok-*-non-reasoning*", ModelProfile()),
        # From 4.5 on it always thinks; 4.7 is the first to know xhigh.
        ("grok-4.[56]*", ModelProfile(reasoning=True, quirks={"efforts": _GROK_ALWAYS})),
        (
            "grok-4.[7-9]*",
            ModelProfile(
                reasoning=True,
                quirks={"efforts": {**_GROK_ALWAYS, "max": {"reasoning_effort": "xhigh"}}},
            ),
        ),
    ),
    default_model=ModelProfile(reasoning=True),
)
TOGETHER = ProviderProfile(
    name="together",
    dialect=CHAT,
    base_url="https://api.together.ai/v1",
    key_env="TOGETHER_API_KEY",
    telemetry_name="together_ai",
    quirks=Quirks(thinks_by_default=True, efforts=EFFORT_FROM_LOW),
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
    quirks=Quirks(efforts=EFFORT, thinks_by_default=True),
    default_model=ModelProfile(reasoning=True),
)
PERPLEXITY = ProviderProfile(
    name="perplexity",
    dialect=CHAT,
    base_url="https://api.perplexity.ai",
    key_env="PERPLEXITY_API_KEY",
    telemetry_name="perplexity",
    # Deep research counts (and charges) its reasoning beside the output. A schema or a regular
    # expression is taken, but no plain json_object (its SDK's types).
    quirks=Quirks(
        reasoning_beside_output=True, efforts=EFFORT_FROM_LOW, drop=("seed",), json_object=False
    ),
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
            "none": thinking("disabled"),
            "low": thinking("enabled"),
            "medium": thinking("enabled"),
            "high": thinking("enabled"),
            "max": thinking("enabled"),
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
    models=(
        # 5.2 may be told how hard to think; 5.3 knows three words and cannot be told not to.
        (
            "glm-5.2*",
            ModelProfile(
                reasoning=True,
                quirks={
                    "efforts": {
                        name: thinking("enabled", name) for name in ("low", "medium", "high", "max")
                    }
                },
            ),
        ),
        (
            "glm-5.3*",
            ModelProfile(
                reasoning=True,
                quirks={
                    "efforts": {
                        "none": thinking("enabled", "low"),
                        "low": thinking("enabled", "low"),
                        "medium": thinking("enabled", "high"),
                        "high": thinking("enabled", "high"),
                        "max": thinking("enabled", "max"),
                    }
                },
            ),
        ),
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

AVIAN = ProviderProfile(
    name="avian",
    dialect=CHAT,
    base_url="https://api.avian.io/v1",
    key_env="AVIAN_API_KEY",
    telemetry_name="avian",
    quirks=Quirks(efforts=EFFORT),
    default_model=ModelProfile(reasoning=True),
)

# It refuses a tool turn whose reasoning does not come back, and both ways of saying how hard to
# think in one request; sampling is fixed while a Kimi thinks or not (its documentation, 2026).
_FIXED = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
_KIMI = {"max_tokens_field": "max_completion_tokens", "drop": _FIXED}
_KIMI_EFFORTS = {
    "low": {"reasoning_effort": "low"},
    "medium": {"reasoning_effort": "high"},
    "high": {"reasoning_effort": "high"},
    "max": {"reasoning_effort": "max"},
}
MOONSHOT = ProviderProfile(
    name="moonshot",
    dialect=CHAT,
    base_url="https://api.moonshot.ai/v1",
    key_env="MOONSHOT_API_KEY",
    telemetry_name="moonshot_ai",
    quirks=Quirks(
        think_tags="off",
        thinks_by_default=True,
        efforts=ZAI.quirks.efforts,
        forced_tools="plain",
        replay="text",
        # Partial mode; what it does while a model thinks is not documented: only for moonshot-v1.
        prefix=PrefixStyle(message={"partial": True}),
    ),
    models=(
        (
            "moonshot-v1-*",
            ModelProfile(resume="prefill"),
        ),
        (
            "kimi-k3*",
            ModelProfile(reasoning=True, thinking=True, quirks={**_KIMI, "efforts": _KIMI_EFFORTS}),
        ),
        (
            "kimi-k2.7-code*",
            ModelProfile(reasoning=True, thinking=True, context_tokens=262_144, quirks=_KIMI),
        ),
    ),
    default_model=ModelProfile(reasoning=True, context_tokens=262_144, quirks=_KIMI),
)
