"""What a dialect of the fake provider is: a parser, a renderer of streams, a shape of errors."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from sidecar.core.money import Cost
from sidecar.core.usage import Usage
from sidecar.testing.actions import Kind
from sidecar.testing.asked import Asked, Call, Incoming, Plan, Speech


class BadRequest(Exception):
    """The body cannot be read as this dialect; the text says why."""


class Refusal(msgspec.Struct, frozen=True):
    """An HTTP error, before a dialect gives it a shape.

    `kind` is a row of `refusals.KINDS`. `numbers` feed the messages that carry any.
    """

    status: int
    kind: str
    message: str
    headers: tuple[tuple[str, str], ...] = ()
    retry_after_s: float | None = None


class Piece(msgspec.Struct, frozen=True):
    """One event of a stream, framed and ready for the wire."""

    kind: Kind
    data: bytes


class Renderer(Protocol):
    """Makes one stream's events. Each method returns whole events, the last of them the one that
    carries the token; a dialect that hides a text returns none for it.

    `closing` takes stop, length, tool_calls, or a reason that is not the dialect's to understand.
    `usage` None means that it is not told.
    """

    content_type: str

    def opening(self) -> list[bytes]: ...
    def reasoning(self, text: str) -> list[bytes]: ...
    def answer(self, text: str) -> list[bytes]: ...
    def call(self, call: Call, piece: str, first: bool) -> list[bytes]: ...
    def closing(self, finish: str, usage: Usage | None) -> list[Piece]: ...
    def whole(self, speech: Speech, usage: Usage | None) -> bytes: ...
    def comment(self) -> bytes: ...


class Stamp(msgspec.Struct, frozen=True):
    """What makes an answer one of a kind: a number, the Unix time in seconds, and its price."""

    number: int
    created: int
    price: Callable[[Usage], Cost]


class Dialect(msgspec.Struct, frozen=True):
    """One row of the table of dialects.

    `keyless`: a request needs no key. `statuses` are those of kinds of errors that this dialect
    sends with another status than usual.
    """

    name: str
    path: re.Pattern[str]
    parse: Callable[[Incoming, re.Match[str], dict[str, Any]], Asked]
    renderer: Callable[[Asked, Plan, Stamp], Renderer]
    refuse: Callable[[Refusal, str], bytes]
    key_header: str = "authorization"
    keyless: bool = False
    statuses: dict[str, int] = {}


def seal(text: str) -> str:
    """A signature for `text` that nobody else could have made, as far as this provider goes."""
    return "fake-seal-" + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def sse(data: Any, event: str = "") -> bytes:
    """One server-sent event with JSON (or, for bytes, just those) as its data."""
    name = b"event: " + event.encode() + b"\n" if event else b""
    body = data if isinstance(data, bytes) else msgspec.json.encode(data)
    return name + b"data: " + body + b"\n\n"


def texts_of(content: Any) -> str:
    """All text of a message's content, be it a string, a list of parts, or nothing."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "".join(part.get("text") or "" for part in content if isinstance(part, dict))


def told_after(content: Any, kind: str) -> bool:
    """Does a list of parts hold one of this type?"""
    parts = content if isinstance(content, list) else ()
    return any(isinstance(part, dict) and part.get("type") == kind for part in parts)


def arguments_of(text: str) -> Any:
    """Arguments as an object, for dialects that send them whole; empty if they were cut."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return {}


def must_be_list(body: dict[str, Any], field: str) -> list[dict[str, Any]]:
    """The list of objects under `field`. Raises BadRequest if it is something else or empty."""
    value = body.get(field)
    if not isinstance(value, list) or not value or not all(isinstance(x, dict) for x in value):
        raise BadRequest(f"`{field}` must be a list of objects, and not empty")
    return value
