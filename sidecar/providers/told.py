"""What response headers tell beside the stream: who to ask about a call, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sidecar.providers.numbers import nano_usd
from sidecar.providers.profiles import ProviderProfile
from sidecar.providers.safe_text import safe

MAX_TRACE_CHARS = 120


class Told(msgspec.Struct, frozen=True):
    """`trace` is the provider's own id of the call, for its support; "" if none came.

    `cost_nano_usd` is the provider's figure, None if none came; in front of a stream it is never
    final, because it was written before the first token.
    """

    trace: str = ""
    cost_nano_usd: int | None = None


def told_by(headers: Mapping[str, str], profile: ProviderProfile) -> Told:
    """Read the headers that `profile` names. Header names are lower case."""
    trace = headers.get(profile.trace_header, "") if profile.trace_header else ""
    cost = headers.get(profile.cost_header, "") if profile.cost_header else ""
    return Told(_printable(trace), nano_usd(cost) if cost else None)


def _printable(text: str) -> str:
    """An id may well look like a key, so it is bounded and cleaned rather than redacted."""
    clean = "".join(char for char in text[:MAX_TRACE_CHARS] if char.isalnum() or char in "-_.:/")
    return clean if clean == text[:MAX_TRACE_CHARS] else safe(text)
