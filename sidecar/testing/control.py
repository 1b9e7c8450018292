"""The provider's back door over HTTP: read log and bill, write scripts, limits and keys.

| request | answer or effect |
|---|---|
| GET /_fake/log?model=&key=&after= | the attempts, all or those that match; `after` is a number |
| GET /_fake/bill | what was charged |
| GET /_fake/faults | the table of faults |
| POST /_fake/reset | forgets log, bill, counters, limits' state and scripts |
| POST /_fake/script {"model", "faults": [...]} | faults for the next attempts on a model |
| POST /_fake/limit {"name", "amount"} | another amount for a limit |
| POST /_fake/key {"alias", "revoked"} | revokes or restores a key |
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from sidecar.core.money import FREE
from sidecar.testing.actions import Action
from sidecar.testing.asked import Incoming
from sidecar.testing.exchange import Exchange, Facts
from sidecar.testing.faults.base import UnknownBehaviour
from sidecar.testing.faults.table import FAULTS
from sidecar.testing.provider import FakeProvider
from sidecar.testing.reading import json_steps

PREFIX = "/_fake/"


class ScriptBody(msgspec.Struct, frozen=True):
    faults: list[str]
    model: str = "*"


class LimitBody(msgspec.Struct, frozen=True):
    name: str
    amount: int


class KeyBody(msgspec.Struct, frozen=True):
    alias: str
    revoked: bool = True


def open_exchange(provider: FakeProvider, incoming: Incoming) -> Exchange:
    """What both shells call: the back door for its paths, the provider for all others."""
    if not incoming.path.startswith(PREFIX):
        return provider.open(incoming)
    facts = Facts(number=0, received_s=0.0, received_wall_ns=0, incoming=incoming)
    steps = _answer(provider, incoming)
    return Exchange(
        facts,
        steps,
        began_at=0.0,
        price=lambda usage: FREE,
        hold=None,
        over=lambda: None,
        moved=lambda: None,
    )


def _answer(provider: FakeProvider, incoming: Incoming) -> Iterator[Action]:
    url = urllib.parse.urlsplit(incoming.path)
    door = DOORS.get((incoming.method, url.path.removeprefix(PREFIX)))
    if door is None:
        return json_steps(404, {"error": "no such door; see sidecar.testing.control"})
    try:
        return json_steps(200, door(provider, dict(urllib.parse.parse_qsl(url.query)), incoming))
    except (msgspec.DecodeError, UnknownBehaviour, KeyError, ValueError) as error:
        return json_steps(400, {"error": str(error)})


Query = dict[str, str]


def _log(provider: FakeProvider, query: Query, incoming: Incoming) -> Any:
    return [
        entry
        for entry in provider.log
        if query.get("model", entry.model) == entry.model
        and query.get("key", entry.key) == entry.key
        and entry.number > int(query.get("after", 0))
    ]


def _bill(provider: FakeProvider, query: Query, incoming: Incoming) -> Any:
    return provider.bill


def _faults(provider: FakeProvider, query: Query, incoming: Incoming) -> Any:
    return [{"name": row.name, "cards": row.cards, "does": row.does} for row in FAULTS]


def _reset(provider: FakeProvider, query: Query, incoming: Incoming) -> Any:
    provider.forget()
    return {}


def _script(provider: FakeProvider, query: Query, incoming: Incoming) -> Any:
    body = msgspec.json.decode(incoming.body, type=ScriptBody)
    provider.tell(body.model, body.faults)
    return {}


def _limit(provider: FakeProvider, query: Query, incoming: Incoming) -> Any:
    body = msgspec.json.decode(incoming.body, type=LimitBody)
    provider.change_limit(body.name, body.amount)
    return {}


def _key(provider: FakeProvider, query: Query, incoming: Incoming) -> Any:
    body = msgspec.json.decode(incoming.body, type=KeyBody)
    (provider.revoke if body.revoked else provider.restore)(body.alias)
    return {}


DOORS: dict[tuple[str, str], Callable[[FakeProvider, Query, Incoming], Any]] = {
    ("GET", "log"): _log,
    ("GET", "bill"): _bill,
    ("GET", "faults"): _faults,
    ("POST", "reset"): _reset,
    ("POST", "script"): _script,
    ("POST", "limit"): _limit,
    ("POST", "key"): _key,
}
