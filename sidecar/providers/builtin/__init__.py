"""The well-known providers: data, nothing else.

Belongs here: base URLs, quirks, what models can do. Does not: prices (the ledger's), limits (the
user's), or code that does anything. Facts and their sources: the reference on wire formats,
sections 2 to 12; what that page marks as unverified is marked here too. A configuration may
override every field.
"""

from __future__ import annotations

from sidecar.providers.builtin.aggregators import (
    HUGGINGFACE,
    LITELLM,
    OPENROUTER,
    PORTKEY,
    TOKENMIX,
    VERCEL,
)
from sidecar.providers.builtin.first import AZURE, DEEPSEEK, OPENAI
from sidecar.providers.builtin.hosted import (
    ALIBABA,
    AVIAN,
    FIREWORKS,
    GROQ,
    MISTRAL,
    MOONSHOT,
    PERPLEXITY,
    TOGETHER,
    XAI,
    ZAI,
)
from sidecar.providers.builtin.native import NATIVE
from sidecar.providers.builtin.servers import (
    GENERIC,
    GPUSTACK,
    LLAMACPP,
    OLLAMA_COMPATIBLE,
    SGLANG,
    VLLM,
)
from sidecar.providers.profiles import ProviderProfile

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
        MOONSHOT,
        LITELLM,
        PORTKEY,
        TOKENMIX,
        VERCEL,
        GENERIC,
        *NATIVE,
    )
}
