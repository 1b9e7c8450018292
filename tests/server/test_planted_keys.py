"""Planted keys are found nowhere: not in the log at its most talkative, not in anything said."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from headway.v1 import completion_pb2, completion_pb2_grpc, control_pb2, control_pb2_grpc

from sidecar.testing import RunningProvider
from tests.support.configs import DEEPSEEK_KEY, OTHER_KEY, Config, config, deepseek, other
from tests.support.daemon import Daemon
from tests.support.fixtures import Start
from tests.support.messages import asking
from tests.telemetry.collector import Collector

pytestmark = [pytest.mark.process, pytest.mark.slow]

TOKEN = "planted-caller-token-55d1"
COLLECTOR_TOKEN = "planted-collector-token-0b2e"
PLANTED = (DEEPSEEK_KEY, OTHER_KEY, TOKEN, COLLECTOR_TOKEN)
LAST = {"deepseek": "http-402", "other": "leak"}

# Every kind of ending but those that put a key aside; these come last.
FAULTS = (
    "http-400", "http-404", "http-429-60", "http-500", "http-503", "html", "html-502", "empty",
    "redirect", "lose-reset", "lose-close", "cut-5", "cut-byte-300", "garbage-3", "broken-3",
    "badbytes-3", "error-openai-3", "firsterror-openai", "refuse-context", "refuse-policy",
    "falsegzip", "deep-2000", "deny-k1", "deny-o1",
)  # fmt: skip


def planted(folder: Path, base_url: str, endpoint: str) -> Config:
    """A key from the environment, one from a file, a caller token, and a collector's token."""
    file = folder / "keys" / "o1"
    file.parent.mkdir()
    file.write_text(OTHER_KEY + "\n")
    account = {"keys": [{"name": "o1", "file": str(file)}]}
    return config(
        folder,
        base_url,
        providers={
            "deepseek": deepseek(base_url),
            "other": other(base_url, accounts={"b": account}),
        },
        routes={},
        server={"caller_tokens": [{"name": "t1", "env": "CALLER_TOKEN"}]},
        telemetry={
            "otlp_endpoint": endpoint,
            "content": True,
            "headers": {"authorization": f"Bearer {COLLECTOR_TOKEN}"},
        },
    )


async def provoke(channel: grpc.aio.Channel, model: str, token: str = TOKEN) -> str:
    """Everything that a caller is told when `model` is asked, trailers and all."""
    request = completion_pb2.StreamCompletionRequest(completion=asking(model))
    stub = completion_pb2_grpc.CompletionServiceStub(channel)
    call = stub.StreamCompletion(request, timeout=1.0, metadata=(("headway-token", token),))
    try:
        return repr([message async for message in call])
    except grpc.aio.AioRpcError as error:
        return repr((error, error.trailing_metadata(), error.debug_error_string()))


async def status_of(channel: grpc.aio.Channel) -> str:
    stub = control_pb2_grpc.ControlServiceStub(channel)
    metadata = (("headway-token", TOKEN),)
    answers = (
        await stub.Reload(control_pb2.ReloadRequest(), metadata=metadata),
        await stub.GetStatus(control_pb2.GetStatusRequest(), metadata=metadata),
        await stub.GetUsage(control_pb2.GetUsageRequest(), metadata=metadata),
        await stub.ListModels(control_pb2.ListModelsRequest(), metadata=metadata),
    )
    return "\n".join(map(str, answers))


async def everything_said(daemon: Daemon, collector: Collector) -> dict[str, str]:
    """Errors, status, log, spans, metrics and ledger of a daemon that had every kind of trouble."""
    said: dict[str, str] = {}
    async with daemon.channel() as channel:
        for name, last in LAST.items():
            for fault in (*FAULTS, last):
                said[f"{name} {fault}"] = await provoke(channel, f"{name}/fake-20+{fault}#{name}")
            said[f"{name} afterwards"] = await provoke(channel, f"{name}/fake-20")
        said["a wrong token"] = await provoke(channel, "deepseek/fake-20", TOKEN[:-1] + "x")
        said["status"] = await status_of(channel)
        daemon.write_config(misplaced(daemon.config))
        said["status with a key in the wrong place"] = await status_of(channel)
    assert await daemon.terminate() == 0
    said["spans"] = repr(collector.traces)
    said["metrics"] = repr(collector.metrics)
    said["log"] = daemon.log
    return said


def misplaced(right: Config) -> Config:
    """The mistake that many make: the key itself where its place should be named."""
    provider = deepseek("http://127.0.0.1:9")
    provider["accounts"]["a"]["keys"] = [
        {"name": "k1", "env": DEEPSEEK_KEY},
        {"name": "k2", "file": OTHER_KEY},
    ]
    return {**right, "providers": {"deepseek": provider}}


def files_of(folder: Path) -> dict[str, str]:
    """The ledger's files, byte for character."""
    return {path.name: path.read_bytes().decode("latin-1") for path in folder.glob("ledger*")}


async def test_no_planted_key_is_in_anything_the_daemon_says(
    start: Start, folder: Path, provider: RunningProvider, collector: Collector
) -> None:
    written = planted(folder, provider.base_url, collector.endpoint)
    daemon = await start(written, CALLER_TOKEN=TOKEN)
    said = await everything_said(daemon, collector)
    leaks = [
        (where, key)
        for where, text in {**said, **files_of(folder)}.items()
        for key in PLANTED
        if key in text or key[-12:] in text
    ]
    assert leaks == []
    # The provider got the keys and repeated one, and spans arrived: the search was not empty.
    assert "leak" in {entry.fault for entry in provider.log}
    assert "KEYS_REJECTED" in said["other afterwards"]
    assert "SPEND_LIMIT" in said["deepseek afterwards"]
    assert collector.spans
