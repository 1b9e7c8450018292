"""When a second attempt may be made beside one that has not spoken yet. Pure."""

from __future__ import annotations

from sidecar.core.target import Hedge
from sidecar.failover.experience import FirstTokens

# The learned percentile after which a first token is late, where the route names no duration.
LATE = 0.95


def late_after(hedge: Hedge, firsts: FirstTokens) -> float | None:
    """After how many seconds the first token is late; None while nobody knows."""
    return firsts.quantile(LATE) if hedge.after_s is None else hedge.after_s
