"""What is asked of a provider by somebody who wrote no configuration: one model each, as data.

The order is the order of preference of the route `default` that is made of those whose key is
found: providers of their own models first, then those that resell.
"""

from __future__ import annotations

from collections.abc import Iterable

from sidecar.config.schema import RouteConfig

ROUTE = "default"
MODELS: tuple[tuple[str, str], ...] = (
    ("deepseek", "deepseek-v4-pro"),
    ("openai", "gpt-5.4"),
    ("anthropic", "claude-sonnet-5"),
    ("gemini", "gemini-3.5-flash"),
    ("mistral", "mistral-large-latest"),
    ("xai", "grok-4.3"),
    ("zai", "glm-5.3"),
    ("perplexity", "sonar-pro"),
    ("fireworks", "accounts/fireworks/models/deepseek-v4-pro"),
    ("groq", "openai/gpt-oss-120b"),
    ("openrouter", "deepseek/deepseek-v4-pro"),
)


def routes_of(providers: Iterable[str]) -> dict[str, RouteConfig]:
    """The route `default` over these providers; none if no usual model of theirs is known."""
    found = set(providers)
    targets = tuple(f"{name}/{model}" for name, model in MODELS if name in found)
    return {ROUTE: RouteConfig(targets)} if targets else {}
