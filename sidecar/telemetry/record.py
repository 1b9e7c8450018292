"""The record of one request, written while it runs: timestamps and facts, no spans yet.

Every method is synchronous, does a few assignments and never raises; all times are wall
nanoseconds handed in by the caller. `tree` turns the record into spans when the request is over.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from sidecar.core.events import AttemptCause, Continuation, FinishReason, Outcome
from sidecar.core.money import FREE, Cost
from sidecar.core.request import Completion, ToolUse
from sidecar.core.usage import Usage
from sidecar.telemetry.context import Context, continued, traceparent
from sidecar.telemetry.semconv import provider_name

MAX_PHASES = 32
"""Phases of one attempt that are kept: interleaved thinking may switch for ever."""


class Output(msgspec.Struct, frozen=True):
    """What the model said; reaches a span only where content was opted in."""

    reasoning: str = ""
    answer: str = ""
    tool_calls: tuple[ToolUse, ...] = ()


class Waiting(msgspec.Struct, frozen=True):
    """One stretch of waiting for a lease."""

    start_ns: int
    end_ns: int
    reason: str
    bucket: str
    tokens_estimated: int | None
    position: int | None


class Backoff(msgspec.Struct, frozen=True):
    """One pause between two attempts."""

    start_ns: int
    end_ns: int
    reason: str


class Sink(Protocol):
    """Whoever turns records into telemetry."""

    def new_ids(self, count: int) -> bytes:
        """`count` span ids of eight bytes each, in one piece."""

    def take(self, request: RequestTrace) -> None:
        """A record that is finished."""


class AttemptTrace(msgspec.Struct, kw_only=True, eq=False):
    """The record of one attempt. `span_id` is the attempt's, `http_id` the HTTP call's below it."""

    number: int
    provider: str
    model: str
    key_alias: str
    cause: AttemptCause
    continuation: Continuation
    server_address: str
    server_port: int
    start_ns: int
    span_id: bytes
    http_id: bytes
    context: Context
    resend_count: int | None = None
    end_ns: int = 0
    status: int | None = None
    responded_ns: int = 0
    phases: list[tuple[str, int]] = []
    outcome: Outcome | None = None
    reason: str = ""
    usage: Usage | None = None
    cost: Cost = FREE
    url: str = ""
    candidates: int | None = None
    cooling: int | None = None
    dropped_options: tuple[str, ...] = ()
    provider_trace: str = ""
    provider_cost_nano_usd: int | None = None
    provider_upstream: str = ""

    @property
    def traceparent(self) -> str:
        """For the provider, if its configuration asks: names the HTTP call's span.

        With telemetry off there is no such span: the caller's own context is passed on, "" if none.
        """
        parent = self.http_id or self.context.parent_id
        return traceparent(self.context.trace_id, parent, self.context.flags) if parent else ""

    @property
    def tracestate(self) -> str:
        """Goes with `traceparent`; the caller's, unchanged."""
        return self.context.trace_state

    def chosen(self, *, candidates: int, cooling: int = 0) -> None:
        """How the key was chosen: of how many, and how many were passed over because they rest."""
        self.candidates = candidates
        self.cooling = cooling

    def called(self, url: str) -> None:
        """The address called; user, query and fragment may hold a key and are cut off at once."""
        scheme, mark, rest = url.partition("://")
        host, slash, path = rest.partition("?")[0].partition("#")[0].partition("/")
        self.url = scheme + mark + host.rpartition("@")[2] + slash + path

    def responded(self, status: int, now_ns: int) -> None:
        """The response headers are here."""
        self.status = status
        self.responded_ns = now_ns

    def told(
        self, dropped: tuple[str, ...], trace: str, cost_nano_usd: int | None, upstream: str
    ) -> None:
        """What was not sent as asked; the provider's own id of the call, its own figure, and who
        stands behind it, where it is an aggregator that tells."""
        self.dropped_options = dropped
        self.provider_trace = trace
        self.provider_cost_nano_usd = cost_nano_usd
        self.provider_upstream = upstream

    def phase(self, name: str, now_ns: int) -> None:
        """The stream has come to phase `name` ("reasoning", "answer"); once per change."""
        phases = self.phases
        if len(phases) < MAX_PHASES and (not phases or phases[-1][0] != name):
            phases.append((name, now_ns))

    def finish(
        self,
        *,
        outcome: Outcome,
        reason: str = "",
        usage: Usage | None = None,
        cost: Cost | None = None,
        now_ns: int,
    ) -> None:
        """The attempt is over; `reason` is the failure cause, "" where there was none.

        Only the first call counts.
        """
        if not self.end_ns:
            self.end_ns = now_ns
            self.outcome = outcome
            self.reason = reason
            self.usage = usage
            self.cost = cost or FREE

    def __repr__(self) -> str:
        return f"AttemptTrace({self.number}, {self.provider}/{self.model})"


