"""How rows about chat completions are written."""

from __future__ import annotations

from typing import Any

from tests.providers.audit.trap import Trap, body, sse

DONE = b"data: [DONE]\n\n"


def chunk(delta: Any = None, finish: Any = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
    return {"id": "r", "object": "chat.completion.chunk", "model": "m", "choices": [choice], **more}


def says(text: Any, **more: Any) -> dict[str, Any]:
    return chunk({"content": text, **more})


def counts(prompt: Any, completion: Any, total: Any = None, **more: Any) -> dict[str, Any]:
    total = prompt + completion if total is None else total
    told = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
    return {**told, **more}


def thought(tokens: Any) -> dict[str, Any]:
    return {"completion_tokens_details": {"reasoning_tokens": tokens}}


def tool(index: Any = 0, id: Any = None, name: Any = None, arguments: Any = None) -> dict[str, Any]:
    made = {"index": index, "id": id, "function": {"name": name, "arguments": arguments}}
    if index is None:
        del made["index"]
    return made


def calls(*tools: Any, finish: Any = None, **more: Any) -> dict[str, Any]:
    return chunk({"tool_calls": list(tools), **more}, finish)


def whole(message: Any, finish: Any = "stop", **more: Any) -> bytes:
    return body(
        {"id": "r", "choices": [{"index": 0, "message": message, "finish_reason": finish}], **more}
    )


B, STOP = says("b"), chunk({}, "stop")
OK = {"answer": "b", "finish": "stop", "failure": None, "late": None}
BOTH = {**OK, "reasoning": "a"}
CALLED = {"finish": "tool_calls", "failure": None}
USAGE = counts(21, 27)
ENDED = {"choices": [], "usage": USAGE}
DETAIL = {"type": "reasoning.text", "text": "a", "index": 0, "format": "x"}
THINKS = {"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}
ERROR = {"error": {"message": "busy", "type": "server_error", "code": 503}}


def reasoning(name: str, *deltas: Any, provider: str = "generic") -> Trap:
    return Trap(name, sse(*map(chunk, deltas), B, STOP, DONE), BOTH, provider)


def ending(name: str, *end: Any, provider: str = "generic", **wanted: Any) -> Trap:
    return Trap(name, sse(B, *end), {**OK, **wanted}, provider)


def counted(name: str, usage: Any, wanted: Any, provider: str = "generic", **more: Any) -> Trap:
    return Trap(
        name,
        sse(B, chunk({}, "stop", usage=usage), DONE),
        {**OK, "usage": wanted, **more},
        provider,
    )


def broken(name: str, *end: Any, cause: str, provider: str = "generic") -> Trap:
    return Trap(name, sse(B, *end), {"answer": "b", "failure": cause, "finish": None}, provider)


def called(name: str, *chunks: Any, wanted: Any, provider: str = "generic", **more: Any) -> Trap:
    return Trap(name, sse(*chunks, DONE), {**CALLED, "calls": wanted, **more}, provider)
