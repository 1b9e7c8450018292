from __future__ import annotations

import errno
import socket
import ssl

import httpx
import pytest

from sidecar.upstream.errors import Disconnected, Malformed
from sidecar.upstream.failure import Kind, failure_at_opening, failure_in_body


def caused(exc: BaseException, *causes: BaseException) -> BaseException:
    link = exc
    for cause in causes:
        link.__cause__ = cause
        link = cause
    return exc


@pytest.mark.parametrize(
    ("exc", "opening", "in_body"),
    [
        (httpx.ConnectTimeout(""), Kind.CONNECT_TIMEOUT, Kind.CUT),
        (httpx.PoolTimeout(""), Kind.CONNECT, Kind.CUT),
        (httpx.ConnectError(""), Kind.CONNECT, Kind.CUT),
        (httpx.ProxyError(""), Kind.CONNECT, Kind.CUT),
        (httpx.UnsupportedProtocol(""), Kind.PROTOCOL, Kind.PROTOCOL),
        (httpx.InvalidURL(""), Kind.PROTOCOL, Kind.PROTOCOL),
        (UnicodeEncodeError("ascii", "sk", 0, 1, ""), Kind.PROTOCOL, Kind.PROTOCOL),
        (httpx.LocalProtocolError(""), Kind.PROTOCOL, Kind.PROTOCOL),
        (httpx.DecodingError(""), Kind.PROTOCOL, Kind.PROTOCOL),
        (httpx.WriteError(""), Kind.WRITE, Kind.CUT),
        (httpx.WriteTimeout(""), Kind.WRITE, Kind.CUT),
        (httpx.ReadError(""), Kind.RESET, Kind.CUT),
        (httpx.ReadTimeout(""), Kind.RESET, Kind.CUT),
        (httpx.CloseError(""), Kind.RESET, Kind.CUT),
        (httpx.RemoteProtocolError(""), Kind.RESET, Kind.CUT),
        (httpx.StreamClosed(), Kind.RESET, Kind.CUT),
        (Disconnected(""), Kind.RESET, Kind.CUT),
        (Malformed(""), Kind.PROTOCOL, Kind.PROTOCOL),
        (ConnectionResetError(), Kind.RESET, Kind.CUT),
    ],
)
def test_every_exception_has_one_kind_for_each_phase(
    exc: Exception, opening: Kind, in_body: Kind
) -> None:
    assert failure_at_opening(exc).kind is opening
    assert failure_in_body(exc).kind is in_body


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (ssl.SSLError(1, "x"), Kind.TLS),
        (ssl.SSLCertVerificationError(1, "x"), Kind.TLS),
        (socket.gaierror(-2, "x"), Kind.DNS),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), Kind.CONNECT),
    ],
)
def test_why_a_connection_failed_is_found_behind_the_exception(
    cause: Exception, kind: Kind
) -> None:
    behind = caused(httpx.ConnectError(""), OSError("wrapped by a library"), cause)
    assert failure_at_opening(behind).kind is kind


def test_a_failure_names_the_error_number() -> None:
    refused = caused(httpx.ConnectError(""), OSError(errno.ECONNREFUSED, "x"))
    assert failure_at_opening(refused).detail == "no connection to the provider (ECONNREFUSED)"


def test_a_failure_repeats_nothing_that_an_exception_says() -> None:
    secret = caused(httpx.ReadError("sk-secret"), OSError("sk-secret"), ValueError("sk-secret"))
    assert "sk-secret" not in str(failure_in_body(secret))


def test_a_breach_of_protocol_tells_the_parsers_text() -> None:
    failure = failure_in_body(Malformed("Invalid character in chunk size"))
    assert "Invalid character in chunk size" in failure.detail


def test_causes_that_run_in_a_ring_are_followed_only_so_far() -> None:
    first, second = httpx.ConnectError(""), OSError()
    first.__cause__, second.__cause__ = second, first
    assert failure_at_opening(first).kind is Kind.CONNECT
