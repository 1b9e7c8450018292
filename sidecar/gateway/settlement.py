"""Settling: what an attempt leaves behind. Synchronous, once, on every way out.

Key, breaker, buckets, ledger, span. Nothing here awaits, so no cancellation can split it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import msgspec

from sidecar.core.events import AttemptSummary, Outcome, Saved
from sidecar.core.failure import Cause, Failure
from sidecar.core.money import FREE, UNPRICED, cost_of
from sidecar.core.money import Cost as Money
from sidecar.core.usage import NOTHING, Usage
from sidecar.failover import handoff
from sidecar.failover.session import Finish, Plan, Session
from sidecar.gateway.budget import Budget
from sidecar.gateway.lease import Lease
from sidecar.gateway.parts import Parts
from sidecar.gateway.quota import buckets_of
from sidecar.gateway.teacher import TOO_MANY
from sidecar.gateway.watchdog import Stage
from sidecar.ledger.entry import Entry
from sidecar.ledger.prices import Quote
from sidecar.limits.bucket import Bucket, Cost
from sidecar.providers.dialect import Decoder
from sidecar.providers.told import Told
from sidecar.telemetry.trace import RequestTrace

log = logging.getLogger("headway.gateway")


class Settlement:
    """Collects what is to be settled while an attempt runs, and settles it at its end."""

    __slots__ = (
        "_answered",
        "_began",
        "_began_ns",
        "_decoder",
        "_dispatched",
        "_dropped",
        "_finish",
        "_first_answer_s",
        "_first_reasoning_s",
        "_kept",
        "_lease",
        "_parts",
        "_plan",
        "_session",
        "_settled",
        "_stage",
        "_told",
        "_trace",
        "_upstream",
    )

    def __init__(
        self, parts: Parts, session: Session, lease: Lease, plan: Plan, trace: RequestTrace
    ) -> None:
        line = lease.line
        self._parts = parts
        self._session = session
        self._lease = lease
        self._plan = plan
        self._began = parts.clock.now()
        self._began_ns = parts.clock.wall_ns()
        # What a resumed attempt sends again is input there: so many tokens, counted when they came.
        self._kept = plan.carried
        if plan.start.notes:
            self._kept += parts.estimator.input_tokens(line.target.model, handoff.FRAME_BYTES)
        self._dispatched = False
        self._answered = False
        self._dropped: tuple[str, ...] = ()
        self._told = Told()
        self._upstream = ""
        self._settled = False
        self._finish: Finish | None = None
        self._decoder: Decoder | None = None
        self._stage: Stage | None = None
        self._first_reasoning_s: float | None = None
        self._first_answer_s: float | None = None
        parts.traffic.began(line.target.name, lease.key.provider, lease.key.alias, self._began_ns)
        self._trace = trace.attempt(
            number=plan.number,
            provider=line.system,
            model=line.target.model,
            key_alias=lease.key.alias,
            cause=plan.cause,
            continuation=plan.start.continuation,
            server_address=line.address,
            server_port=line.port,
            now_ns=self._began_ns,
        )
        self._tell_choice()

    def _tell_choice(self) -> None:
        """How many keys there were for it, and how many of them rested."""
        ring, line = self._parts.ring, self._lease.line
        keys, now, model = ring.keys(line.target.provider), self._began, line.target.model
        resting = sum(ring.standing(key, model, now).ready_at > now for key in keys)
        self._trace.chosen(candidates=len(keys), cooling=resting)

    # -- while it runs -----------------------------------------------------------------------

    @property
    def traceparent(self) -> str:
        return self._trace.traceparent

    def budget(self) -> Budget | None:
        """The watch over the caller's bound, if it set one."""
        most = self._session.request.completion.max_cost_nano_usd
        if most is None:
            return None
        prompt = self._lease.want.cost.input_tokens
        price = self._quote(Usage(prompt)).price
        return Budget(self._session, price, prompt, most)

    def dispatched(self, dropped: tuple[str, ...]) -> None:
        """The request is about to go out; from here on it may be billed."""
        self._dispatched = True
        self._dropped = dropped
        self._parts.holding.add(self)
        if dropped:
            name = self._lease.line.target.name
            log.debug("%s: not sent as asked to %s: %s", self._about, name, ", ".join(dropped))

    def called(self, url: str) -> None:
        """The address that is going to be asked."""
        self._trace.called(url)

    def responded(self, status: int, headers: Mapping[str, str]) -> None:
        """Response headers are here."""
        self._answered = True
        now = self._parts.clock.now()
        self._session.stamps.connect_s = now - self._began
        self._trace.responded(status, self._parts.clock.wall_ns())
        self._told = self._lease.line.dialect.told(headers, self._lease.line.profile)
        self._parts.fleet.told(self._lease.key, headers)
        if status != TOO_MANY:
            self._parts.teacher.answered(self._buckets(), headers, now - self._began)

    def refused(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """The body of a refusal is here too."""
        if status == TOO_MANY:
            ago_s = self._parts.clock.now() - self._began
            self._parts.teacher.refused(self._buckets(), headers, body, ago_s)

    def _buckets(self) -> tuple[Bucket, ...]:
        lease = self._lease
        thinks = lease.want.thinks and lease.line.target.reasoning
        return buckets_of(lease.line, self._parts.ring, lease.key, thinks)

    def answering(self, decoder: Decoder) -> None:
        """The provider has accepted the request and bills it, whatever becomes of us."""
        self._decoder = decoder

    def held(self) -> Entry:
        """What the entry is should the daemon die now: the estimate so far."""
        usage = self._usage()
        quote = self._quote(usage)
        money = cost_of(usage, quote.price)
        now = self._parts.clock.now()
        return self._entry(Outcome.INTERRUPTED, "", usage, money, quote.tier, now)

    def phase(self, stage: Stage) -> None:
        """A delta of `stage` was handed on; the first of each is stamped."""
        if stage is self._stage:
            return
        if self._stage is None:
            self._alive()
        self._stage = stage
        since_s = self._parts.clock.now() - self._session.request.received
        if stage is Stage.REASONING and self._first_reasoning_s is None:
            self._first_reasoning_s = since_s
        elif stage is Stage.ANSWER and self._first_answer_s is None:
            self._first_answer_s = since_s
        self._session.stamps.saw(stage is Stage.ANSWER, since_s)
        name = "answer" if stage is Stage.ANSWER else "reasoning"
        self._trace.phase(name, self._parts.clock.wall_ns())

    def _alive(self) -> None:
        """The first token: a probe has shown what it was to show, minutes before its end."""
        lease, now = self._lease, self._parts.clock.now()
        self._parts.experience.of(lease.line.target.name).firsts.saw(now - self._began)
        lease.line.breaker.alive(lease.generation, now)
        self._parts.fleet.answered(lease.line, self._began)
        self._parts.ring.succeeded(lease.key, lease.line.target.model, self._began)

    # -- at the end --------------------------------------------------------------------------

    def completed(self) -> None:
        lease, now = self._lease, self._parts.clock.now()
        self._parts.ring.succeeded(lease.key, lease.line.target.model, self._began)
        lease.line.breaker.succeeded(lease.generation, now)
        self._parts.fleet.answered(lease.line, self._began)
        assert self._decoder is not None
        report = self._decoder.report
        assert report.finish_reason is not None
        self._finish = Finish(report.finish_reason, report.response_model, report.response_id)
        late = report.late_error.cause.value if report.late_error is not None else ""
        self._close(Outcome.COMPLETED, late, now)

    def failed(self, failure: Failure) -> None:
        lease, now = self._lease, self._parts.clock.now()
        self._parts.ring.failed(lease.key, lease.line.target.model, failure, now)
        if failure.verdict.trips_breaker:
            lease.line.breaker.failed(lease.generation, now)
        else:
            lease.line.breaker.excluded(lease.generation, now)
        self._parts.fleet.breaker(lease.line, now)
        self._upstream = failure.upstream
        self._close(self._session.outcome_of(self._plan), failure.cause.value, now)

    def abandoned(self, outcome: Outcome) -> None:
        """The caller went away (or a hedge lost): nobody is to blame, what was used is paid."""
        lease, now = self._lease, self._parts.clock.now()
        if outcome is Outcome.CANCELLED_HEDGE:
            # So long at least its first token would have taken: the late ones must count too.
            self._parts.experience.of(lease.line.target.name).firsts.saw(now - self._began)
        self._parts.ring.excluded(lease.key, lease.line.target.model)
        lease.line.breaker.excluded(lease.generation, now)
        self._parts.fleet.undecided(lease.line)
        self._close(outcome, "", now)

    def _close(self, outcome: Outcome, reason: str, now: float) -> None:
        if self._settled:
            return
        self._settled = True
        self._parts.holding.discard(self)
        usage = self._usage()
        if self._unheard(reason):
            usage = Usage(estimated=True)
        self._parts.leases.settle(self._lease.reservation, self._used(usage))
        key = self._lease.key
        self._parts.traffic.ended(self._lease.line.target.name, key.provider, key.alias, reason)
        quote = self._quote(usage)
        money = FREE if self._decoder is None else cost_of(usage, quote.price)
        self._parts.spending.settle(self._lease.reservation.id, money.total_nano_usd)
        if self._finish is not None:
            self._session.completed(self._plan, self._finish, quote.price or UNPRICED)
        self._session.ended(self._summary(outcome, reason, usage, money, now))
        self._parts.ledger.record(self._entry(outcome, reason, usage, money, quote.tier, now))
        self._trace.told(self._dropped, self._told.trace, self._provider_cost(), self._behind())
        self._trace.finish(
            outcome=outcome,
            reason=reason,
            usage=usage,
            cost=money,
            now_ns=self._parts.clock.wall_ns(),
        )
        self._learn(outcome, usage)

    def _learn(self, outcome: Outcome, usage: Usage) -> None:
        """What the provider told makes the next estimate better; our own counts would not."""
        if usage.estimated or self._plan.start.prefix is not None or self._plan.start.notes:
            return
        want, target = self._lease.want, self._lease.line.target
        klass = "reasoning" if want.thinks and target.reasoning else "plain"
        caller = self._session.request.completion.caller
        used = Cost(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)
        whole = outcome is Outcome.COMPLETED
        self._parts.estimator.learn(target.model, klass, caller, want.input_bytes, used, whole)

    def _usage(self) -> Usage:
        """What the provider told, else what was counted: input estimated, output by its pieces."""
        if self._decoder is None or _never_began(self._decoder):
            return NOTHING
        told = self._decoder.usage
        reasoning, answer = self._decoder.pieces
        if told is not None:
            broke_off = self._decoder.report.finish_reason is None
            if not broke_off or told.output_tokens >= reasoning + answer:
                return told
            # Anthropic begins with a placeholder and tells the truth at the end (H43 of the card).
            return msgspec.structs.replace(
                told,
                output_tokens=reasoning + answer,
                reasoning_tokens=reasoning,
                estimated=True,
            )
        return Usage(
            input_tokens=self._lease.want.cost.input_tokens + self._kept,
            output_tokens=reasoning + answer,
            reasoning_tokens=reasoning,
            estimated=True,
        )

    def _unheard(self, reason: str) -> bool:
        """Sent, and given up before the answer began: providers say nowhere whether they bill it.
        It is entered as nothing, and marked, so that nobody takes this zero for a told one."""
        given_up = reason in ("", Cause.TIMEOUT_HEADERS.value)
        return self._dispatched and not self._answered and given_up

    def _used(self, usage: Usage) -> Cost:
        """For the buckets. A request that never left is given back; one that was sent and not
        answered keeps its input (limits reference 1.3: never 0 after dispatch)."""
        if not self._dispatched:
            return Cost(requests=0)
        if self._decoder is None:
            return Cost(input_tokens=self._lease.want.cost.input_tokens)
        return Cost(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)

    def _quote(self, usage: Usage) -> Quote:
        """The price at the attempt's start: a tier that changes in mid-stream does not count."""
        target = self._lease.line.target
        return self._parts.prices.quote(
            target.provider,
            target.model,
            self._began_ns,
            usage.input_tokens,
            self._served(),
        )

    def _served(self) -> str:
        """The model that the provider said it served, "" if it said nothing."""
        return self._decoder.report.response_model if self._decoder is not None else ""

    def _summary(
        self, outcome: Outcome, reason: str, usage: Usage, money: Money, now: float
    ) -> AttemptSummary:
        plan, target = self._plan, self._lease.line.target
        return AttemptSummary(
            number=plan.number,
            provider=target.provider,
            model=target.model,
            key_alias=plan.key_alias,
            cause=plan.cause,
            continuation=plan.start.continuation,
            outcome=outcome,
            reason=reason,
            usage=usage,
            cost=money,
            duration_s=now - self._began,
            dropped_options=self._dropped,
            provider_trace=self._told.trace,
            provider_cost_nano_usd=self._provider_cost(),
        )

    def _provider_cost(self) -> int | None:
        """The figure in the body is the provider's last word; one in the headers was written
        before the first token, and is all there is with some."""
        told = self._decoder.report.cost_nano_usd if self._decoder is not None else None
        return self._told.cost_nano_usd if told is None else told

    def _behind(self) -> str:
        """Who stands behind an aggregator: what the stream said, or else its error."""
        told = self._decoder.report.upstream if self._decoder is not None else ""
        return told or self._upstream

    @property
    def _about(self) -> str:
        return f"{self._session.request.id or 'a request'}, attempt {self._plan.number}"

    def _entry(
        self, outcome: Outcome, reason: str, usage: Usage, money: Money, tier: str, now: float
    ) -> Entry:
        plan, lease, request = self._plan, self._lease, self._session.request
        return Entry(
            request_id=request.id,
            attempt=plan.number,
            started_ns=self._began_ns,
            ended_ns=self._parts.clock.wall_ns(),
            provider=lease.line.target.provider,
            model=lease.line.target.model,
            account=lease.key.account,
            key_alias=lease.key.alias,
            cause=plan.cause,
            continuation=plan.start.continuation,
            outcome=outcome,
            reason=reason,
            usage=usage,
            cost=money,
            tier=tier,
            response_model=self._served(),
            caller=request.completion.caller,
            labels=request.completion.labels,
            route=self._session.route.name,
            duration_s=now - self._began,
            first_reasoning_s=self._first_reasoning_s,
            first_answer_s=self._first_answer_s,
            saved=self._session.saved if outcome is Outcome.COMPLETED else Saved(),
        )


def unused(parts: Parts, lease: Lease) -> None:
    """Give back a lease with which nothing was attempted."""
    parts.leases.settle(lease.reservation, Cost(requests=0))
    parts.ring.excluded(lease.key, lease.line.target.model)
    lease.line.breaker.excluded(lease.generation, parts.clock.now())
    parts.fleet.undecided(lease.line)


def _never_began(decoder: Decoder) -> bool:
    """A 200 that failed without one event of its dialect (a proxy's page, an empty body): no model
    has worked for it, nobody bills it."""
    return decoder.failure is not None and not decoder.heard
