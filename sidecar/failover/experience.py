"""What requests leave behind for those that come after them, target by target. Pure."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict, deque
from collections.abc import Iterator

from sidecar.failover.retries import RetryBudget, RetryLimits

# First tokens remembered of a target; a 95th percentile needs no more.
REMEMBERED = 100
# From so many on they say something.
ENOUGH = 20
# Targets kept; callers may name any model of a provider. The least recently asked are forgotten.
MOST_TARGETS = 1000


class FirstTokens:
    """How long a target took to its first token, seconds, over its last answers."""

    __slots__ = ("_recent", "_sorted")

    def __init__(self) -> None:
        self._recent: deque[float] = deque()
        self._sorted: list[float] = []

    def saw(self, took_s: float) -> None:
        self._recent.append(took_s)
        insort(self._sorted, took_s)
        if len(self._recent) > REMEMBERED:
            del self._sorted[bisect_left(self._sorted, self._recent.popleft())]

    def quantile(self, share: float) -> float | None:
        """What that share of them did not exceed; None while too few are known."""
        if len(self._sorted) < ENOUGH:
            return None
        return self._sorted[min(int(len(self._sorted) * share), len(self._sorted) - 1)]


# Unused hedges kept for a bad minute; with the usual twentieth, those of two hundred requests.
MOST_SAVED = 10.0


class HedgeShare:
    """At most a share of a route's requests is hedged: each request adds its part of one."""

    __slots__ = ("_credit",)

    def __init__(self) -> None:
        self._credit = 0.0

    def asked(self, share: float) -> None:
        """One more request, of which that share may be hedged."""
        self._credit = min(self._credit + share, MOST_SAVED)

    def take(self) -> bool:
        """May this one be hedged? If so, that is counted."""
        # Twenty times a twentieth are one, whatever floats make of it.
        if self._credit < 1.0 - 1e-9:
            return False
        self._credit -= 1.0
        return True


class Past:
    """Of one target."""

    __slots__ = ("firsts", "retries")

    def __init__(self, limits: RetryLimits) -> None:
        self.retries = RetryBudget(limits)
        self.firsts = FirstTokens()


class Experience:
    """Of all targets."""

    def __init__(self, limits: RetryLimits | None = None) -> None:
        self._limits = limits or RetryLimits()
        self._pasts: OrderedDict[str, Past] = OrderedDict()
        self._hedges: dict[str, HedgeShare] = {}

    def configure(self, limits: RetryLimits) -> None:
        """The limits of a new configuration; counts begin anew where they have changed."""
        if limits == self._limits:
            return
        self._limits = limits
        for past in self._pasts.values():
            past.retries = RetryBudget(limits)

    def of(self, target: str) -> Past:
        """Of the target of that name."""
        past = self._pasts.get(target)
        if past is None:
            past = self._pasts[target] = Past(self._limits)
            if len(self._pasts) > MOST_TARGETS:
                self._pasts.popitem(last=False)
        self._pasts.move_to_end(target)
        return past

    def hedges(self, route: str) -> HedgeShare:
        """What is left of the share of that route, which the configuration names."""
        return self._hedges.setdefault(route, HedgeShare())

    def retries_left(self, now: float) -> Iterator[tuple[str, float]]:
        """Every target and how many retries it may be asked for now, for people."""
        for name, past in self._pasts.items():
            yield name, past.retries.left(now)
