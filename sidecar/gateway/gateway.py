"""The loop: a lease, an attempt, and again until the stream is whole or nothing is left to try."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from sidecar.core.events import Completed, Event
from sidecar.core.failure import CODES, Reason, RequestFailed
from sidecar.core.request import Completion, Effort, Request, Text
from sidecar.failover.session import Session
from sidecar.gateway import hedge, takeover
from sidecar.gateway.admission import Admission, held_bytes
from sidecar.gateway.answers import Answers
from sidecar.gateway.lease import TIMER_S, Lease
from sidecar.gateway.line import Line, World
from sidecar.gateway.parts import Parts
from sidecar.gateway.search import Want
from sidecar.limits.bucket import Bucket, Dimension
from sidecar.limits.estimate import fitted
from sidecar.limits.queue import work_of
from sidecar.telemetry.trace import Output, RequestTrace

# Waits below this are the loop's own pace and get no span.
WORTH_A_SPAN_S = 0.0005
# Whoever sleeps until its backoff is over wakes so much later at most; more was another wait.
PUNCTUAL_S = 0.005


# An image in the prompt, as bytes of text with about as many tokens: providers count some hundred
# to two thousand tokens for one, depending on its size, which is not looked at here.
IMAGE_BYTES = 4000


class Gateway:
    """Serves requests in the present world; `world` may be replaced at any time."""

    def __init__(self, parts: Parts, admission: Admission, answers: Answers, world: World) -> None:
        self.parts = parts
        self.admission = admission
        self.answers = answers
        self.world = world

    async def stream(
        self, request: Request, trace: RequestTrace, past: Sequence[Event] = ()
    ) -> AsyncGenerator[Event, None]:
        """Everything the caller gets, in order; the last event is Completed. `past` is what another
        daemon has given of it before that one was lost; the stream goes on behind it.

        Raises RequestFailed when the stream cannot be made whole. Close the generator (aclosing) to
        abandon the request: the provider's connection is closed at once, everything is settled.
        """
        session: Session | None = None
        try:
            world = self.world
            for event in (not past and await self.answers.find(request)) or ():
                yield event
                if isinstance(event, Completed):
                    trace.finish(status_code="OK", cached=True, now_ns=self.parts.clock.wall_ns())
                    return
            completion = request.completion
            with self.admission.enter(completion.priority, held_bytes(completion)):
                route = world.catalog.route(request.completion)
                session = Session(request, route, self.parts.rng, self.parts.experience)
                if past:
                    self._take_over(session, past)
                async with aclosing(self._attempts(session, world, trace)) as events:
                    async for event in events:
                        yield event
            completed = session.completion(self.parts.clock.now())
            self._close(trace, session, "OK", "")
            await self.answers.keep(session, completed)
            yield completed
        except RequestFailed as error:
            self._close(trace, session, CODES[error.reason], error.reason.value)
            raise
        except BaseException:
            reason = self._ended_by(request)
            told = (CODES[reason], reason.value) if reason is not None else ("CANCELLED", "")
            self._close(trace, session, *told)
            raise

    def _ended_by(self, request: Request) -> Reason | None:
        """What ended a request from outside; None: its caller went away."""
        if self.admission.over:
            return Reason.DRAINING
        # A deadline may pass while the caller's own write blocks.
        late = self.parts.clock.now() >= request.deadline - TIMER_S
        return Reason.DEADLINE_EXCEEDED if late else None

    def _take_over(self, session: Session, past: Sequence[Event]) -> None:
        tokens = input_bytes(session.request.completion) // takeover.TOKEN_CHARS
        wall_ns = self.parts.clock.wall_ns()
        takeover.replay(session, past, self.parts.prices, tokens, wall_ns)

    async def _attempts(
        self, session: Session, world: World, trace: RequestTrace
    ) -> AsyncGenerator[Event, None]:
        want = self._want(session, world)
        while session.finish is None:
            if session.over:
                raise session.error()
            lease = await self._lease(session, world, want, trace)
            async with aclosing(hedge.run(self.parts, session, lease, trace)) as events:
                async for event in events:
                    yield event

    def _want(self, session: Session, world: World) -> Want:
        """What the request is going to take, estimated once for all its attempts."""
        completion, line = session.request.completion, world.line(session.route.targets[0])
        thinks = completion.reasoning.effort is not Effort.NONE
        klass = "reasoning" if thinks and line.target.reasoning else "plain"
        buckets = self._buckets(line, klass == "reasoning")
        size = input_bytes(completion)
        estimate = self.parts.estimator.estimate(
            line.target.model, klass, completion.caller, size, completion.max_tokens
        )
        cost = fitted(estimate, _largest(buckets))
        return Want(cost, thinks, work_of(buckets, cost), size)

    def _buckets(self, line: Line, reasoning: bool) -> tuple[Bucket, ...]:
        keys = self.parts.ring.keys(line.target.provider)
        return line.buckets(keys[0], reasoning) if keys else ()

    async def _lease(
        self, session: Session, world: World, want: Want, trace: RequestTrace
    ) -> Lease:
        """Wait for the turn and for the lease; the wait is told in span and timings."""
        clock, began_ns = self.parts.clock, self.parts.clock.wall_ns()
        began = clock.now()
        backoff_s = _backoff_s(session, began)
        try:
            if session.failures:
                # Whoever has had its turn does not queue again, nor does anybody queue behind it:
                # what it waits for now (its own backoff, the target it has left) is nobody else's.
                return await self.parts.leases.acquire(session, world, want)
            return await self._first_lease(session, world, want)
        finally:
            session.stamps.queued_s += clock.now() - began
            if clock.now() - began >= WORTH_A_SPAN_S:
                why = session.failures[-1][1].cause.value if session.failures else "turn"
                _tell_wait(trace, why, began_ns, backoff_s, clock.wall_ns())

    async def _first_lease(self, session: Session, world: World, want: Want) -> Lease:
        """Wait for the turn, then as the head of the route for the lease."""
        name = session.route.name
        if self.admission.has_head(name):
            # The head may wait longer than this one can: whoever waits in vain is told at once.
            self.parts.leases.refuse_hopeless(session, world, want)
        await self.admission.wait_turn(name, session.request, want.work_s)
        try:
            return await self.parts.leases.acquire(session, world, want)
        finally:
            self.admission.pass_turn(name)

    def _close(
        self, trace: RequestTrace, session: Session | None, code: str, error_type: str
    ) -> None:
        now_ns = self.parts.clock.wall_ns()
        if session is None:
            trace.finish(status_code=code, error_type=error_type, now_ns=now_ns)
            return
        finish, stamps = session.finish, session.stamps
        firsts = [s for s in (stamps.first_reasoning_s, stamps.first_answer_s) if s is not None]
        trace.finish(
            status_code=code,
            error_type=error_type,
            finish_reason=finish.reason if finish else None,
            usage=session.usage,
            cost=session.cost,
            response_model=finish.response_model if finish else "",
            response_id=finish.response_id if finish else "",
            first_token_ns=_stamp(trace, min(firsts)) if firsts else None,
            first_answer_ns=_stamp(trace, stamps.first_answer_s),
            last_token_ns=now_ns if finish else None,
            chunks=session.sequence,
            output=_output(session),
            now_ns=now_ns,
        )


def _backoff_s(session: Session, now: float) -> float:
    """How long the request keeps away of its own accord, after a failure, before it asks again."""
    ranks = range(len(session.route.targets))
    soonest = min((session.ready_at(rank, now) for rank in ranks), default=now)
    return soonest - now if math.isfinite(soonest) else 0.0


def _tell_wait(trace: RequestTrace, why: str, began_ns: int, backoff_s: float, now_ns: int) -> None:
    """The backoff is one span, what was waited for after it another."""
    turned_ns = min(began_ns + round(backoff_s * 1e9), now_ns)
    if backoff_s >= WORTH_A_SPAN_S:
        trace.backoff(began_ns, turned_ns, why)
    worth_s = PUNCTUAL_S if backoff_s else WORTH_A_SPAN_S
    if now_ns - turned_ns >= worth_s * 1e9:
        trace.queued(turned_ns, now_ns, why)


def input_bytes(completion: Completion) -> int:
    """UTF-8 bytes of the prompt, for the estimate of its tokens; an image counts as a fixed lot."""
    size = 0
    for message in completion.messages:
        size += len(message.reasoning.encode())
        for part in message.content:
            size += len(part.text.encode()) if isinstance(part, Text) else IMAGE_BYTES
        for call in message.tool_calls:
            size += len(call.name) + len(call.arguments.encode())
    return size


def _largest(buckets: tuple[Bucket, ...]) -> int | None:
    """The most tokens that a single request can ever be granted; None: no such limit."""
    counted = (Dimension.TOKENS, Dimension.OUTPUT_TOKENS)
    return min((b.burst for b in buckets if b.dimension in counted), default=None)


def _stamp(trace: RequestTrace, since_s: float | None) -> int | None:
    return None if since_s is None else trace.start_ns + round(since_s * 1e9)


def _output(session: Session) -> Output:
    transcript = session.transcript
    return Output(transcript.reasoning, transcript.answer, transcript.tool_calls)
