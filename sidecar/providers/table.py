"""The two tables everybody asks: dialects by name, well-known providers by name."""

from __future__ import annotations

from sidecar.providers.builtin import PROFILES
from sidecar.providers.dialect import Dialect
from sidecar.providers.openai_chat.dialect import OpenAiChat

__all__ = ["DIALECTS", "PROFILES"]

DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (OpenAiChat(),)}
