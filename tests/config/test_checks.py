"""What can be wrong outside providers and routes."""

from __future__ import annotations

import pytest

from sidecar.config.checks import is_host_port, is_http
from tests.config.making import problems, with_provider

NO_PROVIDER = "providers"


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("listen: []", "listen", "names no address"),
        ("listen: [unix://run/x]", "listen[0]", "expected unix:///path with three slashes"),
        ("listen: ['unix:']", "listen[0]", "expected unix:///path, got no path"),
        ("listen: ['unix:///" + "x" * 200 + "']", "listen[0]", "a socket's path has at most 103"),
        ("listen: [localhost]", "listen[0]", "expected unix:///path or host:port"),
        ("listen: ['h:1', 'h:70000']", "listen[1]", "expected unix:///path or host:port"),
        ("listen: ['h:1', 'h:1']", "listen[1]", "h:1 stands twice"),
        ("health: ':'", "health", "expected host:port"),
        ("server: {socket_mode: rw}", "server.socket_mode", "expected permission bits"),
        ("server: {socket_mode: '1777'}", "server.socket_mode", "expected permission bits"),
        ("server: {max_streams: 0}", "server.max_streams", "expected 1 or more, got 0"),
        ("server: {max_waiting: -1}", "server.max_waiting", "expected 0 or more"),
        ("server: {drain_grace: soon}", "server.drain_grace", "expected a duration"),
        ("server: {default_timeout: -1}", "server.default_timeout", "must not be negative"),
        ("server: {replay_keep: x}", "server.replay_keep", "expected a duration"),
        ("server: {recollect_keep: x}", "server.recollect_keep", "expected a duration"),
        ("server: {recollect_bytes: -1}", "server.recollect_bytes", "expected 0 or more"),
        ("server: {caller_tokens: [{name: t}]}", "server.caller_tokens[0]", "expected exactly one"),
        (
            "server: {caller_tokens: [{name: '', env: T}]}",
            "server.caller_tokens[0].name",
            "is empty",
        ),
        ("breaker: {share: 0}", "breaker.share", "expected 0.01 to 1"),
        ("breaker: {share: .nan}", "breaker.share", "expected 0.01 to 1"),
        ("breaker: {consecutive: 0}", "breaker.consecutive", "expected 1 or more"),
        ("breaker: {open: 0s}", "breaker.open", "must be longer than nothing"),
        ("ledger: {keep: forever}", "ledger.keep", "expected a duration"),
        ("telemetry: {sample_ratio: 2}", "telemetry.sample_ratio", "expected 0 to 1, got 2"),
        ("telemetry: {interval: 0}", "telemetry.interval", "must be longer than nothing"),
        ("telemetry: {otlp_endpoint: collector}", "telemetry.otlp_endpoint", "expected an http://"),
        ("store: mongodb://x", "store.url", "expected memory, redis://host:port/db"),
        ("callers: {search: {weight: 0}}", "callers.search.weight", "expected 0.001 to 1000"),
    ],
)
def test_what_cannot_be_meant_is_told_at_its_path(text: str, path: str, message: str) -> None:
    assert problems(text)[path].startswith(message)


def test_a_configuration_without_providers_is_refused() -> None:
    assert problems("") == {
        NO_PROVIDER: "there is none; name at least one with an account and a key"
    }


@pytest.mark.parametrize(
    "text",
    [
        "listen: [unix:relative.sock]",
        "listen: ['[::1]:7410', 'localhost:7411']",
        "server: {max_waiting: 0, drain_grace: 0s}",
        "telemetry: {otlp_endpoint: 'unix:///run/otel.sock'}",
        "store: redis://localhost:6379/0",
    ],
)
def test_what_is_unusual_but_right_is_taken(text: str) -> None:
    assert problems(f"{text}\n{with_provider('accounts: {}')}") == {}


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("127.0.0.1:1", True),
        ("[::]:65535", True),
        ("host.name:80", True),
        ("::1:80", False),
        ("[nonsense]:80", False),
        ("host:0", False),
        ("host:-1", False),
        (":80", False),
        ("http://host:80", False),
    ],
)
def test_host_and_port_are_told_from_what_is_none(text: str, good: bool) -> None:
    assert is_host_port(text) == good


@pytest.mark.parametrize(
    ("text", "good"),
    [("http://h", True), ("https://h:8/v1", True), ("http://", False), ("ftp://h", False),
     ("http://h:99999", False), ("http://[::1", False), ("h", False)],
)  # fmt: skip
def test_an_http_address_has_a_host(text: str, good: bool) -> None:
    assert is_http(text) == good
