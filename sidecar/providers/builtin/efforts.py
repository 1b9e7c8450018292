"""How efforts are said in the words of the chat dialect, shared by many profiles."""

from __future__ import annotations

from typing import Any

CHAT = "openai-chat"

# OpenAI's own words; MAX is asked for as xhigh only by models that list it.
EFFORT: dict[str, dict[str, Any]] = {
    "none": {"reasoning_effort": "none"},
    "low": {"reasoning_effort": "low"},
    "medium": {"reasoning_effort": "medium"},
    "high": {"reasoning_effort": "high"},
    "max": {"reasoning_effort": "high"},
}
EFFORT_FROM_LOW = {name: body for name, body in EFFORT.items() if name != "none"}


def thinking(kind: str, effort: str = "") -> dict[str, Any]:
    body: dict[str, Any] = {"thinking": {"type": kind}}
    return {**body, "reasoning_effort": effort} if effort else body
