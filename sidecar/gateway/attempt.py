"""One attempt: encode, open, decode, hand on; and settle, whatever happens.

This is the path of every token. It awaits in two places (the provider's headers, the provider's
bytes) and gives control away in one (the caller's write).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress

import msgspec

from sidecar.core.events import AttemptCause, Delta, Event, Outcome, Reasoning, ToolCall
from sidecar.core.failure import Cause, Failure, Reason, RequestFailed
from sidecar.core.request import Completion
from sidecar.core.target import Phases
from sidecar.failover import handoff
from sidecar.failover.pace import Pace
from sidecar.failover.resume import ANEW
from sidecar.failover.session import Plan, Session
from sidecar.failover.splice import Joint
from sidecar.gateway.lease import Lease
from sidecar.gateway.parts import Parts
from sidecar.gateway.race import Entrant, Lost
from sidecar.gateway.settlement import Settlement, unused
from sidecar.gateway.watchdog import DeadlinePassed, Stage, TimeUp, Watchdog
from sidecar.providers.dialect import Decoder, Unsupported
from sidecar.telemetry.trace import RequestTrace
from sidecar.upstream.failure import Kind, TransportFailure
from sidecar.upstream.http import Call, Reply

# An error body is read up to here, bytes; the rest says nothing new.
MOST_ERROR_BODY = 64 * 1024

# A cut after this share of the silence that is allowed counts as a stall: the same target would
# most likely do it again, and cost the caller as much once more.
STALL_BEFORE_CUT = 0.5

# What notes may have brought about: the request without them tells.
ABOUT_NOTES = frozenset({Cause.REQUEST_REFUSED, Cause.CONTEXT_LENGTH, Cause.PREFIX_REFUSED})

TRANSPORT_CAUSES: dict[Kind, Cause] = {
    Kind.CONNECT: Cause.CONNECT,
    Kind.CONNECT_TIMEOUT: Cause.CONNECT,
    Kind.TLS: Cause.CONNECT,
    Kind.DNS: Cause.CONNECT,
    Kind.RESET: Cause.RESET,
    Kind.CUT: Cause.CUT,
    Kind.PROTOCOL: Cause.MALFORMED,
    Kind.WRITE: Cause.RESET,
}


class AttemptFailed(Exception):
    """The provider's answer is a failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


async def run(
    parts: Parts,
    session: Session,
    lease: Lease,
    trace: RequestTrace,
    entrant: Entrant | None = None,
) -> AsyncGenerator[Event, None]:
    """Make one attempt, yield what the caller gets of it, and leave the session knowing the result.

    A failure is the session's to judge, so nothing is raised for it. Raises RequestFailed when the
    caller's deadline passes, and whatever ends the caller (cancellation); always settled first.
    `entrant` is its place in a race, if it is hedged: once another has spoken it is cancelled.
    """
    try:
        await parts.spending.reserve(
            lease.reservation.id, session.request, lease.line.target, lease.want.cost
        )
    except BaseException:
        unused(parts, lease)
        raise
    flight = _Flight(parts, session, lease, trace, entrant)
    try:
        async with Watchdog(flight.phases, session.request.deadline) as watchdog:
            try:
                async with aclosing(flight.events(watchdog)) as events:
                    async for event in events:
                        yield event
            finally:
                flight.hang_up()
    except DeadlinePassed:
        flight.abandoned()
        raise deadline_passed(session) from None
    except Lost:
        flight.abandoned()
    except (AttemptFailed, TransportFailure, TimeUp, Unsupported) as error:
        failure = flight.failure_of(error)
        if failure is not None:
            flight.failed(failure)
            return
        owed = flight.last_events()
        # Settled before the caller may go away: a clause of a try does not guard its siblings.
        flight.completed()
        for event in owed:
            yield event
    except BaseException:
        flight.abandoned()
        raise
    else:
        flight.completed()
    await parts.recollections.keep(session, lease)


def deadline_passed(session: Session) -> RequestFailed:
    """The error for a caller whose deadline came first."""
    return RequestFailed(
        Reason.DEADLINE_EXCEEDED,
        "the deadline passed before the stream was whole; allow a longer one",
        metadata={"last_sequence": str(session.sequence), "attempts": str(len(session.attempts))},
    )


