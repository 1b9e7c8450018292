"""From the bytes of a request to what it asks, and from a refusal back to bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from sidecar.testing.actions import Action, Finish, Head, Send
from sidecar.testing.asked import Asked, Incoming
from sidecar.testing.dialects import DIALECTS
from sidecar.testing.dialects.base import BadRequest, Dialect, Refusal
from sidecar.testing.exchange import Facts
from sidecar.testing.refusals import KINDS


def dialect_of(path: str) -> Dialect | None:
    """The dialect that is spoken at `path`; None if it is no endpoint of any."""
    bare = _bare(path)
    return next((dialect for dialect in DIALECTS if dialect.path.fullmatch(bare)), None)


def read(facts: Facts, dialect: Dialect) -> Asked:
    """Read the body, and note in `facts` what it says. Raises BadRequest."""
    match = dialect.path.fullmatch(_bare(facts.incoming.path))
    assert match is not None
    try:
        body = msgspec.json.decode(facts.incoming.body)
    except msgspec.DecodeError as error:
        raise BadRequest(f"the body is no JSON: {error}") from None
    if not isinstance(body, dict):
        raise BadRequest("the body must be an object")
    facts.body = body
    asked = _parsed(facts.incoming, match, body, dialect)
    facts.flavour, facts.model, facts.stream = asked.flavour, asked.model, asked.stream
    facts.prefix = asked.prefix
    return asked


def _parsed(
    incoming: Incoming, match: re.Match[str], body: dict[str, Any], dialect: Dialect
) -> Asked:
    """What the dialect makes of the body. Fields of a wrong type are the client's fault."""
    try:
        fields = msgspec.structs.asdict(dialect.parse(incoming, match, body))
        asked = msgspec.convert(fields, Asked)
    except (AttributeError, TypeError, msgspec.ValidationError) as error:
        raise BadRequest(f"a field has a wrong type: {error}") from None
    if asked.max_tokens is not None and asked.max_tokens < 1:
        raise BadRequest("the maximum of tokens must be at least 1")
    return asked


def secret_in(incoming: Incoming, dialect: Dialect) -> str:
    """The key that a request carries, "" if none: bearer token, or the dialect's own header."""
    bearer = incoming.headers.get("authorization", "").removeprefix("Bearer ").strip()
    has_own = dialect.key_header != "authorization"
    return bearer or (incoming.headers.get(dialect.key_header, "") if has_own else "")


def refusal(kind: str, message: str = "", status: int = 0) -> Refusal:
    """A refusal with the usual message and status of its kind, unless others are given."""
    row = KINDS[kind]
    return Refusal(status or row.status, kind, message or row.message)


def error_steps(dialect: Dialect, flavour: str, refused: Refusal) -> Iterator[Action]:
    """An HTTP error in the dialect's words."""
    status = dialect.statuses.get(refused.kind, refused.status)
    return _answer(status, dialect.refuse(refused, flavour), refused.headers)


def json_steps(status: int, value: object) -> Iterator[Action]:
    """Any other JSON answer."""
    return _answer(status, msgspec.json.encode(value), ())


def _answer(status: int, body: bytes, headers: tuple[tuple[str, str], ...]) -> Iterator[Action]:
    length = ("content-length", str(len(body)))
    yield Head(status, (("content-type", "application/json"), length, *headers))
    yield Send(body)
    yield Finish()


def _bare(path: str) -> str:
    return path.partition("?")[0]
