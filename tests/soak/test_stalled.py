"""Readers who do not read cost the daemon a stated number of bytes each, and others nothing."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.soak import stalled
from tests.soak.stalled import Kind

pytestmark = [pytest.mark.process, pytest.mark.slow]
READERS = 50


@pytest.fixture(
    scope="module",
    params=[Kind(), Kind(engine="aio"), Kind(ids=True), Kind(tls=True)],
    ids=["plain", "gRPC drives itself", "re-attachable", "TLS"],
)
def figures(request: pytest.FixtureRequest) -> Iterator[stalled.Figures]:
    folder = Path(tempfile.mkdtemp(prefix="hw"))
    yield asyncio.run(stalled.run(folder, READERS, request.param))
    shutil.rmtree(folder, ignore_errors=True)


def test_all_of_them_are_full_and_their_provider_waits(figures: stalled.Figures) -> None:
    assert figures.stalled == READERS
    assert figures.least_sent_bytes >= stalled.FULL_BYTES


def test_each_holds_less_than_the_stated_bound(figures: stalled.Figures) -> None:
    assert figures.each_bytes <= figures.bound_bytes, str(figures)
