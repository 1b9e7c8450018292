"""The sockets a daemon listens on: whose they are, who may use them, what is said on them."""

from __future__ import annotations

import asyncio
import socket
import stat
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from headway.v1 import completion_pb2, completion_pb2_grpc

from sidecar.testing import RunningProvider, written
from tests.support.configs import config
from tests.support.daemon import SERVING, Daemon
from tests.support.fixtures import Start
from tests.support.messages import asking
from tests.support.ports import free_port

pytestmark = pytest.mark.process
ENGINES = ("loop", "aio")

NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
TEXT = written(0, 0, 60).answer


async def answer_of(daemon: Daemon, target: str = "") -> str:
    """What a healthy call is told."""
    channel = daemon.channel(target)
    stub = completion_pb2_grpc.CompletionServiceStub(channel)
    request = completion_pb2.CompleteRequest(completion=asking("default"))
    async with channel:
        answer = await stub.Complete(request, timeout=30.0, wait_for_ready=True)
    return str(answer.answer)


async def refused_start(daemon: Daemon) -> tuple[int, str]:
    """Exit code and log of a daemon that must not start."""
    await daemon.launch()
    return await daemon.wait(), daemon.log


@pytest.mark.parametrize(("written_mode", "mode"), [(None, 0o660), ("0600", 0o600)])
async def test_the_socket_has_the_configured_mode(
    start: Start, folder: Path, provider: RunningProvider, written_mode: str | None, mode: int
) -> None:
    sections = {"server": {"socket_mode": written_mode}} if written_mode else {}
    daemon = await start(config(folder, provider.base_url, **sections))
    assert stat.S_IMODE(daemon.socket.stat().st_mode) == mode


async def test_a_second_daemon_on_a_socket_is_told_who_has_it(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    first = await start(config(folder, provider.base_url))
    other_folder = folder / "second"
    other_folder.mkdir()
    second = Daemon(other_folder, {**first.config, "ledger": {"path": ""}})
    code, log = await refused_start(second)
    assert code == 1
    assert f"another daemon (pid {first.process.pid}) listens on {first.socket}" in log
    assert await answer_of(first) == TEXT


async def test_a_socket_left_by_a_killed_daemon_is_replaced(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    wanted = config(folder, provider.base_url)
    killed = await start(wanted)
    assert await killed.kill() == -9
    assert killed.socket.exists()
    assert await answer_of(await start(wanted)) == TEXT


async def test_a_clean_end_leaves_no_socket(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    daemon = await start(config(folder, provider.base_url))
    assert await daemon.terminate() == 0
    assert not daemon.socket.exists()


async def test_tcp_beyond_loopback_is_refused_with_the_words_that_allow_it(
    folder: Path, provider: RunningProvider
) -> None:
    listen = [f"0.0.0.0:{free_port()}"]
    daemon = Daemon(folder, {**config(folder, provider.base_url), "listen": listen})
    code, log = await refused_start(daemon)
    assert code in (1, 2)
    assert "public: true" in log


async def test_a_taken_port_is_an_error_that_names_it(
    folder: Path, provider: RunningProvider
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        daemon = Daemon(folder, {**config(folder, provider.base_url), "listen": [address]})
        code, log = await refused_start(daemon)
    assert code == 1
    assert f"cannot listen on {address}" in log


async def test_loopback_tcp_serves_beside_the_socket(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    wanted = config(folder, provider.base_url)
    address = f"127.0.0.1:{free_port()}"
    daemon = await start({**wanted, "listen": [*wanted["listen"], address]})
    assert await answer_of(daemon, address) == TEXT


async def test_probes_have_a_port_of_their_own_that_serves_nothing_else(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    address = f"127.0.0.1:{free_port()}"
    daemon = await start(config(folder, provider.base_url, health=address))
    async with daemon.channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", "startup", "readiness", "liveness"):
            request = health_pb2.HealthCheckRequest(service=name)
            answer = await health.Check(request, timeout=10.0, wait_for_ready=True)
            assert (name, answer.status) == (name, SERVING)
        stub = completion_pb2_grpc.CompletionServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as told:
            await stub.Complete(completion_pb2.CompleteRequest(completion=asking("default")))
    assert told.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_draining_daemon_is_alive_but_not_ready(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    address = f"127.0.0.1:{free_port()}"
    slow = config(folder, provider.base_url, "deepseek/fake-60+ms-100", health=address)
    daemon = await start(slow)
    async with daemon.client() as client, client.stream("default", "Go on.") as stream:
        await anext(stream)
        daemon.process.terminate()
        await daemon.wait_health("readiness", NOT_SERVING, address)
        await daemon.wait_health("liveness", SERVING, address)
        stream.close()
    assert await daemon.wait() == 0


def reflected(target: str) -> tuple[set[str], list[dict[str, Any]]]:
    """The services that reflection lists, and a stream asked for with nothing but reflection."""
    with grpc.insecure_channel(target, options=[("grpc.default_authority", "localhost")]) as line:
        database = ProtoReflectionDescriptorDatabase(line)
        services = set(database.get_services())
        pool = DescriptorPool(database)
        service = pool.FindServiceByName("headway.v1.CompletionService")
        method = service.methods_by_name["StreamCompletion"]
        asked, answered = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        messages = [{"role": "ROLE_USER", "content": [{"text": "When does it leave?"}]}]
        request = {"completion": {"model": "default", "messages": messages}}
        call = line.unary_stream(
            f"/{service.full_name}/{method.name}",
            request_serializer=asked.SerializeToString,
            response_deserializer=answered.FromString,
        )
        stream = call(json_format.ParseDict(request, asked()), timeout=30.0)
        return services, [json_format.MessageToDict(message) for message in stream]


async def test_reflection_lists_the_services_and_is_enough_to_stream(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    daemon = await start(config(folder, provider.base_url))
    services, events = await asyncio.to_thread(reflected, daemon.target)
    assert services >= {
        "headway.v1.CompletionService",
        "headway.v1.ControlService",
        "grpc.health.v1.Health",
    }
    assert "".join(event.get("answer", {}).get("text", "") for event in events) == TEXT
    assert "completed" in events[-1]
