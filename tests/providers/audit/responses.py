"""Responses: typed events, one of three ends, an aggregate that may be empty."""

from __future__ import annotations

from typing import Any

from tests.providers.audit.trap import Trap, body, sse


def event(kind: str, **more: Any) -> bytes:
    return sse({"type": kind, "sequence_number": 1, **more}, name=kind)


def end(status: str = "completed", output: Any = (), **more: Any) -> bytes:
    reply = {"id": "r1", "model": "m", "status": status, "output": list(output), **more}
    return event(f"response.{status}", response=reply)


def text(value: Any, index: int = 0) -> bytes:
    return event("response.output_text.delta", output_index=index, delta=value)


def thinks(value: str, kind: str = "reasoning_summary_text") -> bytes:
    return event(f"response.{kind}.delta", output_index=0, delta=value)


def item(state: str, index: int, **more: Any) -> bytes:
    return event(f"response.output_item.{state}", output_index=index, item=more)


def call(index: int, *pieces: str, name: str = "f", **done: Any) -> bytes:
    made = {"type": "function_call", "id": f"i{index}", "call_id": f"c{index}", "name": name}
    told = b"".join(
        event("response.function_call_arguments.delta", output_index=index, delta=piece)
        for piece in pieces
    )
    shown = item("added", index, **made, arguments="") + told
    return shown + (item("done", index, **{**made, "id": "other"}, **done) if done else b"")


def usage(given: int, made: int, total: int, **more: Any) -> dict[str, Any]:
    return {"input_tokens": given, "output_tokens": made, "total_tokens": total, **more}


