"""What a fuzzer of one decoder begins with, and the words it may put in.

An input's first byte is its circumstances (see `fuzzing`): 0 a stream, 1 a whole document. Seeds
come from the recordings, from the fake provider in each of its flavours, and from the audit.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from types import ModuleType

from sidecar.core.money import FREE
from sidecar.providers import error_body, errors, ollama, typed_event
from sidecar.providers.anthropic import decode as anthropic
from sidecar.providers.gemini import decode as gemini
from sidecar.providers.gemini import interactions_decode, partial_args
from sidecar.providers.openai_chat import decode as chat
from sidecar.providers.openai_chat import details, usage, wire
from sidecar.providers.responses import decode as responses
from sidecar.testing.actions import Send
from sidecar.testing.asked import Asked, Plan, compose
from sidecar.testing.dialects import DIALECTS as SPOKEN
from sidecar.testing.dialects.base import Dialect, Stamp
from sidecar.testing.dialects.chat import FLAVOURS
from sidecar.testing.speech import Case, healthy
from tests.providers.audit.table import AUDIT
from tests.providers.recorded import NAMES, recordings

STREAM, WHOLE = b"\0", b"\1"
MAX_SEED_BYTES = 6000
# The files that decode a dialect and nothing else.
DECODERS: dict[str, tuple[ModuleType, ...]] = {
    "openai-chat": (chat, details, usage, wire),
    "openai-responses": (responses,),
    "anthropic": (anthropic,),
    "gemini": (gemini, partial_args),
    "gemini-interactions": (interactions_decode,),
    "ollama": (ollama,),
    "typed-event": (typed_event,),
}
FRAMING = (
    *("data: ", "event: ", ": ping\n\n", "id: 1\n", "\n\n", "\r\n\r\n", "\r", "[DONE]", "\ufeff"),
    *("data: [DONE]\n\n", "error: {", "<think>", "</think>", "<thought>", "\\ud83d", "\\u0000"),
    *("null", "true", "NaN", "Infinity", "-1", "1e999", "10000000000000000", '":{"', '":[{"'),
)
PLANS = (
    Plan(reasoning_words=4, answer_words=4, cached_tokens=1),
    Plan(reasoning_words=3, tool_calls=2, calls_alone=True),
    Plan(reasoning_words=3, answer_words=3, think_tags=True, told="none"),
    Plan(answer_words=5, style="unicode", told="zero"),
)


def seeds(dialect: str) -> list[bytes]:
    """Inputs for the fuzzer, without doubles, none larger than MAX_SEED_BYTES."""
    found = [*recorded(dialect), *spoken(dialect), *audited(dialect)]
    return list(dict.fromkeys(found))


def recorded(dialect: str) -> Iterator[bytes]:
    for recording in recordings("stream", "sync"):
        if NAMES[recording.dialect] == dialect:
            whole = recording.kind == "sync"
            yield (WHOLE if whole else STREAM) + shortened(recording.body)


def spoken(dialect: str) -> Iterator[bytes]:
    """Answers of the fake provider: reasoning, text, tools, usage; streamed and whole."""
    (speaker,) = (row for row in SPOKEN if row.name == dialect)
    for flavour in FLAVOURS if dialect == "openai-chat" else (dialect,):
        for plan in PLANS:
            yield STREAM + shortened(said(speaker, flavour, plan, True))
            yield WHOLE + said(speaker, flavour, plan, False)


def audited(dialect: str) -> Iterator[bytes]:
    for trap in AUDIT.get(dialect, ()):
        yield (WHOLE if trap.whole else STREAM) + trap.body


def shortened(body: bytes) -> bytes:
    """A long stream by its beginning and its end: whole events, the finish among them."""
    blank = next((b for b in (b"\r\n\r\n", b"\n\n") if b in body), b"\n")
    events = body.split(blank)
    while len(body) > MAX_SEED_BYTES and len(events) > 2:
        del events[len(events) * 2 // 3 : len(events) * 2 // 3 + max(1, len(events) // 20)]
        body = blank.join(events)
    return body[:MAX_SEED_BYTES]


def words(dialect: str) -> list[str]:
    """Every name and text that the decoder's own code knows, and those of the framing."""
    found = dict.fromkeys(FRAMING)
    for module in (*DECODERS[dialect], errors, error_body):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found[node.value] = None
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found[node.target.id] = None
    return [word for word in found if 0 < len(word) <= 40]


def said(speaker: Dialect, flavour: str, plan: Plan, stream: bool) -> bytes:
    """A healthy answer of the fake provider as it stands on the wire, all of it."""
    asked = Asked(
        *(speaker.name, flavour, "fake", stream, ("How far is it?",)),
        include_usage=True,
        tools=("far", "near"),
    )
    speech = compose(asked, plan)
    renderer = speaker.renderer(asked, plan, Stamp(1, 0, lambda usage: FREE))
    case = Case(asked, plan, speech, renderer, (), "a", "k", 1, 0, lambda refusal: iter(()))
    return b"".join(step.data for step in healthy(case) if isinstance(step, Send))
