"""Anthropic's Messages: blocks, cumulative counts, two ends."""

from __future__ import annotations

from typing import Any

from tests.providers.audit.trap import Trap, body, sse


def event(kind: str, **more: Any) -> bytes:
    return sse({"type": kind, **more}, name=kind)


def head(usage: Any = None) -> bytes:
    usage = {"input_tokens": 10, "output_tokens": 1} if usage is None else usage
    return event("message_start", message={"id": "m1", "model": "m", "content": [], "usage": usage})


def start(index: int, kind: str, **more: Any) -> bytes:
    return event("content_block_start", index=index, content_block={"type": kind, **more})


def delta(index: int, kind: str, **more: Any) -> bytes:
    return event("content_block_delta", index=index, delta={"type": f"{kind}_delta", **more})


def stop(index: int) -> bytes:
    return event("content_block_stop", index=index)


def text(value: str, index: int = 0) -> bytes:
    return start(index, "text", text="") + delta(index, "text", text=value) + stop(index)


def tool(index: int, name: str, *pieces: str, id: str = "t1", **more: Any) -> bytes:
    told = b"".join(delta(index, "input_json", partial_json=piece) for piece in pieces)
    made = {"id": id, "name": name, "input": {}, **more}
    return start(index, "tool_use", **made) + told + stop(index)


def last(reason: Any = "end_turn", usage: Any = None, **more: Any) -> bytes:
    usage = {"output_tokens": 12} if usage is None else usage
    return event("message_delta", delta={"stop_reason": reason, **more}, usage=usage)


THINKS = (
    start(0, "thinking", thinking="", signature="")
    + delta(0, "thinking", thinking="")
    + delta(0, "thinking", thinking="a")
    + delta(0, "signature", signature="s")
    + stop(0)
)
PING, END = event("ping"), event("message_stop")
B = head() + text("b")
DONE = last() + END
OK = {"answer": "b", "finish": "stop", "failure": None, "late": None}
BOTH = {**OK, "reasoning": "a"}
CALLED = {"finish": "tool_calls", "failure": None}


def said(name: str, *events: bytes, **wanted: Any) -> Trap:
    return Trap(name, b"".join(events), {**OK, **wanted}, "anthropic")


def called(name: str, *events: bytes, wanted: Any, **more: Any) -> Trap:
    stream = b"".join((head(), *events, last("tool_use"), END))
    return Trap(name, stream, {**CALLED, "calls": wanted, **more}, "anthropic")


def broken(name: str, *events: bytes, cause: str, answer: str = "b") -> Trap:
    wanted = {"answer": answer, "failure": cause, "finish": None}
    return Trap(name, b"".join(events), wanted, "anthropic")


def document(name: str, message: Any, wanted: Any) -> Trap:
    return Trap(name, body({"type": "message", "id": "m1", **message}), wanted, "anthropic", True)


def error(kind: str, message: str) -> bytes:
    return event("error", error={"type": kind, "message": message})


