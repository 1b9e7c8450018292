"""Decoding chat completions, streamed or whole."""

from __future__ import annotations

import msgspec

from sidecar.core.events import FinishReason
from sidecar.core.failure import Cause, Failure
from sidecar.core.request import Prefix
from sidecar.providers import errors, loose
from sidecar.providers.decoding import Decoding, DocumentFramer
from sidecar.providers.openai_chat import wire
from sidecar.providers.openai_chat.details import ReasoningDetails, blocks_text, details_text
from sidecar.providers.openai_chat.usage import cost_of, usage_of
from sidecar.providers.profiles import Quirks, TargetProfile
from sidecar.providers.safe_text import safe
from sidecar.providers.sse import SseFramer
from sidecar.providers.think import ThinkSplitter
from sidecar.providers.tool_calls import ToolCalls

DONE = b"[DONE]"
UNPROVEN = Failure(
    Cause.CUT, "the gateway ended the stream in the stead of a provider that had broken off"
)

FINISH: dict[str, FinishReason] = {
    "stop": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "end_turn": FinishReason.STOP,
    "eos": FinishReason.STOP,
    "eos_token": FinishReason.STOP,
    "complete": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "model_length": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "tool_use": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
    "safety": FinishReason.CONTENT_FILTER,
    "sensitive": FinishReason.CONTENT_FILTER,
    "refusal": FinishReason.REFUSAL,
}
# Finish reasons that are no finish: the attempt failed, what was said so far stands.
BROKEN: dict[str, Failure] = {
    "insufficient_system_resource": Failure(
        Cause.OVERLOADED,
        "the provider ran out of resources and broke off",
        code="insufficient_system_resource",
    ),
    "network_error": Failure(
        Cause.SERVER_ERROR, "the provider broke off with an error", code="network_error"
    ),
    "error": Failure(Cause.SERVER_ERROR, "the provider broke off with an error", code="error"),
    "abort": Failure(Cause.SERVER_ERROR, "the provider broke the answer off", code="abort"),
}


