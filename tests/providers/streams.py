"""Small bodies for tests of one dialect."""

from __future__ import annotations

import json
from typing import Any

from sidecar.core.events import Delta
from sidecar.core.request import Prefix
from sidecar.providers.dialect import Decoder
from sidecar.providers.profiles import ProviderProfile, target
from sidecar.providers.table import DIALECTS


def event(document: Any, name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(document)}\n\n".encode()


def decoded(
    dialect: str, *pieces: bytes, stream: bool = True, prefix: Prefix | None = None
) -> tuple[Decoder, list[Delta]]:
    profile = target(ProviderProfile("x", dialect, ""), "m")
    decoder = DIALECTS[dialect].decoder(profile, stream, "", prefix)
    deltas = [delta for piece in pieces for delta in decoder.feed(piece)]
    return decoder, deltas + decoder.end()
