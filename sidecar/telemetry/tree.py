"""From a finished record to its spans: the tree of one request, as OTLP bytes.

SERVER    headway.v1.CompletionService/StreamCompletion
  CLIENT    chat {model}                  the logical operation, all attempts together
    INTERNAL  headway.queue               only if it waited
    INTERNAL  headway.attempt             one for each; a failed one colours only itself
      CLIENT    POST
        INTERNAL  headway.phase reasoning | answer
    INTERNAL  headway.backoff
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from sidecar.core.events import Outcome
from sidecar.core.money import Cost
from sidecar.core.request import Completion
from sidecar.core.usage import Usage
from sidecar.telemetry import content, semconv, wire
from sidecar.telemetry.record import AttemptTrace, RequestTrace, Waiting
from sidecar.telemetry.wire import Pair, SpanKind

_INTERNAL, _SERVER, _CLIENT = SpanKind.INTERNAL, SpanKind.SERVER, SpanKind.CLIENT
_NOT_AN_ERROR = frozenset((Outcome.COMPLETED, Outcome.ABANDONED, Outcome.CANCELLED_HEDGE, None))
_CANCELLED = "CANCELLED"


class Options(msgspec.Struct, frozen=True):
    """What the tree depends on besides the record."""

    profiles: tuple[semconv.Profile, ...]
    capture_content: bool
    redact: Callable[[str], str]


class Encoded(msgspec.Struct, frozen=True):
    """The spans of one request, each a field 2 of ScopeSpans, and how many there are."""

    data: bytes
    spans: int


def encoded(
    request: RequestTrace, writer: wire.Writer, ids: Callable[[int], bytes], options: Options
) -> Encoded:
    """All spans of a finished record."""
    return _Tree(request, writer, ids, options).encoded()


class _Tree:
    """One request's spans under construction."""

    __slots__ = ("ids", "options", "request", "spans", "writer")

    def __init__(
        self,
        request: RequestTrace,
        writer: wire.Writer,
        ids: Callable[[int], bytes],
        options: Options,
    ) -> None:
        self.request = request
        self.writer = writer
        self.ids = ids
        self.options = options
        self.spans: list[bytes] = []

    def encoded(self) -> Encoded:
        ids = self.ids(2)
        server, chat = ids[:8], ids[8:]
        self._server(server)
        self._chat(server, chat)
        self._waits(chat)
        for attempt in self.request.attempts:
            self._attempt(chat, attempt)
        return Encoded(b"".join(self.spans), len(self.spans))

    def _server(self, span_id: bytes) -> None:
        request = self.request
        context = request.context
        links = [wire.link(at.trace_id, at.parent_id, at.flags) for at in request.links]
        write = self.writer
        own = write.varying(((semconv.REQUEST_ID, request.request_id),))
        self.spans.append(
            write.span(
                (context.trace_id, span_id, context.parent_id),
                request.method,
                _SERVER,
                (request.start_ns, request.end_ns),
                write.fixed(_server_attributes(request)) + own,
                error=request.status_code in semconv.SERVER_ERRORS,
                flags=context.flags,
                remote_parent=bool(context.parent_id),
                extra=wire.trace_state(context.trace_state) + b"".join(links),
            )
        )

    def _chat(self, parent: bytes, span_id: bytes) -> None:
        request, write = self.request, self.writer
        is_error = request.status_code not in ("OK", _CANCELLED)
        name = f"{semconv.OPERATION_CHAT} {request.model}"
        times = (request.start_ns, request.end_ns)
        about = write.fixed(_chat_attributes(request))
        if request.completion is not None:
            about += write.fixed(_request_attributes(request.completion))
        about += write.varying(_response_attributes(request, self.options))
        self._span((span_id, parent), name, _CLIENT, times, about, is_error)

    def _waits(self, parent: bytes) -> None:
        write = self.writer
        for wait in self.request.waits:
            times = (wait.start_ns, wait.end_ns)
            about = write.varying(_wait_attributes(wait))
            self._span((self.ids(1), parent), semconv.SPAN_QUEUE, _INTERNAL, times, about)
        for pause in self.request.backoffs:
            times = (pause.start_ns, pause.end_ns)
            about = write.fixed(((semconv.BACKOFF_REASON, pause.reason),))
            self._span((self.ids(1), parent), semconv.SPAN_BACKOFF, _INTERNAL, times, about)

    def _attempt(self, parent: bytes, attempt: AttemptTrace) -> None:
        write = self.writer
        is_error = failed(attempt)
        error = error_type(attempt) if is_error else ""
        times = (attempt.start_ns, attempt.end_ns)
        ids = (attempt.span_id, parent)
        about = write.fixed(_attempt_attributes(attempt, error))
        about += write.varying(_attempt_figures(attempt))
        self._span(ids, semconv.SPAN_ATTEMPT, _INTERNAL, times, about, is_error)
        ids = (attempt.http_id, attempt.span_id)
        about = write.fixed(_http_attributes(attempt, error))
        self._span(ids, semconv.SPAN_HTTP, _CLIENT, times, about, is_error)
        for name, times, pairs in _phases(attempt, self.request.start_ns):
            ids = (self.ids(1), attempt.http_id)
            about = write.fixed(((semconv.PHASE_NAME, name),)) + write.varying(pairs)
            self._span(ids, f"{semconv.SPAN_PHASE} {name}", _INTERNAL, times, about)

    def _span(
        self,
        ids: tuple[bytes, bytes],
        name: str,
        kind: SpanKind,
        times: tuple[int, int],
        about: bytes,
        error: bool = False,
    ) -> None:
        """A span of the request's trace; `ids` are its own and its parent's."""
        context = self.request.context
        self.spans.append(
            self.writer.span(
                (context.trace_id, *ids),
                name,
                kind,
                times,
                about,
                error=error,
                flags=context.flags,
                extra=wire.trace_state(context.trace_state) if context.trace_state else b"",
            )
        )


