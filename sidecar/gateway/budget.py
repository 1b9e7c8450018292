"""The caller's own bound on what a request may cost, over all its attempts."""

from __future__ import annotations

from sidecar.core.failure import Reason, RequestFailed
from sidecar.core.money import Price, cost_of
from sidecar.core.usage import Usage
from sidecar.failover.session import Session


class Budget:
    """Watches one attempt of a request that has a bound.

    Counted as the ledger counts before the provider has told: the prompt by estimate, the output by
    its pieces. A model without a price cannot be watched, and is refused before it is asked.
    """

    __slots__ = ("_input_tokens", "_most", "_price", "_session")

    def __init__(
        self, session: Session, price: Price | None, input_tokens: int, most_nano_usd: int
    ) -> None:
        self._session = session
        self._price = price
        self._input_tokens = input_tokens
        self._most = most_nano_usd

    def check(self, reasoning: int, answer: int) -> None:
        """So many tokens of this attempt are bought. Raises RequestFailed when that is too much."""
        spent = self.spent(reasoning, answer)
        if spent is None:
            raise self._refusal("the price of the model is not known, so the bound cannot be kept")
        if spent > self._most:
            raise self._refusal(f"{spent} nano-USD are reached")

    def spent(self, reasoning: int, answer: int) -> int | None:
        """Nano-dollars of this attempt and all before it; None where there is no price."""
        if self._price is None:
            return None
        usage = Usage(self._input_tokens, output_tokens=reasoning + answer)
        before = self._session.cost.total_nano_usd
        return before + cost_of(usage, self._price).total_nano_usd

    def _refusal(self, why: str) -> RequestFailed:
        session = self._session
        return RequestFailed(
            Reason.BUDGET_EXHAUSTED,
            f"max_cost_nano_usd is {self._most}: {why}; raise it or ask for less",
            metadata={
                "max_cost_nano_usd": str(self._most),
                "last_sequence": str(session.sequence),
                "attempts": str(len(session.attempts)),
            },
        )
