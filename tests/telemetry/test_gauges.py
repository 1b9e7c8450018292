"""The daemon's state as metrics."""

from __future__ import annotations

from sidecar.telemetry.gauges import (
    BreakerState,
    BucketLevel,
    Gauges,
    KeyState,
    QueueSize,
    published,
)
from sidecar.telemetry.semconv import Kind


def test_every_reading_becomes_a_point() -> None:
    found = published(
        Gauges(
            queues=(QueueSize("default", 4),),
            buckets=(BucketLevel("deepseek/a/requests", 12.5, "requests"), BucketLevel("b", 1)),
            keys=(KeyState("deepseek", "team-a", "a1", "ready"),),
            breakers=(BreakerState("deepseek", "v4", "half_open"),),
            streams_active=9,
            store_mode="redis",
        )
    )

    assert all(metric.kind is Kind.GAUGE for metric in found)
    readings = {
        metric.name: [(dict(p.attributes), p.value) for p in metric.points] for metric in found
    }
    assert readings == {
        "headway.queue.size": [({"headway.queue.name": "default"}, 4)],
        "headway.bucket.available": [
            ({"headway.bucket": "deepseek/a/requests", "headway.bucket.unit": "requests"}, 12.5),
            ({"headway.bucket": "b"}, 1),
        ],
        "headway.key.state": [
            (
                {
                    "headway.provider": "deepseek",
                    "headway.key.account": "team-a",
                    "headway.key.alias": "a1",
                    "headway.key.state": "ready",
                },
                1,
            )
        ],
        "headway.breaker.state": [
            (
                {
                    "headway.provider": "deepseek",
                    "gen_ai.request.model": "v4",
                    "headway.breaker.state": "half_open",
                },
                1,
            )
        ],
        "headway.stream.active": [({}, 9)],
        "headway.store.mode": [({"headway.store.mode": "redis"}, 1)],
    }


def test_what_has_no_reading_is_not_published() -> None:
    assert [metric.name for metric in published(Gauges())] == ["headway.stream.active"]


def test_two_readings_of_one_thing_are_one_point() -> None:
    rows = (KeyState("deepseek", "a", "a1", "ready"), KeyState("deepseek", "a", "a1", "ready"))
    (keys, _) = published(Gauges(keys=rows))

    assert len(keys.points) == 1


def test_a_keys_state_may_be_told_by_model() -> None:
    rows = (
        KeyState("deepseek", "a", "a1", "ready", "v4"),
        KeyState("deepseek", "a", "a1", "ready"),
    )
    (keys, _) = published(Gauges(keys=rows))

    models = [dict(point.attributes).get("gen_ai.request.model") for point in keys.points]
    assert models == ["v4", None]
