"""Interactions: steps, their deltas, and one event that completes them."""

from __future__ import annotations

from typing import Any

from tests.providers.audit.trap import Trap, body, sse


def event(kind: str, **more: Any) -> bytes:
    return sse({"event_type": kind, **more}, name=kind)


def delta(index: int, kind: str, **more: Any) -> bytes:
    return event("step.delta", index=index, delta={"type": kind, **more})


def start(index: int, kind: str, **more: Any) -> bytes:
    return event("step.start", index=index, step={"type": kind, **more})


def stop(index: int) -> bytes:
    return event("step.stop", index=index)


def end(status: str = "completed", **more: Any) -> bytes:
    made = {"id": "i1", "model": "m", "status": status, **more}
    return event("interaction.completed", interaction=made)


def call(index: int, *pieces: str, **more: Any) -> bytes:
    told = b"".join(delta(index, "arguments_delta", arguments=piece) for piece in pieces)
    step = {"id": f"c{index}", "name": "f", **more}
    return start(index, "function_call", **step) + told + stop(index)


HEAD = event("interaction.created", interaction={"id": "i1", "status": "in_progress"})
B = start(1, "model_output") + delta(1, "text", text="b") + stop(1)
MARK = b"event: done\ndata: [DONE]\n\n"
DONE = end() + MARK
USAGE = {"total_input_tokens": 9, "total_output_tokens": 8, "total_thought_tokens": 6}
OK = {"answer": "b", "finish": "stop", "failure": None, "late": None}
THINKS = (
    start(0, "thought")
    + delta(0, "thought_summary", content={"type": "text", "text": "a"})
    + delta(0, "thought_signature", signature="s")
    + stop(0)
)


def said(name: str, *events: bytes, **wanted: Any) -> Trap:
    return Trap(name, b"".join(events), {**OK, **wanted}, "gemini-interactions")


def called(name: str, *events: bytes, wanted: Any, **more: Any) -> Trap:
    made = b"".join((HEAD, *events, end("requires_action"), MARK))
    told = {"finish": "tool_calls", "failure": None, "calls": wanted, **more}
    return Trap(name, made, told, "gemini-interactions")


def broken(name: str, *events: bytes, cause: str) -> Trap:
    wanted = {"answer": "b", "failure": cause, "finish": None}
    return Trap(name, b"".join((HEAD, B, *events)), wanted, "gemini-interactions")


def document(name: str, wanted: Any, **more: Any) -> Trap:
    return Trap(name, body({"id": "i1", **more}), wanted, "gemini-interactions", True)


