"""The span tree of one request, attribute by attribute."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from sidecar.core.events import AttemptCause, FinishReason, Outcome
from sidecar.core.money import UNKNOWN
from sidecar.core.request import (
    Completion,
    Effort,
    ReasoningOptions,
    ResponseFormat,
)
from sidecar.core.usage import Usage
from sidecar.telemetry import Telemetry
from sidecar.telemetry.record import MAX_PHASES

from .collector import attributes
from .making import (
    MS,
    PARENT_ID,
    T0,
    TRACE_ID,
    TRACEPARENT,
    USAGE,
    begun,
    completed,
    failed_over,
    first_attempt,
    named,
    one,
    simple,
    spans,
)


def failing(status_code: str, error_type: str = "") -> Any:
    """A request that ends with `status_code` after one failed attempt."""

    def make(owner: Telemetry) -> None:
        request = begun(owner)
        attempt = first_attempt(request)
        attempt.finish(outcome=Outcome.FAILED, reason="CONNECT_FAILED", now_ns=T0 + 20 * MS)
        request.finish(status_code=status_code, error_type=error_type, now_ns=T0 + 30 * MS)

    return make


def test_the_server_span_has_the_rpc_attributes() -> None:
    def make(owner: Telemetry) -> None:
        door = {"transport": "unix", "server_address": "/run/headway/headway.sock"}
        simple(owner, request_id="r-1", client_name="python/0.1", **door)

    assert attributes(spans(make)[0]) == {
        "rpc.system.name": "grpc",
        "rpc.method": "headway.v1.CompletionService/StreamCompletion",
        "rpc.response.status_code": "OK",
        "network.transport": "unix",
        "server.address": "/run/headway/headway.sock",
        "headway.client.name": "python/0.1",
        "headway.caller": "checkout",
        "headway.request.id": "r-1",
    }


def test_a_tcp_door_has_a_port() -> None:
    def make(owner: Telemetry) -> None:
        simple(owner, transport="tcp", server_address="127.0.0.1", server_port=7410)

    assert attributes(spans(make)[0])["server.port"] == 7410


def test_the_logical_span_has_the_genai_attributes() -> None:
    assert one(spans(failed_over), "chat default") == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "mistral_ai",
        "gen_ai.request.model": "default",
        "gen_ai.request.stream": True,
        "gen_ai.request.max_tokens": 100,
        "gen_ai.request.temperature": 1.0,
        "gen_ai.request.stop_sequences": ["END"],
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "deepseek-v4-pro-0324",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.time_to_first_chunk": 0.03,
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 50,
        "gen_ai.usage.reasoning.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 40,
        "gen_ai.usage.cache_creation.input_tokens": 10,
        "server.address": "api.mistral.ai",
        "server.port": 443,
        "headway.route": "default",
        "headway.attempt.count": 2,
        "headway.failover": True,
        "headway.cost.nano_usd": 6000,
    }


@pytest.mark.parametrize(
    ("opt_in", "names"),
    [
        ("", {"cache_creation"}),
        ("http,gen_ai_latest_experimental", {"cache_write"}),
        ("gen_ai_latest_experimental/dup", {"cache_creation", "cache_write"}),
    ],
)
def test_cache_writes_are_named_by_the_generation(opt_in: str, names: set[str]) -> None:
    found = one(spans(simple, semconv_opt_in=opt_in), "chat default")

    prefix, suffix = "gen_ai.usage.", ".input_tokens"
    written = {f"{prefix}{name}{suffix}" for name in ("cache_creation", "cache_write")}
    assert written & found.keys() == {f"{prefix}{name}{suffix}" for name in names}


def test_every_parameter_of_the_request_is_told() -> None:
    asked = Completion(
        model="default",
        messages=(),
        top_p=0.5,
        seed=7,
        frequency_penalty=0.1,
        presence_penalty=0.2,
        reasoning=ReasoningOptions(effort=Effort.HIGH),
        response_format=ResponseFormat("json_schema"),
    )
    found = one(spans(lambda owner: simple(owner, completion=asked)), "chat default")

    expected = {
        "gen_ai.request.top_p": 0.5,
        "gen_ai.request.seed": 7,
        "gen_ai.request.frequency_penalty": 0.1,
        "gen_ai.request.presence_penalty": 0.2,
        "gen_ai.request.reasoning.level": "high",
        "gen_ai.output.type": "json",
    }
    assert expected.items() <= found.items()


def test_a_failed_attempt_tells_its_reason_and_its_key() -> None:
    first, _ = named(spans(failed_over), "headway.attempt")

    assert attributes(first) == {
        "headway.attempt.number": 1,
        "headway.attempt.cause": "first",
        "headway.attempt.continuation": "fresh",
        "headway.attempt.outcome": "failed",
        "headway.attempt.reason": "RATE_LIMITED",
        "headway.attempt.time_to_response": 0.005,
        "gen_ai.provider.name": "deepseek",
        "gen_ai.request.model": "deepseek-v4-pro",
        "headway.key.alias": "a1",
        "headway.key.candidates": 3,
        "headway.key.rejected.cooling": 1,
        "headway.cost.nano_usd": 0,
        "error.type": "429",
    }


def test_the_http_span_has_the_http_attributes_and_no_secret_of_the_address() -> None:
    first, _ = named(spans(failed_over), "POST")

    assert attributes(first) == {
        "http.request.method": "POST",
        "http.response.status_code": 429,
        "server.address": "api.deepseek.com",
        "server.port": 443,
        "url.full": "https://api.deepseek.com/v1/chat",
        "error.type": "429",
    }


def test_an_attempt_that_got_no_answer_names_its_cause() -> None:
    found = spans(failing("UNAVAILABLE", "ATTEMPTS_EXHAUSTED"))

    assert one(found, "POST")["error.type"] == "CONNECT_FAILED"


def test_the_wait_names_what_stood_in_the_way() -> None:
    (wait,) = named(spans(failed_over), "headway.queue")

    assert (wait.start_time_unix_nano, wait.end_time_unix_nano) == (T0, T0 + 9 * MS)
    assert attributes(wait) == {
        "headway.queue.reason": "rate",
        "headway.bucket": "deepseek/team-a/requests",
        "headway.queue.tokens_estimated": 150,
    }


def test_a_request_that_did_not_wait_has_no_queue_span() -> None:
    def make(owner: Telemetry) -> None:
        request = begun(owner)
        request.queued(T0, T0, "turn")
        completed(request)

    assert named(spans(make), "headway.queue") == []


def test_the_pause_names_its_reason() -> None:
    assert one(spans(failed_over), "headway.backoff") == {"headway.backoff.reason": "retry_after"}


def test_phases_follow_each_other_and_know_their_tokens() -> None:
    found = spans(simple)
    (reasoning,) = named(found, "headway.phase reasoning")
    (answer,) = named(found, "headway.phase answer")

    assert (reasoning.start_time_unix_nano, reasoning.end_time_unix_nano) == (
        *(T0 + 30 * MS, T0 + 50 * MS),
    )
    assert answer.end_time_unix_nano == T0 + 90 * MS
    assert attributes(reasoning) == {
        "headway.phase.name": "reasoning",
        "headway.phase.tokens": 20,
    }
    assert attributes(answer) == {
        "headway.phase.name": "answer",
        "headway.phase.tokens": 30,
        "headway.time_to_first_answer": 0.05,
    }


def test_a_phase_in_several_pieces_does_not_claim_all_tokens() -> None:
    def make(owner: Telemetry) -> None:
        request = begun(owner)
        attempt = first_attempt(request)
        for at, name in enumerate(("reasoning", "answer", "reasoning")):
            attempt.phase(name, T0 + at * MS)
        attempt.finish(outcome=Outcome.COMPLETED, usage=USAGE, now_ns=T0 + 9 * MS)
        completed(request)

    pieces = [attributes(span) for span in named(spans(make), "headway.phase reasoning")]
    assert [piece.get("headway.phase.tokens") for piece in pieces] == [None, None]


def test_the_same_phase_told_again_is_one_phase() -> None:
    def make(owner: Telemetry) -> None:
        request = begun(owner)
        attempt = first_attempt(request)
        attempt.phase("answer", T0)
        attempt.phase("answer", T0 + MS)
        completed(request)

    assert len(named(spans(make), "headway.phase answer")) == 1


def test_phases_are_bounded() -> None:
    def make(owner: Telemetry) -> None:
        request = begun(owner)
        attempt = first_attempt(request)
        for at in range(100):
            attempt.phase(("reasoning", "answer")[at % 2], T0 + at * MS)
        completed(request)

    found = [span for span in spans(make) if span.name.startswith("headway.phase")]
    assert len(found) == MAX_PHASES


def test_a_retry_of_the_same_target_counts_its_resends() -> None:
    def make(owner: Telemetry) -> None:
        request = begun(owner)
        first_attempt(request)
        first_attempt(request, number=2, cause=AttemptCause.RETRY)
        first_attempt(request, number=3, cause=AttemptCause.RETRY)
        completed(request)

    resends = [attributes(span).get("http.request.resend_count") for span in named(
        spans(make), "POST"
    )]  # fmt: skip
    assert resends == [None, 1, 2]


def test_an_open_attempt_is_closed_as_abandoned_and_is_no_error() -> None:
    def make(owner: Telemetry) -> None:
        request = begun(owner)
        first_attempt(request)
        request.finish(status_code="CANCELLED", now_ns=T0 + 40 * MS)

    (attempt,) = named(spans(make), "headway.attempt")
    assert attributes(attempt)["headway.attempt.outcome"] == "abandoned"
    assert attempt.status.code == Status.STATUS_CODE_UNSET


@pytest.mark.parametrize(
    "code",
    ["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"],
)
def test_a_failure_of_ours_makes_the_server_span_an_error(code: str) -> None:
    server = spans(failing(code))[0]

    assert server.status.code == Status.STATUS_CODE_ERROR
    assert attributes(server)["error.type"] == code


@pytest.mark.parametrize(
    "code",
    ["CANCELLED", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED"],
)
def test_a_failure_of_the_callers_does_not_make_the_server_span_an_error(code: str) -> None:
    server = spans(failing(code))[0]

    assert server.status.code == Status.STATUS_CODE_UNSET
    assert "error.type" not in attributes(server)


def test_a_failed_operation_is_an_error_by_our_reason() -> None:
    (chat,) = named(spans(failing("RESOURCE_EXHAUSTED", "QUEUE_FULL")), "chat default")

    assert chat.status.code == Status.STATUS_CODE_ERROR
    assert attributes(chat)["error.type"] == "QUEUE_FULL"


def test_a_caller_that_walks_away_makes_no_red_span() -> None:
    (chat,) = named(spans(failing("CANCELLED")), "chat default")

    assert chat.status.code == Status.STATUS_CODE_UNSET
    assert attributes(chat)["error.type"] == "CANCELLED"


def test_a_stream_that_broke_says_that_its_finish_reason_is_an_error() -> None:
    def make(owner: Telemetry) -> None:
        request = begun(owner)
        request.finish(status_code="ABORTED", first_token_ns=T0 + MS, now_ns=T0 + 2 * MS)

    assert one(spans(make), "chat default")["gen_ai.response.finish_reasons"] == ["error"]


def test_a_request_nobody_answered_still_names_a_provider() -> None:
    def make(owner: Telemetry) -> None:
        begun(owner).finish(status_code="UNAVAILABLE", now_ns=T0 + MS)

    assert one(spans(make), "chat default")["gen_ai.provider.name"] == "headway"


def test_every_finish_reason_has_a_word() -> None:
    def make(owner: Telemetry) -> None:
        for reason in FinishReason:
            begun(owner).finish(status_code="OK", finish_reason=reason, now_ns=T0 + MS)

    found = named(spans(make), "chat default")
    words = [attributes(span)["gen_ai.response.finish_reasons"] for span in found]
    assert words == [
        *(["stop"], ["length"], ["length"], ["tool_call"], ["content_filter"], ["refusal"]),
    ]


def test_estimated_usage_is_marked() -> None:
    def make(owner: Telemetry) -> None:
        usage = Usage(1, estimated=True)
        begun(owner).finish(status_code="OK", usage=usage, now_ns=T0 + MS)

    assert one(spans(make), "chat default")["headway.usage.estimated"] is True


def test_a_cost_nobody_knows_is_not_told_as_nothing() -> None:
    def make(owner: Telemetry) -> None:
        begun(owner).finish(status_code="OK", cost=UNKNOWN, now_ns=T0 + MS)

    found = one(spans(make), "chat default")
    assert "headway.cost.nano_usd" not in found
    assert found["headway.cost.unknown"] is True


def test_a_joined_stream_links_the_other_trace() -> None:
    def make(owner: Telemetry) -> None:
        request = begun(owner, traceparent="")
        request.link(TRACEPARENT)
        request.link("nonsense")
        completed(request)

    (link,) = spans(make)[0].links
    assert (link.trace_id.hex(), link.span_id.hex()) == (TRACE_ID, PARENT_ID)


def test_every_span_carries_the_callers_trace_state() -> None:
    found = spans(lambda owner: failed_over(owner, tracestate="vendor=x"))

    assert {span.trace_state for span in found} == {"vendor=x"}


def test_only_the_server_spans_parent_is_remote() -> None:
    remote = [bool(span.flags & 0x200) for span in spans(failed_over)]
    assert remote == [True] + [False] * 9


def test_span_ids_are_unique() -> None:
    found = spans(failed_over)
    assert len({span.span_id for span in found}) == len(found)


def test_ids_come_from_the_generator_that_was_handed_in() -> None:
    first = [span.span_id for span in spans(simple)]
    again = [span.span_id for span in spans(simple)]
    assert first == again