class ChatDecoder(Decoding):
    """Chat completion chunks, or one chat completion document."""

    __slots__ = (
        "_calls",
        "_details",
        "_fields",
        "_held",
        "_proofs",
        "_quirks",
        "_source",
        "_think",
        "_thinking",
    )

    def __init__(
        self, quirks: Quirks, stream: bool, key: str = "", prefix: Prefix | None = None
    ) -> None:
        super().__init__(SseFramer() if stream else DocumentFramer(), key)
        self._quirks = quirks
        self._fields = quirks.reasoning_fields
        # The first source of reasoning that says anything is the only one believed: aggregators
        # send the same text in two fields at once.
        self._source = ""
        self._think = ThinkSplitter(quirks.think_tags)
        if prefix is not None and prefix.answer:
            # The text goes on from an answer: a tag that the template opens is behind it.
            self._think.told_elsewhere()
        self._thinking = not self._think.passing
        self._calls = ToolCalls()
        self._details = ReasoningDetails()
        # A finish waits for the usage that proves it, where there is one to prove it by.
        self._proofs = quirks.whole_usage if stream and quirks.stream_usage else ()
        self._held: tuple[str, FinishReason] | None = None

    def on_event(self, data: bytes, name: bytes = b"") -> None:
        try:
            chunk = wire.decode(data)
        except (ValueError, RecursionError):
            if data.strip() == DONE:
                self._terminal()
                return
            repaired = wire.repaired(data)
            if repaired is None:
                self.unreadable(data)
                return
            chunk = repaired
        self._chunk(chunk)

    def on_end(self) -> None:
        self._flush()
        self.refine()
        if self._held is not None and self.failure is None:
            self.failure = UNPROVEN

    def _terminal(self) -> None:
        """The end mark. Without a finish reason before it the stream was cut all the same."""
        self.on_end()
        if self.finished:
            self.done = True
        elif self.failure is None:
            self.failure = Failure(Cause.CUT, "the stream ended without a finish reason")

    def _chunk(self, chunk: wire.Chunk) -> None:
        if not self.report.response_model:
            self._head(chunk)
        for choice in chunk.choices or ():
            # Only the first of several alternatives is anybody's answer.
            if not choice.index:
                # Perplexity repeats the whole message so far beside each delta: the delta wins.
                delta = choice.delta or choice.message
                if delta is not None:
                    self._delta(delta)
                if choice.error:
                    chunk.error = chunk.error or choice.error
                if choice.finish_reason:
                    chunk.usage = chunk.usage or choice.usage
                    self._finish(choice.finish_reason, choice, chunk)
        if chunk.usage is not None or chunk.x_groq is not None:
            self._count(chunk)
        if chunk.error or chunk.choices is None:
            self._error(chunk)

    def _head(self, chunk: wire.Chunk) -> None:
        report = self.report
        report.response_id = report.response_id or loose.text(chunk.id)
        report.response_model = loose.text(chunk.model)
        if isinstance(chunk.provider, str):
            report.upstream = safe(chunk.provider)[:80]

    def _delta(self, delta: wire.Delta) -> None:
        if (
            delta.reasoning_content
            or delta.reasoning
            or delta.reasoning_details
            or delta.content_blocks
        ):
            self._reasoning(delta)
        content = delta.content
        if content:
            if type(content) is not str:
                self._parts(content)  # type: ignore[arg-type]
            elif self._thinking:
                self._text(content)
            else:
                self.out.answer(content)
        if delta.refusal:
            self.out.refusal(delta.refusal)
        if delta.tool_calls:
            self._tool_calls(delta.tool_calls)
        elif delta.function_call is not None:
            self._piece(0, "", delta.function_call)

    def _reasoning(self, delta: wire.Delta) -> None:
        if self._source == "reasoning_content":
            text = delta.reasoning_content
        elif self._source == "reasoning" and type(delta.reasoning) is str:
            text = delta.reasoning
        else:
            text = self._choose(delta)
        if text:
            self._think.told_elsewhere()
            self.out.reasoning(text)
        if type(delta.reasoning_details) is list:
            self._details.add(delta.reasoning_details)

    def _choose(self, delta: wire.Delta) -> str:
        """The text of the source this stream uses, or of the first that says anything."""
        details = delta.reasoning_details
        said = {
            "reasoning_content": delta.reasoning_content or "",
            "reasoning": loose.text(delta.reasoning),
            "reasoning_details": details_text(details) if isinstance(details, list) else "",
            "content_blocks": blocks_text(delta.content_blocks) if delta.content_blocks else "",
        }
        if not self._source:
            self._source = next((name for name in self._fields if said.get(name)), "")
        return said.get(self._source, "")

    def _text(self, text: str) -> None:
        if self._thinking:
            reasoning, text = self._think.feed(text)
            self.out.reasoning(reasoning)
            self._thinking = not self._think.passing
        self.out.answer(text)

    def _parts(self, parts: list[wire.Part]) -> None:
        for part in parts:
            if part.thinking:
                if self._source in ("", "content"):
                    self._source = "content"
                    self._think.told_elsewhere()
                    self.out.reasoning(_thinking_text(part.thinking))
            elif part.text:
                self._text(part.text)

    def _tool_calls(self, pieces: list[wire.ToolPiece]) -> None:
        for piece in pieces:
            self._piece(piece.index, str(piece.id or ""), piece.function or wire.Function())

    def _piece(self, place: int | None, id: str, function: wire.Function) -> None:
        arguments = function.arguments
        if isinstance(arguments, dict):
            arguments = msgspec.json.encode(arguments).decode()
        self._flush_text()
        self._calls.piece(
            self.out, place, id, function.name or "", arguments or "", self.report.response_id
        )

    def _finish(self, reason: str, choice: wire.Choice, chunk: wire.Chunk) -> None:
        self.report.native_finish = reason
        # OpenRouter may call an end a good one that its upstream called a failure.
        broken = BROKEN.get(reason) or BROKEN.get(loose.text(choice.native_finish_reason))
        if broken is not None:
            self.fail(self._failure_in(chunk) if chunk.error else broken)
        elif not chunk.error:
            known = FINISH.get(reason.lower(), FinishReason.STOP)
            self._flush()
            self._calls.close(self.out, self.report.response_id, known is not FinishReason.LENGTH)
            if self._proofs:
                self._held = (reason, known)
            else:
                self.finish(reason, known)

    def _flush(self) -> None:
        self._flush_text()
        packed = self._details.packed()
        if packed:
            self.out.signature(packed)

    def _flush_text(self) -> None:
        if self._thinking:
            reasoning, answer = self._think.end()
            self.out.reasoning(reasoning)
            self.out.answer(answer)

    def _count(self, chunk: wire.Chunk) -> None:
        told = loose.record(chunk.usage)
        if not told and chunk.x_groq is not None:
            told = loose.record(chunk.x_groq.usage)
        if told:
            self.tell_usage(*usage_of(told, self._quirks.reasoning_beside_output))
            self.report.cost_nano_usd = cost_of(told)
            if self._held is not None and any(told.get(key) is not None for key in self._proofs):
                held, self._held, self._proofs = self._held, None, ()
                self.finish(*held)

    def _error(self, chunk: wire.Chunk) -> None:
        if chunk.error or chunk.message is not None:
            self.fail(self._failure_in(chunk))

    def _failure_in(self, chunk: wire.Chunk) -> Failure:
        told = {"error": chunk.error} if chunk.error else {"message": chunk.message}
        return errors.of_event(told, extra=self._quirks.error_causes, key=self._key)


def _thinking_text(thinking: list[wire.Part] | str) -> str:
    if isinstance(thinking, str):
        return thinking
    return "".join(part.text or "" for part in thinking)


def decoder(target: TargetProfile, stream: bool, key: str, prefix: Prefix | None) -> ChatDecoder:
    return ChatDecoder(target.quirks, stream, key, prefix)
