"""The price book in force; replaced as a whole at a reload."""

from __future__ import annotations

from pathlib import Path

from sidecar.config import prices as price_rules
from sidecar.config.resolve import Resolved
from sidecar.ledger import price_file
from sidecar.ledger.prices import PriceBook, Quote


def price_book(resolved: Resolved) -> PriceBook:
    """The prices a configuration leads to: its own, ours, the library's. Blocks for one file."""
    path = resolved.config.ledger.path
    folder = Path(path).parent if path else None
    table = price_file.load(folder, price_file.installed_version())
    bases = {name: p.profile.base_url for name, p in resolved.providers.items()}
    return PriceBook(bases, table, price_rules.rules(resolved.config))


class PriceDesk:
    """Answers from whichever book is in force."""

    def __init__(self, book: PriceBook) -> None:
        self.book = book

    def quote(
        self, provider: str, model: str, wall_ns: int, input_tokens: int = 0, served: str = ""
    ) -> Quote:
        return self.book.quote(provider, model, wall_ns, input_tokens, served)
