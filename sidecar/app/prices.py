"""The price book in force; replaced as a whole at a reload."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from sidecar.config import prices as price_rules
from sidecar.config.resolve import Resolved
from sidecar.ledger import price_file
from sidecar.ledger.prices import PriceBook, Quote

log = logging.getLogger(__name__)

# Names of models come from callers: about so many without a price the log is told.
MOST_TOLD = 1_000


def price_book(resolved: Resolved) -> PriceBook:
    """The prices a configuration leads to: its own, ours, the library's. Blocks for one file."""
    path = resolved.config.ledger.path
    folder = Path(path).parent if path else None
    table = price_file.load(folder, price_file.installed_version())
    bases = {name: p.profile.base_url for name, p in resolved.providers.items()}
    return PriceBook(bases, table, price_rules.rules(resolved.config))


async def refreshed(resolved: Resolved, installed: str) -> bool:
    """Make the table of the installed price library, if ours is of another version and there is a
    folder to keep it in. True if there is one now; then `price_book` reads it."""
    path = resolved.config.ledger.path
    if not path:
        return False
    folder = Path(path).parent
    table = await asyncio.to_thread(price_file.load, folder, installed)
    if not price_file.stale(table, installed):
        return False
    try:
        made = await price_file.refresh(folder, installed)
    except OSError as error:
        log.warning("the prices stay those of %s: %s", table.version, error)
        return False
    log.info("prices are those of %s %s now", price_file.LIBRARY, made.version)
    return not price_file.stale(made, installed)


class PriceDesk:
    """Answers from whichever book is in force. A model without a price is told to the log, once."""

    def __init__(self, book: PriceBook) -> None:
        self.book = book
        self._told: set[tuple[str, str]] = set()

    def quote(
        self, provider: str, model: str, wall_ns: int, input_tokens: int = 0, served: str = ""
    ) -> Quote:
        found = self.book.quote(provider, model, wall_ns, input_tokens, served)
        if found.price is None and len(self._told) < MOST_TOLD:
            self._tell(provider, model)
        return found

    def _tell(self, provider: str, model: str) -> None:
        if (provider, model) not in self._told:
            self._told.add((provider, model))
            log.warning(
                "no price is known for %s/%s: its cost is unknown; set `price` for it in "
                "`providers.%s.models`",
                provider,
                model,
                provider,
            )
