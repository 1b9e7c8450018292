"""Decoding Responses streams and documents."""

from __future__ import annotations

from typing import Any

import msgspec

from sidecar.core.events import FinishReason
from sidecar.core.failure import Cause, Failure
from sidecar.core.request import Prefix
from sidecar.core.usage import Usage
from sidecar.providers import errors, loose, signature
from sidecar.providers.decoding import Decoding, DocumentFramer
from sidecar.providers.numbers import count, known_count, nano_usd, ticks_nano_usd
from sidecar.providers.profiles import TargetProfile
from sidecar.providers.sse import SseFramer
from sidecar.providers.tool_calls import ToolCalls

DIALECT = "openai-responses"

INCOMPLETE: dict[str, FinishReason] = {
    "max_output_tokens": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
}
# The two kinds of readable reasoning; where both come, the first to speak is believed.
_RAW = "response.reasoning_text.delta"
_SUMMARY = "response.reasoning_summary_text.delta"


class Content(msgspec.Struct):
    type: str = ""
    text: str | None = None
    refusal: str | None = None


class Item(msgspec.Struct):
    type: str = ""
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | dict[str, Any] | None = None
    encrypted_content: str | None = None
    summary: list[Content] | str | None = None
    content: list[Content] | str | None = None


class Reply(msgspec.Struct):
    id: Any = None
    model: Any = None
    status: str | None = None
    output: list[Item] | None = None
    usage: dict[str, Any] | None = None
    incomplete_details: dict[str, Any] | None = None
    error: msgspec.Raw = msgspec.Raw(b"")


class Wire(Reply):
    """Any event; a synchronous answer is one too, without a type. It echoes the request beside
    what it tells: no field may be here that means something else there, as `text` does."""

    type: str = ""
    delta: str | dict[str, Any] | None = None
    output_index: int | None = None
    item: Item | None = None
    response: Reply | None = None
    arguments: str | None = None
    code: str | int | None = None
    message: str | None = None


_DECODER = msgspec.json.Decoder(Wire)
_decode = _DECODER.decode


class ResponsesDecoder(Decoding):
    """Responses events, or one response."""

    __slots__ = ("_calls", "_items", "_source", "_told")

    def __init__(self, stream: bool, key: str = "") -> None:
        super().__init__(SseFramer() if stream else DocumentFramer(), key)
        self._calls = ToolCalls()
        self._items: list[dict[str, Any]] = []
        self._source = ""
        # Output indices of calls whose arguments came in pieces.
        self._told: set[int] = set()

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
        handler = _HANDLERS.get(wire.type)
        if handler is not None:
            handler(self, wire)
        elif wire.error or name == b"error":
            self.on_error(wire)

    def on_text(self, wire: Wire) -> None:
        if type(wire.delta) is str:
            self.out.answer(wire.delta)

    def on_reasoning(self, wire: Wire) -> None:
        self._source = self._source or wire.type
        if wire.type == self._source and isinstance(wire.delta, str):
            self.out.reasoning(wire.delta)

    def on_refusal(self, wire: Wire) -> None:
        if isinstance(wire.delta, str):
            self.out.refusal(wire.delta)

    def on_head(self, wire: Wire) -> None:
        reply = wire.response
        if reply is not None:
            self.report.response_id = loose.text(reply.id) or self.report.response_id
            self.report.response_model = loose.text(reply.model) or self.report.response_model

    def on_item(self, wire: Wire) -> None:
        item = wire.item
        if item is not None and item.type == "function_call":
            self._piece(wire, item.call_id or item.id or "", item.name or "", "")

    def on_arguments(self, wire: Wire) -> None:
        if isinstance(wire.delta, str) and wire.delta:
            # By place in the output: some gateways change an item's id between its events.
            self._told.add(wire.output_index or 0)
            self._piece(wire, "", "", wire.delta)

    def on_arguments_done(self, wire: Wire) -> None:
        place = wire.output_index or 0
        if wire.arguments and place not in self._told:
            self._told.add(place)
            self._piece(wire, "", "", wire.arguments)

    def on_item_done(self, wire: Wire) -> None:
        item = wire.item
        if item is None:
            return
        if item.type == "reasoning":
            self._keep(item)
        elif item.type == "function_call" and (wire.output_index or 0) not in self._told:
            self._told.add(wire.output_index or 0)
            self._piece(wire, item.call_id or "", item.name or "", _arguments(item))

    def on_terminal(self, wire: Wire) -> None:
        self.on_head(wire)
        reply = wire.response if wire.response is not None else wire
        self._aggregate(reply)
        self._count(reply.usage)
        self._terminal(reply, wire.type)

    def on_whole(self, wire: Wire) -> None:
        """A synchronous answer."""
        self.report.response_id = loose.text(wire.id)
        self.report.response_model = loose.text(wire.model)
        self._aggregate(wire)
        self._count(wire.usage)
        self._terminal(wire, "")

    def on_error(self, wire: Wire) -> None:
        """Nested under `error`, or flat beside the type; a `response.failed` may follow it."""
        error = _any(wire.error)
        if error is None and (wire.message or wire.code is not None):
            error = {"message": wire.message, "code": wire.code}
        if error is not None:
            self.fail(errors.of_event({"error": error}, key=self._key))

    def _piece(self, wire: Wire, id: str, name: str, arguments: str) -> None:
        seed = self.report.response_id
        self._calls.piece(self.out, wire.output_index or 0, id, name, arguments, seed)

    def _keep(self, item: Item) -> None:
        """Encrypted reasoning must go back as the item it was."""
        if not item.encrypted_content:
            return
        summary = [
            {"type": "summary_text", "text": part.text or ""} for part in _parts(item.summary)
        ]
        kept = {"type": "reasoning", "summary": summary, "at": self._calls.count}
        if item.id:
            kept["id"] = item.id
        kept["encrypted_content"] = item.encrypted_content
        self._items.append(kept)
        self.out.signature(signature.pack(DIALECT, self._items))

    def _aggregate(self, reply: Reply) -> None:
        """The whole output, where nothing came in pieces; else the pieces are the truth."""
        out = self.out
        if out.reasoned or out.answered or out.called or out.refused or self._items:
            return
        for index, item in enumerate(reply.output or []):
            self._whole_item(index, item)

    def _whole_item(self, index: int, item: Item) -> None:
        if item.type == "reasoning":
            for part in _parts(item.summary) or _parts(item.content):
                self.out.reasoning(part.text or "")
            self._keep(item)
        elif item.type == "message":
            for part in _parts(item.content):
                if part.type == "refusal":
                    self.out.refusal(part.refusal or "")
                else:
                    self.out.answer(part.text or "")
        elif item.type == "function_call":
            wire = Wire(output_index=index)
            self._piece(wire, item.call_id or "", item.name or "", _arguments(item))

    def _terminal(self, reply: Reply, event: str) -> None:
        status = reply.status or event.removeprefix("response.")
        error = _any(reply.error)
        if error is not None or status not in ("completed", "incomplete"):
            self.report.native_finish = status
            self.fail(_failed(error, status, self._key))
            return
        reason = loose.text((reply.incomplete_details or {}).get("reason"))
        known = INCOMPLETE.get(reason, FinishReason.LENGTH)
        if status == "completed":
            known = FinishReason.STOP
        self._calls.close(self.out, self.report.response_id, status == "completed")
        self.finish(status, known)
        self.done = True

    def _count(self, told: dict[str, Any] | None) -> None:
        if told:
            self.tell_usage(*usage_of(told))
            ticks = ticks_nano_usd(told.get("cost_in_usd_ticks"))
            self.report.cost_nano_usd = nano_usd(told.get("cost")) if ticks is None else ticks


