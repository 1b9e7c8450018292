"""Whom we trust. One context serves all providers."""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi


def client_context(extra_ca_file: Path | None = None) -> ssl.SSLContext:
    """A context that verifies chain and host name, TLS 1.2 or later, HTTP/1.1 by ALPN.

    Trusted are the system's roots, which its operator maintains, or certifi's where the system has
    none (a minimal image); `extra_ca_file` (PEM) is trusted besides. Raises OSError or
    `ssl.SSLError` if that file cannot be read or used.
    """
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        context.load_verify_locations(certifi.where())
    if extra_ca_file is not None:
        context.load_verify_locations(extra_ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context