class RequestTrace(msgspec.Struct, kw_only=True, eq=False):
    """The record of one request; `Telemetry.request` makes it, `finish` hands it over."""

    sink: Sink
    context: Context
    method: str
    model: str
    route: str
    caller: str
    streaming: bool
    start_ns: int
    completion: Completion | None = None
    request_id: str = ""
    client_name: str = ""
    transport: str = ""
    server_address: str = ""
    server_port: int = 0
    attempts: list[AttemptTrace] = []
    waits: list[Waiting] = []
    backoffs: list[Backoff] = []
    links: list[Context] = []
    end_ns: int = 0
    status_code: str = ""
    error_type: str = ""
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    cost: Cost = FREE
    response_model: str = ""
    response_id: str = ""
    first_token_ns: int = 0
    first_answer_ns: int = 0
    last_token_ns: int = 0
    chunks: int = 0
    cached: bool = False
    output: Output | None = None

    def attempt(
        self,
        *,
        number: int,
        provider: str,
        model: str,
        key_alias: str,
        cause: AttemptCause,
        continuation: Continuation,
        server_address: str = "",
        server_port: int = 0,
        now_ns: int,
    ) -> AttemptTrace:
        """A new attempt begins; `provider` is the configured name or the conventional one."""
        ids = self.sink.new_ids(2)
        made = AttemptTrace(
            number=number,
            provider=provider_name(provider),
            model=model,
            key_alias=key_alias,
            cause=cause,
            continuation=continuation,
            server_address=server_address,
            server_port=server_port,
            start_ns=now_ns,
            span_id=ids[:8],
            http_id=ids[8:],
            context=self.context,
        )
        if cause is AttemptCause.RETRY and self.attempts:
            made.resend_count = (self.attempts[-1].resend_count or 0) + 1
        self.attempts.append(made)
        return made

    def queued(
        self,
        start_ns: int,
        end_ns: int,
        reason: str,
        bucket: str = "",
        *,
        tokens_estimated: int | None = None,
        position: int | None = None,
    ) -> None:
        """The request waited for a lease; `bucket` is what stood in its way, "" if no bucket."""
        if end_ns > start_ns:
            made = Waiting(start_ns, end_ns, reason, bucket, tokens_estimated, position)
            self.waits.append(made)

    def backoff(self, start_ns: int, end_ns: int, reason: str) -> None:
        """A pause between two attempts."""
        self.backoffs.append(Backoff(start_ns, end_ns, reason))

    def link(self, traceparent: str) -> None:
        """This request shares the work of another one's trace (a stream that was joined)."""
        other = continued(traceparent, "")
        if other is not None:
            self.links.append(other)

    def finish(
        self,
        *,
        status_code: str,
        finish_reason: FinishReason | None = None,
        usage: Usage | None = None,
        cost: Cost | None = None,
        response_model: str = "",
        response_id: str = "",
        first_token_ns: int | None = None,
        first_answer_ns: int | None = None,
        last_token_ns: int | None = None,
        chunks: int = 0,
        cached: bool = False,
        output: Output | None = None,
        error_type: str = "",
        now_ns: int,
    ) -> None:
        """The request is over: hands the record over. Only the first call counts.

        `status_code` is the gRPC code's name ("OK", "UNAVAILABLE"); `error_type` our reason, ""
        for the code itself. `chunks` counts pieces of text between `first_token_ns` and
        `last_token_ns`. Attempts still open are closed as abandoned.
        """
        if self.end_ns:
            return
        self.end_ns = now_ns
        self.status_code = status_code
        self.finish_reason = finish_reason
        self.usage = usage
        self.cost = cost or FREE
        self.response_model = response_model
        self.response_id = response_id
        self.first_token_ns = first_token_ns or 0
        self.first_answer_ns = first_answer_ns or 0
        self.last_token_ns = last_token_ns or 0
        self.chunks = chunks
        self.cached = cached
        self.output = output
        self.error_type = error_type or ("" if status_code == "OK" else status_code)
        for attempt in self.attempts:
            attempt.finish(outcome=Outcome.ABANDONED, now_ns=now_ns)
        self.sink.take(self)

    @property
    def last(self) -> AttemptTrace | None:
        """The attempt that gave the answer, or the last one made."""
        for attempt in reversed(self.attempts):
            if attempt.outcome is Outcome.COMPLETED:
                return attempt
        return self.attempts[-1] if self.attempts else None

    @property
    def failed_over(self) -> bool:
        """Whether any attempt went to another target."""
        return any(attempt.cause is AttemptCause.FAILOVER for attempt in self.attempts)

    def __repr__(self) -> str:
        return f"RequestTrace({self.method}, {self.model}, attempts={len(self.attempts)})"
