"""One request's history: what was delivered, what was tried, what may be tried next.

A plain state machine. It never waits and never looks at a clock; `now` is loop seconds. It does not
know keys or buckets: of a target it says only from when this request may ask it again.
"""

from __future__ import annotations

import math
import random

import msgspec

from sidecar.core.events import (
    AttemptBegan,
    AttemptCause,
    AttemptSummary,
    Completed,
    Continuation,
    Delta,
    FinishReason,
    Outcome,
    Reasoning,
    Saved,
    Timings,
)
from sidecar.core.failure import Cause, Failure, Remedy, RequestFailed
from sidecar.core.money import FREE, TOKENS_PER_PRICE, Cost, Price
from sidecar.core.request import OnInterruption, Request
from sidecar.core.target import Resume, Route
from sidecar.core.transcript import Transcript
from sidecar.core.usage import NOTHING, Usage
from sidecar.failover import resume, verdict
from sidecar.failover.experience import Experience
from sidecar.failover.standing import Kept, Stamps, Standing

# Backoff before the same target is asked again: this, doubled each time, times a random 0.5 to 1.
BACKOFF_FIRST_S = 0.2
BACKOFF_LAST_S = 8.0
# A target that fell silent or slow is asked again only after this, unless it is the only one: the
# others may turn out to be out of reach, and then it is better than nothing.
ASIDE_S = 5.0
# A refused key does not count as a try (each is refused once); a 429 counts in this many tries for
# each retry that is allowed (failure card, S02: at most six attempts in all with two retries).
RATE_LIMIT_TRIES_PER_RETRY = 2


# Behind the cause in an attempt's reason: its target was given the kept reasoning as notes.
HANDOFF = "+HANDOFF"

# Causes for which another target is better, but the same one better than none.
MAY_RECOVER = frozenset(
    {
        Cause.TIMEOUT_HEADERS,
        Cause.TIMEOUT_FIRST,
        Cause.TIMEOUT_TOTAL,
        Cause.STALLED,
        Cause.TOO_SLOW,
        Cause.UNKNOWN,
    }
)


class Plan(msgspec.Struct):
    """One attempt about to be made.

    `carried` is how many tokens of the text so far go to its target as input. `begun` once it said
    something, `announced` once its event went out (of what is never sent there is none).
    """

    number: int
    rank: int
    key_alias: str
    cause: AttemptCause
    start: resume.Start
    reason: str
    waited_s: float
    carried: int = 0
    begun: bool = False
    announced: bool = False


class Finish(msgspec.Struct, frozen=True):
    """How the whole stream ended."""

    reason: FinishReason
    response_model: str
    response_id: str


