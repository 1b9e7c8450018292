"""The caller's trace goes on in the daemon: its id, its parent, one span for each attempt."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.testing import RunningProvider
from tests.support.configs import config
from tests.support.fixtures import Start
from tests.telemetry.collector import Collector

pytestmark = pytest.mark.process

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SERVER = 2


async def test_a_callers_traceparent_is_continued_over_two_attempts(
    start: Start, folder: Path, provider: RunningProvider, collector: Collector
) -> None:
    telemetry = {"otlp_endpoint": collector.endpoint}
    target = "deepseek/fake-reasoner-20-20+cut-answer-10@1"
    daemon = await start(config(folder, provider.base_url, target, telemetry=telemetry))
    metadata = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    async with daemon.client() as client:
        await client.stream("default", "Go on.", metadata=metadata).read()
    assert await daemon.terminate() == 0
    spans = collector.spans
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    (server,) = (span for span in spans if span.kind == SERVER)
    assert server.parent_span_id.hex() == PARENT
    ids = {span.span_id for span in spans}
    assert all(span.parent_span_id in ids for span in spans if span is not server)
    attempts = [s for s in spans if any(a.key == "headway.attempt.number" for a in s.attributes)]
    assert len(attempts) == 2
