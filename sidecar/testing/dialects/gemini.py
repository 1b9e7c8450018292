"""Google Gemini: chunks with parts and a usage that grows; only the end of the body ends it."""

from __future__ import annotations

import re
import urllib.parse
from typing import Any

import msgspec

from sidecar.core.request import Prefix
from sidecar.core.usage import Usage
from sidecar.testing.actions import Kind
from sidecar.testing.asked import Asked, Call, Incoming, Plan, Speech
from sidecar.testing.dialects.base import (
    Dialect,
    Piece,
    Refusal,
    Stamp,
    arguments_of,
    must_be_list,
    seal,
    texts_of,
)
from sidecar.testing.refusals import KINDS
from sidecar.testing.texts import input_tokens

_FINISH = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
}
_TYPE = "type.googleapis.com/google.rpc."


def parse(incoming: Incoming, match: re.Match[str], body: dict[str, Any]) -> Asked:
    """Read the request; the model and whether to stream are in its path. Raises BadRequest."""
    contents = must_be_list(body, "contents")
    config = body.get("generationConfig") or {}
    last = contents[-1]
    system = (body.get("systemInstruction") or {}).get("parts")
    own = last.get("role") == "model"
    return Asked(
        dialect="gemini",
        flavour="gemini",
        model=urllib.parse.unquote(match["model"]),
        stream=match["call"] == "streamGenerateContent",
        texts=(texts_of(system), *(texts_of(content.get("parts")) for content in contents)),
        max_tokens=config.get("maxOutputTokens"),
        stop=tuple(config.get("stopSequences") or ()),
        seed=config.get("seed"),
        thinking=(config.get("thinkingConfig") or {}).get("thinkingBudget") != 0,
        tools=_tools(body),
        after_tool=any("functionResponse" in part for part in last.get("parts") or ()),
        prefix=Prefix(answer=texts_of(last.get("parts"))) if own else None,
        shows_reasoning=bool((config.get("thinkingConfig") or {}).get("includeThoughts")),
    )


def _tools(body: dict[str, Any]) -> tuple[str, ...]:
    declared = (tool.get("functionDeclarations") or () for tool in body.get("tools") or ())
    return tuple(str(function.get("name", "")) for some in declared for function in some)


class GeminiRenderer:
    """Chunks that end with CR LF CR LF. Thoughts show only if asked for; calls come whole."""

    content_type = "text/event-stream"

    def __init__(self, asked: Asked, plan: Plan, stamp: Stamp) -> None:
        self._asked = asked
        self._plan = plan
        self._id = f"fake{stamp.number:08d}"
        self._answered = 0
        self._thought = 0
        self._arguments = ""
        self._pieces = 0

    def opening(self) -> list[bytes]:
        return []

    def reasoning(self, text: str) -> list[bytes]:
        self._thought += 1
        if not self._asked.shows_reasoning:
            return []
        return [self._chunk([{"text": text, "thought": True}])]

    def answer(self, text: str) -> list[bytes]:
        self._answered += 1
        return [self._chunk([{"text": text}])]

    def call(self, call: Call, piece: str, first: bool) -> list[bytes]:
        self._answered += 1
        if first:
            self._arguments, self._pieces = "", 0
        self._arguments += piece
        self._pieces += 1
        if self._pieces < len(call.pieces):
            return []
        return [self._chunk([self._called(call, self._arguments)])]

    def closing(self, finish: str, usage: Usage | None) -> list[Piece]:
        last = self._chunk([{"text": ""}], _FINISH.get(finish, "OTHER"), usage, final=True)
        return [Piece(Kind.FINISH, last)]

    def whole(self, speech: Speech, usage: Usage | None) -> bytes:
        parts: list[dict[str, Any]] = []
        if speech.reasoning and self._asked.shows_reasoning:
            parts.append({"text": "".join(speech.reasoning), "thought": True})
        if speech.answer:
            parts.append({"text": "".join(speech.answer)})
        parts += [self._called(call, "".join(call.pieces)) for call in speech.calls]
        return msgspec.json.encode(self._body(parts, _FINISH.get(speech.finish, "OTHER"), usage))

    def _called(self, call: Call, arguments: str) -> dict[str, Any]:
        """The first of parallel calls carries the signature, where any does."""
        part: dict[str, Any] = {"functionCall": _function(call.name, arguments)}
        signs = self._plan.demands and self._asked.thinking and call.index == 0
        return {**part, "thoughtSignature": seal(call.name)} if signs else part

    def comment(self) -> bytes:
        return b": keep-alive\r\n\r\n" if self._asked.stream else b"\n"

    def _chunk(
        self,
        parts: list[dict[str, Any]],
        finish: str | None = None,
        usage: Usage | None = None,
        final: bool = False,
    ) -> bytes:
        told = usage if final or self._plan.told != "exact" else self._so_far()
        return b"data: " + msgspec.json.encode(self._body(parts, finish, told)) + b"\r\n\r\n"

    def _so_far(self) -> Usage:
        return Usage(
            input_tokens=input_tokens(self._asked.texts),
            cached_input_tokens=self._plan.cached_tokens,
            output_tokens=self._answered + self._thought,
            reasoning_tokens=self._thought,
        )

    def _body(
        self, parts: list[dict[str, Any]], finish: str | None, usage: Usage | None
    ) -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
        if finish is not None:
            candidate["finishReason"] = finish
        told = {} if usage is None else {"usageMetadata": usage_fields(usage)}
        return {
            "candidates": [candidate],
            **told,
            "modelVersion": self._asked.model,
            "responseId": self._id,
        }


def usage_fields(usage: Usage) -> dict[str, int]:
    """Thoughts are counted apart from the candidates; a key is absent where it would be zero."""
    fields = {
        "promptTokenCount": usage.input_tokens,
        "cachedContentTokenCount": usage.cached_input_tokens,
        "candidatesTokenCount": usage.answer_tokens,
        "thoughtsTokenCount": usage.reasoning_tokens,
    }
    kept = {name: count for name, count in fields.items() if count}
    return kept | {"totalTokenCount": usage.total_tokens}


def _function(name: str, arguments: str) -> dict[str, Any]:
    return {"name": name, "args": arguments_of(arguments)}


def refuse(refusal: Refusal, flavour: str) -> bytes:
    """Code, status and details; a key that is not valid is an invalid argument."""
    row = KINDS[refusal.kind]
    if refusal.kind == "unauthorized":
        reason = {"@type": f"{_TYPE}ErrorInfo", "reason": "API_KEY_INVALID"}
        text = "API key not valid. Please pass a valid API key."
        return _error(400, text, "INVALID_ARGUMENT", [reason])
    details: list[dict[str, Any]] = []
    if refusal.kind in ("rate", "quota"):
        details.append({"@type": f"{_TYPE}QuotaFailure", "violations": []})
    if refusal.retry_after_s is not None:
        delay = f"{refusal.retry_after_s:.9g}s"
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": delay})
    return _error(refusal.status, refusal.message, row.google, details)


def _error(code: int, message: str, status: str, details: list[dict[str, Any]]) -> bytes:
    error = {"code": code, "message": message, "status": status, "details": details}
    return msgspec.json.encode({"error": error})


GEMINI = Dialect(
    "gemini",
    re.compile(
        r"^(?:/.*)?/models/(?P<model>[^/:]+):(?P<call>streamGenerateContent|generateContent)$"
    ),
    parse,
    GeminiRenderer,
    refuse,
    key_header="x-goog-api-key",
    statuses={"unauthorized": 400},
)