SAID = {"type": "message", "content": [{"type": "output_text", "text": "b"}]}
THOUGHT = {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "a"}]}
CALL = {"type": "function_call", "call_id": "c0", "name": "f", "arguments": '{"a":1}'}
REFUSED = {"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}
B, DONE = text("b"), end()
OK = {"answer": "b", "finish": "stop", "finish_reason": "completed", "failure": None}
CALLED = {"finish": "tool_calls", "failure": None}
QUOTA = {"type": "insufficient_quota", "code": "insufficient_quota", "message": "x"}


def said(name: str, *events: bytes, provider: str = "openai-responses", **wanted: Any) -> Trap:
    return Trap(name, b"".join(events), {**OK, **wanted}, provider)


def called(name: str, *events: bytes, wanted: Any, **more: Any) -> Trap:
    body = b"".join((*events, DONE))
    return Trap(name, body, {**CALLED, "calls": wanted, **more}, "openai-responses")


def broken(name: str, *events: bytes, cause: str, answer: str = "b") -> Trap:
    wanted = {"answer": answer, "failure": cause, "finish": None}
    return Trap(name, b"".join(events), wanted, "openai-responses")


def counted(name: str, told: Any, wanted: Any, **more: Any) -> Trap:
    return said(name, B, end(usage=told), usage=wanted, **more)


def document(name: str, wanted: Any, *output: Any, status: str = "completed", **more: Any) -> Trap:
    made = body({"id": "r1", "object": "response", "status": status, "output": output, **more})
    return Trap(name, made, wanted, "openai-responses", True)


TRAPS = (
    said(
        "no end mark",
        event("response.created", response={"id": "r1"}),
        event("response.in_progress", response={"id": "r1"}),
        B,
        DONE,
    ),
    said("an end mark where none belongs", B, b"data: [DONE] \n\n", DONE, b"data: [DONE]\n\n"),
    said("a summary", thinks("a"), B, DONE, reasoning="a"),
    said(
        "raw reasoning",
        thinks("a", "reasoning_text"),
        B,
        DONE,
        reasoning="a",
        provider="deepseek-responses",
    ),
    said(
        "both kinds of reasoning",
        thinks("a", "reasoning_text"),
        thinks("x"),
        B,
        DONE,
        reasoning="a",
    ),
    said(
        "a summary of several parts",
        event("response.reasoning_summary_part.added", summary_index=0),
        thinks("a"),
        event("response.reasoning_summary_text.done", text="a"),
        event("response.reasoning_summary_part.added", summary_index=1),
        thinks("c"),
        B,
        DONE,
        reasoning="ac",
    ),
    said(
        "events nobody knows",
        event("response.queued"),
        b'event: keepalive\ndata: {"type":"keepalive"}\n\n',
        event("response.web_search_call.searching"),
        B,
        DONE,
    ),
    said(
        "keep-alive comments",
        b": keepalive\n\n",
        B,
        b": keepalive\n\n",
        DONE,
        provider="xai-responses",
    ),
    said(
        "the same at the end of its part",
        B,
        event("response.output_text.done", text="b"),
        event("response.content_part.done", part={"text": "b"}),
        item("done", 0, **SAID),
        end(output=[SAID]),
    ),
    said("padding", event("response.output_text.delta", delta="b", obfuscation="xyz"), DONE),
    said("an empty aggregate", B, end(output=[])),
    said("only an aggregate", end(output=[THOUGHT, SAID]), reasoning="a"),
    said("no last blank line", B, DONE.rstrip()),
    said(
        "encrypted reasoning",
        item("done", 0, type="reasoning", id="rs", summary=[], encrypted_content="xx"),
        B,
        DONE,
        reasoning="",
    ),
    said(
        "a refusal",
        event("response.refusal.delta", delta="No"),
        event("response.refusal.delta", delta="."),
        event("response.refusal.done", refusal="No."),
        end(output=[REFUSED]),
        answer="",
        refusal="No.",
        finish="refusal",
    ),
    said(
        "a length",
        B,
        end("incomplete", incomplete_details={"reason": "max_output_tokens"}),
        finish="length",
        finish_reason="incomplete",
    ),
    said(
        "a filter",
        B,
        end("incomplete", incomplete_details={"reason": "content_filter"}),
        finish="content_filter",
        finish_reason="incomplete",
    ),
    said(
        "an early end with zeros",
        B,
        end("incomplete", incomplete_details={"reason": "max_output_tokens"}, usage=usage(0, 0, 0)),
        finish="length",
        usage=(0, 0, 0, 0),
        finish_reason="incomplete",
    ),
    said(
        "a length all of it reasoning",
        thinks("a"),
        end("incomplete", incomplete_details={"reason": "max_output_tokens"}),
        answer="",
        finish="length_in_reasoning",
        finish_reason="incomplete",
    ),
    called(
        "arguments in pieces",
        call(1, '{"a"', ":1}", arguments='{"a":1}'),
        wanted=[("f", '{"a":1}')],
        ids=["c1"],
    ),
    called(
        "two by turns",
        call(0),
        call(1),
        event("response.function_call_arguments.delta", output_index=1, delta='{"b":1}'),
        event("response.function_call_arguments.delta", output_index=0, delta="{}"),
        wanted=[("f", "{}"), ("f", '{"b":1}')],
        ids=["c0", "c1"],
    ),
    called(
        "arguments only when done",
        call(0),
        event("response.function_call_arguments.done", output_index=0, arguments='{"a":1}'),
        wanted=[("f", '{"a":1}')],
    ),
    called("arguments only with the item", call(0, arguments='{"a":1}'), wanted=[("f", '{"a":1}')]),
    called(
        "an item that is told when done alone",
        item("done", 0, **CALL),
        wanted=[("f", '{"a":1}')],
        ids=["c0"],
    ),
    called("arguments as an object", call(0, arguments={"a": 1}), wanted=[("f", '{"a":1}')]),
    called("no arguments", call(0, arguments=""), wanted=[("f", "{}")]),
    called("calls of the aggregate alone", end(output=[CALL]), wanted=[("f", '{"a":1}')]),
    counted(
        "reasoning inside",
        usage(
            9,
            12,
            21,
            output_tokens_details={"reasoning_tokens": 8},
            input_tokens_details={"cached_tokens": 4},
        ),
        (9, 4, 12, 8),
    ),
    counted("null details", usage(9, 12, 21, output_tokens_details=None), (9, 0, 12, 0)),
    counted("a total beyond", usage(9, 12, 30), (9, 0, 21, 0)),
    counted(
        "more reasoning than output",
        usage(9, 12, 21, output_tokens_details={"reasoning_tokens": 20}),
        (9, 0, 20, 20),
    ),
    counted(
        "a cost in ticks",
        usage(9, 12, 21, cost_in_usd_ticks=1000),
        (9, 0, 12, 0),
        cost=100,
        provider="xai-responses",
    ),
    counted("a cost", usage(9, 12, 21, cost=0.001), (9, 0, 12, 0), cost=1_000_000),
    counted("null usage", None, None),
    broken(
        "an error that is nested",
        B,
        event("error", error=QUOTA),
        end("failed", error=QUOTA),
        cause="quota",
    ),
    broken(
        "an error that is flat",
        B,
        event("error", code="rate_limit_exceeded", message="x", param=None),
        cause="rate_limited",
    ),
    broken(
        "a failed response",
        B,
        end("failed", error={"code": "server_error", "message": "x"}),
        cause="server_error",
    ),
    broken("a failed response without a word", B, end("failed", error=None), cause="server_error"),
    Trap(
        "a failed response says its own word",
        B + end("failed", error={"code": "server_error", "message": "x"}),
        {"failure": "server_error", "finish": None, "finish_reason": "failed"},
        "openai-responses",
    ),
    broken("a cancelled response", B, end("cancelled"), cause="server_error"),
    broken(
        "an error without a type", B, sse({"error": {"message": "overloaded"}}), cause="overloaded"
    ),
    broken("no end", B, cause="cut"),
    broken("the mark alone", B, b"data: [DONE]\n\n", cause="cut"),
    broken("a torn end", B, DONE[:-9], cause="cut"),
    broken("garbage", B, b"data: {garbled\n\n", DONE, cause="malformed"),
    document(
        "a document",
        {**OK, "reasoning": "a", "calls": [("f", '{"a":1}')], "finish": "tool_calls"},
        THOUGHT,
        SAID,
        CALL,
    ),
    document(
        "a document that says again what was asked",
        {**OK, "usage": (3, 0, 2, 0)},
        SAID,
        text={"format": {"type": "text"}, "verbosity": "medium"},
        error=None,
        reasoning={"effort": "low"},
        tool_choice={"type": "function", "name": "f"},
        tools=[{"type": "function", "name": "f", "parameters": {}}],
        instructions=[{"role": "system", "content": "x"}],
        usage=usage(3, 2, 5),
    ),
    document(
        "a document with raw reasoning",
        {**OK, "reasoning": "a"},
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "a"}]},
        SAID,
    ),
    document("a document that refuses", {"refusal": "No.", "finish": "refusal"}, REFUSED),
    document(
        "a document that ran out",
        {"answer": "b", "finish": "length"},
        SAID,
        status="incomplete",
        incomplete_details={"reason": "max_output_tokens"},
    ),
    document("a document that failed", {"failure": "quota"}, status="failed", error=QUOTA),
    document("a document that is not done", {"failure": "server_error"}, status="in_progress"),
    document(
        "reasoning as text",
        {"reasoning": "a", "answer": "b"},
        {"type": "reasoning", "summary": "a"},
        {"type": "message", "content": "b"},
    ),
    Trap(
        "a document with an error",
        body({"error": {"code": "rate_limit_exceeded", "message": "x"}}),
        {"failure": "rate_limited"},
        "openai-responses",
        True,
    ),
)
