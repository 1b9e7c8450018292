"""The audit's rows by dialect."""

from __future__ import annotations

from tests.providers.audit import ollama, typed
from tests.providers.audit.trap import Trap

AUDIT: dict[str, tuple[Trap, ...]] = {
    "ollama": ollama.TRAPS,
    "typed-event": typed.TRAPS,
}