TRAPS = (
    said("thinking, then text", head(), THINKS, text("b", 1), DONE, reasoning="a"),
    said("a ping before anything", PING, head(), PING, text("b"), PING, DONE),
    said(
        "text before the thinking",
        head(),
        text("\n\n"),
        THINKS,
        text("b", 1),
        DONE,
        answer="\n\nb",
        reasoning="a",
    ),
    said(
        "thinking that is left out",
        head(),
        start(0, "thinking", thinking="", signature=""),
        delta(0, "signature", signature="s"),
        stop(0),
        text("b", 1),
        DONE,
        reasoning="",
    ),
    said(
        "redacted thinking",
        head(),
        start(0, "redacted_thinking", data="xx"),
        stop(0),
        text("b", 1),
        DONE,
        reasoning="",
    ),
    said("text at the start of its block", head(), start(0, "text", text="b"), stop(0), DONE),
    said(
        "citations",
        head(),
        start(0, "text", text="", citations=[]),
        delta(0, "citations", citation={"type": "x"}),
        delta(0, "text", text="b"),
        stop(0),
        DONE,
    ),
    said("padded JSON", (head() + text("b") + DONE).replace(b"}\n\n", b"    }  \n\n")),
    said(
        "tools of the server between texts",
        head(),
        text("b"),
        start(1, "server_tool_use", id="s", name="bash", input={}),
        delta(1, "input_json", partial_json='{"x":1}'),
        stop(1),
        start(2, "bash_code_execution_tool_result", tool_use_id="s", content={}),
        stop(2),
        text("c", 3),
        DONE,
        answer="bc",
        calls=[],
    ),
    said(
        "events and blocks nobody knows",
        head(),
        event("news", index=0),
        start(0, "hologram"),
        stop(0),
        text("b", 1),
        DONE,
    ),
    said("a pause", B, last("pause_turn"), END, finish_reason="pause_turn"),
    said("a stop sequence", B, last("stop_sequence", stop_sequence="x"), END),
    said("a length", B, last("max_tokens"), END, finish="length"),
    said("a full context", B, last("model_context_window_exceeded"), END, finish="length"),
    said(
        "a length all of it thinking",
        head(),
        THINKS,
        last("max_tokens"),
        END,
        answer="",
        reasoning="a",
        finish="length_in_reasoning",
    ),
    said(
        "a refusal",
        B,
        last("refusal", stop_details={"explanation": "No."}),
        END,
        finish="refusal",
        refusal="No.",
    ),
    said("a refusal without a word", B, last("refusal"), END, finish="refusal", refusal=""),
    said("no message_stop", B, last()),
    said("no blank line at the end", B, last(), END.rstrip()),
    said("a mark of a gateway", B, DONE, b"event: data\ndata: [DONE]\n\n"),
    said("a mark of a gateway before the end", B, last(), b"data: [DONE] \n\n"),
    said("names of events alone left out", (B + DONE).replace(b"event: ", b": ")),
    called(
        "arguments in pieces",
        tool(0, "f", "", '{"a"', ":1}"),
        wanted=[("f", '{"a":1}')],
        ids=["t1"],
    ),
    called("no arguments", tool(0, "f"), wanted=[("f", "{}")]),
    called(
        "arguments with the start of the call",
        tool(0, "f", input={"a": 1}),
        wanted=[("f", '{"a": 1}')],
    ),
    called(
        "arguments at the start and in pieces",
        tool(0, "f", '{"a": 2}', input={"a": 1}),
        wanted=[("f", '{"a": 2}')],
    ),
    called(
        "two of one name, the first index is one",
        tool(1, "f", "{}"),
        tool(2, "f", '{"a":1}', id="t2"),
        wanted=[("f", "{}"), ("f", '{"a":1}')],
        ids=["t1", "t2"],
    ),
    called(
        "thinking, text, call, text",
        THINKS,
        text("b", 1),
        tool(2, "f", "{}"),
        text("c", 3),
        wanted=[("f", "{}")],
        answer="bc",
        reasoning="a",
    ),
    Trap(
        "arguments that a length cuts",
        head() + tool(0, "f", '{"a": "x') + last("max_tokens") + END,
        {"calls": [("f", '{"a": "x')], "finish": "length"},
        "anthropic",
    ),
    said(
        "counts that overwrite",
        head({"input_tokens": 2225, "output_tokens": 88, "cache_read_input_tokens": 5}),
        text("b"),
        last(usage={"input_tokens": 9447, "output_tokens": 30}),
        END,
        usage=(9452, 5, 30, 0),
    ),
    said(
        "cache read and written",
        head(
            {
                "input_tokens": 3,
                "cache_creation_input_tokens": 20,
                "cache_read_input_tokens": 100,
                "output_tokens": 1,
            }
        ),
        text("b"),
        DONE,
        usage=(123, 100, 12, 0),
        written=20,
    ),
    said(
        "null counts",
        head(
            {
                "input_tokens": 3,
                "cache_creation_input_tokens": None,
                "cache_read_input_tokens": None,
                "output_tokens": 1,
            }
        ),
        text("b"),
        DONE,
        usage=(3, 0, 12, 0),
    ),
    said(
        "thinking that is itemised",
        head(),
        THINKS,
        text("b", 1),
        last(usage={"output_tokens": 12, "output_tokens_details": {"thinking_tokens": 9}}),
        END,
        usage=(10, 0, 12, 9),
    ),
    said(
        "several message_delta",
        B,
        event("message_delta", delta={}, usage={"output_tokens": 4}),
        DONE,
        usage=(10, 0, 12, 0),
    ),
    said("no usage at the end", B, event("message_delta", delta={"stop_reason": "end_turn"}), END),
    said("a late error", B, last(), error("api_error", "x"), late="server_error"),
    broken("overloaded", B, error("overloaded_error", "Overloaded"), cause="overloaded"),
    broken("a rate limit", B, error("rate_limit_error", "x"), cause="rate_limited"),
    broken("an error and a stop", B, error("api_error", "x"), END, cause="server_error"),
    broken(
        "an error in a line of its own",
        B,
        b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}',
        cause="overloaded",
    ),
    broken("no end", B, cause="cut"),
    broken("the mark alone", B, b"data: [DONE]\n\n", cause="cut"),
    broken("a torn end", B, last()[:-9], cause="cut"),
    broken("garbage", B, b"data: {garbled\n\n", DONE, cause="malformed"),
    broken("nothing", cause="cut", answer=""),
    document(
        "a document",
        {
            "content": [
                {"type": "thinking", "thinking": "a", "signature": "s"},
                {"type": "text", "text": "b"},
                {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
            ],
            "stop_reason": "tool_use",
            "usage": {"input_tokens": 1, "output_tokens": 8},
        },
        {"reasoning": "a", "answer": "b", "calls": [("f", '{"a": 1}')], "finish": "tool_calls"},
    ),
    document(
        "a document, arguments null or text",
        {
            "content": [
                {"type": "tool_use", "id": "t", "name": "f", "input": None},
                {"type": "tool_use", "id": "u", "name": "g", "input": '{"a":1}'},
            ],
            "stop_reason": "tool_use",
        },
        {"calls": [("f", "{}"), ("g", '{"a":1}')]},
    ),
    document(
        "a document without an end",
        {"content": [{"type": "text", "text": "b"}], "stop_reason": None},
        {"failure": "cut"},
    ),
    Trap(
        "a document that is an error",
        body({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}),
        {"failure": "overloaded"},
        "anthropic",
        True,
    ),
)
