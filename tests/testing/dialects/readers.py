"""Readers of every dialect's bodies that know no product code."""

from __future__ import annotations

import json
from typing import Any

import msgspec


class Read(msgspec.Struct):
    """What a reader found in a body."""

    reasoning: str = ""
    answer: str = ""
    calls: list[tuple[str, Any]] = []
    finish: str | None = None
    usage: tuple[int, int, int] | None = None  # input, all output, reasoning


def data_of(body: bytes) -> list[dict[str, Any]]:
    lines = body.decode().replace("\r\n", "\n").split("\n")
    return [json.loads(x[6:]) for x in lines if x.startswith("data: ") and x != "data: [DONE]"]


def read_chat(body: bytes, stream: bool) -> Read:
    docs = data_of(body) if stream else [json.loads(body)]
    parts = [c.get("delta") or c.get("message") or {} for d in docs for c in d["choices"]]
    names: dict[int, list[str]] = {}
    for call in (call for part in parts for call in part.get("tool_calls") or ()):
        entry = names.setdefault(call["index"], ["", ""])
        entry[0] += call["function"].get("name", "")
        entry[1] += call["function"]["arguments"]
    finishes = [c["finish_reason"] for d in docs for c in d["choices"] if c.get("finish_reason")]
    usage = next((d["usage"] for d in reversed(docs) if d.get("usage")), None)
    return Read(
        "".join(p.get("reasoning_content") or p.get("reasoning") or "" for p in parts),
        "".join(p["content"] for p in parts if isinstance(p.get("content"), str)),
        [(name, json.loads(text)) for name, text in names.values()],
        finishes[-1] if finishes else None,
        usage and (
            usage["prompt_tokens"],
            usage["total_tokens"] - usage["prompt_tokens"],
            usage["completion_tokens_details"]["reasoning_tokens"],
        ),
    )  # fmt: skip


def read_anthropic(body: bytes, stream: bool) -> Read:
    if not stream:
        doc = json.loads(body)
        blocks, last = doc["content"], doc
    else:
        docs = data_of(body)
        blocks = [d["content_block"] for d in docs if d["type"] == "content_block_start"]
        for d in (d for d in docs if d["type"] == "content_block_delta"):
            block = blocks[d["index"]]
            for field, key in (
                ("thinking", "thinking"),
                ("text", "text"),
                ("partial_json", "json"),
            ):
                block[key] = block.get(key, "") + d["delta"].get(field, "")
        last = next(d for d in docs if d["type"] == "message_delta")
        last |= last["delta"]
    usage = last["usage"]
    calls = [b for b in blocks if b["type"] == "tool_use"]
    return Read(
        "".join(b["thinking"] for b in blocks if b["type"] == "thinking"),
        "".join(b["text"] for b in blocks if b["type"] == "text"),
        [(b["name"], json.loads(b["json"]) if stream else b["input"]) for b in calls],
        last["stop_reason"],
        (
            usage["input_tokens"] + usage["cache_read_input_tokens"],
            usage["output_tokens"],
            usage["output_tokens_details"]["thinking_tokens"],
        ),
    )


def read_responses(body: bytes, stream: bool) -> Read:
    docs = data_of(body) if stream else []
    final = docs[-1]["response"] if stream else json.loads(body)
    texts = {"reasoning": "", "message": ""}
    for item in final["output"]:
        for part in (*item.get("summary", ()), *item.get("content", ())):
            texts[item["type"]] += part["text"]
    if stream:
        deltas = "".join(d["delta"] for d in docs if d["type"] == "response.output_text.delta")
        assert deltas == texts["message"]
        assert [d["sequence_number"] for d in docs] == list(range(len(docs)))
    calls = [i for i in final["output"] if i["type"] == "function_call"]
    usage = final["usage"]
    return Read(
        texts["reasoning"],
        texts["message"],
        [(i["name"], json.loads(i["arguments"])) for i in calls],
        final["status"],
        (
            usage["input_tokens"],
            usage["output_tokens"],
            usage["output_tokens_details"]["reasoning_tokens"],
        ),
    )


def read_gemini(body: bytes, stream: bool) -> Read:
    docs = data_of(body) if stream else [json.loads(body)]
    parts = [p for d in docs for c in d["candidates"] for p in c["content"]["parts"]]
    calls = [p["functionCall"] for p in parts if "functionCall" in p]
    finishes = [c["finishReason"] for d in docs for c in d["candidates"] if "finishReason" in c]
    usage = docs[-1]["usageMetadata"]
    thoughts = usage.get("thoughtsTokenCount", 0)
    return Read(
        "".join(p["text"] for p in parts if p.get("thought")),
        "".join(p["text"] for p in parts if "text" in p and not p.get("thought")),
        [(c["name"], c["args"]) for c in calls],
        finishes[-1],
        (usage["promptTokenCount"], usage.get("candidatesTokenCount", 0) + thoughts, thoughts),
    )


def read_interactions(body: bytes, stream: bool) -> Read:
    docs = data_of(body) if stream else [json.loads(body)]
    final = docs[-1]["interaction"] if stream else docs[0]
    texts = {"thought": "", "model_output": ""}
    calls: list[tuple[str, str]] = []
    for doc in docs if stream else ():
        kind = doc.get("delta", {}).get("type")
        if kind == "thought_summary":
            texts["thought"] += doc["delta"]["content"]["text"]
        elif kind == "text":
            texts["model_output"] += doc["delta"]["text"]
        elif kind == "arguments_delta":
            calls[-1] = (calls[-1][0], calls[-1][1] + doc["delta"]["arguments"])
        elif doc.get("step", {}).get("type") == "function_call":
            calls.append((doc["step"]["name"], ""))
    for step in final.get("steps", ()):
        if step["type"] == "function_call":
            calls.append((step["name"], json.dumps(step["arguments"])))
        for part in (*step.get("summary", ()), *step.get("content", ())):
            texts[step["type"]] += part["text"]
    usage = final["usage"]
    thoughts = usage["total_thought_tokens"]
    return Read(
        texts["thought"],
        texts["model_output"],
        [(name, json.loads(text)) for name, text in calls],
        final["status"],
        (usage["total_input_tokens"], usage["total_output_tokens"] + thoughts, thoughts),
    )


def read_ollama(body: bytes, stream: bool) -> Read:
    docs = [json.loads(line) for line in body.decode().split("\n") if line]
    messages = [d["message"] for d in docs]
    calls = [c["function"] for m in messages for c in m.get("tool_calls", ())]
    assert [d["done"] for d in docs] == [False] * (len(docs) - 1) + [True]
    return Read(
        "".join(m.get("thinking", "") for m in messages),
        "".join(m["content"] for m in messages),
        [(c["name"], c["arguments"]) for c in calls],
        docs[-1]["done_reason"],
        (docs[-1]["prompt_eval_count"], docs[-1]["eval_count"], 0),
    )


def read_typed(body: bytes, stream: bool) -> Read:
    if not stream:
        doc = json.loads(body)
        events, last = [], doc
        texts = [doc["reasoning"], doc["answer"]]
    else:
        *events, last = data_of(body)
        texts = [
            "".join(e["content"] for e in events if e["type"] == kind)
            for kind in ("reasoning", "answer")
        ]
    usage = last["usage"]
    counts = (usage["prompt_tokens"], usage["completion_tokens"], last["reasoning_tokens"])
    calls = [e for e in events if e["type"] == "tool_call"]
    arguments = "".join(e["arguments"] for e in calls)
    named = [(calls[0]["name"], json.loads(arguments))] if calls else []
    return Read(*texts, named, last["finish_reason"], counts)
