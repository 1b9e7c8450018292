"""Faults in time and at the end: streams that are cut, stall, crawl or stay silent."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from sidecar.testing.actions import Action, Cut, Finish, Head, How, Kind, Send, Wait
from sidecar.testing.faults.base import Args
from sidecar.testing.speech import Case

_TOKENS = frozenset({Kind.REASONING, Kind.ANSWER, Kind.TOOL})
_PHASES: dict[str, frozenset[Kind]] = {
    "": _TOKENS,
    "reasoning": frozenset({Kind.REASONING}),
    "answer": frozenset({Kind.ANSWER}),
    "tool": frozenset({Kind.TOOL}),
}
_ENDS: dict[str, Action] = {
    "cut": Cut(How.CLOSE),
    "rst": Cut(How.RESET),
    "half": Cut(How.HALF_CLOSE),
    "eof": Finish(),
}

WAYS = {"reset": How.RESET, "close": How.CLOSE, "refuse": How.REFUSE}


def end_early(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """End after K tokens of a phase, K events, or K bytes. A shorter stream ends as it would.

    A whole answer has no part that could end well: there an eof before its headers is a cut.
    """
    phase, end = args.get("PHASE", ""), _ENDS[args["END"]]
    if not case.asked.stream and phase not in ("byte", "event") and args["END"] == "eof":
        end = _ENDS["cut"]
    if phase == "byte":
        return _end_at_byte(steps, int(args["K"]), end)
    if phase == "event":
        return _end_at_event(steps, int(args["K"]), end)
    return after_tokens(steps, int(args["K"]), [end], _PHASES[phase])


def after_tokens(
    steps: Iterator[Action],
    count: int,
    instead: list[Action],
    kinds: frozenset[Kind] = _TOKENS,
) -> Iterator[Action]:
    """The steps until `count` tokens were sent, then `instead` of all the rest."""
    for step in steps:
        counts = isinstance(step, Send) and step.kind in kinds
        if counts and count <= 0:
            yield from instead
            return
        yield step
        if counts and isinstance(step, Send):
            count -= step.tokens
            if count <= 0:
                yield from instead
                return


def _end_at_byte(steps: Iterator[Action], left: int, end: Action) -> Iterator[Action]:
    for step in steps:
        if isinstance(step, Send) and len(step.data) >= left:
            # A token whose event did not get out whole was never said.
            yield step if len(step.data) == left else Send(step.data[:left])
            yield end
            return
        if isinstance(step, Send):
            left -= len(step.data)
        yield step


def _end_at_event(steps: Iterator[Action], left: int, end: Action) -> Iterator[Action]:
    for step in steps:
        if isinstance(step, Send) and step.data:
            if left == 0:
                yield end
                return
            left -= 1
        yield step


def stall(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """After K tokens, S seconds of silence; then the connection closes."""
    return after_tokens(steps, int(args["K"]), [Wait(float(args["S"])), Cut(How.CLOSE)])


def pause(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """After K tokens, S seconds of silence; then on as before."""
    left = int(args["K"])
    for step in steps:
        if isinstance(step, Send) and step.kind in _TOKENS:
            if left == 0:
                yield Wait(float(args["S"]))
            left -= step.tokens
        yield step


def second(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """S seconds before the second token."""
    return pause(steps, case, {"K": "1", **args})


def first(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """Headers and opening event at once, the first token S seconds later."""
    return pause(steps, case, {"K": "0", **args})


def gap(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """S seconds between the last token of reasoning and what follows it."""
    before: Kind | None = None
    for step in steps:
        if isinstance(step, Send) and step.kind in _TOKENS:
            if before is Kind.REASONING and step.kind is not before:
                yield Wait(float(args["S"]))
            before = step.kind
        yield step


def late_headers(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """S seconds until the response headers; then as before."""
    yield Wait(float(args["S"]))
    yield from steps


def queued(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """Headers at once, then S seconds without any event."""
    for step in steps:
        yield step
        if isinstance(step, Head):
            yield Wait(float(args["S"]))


def silent(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """The request is accepted and no byte follows for S seconds (120); then it closes."""
    yield Wait(float(args.get("S", 120.0)))
    yield Cut(How.CLOSE)


def lose(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """The connection goes before any byte of the response."""
    yield Cut(WAYS[args["WAY"]])


def keep_alive(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """Comments (blank lines before a whole answer) every I seconds for S seconds, then as before.

    As DeepSeek does while a request is queued: the headers come first in both cases.
    """
    held, total, every = list(steps), float(args["S"]), float(args.get("I", 5.0))
    head = next((step for step in held if isinstance(step, Head)), None)
    if head is None:
        yield from held
        return
    before = [step for step in held if not isinstance(step, Head)]
    yield _without_length(head)
    for _ in range(int(total / every)):
        yield Wait(every)
        yield Send(case.renderer.comment(), Kind.COMMENT)
    yield Wait(total - every * int(total / every))
    yield from before


def _without_length(head: Head) -> Head:
    kept = tuple(pair for pair in head.headers if pair[0] != "content-length")
    return msgspec.structs.replace(head, headers=kept)
