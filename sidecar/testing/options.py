"""A fake provider's configuration from short texts, as they are written on a command line.

Every function raises ValueError with a text that says what was expected.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from typing import get_args

import msgspec

from sidecar.core.money import Price, price_per_million
from sidecar.testing import faults
from sidecar.testing.asked import BASES
from sidecar.testing.config import Key
from sidecar.testing.faults.base import read_window
from sidecar.testing.quotas import Kind, Quota

KEY_FORM = "NAME=SECRET or NAME=SECRET@ACCOUNT"
PRICE_FORM = "MODEL=INPUT/OUTPUT or MODEL=INPUT/OUTPUT/CACHED, in USD for a million tokens"
LIMIT_FORM = (
    "KIND:DIMENSION:AMOUNT/SECONDS[:burst=N][:each=key][:models=A,B][:charge=actual][:name=X], or "
    "concurrency:AMOUNT[...]"
)
_SECRET = re.compile(r"(?P<alias>[^=]+)=(?P<secret>[^@]+)(?:@(?P<account>.+))?")
_AMOUNT = re.compile(r"(?P<amount>\d+)/(?P<seconds>\d+(?:\.\d+)?)s?")


def keys_from(texts: Iterable[str]) -> dict[str, Key]:
    """Keys by their secrets."""
    return dict(_key(text) for text in texts)


def _key(text: str) -> tuple[str, Key]:
    match = _SECRET.fullmatch(text)
    if match is None:
        raise ValueError(f"a key is {KEY_FORM}")
    return match["secret"], Key(match["alias"], match["account"] or "main")


def prices_from(texts: Iterable[str], usual: Price) -> dict[str, Price]:
    """Prices by model; "*" is `usual` unless it is given."""
    return {"*": usual} | dict(_price(text) for text in texts)


def _price(text: str) -> tuple[str, Price]:
    model, equals, amounts = text.rpartition("=")
    try:
        parts = [price_per_million(amount) for amount in amounts.split("/")]
        if not equals or len(parts) not in (2, 3):
            raise ValueError
    except (ValueError, ArithmeticError):
        raise ValueError(f"a price is {PRICE_FORM}, not {text!r}") from None
    return model, Price(parts[0], parts[1], parts[2] if len(parts) == 3 else None)


def aliases_from(texts: Iterable[str]) -> dict[str, str]:
    """Names of models, and the behaviours they stand for."""
    pairs = [text.partition("=") for text in texts]
    wrong = [text for text, equals, behaviour in pairs if not equals or not behaviour]
    if wrong:
        raise ValueError(f"a model is NAME=BEHAVIOUR, not {wrong[0]!r}")
    return {name: behaviour for name, _, behaviour in pairs}


def quotas_from(texts: Iterable[str]) -> tuple[Quota, ...]:
    """Limits; each is named by its place ("limit-1") unless it has a name."""
    return tuple(_quota(place, text) for place, text in enumerate(texts, 1))


def _quota(place: int, text: str) -> Quota:
    kind, *parts = text.split(":")
    plain = [part for part in parts if "=" not in part]
    options = dict(part.split("=", 1) for part in parts if "=" in part)
    fields = {"kind": kind, "name": f"limit-{place}", **_size(kind, plain, text), **_more(options)}
    try:
        return msgspec.convert(fields, Quota, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"a limit is {LIMIT_FORM}: {error} in {text!r}") from None


def _size(kind: str, plain: list[str], text: str) -> dict[str, object]:
    if kind == "concurrency" and len(plain) == 1:
        return {"amount": plain[0]}
    match = _AMOUNT.fullmatch(plain[1]) if len(plain) == 2 else None
    if match is None or kind not in get_args(Kind):
        raise ValueError(f"a limit is {LIMIT_FORM}, not {text!r}")
    return {"dimension": plain[0], "amount": match["amount"], "per_s": match["seconds"]}


def _more(options: dict[str, str]) -> dict[str, object]:
    more: dict[str, object] = dict(options)
    if "each" in options:
        more["scope"] = more.pop("each")
    if "models" in options:
        more["models"] = options["models"].split(",")
    return more


def listing() -> str:
    """All that the name of a model can say, to read in a terminal."""
    head = "A model's name is BASE+FAULT[@WINDOW]+FAULT...[#TAG]."
    rows: list[tuple[str, str, tuple[str, ...]]] = [(name, does, ()) for name, does in BASES]
    rows += [(row.name, row.does, row.cards) for row in faults.FAULTS]
    windows = (read_window.__doc__ or "").partition("\n")[0]
    return "\n".join([head, windows, "", *(_row(*row) for row in rows)])


def _row(name: str, does: str, cards: tuple[str, ...]) -> str:
    text = f"{does} [{' '.join(cards)}]" if cards else does
    lines = textwrap.wrap(text, width=72)
    return "\n".join(f"{name if place == 0 else '':<24}{line}" for place, line in enumerate(lines))
