"""The price library's data as a table: its form, matching, and which price it gives.

The table is made by `sidecar.ledger.extract` and committed as `genai_prices.jsonl`; whoever
installs another version of the library gets a fresh one beside the ledger (`price_file`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from sidecar.core.money import Price

# The version of this form; a table of another form is not read.
FORMAT = 1
# Input, output, cached input, cache write: nano-USD per million tokens; then nano-USD a request.
Rates = tuple[int, int, int | None, int | None, int]
# More than so many input tokens, and the rates then for all tokens of the request.
Tier = tuple[int, Rates]
Clause = list[Any]
NS_PER_S = 1_000_000_000


class Head(msgspec.Struct, frozen=True):
    """The first line."""

    format: int
    version: str


class Bill(msgspec.Struct, frozen=True, omit_defaults=True):
    """A price and its condition: from a UTC date on, or between two UTC seconds of the day.

    `tiers` None: the library has no token price for the model.
    """

    tiers: list[Tier] | None
    since: str | None = None
    hours: tuple[int, int] | None = None


class Model(msgspec.Struct, frozen=True):
    """The names a model goes by, and its bills: the last one that is in force counts."""

    match: Clause
    bills: list[Bill]


class Provider(msgspec.Struct, frozen=True):
    """A provider: how to know it by its base URL or its name, and whose models it sells too."""

    id: str
    url: str
    name: Clause | None
    fallback: list[str]
    models: list[Model]


class Outline(msgspec.Struct, frozen=True):
    """A provider whose models have not been read yet."""

    id: str
    url: str
    name: Clause | None
    fallback: list[str]


class Found(msgspec.Struct, frozen=True):
    """The bills of a model, and the id of the provider in whose list they stand."""

    provider: str
    bills: list[Bill]


_CLAUSES: dict[str, Callable[[str, str], bool]] = {
    "=": lambda text, value: text == value.lower(),
    "^": lambda text, value: text.startswith(value.lower()),
    "$": lambda text, value: text.endswith(value.lower()),
    "*": lambda text, value: value.lower() in text,
    "~": lambda text, value: re.search(value, text) is not None,
}
# What LiteLLM and OpenRouter append to a model's name, and how the library writes it.
_COMPACT_DATE = re.compile(r"-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


def matches(clause: Clause, text: str) -> bool:
    """Whether `text`, in lower case, fits the clause."""
    mark, *parts = clause
    if mark == "|":
        return any(matches(part, text) for part in parts)
    if mark == "&":
        return all(matches(part, text) for part in parts)
    return _CLAUSES[mark](text, parts[0])


class PriceTable:
    """The table. Lines are read when they are asked for; only those in use take memory."""

    def __init__(self, data: bytes) -> None:
        """Raises ValueError if `data` is no table of this form."""
        first, *self._lines = data.splitlines()
        head = msgspec.json.decode(first, type=Head)
        if head.format != FORMAT:
            raise ValueError(f"a price table of form {head.format}, this Headway reads {FORMAT}")
        self.version = head.version
        self._outlines = [msgspec.json.decode(line, type=Outline) for line in self._lines]
        self._models: dict[str, list[Model]] = {}

    def provider_of(self, name: str, base_url: str) -> str:
        """The library's id for a configured provider, "" if it knows none.

        The address decides before the name: a provider called "openai" at another company's
        address is that company.
        """
        if base_url:
            for outline in self._outlines:
                if re.match(outline.url, base_url):
                    return outline.id
        lower = name.lower()
        ids = (outline.id for outline in self._outlines if outline.id == lower)
        named = (o.id for o in self._outlines if o.name is not None and matches(o.name, lower))
        return next(ids, "") or next(named, "")

    def find(self, provider: str, model: str) -> Found | None:
        """The bills of `model` at the provider with that id, or at one whose models it sells."""
        lower = model.lower()
        dashed = _COMPACT_DATE.sub(r"-\1-\2-\3", lower)
        for text in dict.fromkeys((lower, dashed)):
            for seller in (provider, *self._fallback(provider)):
                for known in self._models_of(seller):
                    if matches(known.match, text):
                        return Found(seller, known.bills)
        return None

    def _fallback(self, provider: str) -> Iterable[str]:
        return next((o.fallback for o in self._outlines if o.id == provider), ())

    def _models_of(self, provider: str) -> list[Model]:
        if provider not in self._models:
            self._models[provider] = next(
                (
                    msgspec.json.decode(line, type=Provider).models
                    for line, outline in zip(self._lines, self._outlines, strict=True)
                    if outline.id == provider
                ),
                [],
            )
        return self._models[provider]


def bill_at(bills: list[Bill], wall_ns: int) -> Bill:
    """The bill in force: the last whose condition holds, else the first."""
    moment = datetime.fromtimestamp(wall_ns // NS_PER_S, UTC)
    return next((bill for bill in reversed(bills) if _active(bill, moment)), bills[0])


def tier_at(tiers: list[Tier], input_tokens: int) -> Tier:
    """The highest tier that the input is over."""
    return next(tier for tier in reversed(tiers) if input_tokens > tier[0] or tier[0] == 0)


def price_of(rates: Rates) -> Price:
    """The rates under their names."""
    inp, out, cached, written, request = rates
    return Price(inp, out, cached, written, request)


def _active(bill: Bill, moment: datetime) -> bool:
    if bill.since is not None:
        return moment.date().isoformat() >= bill.since
    if bill.hours is None:
        return True
    start, end = bill.hours
    second = moment.hour * 3600 + moment.minute * 60 + moment.second
    inside = start <= second < end
    return inside if start <= end else second >= start or second < end
