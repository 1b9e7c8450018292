"""The exporter, in virtual time: it batches, repeats and gives up, and nobody waits for it."""

from __future__ import annotations

import asyncio
import logging

import pytest

from sidecar.telemetry import Gauges, Telemetry
from sidecar.telemetry.export import Answer, SpanQueue
from sidecar.telemetry.tree import Encoded
from sidecar.testing import virtual
from sidecar.testing.virtual import in_virtual_time

from .making import Kept, decoded, simple, telemetry

SPANS = 6
AGAIN = Answer("UNAVAILABLE: nobody there", retry=True)
NEVER = Answer("PERMISSION_DENIED: go away")


def started(kept: Kept, **options: object) -> Telemetry:
    """Telemetry that exports into `kept`, on the running virtual loop."""
    owner = telemetry(clock=virtual.clock(), connect=kept.connect, **options)
    owner.start()
    return owner


def dropped(kept: Kept) -> dict[str, float]:
    """The drop counters of the last snapshot, by reason."""
    (metric,) = [made for made in kept.metrics[-1] if made.name == "headway.telemetry.dropped"]
    return {dict(p.attributes)["headway.telemetry.drop_reason"]: p.value for p in metric.points}


@in_virtual_time
async def test_spans_leave_together_after_the_delay() -> None:
    kept = Kept()
    owner = started(kept, batch_delay_s=2.0)
    for _ in range(3):
        simple(owner)
    await asyncio.sleep(1.9)
    assert kept.batches == []
    await asyncio.sleep(0.2)

    (batch,) = kept.batches
    assert len(decoded(batch)) == 3 * SPANS
    await owner.aclose(1)


@in_virtual_time
async def test_a_full_batch_does_not_wait() -> None:
    kept = Kept()
    owner = started(kept, batch_delay_s=60.0, batch_bytes=1)
    simple(owner)
    await asyncio.sleep(0.001)

    assert len(kept.batches) == 1
    await owner.aclose(1)


@in_virtual_time
async def test_the_delay_is_counted_anew_for_each_batch() -> None:
    kept = Kept()
    owner = started(kept, batch_delay_s=1.0)
    simple(owner)
    await asyncio.sleep(5)
    simple(owner)
    await asyncio.sleep(5)

    assert kept.times == [1.0, 6.0]
    await owner.aclose(1)


@in_virtual_time
async def test_what_was_recorded_before_the_start_is_not_lost() -> None:
    kept = Kept()
    owner = telemetry(clock=virtual.clock(), connect=kept.connect)
    simple(owner)
    owner.start()
    await owner.aclose(1)

    assert len(kept.batches) == 1


@in_virtual_time
async def test_an_idle_exporter_wakes_for_metrics_only() -> None:
    kept = Kept()
    owner = started(kept, metrics_interval_s=60.0, status=Gauges)
    await asyncio.sleep(150)

    assert kept.times == [60.0, 120.0]
    await owner.aclose(1)


@in_virtual_time
async def test_the_state_is_read_once_an_interval() -> None:
    kept, read = Kept(), []

    def status() -> Gauges:
        read.append(virtual.clock().now())
        return Gauges()

    owner = started(kept, metrics_interval_s=60.0, status=status)
    await asyncio.sleep(130)

    assert read == [60.0, 120.0]
    await owner.aclose(1)


@in_virtual_time
async def test_a_state_that_cannot_be_read_loses_the_gauges_only() -> None:
    def status() -> Gauges:
        raise ValueError("not now")

    kept = Kept()
    owner = started(kept, status=status)
    simple(owner)
    await owner.aclose(1)

    assert "rpc.server.call.duration" in [metric.name for metric in kept.metrics[-1]]


@in_virtual_time
async def test_a_batch_that_may_be_repeated_is_repeated_with_growing_pauses() -> None:
    kept = Kept(AGAIN, AGAIN, AGAIN)
    owner = started(kept, batch_delay_s=1.0)
    simple(owner)
    await asyncio.sleep(30)

    assert len(set(kept.batches)) == 1
    pauses = [later - earlier for earlier, later in zip(kept.times, kept.times[1:], strict=False)]
    for pause, expected in zip(pauses, (1, 2, 4), strict=True):
        assert 0.8 * expected <= pause <= 1.2 * expected
    status = owner.status()
    assert status is not None
    assert (status.spans_sent, status.spans_dropped) == (SPANS, 0)
    await owner.aclose(1)


@in_virtual_time
async def test_the_collectors_own_delay_is_kept() -> None:
    kept = Kept(Answer("RESOURCE_EXHAUSTED: slow down", retry=True, after_s=20.0))
    owner = started(kept, batch_delay_s=1.0)
    simple(owner)
    await asyncio.sleep(30)

    assert kept.times == [1.0, 21.0]
    await owner.aclose(1)


@in_virtual_time
async def test_a_batch_refused_for_good_is_counted_and_the_next_one_goes() -> None:
    kept = Kept(NEVER)
    owner = started(kept)
    simple(owner)
    await asyncio.sleep(5)
    simple(owner)
    await owner.aclose(1)

    assert dropped(kept) == {"export_failed": SPANS}
    status = owner.status()
    assert status is not None
    assert (status.spans_sent, status.spans_dropped, status.trouble) == (SPANS, SPANS, "")


@in_virtual_time
async def test_spans_the_collector_took_out_are_counted() -> None:
    kept = Kept(Answer("two had no name", rejected=2))
    owner = started(kept)
    simple(owner)
    await owner.aclose(1)

    assert dropped(kept) == {"rejected": 2}
    status = owner.status()
    assert status is not None
    assert status.spans_sent == SPANS - 2


