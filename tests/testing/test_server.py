"""The shell on real sockets, with stock httpx and plain sockets as peers."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import httpx
import msgspec
import pytest
import uvloop

from sidecar.testing import texts
from sidecar.testing.config import ProviderConfig
from sidecar.testing.journal import Ending
from sidecar.testing.running import RunningProvider, running_provider

QUICK = ProviderConfig(pace_s=0.001)
BODY = {"messages": [{"role": "user", "content": "go"}], "stream": True}


async def ask(running: RunningProvider, model: str, **more: Any) -> bytes:
    async with (
        httpx.AsyncClient() as client,
        client.stream(
            "POST",
            running.base_url + "/chat/completions",
            headers={"authorization": "Bearer sk-1"},
            json=BODY | {"model": model} | more,
        ) as response,
    ):
        return await response.aread()


async def test_stock_httpx_reads_a_whole_stream() -> None:
    async with running_provider(QUICK) as running:
        body = await ask(running, "fake-60")
        assert body.endswith(b"data: [DONE]\n\n")
        assert running.log[0].ending is Ending.COMPLETE
        assert running.log[0].sent_bytes == len(body)


async def test_one_connection_carries_many_requests() -> None:
    async with running_provider(QUICK) as running, httpx.AsyncClient() as client:
        for _ in range(5):
            answer = await client.post(
                running.base_url + "/chat/completions",
                headers={"authorization": "Bearer sk-1"},
                json=BODY | {"model": "fake-3", "stream": False},
            )
            assert answer.json()["usage"]["completion_tokens"] == 3
        assert running.server.connections == 1


async def test_the_kernel_takes_no_more_than_it_may_of_what_nobody_reads() -> None:
    """100,000 tokens are 20 MB: left alone, the kernel takes several of them."""
    async with running_provider(QUICK, send_buffer_bytes=16 * 1024) as running:
        _, port = running.base_url.rsplit(":", 1)
        with socket.create_connection(("127.0.0.1", int(port))) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
            body = msgspec.json.encode(BODY | {"model": "fake-100000+ms-0"})
            head = (
                "POST /chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk-1\r\n"
                f"content-length: {len(body)}\r\n\r\n"
            )
            client.sendall(head.encode() + body)
            await running.wait_until(lambda: any(entry.sent_bytes for entry in running.log))
            for _ in range(1_000):  # far more turns than it takes to fill every buffer
                await asyncio.sleep(0)
            assert running.log[0].ending is Ending.RUNNING
            assert 16 * 1024 < running.log[0].sent_bytes < 512 * 1024


async def test_a_reset_before_any_byte_is_a_read_error() -> None:
    async with running_provider(QUICK) as running:
        with pytest.raises(httpx.ReadError):
            await ask(running, "fake-60+lose-reset")
        assert (running.log[0].status, running.log[0].ending) == (0, Ending.CUT)


async def test_a_close_before_any_byte_is_a_protocol_error() -> None:
    async with running_provider(QUICK) as running:
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            await ask(running, "fake-60+lose-close")


@pytest.mark.parametrize("end", ["cut", "half"])
async def test_a_cut_in_the_body_is_a_protocol_error(end: str) -> None:
    async with running_provider(QUICK) as running:
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            await ask(running, f"fake-60+{end}-40")
        assert running.bill.total.usage.output_tokens == 40


async def test_a_reset_in_the_body_is_a_read_error() -> None:
    async with running_provider(QUICK) as running:
        with pytest.raises(httpx.ReadError):
            await ask(running, "fake-60+rst-40")


def test_a_reset_is_one_on_uvloop_too() -> None:
    async def main() -> None:
        async with running_provider(QUICK) as running:
            with pytest.raises(httpx.ReadError):
                await ask(running, "fake-60+rst-40")
            with pytest.raises(httpx.ReadError):
                await ask(running, "fake-60+lose-reset")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


async def test_a_cut_of_an_unframed_body_looks_like_its_end() -> None:
    async with running_provider(QUICK) as running:
        body = await ask(running, "fake-60+unframed+cut-40")
        assert b"[DONE]" not in body
        assert running.log[0].ending is Ending.CUT


async def test_a_cut_at_a_byte_sends_exactly_so_many() -> None:
    async with running_provider(QUICK) as running:
        body = await ask(running, "fake-60+unframed+cut-byte-1234")
        assert len(body) == running.log[0].sent_bytes == 1234


async def test_silence_ends_with_the_clients_own_timeout() -> None:
    async with running_provider(QUICK) as running:
        # To connect it may take as long as the machine likes.
        patient = httpx.Timeout(30.0, read=0.2)
        async with httpx.AsyncClient(timeout=patient) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.post(
                    running.base_url + "/chat/completions",
                    headers={"authorization": "Bearer sk-1"},
                    json=BODY | {"model": "fake-60+silent"},
                )
        await running.wait_over(1)
        assert running.log[0].ending is Ending.CLIENT_CLOSED
        assert running.bill.total_nano_usd == 0


async def test_a_hang_up_is_seen_and_ends_the_bill() -> None:
    async with running_provider() as running:
        async with (
            httpx.AsyncClient() as client,
            client.stream(
                "POST",
                running.base_url + "/chat/completions",
                headers={"authorization": "Bearer sk-1"},
                json=BODY | {"model": "fake-5000"},
            ) as response,
        ):
            await anext(response.aiter_bytes())
        await running.wait_over(1)
        entry = running.log[0]
        assert entry.ending is Ending.CLIENT_CLOSED
        assert entry.usage.output_tokens < 5000


async def test_a_reader_that_stops_holds_the_provider_back() -> None:
    async with running_provider(ProviderConfig(pace_s=0.0)) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.server.port)
        await send(writer, "fake-60+huge-20000000")
        await running.wait_until(
            lambda: bool(running.log) and running.log[0].sent_bytes >= 20_000_000
        )
        assert running.log[0].usage.output_tokens == 0
        while running.log[0].ending is Ending.RUNNING:
            await reader.read(1_000_000)
        assert running.log[0].usage.output_tokens == 60
        assert running.log[0].blocked_s > 0
        writer.close()


async def send(writer: asyncio.StreamWriter, model: str) -> None:
    body = httpx.Request("POST", "http://x", json=BODY | {"model": model}).content
    writer.write(
        b"POST /chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n"
        b"content-length: %d\r\n\r\n%b" % (len(body), body)
    )
    await writer.drain()


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with running_provider(QUICK) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.server.port)
        await send(writer, "fake-3+http-500")
        await send(writer, "fake-3+lose-close")
        text = await reader.read()
        assert text.startswith(b"HTTP/1.1 500 ")
        assert [entry.fault for entry in running.log] == ["http-500", "lose-close"]
        writer.close()


async def test_noise_instead_of_http_gets_400() -> None:
    async with running_provider(QUICK) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.server.port)
        writer.write(b"\x16\x03\x01 this is no http\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()


async def test_a_body_announced_with_expect_is_asked_for() -> None:
    async with running_provider(QUICK) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.server.port)
        head = b"POST /x HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
        writer.write(head)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"{}")
        assert (await reader.readline()) == b"HTTP/1.1 404 Not Found\r\n"
        writer.close()


async def test_a_host_that_is_down_refuses_and_comes_back_on_the_same_port() -> None:
    async with running_provider(QUICK) as running:
        port = running.server.port
        await running.server.refuse()
        with pytest.raises(httpx.ConnectError):
            await ask(running, "fake-3")
        await running.server.listen()
        assert running.server.port == port
        assert b"[DONE]" in await ask(running, "fake-3")


async def test_going_down_resets_open_streams() -> None:
    async with running_provider() as running:
        asking = asyncio.create_task(ask(running, "fake-5000"))
        await running.wait_until(
            lambda: bool(running.log) and running.log[0].usage.output_tokens > 0
        )
        await running.server.refuse()
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await asking
        assert running.log[0].ending is Ending.STOPPED


async def test_hundreds_of_streams_at_once_are_all_whole() -> None:
    async with running_provider(QUICK) as running:
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(limits=limits, timeout=60) as client:
            answers = await asyncio.gather(
                *(
                    client.post(
                        running.base_url + "/chat/completions",
                        headers={"authorization": "Bearer sk-1"},
                        json=BODY | {"model": "fake-20"},
                    )
                    for _ in range(200)
                )
            )
        assert all(answer.content.endswith(b"[DONE]\n\n") for answer in answers)
        assert running.bill.total.usage.output_tokens == 200 * 20


async def test_the_text_on_the_wire_is_the_seeds() -> None:
    async with running_provider(QUICK) as running:
        body = await ask(running, "fake-60+style-unicode", stream=False)
        assert texts.written(0, 0, 60, "unicode").answer in body.decode()
