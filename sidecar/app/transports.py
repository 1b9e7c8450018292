"""How bytes get to a provider: the fast transport, or httpx's own where a proxy is asked for."""

from __future__ import annotations

from pathlib import Path

import httpx

from sidecar.config.resolve import ResolvedProvider
from sidecar.upstream.tls import client_context
from sidecar.upstream.transport import ProviderTransport


class Stock:
    """Makes the transport of a provider; a TLS context is built on first need (10 ms, 1 MB)."""

    def __call__(self, provider: ResolvedProvider) -> httpx.AsyncBaseTransport:
        trust = client_context(Path(provider.ca_file) if provider.ca_file else None)
        if provider.proxy:
            return httpx.AsyncHTTPTransport(verify=trust, proxy=provider.proxy)
        return ProviderTransport(trust)
