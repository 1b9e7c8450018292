"""Gateways and aggregators: ordinary providers, with their headers read where they help."""

from __future__ import annotations

from sidecar.providers.builtin.efforts import CHAT, EFFORT
from sidecar.providers.profiles import (
    ModelProfile,
    ProviderProfile,
    Quirks,
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
            "none": {"reasoning": {"effort": "none"}},
            "low": {"reasoning": {"effort": "low"}},
            "medium": {"reasoning": {"effort": "medium"}},
            "high": {"reasoning": {"effort": "high"}},
            "max": {"reasoning": {"effort": "high"}},
        },
        budget_path="reasoning.max_tokens",
        replay="details",
    ),
    # Prefill is passed through; whether it works is the upstream's matter (Claude 4.6+ refuses).
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
LITELLM = ProviderProfile(
    name="litellm",
    dialect=CHAT,
    base_url="http://127.0.0.1:4000/v1",
    key_env="LITELLM_API_KEY",
    telemetry_name="litellm",
    # Sent before the stream, and so never final for one; right for a synchronous answer.
    cost_header="x-litellm-response-cost",
    trace_header="x-litellm-call-id",
    quirks=Quirks(efforts=EFFORT),
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
    quirks=Quirks(efforts=EFFORT),
    default_model=ModelProfile(reasoning=True),
)
TOKENMIX = ProviderProfile(
    name="tokenmix",
    dialect=CHAT,
    base_url="https://api.tokenmix.ai/v1",
    key_env="TOKENMIX_API_KEY",
    telemetry_name="tokenmix",
    quirks=Quirks(efforts=EFFORT),
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
