"""The typed-event dialect: tolerant in its names, strict about its end."""

from __future__ import annotations

from typing import Any

from tests.providers.audit.trap import Trap, body, sse

DONE = b"data: [DONE]\n\n"


def typed(kind: Any, text: Any = None, key: str = "content", **more: Any) -> dict[str, Any]:
    return {"type": kind, **({} if text is None else {key: text}), **more}


B = typed("answer", "b")
BOTH = {"reasoning": "a", "answer": "b", "finish": "stop", "failure": None}
OK = {"answer": "b", "finish": "stop", "failure": None}
COUNTED = {"prompt_tokens": 5, "completion_tokens": 9, "total_tokens": 14}


def names(key: str) -> Trap:
    text = sse(typed("reasoning", "a", key), typed("answer", "b", key), DONE)
    return Trap(f"text under {key}", text, BOTH, "typed-event")


def kinds(thinks: str, says: str) -> Trap:
    return Trap(f"{thinks} and {says}", sse(typed(thinks, "a"), typed(says, "b"), DONE), BOTH)


def ends(name: str, end: Any, **more: Any) -> Trap:
    return Trap(f"the end is {name}", sse(B, end), {**OK, **more})


TRAPS = (
    *map(names, ("content", "text", "delta", "token")),
    kinds("thinking", "content"),
    kinds("thought", "text"),
    kinds("REASONING", "Message"),
    *(ends(kind, typed(kind)) for kind in ("done", "end", "finished", "complete", "stop")),
    ends("a mark", DONE, finish_reason=None),
    ends("a mark and blanks", b"data: [DONE] \n\n"),
    ends("a word", {"done": True}),
    ends("a reason", typed("answer", "", finish_reason="length"), finish="length"),
    ends("another name of a reason", typed("message", stop_reason="max_tokens"), finish="length"),
    ends("a count", {"usage": COUNTED}, usage=(5, 0, 9, 0)),
    ends("a count at the top", typed("summary", reasoning_tokens=7), usage=(0, 0, 7, 7)),
    Trap(
        "reasoning beside the counts",
        sse(typed("reasoning", "a"), B, {"usage": {**COUNTED, "reasoning_tokens": 7}}, DONE),
        {**BOTH, "usage": (5, 0, 9, 7)},
    ),
    Trap(
        "reasoning outside the counts",
        sse(B, {"usage": {"input_tokens": 5, "output_tokens": 9}, "reasoning_tokens": 7}, DONE),
        {**OK, "usage": (5, 0, 9, 7)},
    ),
    Trap(
        "counts at the top",
        sse(B, {"reasoning_tokens": 7, "completion_tokens": 9, "prompt_tokens": 5}, DONE),
        {**OK, "usage": (5, 0, 9, 7)},
    ),
    Trap(
        "cached input",
        sse(B, {"usage": {**COUNTED, "prompt_tokens_details": {"cached_tokens": 3}}}, DONE),
        {**OK, "usage": (5, 3, 9, 0)},
    ),
    Trap(
        "total beyond the parts",
        sse(B, {"usage": {**COUNTED, "total_tokens": 20}}, DONE),
        {**OK, "usage": (5, 0, 15, 6)},
    ),
    Trap("null counts", sse(typed("reasoning", "a", usage=None), B, DONE), {**BOTH, "usage": None}),
    Trap("nothing said", sse(typed("reasoning"), typed("answer", ""), typed(None), B, DONE), OK),
    Trap("unknown types", sse(typed("ping"), typed("tool_call", "x"), B, DONE), OK),
    Trap("odd values", sse(typed(7, "x"), typed("answer", 7), typed("answer", ["x"]), B, DONE), OK),
    Trap("an answer before the reasoning", sse(B, typed("reasoning", "a"), DONE), BOTH),
    Trap("no end", sse(typed("reasoning", "a"), B), {"answer": "b", "failure": "cut"}),
    Trap("a torn event", sse(B) + b'data: {"type":"do', {"answer": "b", "failure": "cut"}),
    Trap(
        "an error",
        sse(B, typed("error", message="overloaded"), DONE),
        {"answer": "b", "failure": "overloaded"},
    ),
    Trap(
        "an error object",
        sse(B, {"error": {"code": 429, "message": "slow down"}}, DONE),
        {"answer": "b", "failure": "rate_limited"},
    ),
    Trap(
        "an error behind the end",
        sse(B, typed("done"), typed("error", message="x"), DONE),
        {**OK, "late": "server_error"},
    ),
    Trap(
        "a reason that is none",
        sse(B, typed("done", finish_reason="error")),
        {"answer": "b", "failure": "server_error"},
    ),
    Trap("no error", sse(typed("answer", "b", error=None), typed("done", error="")), OK),
    Trap(
        "an error outside the framing",
        sse(B) + b'error: {"message":"overloaded"}\n\n',
        {"answer": "b", "failure": "overloaded"},
    ),
    Trap(
        "a bare error",
        sse(B) + b'{"error": {"code": 503, "message": "x"}}',
        {"answer": "b", "failure": "overloaded"},
    ),
    Trap("a page", b"<html>502</html>\n", {"failure": "server_error"}),
    Trap("garbage", sse(B, b"data: {garbled\n\n", DONE), {"answer": "b", "failure": "malformed"}),
    Trap("no object", sse(B, [1], DONE), {"answer": "b", "failure": "malformed"}),
    Trap(
        "one document",
        body({"reasoning": "a", "answer": "b", "reasoning_tokens": 3, "completion_tokens": 5}),
        {**BOTH, "usage": (0, 0, 5, 3)},
        whole=True,
    ),
    Trap(
        "one document, other names",
        body({"reasoning_content": "a", "content": "b", "finish_reason": "stop"}),
        BOTH,
        whole=True,
    ),
    Trap("a document of a type", body(typed("answer", "b")), OK, whole=True),
    Trap(
        "a document with an error",
        body({"error": "overloaded"}),
        {"failure": "overloaded"},
        whole=True,
    ),
    Trap("half a document", body({"answer": "b"})[:-2], {"failure": "cut"}, whole=True),
    Trap(
        "a reason and counts in one event",
        sse(B, typed("done", finish_reason="length", usage=COUNTED, reasoning_tokens=7), DONE),
        {**OK, "finish": "length", "usage": (5, 0, 9, 7)},
    ),
    Trap(
        "a document in place of a stream",
        body({"reasoning": "a", "answer": "b", "finish_reason": "stop"}),
        BOTH,
    ),
    Trap(
        "an end that repeats the whole text",
        sse(typed("reasoning", "a"), B, {"done": True, "answer": "b", "reasoning": "a"}),
        BOTH,
    ),
    Trap(
        "a document that holds no text", body({"status": "queued"}), {"failure": "cut"}, whole=True
    ),
)
