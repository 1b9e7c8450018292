from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import uvloop

from sidecar.upstream.http import Upstream
from sidecar.upstream.limits import WireLimits
from sidecar.upstream.tls import client_context
from sidecar.upstream.transport import ProviderTransport

from .certificates import Authority, make_authority
from .peers import Server

SMALL = WireLimits(head_bytes=4096, headers=20, high_water_bytes=64 * 1024)


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def trust() -> ssl.SSLContext:
    return client_context()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(Path(tmp_path_factory.mktemp("ca")))


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
async def transport(trust: ssl.SSLContext) -> AsyncIterator[ProviderTransport]:
    transport = ProviderTransport(trust, SMALL)
    yield transport
    await transport.aclose()


@pytest.fixture
async def upstream(trust: ssl.SSLContext) -> AsyncIterator[Upstream]:
    upstream = Upstream(ProviderTransport(trust, SMALL))
    yield upstream
    await upstream.aclose()
