"""Every name that telemetry emits, and nothing else: the one file to read and to change.

Sources: OpenTelemetry semantic conventions for RPC and HTTP (v1.41 and later, `rpc.*` as renamed
there) and for GenAI in two generations: `v1.41` (what today's Python packages emit) and `latest`
(the main branch of semantic-conventions-genai after its PRs #374, #440 and #521). Names of our own
begin with `headway.`; nothing of ours is ever called `gen_ai.*`.
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from sidecar.core.events import FinishReason

# Span names -------------------------------------------------------------------------------------

OPERATION_CHAT: Final = "chat"
SPAN_QUEUE: Final = "headway.queue"
SPAN_ATTEMPT: Final = "headway.attempt"
SPAN_BACKOFF: Final = "headway.backoff"
SPAN_PHASE: Final = "headway.phase"
SPAN_HTTP: Final = "POST"

# Attributes: general, RPC, HTTP -----------------------------------------------------------------

ERROR_TYPE: Final = "error.type"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
NETWORK_TRANSPORT: Final = "network.transport"
RPC_SYSTEM_NAME: Final = "rpc.system.name"
RPC_METHOD: Final = "rpc.method"
RPC_STATUS_CODE: Final = "rpc.response.status_code"
HTTP_METHOD: Final = "http.request.method"
HTTP_STATUS_CODE: Final = "http.response.status_code"
HTTP_RESEND_COUNT: Final = "http.request.resend_count"
URL_FULL: Final = "url.full"
METRIC_OVERFLOW: Final = "otel.metric.overflow"
OTHER: Final = "_OTHER"
GRPC: Final = "grpc"

# Attributes: GenAI ------------------------------------------------------------------------------

GEN_AI_OPERATION_NAME: Final = "gen_ai.operation.name"
GEN_AI_PROVIDER_NAME: Final = "gen_ai.provider.name"
GEN_AI_OUTPUT_TYPE: Final = "gen_ai.output.type"
GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
GEN_AI_REQUEST_STREAM: Final = "gen_ai.request.stream"
GEN_AI_REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
GEN_AI_REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
GEN_AI_REQUEST_TOP_P: Final = "gen_ai.request.top_p"
GEN_AI_REQUEST_SEED: Final = "gen_ai.request.seed"
GEN_AI_REQUEST_STOP_SEQUENCES: Final = "gen_ai.request.stop_sequences"
GEN_AI_REQUEST_FREQUENCY_PENALTY: Final = "gen_ai.request.frequency_penalty"
GEN_AI_REQUEST_PRESENCE_PENALTY: Final = "gen_ai.request.presence_penalty"
GEN_AI_REQUEST_REASONING_LEVEL: Final = "gen_ai.request.reasoning.level"
GEN_AI_RESPONSE_ID: Final = "gen_ai.response.id"
GEN_AI_RESPONSE_MODEL: Final = "gen_ai.response.model"
GEN_AI_RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
GEN_AI_USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
GEN_AI_USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
GEN_AI_USAGE_REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
GEN_AI_USAGE_CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
GEN_AI_USAGE_CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
GEN_AI_USAGE_CACHE_CREATION_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
GEN_AI_TOKENS_TYPE: Final = "gen_ai.token.type"
GEN_AI_TOKENS_MODALITY: Final = "gen_ai.token.modality"
GEN_AI_SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
GEN_AI_INPUT_MESSAGES: Final = "gen_ai.input.messages"
GEN_AI_OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
GEN_AI_TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
MODALITY_TEXT: Final = "text"
MODALITY_UNKNOWN: Final = "unknown"
FINISH_ERROR: Final = "error"

# Attributes of our own --------------------------------------------------------------------------

REQUEST_ID: Final = "headway.request.id"
CLIENT_NAME: Final = "headway.client.name"
CALLER: Final = "headway.caller"
ROUTE: Final = "headway.route"
CACHED: Final = "headway.cached"
FAILOVER: Final = "headway.failover"
COST_NANO_USD: Final = "headway.cost.nano_usd"
COST_UNKNOWN: Final = "headway.cost.unknown"
COST_KIND: Final = "headway.cost.kind"
USAGE_ESTIMATED: Final = "headway.usage.estimated"
ATTEMPT_COUNT: Final = "headway.attempt.count"
ATTEMPT_NUMBER: Final = "headway.attempt.number"
ATTEMPT_CAUSE: Final = "headway.attempt.cause"
ATTEMPT_CONTINUATION: Final = "headway.attempt.continuation"
ATTEMPT_OUTCOME: Final = "headway.attempt.outcome"
ATTEMPT_REASON: Final = "headway.attempt.reason"
ATTEMPT_TIME_TO_RESPONSE: Final = "headway.attempt.time_to_response"
ATTEMPT_DROPPED_OPTIONS: Final = "headway.attempt.dropped_options"
PROVIDER_TRACE: Final = "headway.provider.trace"
PROVIDER_UPSTREAM: Final = "headway.provider.upstream"
PROVIDER_COST_NANO_USD: Final = "headway.provider.cost.nano_usd"
KEY_ALIAS: Final = "headway.key.alias"
KEY_ACCOUNT: Final = "headway.key.account"
KEY_STATE: Final = "headway.key.state"
KEY_CANDIDATES: Final = "headway.key.candidates"
KEY_REJECTED_COOLING: Final = "headway.key.rejected.cooling"
PROVIDER: Final = "headway.provider"
PROVIDER_FROM: Final = "headway.failover.from"
PROVIDER_TO: Final = "headway.failover.to"
FAILOVER_REASON: Final = "headway.failover.reason"
QUEUE_NAME: Final = "headway.queue.name"
QUEUE_REASON: Final = "headway.queue.reason"
QUEUE_POSITION: Final = "headway.queue.position"
QUEUE_TOKENS_ESTIMATED: Final = "headway.queue.tokens_estimated"
BUCKET: Final = "headway.bucket"
BUCKET_UNIT: Final = "headway.bucket.unit"
BACKOFF_REASON: Final = "headway.backoff.reason"
PHASE_NAME: Final = "headway.phase.name"
PHASE_TOKENS: Final = "headway.phase.tokens"
TIME_TO_FIRST_ANSWER: Final = "headway.time_to_first_answer"
BREAKER_STATE: Final = "headway.breaker.state"
STORE_MODE: Final = "headway.store.mode"
TELEMETRY_SIGNAL: Final = "headway.telemetry.signal"
DROP_REASON: Final = "headway.telemetry.drop_reason"

NO_PROVIDER: Final = "headway"
"""`gen_ai.provider.name` is required; this stands in it when no provider was ever asked."""

# Well-known values ------------------------------------------------------------------------------

PROVIDER_NAMES: Final[dict[str, str]] = {
    "bedrock": "aws.bedrock",
    "azure": "azure.ai.openai",
    "azure-openai": "azure.ai.openai",
    "gemini": "gcp.gemini",
    "vertex": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "kimi": "moonshot_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
"""Configured provider names whose conventional `gen_ai.provider.name` is another word."""

FINISH_REASONS: Final[dict[FinishReason, str]] = {
    FinishReason.STOP: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.LENGTH_IN_REASONING: "length",
    FinishReason.TOOL_CALLS: "tool_call",
    FinishReason.CONTENT_FILTER: "content_filter",
    FinishReason.REFUSAL: "refusal",
}

SERVER_ERRORS: Final = frozenset(
    ("UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS")
)
"""gRPC conventions: only these make a SERVER span an error; the others are the caller's doing."""

