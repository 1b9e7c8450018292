"""Configurations for a daemon whose providers are all one fake provider."""

from __future__ import annotations

from pathlib import Path
from typing import Any

# Not one of these may ever be seen outside the daemon and the provider's own memory.
DEEPSEEK_KEY = "sk-planted-deepseek-1f0c77a2"
OTHER_KEY = "sk-planted-other-9be3410d"

# As the fake provider charges (`sidecar.testing.DEFAULT_PRICE`), so that ledger and bill agree.
PRICE = {"input": 0.15, "output": 0.60, "cached_input": 0.003}
Config = dict[str, Any]


def config(folder: Path, base_url: str, *targets: str, **sections: Any) -> Config:
    """A daemon on a Unix socket with a route `default` over `targets`, a ledger and two providers.

    `deepseek` takes a reasoning prefix, `other` none at all. `sections` replace whole sections.
    """
    return {
        "listen": [f"unix://{folder / 'headway.sock'}"],
        "providers": {
            "deepseek": deepseek(base_url),
            "other": other(base_url),
        },
        "routes": {"default": {"targets": list(targets or ["deepseek/fake-60"])}},
        "ledger": {"path": str(folder / "ledger.db")},
        **sections,
    }


def deepseek(base_url: str, *limits: Config, **more: Any) -> Config:
    """The provider that continues a prefix, with one account."""
    account = {"keys": [{"name": "k1", "env": "DEEPSEEK_KEY"}], "limits": list(limits)}
    models = {"*": {"reasoning": True, "resume": "prefix", "price": PRICE}}
    return {"base_url": base_url, "accounts": {"a": account}, "models": models, **more}


def other(base_url: str, *limits: Config, **more: Any) -> Config:
    """The provider that continues nothing, with one account."""
    account = {"keys": [{"name": "o1", "env": "OTHER_KEY"}], "limits": list(limits)}
    models = {"*": {"reasoning": True, "resume": "none", "price": PRICE}}
    return {
        "dialect": "openai-chat",
        "base_url": f"{base_url}/v1",
        "accounts": {"b": account},
        "models": models,
        **more,
    }


def environment() -> dict[str, str]:
    """The variables that the configurations here name."""
    return {"DEEPSEEK_KEY": DEEPSEEK_KEY, "OTHER_KEY": OTHER_KEY}
