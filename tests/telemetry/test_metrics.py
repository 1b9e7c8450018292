"""What requests add up to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View

from sidecar.core.events import Outcome
from sidecar.core.money import UNKNOWN
from sidecar.core.request import Completion, ImageUrl, Message, Role
from sidecar.core.usage import Usage
from sidecar.telemetry import Telemetry, semconv
from sidecar.telemetry.metrics import Histogram, Point, Recorder, Table

from .making import (
    COST,
    METHOD,
    MS,
    T0,
    USAGE,
    begun,
    calm,
    completed,
    failed_over,
    first_attempt,
    simple,
)
from .making import telemetry as made_telemetry

WHO = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "deepseek",
    "gen_ai.request.model": "default",
    "gen_ai.response.model": "deepseek-v4-pro-0324",
    "server.address": "api.deepseek.com",
    "server.port": 443,
}


def counted(make: Any, **options: Any) -> dict[str, list[Point]]:
    """The points of every metric after one request made by `make`."""
    owner = made_telemetry(**options)
    make(owner)
    return snapshot(owner)


def snapshot(owner: Telemetry) -> dict[str, list[Point]]:
    pipeline = owner._pipeline
    assert pipeline is not None
    return {metric.name: list(metric.points) for metric in pipeline.recorder.snapshot()}


def only(points: list[Point]) -> Point:
    (point,) = points
    return point


@calm
@given(st.lists(st.floats(0, 100), min_size=1, max_size=30))
def test_a_histogram_counts_as_the_sdks_does(values: list[float]) -> None:
    view = View(
        instrument_name="x", aggregation=ExplicitBucketHistogramAggregation(semconv.SECONDS)
    )
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], views=[view], shutdown_on_exit=False)
    theirs = provider.get_meter("t").create_histogram("x")
    ours = Histogram(semconv.SECONDS)
    for value in values:
        theirs.record(value)
        ours.record(value)
    data = reader.get_metrics_data()
    assert data is not None
    point: Any = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points[0]

    assert (ours.counts, ours.count) == (list(point.bucket_counts), point.count)
    assert (ours.low, ours.high) == (point.min, point.max)
    assert ours.total == pytest.approx(point.sum)
    provider.shutdown()


def test_a_call_is_counted_with_its_code() -> None:
    point = only(counted(simple)["rpc.server.call.duration"])

    assert dict(point.attributes) == {
        "rpc.system.name": "grpc",
        "rpc.method": METHOD,
        "rpc.response.status_code": "OK",
    }
    assert point.value == pytest.approx(0.1)


def test_an_error_of_ours_has_its_type_in_the_rpc_metric() -> None:
    def make(owner: Telemetry) -> None:
        begun(owner).finish(status_code="INTERNAL", now_ns=T0 + MS)

    point = only(counted(make)["rpc.server.call.duration"])
    assert dict(point.attributes)["error.type"] == "INTERNAL"


def test_another_rpc_is_counted_too() -> None:
    owner = made_telemetry()
    owner.call(method="headway.v1.ControlService/GetStatus", status_code="OK", start_ns=0, now_ns=1)

    point = only(snapshot(owner)["rpc.server.call.duration"])
    assert dict(point.attributes)["rpc.method"] == "headway.v1.ControlService/GetStatus"


def test_v1_41_counts_the_operation_and_its_tokens() -> None:
    found = counted(simple)

    duration = only(found["gen_ai.client.operation.duration"])
    assert dict(duration.attributes) == WHO
    assert duration.value == pytest.approx(0.1)
    first = only(found["gen_ai.client.operation.time_to_first_chunk"])
    assert first.value == pytest.approx(0.03)
    tokens = {
        dict(p.attributes)["gen_ai.token.type"]: p for p in found["gen_ai.client.token.usage"]
    }
    assert (tokens["input"].value, tokens["output"].value) == (100, 50)
    assert dict(tokens["input"].attributes) == WHO | {"gen_ai.token.type": "input"}
    assert not [name for name in found if "inference" in name]


def test_latest_counts_usage_by_kind_and_modality() -> None:
    found = counted(simple, semconv_opt_in="gen_ai_latest_experimental")

    prefix = "gen_ai.client.inference.usage."
    usage = {
        name.removeprefix(prefix): only(points)
        for name, points in found.items()
        if name.startswith(prefix)
    }
    assert {name: point.value for name, point in usage.items()} == {
        "input_tokens": 100,
        "output_tokens": 50,
        "cache_read.input_tokens": 40,
        "cache_write.input_tokens": 10,
        "reasoning.output_tokens": 20,
    }
    for point in usage.values():
        assert dict(point.attributes) == WHO | {"gen_ai.token.modality": "text"}
    assert only(found["gen_ai.client.inference.operation.input_tokens"]).value == 100
    assert "gen_ai.client.operation.duration" not in found
    assert "gen_ai.client.token.usage" not in found


def test_both_generations_count_the_same() -> None:
    found = counted(simple, semconv_opt_in="gen_ai_latest_experimental/dup")

    old = only(found["gen_ai.client.operation.duration"])
    assert only(found["gen_ai.client.inference.duration"]) == old


def test_a_failed_operation_counts_zero_tokens_of_unknown_modality() -> None:
    def make(owner: Telemetry) -> None:
        begun(owner).finish(status_code="UNAVAILABLE", now_ns=T0 + MS)

    found = counted(make, semconv_opt_in="gen_ai_latest_experimental")
    point = only(found["gen_ai.client.inference.usage.input_tokens"])
    assert point.value == 0
    assert dict(point.attributes)["gen_ai.token.modality"] == "unknown"
    each = only(found["gen_ai.client.inference.operation.input_tokens"])
    assert (sum(each.counts), each.value) == (1, 0)


def test_v1_41_counts_no_tokens_that_nobody_told() -> None:
    def make(owner: Telemetry) -> None:
        begun(owner).finish(status_code="UNAVAILABLE", now_ns=T0 + MS)

    assert "gen_ai.client.token.usage" not in counted(make)


def test_tokens_of_a_request_with_an_image_are_of_unknown_modality() -> None:
    asked = Completion(model="x", messages=(Message(Role.USER, (ImageUrl("https://x/y.png"),)),))
    found = counted(
        lambda owner: simple(owner, completion=asked), semconv_opt_in="gen_ai_latest_experimental"
    )

    point = only(found["gen_ai.client.inference.usage.input_tokens"])
    assert dict(point.attributes)["gen_ai.token.modality"] == "unknown"


def test_estimated_tokens_are_of_unknown_modality() -> None:
    def make(owner: Telemetry) -> None:
        usage = Usage(5, estimated=True)
        begun(owner).finish(status_code="OK", usage=usage, now_ns=T0 + MS)

    found = counted(make, semconv_opt_in="gen_ai_latest_experimental")
    point = only(found["gen_ai.client.inference.usage.input_tokens"])
    assert dict(point.attributes)["gen_ai.token.modality"] == "unknown"


def test_an_error_is_kept_apart_from_the_successes() -> None:
    def make(owner: Telemetry) -> None:
        simple(owner)
        begun(owner).finish(
            status_code="RESOURCE_EXHAUSTED", error_type="QUEUE_FULL", now_ns=T0 + MS
        )

    points = counted(make)["gen_ai.client.operation.duration"]
    assert [dict(p.attributes).get("error.type") for p in points] == [None, "QUEUE_FULL"]


def test_time_between_chunks_is_their_mean_counted_once_for_each_gap() -> None:
    point = only(counted(simple)["gen_ai.client.operation.time_per_output_chunk"])

    assert sum(point.counts) == 6
    assert point.low == point.high == pytest.approx(0.01)


def test_a_call_that_does_not_stream_has_no_chunk_times() -> None:
    found = counted(lambda owner: simple(owner, streaming=False))

    assert "gen_ai.client.operation.time_to_first_chunk" not in found
    assert "gen_ai.client.operation.time_per_output_chunk" not in found


def test_time_to_the_first_answer_is_apart_from_the_first_token() -> None:
    assert only(counted(simple)["headway.time_to_first_answer"]).value == pytest.approx(0.05)


def test_attempts_waits_and_failovers_are_counted() -> None:
    found = counted(failed_over)

    attempts = [dict(point.attributes) for point in found["headway.attempt.duration"]]
    assert attempts == [
        {
            "gen_ai.provider.name": "deepseek",
            "gen_ai.request.model": "deepseek-v4-pro",
            "headway.attempt.outcome": "failed",
            "error.type": "429",
        },
        {
            "gen_ai.provider.name": "mistral_ai",
            "gen_ai.request.model": "magistral",
            "headway.attempt.outcome": "completed",
        },
    ]
    assert only(found["headway.queue.duration"]).value == pytest.approx(0.009)
    assert only(found["headway.failover.count"]).value == 1


def test_cost_is_counted_by_what_it_was_for() -> None:
    points = counted(simple)["headway.cost"]

    assert {dict(p.attributes)["headway.cost.kind"]: p.value for p in points} == {
        "input": 1000,
        "reasoning": 2000,
        "answer": 3000,
    }


def test_a_cost_that_nobody_knows_is_counted() -> None:
    def make(owner: Telemetry) -> None:
        for cost in (UNKNOWN, COST, COST + UNKNOWN):
            begun(owner).finish(status_code="OK", usage=USAGE, cost=cost, now_ns=T0 + MS)

    assert only(counted(make)["headway.cost.unknown"]).value == 2


def test_requests_that_are_not_sampled_are_counted_all_the_same() -> None:
    owner = made_telemetry(sample_ratio=0.0)
    simple(owner, traceparent="")

    assert sum(only(snapshot(owner)["rpc.server.call.duration"]).counts) == 1


def test_a_model_nobody_knows_gets_no_series_of_its_own() -> None:
    def make(owner: Telemetry) -> None:
        for number in range(5):
            request = begun(owner, model=f"nonsense-{number}")
            request.finish(
                status_code="INVALID_ARGUMENT", error_type="UNKNOWN_MODEL", now_ns=T0 + MS
            )

    point = only(counted(make)["gen_ai.client.operation.duration"])
    assert dict(point.attributes)["gen_ai.request.model"] == "_OTHER"
    assert sum(point.counts) == 5


def test_series_are_bounded_and_the_rest_is_marked() -> None:
    table = Table(semconv.QUEUE, limit=3)
    for number in range(10):
        table.at((f"reason-{number}",)).histograms["duration"].record(1.0)

    (instrument,) = [made for made in semconv.OWN if made.family == "queue"]
    points = list(table.points(instrument))
    assert len(points) == 3
    assert points[-1].attributes == (("otel.metric.overflow", True),)
    assert sum(points[-1].counts) == 8


def test_a_snapshot_does_not_change_any_more() -> None:
    owner = made_telemetry()
    simple(owner)
    before = only(snapshot(owner)["rpc.server.call.duration"])
    counts = before.counts
    simple(owner)

    assert before.counts == counts


def test_what_was_dropped_is_counted_by_reason() -> None:
    recorder = Recorder(semconv.profiles(""))
    recorder.dropped("spans", "queue_full", 6)
    recorder.dropped("spans", "queue_full", 6)

    (metric,) = recorder.snapshot()
    assert metric.name == "headway.telemetry.dropped"
    assert metric.points == (
        Point(
            (
                ("headway.telemetry.signal", "spans"),
                ("headway.telemetry.drop_reason", "queue_full"),
            ),
            12,
        ),
    )


def test_an_attempt_called_off_is_no_error() -> None:
    def make(owner: Telemetry) -> None:
        request = begun(owner)
        attempt = first_attempt(request)
        attempt.finish(outcome=Outcome.CANCELLED_HEDGE, usage=USAGE, now_ns=T0 + MS)
        completed(request)

    point = only(counted(make)["headway.attempt.duration"])
    assert "error.type" not in dict(point.attributes)
