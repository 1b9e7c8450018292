"""What a request will probably take, learned from what earlier ones took. Pure, no clock.

A reservation that is too large leaves allowance unused, one that is too small lets concurrent
requests run through. So: input from bytes with a factor learned per model, output from the 90th
percentile learned per (model, class, caller), and never more than the caller's max_tokens.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict, deque

import msgspec

from sidecar.limits.bucket import Cost

BYTES_PER_TOKEN = 4.0
"""English prose with common tokenizers; a first guess, replaced by what is learned."""
FIRST_OUTPUT = {"plain": 800, "reasoning": 8000}
"""Output tokens before anything is known; reasoning outputs are about ten times as long."""
QUANTILE = 0.9
REMEMBERED = 100
"""Outputs remembered per (model, class, caller): a 90th percentile needs no more."""
ENOUGH = 10
"""Outputs after which a caller's own percentile is trusted before the model's."""
SMOOTHING = 0.05
"""Weight of one observation in the learned bytes per token."""
MOST_KEYS = 10_000
"""(model, class, caller) triples kept; the least recently used are forgotten."""


class Estimate(msgspec.Struct, frozen=True):
    """`cost` is what to reserve. `output_told`: bounded by the caller, not guessed."""

    cost: Cost
    output_told: bool


class Percentile:
    """The 90th percentile of the last `REMEMBERED` numbers."""

    __slots__ = ("_recent", "_sorted")

    def __init__(self) -> None:
        self._recent: deque[int] = deque()
        self._sorted: list[int] = []

    def __len__(self) -> int:
        return len(self._recent)

    def add(self, value: int) -> None:
        self._recent.append(value)
        insort(self._sorted, value)
        if len(self._recent) > REMEMBERED:
            del self._sorted[bisect_left(self._sorted, self._recent.popleft())]

    def value(self) -> int:
        """The smallest number that nine in ten do not exceed; needs one number at least."""
        return self._sorted[min(int(len(self._sorted) * QUANTILE), len(self._sorted) - 1)]


class Estimator:
    """Learns by `learn`, answers by `estimate`. `klass` is "plain" or "reasoning"."""

    def __init__(self) -> None:
        self._bytes_per_token: OrderedDict[str, float] = OrderedDict()
        self._outputs: OrderedDict[tuple[str, str, str], Percentile] = OrderedDict()

    def input_tokens(self, model: str, input_bytes: int) -> int:
        """Tokens of `input_bytes` UTF-8 bytes of prompt, rounded up, at least 1."""
        factor = self._bytes_per_token.get(model, BYTES_PER_TOKEN)
        return max(int(-(-input_bytes // factor)), 1)

    def output_tokens(self, model: str, klass: str, caller: str) -> int:
        """The percentile of the caller, of all callers of the model, or a first guess."""
        for key in ((model, klass, caller), (model, klass, "")):
            seen = self._outputs.get(key)
            if seen is not None and len(seen) >= ENOUGH:
                return max(seen.value(), 1)
        return FIRST_OUTPUT[klass]

    def estimate(
        self, model: str, klass: str, caller: str, input_bytes: int, max_tokens: int | None = None
    ) -> Estimate:
        """What to reserve. `max_tokens` bounds the output, it does not set it."""
        guess = self.output_tokens(model, klass, caller)
        output = guess if max_tokens is None else min(guess, max_tokens)
        cost = Cost(1, self.input_tokens(model, input_bytes), output)
        return Estimate(cost, max_tokens is not None and max_tokens <= guess)

    def learn(
        self, model: str, klass: str, caller: str, input_bytes: int, actual: Cost, whole: bool
    ) -> None:
        """An attempt ended. Output of one that was cut (`whole` False) says nothing of length."""
        if input_bytes > 0 and actual.input_tokens > 0:
            self._learn_input(model, input_bytes / actual.input_tokens)
        if whole and actual.output_tokens > 0:
            self._seen((model, klass, "")).add(actual.output_tokens)
            if caller:
                self._seen((model, klass, caller)).add(actual.output_tokens)

    def _learn_input(self, model: str, factor: float) -> None:
        known = self._bytes_per_token.get(model, factor)
        self._bytes_per_token[model] = known + SMOOTHING * (factor - known)
        self._bytes_per_token.move_to_end(model)
        if len(self._bytes_per_token) > MOST_KEYS:
            self._bytes_per_token.popitem(last=False)

    def _seen(self, key: tuple[str, str, str]) -> Percentile:
        seen = self._outputs.get(key)
        if seen is None:
            seen = self._outputs[key] = Percentile()
        self._outputs.move_to_end(key)
        if len(self._outputs) > MOST_KEYS:
            self._outputs.popitem(last=False)
        return seen


def fitted(estimate: Estimate, largest: int | None) -> Cost:
    """The estimate, with a guessed output cut so that a bucket of `largest` tokens can hold it.

    A guess must never be the reason to refuse a request for good. What the caller told (the
    prompt, a max_tokens) is not touched: that really cannot fit.
    """
    cost = estimate.cost
    if largest is None or estimate.output_told:
        return cost
    room = max(largest - cost.input_tokens, 1)
    return msgspec.structs.replace(cost, output_tokens=min(cost.output_tokens, room))
