"""Decoding generateContent, streamed or whole."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from sidecar.core.events import FinishReason
from sidecar.core.failure import Cause, Failure
from sidecar.core.request import Prefix
from sidecar.core.usage import Usage
from sidecar.providers import errors, loose, signature
from sidecar.providers.decoding import Decoding, DocumentFramer
from sidecar.providers.gemini.partial_args import PartialArgs
from sidecar.providers.numbers import MAX_COUNT, known_count
from sidecar.providers.profiles import TargetProfile
from sidecar.providers.sse import SseFramer
from sidecar.providers.tool_calls import ToolCalls, arguments_of

DIALECT = "gemini"

FINISH: dict[str, FinishReason] = {
    "STOP": FinishReason.STOP,
    "MAX_TOKENS": FinishReason.LENGTH,
    "SAFETY": FinishReason.CONTENT_FILTER,
    "RECITATION": FinishReason.CONTENT_FILTER,
    "PROHIBITED_CONTENT": FinishReason.CONTENT_FILTER,
    "BLOCKLIST": FinishReason.CONTENT_FILTER,
    "SPII": FinishReason.CONTENT_FILTER,
    "LANGUAGE": FinishReason.CONTENT_FILTER,
    "IMAGE_SAFETY": FinishReason.CONTENT_FILTER,
    "IMAGE_PROHIBITED_CONTENT": FinishReason.CONTENT_FILTER,
}
# The model broke down rather than finished: asking again may well help.
BROKEN = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MALFORMED_RESPONSE",
        "MISSING_THOUGHT_SIGNATURE",
        "OTHER",
        "FINISH_REASON_UNSPECIFIED",
    }
)


_Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)] | None


class FunctionCall(msgspec.Struct):
    name: str | None = None
    id: str | None = None
    args: msgspec.Raw = msgspec.Raw(b"")
    partialArgs: list[dict[str, Any]] | None = None
    willContinue: bool | None = None


class Part(msgspec.Struct):
    text: str | None = None
    thought: bool | None = None
    thoughtSignature: str | None = None
    thought_signature: str | None = None
    functionCall: FunctionCall | None = None


class Content(msgspec.Struct):
    parts: list[Part] | None = None


class Candidate(msgspec.Struct):
    index: int | None = None
    content: Content | None = None
    finishReason: str | None = None


class Counts(msgspec.Struct):
    """`usageMetadata`, without its details by modality."""

    promptTokenCount: _Count = None
    cachedContentTokenCount: _Count = None
    candidatesTokenCount: _Count = None
    thoughtsTokenCount: _Count = None
    toolUsePromptTokenCount: _Count = None


class Chunk(msgspec.Struct):
    candidates: list[Candidate] | None = None
    usageMetadata: msgspec.Raw = msgspec.Raw(b"")
    promptFeedback: dict[str, Any] | None = None
    modelVersion: Any = None
    responseId: Any = None
    error: msgspec.Raw = msgspec.Raw(b"")


_DECODER = msgspec.json.Decoder(Chunk)
_COUNTS: msgspec.json.Decoder[Counts | None] = msgspec.json.Decoder(Counts | None)
_decode = _DECODER.decode


class GeminiDecoder(Decoding):
    """Chunks of a candidate, or one whole. The end of the body is the only end mark there is."""

    __slots__ = ("_calls", "_counts", "_partial", "_signed")

    def __init__(self, stream: bool, key: str = "") -> None:
        super().__init__(SseFramer() if stream else DocumentFramer(), key)
        self._calls = ToolCalls()
        self._partial: PartialArgs | None = None
        self._signed: dict[str, Any] = {}
        # Counts come with every chunk and grow: only the last that anybody asks for are read.
        self._counts = msgspec.Raw(b"")

    def on_event(self, data: bytes, name: bytes = b"") -> None:
        try:
            chunk = _decode(data)
        except (ValueError, RecursionError):
            repaired = loose.repaired(data, _DECODER, Chunk)
            if repaired is None:
                self.unreadable(data)
                return
            chunk = repaired
        self._chunk(chunk)

    def _chunk(self, chunk: Chunk) -> None:
        if not self.report.response_model:
            self.report.response_model = loose.text(chunk.modelVersion)
            self.report.response_id = loose.text(chunk.responseId)
        if chunk.usageMetadata:
            self._counts = chunk.usageMetadata
            if self.finished:
                self._count()
        for candidate in chunk.candidates or ():
            if not candidate.index:
                self._candidate(candidate)
        if chunk.error:
            self._error(chunk.error)
        if chunk.promptFeedback is not None:
            self._feedback(chunk.promptFeedback)

    @property
    def usage(self) -> Usage | None:
        self._count()
        return self._usage

    def _count(self) -> None:
        raw, self._counts = self._counts, msgspec.Raw(b"")
        counts = _counts(raw) if raw else None
        if counts is None:
            return
        if counts.toolUsePromptTokenCount is not None:
            self.report.tool_input_tokens = counts.toolUsePromptTokenCount
        self.tell_usage(usage_of(counts), counts.thoughtsTokenCount is not None)

    def _feedback(self, told: dict[str, Any]) -> None:
        blocked = loose.text(told.get("blockReason"))
        if blocked and not self.finished:
            self.fail(Failure(Cause.CONTENT_FILTER, "the prompt was blocked", code=blocked[:80]))

    def _candidate(self, candidate: Candidate) -> None:
        content = candidate.content
        if content is not None:
            for part in content.parts or ():
                if part.text:
                    (self.out.reasoning if part.thought else self.out.answer)(part.text)
                if part.functionCall is not None:
                    self._call(part.functionCall)
                signed = part.thoughtSignature or part.thought_signature
                if signed:
                    self._sign(signed, part)
        if candidate.finishReason:
            self._finish(candidate.finishReason)

    def _call(self, call: FunctionCall) -> None:
        """A call comes whole; or (Vertex) it is opened by its name, followed by its arguments path
        by path, and closed by an empty one."""
        partial = self._partial
        if call.name:
            self._close()
            if call.willContinue or call.partialArgs is not None:
                partial = self._partial = PartialArgs(self._calls.count)
                partial.add(call.partialArgs or [])
            self._whole(call, arguments_of(bytes(call.args)))
        elif partial is not None and call.partialArgs:
            partial.add(call.partialArgs)
        elif not call.willContinue:
            self._close()

    def _close(self) -> None:
        partial, self._partial = self._partial, None
        if partial is not None:
            seed = self.report.response_id
            self._calls.piece(self.out, partial.place, "", "", partial.json(), seed)

    def _whole(self, call: FunctionCall, arguments: str) -> None:
        place = self._calls.count
        if call.id:
            self._signed.setdefault("ids", {})[str(place)] = call.id
        self._calls.piece(
            self.out, place, call.id or "", call.name or "", arguments, self.report.response_id
        )

    def _sign(self, signed: str, part: Part) -> None:
        """Signatures go back with the part they came on: a call by its number, the text, the
        thought."""
        if part.functionCall is not None:
            place = str(self._calls.count - 1)
            self._signed.setdefault("calls", {})[place] = signed
        else:
            self._signed["thought" if part.thought else "text"] = signed
        self.out.signature(signature.pack(DIALECT, self._signed))

    def _finish(self, reason: str) -> None:
        if reason in BROKEN:
            self.report.native_finish = reason
            self.fail(Failure(Cause.SERVER_ERROR, "the model broke off", code=reason))
            return
        known = FINISH.get(reason, FinishReason.STOP)
        self._count()
        self._close()
        self._calls.close(self.out, self.report.response_id, known is not FinishReason.LENGTH)
        self.finish(reason, known)

    def _error(self, raw: msgspec.Raw) -> None:
        try:
            error = loose.document(bytes(raw))
        except ValueError:
            return
        if error is not None:
            self.fail(errors.of_event({"error": error}, key=self._key))


def usage_of(told: Counts) -> Usage:
    """Normal usage: thoughts lie beside the candidates' count, tool input beside the prompt's."""
    prompt = told.promptTokenCount or 0
    thought = told.thoughtsTokenCount or 0
    cached = told.cachedContentTokenCount
    return Usage(
        prompt + (told.toolUsePromptTokenCount or 0),
        min(cached, prompt) if cached else 0,
        0,
        (told.candidatesTokenCount or 0) + thought,
        thought,
    )


def _counts(raw: msgspec.Raw) -> Counts | None:
    """What is counted, numbers read however they are written; None where it is no object."""
    try:
        return _COUNTS.decode(raw)
    except (ValueError, RecursionError):
        pass
    told = loose.document(bytes(raw)) if loose.readable(bytes(raw)) else None
    if not isinstance(told, dict):
        return None
    known = {name: known_count(told.get(name)) for name in Counts.__struct_fields__}
    return Counts(**known)


def decoder(target: TargetProfile, stream: bool, key: str, prefix: Prefix | None) -> GeminiDecoder:
    return GeminiDecoder(stream, key)
