"""Going on with a stream that another daemon began and did not finish: its past, told to a session.

What the other one paid is in its own ledger. Here it is only estimated, so that the caller's sums
are whole; its requests that never spoke are not known at all.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sidecar.core.events import (
    Answer,
    AttemptBegan,
    AttemptSummary,
    Completed,
    Event,
    Outcome,
    Reasoning,
    Refusal,
    ToolCall,
)
from sidecar.core.failure import Cause, Failure
from sidecar.core.money import cost_of
from sidecar.core.usage import Usage
from sidecar.failover.resume import Start
from sidecar.failover.session import Plan, Session
from sidecar.gateway.parts import Prices

# Attempts of a second daemon are numbered from the next multiple of this, plus one: those of the
# first that nobody heard of have numbers too, and an attempt's number is its place in the ledger.
ROUND = 100
# Characters of a token, about, where nobody has counted.
TOKEN_CHARS = 4


class _Spoken(msgspec.Struct):
    """One attempt of the other daemon, and the characters it said."""

    began: AttemptBegan
    reasoning: int = 0
    answer: int = 0

    def usage(self, input_tokens: int) -> Usage:
        reasoning = -(-self.reasoning // TOKEN_CHARS)
        output = reasoning - (-self.answer // TOKEN_CHARS)
        return Usage(
            input_tokens=input_tokens,
            output_tokens=output,
            reasoning_tokens=reasoning,
            estimated=True,
        )


def replay(
    session: Session, past: Sequence[Event], prices: Prices, input_tokens: int, wall_ns: int
) -> None:
    """Bring a new `session` to where `past` ends: its transcript, its sequence, its attempts."""
    spoken: list[_Spoken] = []
    plan: Plan | None = None
    for event in past:
        if isinstance(event, AttemptBegan):
            plan = _plan(session, event)
            session.announce(plan)
            spoken.append(_Spoken(event))
        elif not isinstance(event, Completed):
            session.note(event)
            _count(spoken, event)
    for attempt in spoken:
        session.ended(_summary(attempt, prices, input_tokens, wall_ns))
    number = plan.number if plan is not None else 1
    session.go_on(-(-number // ROUND) * ROUND)
    if plan is not None:
        session.failures.append((plan.rank, Failure(Cause.CUT, "the daemon it ran on is no more")))


def _plan(session: Session, event: AttemptBegan) -> Plan:
    """The plan of an attempt that was made elsewhere."""
    targets = [(target.provider, target.model) for target in session.route.targets]
    named = (event.provider, event.model)
    return Plan(
        number=event.number,
        rank=targets.index(named) if named in targets else 0,
        key_alias=event.key_alias,
        cause=event.cause,
        # One that left something standing was handed the reasoning.
        start=Start(
            event.continuation, notes=session.thoughts if event.discard_after_sequence else ""
        ),
        reason=event.reason,
        waited_s=event.waited_s,
    )


def _count(spoken: list[_Spoken], event: Event) -> None:
    if not spoken:
        return
    if isinstance(event, Reasoning):
        spoken[-1].reasoning += len(event.text)
    elif isinstance(event, Answer | Refusal):
        spoken[-1].answer += len(event.text)
    elif isinstance(event, ToolCall):
        spoken[-1].answer += len(event.arguments)


def _summary(attempt: _Spoken, prices: Prices, input_tokens: int, wall_ns: int) -> AttemptSummary:
    began, usage = attempt.began, attempt.usage(input_tokens)
    quote = prices.quote(began.provider, began.model, wall_ns, input_tokens)
    return AttemptSummary(
        number=began.number,
        provider=began.provider,
        model=began.model,
        key_alias=began.key_alias,
        cause=began.cause,
        continuation=began.continuation,
        outcome=Outcome.INTERRUPTED,
        reason=Cause.CUT.value,
        usage=usage,
        cost=cost_of(usage, quote.price),
        duration_s=0.0,
    )