@in_virtual_time
async def test_a_transport_that_raises_costs_its_batch_and_the_next_one_goes() -> None:
    kept = Kept(ValueError("a mistake"))
    owner = started(kept)
    simple(owner)
    await asyncio.sleep(5)
    simple(owner)
    await owner.aclose(1)

    status = owner.status()
    assert status is not None
    assert (status.spans_sent, status.spans_dropped) == (SPANS, SPANS)


@in_virtual_time
async def test_a_dead_collector_costs_a_bounded_queue_and_loses_only_telemetry() -> None:
    kept = Kept(*[AGAIN] * 1000)
    owner = started(kept, queue_bytes=20_000, batch_bytes=4_000)
    for _ in range(200):
        simple(owner)
        await asyncio.sleep(1)
        status = owner.status()
        assert status is not None
        assert status.bytes_waiting <= 20_000

    await owner.aclose(1)
    status = owner.status()
    assert status is not None
    assert (status.spans_sent, status.spans_dropped) == (0, 200 * SPANS)


@in_virtual_time
async def test_a_hanging_collector_costs_a_bounded_queue_and_loses_only_telemetry() -> None:
    kept = Kept()
    kept.stuck = True
    owner = started(kept, queue_bytes=20_000, batch_bytes=4_000)
    for _ in range(200):
        simple(owner)
        await asyncio.sleep(1)

    status = owner.status()
    assert status is not None
    assert len(kept.batches) == 1
    assert status.bytes_waiting <= 20_000
    began = virtual.clock().now()
    await owner.aclose(3)
    assert virtual.clock().now() - began == 3
    status = owner.status()
    assert status is not None
    assert status.spans_dropped == 200 * SPANS
    assert kept.closed


@in_virtual_time
async def test_finishing_a_request_never_yields_to_the_loop() -> None:
    kept = Kept()
    kept.stuck = True
    owner = started(kept, batch_bytes=1)
    ran: list[str] = []
    asyncio.get_running_loop().call_soon(ran.append, "the loop went on")
    for _ in range(100):
        simple(owner)

    assert ran == []
    await owner.aclose(1)


@in_virtual_time
async def test_a_shutdown_waits_a_second_for_a_collector_already_in_trouble() -> None:
    kept = Kept(AGAIN)
    owner = started(kept)
    simple(owner)
    await asyncio.sleep(1.1)
    kept.stuck = True
    began = virtual.clock().now()
    await owner.aclose(30)

    assert virtual.clock().now() - began == 1


@in_virtual_time
async def test_a_shutdown_sends_what_is_left_and_the_last_metrics() -> None:
    kept = Kept()
    owner = started(kept, batch_delay_s=60.0)
    simple(owner)
    await owner.aclose(1)

    assert len(kept.batches) == 1
    assert len(kept.metrics) == 1
    assert kept.closed


@in_virtual_time
async def test_a_shutdown_tries_a_batch_in_trouble_once_more() -> None:
    kept = Kept(AGAIN)
    owner = started(kept)
    simple(owner)
    await asyncio.sleep(1.1)
    await owner.aclose(1)

    status = owner.status()
    assert status is not None
    assert status.spans_sent == SPANS


@in_virtual_time
async def test_spans_after_the_shutdown_are_counted_as_lost() -> None:
    kept = Kept()
    owner = started(kept)
    await owner.aclose(1)
    simple(owner)

    status = owner.status()
    assert status is not None
    assert status.spans_dropped == SPANS


@in_virtual_time
async def test_closing_what_never_started_counts_its_spans_as_lost() -> None:
    owner = telemetry(clock=virtual.clock())
    simple(owner)
    await owner.aclose(1)

    status = owner.status()
    assert status is not None
    assert (status.bytes_waiting, status.spans_dropped) == (0, SPANS)


@in_virtual_time
async def test_after_the_shutdown_no_task_and_no_timer_is_left() -> None:
    owner = started(Kept())
    simple(owner)
    await owner.aclose(1)

    loop = asyncio.get_running_loop()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not [timer for timer in loop._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]


def test_an_outage_is_told_once_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    @in_virtual_time
    async def outage() -> None:
        owner = started(Kept(*[AGAIN] * 5))
        simple(owner)
        await asyncio.sleep(200)
        await owner.aclose(1)

    with caplog.at_level(logging.INFO):
        outage()

    assert [(record.levelname, record.name) for record in caplog.records] == [
        ("WARNING", "headway.telemetry"),
        ("INFO", "headway.telemetry"),
    ]


def test_a_transport_that_cannot_be_made_is_told_and_traffic_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @in_virtual_time
    async def unmade() -> None:
        def connect(settings: object) -> Kept:
            raise ValueError("no such endpoint")

        owner = telemetry(clock=virtual.clock(), connect=connect)
        owner.start()
        simple(owner)
        await asyncio.sleep(5)
        status = owner.status()
        assert status is not None
        assert status.trouble == "ValueError: no such endpoint"
        await owner.aclose(1)
        status = owner.status()
        assert status is not None
        assert status.spans_dropped == SPANS

    unmade()
    assert len(caplog.records) == 1


def test_the_queue_takes_whole_requests_in_order() -> None:
    queue = SpanQueue(100)
    for text in (b"aaaa", b"bbbb", b"cccc"):
        assert queue.put(Encoded(text, 1))

    assert queue.take(9) == Encoded(b"aaaabbbb", 2)
    assert queue.take(1) == Encoded(b"cccc", 1)
    assert queue.take(9) is None
    assert queue.size_bytes == 0


def test_the_queue_refuses_what_has_no_room() -> None:
    queue = SpanQueue(6)

    assert queue.put(Encoded(b"aaaa", 1))
    assert not queue.put(Encoded(b"bbbb", 1))
    assert queue.put(Encoded(b"cc", 1))
