"""The headers of a call."""

from __future__ import annotations

from sidecar.providers.profiles import Auth, TargetProfile

_SCHEMES: dict[Auth, tuple[str, str]] = {
    "bearer": ("authorization", "Bearer "),
    "x-api-key": ("x-api-key", ""),
    "api-key": ("api-key", ""),
    "x-goog-api-key": ("x-goog-api-key", ""),
    "x-portkey-api-key": ("x-portkey-api-key", ""),
}


def headers(
    target: TargetProfile, key: str, stream: bool, accept: str = "text/event-stream"
) -> tuple[tuple[str, str], ...]:
    """Content type, credential and the profile's own headers. `key` "" sends no credential."""
    found = [
        ("content-type", "application/json"),
        ("accept", accept if stream else "application/json"),
        *target.provider.headers,
    ]
    scheme = _SCHEMES.get(target.provider.auth)
    if key and scheme is not None:
        found.append((scheme[0], scheme[1] + key))
    return tuple(found)
