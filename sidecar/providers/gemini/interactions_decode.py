"""Decoding Interactions: steps and their deltas, or one interaction."""

from __future__ import annotations

from typing import Any

import msgspec

from sidecar.core.events import FinishReason
from sidecar.core.failure import Cause, Failure
from sidecar.core.request import Prefix
from sidecar.core.usage import Usage
from sidecar.providers import errors, loose, signature
from sidecar.providers.decoding import Decoding, DocumentFramer
from sidecar.providers.numbers import count, known_count
from sidecar.providers.profiles import TargetProfile
from sidecar.providers.sse import SseFramer
from sidecar.providers.tool_calls import ToolCalls

DIALECT = "gemini-interactions"

FINISH: dict[str, FinishReason] = {
    "completed": FinishReason.STOP,
    "incomplete": FinishReason.LENGTH,
    "requires_action": FinishReason.TOOL_CALLS,
}


class Inner(msgspec.Struct):
    text: str | None = None


class Delta(msgspec.Struct):
    """A delta of a step; in a synchronous answer, a piece of its content.

    Those of tools that the server runs itself hold other things under the same names.
    """

    type: str = ""
    text: str | None = None
    content: Inner | list[Any] | str | None = None
    signature: str | None = None
    arguments: str | dict[str, Any] | None = None


class Step(msgspec.Struct):
    type: str = ""
    id: str | None = None
    name: str | None = None
    arguments: dict[str, Any] | str | None = None
    content: list[Delta] | str | None = None
    summary: list[Delta] | str | None = None
    signature: str | None = None
    error: msgspec.Raw = msgspec.Raw(b"")


class Interaction(msgspec.Struct):
    id: Any = None
    model: Any = None
    status: str | None = None
    usage: dict[str, Any] | None = None
    steps: list[Step] | None = None
    outputs: list[Delta] | None = None


class Metadata(msgspec.Struct):
    """What comes beside an event: counts, which grow from one to the next."""

    usage: msgspec.Raw = msgspec.Raw(b"")


class Wire(Interaction):
    """Any event; a synchronous answer is one too, without an event type."""

    event_type: str = ""
    index: int = 0
    interaction: Interaction | None = None
    step: Step | None = None
    delta: Delta | None = None
    metadata: Metadata | None = None
    error: msgspec.Raw = msgspec.Raw(b"")


_DECODER = msgspec.json.Decoder(Wire)
_decode = _DECODER.decode