class Session:
    """All attempts of one request."""

    def __init__(
        self,
        request: Request,
        route: Route,
        rng: random.Random,
        experience: Experience | None = None,
    ) -> None:
        self.request = request
        self.route = route
        self.transcript = Transcript()
        self.attempts: list[AttemptSummary] = []
        self.failures: list[tuple[int, Failure]] = []
        self.sequence = 0
        self.refused: Failure | None = None
        self.finish: Finish | None = None
        self.kept = Kept()
        self.saved = Saved()
        self.stamps = Stamps()
        self._rng = rng
        self._standings = tuple(Standing() for _ in route.targets)
        experience = experience or Experience()
        self._pasts = tuple(experience.of(target.name) for target in route.targets)
        self._no_retries_left = False
        # What the caller has to drop when the next event goes out; None: nothing.
        self._owed_discard: int | None = None
        # The sequence after which the answer began, and the reasoning before it, in characters.
        self._spoke_after: int | None = None
        self._thought_chars = 0
        self._deliver_reasoning = request.completion.reasoning.deliver
        self._policy = request.completion.on_interruption or OnInterruption(route.on_interruption)
        self._begun = 0
        self._last_rank = -1

    def go_on(self, begun: int) -> None:
        """Attempts up to number `begun` were made elsewhere; the next one follows them."""
        self._begun = begun

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

    def may_leave(self, rank: int) -> bool:
        """May a stream on target `rank` be given up for a better one?"""
        if self.delivered and self._policy is OnInterruption.FAIL:
            return False
        return any(not s.out for place, s in enumerate(self._standings) if place != rank)

    @property
    def thoughts(self) -> str:
        """The reasoning before the answer, if there is one yet: what a handoff hands on."""
        return self.transcript.reasoning[: self._thought_chars]

    def ready_at(self, rank: int, now: float) -> float:
        """From when this request may ask target `rank` (again); infinity for never."""
        standing = self._standings[rank]
        return math.inf if standing.out else max(now, standing.not_before)

    def begin(self, rank: int, key_alias: str, able: Resume, waited_s: float, now: float) -> Plan:
        """Plan the next attempt on target `rank`, which is `able` to continue that much."""
        self._begun += 1
        start = self._start(rank, able)
        plan = Plan(
            number=self._begun,
            rank=rank,
            key_alias=key_alias,
            cause=self._cause(rank),
            start=start,
            reason=self._reason(start),
            waited_s=waited_s,
            carried=self.kept.reasoning if start.notes else self.kept.total if start.prefix else 0,
        )
        self._count(rank, now)
        self._last_rank = rank
        return plan

    def _start(self, rank: int, able: Resume) -> resume.Start:
        taken = self._standings[rank].takes_prefix
        notes = self.thoughts if self.route.handoff else ""
        able = able if taken else Resume.NONE
        return resume.begin(self.transcript, able, self._policy, notes if taken else "")

    def _reason(self, start: resume.Start) -> str:
        cause = self.failures[-1][1].cause.value if self.failures else ""
        return cause + HANDOFF if start.notes else cause

    def _count(self, rank: int, now: float) -> None:
        """For the budgets: retries that were granted are now made, or not."""
        for place, standing in enumerate(self._standings):
            if standing.granted and place != rank:
                self._pasts[place].retries.give_back(now)
            elif not standing.granted and place == rank:
                self._pasts[place].retries.asked(now)
            standing.granted = False

    def _cause(self, rank: int) -> AttemptCause:
        if self._begun == 1:
            return AttemptCause.FIRST
        return AttemptCause.RETRY if rank == self._last_rank else AttemptCause.FAILOVER

    # -- during an attempt -------------------------------------------------------------------

    def hides(self, delta: Delta) -> bool:
        """Is `delta` kept and never sent (excluded reasoning)?"""
        return not self._deliver_reasoning and isinstance(delta, Reasoning)

    def join(self, plan: Plan) -> None:
        """`plan` begins to speak: settle the seam between it and what stands."""
        if plan.begun:
            return
        plan.begun = True
        if plan.start.continuation is not Continuation.RESTARTED:
            return
        self.kept = Kept()
        if not plan.start.notes:
            self._start_over(0)
            return
        # The answer begins anew, behind the reasoning that was handed on.
        signature = self.transcript.signature
        self.kept.reasoning = plan.carried
        self._start_over(self.sequence if self._spoke_after is None else self._spoke_after)
        self._keep(Reasoning(plan.start.notes, signature))

    def _start_over(self, after: int) -> None:
        """Drop what came after that sequence, and the caller is to do so too."""
        owed = self._owed_discard
        self._owed_discard = after if owed is None else min(after, owed)
        self.transcript.clear()
        self._spoke_after, self._thought_chars = None, 0

    def announce(self, plan: Plan) -> AttemptBegan:
        """The event that goes out before the first delta of `plan` that the caller gets."""
        self.join(plan)
        plan.announced = True
        owed, self._owed_discard = self._owed_discard, None
        discard_after = self.sequence if owed is None else min(owed, self.sequence)
        drops = owed is not None and plan.start.continuation is Continuation.RESUMED
        self.sequence += 1
        target = self.route.targets[plan.rank]
        return AttemptBegan(
            number=plan.number,
            provider=target.provider,
            model=target.model,
            key_alias=plan.key_alias,
            cause=plan.cause,
            # It resumes what the caller never saw: for the caller that is a restart.
            continuation=Continuation.RESTARTED if drops else plan.start.continuation,
            reason=plan.reason,
            discard_after_sequence=discard_after,
            waited_s=plan.waited_s,
        )

    def note(self, delta: Delta) -> bool:
        """Keep `delta`; True if the caller is to get it."""
        self._keep(delta)
        if self.hides(delta):
            return False
        self.sequence += 1
        return True

    def _keep(self, delta: Delta) -> None:
        self.transcript.add(delta)
        if self._spoke_after is None:
            if isinstance(delta, Reasoning):
                self._thought_chars += len(delta.text)
            else:
                self._spoke_after = self.sequence

    # -- after an attempt --------------------------------------------------------------------

    def ended(self, summary: AttemptSummary) -> None:
        """An attempt is settled; what it delivered before it broke may be continued."""
        self.attempts.append(summary)
        if summary.outcome is Outcome.INTERRUPTED:
            self.kept.reasoning += summary.usage.reasoning_tokens
            self.kept.answer += summary.usage.answer_tokens

    def completed(self, plan: Plan, finish: Finish, price: Price) -> None:
        """`plan` brought the stream to its end. What it went on from was output that it did not
        have to make, and input that it had to read: `price` has both."""
        self.finish = finish
        if plan.start.prefix is not None or plan.start.notes:
            nano = self.kept.total * (price.output - price.input) // TOKENS_PER_PRICE
            self.saved = Saved(self.kept.reasoning, self.kept.answer, nano)

    @property
    def usage(self) -> Usage:
        """Of all attempts that ended."""
        return sum((a.usage for a in self.attempts), NOTHING)

    @property
    def cost(self) -> Cost:
        """Of all attempts that ended."""
        return sum((a.cost for a in self.attempts), FREE)

    def completion(self, now: float) -> Completed:
        """The last event of a stream that is whole."""
        assert self.finish is not None
        stamps = self.stamps
        return Completed(
            finish_reason=self.finish.reason,
            usage=self.usage,
            cost=self.cost,
            timings=Timings(
                queued_s=stamps.queued_s,
                connect_s=stamps.connect_s,
                first_reasoning_s=stamps.first_reasoning_s,
                first_answer_s=stamps.first_answer_s,
                total_s=now - self.request.received,
            ),
            attempts=tuple(sorted(self.attempts, key=lambda attempt: attempt.number)),
            response_model=self.finish.response_model,
            saved=self.saved,
        )

    def failed(self, plan: Plan, failure: Failure, now: float) -> None:
        """Take note of a failed attempt and decide what its target may still be asked."""
        self.failures.append((plan.rank, failure))
        standing = self._standings[plan.rank]
        standing.spoke = plan.begun
        if failure.cause is Cause.PREFIX_REFUSED and standing.takes_prefix:
            standing.takes_prefix = False
            return
        {
            Remedy.RETRY: self._back_off,
            Remedy.REST: self._count_rate_limit,
            Remedy.MOVE: self._set_aside,
            Remedy.REFUSE: self._refuse,
        }[failure.verdict.remedy](standing, failure, now)

    def _back_off(
        self, standing: Standing, failure: Failure, now: float, least_s: float = 0.0
    ) -> None:
        standing.tries += 1
        standing.out = standing.tries > self.route.retries
        wait_s = max(self._backoff_s(standing), failure.retry_after_s or 0.0, least_s)
        # The largest of all that was told counts, also if a later failure told less.
        standing.not_before = max(standing.not_before, now + wait_s)
        if not standing.out:
            standing.out = not self._may_retry(standing, now)

    def _backoff_s(self, standing: Standing) -> float:
        """A stream that was cut is taken up at once, the first time: its target was well enough to
        speak, and somebody is reading. Storms are bounded by the retries' share of traffic."""
        if standing.tries == 1 and standing.spoke:
            return 0.0
        own = min(BACKOFF_FIRST_S * 2.0 ** (standing.tries - 1), BACKOFF_LAST_S)
        return own * (0.5 + 0.5 * self._rng.random())

    def _may_retry(self, standing: Standing, now: float) -> bool:
        """Would another try be in time, and is it within the target's share?"""
        past = self._pasts[self._standings.index(standing)]
        first_s = past.firsts.quantile(0.5) or 0.0
        if standing.not_before + first_s > self.request.deadline:
            return False
        standing.granted = past.retries.take(now)
        self._no_retries_left = self._no_retries_left or not standing.granted
        return standing.granted

    def _count_rate_limit(self, standing: Standing, failure: Failure, now: float) -> None:
        del now  # the key or account rests; that wait is the key ring's to tell
        if failure.cause is Cause.RATE_LIMITED:
            standing.rate_limited += 1
            most = RATE_LIMIT_TRIES_PER_RETRY * self.route.retries
            standing.out = standing.rate_limited > most

    def _set_aside(self, standing: Standing, failure: Failure, now: float) -> None:
        if failure.cause in MAY_RECOVER:
            alone = all(other.out for other in self._standings if other is not standing)
            self._back_off(standing, failure, now, 0.0 if alone else ASIDE_S)
        else:
            standing.out = True

    def _refuse(self, standing: Standing, failure: Failure, now: float) -> None:
        del standing, now
        self.refused = failure

    def outcome_of(self, plan: Plan) -> Outcome:
        """What a failed attempt is called: did it say anything before it broke?"""
        return Outcome.INTERRUPTED if plan.begun else Outcome.FAILED

    def error(self) -> RequestFailed:
        """The RequestFailed for a session that is over."""
        return verdict.error_for(self.refused, [f for _, f in self.failures], self._told())

    def _told(self) -> dict[str, str]:
        """What was delivered and tried, as metadata for an error."""
        spent = {"retry_budget": "spent"} if self._no_retries_left else {}
        return {
            **spent,
            "attempts": str(len(self.attempts)),
            "targets": ",".join(dict.fromkeys(f"{a.provider}/{a.model}" for a in self.attempts)),
            "last_sequence": str(self.sequence),
            "delivered_reasoning_chars": str(len(self.transcript.reasoning)),
            "delivered_answer_chars": str(len(self.transcript.answer)),
        }
