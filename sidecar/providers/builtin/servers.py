"""Servers for one's own hardware, and the plain compatible server."""

from __future__ import annotations

from sidecar.providers.builtin.efforts import CHAT, EFFORT
from sidecar.providers.profiles import (
    ModelProfile,
    PrefixStyle,
    ProviderProfile,
    Quirks,
    Timeouts,
)

GENERIC = ProviderProfile(name="generic", dialect=CHAT, base_url="")

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
        # Older servers refuse a prefill with thinking on, "incompatible with enable_thinking";
        # newer ones (tried: November 2026) put the thoughts that come with it between their tags,
        # or their opening tag before thoughts alone, and drop them where they do not know the
        # model's tags. Only their user knows that, hence no "prefix" for every model.
        prefix=PrefixStyle(
            answer_body={"chat_template_kwargs": {"enable_thinking": False}},
            reasoning_field="reasoning_content",
            behind_template=True,
        ),
    ),
    default_model=ModelProfile(reasoning=True, resume="prefill"),
)
OLLAMA_COMPATIBLE = ProviderProfile(
    name="ollama-compatible",
    dialect=CHAT,
    base_url="http://127.0.0.1:11434/v1",
    telemetry_name="ollama",
    timeouts=_OWN_HARDWARE,
    quirks=Quirks(efforts=EFFORT, thinks_by_default=True),
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
