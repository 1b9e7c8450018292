"""Limits as written, made definite: which bucket a request of a model and class takes from."""

from __future__ import annotations

from fnmatch import fnmatchcase

import msgspec

from sidecar.config.durations import seconds
from sidecar.config.schema import Limit
from sidecar.limits.bucket import Bucket, Dimension, window_safe

COUNTS = {
    "requests": Dimension.REQUESTS,
    "tokens": Dimension.TOKENS,
    "input_tokens": Dimension.INPUT_TOKENS,
    "output_tokens": Dimension.OUTPUT_TOKENS,
    "concurrency": Dimension.CONCURRENCY,
}


class ResolvedLimit(msgspec.Struct, frozen=True):
    """One limit: what it counts, how much, for whom. `cls` is "", "reasoning" or "plain".

    `written` is the amount in the file; a `safe` limit was made smaller, so that no window sees
    more than that.
    """

    dimension: Dimension
    limit: int
    per_s: float
    burst: int
    per_text: str
    each_key: bool
    models: tuple[str, ...]
    cls: str
    written: int = 0
    safe: bool = False

    def applies(self, model: str, reasoning: bool) -> bool:
        """Does a request for `model` take from it?"""
        if self.cls and (self.cls == "reasoning") != reasoning:
            return False
        return not self.models or any(fnmatchcase(model, pattern) for pattern in self.models)

    def bucket(self, provider: str, account: str, key: str) -> Bucket:
        """Its bucket for one key of an account; the same for all keys unless `each: key`."""
        what = self.dimension.value
        if self.dimension is not Dimension.CONCURRENCY:
            what += f"@{self.per_text}"
        names = [provider, account, "+".join(self.models) or "*", what]
        names += [self.cls] if self.cls else []
        names += [key] if self.each_key else []
        return Bucket(
            id="/".join(names),
            pool=provider,
            dimension=self.dimension,
            limit=self.limit,
            per_s=self.per_s,
            burst=self.burst,
        )


def resolved_limit(raw: Limit) -> ResolvedLimit:
    """`raw` made definite. Raises ValueError, saying what was expected."""
    given = [name for name in COUNTS if getattr(raw, name) is not None]
    if len(given) != 1:
        raise ValueError(f"expected exactly one of {', '.join(COUNTS)}")
    dimension, count = COUNTS[given[0]], getattr(raw, given[0])
    if count < 1:
        raise ValueError(f"{given[0]} must be positive")
    if dimension is Dimension.CONCURRENCY:
        if raw.burst is not None:
            raise ValueError("concurrency has no burst")
        return _made(raw, dimension, count, 1.0, 0)
    try:
        per_s = seconds(raw.per)
    except ValueError as error:
        raise ValueError(f"per: {error}") from None
    if per_s <= 0:
        raise ValueError("per must be positive")
    burst = count if raw.burst is None else raw.burst
    if burst < 1:
        raise ValueError("burst must be positive")
    if raw.mode == "window_safe":
        count, per_s, burst = window_safe(count, per_s, raw.burst)
    return _made(raw, dimension, count, per_s, burst)


def _made(raw: Limit, dimension: Dimension, count: int, per_s: float, burst: int) -> ResolvedLimit:
    return ResolvedLimit(
        dimension=dimension,
        limit=count,
        per_s=per_s,
        burst=burst,
        per_text=str(raw.per),
        each_key=raw.each == "key",
        models=raw.models,
        cls=raw.cls,
        written=next(n for name in COUNTS if (n := getattr(raw, name)) is not None),
        safe=raw.mode == "window_safe" and dimension is not Dimension.CONCURRENCY,
    )