class InteractionsDecoder(Decoding):
    __slots__ = ("_arguments", "_calls", "_counts", "_thoughts")

    def __init__(self, stream: bool, key: str = "") -> None:
        super().__init__(SseFramer() if stream else DocumentFramer(), key)
        self._calls = ToolCalls()
        self._thoughts: list[dict[str, Any]] = []
        # Arguments that came with the start of a call, kept in case no deltas follow.
        self._arguments: dict[int, str] = {}
        # Of the counts beside the events only the last that anybody asks for are read.
        self._counts = msgspec.Raw(b"")

    @property
    def usage(self) -> Usage | None:
        self._count_last()
        return self._usage

    def on_event(self, data: bytes, name: bytes = b"") -> None:
        try:
            wire = _decode(data)
        except (ValueError, RecursionError):
            if data == b"[DONE]":
                self.done = self.finished
                return
            repaired = loose.repaired(data, _DECODER, Wire)
            if repaired is None:
                self.unreadable(data)
                return
            wire = repaired
        self._wire(wire)

    def _wire(self, wire: Wire) -> None:
        if wire.event_type == "step.delta" and wire.delta is not None:
            self._delta(wire.index, wire.delta)
        elif wire.event_type == "step.start" and wire.step is not None:
            self._start(wire.index, wire.step)
        elif wire.event_type == "step.stop":
            self._stop(wire.index)
        if wire.metadata is not None and wire.metadata.usage:
            self._counts = wire.metadata.usage
            if self.finished:
                self._count_last()
        if wire.error:
            self._error(wire.error)
        if wire.interaction is not None:
            self._interaction(wire.interaction, wire.event_type)
        elif not wire.event_type and wire.status:
            self._interaction(wire, "")

    def _interaction(self, interaction: Interaction, event: str) -> None:
        self.report.response_id = loose.text(interaction.id) or self.report.response_id
        self.report.response_model = loose.text(interaction.model) or self.report.response_model
        if event not in ("", "interaction.completed"):
            return
        if not event:
            self._whole(interaction)
        self._count_last()
        self._count(interaction.usage or {})
        self._finish(interaction.status or "")

    def _finish(self, status: str) -> None:
        known = FINISH.get(status)
        if known is None:
            self.report.native_finish = status
            self.fail(Failure(Cause.SERVER_ERROR, "the interaction failed", code=status[:80]))
            return
        for index in list(self._arguments):
            self._stop(index)
        self._calls.close(self.out, self.report.response_id, known is not FinishReason.LENGTH)
        self.finish(status, known)

    def _whole(self, interaction: Interaction) -> None:
        for index, step in enumerate(interaction.steps or []):
            self._start(index, step)
            self._stop(index)
        for part in interaction.outputs or []:
            self._delta(0, part)

    def _start(self, index: int, step: Step) -> None:
        """A step may begin with its first words, which no delta says again."""
        if step.type in ("", "thought"):
            self.out.reasoning(_text(step.summary))
            self._sign(step.signature or "")
        if step.type in ("", "model_output"):
            self.out.answer(_text(step.content))
        if step.error:
            self._error(step.error)
        if step.type != "function_call":
            return
        self._piece(index, step.id or "", step.name or "", "")
        if isinstance(step.arguments, str):
            self._arguments[index] = step.arguments
        elif step.arguments:
            self._arguments[index] = msgspec.json.encode(step.arguments).decode()

    def _stop(self, index: int) -> None:
        arguments = self._arguments.pop(index, "")
        if arguments:
            self._piece(index, "", "", arguments)

    def _delta(self, index: int, delta: Delta) -> None:
        if delta.type == "text":
            self.out.answer(delta.text or "")
        elif delta.type in ("thought_summary", "thought"):
            inner = delta.content.text if isinstance(delta.content, Inner) else delta.text
            self.out.reasoning(inner or "")
        elif delta.type == "thought_signature":
            self._sign(delta.signature or "")
        elif delta.type == "arguments_delta" and delta.arguments and type(delta.arguments) is str:
            self._arguments.pop(index, None)
            self._piece(index, "", "", delta.arguments)

    def _piece(self, index: int, id: str, name: str, arguments: str) -> None:
        self._calls.piece(self.out, index, id, name, arguments, self.report.response_id)

    def _sign(self, signed: str) -> None:
        """A thought goes back as the step it was, in its place between the calls."""
        if signed:
            self._thoughts.append({"signature": signed, "at": self._calls.count})
            self.out.signature(signature.pack(DIALECT, self._thoughts))

    def _count_last(self) -> None:
        raw, self._counts = bytes(self._counts), msgspec.Raw(b"")
        if raw and loose.readable(raw):
            self._count(loose.record(loose.document(raw)))

    def _count(self, told: dict[str, Any]) -> None:
        if told:
            self.report.tool_input_tokens = count(told.get("total_tool_use_tokens"))
            self.tell_usage(*usage_of(told))

    def _error(self, raw: msgspec.Raw) -> None:
        try:
            error = loose.document(bytes(raw))
        except ValueError:
            return
        if error is not None:
            self.fail(errors.of_event({"error": error}, key=self._key))


def usage_of(told: dict[str, Any]) -> tuple[Usage, bool]:
    """Normal usage: thoughts lie beside the output's count."""
    thoughts = known_count(told.get("total_thought_tokens"))
    prompt = count(told.get("total_input_tokens"))
    return Usage(
        input_tokens=prompt + count(told.get("total_tool_use_tokens")),
        cached_input_tokens=min(count(told.get("total_cached_tokens")), prompt),
        output_tokens=count(told.get("total_output_tokens")) + (thoughts or 0),
        reasoning_tokens=thoughts or 0,
    ), thoughts is not None


def _text(parts: list[Delta] | str | None) -> str:
    if isinstance(parts, str):
        return parts
    return "".join(part.text or "" for part in parts or ())


def decoder(
    target: TargetProfile, stream: bool, key: str, prefix: Prefix | None
) -> InteractionsDecoder:
    return InteractionsDecoder(stream, key)
