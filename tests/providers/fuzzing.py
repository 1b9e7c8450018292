"""What must hold when a decoder is fed any bytes at all: the check that every fuzzer here runs.

An input is one byte of circumstances and a body: a sync document or a stream, what the target's
quirks say of think tags, and where the body is cut.
"""

from __future__ import annotations

import random
import re
from typing import Any

from sidecar.core.events import Answer, Delta, Reasoning, Refusal, ToolCall
from sidecar.core.failure import Cause
from sidecar.providers.dialect import Decoder
from sidecar.providers.profiles import ProviderProfile, Quirks, TargetProfile, target
from sidecar.providers.replay import shown
from sidecar.providers.table import DIALECTS
from sidecar.providers.think import ThinkMode
from sidecar.providers.typed_event import END_TYPES
from tests.providers.recorded import cut_at_random

_THINKING: tuple[ThinkMode, ...] = ("auto", "off", "open", "auto")
# Without one of these words in what arrived, nobody can have been told that the model finished.
# Keys and values may be written with escapes: then anything may stand there.
_TOLD: dict[str, re.Pattern[bytes]] = {
    "openai-chat": re.compile(rb"finish_reason|\\u"),
    "openai-responses": re.compile(rb"completed|incomplete|failed|\\u"),
    "anthropic": re.compile(rb"stop_reason|message_stop|\\u"),
    "gemini": re.compile(rb"finishReason|\\u"),
    "gemini-interactions": re.compile(rb"completed|requires_action|incomplete|\\u"),
    "ollama": re.compile(rb"done|\\u"),
    "typed-event": re.compile(
        "|".join((*END_TYPES, r"_reason|usage|reasoning_tokens|\\u")).encode(), re.IGNORECASE
    ),
}


def circumstances(data: bytes) -> tuple[bool, ThinkMode, int, bytes]:
    """Streamed or not, the mode of think tags, a seed for the cuts, and the body."""
    how = data[0] if data else 0
    return not how & 1, _THINKING[how >> 1 & 3], how >> 3, data[1:]


def subject(dialect: str, mode: ThinkMode) -> TargetProfile:
    return target(ProviderProfile("x", dialect, "", quirks=Quirks(think_tags=mode)), "m")


def check(dialect: str, data: bytes) -> None:
    """Raises AssertionError, or whatever the decoder raises, if the input finds a fault."""
    stream, mode, seed, body = circumstances(data)
    profile = subject(dialect, mode)

    def made() -> Decoder:
        return DIALECTS[dialect].decoder(profile, stream)

    whole = fed(made(), [body])
    pieces = cut_at_random(body, seed)
    assert fed(made(), pieces) == whole, "cut otherwise, it tells something else"
    at = random.Random(seed).randrange(len(body) + 1)
    decoder = made()
    fed(decoder, [body[:at]])
    # A document of the typed-event dialect says by its end alone that it is whole.
    if decoder.failure is None and (stream or dialect != "typed-event"):
        assert _TOLD[dialect].search(body[:at]), "whole, and nobody told that it had finished"


def fed(decoder: Decoder, pieces: list[bytes]) -> dict[str, Any]:
    """Feed all pieces, check what holds for any stream whatever, and tell what a caller sees."""
    deltas: list[Delta] = []
    for piece in pieces:
        deltas += decoder.feed(piece)
    deltas += decoder.end()
    for delta in deltas:
        _check_delta(delta)
    _check_end(decoder)
    told = shown(decoder, deltas)
    # A name that comes late, behind pieces of its arguments, is told by what it ends as.
    told["message"] = decoder.failure.message if decoder.failure else ""
    return told


def _check_delta(delta: Delta) -> None:
    assert isinstance(delta, Reasoning | Answer | ToolCall | Refusal)
    for name in delta.__struct_fields__:
        value = getattr(delta, name)
        if name == "index":
            assert type(value) is int
            assert value >= 0
        else:
            # Raises for a lone surrogate, which no protobuf string can hold.
            value.encode("utf-8")


def _check_end(decoder: Decoder) -> None:
    failure, report = decoder.failure, decoder.report
    assert decoder.done == (failure is None)
    assert failure is not None or report.finish_reason is not None
    assert decoder.feed(b"data: {}\n\n") == []
    assert decoder.end() == []
    if failure is not None:
        assert isinstance(failure.cause, Cause)
        failure.message.encode("utf-8")
    for text in (report.response_id, report.response_model, report.native_finish, report.upstream):
        assert isinstance(text, str)
        text.encode("utf-8")
    usage = decoder.usage
    if usage is not None:
        assert 0 <= usage.reasoning_tokens <= usage.output_tokens
        assert usage.cached_input_tokens + usage.cache_write_tokens <= usage.input_tokens
