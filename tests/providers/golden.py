"""Golden request bodies: one file per target, every feature in it, written by hand-checked code.

`python -m tests.providers.golden` writes them anew; read the difference before committing it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from sidecar.core.request import Completion, Prefix
from sidecar.providers.dialect import Unsupported
from sidecar.providers.profiles import target
from sidecar.providers.table import DIALECTS, PROFILES
from tests.providers.features import cases

FOLDER = Path(__file__).parent / "golden"
KEY = "sk-golden-0123456789abcdef"
TARGETS = (
    "deepseek/deepseek-v4-pro",
    "deepseek/deepseek-chat",
    "deepseek/deepseek-reasoner",
    "openai/gpt-5.4",
    "openai/gpt-4.1",
    "mistral/mistral-medium-latest",
    "openrouter/anthropic/claude-haiku-4.5",
    "groq/openai/gpt-oss-120b",
    "xai/grok-4.3",
    "zai/glm-4.7",
    "alibaba/qwen3-max",
    "moonshot/kimi-k2.6",
    "moonshot/kimi-k3",
    "vllm/Qwen/Qwen3-8B",
    "llamacpp/qwen3",
    "together/openai/gpt-oss-120b",
    "fireworks/accounts/fireworks/models/deepseek-v4",
    "perplexity/sonar-reasoning-pro",
    "portkey/gpt-4o-mini",
    "anthropic/claude-haiku-4-5",
    "anthropic/claude-opus-4-8",
    "deepseek-messages/deepseek-v4-pro",
    "openai-responses/gpt-5.4",
    "openai-responses/gpt-4.1",
    "deepseek-responses/deepseek-flash",
    "gemini/gemini-2.5-flash",
    "gemini/gemini-3.1-pro-preview",
    "gemini-interactions/gemini-3.5-flash",
    "ollama/qwen3",
    "typed-event/reasoner",
)


def golden(name: str) -> dict[str, Any]:
    """What `name` (provider/model) is sent for every feature, as plain data."""
    return {case: encoded(name, *given) for case, given in cases().items()}


def encoded(name: str, completion: Completion, prefix: Prefix | None) -> dict[str, Any]:
    provider, _, model = name.partition("/")
    profile = PROFILES[provider]
    dialect = DIALECTS[profile.dialect]
    try:
        call = dialect.encode(completion, target(profile, model), prefix, KEY, True)
    except Unsupported as refused:
        return {"refused": refused.field, "why": refused.message}
    headers = {k: v.replace(KEY, "KEY") for k, v in call.headers}
    return {
        "path": call.path,
        "headers": headers,
        "dropped": list(call.dropped),
        "body": msgspec.json.decode(call.body),
    }


def path_of(name: str) -> Path:
    return FOLDER / (name.replace("/", "--") + ".json")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in TARGETS:
        text = json.dumps(golden(name), indent=1, ensure_ascii=False) + "\n"
        path_of(name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
