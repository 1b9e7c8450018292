"""What can be wrong outside providers and routes: addresses, figures, durations, prices."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from sidecar.config import budgets, prices, store
from sidecar.config.durations import seconds
from sidecar.config.load import Problem
from sidecar.config.schema import Config, KeySource

# The kernel's limit for a Unix socket's path is 108 bytes with its end on Linux, 104 on macOS.
LONGEST_SOCKET = 103
# A share a million times another's is none.
LEAST_WEIGHT, MOST_WEIGHT = 0.001, 1000.0
DURATIONS = {
    "server": (
        "default_timeout",
        "drain_grace",
        "replay_keep",
        "replay_linger",
        "recollect_keep",
    ),
    "breaker": ("window", "open", "open_max"),
    "ledger": ("keep",),
    "telemetry": ("interval",),
}
# Figures with the least and the most that makes sense; None: no bound.
FIGURES: dict[str, tuple[tuple[str, float, float | None], ...]] = {
    "server": (
        ("max_message_bytes", 1024, None),
        ("max_streams", 1, None),
        ("max_waiting", 0, None),
        ("recollect_bytes", 0, None),
    ),
    "breaker": (("consecutive", 1, None), ("share", 0.01, 1.0), ("at_least", 1, None)),
    "retry_budget": (("share", 0.0, 1.0), ("at_least_per_s", 0.0, None)),
    "telemetry": (("sample_ratio", 0.0, 1.0),),
}


def problems(config: Config) -> Iterator[Problem]:
    """Everything that is wrong there, each with its path."""
    yield from _listening(config)
    yield from _durations(config)
    yield from _figures(config)
    yield from _places(config)
    yield from _callers(config)
    for index, token in enumerate(config.server.caller_tokens):
        yield from key_source(token, f"server.caller_tokens[{index}]")
    yield from prices.problems(config)
    yield from budgets.problems(config)


def key_source(source: KeySource, path: str) -> Iterator[Problem]:
    """A credential has a name and comes from one place. Its text is never repeated here."""
    if not source.name:
        yield Problem(f"{path}.name", "is empty")
    if bool(source.file) == bool(source.env):
        yield Problem(path, "expected exactly one of file and env")


def _listening(config: Config) -> Iterator[Problem]:
    if not config.listen:
        yield Problem("listen", "names no address")
    for index, address in enumerate(config.listen):
        path = f"listen[{index}]"
        if address in config.listen[:index]:
            yield Problem(path, f"{address} stands twice")
        elif address.startswith("unix:"):
            yield from _socket(address, path)
        elif not is_host_port(address):
            yield Problem(path, f"expected unix:///path or host:port, got {address!r}")
    if config.health and not is_host_port(config.health):
        yield Problem("health", f"expected host:port, got {config.health!r}")
    try:
        mode = int(config.server.socket_mode, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o777:
        yield Problem("server.socket_mode", 'expected permission bits such as "0660"')


def _socket(address: str, path: str) -> Iterator[Problem]:
    place = address.removeprefix("unix:").removeprefix("//")
    if address.startswith("unix://") and not place.startswith("/"):
        yield Problem(path, f"expected unix:///path with three slashes, got {address!r}")
    elif not place:
        yield Problem(path, "expected unix:///path, got no path")
    elif len(place.encode()) > LONGEST_SOCKET:
        yield Problem(path, f"a socket's path has at most {LONGEST_SOCKET} bytes")


def is_host_port(text: str) -> bool:
    """Is `text` like 127.0.0.1:7410, [::1]:7410 or localhost:7410?"""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 1 <= int(port) <= 65_535:
        return False
    if host.startswith("["):
        return host.endswith("]") and _is_address(host[1:-1])
    return bool(host) and ":" not in host and "/" not in host


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _durations(config: Config) -> Iterator[Problem]:
    for section, names in DURATIONS.items():
        for name in names:
            try:
                value = seconds(getattr(getattr(config, section), name))
            except ValueError as error:
                yield Problem(f"{section}.{name}", str(error))
            else:
                # Nothing to wait for is a choice of the server's; a window of nothing is none.
                if value == 0 and section != "server":
                    yield Problem(f"{section}.{name}", "must be longer than nothing")


def _figures(config: Config) -> Iterator[Problem]:
    for section, figures in FIGURES.items():
        for name, least, most in figures:
            value: Any = getattr(getattr(config, section), name)
            if not value >= least or (most is not None and value > most):
                top = f" to {most:g}" if most is not None else " or more"
                yield Problem(f"{section}.{name}", f"expected {least:g}{top}, got {value:g}")


def _places(config: Config) -> Iterator[Problem]:
    yield from store.problems(config.store)
    endpoint = config.telemetry.otlp_endpoint
    if endpoint and not (is_http(endpoint) or endpoint.startswith("unix:")):
        yield Problem("telemetry.otlp_endpoint", "expected an http://, https:// or unix: address")


def _callers(config: Config) -> Iterator[Problem]:
    for name, caller in config.callers.items():
        if not LEAST_WEIGHT <= caller.weight <= MOST_WEIGHT:
            path = f"callers.{name}.weight"
            yield Problem(path, f"expected {LEAST_WEIGHT:g} to {MOST_WEIGHT:g}")


def is_http(address: str) -> bool:
    """Is it a URL over HTTP with a host?"""
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
