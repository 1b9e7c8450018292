"""What the status says of the parts beside the requests."""

from __future__ import annotations

import logging
import math

import pytest

from sidecar.app.sights import StoreWatch, export_sight, ledger_sight
from sidecar.core.clock import Clock
from sidecar.ledger.ledger import LedgerState
from sidecar.limits.memory import MemoryStore
from sidecar.telemetry import ExportStatus
from sidecar.testing import virtual
from sidecar.testing.virtual import in_virtual_time


def watch(clock: Clock, *modes: str, shared: bool = True) -> StoreWatch:
    made = StoreWatch(clock, shared=shared)
    for mode in modes:
        made.told("deepseek", mode)
    return made


@in_virtual_time
async def test_a_store_of_ones_own_is_never_lost() -> None:
    clock = virtual.clock()
    made = watch(clock, shared=False)
    assert (made.mode, made.sight(MemoryStore(clock)).shared) == ("memory", False)


@in_virtual_time
async def test_one_pool_that_decides_alone_is_a_lost_store() -> None:
    made = watch(virtual.clock(), "share")
    made.told("openai", "exact")
    assert (made.mode, made.lost) == ("redis_lost", True)


@in_virtual_time
async def test_a_store_that_is_back_is_redis_again() -> None:
    clock = virtual.clock()
    made = watch(clock, "share", "exact")
    assert (made.mode, made.sight(MemoryStore(clock)).retry_at) == ("redis", math.inf)


@in_virtual_time
async def test_each_change_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        watch(virtual.clock(), "share", "exact")
    assert [record.getMessage() for record in caplog.records] == [
        "limits of deepseek: the common store is in mode 'share'",
        "limits of deepseek: the common store is in mode 'exact'",
    ]


def test_a_ledger_with_trouble_is_stuck_until_it_tries_again() -> None:
    state = LedgerState("l.db", 0, 3, 0, "the disk is full", written=7, pending=3, retry_at=9.0)
    sight = ledger_sight(state)
    assert (sight.written, sight.pending, sight.stuck, sight.retry_at) == (7, 3, True, 9.0)


def test_no_telemetry_is_no_endpoint() -> None:
    assert export_sight(None).endpoint == ""


def test_an_endpoint_is_shown_without_its_password() -> None:
    status = ExportStatus("http://u:hunter2@collector:4317", 5, 1, 0, "refused", 4.0)
    sight = export_sight(status)
    assert sight.endpoint == "http://collector:4317"
    assert (sight.sent, sight.dropped, sight.stuck, sight.retry_at) == (5, 1, True, 4.0)
