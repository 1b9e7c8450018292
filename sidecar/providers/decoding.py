"""What all decoders share: framing in, merged deltas out, one way to finish and one to fail."""

from __future__ import annotations

import abc
from typing import Protocol

import msgspec

from sidecar.core.events import Delta, FinishReason
from sidecar.core.failure import Cause, Failure
from sidecar.core.usage import Usage
from sidecar.providers import errors, loose
from sidecar.providers.dialect import Report
from sidecar.providers.merge import Merger
from sidecar.providers.sse import Event, Framed

# A whole answer in one document: generous, and still a bound.
MAX_DOCUMENT_BYTES = 64 * 1024 * 1024

_FINAL = frozenset(
    {FinishReason.LENGTH, FinishReason.LENGTH_IN_REASONING, FinishReason.CONTENT_FILTER}
)
CUT = Failure(Cause.CUT, "the stream ended without a finish reason")


class Framer(Protocol):
    """`feed` gives the events that `data` completes; one that is a read of its own, as nearly every
    token is, comes as its data and not as a list."""

    keepalives: int
    overflow: bool

    def feed(self, data: bytes) -> bytes | Framed: ...

    def end(self) -> Framed: ...


class DocumentFramer:
    """A synchronous answer: one event, the whole body, given out at its end.

    Blank lines before it are how a queued request is kept alive; they are counted, not kept.
    """

    __slots__ = ("_buffer", "keepalives", "overflow")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.keepalives = 0
        self.overflow = False

    def feed(self, data: bytes) -> Framed:
        if self.overflow:
            return []
        if not self._buffer and not data.strip():
            self.keepalives += 1
        else:
            self._buffer += data
        if len(self._buffer) > MAX_DOCUMENT_BYTES:
            self.overflow = True
            self._buffer = bytearray()
        return []

    def end(self) -> Framed:
        whole, self._buffer = bytes(self._buffer).strip(), bytearray()
        whole = whole.removeprefix(b"\xef\xbb\xbf")
        return [whole] if whole else []


