"""`headway fake-provider`."""

from __future__ import annotations

from sidecar.cli.ending import MISUSED, Failed
from sidecar.testing.running import main


def run(
    host: str,
    port: int,
    key: list[str] | None,
    limit: list[str] | None,
    price: list[str] | None,
    model: list[str] | None,
    pace_ms: float,
    listing: bool,
) -> None:
    """Serve until interrupted. Raises Failed."""
    try:
        main(host, port, key, limit, price, model, pace_ms, show=listing)
    except ValueError as error:
        raise Failed(str(error), code=MISUSED) from None
    except OSError as error:
        raise Failed(
            f"cannot listen on {host}:{port}: {error.strerror}", "choose another --port"
        ) from None
