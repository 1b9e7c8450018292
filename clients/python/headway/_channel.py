"""Where the daemon is and how to hold a connection to it.

The only file that reads the environment.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

DEFAULT_TARGET: Final = "unix:///run/headway/headway.sock"
_AUTH_HEADER: Final = "headway-token"

ChannelOptions = Sequence[tuple[str, Any]]
Metadata = Mapping[str, str]
Propagate = Callable[[dict[str, str]], None]

_OPTIONS: Final[ChannelOptions] = (
    # Otherwise some servers are told the socket's path as authority, and refuse it.
    ("grpc.default_authority", "localhost"),
    # A model may think for ten minutes without a word. The daemon permits a ping every 5 s.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # The daemon is on this host: nothing is gained by waiting, or by a proxy.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.enable_http_proxy", 0),
    # An answer of `complete` is one message; gRPC's own limit is 4 MiB.
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
)


@dataclass(frozen=True, slots=True)
class Line:
    """What every call of a client has in common."""

    target: str
    options: ChannelOptions
    reconnect_s: float
    metadata: tuple[tuple[str, str], ...]
    propagate: Propagate | None

    def headers(self, extra: Metadata | None) -> tuple[tuple[str, str], ...]:
        """The metadata of one call: the client's, the trace's, and the caller's own, which wins."""
        carrier = dict(self.metadata)
        if self.propagate is not None:
            self.propagate(carrier)
        carrier.update(extra or {})
        return tuple((key.lower(), value) for key, value in carrier.items())


def line(
    target: str | None,
    token: str | None,
    reconnect_s: float,
    metadata: Metadata | None,
    propagate: Propagate | None,
    options: ChannelOptions,
) -> Line:
    """The line to the daemon: by the arguments, else the environment, else the defaults."""
    secret = token or os.environ.get("HEADWAY_TOKEN", "")
    common = {**(metadata or {}), **({_AUTH_HEADER: secret} if secret else {})}
    return Line(
        target=target or os.environ.get("HEADWAY_TARGET") or DEFAULT_TARGET,
        options=(*_OPTIONS, *options),
        reconnect_s=reconnect_s,
        metadata=tuple(common.items()),
        propagate=propagate,
    )


def shorter(one_s: float | None, other_s: float) -> float:
    return other_s if one_s is None else min(one_s, other_s)