def failed(attempt: AttemptTrace) -> bool:
    """Whether an attempt counts as an error: one that was called off does not."""
    return attempt.outcome not in _NOT_AN_ERROR


def error_type(attempt: AttemptTrace) -> str:
    """The conventions' `error.type` of a failed attempt: the HTTP status, or else the cause."""
    if attempt.status is not None and attempt.status >= 400:
        return str(attempt.status)
    return attempt.reason or semconv.OTHER


def _server_attributes(request: RequestTrace) -> tuple[Pair, ...]:
    code = request.status_code
    return (
        (semconv.RPC_SYSTEM_NAME, semconv.GRPC),
        (semconv.RPC_METHOD, request.method),
        (semconv.RPC_STATUS_CODE, code),
        (semconv.ERROR_TYPE, code if code in semconv.SERVER_ERRORS else ""),
        (semconv.NETWORK_TRANSPORT, request.transport),
        (semconv.SERVER_ADDRESS, request.server_address),
        (semconv.SERVER_PORT, request.server_port or None),
        (semconv.CLIENT_NAME, request.client_name),
        (semconv.CALLER, request.caller),
    )


def _cost_attributes(cost: Cost) -> tuple[Pair, ...]:
    """A sum with parts nobody had a price for says so; without any price there is no sum."""
    total = cost.total_nano_usd
    return (
        (semconv.COST_NANO_USD, None if cost.unknown and not total else total),
        (semconv.COST_UNKNOWN, cost.unknown or None),
    )


def _wait_attributes(wait: Waiting) -> tuple[Pair, ...]:
    return (
        (semconv.QUEUE_REASON, wait.reason),
        (semconv.BUCKET, wait.bucket),
        (semconv.QUEUE_TOKENS_ESTIMATED, wait.tokens_estimated),
        (semconv.QUEUE_POSITION, wait.position),
    )


