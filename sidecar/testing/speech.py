"""The steps of an attempt in which nothing goes wrong. Faults change them afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from sidecar.testing.actions import Action, Begin, Finish, Head, Kind, Send, Wait
from sidecar.testing.asked import Asked, Plan, Speech
from sidecar.testing.dialects.base import Refusal, Renderer


class Case(msgspec.Struct, frozen=True):
    """All that a fault may look at.

    `key_number` counts the attempts with this key on this model's name, from 1. `refuse` makes the
    steps of an HTTP error in the dialect of the request.
    """

    asked: Asked
    plan: Plan
    speech: Speech
    renderer: Renderer
    headers: tuple[tuple[str, str], ...]
    key: str
    secret: str
    key_number: int
    wall_ns: int
    refuse: Callable[[Refusal], Iterator[Action]]

    @property
    def is_sse(self) -> bool:
        return self.asked.stream and self.renderer.content_type.startswith("text/event-stream")


def healthy(case: Case) -> Iterator[Action]:
    """The whole answer, as a stream or at once."""
    return _stream(case) if case.asked.stream else _whole(case)


def _stream(case: Case) -> Iterator[Action]:
    yield Begin()
    content_type = ("content-type", case.renderer.content_type)
    yield Head(200, (content_type, ("cache-control", "no-cache"), *case.headers))
    for data in case.renderer.opening():
        yield Send(data, Kind.OPENING)
    yield from _said(case)
    usage = None if case.plan.told == "none" else case.speech.usage
    for piece in case.renderer.closing(case.speech.finish, usage):
        yield Send(piece.data, piece.kind)
    yield Finish()


def _said(case: Case) -> Iterator[Action]:
    render, plan = case.renderer, case.plan
    yield from _thought(case)
    for text, tokens in _batches(case.speech.answer, plan.batch):
        yield Wait(tokens * plan.pace_s)
        yield from _carried(render.answer(text), Kind.ANSWER, tokens)
    for call in case.speech.calls:
        for place, (text, tokens) in enumerate(_batches(call.pieces, plan.batch)):
            yield Wait(tokens * plan.pace_s)
            yield from _carried(render.call(call, text, first=place == 0), Kind.TOOL, tokens)


def _thought(case: Case) -> Iterator[Action]:
    render, plan, reasoning = case.renderer, case.plan, case.speech.reasoning
    show = render.reasoning if case.speech.tags is None else render.answer
    before, after = case.speech.tags or ("", "")
    if before and reasoning:
        yield from _carried(show(before), Kind.OTHER, 0)
    for text, tokens in _batches(reasoning, plan.batch):
        yield Wait(tokens * plan.pace_s)
        yield from _carried(show(text), Kind.REASONING, tokens)
    if after and reasoning:
        yield from _carried(show(after), Kind.OTHER, 0)


def _batches(tokens: tuple[str, ...], size: int) -> Iterator[tuple[str, int]]:
    """The text of each event, and how many tokens it has."""
    for start in range(0, len(tokens), size):
        batch = tokens[start : start + size]
        yield "".join(batch), len(batch)


def _carried(events: list[bytes], kind: Kind, tokens: int) -> Iterator[Send]:
    """The events of some tokens; they count with the last, or with none if the text is hidden."""
    for data in events[:-1]:
        yield Send(data)
    last = events[-1] if events else b""
    reasoning = tokens if kind is Kind.REASONING else 0
    yield Send(last, kind, reasoning, tokens - reasoning)


def _whole(case: Case) -> Iterator[Action]:
    yield Begin()
    pause, speech = Wait(case.plan.pace_s), case.speech
    for _ in speech.reasoning:
        yield pause
        yield Send(b"", Kind.REASONING, reasoning=1)
    for _ in (*speech.answer, *(piece for call in speech.calls for piece in call.pieces)):
        yield pause
        yield Send(b"", Kind.ANSWER, answer=1)
    body = case.renderer.whole(speech, None if case.plan.told == "none" else speech.usage)
    length = ("content-length", str(len(body)))
    yield Head(200, (("content-type", "application/json"), length, *case.headers))
    yield Send(body, Kind.WHOLE)
    yield Finish()
