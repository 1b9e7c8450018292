"""The Interactions dialect: texts and thoughts, as recorded; tools are refused."""

from __future__ import annotations

from typing import Any

import msgspec

from sidecar.core.events import FinishReason
from sidecar.core.failure import Cause, Failure
from sidecar.core.request import Completion, Prefix, Role
from sidecar.core.usage import Usage
from sidecar.providers import auth, errors, loose, options, signature
from sidecar.providers.decoding import Decoding, DocumentFramer
from sidecar.providers.dialect import HttpCall, Unsupported
from sidecar.providers.numbers import count, known_count
from sidecar.providers.options import Body
from sidecar.providers.profiles import TargetProfile
from sidecar.providers.sse import Event, SseFramer

DIALECT = "gemini-interactions"
PATH = "/interactions"

FINISH: dict[str, FinishReason] = {
    "completed": FinishReason.STOP,
    "incomplete": FinishReason.LENGTH,
    "requires_action": FinishReason.TOOL_CALLS,
}
_CONFIG = ("temperature", "top_p", "seed")


class Inner(msgspec.Struct):
    text: str | None = None


class Delta(msgspec.Struct):
    type: str = ""
    text: str | None = None
    content: Inner | None = None
    signature: str | None = None


class Step(msgspec.Struct):
    """A step of a synchronous answer: `thought` with its summary, or `model_output`."""

    type: str = ""
    content: list[Delta] | None = None
    summary: list[Delta] | None = None
    signature: str | None = None


class Interaction(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    status: str | None = None
    usage: dict[str, Any] | None = None
    steps: list[Step] | None = None
    outputs: list[Delta] | None = None


class Wire(Interaction):
    event_type: str = ""
    interaction: Interaction | None = None
    delta: Delta | None = None
    metadata: dict[str, Any] | None = None
    error: msgspec.Raw = msgspec.Raw(b"")


_DECODER = msgspec.json.Decoder(Wire)


class InteractionsDecoder(Decoding):
    """Steps and their deltas, or one interaction."""

    __slots__ = ()

    def __init__(self, stream: bool, key: str = "") -> None:
        super().__init__(SseFramer() if stream else DocumentFramer(), key)

    def on_event(self, event: Event) -> None:
        if event.stray:
            self.stray(event.stray)
        if not event.data or self.failure is not None:
            return
        if event.data == b"[DONE]":
            self.done = self.finished
            return
        try:
            wire = loose.typed(event.data, _DECODER, Wire)
        except ValueError:
            self.unreadable(event.data)
            return
        self._wire(wire)

    def _wire(self, wire: Wire) -> None:
        if wire.delta is not None and wire.event_type == "step.delta":
            self._delta(wire.delta)
        self._count(loose.record(loose.record(wire.metadata).get("usage")))
        if wire.error:
            self._error(wire.error)
        whole = wire if not wire.event_type and wire.status else wire.interaction
        if whole is not None:
            self._interaction(whole, wire.event_type)

    def _interaction(self, interaction: Interaction, event: str) -> None:
        self.report.response_id = interaction.id or self.report.response_id
        self.report.response_model = interaction.model or self.report.response_model
        if event not in ("", "interaction.completed"):
            return
        if not event:
            self._whole(interaction)
        self._count(interaction.usage or {})
        status = interaction.status or ""
        if status in FINISH:
            self.finish(status, FINISH[status])
        else:
            failure = Failure(Cause.SERVER_ERROR, "the interaction failed", code=status[:80])
            self.fail(failure)

    def _whole(self, interaction: Interaction) -> None:
        for step in interaction.steps or []:
            for part in step.summary or []:
                self.out.reasoning(part.text or "")
            if step.signature:
                self.out.signature(signature.pack(DIALECT, {"thought": step.signature}))
            for part in step.content or []:
                self.out.answer(part.text or "")
        for part in interaction.outputs or []:
            self._delta(part)

    def _delta(self, delta: Delta) -> None:
        if delta.type == "text":
            self.out.answer(delta.text or "")
        elif delta.type in ("thought_summary", "thought"):
            inner = delta.content.text if delta.content is not None else delta.text
            self.out.reasoning(inner or "")
        elif delta.type == "thought_signature" and delta.signature:
            self.out.signature(signature.pack(DIALECT, {"thought": delta.signature}))

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


def encode(
    completion: Completion, target: TargetProfile, prefix: Prefix | None, key: str, stream: bool
) -> HttpCall:
    """The call. Raises Unsupported for everything but texts; see `Dialect.encode`."""
    if prefix is not None:
        raise Unsupported("prefix", f"{target.model} takes no partial answer")
    if completion.tools or any(turn.tool_calls for turn in completion.messages):
        raise Unsupported("tools", "the Interactions dialect takes no tools here")
    if options.has_images(completion):
        raise Unsupported("messages", "the Interactions dialect takes no images here")
    if completion.response_format is not None and completion.response_format.kind != "text":
        raise Unsupported("response_format", "the Interactions dialect takes plain text here")
    options.check(completion, target)
    body = Body()
    thinks = options.reasoning(completion, target, body)
    if thinks and completion.reasoning.deliver:
        body.put("generation_config.thinking_summaries", "auto")
    _config(completion, target, thinks, body)
    body.fields = {"model": target.upstream_model, "input": _turns(completion), **body.fields}
    system = "\n\n".join(m.text for m in completion.messages if m.role is Role.SYSTEM)
    if system:
        body.fields["system_instruction"] = system
    body.fields["stream"] = stream
    body.fields["store"] = False
    body.merge(target.quirks.body)
    body.fields.update(options.plain_options(completion.provider_options))
    return HttpCall(
        target.quirks.path or PATH,
        auth.headers(target, key, stream),
        msgspec.json.encode(body.fields),
        tuple(body.dropped),
    )


def _turns(completion: Completion) -> list[dict[str, Any]]:
    return [
        {
            "role": "model" if message.role is Role.ASSISTANT else "user",
            "content": [{"type": "text", "text": message.text}],
        }
        for message in completion.messages
        if message.role is not Role.SYSTEM
    ]


def _config(completion: Completion, target: TargetProfile, thinks: bool, body: Body) -> None:
    for name, value in options.tuning(completion, target, thinks, body).items():
        if name in _CONFIG:
            body.put(f"generation_config.{name}", value)
        else:
            body.drop(name)
    if completion.max_tokens is not None:
        body.put("generation_config.max_output_tokens", completion.max_tokens)
    if completion.stop:
        body.put("generation_config.stop_sequences", list(completion.stop))


def decoder(
    target: TargetProfile, stream: bool, key: str, prefix: Prefix | None
) -> InteractionsDecoder:
    return InteractionsDecoder(stream, key)
