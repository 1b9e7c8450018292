"""Chat completions: ends, refusals, counts and errors, in the ways of the providers."""

from __future__ import annotations

from tests.providers.audit.chat_words import (
    DONE,
    ENDED,
    ERROR,
    OK,
    STOP,
    USAGE,
    B,
    broken,
    chunk,
    counted,
    counts,
    ending,
    thought,
    whole,
)
from tests.providers.audit.trap import Trap, body, sse

ENDS = (
    ending(
        "usage in the finish chunk",
        chunk({"content": ""}, "stop", usage=USAGE),
        DONE,
        usage=(21, 0, 27, 0),
        provider="deepseek",
    ),
    ending("usage in a chunk of its own", STOP, ENDED, DONE, usage=(21, 0, 27, 0)),
    ending(
        "usage beside an empty delta",
        STOP,
        chunk({}, None, usage=USAGE),
        DONE,
        usage=(21, 0, 27, 0),
        provider="litellm",
    ),
    ending(
        "the finish twice, usage with the second",
        STOP,
        chunk({"content": ""}, "stop", usage=USAGE),
        DONE,
        usage=(21, 0, 27, 0),
        provider="openrouter",
    ),
    ending(
        "usage that grows with every chunk",
        chunk({}, None, usage=counts(21, 3)),
        chunk({}, "stop", usage=USAGE),
        usage=(21, 0, 27, 0),
        provider="perplexity",
    ),
    ending(
        "usage in x_groq and again",
        chunk({}, "stop", x_groq={"id": "q", "usage": USAGE}),
        ENDED,
        DONE,
        usage=(21, 0, 27, 0),
        provider="groq",
    ),
    ending(
        "usage in x_groq alone",
        chunk({}, "stop", x_groq={"id": "q", "usage": USAGE}),
        DONE,
        usage=(21, 0, 27, 0),
        provider="groq",
    ),
    ending("null for usage", chunk({}, None, usage=None), STOP, DONE, usage=None),
    ending(
        "usage in the choice",
        {
            "choices": [
                {
                    "index": 0,
                    "delta": {},
                    "finish_reason": "stop",
                    "usage": {**USAGE, "cached_tokens": 5},
                }
            ]
        },
        DONE,
        usage=(21, 5, 27, 0),
        provider="moonshot",
    ),
    ending("no end mark", STOP, provider="gpustack"),
    ending("a comment as the last word", STOP, b": bye\n\n"),
    ending("no blank line at the end", STOP, b"data: [DONE]"),
    ending("text in the finish chunk", chunk({"content": "c"}, "stop"), DONE, answer="bc"),
    ending("a mark with blanks", STOP, b"data:  [DONE] \n\n"),
    ending(
        "a late error",
        chunk({}, "length"),
        {**ERROR, "usage": USAGE},
        DONE,
        finish="length",
        late="overloaded",
        usage=(21, 0, 27, 0),
        provider="openrouter",
    ),
    ending("no error", chunk({}, "stop", error=None), DONE),
    ending("an empty error", chunk({}, error={}), chunk({}, "stop", error=""), DONE),
    ending("a reason in capitals", chunk({}, "LENGTH"), DONE, finish="length"),
    ending("length of the model", chunk({}, "model_length"), DONE, finish="length"),
    ending("a filter", chunk({}, "content_filter"), DONE, finish="content_filter"),
    ending("a reason nobody knows", chunk({}, "sleepy"), DONE, finish_reason="sleepy"),
    ending(
        "several choices",
        {"choices": [{"index": 1, "delta": {"content": "x"}}]},
        {"choices": [{"index": 1, "delta": {}, "finish_reason": "length"}]},
        STOP,
        DONE,
    ),
    ending("an event in two lines of data", STOP, b'data: {"choices":\ndata: []}\n\n', DONE),
    ending("unknown events", b'event: keepalive\ndata: {"type":"keepalive"}\n\n', STOP, DONE),
    ending(
        "length, all of it reasoning told by counts",
        chunk({}, "length", usage=counts(5, 9, **thought(9))),
        DONE,
        provider="openai",
        answer="b",
        finish="length",
    ),
    Trap(
        "no word but reasoning",
        sse(chunk({}, "length"), {"choices": [], "usage": counts(5, 9, **thought(9))}, DONE),
        {"answer": "", "finish": "length_in_reasoning"},
        "openai",
    ),
    Trap(
        "a refusal",
        sse(
            chunk({"role": "assistant", "content": "", "refusal": None}),
            chunk({"refusal": "No"}),
            chunk({"refusal": "."}),
            STOP,
            DONE,
        ),
        {"refusal": "No.", "answer": "", "finish": "refusal", "finish_reason": "stop"},
        "openai",
    ),
    Trap(
        "a refusal in a document",
        whole({"content": None, "refusal": "No."}),
        {"refusal": "No.", "finish": "refusal"},
        "openai",
        whole=True,
    ),
    Trap(
        "a first chunk about the prompt",
        sse(
            {"id": "", "model": "", "choices": [], "prompt_filter_results": [{}]},
            chunk({"content": "b"}, content_filter_results={}),
            STOP,
            DONE,
        ),
        OK,
        "azure",
    ),
    Trap(
        "the message so far beside each delta",
        sse(
            {
                "choices": [
                    {
                        "index": 0,
                        "delta": {"content": "b"},
                        "message": {"role": "assistant", "content": "b"},
                        "finish_reason": None,
                    }
                ]
            },
            {
                "choices": [
                    {
                        "index": 0,
                        "delta": {"content": ""},
                        "message": {"content": "b"},
                        "finish_reason": "stop",
                    }
                ]
            },
        ),
        OK,
        "perplexity",
    ),
    Trap(
        "padding and unknown keys",
        sse(
            {**B, "obfuscation": "xyz", "p": "abc"},
            {**STOP, "timings": {"x": 1.5}, "time_info": None},
            DONE,
        ),
        OK,
    ),
    Trap(
        "no role, no ids, null roles",
        sse(
            {"choices": [{"delta": {"content": "b"}}]},
            {"choices": [{"delta": {"role": None}, "finish_reason": "stop"}]},
        ),
        OK,
        "gpustack",
    ),
    Trap(
        "null for choices and delta",
        sse({"choices": None}, {"choices": [{"delta": None}]}, B, STOP, DONE),
        OK,
    ),
    Trap(
        "blank lines before the document",
        b"\n\n\r\n\n" + whole({"content": "b"}, usage=USAGE),
        {**OK, "usage": (21, 0, 27, 0)},
        "deepseek",
        whole=True,
    ),
)
COUNTS = (
    counted("reasoning inside", counts(21, 27, **thought(25)), (21, 0, 27, 25), "deepseek"),
    counted("reasoning beside", counts(21, 27, 73, **thought(25)), (21, 0, 52, 25), "xai"),
    counted("reasoning untold, seen in the total", counts(35, 12, 109), (35, 0, 74, 62)),
    counted(
        "more reasoning than output",
        counts(20, 10, 30, **thought(11)),
        (20, 0, 11, 11),
        "openrouter",
    ),
    counted(
        "reasoning that the total forgot",
        counts(20, 10, 30, **thought(64)),
        (20, 0, 74, 64),
        "vercel-gateway",
    ),
    counted(
        "reasoning at the top that the total forgot",
        counts(20, 10, 30, reasoning_tokens=64),
        (20, 0, 74, 64),
        "perplexity",
    ),
    counted("reasoning at the top", counts(20, 10, reasoning_tokens=4), (20, 0, 10, 4), "sglang"),
    counted(
        "cached in the details",
        counts(20, 10, prompt_tokens_details={"cached_tokens": 16}),
        (20, 16, 10, 0),
    ),
    counted(
        "cached as hits and misses",
        counts(20, 10, prompt_cache_hit_tokens=16, prompt_cache_miss_tokens=4),
        (20, 16, 10, 0),
        "deepseek",
    ),
    counted(
        "null details",
        counts(20, 10, prompt_tokens_details=None, completion_tokens_details=None),
        (20, 0, 10, 0),
    ),
    counted(
        "cache writes",
        counts(20, 10, prompt_tokens_details={"cached_tokens": 4, "cache_write_tokens": 6}),
        (20, 4, 10, 0),
        "openrouter",
        written=6,
    ),
    counted("a cost", counts(20, 10, cost=0.00012), (20, 0, 10, 0), "openrouter", cost=120_000),
    counted(
        "a cost in parts",
        counts(20, 10, cost={"total_cost": 0.006}),
        (20, 0, 10, 0),
        "perplexity",
        cost=6_000_000,
    ),
    counted(
        "a cost in ticks",
        counts(20, 10, cost_in_usd_ticks=1_234_560),
        (20, 0, 10, 0),
        "xai",
        cost=123_456,
    ),
    counted("zeros", counts(0, 0), (0, 0, 0, 0)),
    counted("no total", {"prompt_tokens": 20, "completion_tokens": 10}, (20, 0, 10, 0)),
    counted(
        "null numbers",
        {"prompt_tokens": 20, "completion_tokens": None, "total_tokens": None},
        (20, 0, 0, 0),
    ),
    counted(
        "numbers as text and floats",
        {"prompt_tokens": "20", "completion_tokens": 10.0, "total_tokens": 30.0},
        (20, 0, 10, 0),
    ),
)
ERRORS = (
    broken("an error in an event", ERROR, DONE, cause="overloaded"),
    broken(
        "an error of an event so named",
        b"event: error\n"
        + sse(
            {
                "error": {
                    "message": "Tool call validation failed",
                    "code": "tool_use_failed",
                    "status_code": 400,
                }
            }
        ),
        cause="request_refused",
        provider="groq",
    ),
    broken("an error that is text", {"error": "overloaded"}, cause="overloaded"),
    broken(
        "an error without an object",
        b'event: error\ndata: {"message":"rate limit"}\n\n',
        cause="rate_limited",
    ),
    broken(
        "a finish that is an error",
        chunk({"content": ""}, "error", error={"code": 502, "message": "Provider returned error"}),
        DONE,
        cause="server_error",
        provider="openrouter",
    ),
    broken(
        "a finish for want of resources",
        chunk({}, "insufficient_system_resource"),
        DONE,
        cause="overloaded",
        provider="deepseek",
    ),
    broken(
        "an error in a field of its own",
        b'error: {"code":500,"message":"x"}\n\n',
        cause="server_error",
        provider="gpustack",
    ),
    broken(
        "an error in a line of its own",
        b'{"error": {\n "code": 429,\n "message": "x"}}\n',
        cause="rate_limited",
    ),
    broken(
        "an error in the choice",
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "error", **ERROR}]},
        DONE,
        cause="overloaded",
        provider="openrouter",
    ),
    broken(
        "an end that the upstream calls an error",
        {"choices": [{"delta": {}, "finish_reason": "stop", "native_finish_reason": "error"}]},
        DONE,
        cause="server_error",
        provider="openrouter",
    ),
    ending(
        "an upstream's own word for a good end",
        {"choices": [{"delta": {}, "finish_reason": "stop", "native_finish_reason": "STOP"}]},
        DONE,
        provider="openrouter",
    ),
    Trap(
        "a document whose choice failed",
        body({"choices": [{"message": {"content": "b"}, "finish_reason": None, **ERROR}]}),
        {"failure": "overloaded"},
        "openrouter",
        True,
    ),
    broken("a page", b"<html>502 Bad Gateway</html>", cause="server_error"),
    broken("no end", cause="cut"),
    broken("the mark alone", DONE, cause="cut"),
    broken("a torn event", sse(STOP)[:-9], cause="cut"),
    broken("garbage", b"data: {garbled\n\n", STOP, DONE, cause="malformed"),
    Trap("a document with an error", body(ERROR), {"failure": "overloaded"}, whole=True),
    Trap(
        "a flat error",
        body({"code": "invalid-argument", "error": "Incorrect API key provided"}),
        {"failure": "credential"},
        "xai",
        whole=True,
    ),
    Trap(
        "an error of vllm",
        body({"object": "error", "message": "maximum context length is 8", "code": 400}),
        {"failure": "context_length"},
        "vllm",
        whole=True,
    ),
    Trap("no document", b"\n\n", {"failure": "cut"}, whole=True),
)

TRAPS = (*ENDS, *COUNTS, *ERRORS)
