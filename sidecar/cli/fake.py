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
    """Serve until interrupted, or only print what names of models can say. Raises Failed."""
    if listing:
        main(show=True)
        return
    try:
        main(host, port, key, limit, price, model, pace_ms)
    except ValueError as error:
        raise Failed(str(error), code=MISUSED) from None
    except OSError:
        raise Failed(
            f"cannot listen on {host}:{port}: in use, or not an address of this host",
            "choose another --port, or 0 for any that is free",
        ) from None