SECONDS: Final = (
    *(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64),
    *(1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
)
"""GenAI conventions, bucket bounds of every duration."""

RPC_SECONDS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5),
    *(0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)
"""RPC conventions, bucket bounds of `rpc.server.call.duration`."""

TOKENS: Final = tuple(4.0**power for power in range(14))
"""GenAI conventions, bucket bounds of token counts: 1, 4, 16 ... 67108864."""


class Kind(enum.Enum):
    """How a metric is published."""

    HISTOGRAM = "histogram"
    COUNTER = "counter"
    GAUGE = "gauge"


class Family(msgspec.Struct, frozen=True):
    """One set of attributes and what is measured under it.

    `attributes` name the places of a series' key, `fixed` are the same for all its series;
    `histograms` maps a measure to its bounds, `counters` lists the others.
    """

    name: str
    attributes: tuple[str, ...]
    fixed: tuple[tuple[str, str], ...] = ()
    histograms: tuple[tuple[str, tuple[float, ...]], ...] = ()
    counters: tuple[str, ...] = ()


class Instrument(msgspec.Struct, frozen=True):
    """One metric: where its value comes from (`family`, `measure`) and what it is called."""

    name: str
    unit: str
    description: str
    family: str
    measure: str
    kind: Kind = Kind.HISTOGRAM
    extra: tuple[tuple[str, str], ...] = ()
    without: frozenset[str] = frozenset()


