"""What a history owes: the reasoning that a provider gave and wants back, and its own words if not.

Rules and messages are the providers' (reference "wire formats", sections 2 to 5, and their public
issue threads). Calls of foreign origin pass where the provider has a way for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sidecar.testing.asked import Asked
from sidecar.testing.dialects.base import seal

# Google's stand-in for the signature of a call that another model made.
_SKIP = "skip_thought_signature_validator"

_DEEPSEEK = "The reasoning_content in the thinking mode must be passed back to the API."
_GOOGLE = (
    "Function call is missing a thought_signature in functionCall parts. This is required for "
    "tools to work correctly, and missing thought_signature may lead to degraded model "
    "performance. Additional data, function call `default_api:{name}` , position {place}."
)
_OPENAI = (
    "Item '{id}' of type 'function_call' was provided without its required 'reasoning' item: "
    "'rs_{id}'."
)
_ANTHROPIC = (
    "messages.{place}.content.0.type: Expected `thinking` or `redacted_thinking`, but found "
    "`{type}`. When `thinking` is enabled, a final `assistant` message must start with a thinking "
    "block (preceeding the lastmost set of `tool_use` and `tool_result` blocks)."
)
_FORGED = "messages.{place}.content.{part}: Invalid `signature` in `thinking` block"

Body = dict[str, Any]


def owed(asked: Asked, body: Body) -> str:
    """Why this history is refused by a provider that demands its reasoning back; "" if it is fine.
    A call that does not think owes nothing."""
    rule = _RULES.get(asked.dialect)
    return rule(asked, body) if rule is not None and asked.thinking else ""


def _chat(asked: Asked, body: Body) -> str:
    """DeepSeek: the text, of which a blank is the least. OpenRouter passes on what Google says."""
    for place, turn in enumerate(body["messages"]):
        if not turn.get("tool_calls"):
            continue
        if asked.flavour == "deepseek" and not turn.get("reasoning_content"):
            return _DEEPSEEK
        if asked.flavour == "openrouter" and not _itemised(turn):
            name = turn["tool_calls"][0]["function"]["name"]
            return _GOOGLE.format(name=name, place=place)
    return ""


def _itemised(turn: Body) -> bool:
    details = turn.get("reasoning_details") or []
    told = "".join(detail.get("text") or "" for detail in details)
    return any(detail.get("data") == seal(told) for detail in details)


def _anthropic(asked: Asked, body: Body) -> str:
    turns = body["messages"]
    for place, turn in enumerate(turns):
        for part, block in enumerate(_blocks(turn)):
            signed = block.get("type") != "thinking" or (
                block.get("signature") == seal(block.get("thinking") or "")
            )
            if not signed:
                return _FORGED.format(place=place, part=part)
    budgeted = (body.get("thinking") or {}).get("type") == "enabled"
    if budgeted and asked.after_tool and len(turns) > 1:
        first = (_blocks(turns[-2]) or [{}])[0].get("type", "text")
        if first not in ("thinking", "redacted_thinking"):
            return _ANTHROPIC.format(place=len(turns) - 2, type=first)
    return ""


def _blocks(turn: Body) -> list[Body]:
    content = turn.get("content")
    return [block for block in content if isinstance(block, dict)] if content else []


def _gemini(asked: Asked, body: Body) -> str:
    """The first call of every step of the turn that runs; calls beside it carry none."""
    for place, turn in enumerate(body["contents"]):
        calls = [part for part in turn.get("parts") or () if "functionCall" in part]
        if not calls or turn.get("role") != "model":
            continue
        call = calls[0]["functionCall"]
        signed = calls[0].get("thoughtSignature")
        if not signed:
            return _GOOGLE.format(name=call["name"], place=place)
        if signed not in (_SKIP, seal(call["name"])):
            return "Thought signature is not valid."
    return ""


def _items(body: Body) -> list[Body]:
    """The input as items; one that is a mere text owes nothing."""
    items = body["input"]
    return [] if isinstance(items, str) else items


def _responses(asked: Asked, body: Body) -> str:
    """Every step that calls a function begins with a reasoning item that can be opened again."""
    thought = called = False
    for item in _items(body):
        kind = item.get("type", "message")
        if kind == "reasoning":
            told = "".join(part.get("text") or "" for part in item.get("summary") or ())
            if item.get("encrypted_content") != seal(told):
                return "The encrypted content could not be verified."
            thought = True
        elif kind == "function_call":
            if not thought:
                return _OPENAI.format(id=item["call_id"])
            called = True
        elif called:
            thought = called = False
    return ""


def _interactions(asked: Asked, body: Body) -> str:
    """A step that calls a function follows a thought with its signature."""
    thought = called = False
    for step in _items(body):
        kind = step.get("type")
        if kind == "thought":
            thought = bool(step.get("signature"))
        elif kind == "function_call":
            if not thought:
                return _GOOGLE.format(name=step["name"], place=0)
            called = True
        elif called:
            thought = called = False
    return ""


_RULES: dict[str, Callable[[Asked, Body], str]] = {
    "openai-chat": _chat,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "gemini-interactions": _interactions,
    "openai-responses": _responses,
}