_HANDLERS = {
    "": ResponsesDecoder.on_whole,
    "error": ResponsesDecoder.on_error,
    "response.created": ResponsesDecoder.on_head,
    "response.output_text.delta": ResponsesDecoder.on_text,
    _RAW: ResponsesDecoder.on_reasoning,
    _SUMMARY: ResponsesDecoder.on_reasoning,
    "response.refusal.delta": ResponsesDecoder.on_refusal,
    "response.output_item.added": ResponsesDecoder.on_item,
    "response.output_item.done": ResponsesDecoder.on_item_done,
    "response.function_call_arguments.delta": ResponsesDecoder.on_arguments,
    "response.function_call_arguments.done": ResponsesDecoder.on_arguments_done,
    "response.completed": ResponsesDecoder.on_terminal,
    "response.incomplete": ResponsesDecoder.on_terminal,
    "response.failed": ResponsesDecoder.on_terminal,
    "response.cancelled": ResponsesDecoder.on_terminal,
}


def usage_of(told: dict[str, Any]) -> tuple[Usage, bool]:
    """Normal usage, and whether reasoning was itemised."""
    details_in = loose.record(told.get("input_tokens_details"))
    details_out = loose.record(told.get("output_tokens_details"))
    input_tokens = count(told.get("input_tokens"))
    output = max(count(told.get("output_tokens")), count(told.get("total_tokens")) - input_tokens)
    reasoning = known_count(details_out.get("reasoning_tokens"))
    cached = min(count(details_in.get("cached_tokens")), input_tokens)
    written = min(count(details_in.get("cache_write_tokens")), input_tokens - cached)
    return Usage(
        input_tokens=input_tokens,
        cached_input_tokens=cached,
        cache_write_tokens=written,
        output_tokens=max(output, reasoning or 0),
        reasoning_tokens=reasoning or 0,
    ), reasoning is not None


def _failed(error: Any, status: str, key: str) -> Failure:
    if error is not None:
        return errors.of_event({"error": error}, key=key)
    return Failure(Cause.SERVER_ERROR, "the provider broke the response off", code=status[:80])


def _parts(content: list[Content] | str | None) -> list[Content]:
    return [Content(text=content)] if isinstance(content, str) else content or []


def _arguments(item: Item) -> str:
    if isinstance(item.arguments, dict):
        return msgspec.json.encode(item.arguments).decode()
    return item.arguments or ""


def _any(raw: msgspec.Raw) -> Any:
    """What a raw field holds; None for nothing."""
    try:
        return loose.document(bytes(raw)) if raw else None
    except ValueError:
        return None


def decoder(
    target: TargetProfile, stream: bool, key: str, prefix: Prefix | None
) -> ResponsesDecoder:
    return ResponsesDecoder(stream, key)
