"""Which daemon a command talks to."""

from __future__ import annotations

from collections.abc import Mapping

from headway import Client

from sidecar.cli.serve import file_for

# Where the client looks if nobody says anything.
DEFAULT = "unix:///run/headway/headway.sock"


def target_for(given: str | None, environment: Mapping[str, str]) -> str:
    """The address: as given, HEADWAY_TARGET's, the first one of the usual file, or the default."""
    named = given or environment.get("HEADWAY_TARGET")
    return named or _listening(environment) or DEFAULT


def _listening(environment: Mapping[str, str]) -> str:
    """Where a daemon started here, without options, would listen; "" if that cannot be said."""
    from sidecar.config.load import BadConfig, parse

    path = file_for(None, environment)
    try:
        return parse(path.read_text(encoding="utf-8")).listen[0] if path is not None else ""
    except (OSError, UnicodeDecodeError, BadConfig, IndexError):
        return ""


def client_for(given: str | None, environment: Mapping[str, str]) -> tuple[Client, str]:
    """A client, and the address it will speak to."""
    address = target_for(given, environment)
    return Client(address), address
