"""Sessions and what happens to them, in few words."""

from __future__ import annotations

import random

from sidecar.core.events import (
    Answer,
    AttemptBegan,
    AttemptSummary,
    Delta,
    FinishReason,
    Outcome,
)
from sidecar.core.failure import Cause, Failure
from sidecar.core.money import FREE, UNPRICED, Cost, Price
from sidecar.core.request import Completion, Message, ReasoningOptions, Request, Role, Text
from sidecar.core.target import Resume, Route, Target
from sidecar.core.usage import NOTHING, Usage
from sidecar.failover.session import Finish, Plan, Session

ALPHA = Target("alpha", "m", resume=Resume.PREFIX)
BETA = Target("beta", "m", resume=Resume.PREFILL)
GAMMA = Target("gamma", "m")
LONG_ENOUGH = "a text that is long enough to be continued"
STOP = Finish(FinishReason.STOP, "m-1", "id-1")


def request(
    deliver: bool = True, now: float = 0.0, timeout_s: float = 600.0, **more: object
) -> Request:
    messages = (Message(Role.USER, (Text("hello"),)),)
    options = ReasoningOptions(deliver=deliver)
    completion = Completion("default", messages, reasoning=options, **more)  # type: ignore[arg-type]
    return Request("r-1", completion, deadline=now + timeout_s, received=now)


def session(*targets: Target, deliver: bool = True, retries: int = 2, **more: object) -> Session:
    route = Route("default", targets or (ALPHA, BETA), retries=retries)
    return Session(request(deliver, **more), route, random.Random(1))


def failure(cause: Cause, retry_after_s: float | None = None, status: int = 0) -> Failure:
    return Failure(cause, f"failed: {cause.value}", status=status, retry_after_s=retry_after_s)


def begin(one: Session, rank: int = 0, waited_s: float = 0.0) -> Plan:
    return one.begin(rank, f"key-{rank}", one.route.targets[rank].resume, waited_s, 0.0)


def say(one: Session, plan: Plan, *deltas: Delta) -> list[AttemptBegan | Delta]:
    """What the caller gets when `plan` brings `deltas`."""
    out: list[AttemptBegan | Delta] = []
    for delta in deltas:
        if not plan.announced:
            out.append(one.announce(plan))
        if one.note(delta):
            out.append(delta)
    return out


def summary(one: Session, plan: Plan, outcome: Outcome, usage: Usage, cost: Cost) -> AttemptSummary:
    target = one.route.targets[plan.rank]
    return AttemptSummary(
        number=plan.number,
        provider=target.provider,
        model=target.model,
        key_alias=plan.key_alias,
        cause=plan.cause,
        continuation=plan.start.continuation,
        outcome=outcome,
        reason="",
        usage=usage,
        cost=cost,
        duration_s=1.0,
    )


def fail(
    one: Session,
    plan: Plan,
    cause: Cause,
    now: float = 0.0,
    *,
    retry_after_s: float | None = None,
    usage: Usage = NOTHING,
    cost: Cost = FREE,
) -> None:
    """End `plan` as the gateway does: settled first, then judged."""
    one.ended(summary(one, plan, one.outcome_of(plan), usage, cost))
    one.failed(plan, failure(cause, retry_after_s), now)


def fail_once(one: Session, cause: Cause, now: float = 0.0, rank: int = 0) -> Plan:
    """One attempt that fails before it says anything."""
    plan = begin(one, rank)
    fail(one, plan, cause, now)
    return plan


def cut(one: Session, *deltas: Delta, rank: int = 0, usage: Usage = NOTHING) -> Plan:
    """One attempt that says `deltas` and breaks."""
    plan = begin(one, rank)
    say(one, plan, *(deltas or (Answer(LONG_ENOUGH),)))
    fail(one, plan, Cause.CUT, usage=usage)
    return plan


def finish(one: Session, plan: Plan, usage: Usage = NOTHING, price: Price = UNPRICED) -> None:
    one.completed(plan, STOP, price)
    one.ended(summary(one, plan, Outcome.COMPLETED, usage, FREE))
