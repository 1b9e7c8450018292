"""The typed-event dialect: `{"type": "reasoning"|"answer", ...}`. Opt-in; no provider of the table
speaks it, and nothing ever picks it by itself.

Requests are those of the chat dialect.
"""

from __future__ import annotations

from typing import Any

from sidecar.core.events import FinishReason
from sidecar.core.request import Prefix
from sidecar.core.usage import Usage
from sidecar.providers import errors, loose
from sidecar.providers.decoding import Decoding, DocumentFramer
from sidecar.providers.numbers import count
from sidecar.providers.openai_chat.decode import BROKEN, FINISH
from sidecar.providers.openai_chat.encode import encode
from sidecar.providers.openai_chat.usage import usage_of
from sidecar.providers.profiles import TargetProfile
from sidecar.providers.spoken import Spoken
from sidecar.providers.sse import SseFramer

REASONING_TYPES = frozenset({"reasoning", "thinking", "thought"})
ANSWER_TYPES = frozenset({"answer", "content", "text", "message"})
END_TYPES = frozenset({"done", "end", "finish", "finished", "complete", "completed", "stop"})
TEXT_KEYS = ("content", "text", "delta", "token")
REASONING_KEYS = ("reasoning", "reasoning_content", "thinking")
ANSWER_KEYS = ("answer", "content", "text", "output")
_TEXTS = frozenset((*TEXT_KEYS, *REASONING_KEYS, *ANSWER_KEYS))


class TypedEventDecoder(Decoding):
    """Events by their type, or one document with both texts."""

    __slots__ = ("_stream",)

    def __init__(self, stream: bool, key: str = "") -> None:
        super().__init__(SseFramer() if stream else DocumentFramer(), key)
        self._stream = stream

    def on_event(self, data: bytes, name: bytes = b"") -> None:
        if data.strip() == b"[DONE]":
            # This dialect's only sure end mark: it is a finish of its own.
            self._finish("")
            self.done = True
            return
        told = _object(data)
        if told is None:
            self.unreadable(data)
        else:
            self._told(told)

    def _told(self, told: dict[str, Any]) -> None:
        kind = loose.text(told.get("type")).lower()
        if told.get("error") or kind == "error":
            self.fail(errors.of_event(told, key=self._key))
            return
        self._head(told)
        reason = loose.text(told.get("finish_reason")) or loose.text(told.get("stop_reason"))
        counted = self._count(told)
        ends = bool(reason) or self._ends(told, kind, counted)
        if kind in REASONING_TYPES:
            self.out.reasoning(_first(told, TEXT_KEYS))
        elif kind in ANSWER_TYPES:
            self.out.answer(_first(told, TEXT_KEYS))
        elif not self._stream or (ends and not self._spoken):
            # A document; some servers send one where a stream was asked for.
            self.out.reasoning(_first(told, REASONING_KEYS))
            self.out.answer(_first(told, ANSWER_KEYS))
        if ends:
            self._finish(reason)

    @property
    def _spoken(self) -> bool:
        return self.out.reasoned or self.out.answered

    def _ends(self, told: dict[str, Any], kind: str, counted: bool) -> bool:
        """A type that says so, or a count in an event that says nothing else; a document is whole
        if it holds any of the texts."""
        silent = kind not in REASONING_TYPES and kind not in ANSWER_TYPES
        ended = kind in END_TYPES or told.get("done") is True or (silent and counted)
        return ended or (not self._stream and not told.keys().isdisjoint(_TEXTS))

    def _head(self, told: dict[str, Any]) -> None:
        self.report.response_id = self.report.response_id or loose.text(told.get("id"))
        self.report.response_model = self.report.response_model or loose.text(told.get("model"))

    def _count(self, told: dict[str, Any]) -> bool:
        """Counts under `usage`, or reasoning tokens alone at the top."""
        usage = loose.record(told.get("usage"))
        top = told.get("reasoning_tokens")
        if usage:
            usage.setdefault("reasoning_tokens", top)
            usage.setdefault("prompt_tokens", usage.get("input_tokens"))
            usage.setdefault("completion_tokens", usage.get("output_tokens"))
            self.tell_usage(*usage_of(usage))
        elif top is not None:
            output = max(count(told.get("completion_tokens")), count(top))
            prompt = count(told.get("prompt_tokens"))
            self.tell_usage(Usage(prompt, output_tokens=output, reasoning_tokens=count(top)), True)
        return bool(usage) or top is not None

    def _finish(self, reason: str) -> None:
        broken = BROKEN.get(reason)
        if broken is not None:
            self.fail(broken)
        elif not self.finished:
            self.finish(reason, FINISH.get(reason.lower(), FinishReason.STOP))


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        told = loose.document(data)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


def _first(told: dict[str, Any], names: tuple[str, ...]) -> str:
    return next((told[name] for name in names if isinstance(told.get(name), str)), "")


def decoder(
    target: TargetProfile, stream: bool, key: str, prefix: Prefix | None
) -> TypedEventDecoder:
    return TypedEventDecoder(stream, key)


DIALECT = Spoken("typed-event", encode, decoder)
