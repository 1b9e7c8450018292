"""The price book in force; replaced as a whole at a reload."""

from __future__ import annotations

from sidecar.ledger.prices import PriceBook, Quote


class PriceDesk:
    """Answers from whichever book is in force."""

    def __init__(self, book: PriceBook) -> None:
        self.book = book

    def quote(
        self, provider: str, model: str, wall_ns: int, input_tokens: int = 0, served: str = ""
    ) -> Quote:
        return self.book.quote(provider, model, wall_ns, input_tokens, served)