def _chat_attributes(request: RequestTrace) -> tuple[Pair, ...]:
    """What many requests have alike."""
    last = request.last
    return (
        (semconv.GEN_AI_OPERATION_NAME, semconv.OPERATION_CHAT),
        (semconv.GEN_AI_PROVIDER_NAME, last.provider if last else semconv.NO_PROVIDER),
        (semconv.GEN_AI_REQUEST_MODEL, request.model),
        (semconv.GEN_AI_REQUEST_STREAM, request.streaming or None),
        (semconv.SERVER_ADDRESS, last.server_address if last else ""),
        (semconv.SERVER_PORT, last.server_port or None if last else None),
        (semconv.GEN_AI_RESPONSE_MODEL, request.response_model),
        (semconv.GEN_AI_RESPONSE_FINISH_REASONS, finish_reasons(request)),
        (semconv.ERROR_TYPE, request.error_type),
        (semconv.ROUTE, request.route),
        (semconv.ATTEMPT_COUNT, len(request.attempts)),
        (semconv.FAILOVER, request.failed_over),
        (semconv.CACHED, request.cached or None),
    )


def _response_attributes(request: RequestTrace, options: Options) -> Iterator[Pair]:
    """What every request has for itself."""
    yield semconv.GEN_AI_RESPONSE_ID, request.response_id
    yield from _cost_attributes(request.cost)
    if request.completion is not None:
        yield semconv.GEN_AI_REQUEST_SEED, request.completion.seed
    if request.first_token_ns and request.streaming:
        since = (request.first_token_ns - request.start_ns) / 1e9
        yield semconv.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK, since
    if request.usage is not None:
        yield from _usage_attributes(request.usage, options.profiles)
    if options.capture_content:
        yield from _content_attributes(request, options.redact)


def _request_attributes(completion: Completion) -> tuple[Pair, ...]:
    effort = completion.reasoning.effort
    response_format = completion.response_format
    return (
        (semconv.GEN_AI_REQUEST_MAX_TOKENS, completion.max_tokens),
        (semconv.GEN_AI_REQUEST_TEMPERATURE, _double(completion.temperature)),
        (semconv.GEN_AI_REQUEST_TOP_P, _double(completion.top_p)),
        (semconv.GEN_AI_REQUEST_STOP_SEQUENCES, completion.stop or None),
        (semconv.GEN_AI_REQUEST_FREQUENCY_PENALTY, _double(completion.frequency_penalty)),
        (semconv.GEN_AI_REQUEST_PRESENCE_PENALTY, _double(completion.presence_penalty)),
        (semconv.GEN_AI_REQUEST_REASONING_LEVEL, effort.value if effort else ""),
        (semconv.GEN_AI_OUTPUT_TYPE, _OUTPUT_TYPES.get(response_format.kind, "")
         if response_format else ""),
    )  # fmt: skip


_OUTPUT_TYPES = {"text": "text", "json_object": "json", "json_schema": "json"}


def _double(value: float | None) -> float | None:
    return None if value is None else float(value)


def finish_reasons(request: RequestTrace) -> tuple[str, ...] | None:
    """The conventions' words; "error" where a reason was expected and did not come."""
    if request.finish_reason is not None:
        return (semconv.FINISH_REASONS[request.finish_reason],)
    return (semconv.FINISH_ERROR,) if request.first_token_ns else None


def _usage_attributes(usage: Usage, profiles: tuple[semconv.Profile, ...]) -> Iterator[Pair]:
    yield semconv.GEN_AI_USAGE_INPUT_TOKENS, usage.input_tokens
    yield semconv.GEN_AI_USAGE_OUTPUT_TOKENS, usage.output_tokens
    yield semconv.GEN_AI_USAGE_REASONING_TOKENS, usage.reasoning_tokens
    yield semconv.GEN_AI_USAGE_CACHE_READ_TOKENS, usage.cached_input_tokens
    for profile in profiles:
        yield profile.cache_write, usage.cache_write_tokens
    yield semconv.USAGE_ESTIMATED, usage.estimated or None