class Decoding(abc.ABC):
    """The frame of a decoder. A dialect fills in `on_event`, and `on_end` if it holds text back.

    It tells what it finds through `out`, `finish` and `fail`, and may set `done`.
    """

    __slots__ = (
        "_framer",
        "_key",
        "_split",
        "_usage",
        "done",
        "failure",
        "finished",
        "heard",
        "out",
        "report",
        "torn",
    )

    def __init__(self, framer: Framer, key: str = "") -> None:
        self._framer = framer
        self._key = key
        self.report = Report()
        self.failure: Failure | None = None
        self.done = False
        self.finished = False
        self.heard = False
        self.torn = False
        self._split = False
        self._usage: Usage | None = None
        self.out = Merger()

    @property
    def keepalives(self) -> int:
        return self._framer.keepalives

    @property
    def usage(self) -> Usage | None:
        return self._usage

    @property
    def pieces(self) -> tuple[int, int]:
        return self.out.reasoning_pieces, self.out.answer_pieces

    def feed(self, data: bytes) -> list[Delta]:
        if self.done or self.failure is not None:
            return []
        events = self._framer.feed(data)
        if isinstance(events, bytes):
            self.heard = True
            self.on_event(events)
        else:
            self._each(events)
            if self._framer.overflow:
                self.fail(Failure(Cause.MALFORMED, "one event was larger than this side accepts"))
        return self.out.take()

    def end(self) -> list[Delta]:
        if self._over():
            return []
        self.torn = True
        self._each(self._framer.end())
        if self.failure is None:
            self.on_end()
        if self.failure is None and not self.finished:
            self.failure = CUT
        self.done = self.failure is None
        return self.out.take()

    @abc.abstractmethod
    def on_event(self, data: bytes, name: bytes = b"") -> None:
        """Take the data of one event of the body; `name` is its own where that says `error`."""

    def on_end(self) -> None:  # noqa: B027 - most dialects hold nothing back
        """The body is over: give out what was held back."""

    def finish(self, native: str, reason: FinishReason) -> None:
        """The model has finished. The last word stands, but nothing unsays a limit or a filter."""
        report = self.report
        self.finished = True
        report.native_finish = native
        if report.finish_reason not in _FINAL:
            report.finish_reason = reason
        self.refine()

    def tell_usage(self, usage: Usage, itemised: bool) -> None:
        """Usage as told. Reasoning that was streamed but not itemised is split off by its share
        of the text, and marked in the report; the total stays the provider's."""
        self._usage = usage
        self._split = not itemised
        if self.report.finish_reason is not None or (self._split and self.out.reasoned):
            self.refine()

    def refine(self) -> None:
        """Say the finish reason again by what is known now; to be called when usage comes."""
        reason = self.report.finish_reason
        if self._split and self._usage is not None:
            self._usage = self._shared_out(self._usage)
        if reason is not None:
            self.report.finish_reason = refined(reason, self.out, self._all_reasoning())

    def fail(self, failure: Failure) -> None:
        """An error: ends the stream, or is only noted if the model had finished before."""
        if self.finished:
            self.report.late_error = self.report.late_error or failure
        elif self.failure is None:
            self.failure = failure

    def unreadable(self, data: bytes) -> None:
        """An event that cannot be read: an error page, torn by the end of the body, or garbled;
        or the end mark of other dialects, which some gateways append."""
        if data.strip() == b"[DONE]":
            return
        self.stray(data)
        if self.failure is None and not self.torn:
            self.fail(Failure(Cause.MALFORMED, "an event of the stream could not be read"))

    def stray(self, lines: bytes) -> None:
        """Lines outside the framing: an error in disguise, a whole document from a server that
        does not stream, or nothing."""
        failure = errors.from_stray(lines, self._key)
        if failure is not None:
            self.fail(failure)
        elif not self.heard and lines[:1] == b"{" and loose.readable(lines):
            self.heard = True
            self.on_event(lines)

    def _each(self, events: Framed) -> None:
        for event in events:
            if isinstance(event, Event):
                self._odd(event)
            elif event:
                self.heard = True
                self.on_event(event)
            if self.done or self.failure is not None:
                return

    def _odd(self, event: Event) -> None:
        """An event of which the data is not all."""
        if event.stray:
            self.stray(event.stray)
        if event.data and self.failure is None:
            self.heard = True
            self.on_event(event.data, event.name)

    def _over(self) -> bool:
        return self.done or self.failure is not None

    def _shared_out(self, usage: Usage) -> Usage:
        if not self.out.reasoned:
            return usage
        thought, said = self.out.chars()
        if not thought:
            return usage
        self.report.split_estimated = True
        tokens = round(usage.output_tokens * thought / (thought + said))
        return msgspec.structs.replace(usage, reasoning_tokens=tokens)

    def _all_reasoning(self) -> bool:
        usage = self._usage
        return self.out.reasoned or (usage is not None and usage.reasoning_tokens > 0)


def refined(reason: FinishReason, out: Merger, reasoned: bool) -> FinishReason:
    """What the provider's word means, seen with what was delivered.

    `stop` with tool calls is TOOL_CALLS (Gemini, Ollama), with nothing but a refusal REFUSAL;
    `length` without a word of answer is LENGTH_IN_REASONING where there was reasoning.
    """
    said = out.answered or out.called or out.refused
    if reason is FinishReason.STOP and out.called:
        return FinishReason.TOOL_CALLS
    if reason is FinishReason.STOP and out.refused and not out.answered:
        return FinishReason.REFUSAL
    if reason is FinishReason.LENGTH and reasoned and not said:
        return FinishReason.LENGTH_IN_REASONING
    if reason is FinishReason.LENGTH_IN_REASONING and said:
        return FinishReason.LENGTH
    return reason
