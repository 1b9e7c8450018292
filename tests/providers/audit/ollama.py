"""Ollama's native door: lines of JSON, calls whole, the line with `done` the only end."""

from __future__ import annotations

from typing import Any

from tests.providers.audit.trap import Trap, body


def line(**more: Any) -> bytes:
    return body({"model": "m", "done": False, **more}) + b"\n"


def said(content: Any = "", **more: Any) -> bytes:
    return line(message={"role": "assistant", "content": content, **more})


def done(reason: Any = "stop", **more: Any) -> bytes:
    return line(done=True, done_reason=reason, message={"role": "assistant", "content": ""}, **more)


def call(name: Any = "f", arguments: Any = None, **more: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments, **more}}


COUNTS = {"prompt_eval_count": 7, "eval_count": 12, "eval_duration": 10**9}
OK = {"answer": "b", "finish": "stop", "failure": None}

TRAPS = (
    Trap(
        "reasoning in a field of its own",
        said(thinking="Hm") + said("", thinking=", ja") + said("b") + done(**COUNTS),
        {"reasoning": "Hm, ja", "answer": "b", "finish": "stop", "usage": (7, 0, 12, 10)},
    ),
    Trap("null everywhere", said(None, thinking=None, tool_calls=None) + said("b") + done(), OK),
    Trap("a line without a message", line() + line(message=None) + said("b") + done(), OK),
    Trap(
        "text in the last line", line(message={"content": "b"}, done=True, done_reason="stop"), OK
    ),
    Trap(
        "calls with arguments as objects, two of one name, and a stop that means calls",
        said(tool_calls=[call("f", {"a": [1, "é"]}), call("f", {"a": 2}, index=1)]) + done(),
        {"calls": [("f", '{"a": [1, "é"]}'), ("f", '{"a": 2}')], "finish": "tool_calls"},
    ),
    Trap(
        "calls in several lines",
        said(tool_calls=[call("f", {})]) + said(tool_calls=[call("g", {"x": 1})]) + done(),
        {"calls": [("f", "{}"), ("g", '{"x": 1}')], "ids": ["call_ollama_0", "call_ollama_1"]},
    ),
    Trap(
        "arguments as text",
        said(tool_calls=[call("f", '{"a":1}'), call("g", "")]) + done(),
        {"calls": [("f", '{"a":1}'), ("g", "{}")]},
    ),
    Trap(
        "no arguments, no function",
        said(tool_calls=[call("f"), {"function": {"name": "g"}}]) + done(),
        {"calls": [("f", "{}"), ("g", "{}")]},
    ),
    Trap(
        "a call with an id",
        said(tool_calls=[{"id": "c9", **call("f", {})}]) + done(),
        {"ids": ["c9"], "calls": [("f", "{}")]},
    ),
    Trap(
        "a prompt out of the cache", said("b") + done(eval_count=3), {**OK, "usage": (0, 0, 3, 0)}
    ),
    Trap("counts as floats", said("b") + done(eval_count=3.0, prompt_eval_count=2.0), OK),
    Trap("no counts at all", said("b") + done(), {**OK, "usage": None}),
    Trap("no reason", said("b") + line(done=True), OK),
    Trap("a reason nobody knows", said("b") + done("unload"), {**OK, "finish_reason": "unload"}),
    Trap(
        "a length",
        said("b", thinking="a") + done("length", **COUNTS),
        {"answer": "b", "finish": "length", "reasoning": "a"},
    ),
    Trap(
        "a length all of it reasoning",
        said("", thinking="a") + done("length", **COUNTS),
        {"answer": "", "finish": "length_in_reasoning", "usage": (7, 0, 12, 12)},
    ),
    Trap("no end", said("b"), {"answer": "b", "failure": "cut", "finish": None}),
    Trap("a torn line", said("b") + done()[:-30], {"answer": "b", "failure": "cut"}),
    Trap("nothing", b"", {"failure": "cut"}),
    Trap("no last line end", said("b") + done().rstrip(), OK),
    Trap("CRLF", (said("b") + done()).replace(b"\n", b"\r\n"), OK),
    Trap("a byte order mark", b"\xef\xbb\xbf" + said("b") + done(), OK),
    Trap("blank lines to keep alive", b"\n\n" + said("b") + b"\n \n" + done() + b"\n", OK),
    Trap(
        "think tags, cut anywhere",
        said("<th") + said("ink>a</thi") + said("nk>b") + done(),
        {"reasoning": "a", "answer": "b", "finish": "stop"},
    ),
    Trap("a tag that never closes", said("<think>a") + done(), {"reasoning": "a", "answer": ""}),
    Trap(
        "a tag in the middle of a text",
        said("b <think>c") + done(),
        {"reasoning": "", "answer": "b <think>c"},
    ),
    Trap(
        "an error line",
        said("b") + line(error="model runner overloaded"),
        {"answer": "b", "failure": "overloaded"},
    ),
    Trap(
        "an error alone",
        body({"error": "model 'x' not found"}) + b"\n",
        {"failure": "model_access"},
    ),
    Trap(
        "an error object",
        body({"error": {"message": "rate limit", "code": 429}}) + b"\n",
        {"failure": "rate_limited"},
    ),
    Trap("no error", said("b") + line(error=None) + done(), OK),
    Trap("no error beside a text", line(message={"content": "b"}, error=None) + done(error=""), OK),
    Trap("an error behind the end", said("b") + done() + line(error="late"), OK),
    Trap("a page", b"<html><body>502</body></html>\n", {"failure": "server_error"}),
    Trap("garbage", said("b") + b"{garbled\n" + done(), {"answer": "b", "failure": "malformed"}),
    Trap("another kind of line", said("b") + b"[1]\n" + done(), {"answer": "b"}),
    Trap("twice the end", said("b") + done() + done("length"), OK),
    Trap("text behind the end", said("b") + done() + said("c"), OK),
    Trap(
        "one document",
        body(
            {
                "model": "m",
                "message": {"content": "b", "thinking": "a", "tool_calls": [call("f", {"a": 1})]},
                "done": True,
                "done_reason": "stop",
                **COUNTS,
            }
        ),
        {"reasoning": "a", "answer": "b", "calls": [("f", '{"a": 1}')], "finish": "tool_calls"},
        whole=True,
    ),
    Trap(
        "a document behind blank lines",
        b"\n\r\n" + body({"message": {"content": "b"}, "done": True}) + b"\n",
        OK,
        whole=True,
    ),
    Trap(
        "a document with an error", body({"error": "busy"}), {"failure": "server_error"}, whole=True
    ),
    Trap(
        "half a document",
        body({"message": {"content": "b"}, "done": True})[:-3],
        {"failure": "cut"},
        whole=True,
    ),
)
