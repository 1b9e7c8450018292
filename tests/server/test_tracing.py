"""The caller's trace goes on in the daemon: its id, its parent, one span for each attempt."""

from __future__ import annotations

from pathlib import Path

import pytest
from headway import HeadwayError

from sidecar.testing import RunningProvider
from tests.support.configs import config
from tests.support.fixtures import Start
from tests.telemetry.collector import Collector, attributes

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


@pytest.mark.parametrize("request_id", ["", "6f1c9a52-6d0e-4c1f-9b7e-0f8a4be0a003"])
async def test_a_stream_that_the_end_of_the_daemon_cut_is_traced_as_its_caller_saw_it(
    start: Start, folder: Path, provider: RunningProvider, collector: Collector, request_id: str
) -> None:
    sections = {
        "telemetry": {"otlp_endpoint": collector.endpoint},
        "server": {"drain_grace": "1s"},
    }
    daemon = await start(config(folder, provider.base_url, "deepseek/fake-60+ms-1000", **sections))
    async with daemon.client() as client:
        stream = client.stream("default", "Go on.", request_id=request_id)
        await anext(stream)
        daemon.process.terminate()
        with pytest.raises(HeadwayError, match="DRAINING"):
            await stream.read()
    assert await daemon.wait() == 0
    about = [attributes(span) for span in collector.spans]
    codes = {a["rpc.response.status_code"] for a in about if "rpc.response.status_code" in a}
    assert codes == {"UNAVAILABLE"}
    (chat,) = (a for a in about if "headway.route" in a)
    assert chat["error.type"] == "DRAINING"
