"""One row of the audit, and how its bodies are written."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from sidecar.core.events import Delta
from sidecar.core.failure import Failure
from sidecar.providers.dialect import Decoder
from sidecar.providers.profiles import TargetProfile
from sidecar.providers.replay import known, shown
from sidecar.providers.table import DIALECTS


class Trap(msgspec.Struct, frozen=True):
    """`wanted` names what must be told, by the keys of `told`; what it leaves out is not judged.

    `provider` is the row of the table whose quirks apply. `whole`: one document, not a stream.
    """

    name: str
    body: bytes
    wanted: dict[str, Any]
    provider: str = "generic"
    whole: bool = False

    def profile(self) -> TargetProfile:
        return known(self.provider)


def told(trap: Trap, dialect: str, pieces: list[bytes]) -> dict[str, Any]:
    """What a caller is told of these pieces: texts, calls, finish, usage, failure, late error."""
    decoder = DIALECTS[dialect].decoder(trap.profile(), not trap.whole)
    deltas: list[Delta] = []
    for piece in pieces:
        deltas += decoder.feed(piece)
    deltas += decoder.end()
    return outcome(decoder, deltas)


def outcome(decoder: Decoder, deltas: list[Delta]) -> dict[str, Any]:
    made = shown(decoder, deltas)
    report = decoder.report
    made["failure"] = _named(decoder.failure)
    made["late"] = _named(report.late_error)
    made["calls"] = [(call["name"], call["arguments"]) for call in made["tool_calls"]]
    made["ids"] = [call["id"] for call in made["tool_calls"]]
    made["cost"] = report.cost_nano_usd
    made["written"] = decoder.usage.cache_write_tokens if decoder.usage else None
    made["usage"] = tuple(made["usage"].values()) if "usage" in made else None
    return made


def _named(failure: Failure | None) -> str | None:
    return failure.cause.name.lower() if failure else None


def sse(*documents: Any, name: str = "") -> bytes:
    """Events; bytes stand for themselves."""
    head = f"event: {name}\n".encode() if name else b""
    return b"".join(
        document if isinstance(document, bytes) else head + b"data: " + body(document) + b"\n\n"
        for document in documents
    )


def body(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()