def _content_attributes(request: RequestTrace, redact: Callable[[str], str]) -> Iterator[Pair]:
    if request.completion is not None:
        asked = request.completion
        yield semconv.GEN_AI_SYSTEM_INSTRUCTIONS, content.system_instructions(asked, redact)
        yield semconv.GEN_AI_INPUT_MESSAGES, content.input_messages(asked, redact)
        yield semconv.GEN_AI_TOOL_DEFINITIONS, content.tool_definitions(asked, redact)
    if request.output is not None:
        reason = (finish_reasons(request) or (semconv.FINISH_ERROR,))[0]
        said = content.output_messages(request.output, reason, redact)
        yield semconv.GEN_AI_OUTPUT_MESSAGES, said


def _attempt_attributes(attempt: AttemptTrace, error: str) -> tuple[Pair, ...]:
    return (
        (semconv.ATTEMPT_NUMBER, attempt.number),
        (semconv.ATTEMPT_CAUSE, attempt.cause.value),
        (semconv.ATTEMPT_CONTINUATION, attempt.continuation.value),
        (semconv.ATTEMPT_OUTCOME, attempt.outcome.value if attempt.outcome else ""),
        (semconv.ATTEMPT_REASON, attempt.reason),
        (semconv.GEN_AI_PROVIDER_NAME, attempt.provider),
        (semconv.GEN_AI_REQUEST_MODEL, attempt.model),
        (semconv.KEY_ALIAS, attempt.key_alias),
        (semconv.KEY_CANDIDATES, attempt.candidates),
        (semconv.KEY_REJECTED_COOLING, attempt.cooling),
        (semconv.ATTEMPT_DROPPED_OPTIONS, attempt.dropped_options or None),
        (semconv.ERROR_TYPE, error),
    )


def _attempt_figures(attempt: AttemptTrace) -> tuple[Pair, ...]:
    waited = attempt.responded_ns - attempt.start_ns
    return (
        (semconv.ATTEMPT_TIME_TO_RESPONSE, waited / 1e9 if attempt.responded_ns else None),
        *_cost_attributes(attempt.cost),
        (semconv.PROVIDER_TRACE, attempt.provider_trace or None),
        (semconv.PROVIDER_UPSTREAM, attempt.provider_upstream or None),
        (semconv.PROVIDER_COST_NANO_USD, attempt.provider_cost_nano_usd),
    )


def _http_attributes(attempt: AttemptTrace, error: str) -> tuple[Pair, ...]:
    return (
        (semconv.HTTP_METHOD, "POST"),
        (semconv.HTTP_STATUS_CODE, attempt.status),
        (semconv.HTTP_RESEND_COUNT, attempt.resend_count),
        (semconv.SERVER_ADDRESS, attempt.server_address),
        (semconv.SERVER_PORT, attempt.server_port or None),
        (semconv.URL_FULL, attempt.url),
        (semconv.ERROR_TYPE, error),
    )


def _phases(
    attempt: AttemptTrace, asked_ns: int
) -> Iterator[tuple[str, tuple[int, int], tuple[Pair, ...]]]:
    """Name, times and attributes of each phase; a phase ends where the next begins."""
    phases = attempt.phases
    names = [name for name, _ in phases]
    starts = [start for _, start in phases]
    ends = [*starts, attempt.end_ns][1:]
    for place, (name, start, end) in enumerate(zip(names, starts, ends, strict=True)):
        first_answer = name == "answer" and names.index(name) == place
        pairs: tuple[Pair, ...] = (
            (semconv.PHASE_NAME, name),
            (
                semconv.PHASE_TOKENS,
                _phase_tokens(attempt, name) if names.count(name) == 1 else None,
            ),
            (semconv.TIME_TO_FIRST_ANSWER, (start - asked_ns) / 1e9 if first_answer else None),
        )
        yield name, (start, end), pairs


def _phase_tokens(attempt: AttemptTrace, name: str) -> int | None:
    """Tokens of a phase; only where the provider told, and where it was one piece."""
    usage = attempt.usage
    if usage is None or usage.estimated:
        return None
    return {"reasoning": usage.reasoning_tokens, "answer": usage.answer_tokens}.get(name)