TRAPS = (
    said("a thought, then text", HEAD, THINKS, B, DONE, reasoning="a"),
    said(
        "steps that begin with their first words",
        HEAD,
        start(0, "thought", summary=[{"type": "text", "text": "a"}], signature="")
        + delta(0, "thought_summary", content={"type": "text", "text": "c"})
        + stop(0),
        start(1, "model_output", content=[{"type": "text", "text": "b"}])
        + delta(1, "text", text="d")
        + stop(1),
        DONE,
        reasoning="ac",
        answer="bd",
    ),
    said(
        "a tool that the server runs itself",
        HEAD,
        start(0, "google_search_call", id="g", arguments={"queries": ["x"]}, signature="s")
        + delta(0, "google_search_call", arguments={"queries": ["x"]}, signature="s")
        + stop(0),
        start(2, "google_search_result", result=[{"title": "x"}])
        + delta(2, "google_search_result", content=[{"x": 1}], result=[{"title": "x"}])
        + stop(2),
        B,
        DONE,
        calls=[],
        reasoning="",
    ),
    broken(
        "an output that failed",
        start(2, "model_output", error={"code": 503, "message": "overloaded"}),
        cause="overloaded",
    ),
    broken(
        "a refusal in a line of its own",
        b'{"error": {"code": "prohibited_content", "message": "x"}}\n\n',
        cause="content_filter",
    ),
    said("a thought without an inner", delta(0, "thought", text="a"), B, DONE, reasoning="a"),
    said(
        "events nobody knows",
        HEAD,
        event("interaction.status_update", status="in_progress"),
        event("news"),
        delta(1, "hologram", text="x"),
        B,
        DONE,
    ),
    said("no end mark", HEAD, B, end()),
    said("an end mark with blanks", HEAD, B, end(), b"event: done\ndata: [DONE] \n\n"),
    said(
        "counts beside the thoughts",
        HEAD,
        THINKS,
        B,
        end(usage=USAGE),
        MARK,
        usage=(9, 0, 14, 6),
        reasoning="a",
    ),
    said(
        "counts in the metadata",
        HEAD,
        sse({"event_type": "step.stop", "index": 1, "metadata": {"usage": USAGE}}),
        B,
        DONE,
        usage=(9, 0, 14, 6),
    ),
    said(
        "cached input and what tools wrote",
        HEAD,
        B,
        end(usage={**USAGE, "total_cached_tokens": 3, "total_tool_use_tokens": 4}),
        MARK,
        usage=(9, 3, 14, 6),
    ),
    said("null counts", HEAD, B, end(usage=None), MARK, usage=None),
    said("a length", HEAD, B, end("incomplete"), MARK, finish="length"),
    said(
        "a length all of it thought",
        HEAD,
        THINKS,
        end("incomplete"),
        MARK,
        answer="",
        reasoning="a",
        finish="length_in_reasoning",
    ),
    called("arguments in pieces", call(1, '{"a"', ":1}"), wanted=[("f", '{"a":1}')], ids=["c1"]),
    called("arguments with the start", call(1, arguments={"a": 1}), wanted=[("f", '{"a":1}')]),
    called(
        "arguments with the start and in pieces",
        call(1, '{"a":2}', arguments={"a": 1}),
        wanted=[("f", '{"a":2}')],
    ),
    called("no arguments", call(1), wanted=[("f", "{}")]),
    called(
        "two of one name",
        call(1, "{}"),
        call(2, '{"b":1}'),
        wanted=[("f", "{}"), ("f", '{"b":1}')],
        ids=["c1", "c2"],
    ),
    called(
        "a start without a stop",
        start(1, "function_call", name="f", arguments={"a": 1}),
        wanted=[("f", '{"a":1}')],
        ids=["call_i1_0"],
    ),
    said(
        "a late error", HEAD, B, end(), event("error", error={"message": "x"}), late="server_error"
    ),
    broken("an error", event("error", error={"code": 429, "message": "x"}), cause="rate_limited"),
    broken("a failed interaction", end("failed"), cause="server_error"),
    broken("a cancelled interaction", end("cancelled"), cause="server_error"),
    broken("no end", cause="cut"),
    broken("the mark alone", MARK, cause="cut"),
    broken("a torn end", end()[:-9], cause="cut"),
    broken("garbage", b"data: {garbled\n\n", DONE, cause="malformed"),
    broken(
        "an error in a line of its own",
        b'{"error": {"code": 503, "message": "x"}}\n',
        cause="overloaded",
    ),
    document(
        "a document of steps",
        {
            **OK,
            "reasoning": "a",
            "calls": [("f", '{"a":1}')],
            "finish": "tool_calls",
            "usage": (9, 0, 14, 6),
        },
        status="requires_action",
        usage=USAGE,
        steps=[
            {"type": "thought", "summary": [{"type": "text", "text": "a"}], "signature": "s"},
            {"type": "model_output", "content": [{"type": "text", "text": "b"}]},
            {"type": "function_call", "id": "c", "name": "f", "arguments": {"a": 1}},
        ],
    ),
    document(
        "a document of outputs",
        {**OK, "reasoning": "a"},
        status="completed",
        outputs=[{"type": "thought", "text": "a", "signature": "s"}, {"type": "text", "text": "b"}],
    ),
    document("a document that failed", {"failure": "server_error"}, status="failed"),
    document(
        "a document with an error", {"failure": "overloaded"}, error={"code": 503, "message": "x"}
    ),
)
