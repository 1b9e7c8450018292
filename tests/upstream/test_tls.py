from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from sidecar.upstream.http import Call, Upstream
from sidecar.upstream.tls import client_context
from sidecar.upstream.transport import ProviderTransport

from .certificates import Authority

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
OPEN = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


@asynccontextmanager
async def tls_server(context: ssl.SSLContext, handler: Handler) -> AsyncIterator[int]:
    server = await asyncio.start_server(handler, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture(scope="module")
def our_trust(authority: Authority) -> ssl.SSLContext:
    return client_context(authority.ca_file)


async def ask(trust: ssl.SSLContext, port: int, times: int = 1) -> list[httpx.Response]:
    transport = ProviderTransport(trust)
    responses = []
    for _ in range(times):
        request = httpx.Request("POST", f"https://localhost:{port}/", content=b"{}")
        responses.append(await transport.handle_async_request(request))
        await responses[-1].aread()
    await transport.aclose()
    return responses


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """OK to every request, on one connection."""
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n{}")
            writer.write(OK)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def test_a_certificate_of_an_extra_authority_is_trusted(
    authority: Authority, our_trust: ssl.SSLContext
) -> None:
    async with tls_server(authority.server_context("localhost"), answer) as port:
        (response,) = await ask(our_trust, port)
    assert response.content == b"ok"


async def test_a_tls_connection_is_reused(authority: Authority, our_trust: ssl.SSLContext) -> None:
    connections = 0

    async def count_and_answer(r: asyncio.StreamReader, w: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await answer(r, w)

    async with tls_server(authority.server_context("localhost"), count_and_answer) as port:
        await ask(our_trust, port, times=3)
    assert connections == 1


async def test_http_1_is_agreed_on_with_a_server_that_would_rather_speak_2(
    authority: Authority, our_trust: ssl.SSLContext
) -> None:
    agreed: list[str | None] = []

    async def note_and_answer(r: asyncio.StreamReader, w: asyncio.StreamWriter) -> None:
        agreed.append(w.get_extra_info("ssl_object").selected_alpn_protocol())
        await answer(r, w)

    async with tls_server(authority.server_context("localhost"), note_and_answer) as port:
        await ask(our_trust, port)
    assert agreed == ["http/1.1"]


@pytest.mark.parametrize(
    ("host", "reason"),
    [("elsewhere.test", "Hostname mismatch"), ("localhost", "unable to get local issuer")],
)
async def test_a_certificate_for_another_host_or_by_a_stranger_is_refused(
    authority: Authority, our_trust: ssl.SSLContext, host: str, reason: str
) -> None:
    trust = our_trust if host != "localhost" else client_context()
    async with tls_server(authority.server_context(host), answer) as port:
        with pytest.raises(httpx.ConnectError) as caught:
            await ask(trust, port)
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    assert reason in caught.value.__cause__.verify_message


async def test_abort_closes_the_providers_tls_socket_at_once(
    authority: Authority, our_trust: ssl.SSLContext
) -> None:
    gone = asyncio.Event()

    async def open_and_wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(OPEN)
        with contextlib.suppress(OSError):  # a TLS socket closed without a goodbye
            await reader.read()
        gone.set()
        writer.close()

    async with tls_server(authority.server_context("localhost"), open_and_wait) as port:
        upstream = Upstream(ProviderTransport(our_trust))
        reply = await upstream.open(Call(f"https://localhost:{port}/", (), b"{}"), 5.0)
        assert await reply.read() == b"hello"
        reply.abort()
        await gone.wait()
        await upstream.aclose()


def test_a_context_verifies_chain_and_name_and_refuses_old_tls() -> None:
    context = client_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.cert_store_stats()["x509_ca"] > 0


def test_certifi_takes_the_place_of_a_system_without_roots(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", lambda *_: None)
    assert client_context().cert_store_stats()["x509_ca"] > 100


def test_an_extra_authority_file_that_is_no_certificate_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(ssl.SSLError):
        client_context(tmp_path / "ca.pem")