class _Flight:
    """The state of one attempt in the air."""

    __slots__ = (
        "_budget",
        "_decoder",
        "_entrant",
        "_joint",
        "_lease",
        "_pace",
        "_parts",
        "_plan",
        "_reply",
        "_session",
        "_settle",
        "_watchdog",
        "phases",
    )

    def __init__(
        self,
        parts: Parts,
        session: Session,
        lease: Lease,
        trace: RequestTrace,
        entrant: Entrant | None,
    ) -> None:
        able = parts.abilities.of(lease.line.target)
        now = parts.clock.now()
        plan = session.begin(lease.rank, lease.key.alias, able, lease.waited_s, now)
        if entrant is not None and entrant.hedge:
            plan.cause = AttemptCause.HEDGE
        self._entrant = entrant
        self._parts = parts
        self._session = session
        self._lease = lease
        self._plan: Plan = plan
        self._joint = Joint(plan.start.prefix) if plan.start.prefix is not None else None
        self._reply: Reply | None = None
        self._decoder: Decoder | None = None
        self._settle = Settlement(parts, session, lease, plan, trace)
        self._budget = self._settle.budget()
        self._watchdog: Watchdog | None = None
        self.phases = session.request.completion.timeouts.over(lease.line.target.phases)
        self._pace: Pace | None = None
        if self.phases.min_tokens_per_s and session.may_leave(lease.rank):
            self._pace = Pace(self.phases.rate_window_s)

    async def events(self, watchdog: Watchdog) -> AsyncGenerator[Event, None]:
        """Everything the caller gets of this attempt, in order. Raises what went wrong."""
        lease = self._lease
        self._watchdog = watchdog
        self._parts.traffic.asks(lease.line.target.name, watchdog)
        call = await self._call()
        self._settle.called(call.url)
        reply = self._reply = await lease.line.upstream.open(call, self.phases.connect_s)
        self._settle.responded(reply.status, reply.headers)
        if reply.status != 200:
            raise AttemptFailed(await self._refusal(reply))
        decoder = lease.line.dialect.decoder(
            lease.line.profile, True, lease.key.secret.reveal(), self._plan.start.prefix
        )
        self._decoder = decoder
        self._settle.answering(decoder)
        watchdog.enter(Stage.FIRST)
        while True:
            data = await reply.read()
            ended = not data
            deltas = self._read(decoder, data)
            # A caller who does not read leaves us here for minutes, holding what we hold.
            del data
            if deltas:
                watchdog.enter(Stage.PAUSED)
                for delta in deltas:
                    if not self._plan.announced and not self._hidden(delta):
                        yield self._session.announce(self._plan)
                    if self._session.note(delta):
                        yield delta
                watchdog.enter(self._stage(deltas, decoder))
                if self._pace is not None:
                    self._listen(self._pace, decoder)
            elif decoder.report.finish_reason is not None:
                watchdog.enter(Stage.TAIL)
            self._judge(decoder)
            if decoder.done or ended:
                break
        if not self._plan.announced:
            yield self._session.announce(self._plan)

    def _hidden(self, delta: Delta) -> bool:
        """Is this kept, and never sent? Then it needs no event, but the seam is settled."""
        self._session.join(self._plan)
        return self._session.hides(delta)

    def _read(self, decoder: Decoder, data: bytes) -> list[Delta]:
        """What a read of the body (nothing: its end) brings the caller."""
        deltas = decoder.feed(data) if data else decoder.end()
        if self._pace is not None and deltas:
            self._pace.heard(sum(decoder.pieces), _chars(deltas), self._parts.clock.now())
        if self._joint is not None:
            deltas = self._joined(deltas, over=decoder.done or not data)
        if self._entrant is not None and (deltas or decoder.report.finish_reason is not None):
            self._entrant.claim()
        return deltas

    def _listen(self, pace: Pace, decoder: Decoder) -> None:
        """The caller has what there is. Raise if that was too little for its time."""
        pace.listening(self._parts.clock.now())
        rate, floor = pace.rate(), self.phases.min_tokens_per_s
        if rate is None or rate >= floor or decoder.report.finish_reason is not None:
            return
        session, lease = self._session, self._lease
        if session.may_leave(lease.rank) and self._parts.leases.elsewhere(session, lease):
            raise AttemptFailed(_too_slow(rate, self.phases))

    def _judge(self, decoder: Decoder) -> None:
        """Raise what ends the attempt now: its failure, or the caller's bound on the cost."""
        if decoder.failure is not None:
            raise AttemptFailed(decoder.failure)
        if self._budget is not None:
            self._budget.check(*decoder.pieces)

    def last_events(self) -> list[Event]:
        """What is still owed when the tail was cut short: the end of the seam, the event."""
        owed: list[Event] = []
        deltas = self._joined([], over=True) if self._joint is not None else []
        if not self._plan.announced:
            owed.append(self._session.announce(self._plan))
        owed.extend(delta for delta in deltas if self._session.note(delta))
        return owed

    def _stage(self, deltas: list[Delta], decoder: Decoder) -> Stage:
        """What comes after these. A stream that came in one read has had its phases too."""
        stage = Stage.ANSWER
        for delta in deltas:
            stage = Stage.REASONING if isinstance(delta, Reasoning) else Stage.ANSWER
            self._settle.phase(stage)
        return Stage.TAIL if decoder.report.finish_reason is not None else stage

    def _joined(self, deltas: list[Delta], *, over: bool) -> list[Delta]:
        """Take `deltas` over the seam of a resumed attempt."""
        joint = self._joint
        assert joint is not None
        out = joint.feed(deltas)
        if over:
            out += joint.end()
        if joint.unusable:
            raise AttemptFailed(Failure(Cause.PREFIX_REFUSED, "the target began anew"))
        if joint.retold and not self._plan.begun:
            self._plan.start = ANEW
        return out

    async def _call(self) -> Call:
        line, plan = self._lease.line, self._plan
        if self._budget is not None:
            self._budget.check(0, 0)
        completion = await self._parts.recollections.restore(self._completion(), self._lease)
        http = line.dialect.encode(
            completion,
            line.profile,
            plan.start.prefix,
            self._lease.key.secret.reveal(),
            True,
        )
        headers = http.headers
        if line.propagate:
            headers = (*headers, ("traceparent", self._settle.traceparent))
        self._settle.dispatched(http.dropped)
        return Call(url=line.profile.provider.base_url + http.path, headers=headers, body=http.body)

    def _completion(self) -> Completion:
        """The caller's request, with notes that are handed on; an attempt that goes on may only
        use what is left of `max_tokens`."""
        completion, plan = self._session.request.completion, self._plan
        if plan.start.notes:
            completion = handoff.given(completion, plan.start.notes)
        if completion.max_tokens is None or not plan.carried:
            return completion
        left = max(completion.max_tokens - plan.carried, 1)
        return msgspec.structs.replace(completion, max_tokens=left)

    async def _refusal(self, reply: Reply) -> Failure:
        body = bytearray()
        with suppress(TransportFailure):
            while len(body) < MOST_ERROR_BODY and (data := await reply.read()):
                body += data
        return self._classified(reply.status, reply.headers, bytes(body))

    def _classified(self, status: int, headers: Mapping[str, str], body: bytes) -> Failure:
        line = self._lease.line
        wall_ns = self._parts.clock.wall_ns()
        self._settle.refused(status, headers, body)
        key = self._lease.key.secret.reveal()
        failure = line.dialect.failure(status, headers, body, line.profile, wall_ns, key)
        if self._plan.start.notes and failure.cause in ABOUT_NOTES:
            return msgspec.structs.replace(failure, cause=Cause.PREFIX_REFUSED)
        return _about_prefix(failure, sent=self._plan.start.prefix is not None)

    def failure_of(self, error: Exception) -> Failure | None:
        """The failure that `error` means; None where the stream was whole all the same."""
        if isinstance(error, AttemptFailed):
            return self._after_silence(error.failure)
        if isinstance(error, TimeUp):
            return error.failure
        if isinstance(error, Unsupported):
            return Failure(Cause.UNSUPPORTED, str(error), code=error.field)
        assert isinstance(error, TransportFailure)
        if self._decoder is not None:
            if self._decoder.report.finish_reason is not None:
                return None
            return self._after_silence(Failure(Cause.CUT, f"the stream was cut: {error.detail}"))
        return Failure(TRANSPORT_CAUSES[error.kind], error.detail)

    def _after_silence(self, failure: Failure) -> Failure:
        """A cut that ends a long silence is a stall that the provider noticed first."""
        if failure.cause is not Cause.CUT or self._watchdog is None:
            return failure
        silent_s, allowed_s = self._watchdog.silence()
        if silent_s < STALL_BEFORE_CUT * allowed_s:
            return failure
        return Failure(Cause.STALLED, f"silence for {silent_s:.1f} s, then the stream was cut")

    def hang_up(self) -> None:
        """Give the connection back, or close it at once if the provider was still talking."""
        if self._watchdog is not None:
            self._parts.traffic.heard(self._lease.line.target.name, self._watchdog)
        if self._reply is not None:
            self._reply.abort()

    def completed(self) -> None:
        self._settle.completed()

    def failed(self, failure: Failure) -> None:
        joint = self._joint
        if failure.cause is Cause.PREFIX_REFUSED and joint is not None and not joint.doubted:
            self._parts.abilities.refused_prefix(self._lease.line.target, joint.prefix)
        self._settle.failed(failure)
        self._session.failed(self._plan, failure, self._parts.clock.now())

    def abandoned(self) -> None:
        lost = self._entrant is not None and self._entrant.lost
        self._settle.abandoned(Outcome.CANCELLED_HEDGE if lost else Outcome.ABANDONED)


def _too_slow(rate: float, phases: Phases) -> Failure:
    return Failure(
        Cause.TOO_SLOW,
        f"{rate:.1f} tokens/s over {phases.rate_window_s:g} s, the least is "
        f"{phases.min_tokens_per_s:g}",
    )


def _chars(deltas: list[Delta]) -> int:
    return sum(len(d.arguments if isinstance(d, ToolCall) else d.text) for d in deltas)


def _about_prefix(failure: Failure, *, sent: bool) -> Failure:
    """Whose prefix a refusal is about. A target that takes none says so in many ways; the same
    request without ours tells whether the request is at fault. Where we `sent` none, the caller's
    own last turn was one, and asking again would bring the same refusal."""
    if failure.cause is Cause.REQUEST_REFUSED and sent:
        return msgspec.structs.replace(failure, cause=Cause.PREFIX_REFUSED)
    if failure.cause is Cause.PREFIX_REFUSED and not sent:
        return msgspec.structs.replace(failure, cause=Cause.REQUEST_REFUSED)
    return failure
