"""generateContent: CRLF, whole calls, counts on every chunk, no end mark."""

from __future__ import annotations

from typing import Any

from tests.providers.audit.trap import Trap, body


def sse(*documents: Any) -> bytes:
    return b"".join(
        document if isinstance(document, bytes) else b"data: " + body(document) + b"\r\n\r\n"
        for document in documents
    )


def chunk(*parts: Any, finish: Any = None, **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": "m", "responseId": "r", **more}


def call(name: str = "f", args: Any = None, **more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": args, **more}}


def partial(*pieces: Any, **more: Any) -> dict[str, Any]:
    return {"functionCall": {"partialArgs": list(pieces), **more} if pieces else more}


def at(path: str, kind: str, value: Any) -> dict[str, Any]:
    return {"jsonPath": path, kind: value}


def meta(**counts: Any) -> dict[str, Any]:
    return {"usageMetadata": counts}


T = {"text": "b"}
THINKS = {"text": "a", "thought": True}
END = {"candidates": [{"finishReason": "STOP", "index": 0}], "modelVersion": "m"}
OK = {"answer": "b", "finish": "stop", "failure": None, "late": None}
BOTH = {**OK, "reasoning": "a"}
BARE = (
    b'{\n  "error": {\n    "code": 503,\n    "message": "x",\n    "status": "UNAVAILABLE"\n  }\n}\n'
)
OPENED = {"functionCall": {"name": "f", "willContinue": True}}


def said(name: str, *events: Any, **wanted: Any) -> Trap:
    return Trap(name, sse(*events), {**OK, **wanted}, "gemini")


def called(name: str, *events: Any, wanted: Any, **more: Any) -> Trap:
    told = {"finish": "tool_calls", "failure": None, "calls": wanted, **more}
    return Trap(name, sse(*events), told, "gemini")


def streamed(name: str, *pieces: Any, wanted: str) -> Trap:
    """Arguments path by path, opened by a name and closed by nothing."""
    parts = [chunk(partial(piece, willContinue=True)) for piece in pieces]
    return called(
        name, chunk(OPENED), *parts, chunk({"functionCall": {}}), END, wanted=[("f", wanted)]
    )


def counted(name: str, wanted: Any, *events: Any) -> Trap:
    return said(name, *events, usage=wanted)


def broken(name: str, *events: Any, cause: str, answer: str = "b", **more: Any) -> Trap:
    wanted = {"answer": answer, "failure": cause, "finish": None, **more}
    return Trap(name, sse(*events), wanted, "gemini")


def document(name: str, whole: Any, wanted: Any) -> Trap:
    return Trap(name, body(whole), wanted, "gemini", True)


def filtered(reason: str) -> Trap:
    return said(reason.lower(), chunk(T, finish=reason), finish="content_filter")


TRAPS = (
    said("a thought, then text", chunk(THINKS), chunk(T), chunk(finish="STOP"), reasoning="a"),
    said("both in one chunk", chunk(THINKS, T, finish="STOP"), reasoning="a"),
    said("a thought that is none", chunk({"text": "b", "thought": False}), END, reasoning=""),
    said("a finish without content", chunk(T), END),
    said(
        "a finish with content that has no parts",
        chunk(T),
        {"candidates": [{"content": {"role": "model"}, "finishReason": "STOP"}]},
    ),
    said(
        "nulls",
        chunk(T),
        {"candidates": None, "usageMetadata": None, "promptFeedback": None},
        {"candidates": [{"content": None, "finishReason": None}]},
        END,
    ),
    said(
        "a signature on a last empty part",
        chunk(T),
        chunk({"text": "", "thoughtSignature": "s"}, finish="STOP"),
        reasoning="",
    ),
    said(
        "parts that are no text",
        chunk({"executableCode": {"code": "1"}}, {"inlineData": {"data": "x"}}, T, finish="STOP"),
    ),
    said(
        "several candidates",
        {
            "candidates": [
                {"index": 1, "content": {"parts": [{"text": "x"}]}, "finishReason": "MAX_TOKENS"}
            ]
        },
        chunk(T, finish="STOP"),
    ),
    said("twice the finish", chunk(T, finish="STOP"), END),
    said("text with the finish", chunk({"text": ""}), chunk(T, finish="STOP")),
    said("text behind the finish", chunk(finish="STOP"), chunk(T)),
    said("an end mark where none belongs", chunk(T, finish="STOP"), b"data: [DONE]\n\n"),
    said("no blank line at the end", sse(chunk(T)), sse(END).rstrip()),
    said("a length", chunk(T, finish="MAX_TOKENS"), finish="length", finish_reason="MAX_TOKENS"),
    said(
        "a length all of it hidden",
        {**chunk(finish="MAX_TOKENS"), **meta(promptTokenCount=4, thoughtsTokenCount=9)},
        answer="",
        finish="length_in_reasoning",
    ),
    *map(
        filtered,
        (
            "SAFETY",
            "RECITATION",
            "PROHIBITED_CONTENT",
            "BLOCKLIST",
            "SPII",
            "LANGUAGE",
            "IMAGE_SAFETY",
        ),
    ),
    *(
        broken(reason.lower(), chunk(T, finish=reason), cause="server_error", finish_reason=reason)
        for reason in ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "OTHER")
    ),
    said("a reason nobody knows", chunk(T, finish="SLEEPY"), finish_reason="SLEEPY"),
    called(
        "calls and a STOP",
        chunk(call("f", {"a": 1})),
        chunk(call("f", {"a": 2}), finish="STOP"),
        wanted=[("f", '{"a": 1}'), ("f", '{"a": 2}')],
        ids=["call_r_0", "call_r_1"],
    ),
    called(
        "two in one chunk, one with an id",
        chunk(call("f", {}, id="c9"), call("g", {}), finish="STOP"),
        wanted=[("f", "{}"), ("g", "{}")],
        ids=["c9", "call_r_1"],
    ),
    called(
        "a thought, a text, a signed call",
        chunk(THINKS),
        chunk(T),
        chunk({**call("f", {}), "thoughtSignature": "s"}, finish="STOP"),
        wanted=[("f", "{}")],
        answer="b",
        reasoning="a",
    ),
    called(
        "a sign of the thought and calls",
        chunk({"text": "", "thought": True, "thought_signature": "s"}),
        chunk(call("f", {})),
        END,
        wanted=[("f", "{}")],
    ),
    called(
        "no arguments, and null",
        chunk({"functionCall": {"name": "f"}}, call("g")),
        END,
        wanted=[("f", "{}"), ("g", "{}")],
    ),
    called("arguments as text", chunk(call("f", '{"a":1}')), END, wanted=[("f", '{"a":1}')]),
    streamed(
        "a string by its path",
        at("$.a", "stringValue", "x"),
        at("$.a", "stringValue", "y"),
        wanted='{"a":"xy"}',
    ),
    streamed(
        "all kinds of values",
        at("$.a", "numberValue", 1),
        at("$.b", "boolValue", True),
        at("$.c", "nullValue", None),
        wanted='{"a":1,"b":true,"c":null}',
    ),
    streamed(
        "lists and nesting",
        at("$.a[0].b", "stringValue", "x"),
        at("$.a[1]['c d']", "numberValue", 2),
        at("$.a[0].b", "stringValue", "!"),
        at("$.e[0]", "numberValue", 1),
        at("$.e[0]", "numberValue", 2),
        wanted='{"a":[{"b":"x!"},{"c d":2}],"e":[2]}',
    ),
    streamed(
        "paths that lead nowhere",
        at("$", "stringValue", "x"),
        at("$[0]", "numberValue", 1),
        at("$.a[7]", "numberValue", 1),
        {"jsonPath": 7},
        at("$.b.c", "numberValue", 1),
        at("$.b[0]", "numberValue", 1),
        at("$.d", "numberValue", 1),
        at("$.d.e", "numberValue", 1),
        wanted='{"a":[],"b":{"c":1},"d":1}',
    ),
    called(
        "two that come by paths, one after the other",
        chunk(OPENED),
        chunk(partial(at("$.a", "numberValue", 1))),
        chunk(
            {
                "functionCall": {
                    "name": "g",
                    "partialArgs": [at("$.b", "numberValue", 2)],
                    "willContinue": True,
                }
            }
        ),
        chunk(finish="STOP"),
        wanted=[("f", '{"a":1}'), ("g", '{"b":2}')],
    ),
    counted(
        "counts on every chunk, the last is the word",
        (9, 3, 14, 6),
        chunk(T, **meta(promptTokenCount=12, candidatesTokenCount=1)),
        chunk(
            finish="STOP",
            **meta(
                promptTokenCount=9,
                candidatesTokenCount=8,
                thoughtsTokenCount=6,
                cachedContentTokenCount=3,
                totalTokenCount=23,
            ),
        ),
    ),
    counted(
        "hidden thoughts",
        (9, 0, 14, 6),
        chunk(
            T,
            finish="STOP",
            **meta(promptTokenCount=9, candidatesTokenCount=8, thoughtsTokenCount=6),
        ),
    ),
    counted(
        "no candidates counted",
        (9, 0, 6, 6),
        chunk(T, finish="STOP", **meta(promptTokenCount=9, thoughtsTokenCount=6)),
    ),
    counted(
        "input that tools wrote",
        (9, 0, 8, 0),
        chunk(
            T,
            finish="STOP",
            **meta(promptTokenCount=9, toolUsePromptTokenCount=4, candidatesTokenCount=8),
        ),
    ),
    counted(
        "odd numbers",
        (9, 0, 8, 0),
        chunk(
            T,
            finish="STOP",
            **meta(promptTokenCount="9", candidatesTokenCount=8.0, thoughtsTokenCount=-1),
        ),
    ),
    said(
        "counts behind the finish",
        chunk(T, finish="STOP"),
        {**meta(promptTokenCount=9, candidatesTokenCount=8)},
        usage=(9, 0, 8, 0),
    ),
    said("no counts", chunk(T, finish="STOP"), usage=None),
    said("a bare error behind the finish", chunk(T, finish="STOP"), BARE, late="overloaded"),
    broken("a bare error", chunk(T), BARE, cause="overloaded"),
    broken("a bare error in a list", chunk(T), b"[" + BARE.strip() + b"]\n", cause="overloaded"),
    broken(
        "an error in an event",
        chunk(T),
        {"error": {"code": 429, "message": "x", "status": "RESOURCE_EXHAUSTED"}},
        cause="rate_limited",
    ),
    broken(
        "a blocked prompt",
        {"promptFeedback": {"blockReason": "SAFETY"}, **meta(promptTokenCount=4)},
        cause="content_filter",
        answer="",
    ),
    broken("no finish", chunk(T), cause="cut"),
    broken("a torn finish", sse(chunk(T)), sse(END)[:-9], cause="cut"),
    broken("garbage", chunk(T), b"data: {garbled\r\n\r\n", END, cause="malformed"),
    broken("a page", chunk(T), b"<html>502</html>\n", cause="server_error"),
    document(
        "a document",
        {
            **chunk(THINKS, T, call("f", {"a": 1}), finish="STOP"),
            **meta(promptTokenCount=9, candidatesTokenCount=8, thoughtsTokenCount=6),
        },
        {**BOTH, "finish": "tool_calls", "calls": [("f", '{"a": 1}')], "usage": (9, 0, 14, 6)},
    ),
    document(
        "a blocked document",
        {"promptFeedback": {"blockReason": "OTHER"}},
        {"failure": "content_filter"},
    ),
    document(
        "a document with an error",
        {"error": {"code": 503, "message": "x"}},
        {"failure": "overloaded"},
    ),
    document(
        "errors in a list", [{"error": {"code": 503, "message": "x"}}], {"failure": "overloaded"}
    ),
    document("a document without an end", chunk(T), {"answer": "b", "failure": "cut"}),
)
