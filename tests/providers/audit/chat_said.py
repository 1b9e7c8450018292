"""Chat completions: reasoning, answers and tool calls, in the ways of the providers."""

from __future__ import annotations

from tests.providers.audit.chat_words import (
    BOTH,
    CALLED,
    DETAIL,
    DONE,
    OK,
    STOP,
    THINKS,
    B,
    called,
    calls,
    chunk,
    reasoning,
    says,
    tool,
    whole,
)
from tests.providers.audit.trap import Trap, sse

REASONING = (
    reasoning(
        "reasoning_content", {"reasoning_content": "a", "content": None}, provider="deepseek"
    ),
    reasoning(
        "reasoning with an empty content",
        {"role": "assistant", "content": "", "reasoning": "a"},
        provider="openrouter",
    ),
    reasoning(
        "all keys there and null",
        {"role": None, "content": None, "reasoning_content": "a", "tool_calls": None},
        {"content": None, "reasoning_content": None},
        provider="sglang",
    ),
    reasoning(
        "the same twice, reasoning and details",
        {"content": "", "reasoning": "a", "reasoning_details": [DETAIL]},
        provider="openrouter",
    ),
    reasoning(
        "the same twice, reasoning_content and details",
        {"reasoning_content": "a", "reasoning_details": [DETAIL]},
        provider="avian",
    ),
    reasoning(
        "both names of one text", {"reasoning": "a", "reasoning_content": "a"}, provider="vllm"
    ),
    reasoning("details alone", {"reasoning_details": [DETAIL]}, provider="openrouter"),
    reasoning(
        "a summary in the details",
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "a"}]},
        provider="openrouter",
    ),
    reasoning(
        "encrypted details behind the text",
        {"reasoning": "a", "reasoning_details": [DETAIL]},
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "xx", "index": 1}]},
        provider="openrouter",
    ),
    Trap(
        "encrypted details alone",
        sse(
            chunk({"reasoning_details": [{"type": "reasoning.encrypted", "data": "xx"}]}),
            B,
            STOP,
            DONE,
        ),
        {**OK, "reasoning": ""},
        "openrouter",
    ),
    reasoning(
        "Claude's blocks beside the text",
        {"content": "", "content_blocks": [{"index": 0, "delta": {"thinking": "a"}}]},
        {"content": "", "content_blocks": [{"index": 0, "delta": {"signature": "x"}}]},
        {"content": "", "content_blocks": [{"index": 1, "delta": {"text": ""}}]},
        provider="portkey",
    ),
    reasoning(
        "blocks that are none",
        {"reasoning_content": "a", "content_blocks": "x"},
        {"content_blocks": [None, {"delta": 3}, {"thinking": 4}]},
        provider="portkey",
    ),
    Trap(
        "Claude's blocks in a document",
        whole(
            {
                "content": "b",
                "content_blocks": [
                    {"type": "thinking", "thinking": "a", "signature": "x"},
                    {"type": "text", "text": "b"},
                ],
            }
        ),
        BOTH,
        "portkey",
        whole=True,
    ),
    reasoning("thinking parts", {"content": [THINKS]}, provider="mistral"),
    reasoning(
        "thinking parts closed early", {"content": [{**THINKS, "closed": True}]}, provider="mistral"
    ),
    Trap(
        "thinking and text in one array",
        sse(
            chunk({"content": [{**THINKS, "closed": True}, {"type": "text", "text": "b"}]}),
            STOP,
            DONE,
        ),
        BOTH,
        "mistral",
    ),
    Trap("text parts alone", sse(says([{"type": "text", "text": "b"}]), STOP, DONE), OK, "mistral"),
    Trap(
        "a part of another kind",
        sse(
            says([{"type": "reference", "reference_ids": [1]}, {"type": "text", "text": "b"}]),
            STOP,
            DONE,
        ),
        OK,
        "mistral",
    ),
    Trap("a think tag", sse(says("<think>a</think>b"), STOP, DONE), BOTH, "together"),
    Trap("a think tag at Mistral", sse(says("<think>a</think>b"), STOP, DONE), BOTH, "mistral"),
    Trap("a think tag at Azure", sse(says("<think>a</think>b"), STOP, DONE), BOTH, "azure"),
    Trap(
        "a think tag in pieces",
        sse(*map(says, "\n<think>"), *map(says, "a</think>b"), STOP, DONE),
        BOTH,
        "huggingface",
    ),
    Trap(
        "a think tag that nobody closes",
        sse(says("<think>a"), chunk({}, "length"), DONE),
        {"reasoning": "a", "answer": "", "finish": "length_in_reasoning"},
        "together",
    ),
    Trap(
        "a think tag of a document",
        whole({"content": "<think>\na</think>b"}),
        {**OK, "reasoning": "\na"},
        "groq",
        whole=True,
    ),
    Trap("a tag of a compatible door", sse(says("<thought>a</thought>b"), STOP, DONE), BOTH),
    Trap("a tag further on", sse(says("b <think>"), STOP, DONE), {**OK, "answer": "b <think>"}),
    Trap(
        "a tag where none is told apart",
        sse(says("<think>b"), STOP, DONE),
        {**OK, "answer": "<think>b", "reasoning": ""},
        "openai",
    ),
    Trap(
        "reasoning that goes on behind the answer",
        sse(chunk({"reasoning_content": "a"}), B, chunk({"reasoning_content": "c"}), STOP, DONE),
        {**OK, "reasoning": "ac"},
        "avian",
    ),
    Trap(
        "a document with reasoning",
        whole({"content": "b", "reasoning_content": "a"}),
        BOTH,
        "deepseek",
        whole=True,
    ),
    Trap(
        "a document with both",
        whole({"content": "b", "reasoning": "a", "reasoning_details": [DETAIL]}),
        BOTH,
        "openrouter",
        whole=True,
    ),
    Trap(
        "a document of parts",
        whole({"content": [THINKS, {"type": "text", "text": "b"}]}),
        BOTH,
        "mistral",
        whole=True,
    ),
)
TOOLS = (
    called(
        "arguments in pieces",
        calls(tool(0, "c0", "f", "")),
        calls(tool(0, None, None, '{"a"')),
        calls(tool(0, None, None, ":1}")),
        chunk({}, "tool_calls"),
        wanted=[("f", '{"a":1}')],
        ids=["c0"],
    ),
    called(
        "two at once, in the finish chunk",
        calls(
            tool(0, "c0", "f", "{}"), tool(1, "c1", "f", '{"b":2}'), finish="tool_calls", content=""
        ),
        wanted=[("f", "{}"), ("f", '{"b":2}')],
        provider="mistral",
    ),
    called(
        "two by turns",
        calls(tool(0, "c0", "f", "")),
        calls(tool(1, "c1", "g", "")),
        calls(tool(0, None, None, "{}")),
        calls(tool(1, None, None, "{}")),
        chunk({}, "tool_calls"),
        wanted=[("f", "{}"), ("g", "{}")],
    ),
    called(
        "no index",
        calls(tool(None, "c0", "f", "{}"), tool(None, "c1", "f", "{}"), finish="tool_calls"),
        wanted=[("f", "{}"), ("f", "{}")],
        ids=["c0", "c1"],
        provider="mistral",
    ),
    called(
        "no index and no id",
        calls(tool(None, "", "f", "{}"), tool(None, "", "g", "{}"), finish="tool_calls"),
        wanted=[("f", "{}"), ("g", "{}")],
    ),
    called(
        "null for an index",
        calls(
            {"index": None, "id": "c", "function": {"name": "f", "arguments": "{}"}},
            finish="tool_calls",
        ),
        wanted=[("f", "{}")],
    ),
    called(
        "an empty id",
        calls(tool(0, "", "f", "{}"), finish="stop"),
        wanted=[("f", "{}")],
        ids=["call_r_0"],
    ),
    called(
        "an empty name in later pieces",
        calls(tool(0, "c", "f", '{"a"')),
        calls(tool(0, "null", "", ":1}"), finish="tool_calls"),
        wanted=[("f", '{"a":1}')],
        provider="mistral",
    ),
    called(
        "a name that comes late",
        calls(tool(0, "c", None, '{"a"')),
        calls(tool(0, None, "f", ":1}")),
        chunk({}, "tool_calls"),
        wanted=[("f", '{"a":1}')],
    ),
    called(
        "the first index is one",
        calls(tool(1, "c", "f", "{}"), finish="tool_calls"),
        wanted=[("f", "{}")],
    ),
    called(
        "all numbered nought",
        calls(tool(0, "c0", "f", "{}")),
        calls(tool(0, "c1", "g", "{}")),
        chunk({}, "tool_calls"),
        wanted=[("f", "{}"), ("g", "{}")],
    ),
    called("no arguments", calls(tool(0, "c", "f", ""), finish="tool_calls"), wanted=[("f", "{}")]),
    called(
        "null for arguments", calls(tool(0, "c", "f"), finish="tool_calls"), wanted=[("f", "{}")]
    ),
    called(
        "arguments as an object",
        calls(tool(0, "c", "f", {"a": 1}), finish="tool_calls"),
        wanted=[("f", '{"a":1}')],
    ),
    called(
        "text, call, text, call",
        B,
        calls(tool(0, "c0", "f", "{}")),
        B,
        calls(tool(1, "c1", "g", "{}")),
        chunk({}, "tool_calls"),
        wanted=[("f", "{}"), ("g", "{}")],
        answer="bb",
        provider="avian",
    ),
    called("a stop that means calls", calls(tool(0, "c", "f", "{}")), STOP, wanted=[("f", "{}")]),
    called(
        "the old function_call",
        chunk({"function_call": {"name": "f", "arguments": ""}}),
        chunk({"function_call": {"arguments": "{}"}}),
        chunk({}, "function_call"),
        wanted=[("f", "{}")],
    ),
    called(
        "null and empty lists of calls",
        chunk({"content": "b", "tool_calls": []}),
        chunk({"content": None, "tool_calls": None}),
        calls(tool(0, "c", "f", "{}")),
        chunk({}, "tool_calls"),
        wanted=[("f", "{}")],
        answer="b",
    ),
    Trap(
        "arguments that a length cuts",
        sse(calls(tool(0, "c", "f", '{"a": "x')), chunk({}, "length"), DONE),
        {"calls": [("f", '{"a": "x')], "finish": "length"},
        "deepseek",
    ),
    Trap(
        "a document with calls",
        whole(
            {
                "content": None,
                "tool_calls": [tool(None, "c", "f", '{"a":1}'), tool(None, "d", "f", "{}")],
            },
            "tool_calls",
        ),
        {**CALLED, "calls": [("f", '{"a":1}'), ("f", "{}")]},
        "xai",
        whole=True,
    ),
)

TRAPS = (*REASONING, *TOOLS)