_CHAT = ((GEN_AI_OPERATION_NAME, OPERATION_CHAT),)
_WHO = (
    GEN_AI_PROVIDER_NAME,
    GEN_AI_REQUEST_MODEL,
    GEN_AI_RESPONSE_MODEL,
    SERVER_ADDRESS,
    SERVER_PORT,
)

OPERATION: Final = Family(
    "operation",
    (*_WHO, ERROR_TYPE),
    _CHAT,
    histograms=(
        ("duration", SECONDS),
        ("first_chunk", SECONDS),
        ("per_chunk", SECONDS),
        ("first_answer", SECONDS),
        ("input", TOKENS),
        ("output", TOKENS),
    ),
)
USAGE: Final = Family(
    "usage",
    (*_WHO, GEN_AI_TOKENS_MODALITY),
    _CHAT,
    histograms=(("input_each", TOKENS), ("output_each", TOKENS)),
    counters=(
        *("input", "output", "cache_read", "cache_write", "reasoning"),
        *("cost_input", "cost_reasoning", "cost_answer", "cost_unknown"),
    ),
)
RPC: Final = Family(
    "rpc",
    (RPC_METHOD, RPC_STATUS_CODE, ERROR_TYPE),
    ((RPC_SYSTEM_NAME, GRPC),),
    histograms=(("duration", RPC_SECONDS),),
)
QUEUE: Final = Family("queue", (QUEUE_REASON,), histograms=(("duration", SECONDS),))
ATTEMPT: Final = Family(
    "attempt",
    (GEN_AI_PROVIDER_NAME, GEN_AI_REQUEST_MODEL, ATTEMPT_OUTCOME, ERROR_TYPE),
    histograms=(("duration", SECONDS),),
)
FAILOVERS: Final = Family(
    "failover", (PROVIDER_FROM, PROVIDER_TO, FAILOVER_REASON), counters=("count",)
)
DROPPED: Final = Family("dropped", (TELEMETRY_SIGNAL, DROP_REASON), counters=("count",))
FAMILIES: Final = (OPERATION, USAGE, RPC, QUEUE, ATTEMPT, FAILOVERS, DROPPED)

_NO_MODALITY = frozenset((GEN_AI_TOKENS_MODALITY,))


def _usage(measure: str, name: str, description: str) -> Instrument:
    full = f"gen_ai.client.inference.usage.{name}"
    return Instrument(full, "{token}", description, "usage", measure, Kind.COUNTER)


def _token_usage(kind: str) -> Instrument:
    return Instrument(
        "gen_ai.client.token.usage",
        "{token}",
        "Number of input and output tokens used.",
        "usage",
        f"{kind}_each",
        extra=((GEN_AI_TOKENS_TYPE, kind),),
        without=_NO_MODALITY,
    )


def _timings(prefix: str, duration: str) -> tuple[Instrument, ...]:
    first, each = f"{prefix}.time_to_first_chunk", f"{prefix}.time_per_output_chunk"
    return (
        Instrument(f"{prefix}.duration", "s", duration, "operation", "duration"),
        Instrument(first, "s", "Time to receive the first chunk.", "operation", "first_chunk"),
        Instrument(each, "s", "Mean time between chunks of a stream.", "operation", "per_chunk"),
    )


class Profile(msgspec.Struct, frozen=True):
    """One generation of GenAI names. `cache_write` is a span attribute."""

    name: str
    schema_url: str
    cache_write: str
    instruments: tuple[Instrument, ...]


