"""Requests as the gateway would record them, for tests of this room."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import hypothesis
from hypothesis import HealthCheck
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from sidecar.core.events import AttemptCause, Continuation, FinishReason, Outcome
from sidecar.core.money import Cost
from sidecar.core.request import Completion, Message, Role, Text
from sidecar.core.usage import Usage
from sidecar.telemetry import RequestTrace, Settings, Telemetry
from sidecar.telemetry.export import Answer
from sidecar.telemetry.metrics import Published
from sidecar.telemetry.tree import Encoded

from .collector import attributes

calm = hypothesis.settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For properties: a busy machine is no counterexample."""

METHOD = "headway.v1.CompletionService/StreamCompletion"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT_ID = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE_ID}-{PARENT_ID}-01"
T0 = 1_700_000_000_000_000_000
MS = 1_000_000
USAGE = Usage(100, 40, 10, 50, 20)
COST = Cost(1_000, 2_000, 3_000)
PROMPT = Completion(
    model="default",
    messages=(
        Message(Role.SYSTEM, (Text("be brief"),)),
        Message(Role.USER, (Text("why is the sky blue"),)),
    ),
    max_tokens=100,
    temperature=1,
    stop=("END",),
)


class StillClock:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def wall_ns(self) -> int:
        return T0 + round(self.seconds * 1e9)


class Kept:
    """A transport that keeps what it is given and gives (raises) `answers`, then successes.

    While `stuck` is set, a send never ends.
    """

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.batches: list[bytes] = []
        self.times: list[float] = []
        self.metrics: list[tuple[Published, ...]] = []
        self.stuck = False
        self.closed = False

    def connect(self, settings: Settings) -> Kept:
        return self

    async def send_spans(self, spans: bytes) -> Answer:
        self.batches.append(spans)
        return await self._answer()

    async def send_metrics(
        self, metrics: tuple[Published, ...], start_ns: int, now_ns: int
    ) -> Answer:
        self.metrics.append(metrics)
        return await self._answer()

    async def close(self) -> None:
        self.closed = True

    async def _answer(self) -> Answer:
        self.times.append(asyncio.get_running_loop().time())
        if self.stuck:
            await asyncio.Event().wait()
        answer = self.answers.pop(0) if self.answers else Answer()
        if isinstance(answer, Exception):
            raise answer
        return answer


def telemetry(endpoint: str = "http://127.0.0.1:9", **options: object) -> Telemetry:
    """Telemetry with a seed; nothing is sent before `start`."""
    told = {name: options.pop(name) for name in list(options) if name in Settings.__struct_fields__}
    settings = Settings(endpoint=endpoint, **told)  # type: ignore[arg-type]
    clock = options.pop("clock", None) or StillClock()
    return Telemetry(settings, clock, random.Random(7), **options)  # type: ignore[arg-type]


def begun(owner: Telemetry, **options: object) -> RequestTrace:
    """A request that has come in at T0."""
    given: dict[str, object] = {
        "method": METHOD,
        "traceparent": TRACEPARENT,
        "model": "default",
        "route": "default",
        "caller": "checkout",
        "streaming": True,
        "completion": PROMPT,
        "now_ns": T0,
    }
    return owner.request(**(given | options))  # type: ignore[arg-type]


def first_attempt(request: RequestTrace, **options: object):  # type: ignore[no-untyped-def]
    """The first attempt, at 10 ms."""
    given: dict[str, object] = {
        "number": 1,
        "provider": "deepseek",
        "model": "deepseek-v4-pro",
        "key_alias": "a1",
        "cause": AttemptCause.FIRST,
        "continuation": Continuation.FRESH,
        "server_address": "api.deepseek.com",
        "server_port": 443,
        "now_ns": T0 + 10 * MS,
    }
    return request.attempt(**(given | options))  # type: ignore[arg-type]


def simple(owner: Telemetry, **options: object) -> RequestTrace:
    """One whole request with one attempt: reasoning, answer, done at 100 ms."""
    request = begun(owner, **options)
    attempt = first_attempt(request)
    attempt.responded(200, T0 + 20 * MS)
    attempt.phase("reasoning", T0 + 30 * MS)
    attempt.phase("answer", T0 + 50 * MS)
    attempt.finish(outcome=Outcome.COMPLETED, usage=USAGE, cost=COST, now_ns=T0 + 90 * MS)
    completed(request)
    return request


def completed(request: RequestTrace) -> None:
    """The request ends well at 100 ms."""
    request.finish(
        status_code="OK",
        finish_reason=FinishReason.STOP,
        usage=USAGE,
        cost=COST,
        response_model="deepseek-v4-pro-0324",
        response_id="chatcmpl-1",
        first_token_ns=T0 + 30 * MS,
        first_answer_ns=T0 + 50 * MS,
        last_token_ns=T0 + 90 * MS,
        chunks=7,
        now_ns=T0 + 100 * MS,
    )


def failed_over(owner: Telemetry, **options: object) -> RequestTrace:
    """Waited, refused with 429 by the first provider, paused, answered by the second."""
    request = begun(owner, **options)
    request.queued(T0, T0 + 9 * MS, "rate", "deepseek/team-a/requests", tokens_estimated=150)
    first = first_attempt(request)
    first.chosen(candidates=3, cooling=1)
    first.called("https://me:secret@api.deepseek.com/v1/chat?key=secret#part")
    first.responded(429, T0 + 15 * MS)
    first.finish(outcome=Outcome.FAILED, reason="RATE_LIMITED", now_ns=T0 + 16 * MS)
    request.backoff(T0 + 16 * MS, T0 + 20 * MS, "retry_after")
    second = first_attempt(
        request,
        number=2,
        provider="mistral",
        model="magistral",
        key_alias="m1",
        cause=AttemptCause.FAILOVER,
        server_address="api.mistral.ai",
        now_ns=T0 + 20 * MS,
    )
    second.responded(200, T0 + 25 * MS)
    second.phase("reasoning", T0 + 30 * MS)
    second.phase("answer", T0 + 50 * MS)
    second.finish(outcome=Outcome.COMPLETED, usage=USAGE, cost=COST, now_ns=T0 + 90 * MS)
    completed(request)
    return request


def spans(make: Any, **options: Any) -> list[Span]:
    """The spans of one request made by `make` with telemetry's `options`."""
    owner = telemetry(**options)
    make(owner)
    return waiting(owner)


def waiting(owner: Telemetry) -> list[Span]:
    """Everything in the exporter's queue."""
    pipeline = owner._pipeline
    assert pipeline is not None
    batch = pipeline.exporter._queue.take(1 << 30)
    return decoded(batch) if batch else []


def named(found: list[Span], name: str) -> list[Span]:
    return [span for span in found if span.name == name]


def one(found: list[Span], name: str) -> dict[str, Any]:
    """The attributes of the only span called `name`."""
    (span,) = named(found, name)
    return attributes(span)


def decoded(item: Encoded | bytes) -> list:  # type: ignore[type-arg]
    """The spans in encoded fields, as protobuf messages."""
    data = item if isinstance(item, bytes) else item.data
    return list(ScopeSpans.FromString(data).spans)
