"""Decoding Messages streams and documents."""

from __future__ import annotations

from typing import Any

import msgspec

from sidecar.core.events import FinishReason
from sidecar.core.request import Prefix
from sidecar.core.usage import Usage
from sidecar.providers import errors, loose, signature
from sidecar.providers.blanks import Blanks
from sidecar.providers.decoding import Decoding, DocumentFramer
from sidecar.providers.numbers import count, known_count, nano_usd
from sidecar.providers.profiles import TargetProfile
from sidecar.providers.sse import SseFramer
from sidecar.providers.tool_calls import ToolCalls, arguments_of

DIALECT = "anthropic"

FINISH: dict[str, FinishReason] = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "pause_turn": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.REFUSAL,
}


class Delta(msgspec.Struct):
    """Of a content block, or (with `stop_reason`) of the message."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None
    stop_details: dict[str, Any] | None = None


class Block(msgspec.Struct):
    type: str = ""
    id: str | None = None
    name: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    input: msgspec.Raw = msgspec.Raw(b"{}")


class Message(msgspec.Struct):
    id: Any = None
    model: Any = None
    content: list[Block] | None = None
    stop_reason: str | None = None
    stop_details: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None


class Wire(Message):
    """Any event of the stream; a synchronous answer is one too, of the type `message`."""

    type: str = ""
    index: int = 0
    delta: Delta | None = None
    content_block: Block | None = None
    message: Message | str | None = None
    error: msgspec.Raw = msgspec.Raw(b"")


_DECODER = msgspec.json.Decoder(Wire)
_decode = _DECODER.decode


class MessagesDecoder(Decoding):
    """Messages events, or one message."""

    __slots__ = ("_blanks", "_blocks", "_calls", "_counts", "_inputs", "_thoughts")

    def __init__(self, stream: bool, key: str = "", prefix: Prefix | None = None) -> None:
        super().__init__(SseFramer() if stream else DocumentFramer(), key)
        self._blocks: dict[int, str] = {}
        # Arguments that came with the start of a call, kept in case no pieces follow.
        self._inputs: dict[int, str] = {}
        self._calls = ToolCalls()
        # Everything that must go back unchanged: signed and redacted blocks, in order.
        self._thoughts: list[dict[str, Any]] = []
        self._counts: dict[str, Any] = {}
        self._blanks = Blanks(prefix.answer if prefix is not None else "")

    def on_event(self, data: bytes, name: bytes = b"") -> None:
        try:
            wire = _decode(data)
        except (ValueError, RecursionError):
            if data == b"[DONE]":
                return
            repaired = loose.repaired(data, _DECODER, Wire)
            if repaired is None:
                self.unreadable(data)
                return
            wire = repaired
        if wire.type == "content_block_delta" and wire.delta is not None:
            self._delta(wire.index, wire.delta)
            return
        handler = _HANDLERS.get(wire.type)
        if handler is not None:
            handler(self, wire)
        elif wire.error:
            self.on_error(wire)

    def on_message_start(self, wire: Wire) -> None:
        if isinstance(wire.message, Message):
            self._head(wire.message)

    def on_message(self, wire: Wire) -> None:
        """A synchronous answer: the whole message at once."""
        self._head(wire)
        for index, block in enumerate(wire.content or []):
            self._start(index, block)
        self._stop(wire.stop_reason, wire.stop_details)

    def on_block_start(self, wire: Wire) -> None:
        if wire.content_block is not None:
            self._start(wire.index, wire.content_block)

    def on_message_delta(self, wire: Wire) -> None:
        self._count(wire.usage)
        if wire.delta is not None:
            self._stop(wire.delta.stop_reason, wire.delta.stop_details)

    def on_message_stop(self, wire: Wire) -> None:
        self._stop(self.report.native_finish or "end_turn", None)
        self.refine()
        self.done = True

    def on_error(self, wire: Wire) -> None:
        try:
            error = loose.document(bytes(wire.error)) if wire.error else {}
        except ValueError:
            error = {}
        self.fail(errors.of_event({"error": error}, key=self._key))

    def _head(self, message: Message) -> None:
        self.report.response_id = loose.text(message.id)
        self.report.response_model = loose.text(message.model)
        self._count(message.usage)

    def _start(self, index: int, block: Block) -> None:
        kind = self._blocks[index] = block.type
        if kind == "tool_use":
            self._inputs[index] = arguments_of(bytes(block.input))
            self._calls.piece(
                self.out, index, block.id or "", block.name or "", "", self.report.response_id
            )
        elif kind == "text":
            self.out.answer(self._blanks.feed(block.text or ""))
        elif kind == "thinking":
            self._keep({"type": kind, "thinking": "", "signature": ""})
            self._think(block.thinking or "", block.signature or "")
        elif kind == "redacted_thinking":
            self._keep({"type": kind, "data": block.data or ""})
            self.out.signature(signature.pack(DIALECT, self._thoughts))

    def _delta(self, index: int, delta: Delta) -> None:
        if delta.text:
            self.out.answer(self._blanks.feed(delta.text))
        elif delta.thinking:
            self._think(delta.thinking, "")
        elif delta.signature:
            self._think("", delta.signature)
        elif delta.partial_json and self._blocks.get(index) == "tool_use":
            # Arguments of tools that the server runs itself are nobody's tool call.
            self._inputs.pop(index, None)
            self._calls.piece(self.out, index, "", "", delta.partial_json, self.report.response_id)

    def _think(self, text: str, signed: str) -> None:
        self.out.reasoning(text)
        if not self._thoughts or "thinking" not in self._thoughts[-1]:
            self._keep({"type": "thinking", "thinking": "", "signature": ""})
        block = self._thoughts[-1]
        if text:
            block.setdefault("parts", []).append(text)
        if signed:
            block["thinking"] = "".join(block.pop("parts", []))
            block["signature"] = signed
            self.out.signature(signature.pack(DIALECT, self._signed()))

    def _keep(self, block: dict[str, Any]) -> None:
        """`at` says before which tool call the block stood: thinking may come between calls."""
        self._thoughts.append({**block, "at": self._calls.count})

    def _signed(self) -> list[dict[str, Any]]:
        return [block for block in self._thoughts if block.get("signature") or block.get("data")]

    def _stop(self, reason: str | None, details: dict[str, Any] | None) -> None:
        if not reason or self.finished:
            return
        known = FINISH.get(reason, FinishReason.STOP)
        if known is FinishReason.REFUSAL:
            self.out.refusal(loose.text((details or {}).get("explanation")))
        for index, arguments in self._inputs.items():
            if arguments != "{}":
                self._calls.piece(self.out, index, "", "", arguments, self.report.response_id)
        self._calls.close(self.out, self.report.response_id, known is not FinishReason.LENGTH)
        self.finish(reason, known)

    def _count(self, told: dict[str, Any] | None) -> None:
        """Counts are cumulative and overwrite one another, key by key."""
        if told:
            self._counts.update((name, value) for name, value in told.items() if value is not None)
            self.tell_usage(*usage_of(self._counts))
            self.report.cost_nano_usd = nano_usd(self._counts.get("cost"))


_HANDLERS = {
    "message_start": MessagesDecoder.on_message_start,
    "message": MessagesDecoder.on_message,
    "content_block_start": MessagesDecoder.on_block_start,
    "message_delta": MessagesDecoder.on_message_delta,
    "message_stop": MessagesDecoder.on_message_stop,
    "error": MessagesDecoder.on_error,
}


def usage_of(told: dict[str, Any]) -> tuple[Usage, bool]:
    """Normal usage, and whether reasoning was itemised. `input_tokens` excludes the cache here."""
    cached = count(told.get("cache_read_input_tokens"))
    written = count(told.get("cache_creation_input_tokens"))
    output = count(told.get("output_tokens"))
    details = loose.record(told.get("output_tokens_details"))
    reasoning = known_count(details.get("thinking_tokens"))
    return Usage(
        input_tokens=count(told.get("input_tokens")) + cached + written,
        cached_input_tokens=cached,
        cache_write_tokens=written,
        output_tokens=max(output, reasoning or 0),
        reasoning_tokens=reasoning or 0,
    ), reasoning is not None


def decoder(
    target: TargetProfile, stream: bool, key: str, prefix: Prefix | None
) -> MessagesDecoder:
    return MessagesDecoder(stream, key, prefix)