V1_41: Final = Profile(
    "v1.41",
    "https://opentelemetry.io/schemas/1.41.0",
    GEN_AI_USAGE_CACHE_CREATION_TOKENS,
    (
        *_timings("gen_ai.client.operation", "GenAI operation duration."),
        _token_usage("input"),
        _token_usage("output"),
    ),
)
LATEST: Final = Profile(
    "latest",
    "https://opentelemetry.io/schemas/gen-ai/1.42.0",
    GEN_AI_USAGE_CACHE_WRITE_TOKENS,
    (
        *_timings("gen_ai.client.inference", "Duration of an inference operation."),
        _usage("input", "input_tokens", "Input tokens used, cached ones included."),
        _usage("output", "output_tokens", "Output tokens used, reasoning included."),
        _usage("cache_read", "cache_read.input_tokens", "Input tokens served from a cache."),
        _usage("cache_write", "cache_write.input_tokens", "Input tokens written to a cache."),
        _usage("reasoning", "reasoning.output_tokens", "Output tokens used for reasoning."),
        Instrument(
            "gen_ai.client.inference.operation.input_tokens",
            *("{token}", "Input tokens per inference operation.", "operation", "input"),
        ),
        Instrument(
            "gen_ai.client.inference.operation.output_tokens",
            *("{token}", "Output tokens per inference operation.", "operation", "output"),
        ),
    ),
)


def _cost(kind: str) -> Instrument:
    return Instrument(
        "headway.cost",
        "{nano_usd}",
        "What requests cost, lost attempts included, in 10^-9 USD.",
        "usage",
        f"cost_{kind}",
        Kind.COUNTER,
        extra=((COST_KIND, kind),),
        without=_NO_MODALITY,
    )


OWN: Final = (
    Instrument(
        "rpc.server.call.duration",
        *("s", "Duration of an incoming remote procedure call.", "rpc", "duration"),
    ),
    Instrument(
        "headway.queue.duration", "s", "Time a request waited for a lease.", "queue", "duration"
    ),
    Instrument("headway.attempt.duration", "s", "Duration of one attempt.", "attempt", "duration"),
    Instrument(
        "headway.time_to_first_answer",
        *("s", "From the request to the first of its answer.", "operation", "first_answer"),
    ),
    Instrument(
        "headway.failover.count",
        *("{failover}", "Attempts moved to another target.", "failover", "count", Kind.COUNTER),
    ),
    Instrument(
        "headway.telemetry.dropped",
        *("{item}", "Telemetry that was lost, never traffic.", "dropped", "count", Kind.COUNTER),
    ),
    _cost("input"),
    _cost("reasoning"),
    _cost("answer"),
    Instrument(
        "headway.cost.unknown",
        *("{request}", "Requests without a known price.", "usage", "cost_unknown", Kind.COUNTER),
        without=_NO_MODALITY,
    ),
)

GAUGE_QUEUE_SIZE: Final = ("headway.queue.size", "{request}", "Requests waiting for a lease.")
GAUGE_BUCKET_AVAILABLE: Final = ("headway.bucket.available", "{token}", "What a bucket holds now.")
GAUGE_RETRIES_LEFT: Final = ("headway.retry.available", "{retry}", "Retries a target has left.")
GAUGE_KEY_STATE: Final = ("headway.key.state", "1", "1 for the state a key is in.")
GAUGE_BREAKER_STATE: Final = ("headway.breaker.state", "1", "1 for the state a breaker is in.")
GAUGE_STREAM_ACTIVE: Final = ("headway.stream.active", "{stream}", "Streams being served now.")
GAUGE_STORE_MODE: Final = ("headway.store.mode", "1", "1 for the mode the limit store is in.")

OPT_IN_LATEST: Final = "gen_ai_latest_experimental"


def profiles(opt_in: str) -> tuple[Profile, ...]:
    """The generations to emit for a value of OTEL_SEMCONV_STABILITY_OPT_IN (comma separated).

    Empty or foreign words: `v1.41`; `gen_ai_latest_experimental`: `latest`; with `/dup` after it
    both, as the conventions' own `http/dup` does.
    """
    words = {word.strip() for word in opt_in.split(",")}
    if f"{OPT_IN_LATEST}/dup" in words:
        return (V1_41, LATEST)
    return (LATEST,) if OPT_IN_LATEST in words else (V1_41,)


def provider_name(name: str) -> str:
    """The conventional `gen_ai.provider.name` for a configured provider; unknown ones stay."""
    return PROVIDER_NAMES.get(name, name)
