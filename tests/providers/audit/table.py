"""The audit's rows by dialect."""

from __future__ import annotations

from tests.providers.audit import (
    chat_ended,
    chat_said,
    gemini,
    interactions,
    messages,
    ollama,
    responses,
    typed,
)
from tests.providers.audit.trap import Trap

AUDIT: dict[str, tuple[Trap, ...]] = {
    "openai-chat": (*chat_said.TRAPS, *chat_ended.TRAPS),
    "openai-responses": responses.TRAPS,
    "anthropic": messages.TRAPS,
    "gemini": gemini.TRAPS,
    "gemini-interactions": interactions.TRAPS,
    "ollama": ollama.TRAPS,
    "typed-event": typed.TRAPS,
}
