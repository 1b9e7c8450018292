"""The recordings as values, the ways to cut them, and what a decoder made of them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from sidecar.core.events import Delta
from sidecar.providers.dialect import Decoder, Dialect
from sidecar.providers.profiles import TargetProfile
from sidecar.providers.replay import NAMES, known, shown
from sidecar.providers.table import DIALECTS

ROOT = Path(__file__).parent / "recordings"


class Recording(msgspec.Struct, frozen=True):
    id: str
    dialect: str
    kind: str
    provider: str
    status: int
    headers: dict[str, str]
    body: bytes
    expected: dict[str, Any]

    def decoder(self) -> Decoder:
        return spoken(self).decoder(target_of(self), self.kind == "stream")


def target_of(recording: Recording) -> TargetProfile:
    return known(recording.provider)


def spoken(recording: Recording) -> Dialect:
    return DIALECTS[NAMES[recording.dialect]]


def recordings(*kinds: str) -> list[Recording]:
    """All recordings of these kinds whose dialect is in the table."""
    found = []
    for path in sorted(ROOT.glob("*/*/meta.json")):
        meta = json.loads(path.read_text(encoding="utf-8"))
        if meta["kind"] in kinds and NAMES[meta["dialect"]] in DIALECTS:
            found.append(
                Recording(
                    meta["id"],
                    meta["dialect"],
                    meta["kind"],
                    meta["provider"],
                    meta["status"],
                    meta.get("response_headers") or {},
                    (path.parent / meta["file"]).read_bytes(),
                    meta["expected"],
                )
            )
    return found


def outcome(decoder: Decoder, pieces: list[bytes]) -> dict[str, Any]:
    """Everything a caller could see, however the pieces were cut."""
    deltas: list[Delta] = []
    for piece in pieces:
        deltas += decoder.feed(piece)
    deltas += decoder.end()
    told = shown(decoder, deltas)
    told["report"] = msgspec.to_builtins(decoder.report)
    signed = [d.signature for d in deltas if getattr(d, "signature", "")]
    told["signature"] = signed[-1:]
    return told


def cut_at_random(body: bytes, seed: int) -> list[bytes]:
    rng = random.Random(seed)
    pieces, start = [], 0
    while start < len(body):
        size = rng.choice((1, 2, 3, 7, 50, 400, 3000))
        pieces.append(body[start : start + size])
        start += size
    return pieces


def event_ends(body: bytes, ndjson: bool) -> Iterator[int]:
    """The offset behind each event of a streamed body (its blank line, or its line)."""
    start = 0
    for line in body.splitlines(keepends=True):
        start += len(line)
        if ndjson or not line.strip():
            yield start
