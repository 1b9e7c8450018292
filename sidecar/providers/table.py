"""The two tables everybody asks: dialects by name, well-known providers by name."""

from __future__ import annotations

from sidecar.providers import anthropic, gemini, ollama, openai_chat, responses, typed_event
from sidecar.providers.builtin import PROFILES
from sidecar.providers.dialect import Dialect

__all__ = ["DIALECTS", "PROFILES"]

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        openai_chat.DIALECT,
        responses.DIALECT,
        anthropic.DIALECT,
        gemini.DIALECT,
        gemini.INTERACTIONS,
        ollama.DIALECT,
        typed_event.DIALECT,
    )
}
