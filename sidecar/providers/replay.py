"""Decode one recorded body from stdin: `python -m sidecar.providers.replay`.

DIALECT (chat, responses, anthropic, gemini, interactions, ollama, or a dialect's own name), KIND
(stream or sync) and PROVIDER come from the environment; what was decoded goes to stdout as one JSON
object, with the finish reason in the provider's own word; a stream that broke before the provider
said one has none.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import msgspec

from sidecar.core.events import Answer, Delta, Reasoning, Refusal, ToolCall
from sidecar.providers.dialect import Decoder
from sidecar.providers.profiles import TargetProfile, target
from sidecar.providers.table import DIALECTS, PROFILES

# The recordings' words for our dialects.
NAMES = {
    "chat": "openai-chat",
    "responses": "openai-responses",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "interactions": "gemini-interactions",
    "ollama": "ollama",
}


def replay(body: bytes, dialect: str, kind: str, provider: str) -> dict[str, Any]:
    """What a decoder makes of `body`, in the shape the recordings' checker compares."""
    decoder = DIALECTS[NAMES.get(dialect, dialect)].decoder(known(provider), kind == "stream")
    deltas = decoder.feed(body) + decoder.end()
    return shown(decoder, deltas)


def known(provider: str) -> TargetProfile:
    """The target of a recording: the provider's own profile where there is one."""
    return target(PROFILES.get(provider, PROFILES["generic"]), "recorded")


def shown(decoder: Decoder, deltas: list[Delta]) -> dict[str, Any]:
    """A decoder's outcome as plain data."""
    report = decoder.report
    out: dict[str, Any] = {
        "reasoning": "".join(d.text for d in deltas if isinstance(d, Reasoning)),
        "answer": "".join(d.text for d in deltas if isinstance(d, Answer)),
        "refusal": "".join(d.text for d in deltas if isinstance(d, Refusal)),
        "tool_calls": _calls(deltas),
        "finish": report.finish_reason.value if report.finish_reason else None,
        "failure": decoder.failure.cause.value if decoder.failure else None,
    }
    if report.native_finish or decoder.failure is None:
        out["finish_reason"] = report.native_finish or None
    usage = decoder.usage
    if usage is not None:
        out["usage"] = {
            "input_total": usage.input_tokens - report.tool_input_tokens,
            "input_cached": usage.cached_input_tokens,
            "output_total": usage.output_tokens,
            "reasoning": usage.reasoning_tokens,
        }
    return out


def _calls(deltas: list[Delta]) -> list[dict[str, str]]:
    calls: dict[int, dict[str, str]] = {}
    for delta in deltas:
        if isinstance(delta, ToolCall):
            call = calls.setdefault(delta.index, {"id": "", "name": "", "arguments": ""})
            call["id"] += delta.id
            call["name"] += delta.name
            call["arguments"] += delta.arguments
    return [calls[index] for index in sorted(calls)]


def main() -> None:
    body = sys.stdin.buffer.read()
    asked = [os.environ.get(name, "") for name in ("DIALECT", "KIND", "PROVIDER")]
    sys.stdout.buffer.write(msgspec.json.encode(replay(body, *asked)) + b"\n")


if __name__ == "__main__":
    main()
