"""One request's history: what was delivered, what was tried, what may be tried next.

A plain state machine. It never waits and never looks at a clock; `now` is loop seconds. It does not
know keys or buckets: of a target it says only from when this request may ask it again.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable

import msgspec

from sidecar.core.events import (
    AttemptBegan,
    AttemptCause,
    AttemptSummary,
    Continuation,
    Delta,
    Outcome,
    Reasoning,
)
from sidecar.core.failure import Cause, Failure, Remedy
from sidecar.core.request import OnInterruption, Request
from sidecar.core.target import Resume, Route
from sidecar.core.transcript import Transcript
from sidecar.failover import resume, verdict

# Backoff before the same target is asked again: this, doubled each time, times a random 0.5 to 1.
BACKOFF_FIRST_S = 0.2
BACKOFF_LAST_S = 8.0
# A refused key does not count as a try (each is refused once); a 429 counts in this many tries for
# each retry that is allowed (failure card, S02: at most six attempts in all with two retries).
RATE_LIMIT_TRIES_PER_RETRY = 2


class Plan(msgspec.Struct):
    """One attempt about to be made. `announced` once its event went out."""

    number: int
    rank: int
    key_alias: str
    cause: AttemptCause
    start: resume.Start
    reason: str
    waited_s: float
    announced: bool = False


class _Standing(msgspec.Struct):
    """What this request has learned about one of its targets."""

    tries: int = 0
    rate_limited: int = 0
    not_before: float = -math.inf
    out: bool = False
    takes_prefix: bool = True


class Session:
    """All attempts of one request."""

    def __init__(self, request: Request, route: Route, rng: random.Random) -> None:
        self.request = request
        self.route = route
        self.transcript = Transcript()
        self.attempts: list[AttemptSummary] = []
        self.failures: list[tuple[int, Failure]] = []
        self.sequence = 0
        self.refused: Failure | None = None
        self._rng = rng
        self._standings = tuple(_Standing() for _ in route.targets)
        self._deliver_reasoning = request.completion.reasoning.deliver
        self._policy = request.completion.on_interruption or OnInterruption(route.on_interruption)
        self._begun = 0
        self._last_rank = -1

    # -- before an attempt -------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Nothing may be tried any more."""
        if self.refused is not None:
            return True
        if self.failures and self.delivered and self._policy is OnInterruption.FAIL:
            return True
        return all(standing.out for standing in self._standings)

    @property
    def delivered(self) -> bool:
        """Has the caller been given anything?"""
        return self.sequence > 0

    def ready_at(self, rank: int, now: float) -> float:
        """From when this request may ask target `rank` (again); infinity for never."""
        standing = self._standings[rank]
        return math.inf if standing.out else max(now, standing.not_before)

    def begin(self, rank: int, key_alias: str, able: Resume, waited_s: float) -> Plan:
        """Plan the next attempt on target `rank`, which is `able` to continue that much."""
        self._begun += 1
        able = able if self._standings[rank].takes_prefix else Resume.NONE
        plan = Plan(
            number=self._begun,
            rank=rank,
            key_alias=key_alias,
            cause=self._cause(rank),
            start=resume.begin(self.transcript, able, self._policy),
            reason=self.failures[-1][1].cause.value if self.failures else "",
            waited_s=waited_s,
        )
        self._last_rank = rank
        return plan

    def _cause(self, rank: int) -> AttemptCause:
        if self._begun == 1:
            return AttemptCause.FIRST
        return AttemptCause.RETRY if rank == self._last_rank else AttemptCause.FAILOVER

    # -- during an attempt -------------------------------------------------------------------

    def announce(self, plan: Plan) -> AttemptBegan:
        """The event that goes out before the first delta of `plan`; it settles the seam."""
        plan.announced = True
        anew = plan.start.continuation is Continuation.RESTARTED
        discard_after = 0 if anew else self.sequence
        if anew:
            self.transcript.clear()
        self.sequence += 1
        target = self.route.targets[plan.rank]
        return AttemptBegan(
            number=plan.number,
            provider=target.provider,
            model=target.model,
            key_alias=plan.key_alias,
            cause=plan.cause,
            continuation=plan.start.continuation,
            reason=plan.reason,
            discard_after_sequence=discard_after,
            waited_s=plan.waited_s,
        )

    def note(self, delta: Delta) -> bool:
        """Keep `delta`; True if the caller is to get it (excluded reasoning is kept, not sent)."""
        self.transcript.add(delta)
        if not self._deliver_reasoning and isinstance(delta, Reasoning):
            return False
        self.sequence += 1
        return True

    # -- after an attempt --------------------------------------------------------------------

    def ended(self, summary: AttemptSummary) -> None:
        self.attempts.append(summary)

    def failed(self, plan: Plan, failure: Failure, now: float) -> None:
        """Take note of a failed attempt and decide what its target may still be asked."""
        self.failures.append((plan.rank, failure))
        standing = self._standings[plan.rank]
        if failure.cause is Cause.PREFIX_REFUSED:
            standing.takes_prefix = False
            return
        {
            Remedy.RETRY: self._back_off,
            Remedy.REST: self._count_rate_limit,
            Remedy.MOVE: self._set_aside,
            Remedy.REFUSE: self._refuse,
        }[failure.verdict.remedy](standing, failure, now)

    def _back_off(self, standing: _Standing, failure: Failure, now: float) -> None:
        standing.tries += 1
        standing.out = standing.tries > self.route.retries
        own = min(BACKOFF_FIRST_S * 2.0 ** (standing.tries - 1), BACKOFF_LAST_S)
        wait_s = own * (0.5 + 0.5 * self._rng.random())
        standing.not_before = now + max(wait_s, failure.retry_after_s or 0.0)

    def _count_rate_limit(self, standing: _Standing, failure: Failure, now: float) -> None:
        del now  # the key or account rests; that wait is the key ring's to tell
        if failure.cause is Cause.RATE_LIMITED:
            standing.rate_limited += 1
            most = RATE_LIMIT_TRIES_PER_RETRY * self.route.retries
            standing.out = standing.rate_limited > most

    def _set_aside(self, standing: _Standing, failure: Failure, now: float) -> None:
        del failure, now
        standing.out = True

    def _refuse(self, standing: _Standing, failure: Failure, now: float) -> None:
        del standing, now
        self.refused = failure

    def outcome_of(self, plan: Plan) -> Outcome:
        """What a failed attempt is called: did it say anything before it broke?"""
        return Outcome.INTERRUPTED if plan.announced else Outcome.FAILED

    def error(self) -> Exception:
        """The RequestFailed for a session that is over."""
        return verdict.error_for(self.refused, [f for _, f in self.failures], self._told())

    def _told(self) -> dict[str, str]:
        """What was delivered and tried, as metadata for an error."""
        return {
            "attempts": str(len(self.attempts)),
            "targets": ",".join(_once(f"{a.provider}/{a.model}" for a in self.attempts)),
            "last_sequence": str(self.sequence),
            "delivered_reasoning_chars": str(len(self.transcript.reasoning)),
            "delivered_answer_chars": str(len(self.transcript.answer)),
        }


def _once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
