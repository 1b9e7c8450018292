"""The numbers of all buckets, and the one decision over them. The Lua scripts' Python twin.

Pure and synchronous; every time is microseconds on the store's own clock, `now_us` comes last.
What is decided here, `take.lua` and `settle.lua` decide with the same operations in the same
order; a test holds the two equal over 100,000 random steps. Change them together.

A take at `leave` sets TAT = max(TAT, leave) + cost, and is allowed from TAT + cost - burst.
Charging at the moment of leaving, not of asking, is what keeps burst + rate x window true for a
request that another bucket holds back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from sidecar.core.request import Priority
from sidecar.limits.backlog import Backlog
from sidecar.limits.bucket import US, Bucket, Cost, Dimension
from sidecar.limits.leases import Leases, SeatLimit, guaranteed, usable
from sidecar.limits.store import BucketState, Observation, Take

SEAT_POLL_US = 50_000.0
"""When to ask again for a seat, where nobody can know: the store refines it by what it saw."""
LEARNED_US = 600_000_000.0
"""How long a limit from a header holds without being heard again."""
COVER_HORIZON_US = 1_000_000.0
"""A class under its guarantee reserves as far ahead as anybody, or it would never get in."""

DIMENSIONS = tuple(Dimension)
INDEX = {dimension: at for at, dimension in enumerate(DIMENSIONS)}
CONCURRENCY = INDEX[Dimension.CONCURRENCY]


class Class(msgspec.Struct, frozen=True):
    """A priority's place: it leaves `reserve` of every burst to others, but owns `guarantee` of
    every rate, within which the reserve does not hold it back."""

    name: str
    reserve: float = 0.0
    guarantee: float = 0.0


CLASSES: Mapping[Priority, Class] = {
    Priority.INTERACTIVE: Class("interactive"),
    Priority.NORMAL: Class("normal"),
    # Stripe keeps 20 % for critical calls; limits 3.3 says 0.3 for batch, 5-10 % of its own.
    Priority.BATCH: Class("batch", reserve=0.3, guarantee=0.1),
}


class Ask(msgspec.Struct, frozen=True, gc=False):
    """One request for a decision. `lease` is the reservation's id."""

    amounts: tuple[int, ...]
    klass: Class
    horizon_us: float
    lease_us: float
    lease: str
    round_robin: bool = False


class State:
    """One bucket's numbers. `unit` is microseconds per unit, `room` the burst in microseconds,
    `left` the latest moment at which something taken leaves."""

    __slots__ = (
        "backlog", "bucket", "burst", "cover", "cover_tat", "dim", "learned", "leases", "left",
        "limit", "review", "room", "seats", "tat", "unit", "until",
    )  # fmt: skip

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self.dim = INDEX[bucket.dimension]
        self.tat = self.until = self.cover_tat = self.unit = self.left = 0.0
        self.learned, self.review = bucket.limit, math.inf
        self.backlog = Backlog()
        self.leases, self.cover = Leases(), Leases()
        self.seats = SeatLimit(bucket.limit)
        self._derive(0.0)

    def configure(self, bucket: Bucket, now: float) -> None:
        """Take a new definition; what is used and what was learned stay."""
        self.bucket = bucket
        self.seats.configure(bucket.limit)
        if self.review == math.inf:
            self.learned = bucket.limit
        self._derive(now)

    def learn(self, limit: int, now: float) -> None:
        self.learned, self.review = max(limit, 1), now + LEARNED_US
        self._derive(now)

    def fresh(self, now: float) -> None:
        """Forget a learned limit that was not heard again."""
        if now >= self.review:
            self.learned, self.review = self.bucket.limit, math.inf
            self._derive(now)

    def _derive(self, now: float) -> None:
        """The rate in force. What is used keeps its number of units: a slower bucket that kept
        its level in time instead would let part of its burst pass twice. Counted at the last leave
        that is promised: before it, the level also holds time in which nothing leaves."""
        bucket, before = self.bucket, self.unit
        self.limit = min(bucket.limit, self.learned)
        self.burst = bucket.burst if self.limit == bucket.limit else min(bucket.burst, self.limit)
        self.unit = bucket.per_s * US / self.limit
        self.room = self.burst * self.unit
        since = self.left if self.left > now else now
        if self.tat > since and self.unit != before:
            factor = self.unit / before
            self.tat = since + (self.tat - since) * factor
            self.backlog.scale(factor)


class Reach(msgspec.Struct, frozen=True, gc=False):
    """From when one candidate could leave, what is in its way, and whether a guarantee let it."""

    leave: float
    blocker: State | None = None
    full: bool = False
    covered: bool = False


class Chosen(msgspec.Struct, frozen=True, gc=False):
    index: int
    leave: float
    share: float
    takes: tuple[Take, ...]


class Waits(msgspec.Struct, frozen=True, gc=False):
    leave: float
    blocker: Bucket | None
    full: bool


def amounts_of(cost: Cost) -> tuple[int, ...]:
    """Units of each dimension, in the order of `DIMENSIONS`."""
    total = cost.input_tokens + cost.output_tokens
    return (cost.requests, total, cost.input_tokens, cost.output_tokens, 1)


def reach(states: Sequence[State], ready: float, ask: Ask, now: float) -> Reach:
    """When a request could leave by all of `states`; math.inf if one can never hold it.

    What was learned and has expired must be forgotten before (`State.fresh`). A bucket that is
    full (`tat` past) holds whatever is not more than its burst.
    """
    leave = ready if ready > now else now
    blocker, full, covered = None, False, False
    amounts, reserve, guarantee = ask.amounts, ask.klass.reserve, ask.klass.guarantee
    for state in states:
        at, amount = state.until, amounts[state.dim]
        if state.dim == CONCURRENCY:
            seat_at = _seat_at(state, ask.klass, now)
            full = full or seat_at > now
            at = seat_at if seat_at > at else at
        elif amount > state.burst:
            return Reach(math.inf, state)
        elif amount and state.tat > now:
            need = amount * state.unit
            open_at = state.tat + need - state.room
            at = open_at if open_at > at else at
            if reserve > 0.0:
                held = state.tat + need - max(state.room * (1.0 - reserve), need)
                if held > at and held > leave:
                    at, covered = _cover(state, amount, at, held, guarantee, covered)
        if at > leave:
            leave, blocker = at, state
    return Reach(leave, blocker, full, covered)


def _cover(
    state: State, amount: int, at: float, held: float, guarantee: float, covered: bool
) -> tuple[float, bool]:
    """The earlier of: waiting for the reserve, or going on the class's own guarantee."""
    if guarantee <= 0.0:
        return held, covered
    unit = state.unit / guarantee
    own = state.cover_tat + amount * unit - max(state.burst * guarantee, amount) * unit
    open_at = own if own > at else at
    return (open_at, True) if open_at < held else (held, covered)


def _seat_at(state: State, klass: Class, now: float) -> float:
    used, limit = state.leases.used(now), state.seats.limit
    if used < (usable(limit, klass.reserve) if klass.reserve else limit):
        return now
    owned = klass.guarantee > 0.0 and state.cover.used(now) < guaranteed(limit, klass.guarantee)
    return now if owned and used < limit else now + SEAT_POLL_US


def certain_at(states: Sequence[State], ready: float, ask: Ask, now: float) -> float:
    """Nobody can leave before this: what `reach` says, but for the seats, which may come free any
    moment."""
    rates = [state for state in states if state.dim != CONCURRENCY]
    told = [state.until for state in states if state.dim == CONCURRENCY]
    return reach(rates, max([ready, *told]), ask, now).leave


def is_guess(blocker: Bucket, full: bool, leave: float, now: float) -> bool:
    """Is `leave` only when to ask for a seat again, and nothing that anybody knows?"""
    seats = full and blocker.dimension is Dimension.CONCURRENCY
    return seats and leave - now <= SEAT_POLL_US + 1.0


def share_of(states: Sequence[State], now: float) -> float:
    """The free share of the tightest bucket, 0 to 1."""
    least = 1.0
    for state in states:
        if state.dim == CONCURRENCY:
            free = (state.seats.limit - state.leases.used(now)) / state.seats.limit
        else:
            backlog = state.tat - now
            free = (state.room - backlog) / state.room if backlog > 0.0 else 1.0
        if free < least:
            least = free
    return least if least > 0.0 else 0.0


def decide(
    candidates: Sequence[tuple[Sequence[State], float]], ask: Ask, now: float
) -> Chosen | Waits:
    """All buckets of one candidate, or none. Ties go to the one listed first."""
    reaches = [reach(states, ready, ask, now) for states, ready in candidates]
    index, share = _best(candidates, reaches, ask, now)
    best = reaches[index]
    horizon = max(ask.horizon_us, COVER_HORIZON_US) if best.covered else ask.horizon_us
    if best.full or best.leave > now + horizon:
        soonest = min(reaches, key=lambda one: one.leave)
        in_way = None if soonest.blocker is None else soonest.blocker.bucket
        return Waits(soonest.leave, in_way, soonest.full)
    takes = tuple([_commit(state, best.leave, ask, now) for state in candidates[index][0]])
    return Chosen(index, best.leave, share, takes)


def _best(
    candidates: Sequence[tuple[Sequence[State], float]],
    reaches: Sequence[Reach],
    ask: Ask,
    now: float,
) -> tuple[int, float]:
    """Free seats first, then the least wait, then the largest free share (not in round robin).

    Also answers the share, which is not asked of anybody who cannot win any more.
    """
    if len(reaches) == 1:
        return 0, share_of(candidates[0][0], now)
    soonest = min([(one.full, one.leave) for one in reaches])
    index, share = -1, -1.0
    for at, one in enumerate(reaches):
        if one.leave == soonest[1] and one.full is soonest[0]:
            found = share_of(candidates[at][0], now)
            if found > share:
                index, share = at, found
            if share >= 1.0 or ask.round_robin:
                break
    return index, share


def _commit(state: State, leave: float, ask: Ask, now: float) -> Take:
    amount = ask.amounts[state.dim]
    if state.dim == CONCURRENCY:
        return _sit(state, leave, ask, now)
    if not amount:
        return Take(state.bucket, 0)
    need = amount * state.unit
    covered = ask.klass.guarantee > 0.0 and _charge_cover(state, amount, leave, ask.klass)
    before = state.tat - leave
    seq = state.backlog.push(before if before > 0.0 else 0.0)
    state.tat = (state.tat if before > 0.0 else leave) + need
    state.left = leave if leave > state.left else state.left
    return Take(state.bucket, amount, seq, covered)


def _charge_cover(state: State, amount: int, leave: float, klass: Class) -> bool:
    """Charge the class's own share if only that let it leave now."""
    need = amount * state.unit
    held = state.tat + need - max(state.room * (1.0 - klass.reserve), need)
    if leave >= held:
        return False
    start = leave if leave > state.cover_tat else state.cover_tat
    state.cover_tat = start + amount * (state.unit / klass.guarantee)
    return True


def _sit(state: State, leave: float, ask: Ask, now: float) -> Take:
    expiry = leave + ask.lease_us
    state.leases.hold(ask.lease, expiry)
    if ask.klass.reserve > 0.0:
        state.cover.hold(ask.lease, expiry)
    state.seats.grow(state.leases.used(now), now)
    return Take(state.bucket, 1)


def settle(state: State, take: Take, lease: str, actual: int, klass: Class, now: float) -> None:
    """Correct one take by what was used; for a seat: give it back."""
    if state.dim == CONCURRENCY:
        state.leases.release(lease)
        state.cover.release(lease)
        return
    state.fresh(now)
    unused = take.amount - actual
    if unused > 0:
        state.tat -= state.backlog.credit(take.seq, unused * state.unit)
        if take.covered:
            state.cover_tat -= unused * (state.unit / klass.guarantee)
    elif unused < 0:
        _add(state, -unused * state.unit, now)


def _add(state: State, more_us: float, now: float) -> None:
    before = state.tat - now
    before = before if before > 0.0 else 0.0
    state.backlog.push(before)
    state.tat = (state.tat if before > 0.0 else now) + more_us


def observe(state: State, said: Observation, now: float) -> None:
    """Tighten by what the provider said."""
    state.fresh(now)
    if said.wait_s > 0.0:
        state.until = max(state.until, now + said.wait_s * US)
    if state.dim == CONCURRENCY:
        _observe_seats(state, said, now)
        return
    if said.limit is not None and said.per_s in (None, state.bucket.per_s):
        state.learn(said.limit, now)
    left = units_left(said)
    if left is not None:
        _raise(state, now + state.room - left * state.unit, now)


def _observe_seats(state: State, said: Observation, now: float) -> None:
    if said.limit is not None:
        state.seats.tell(said.limit, now)
    elif said.refused:
        state.seats.refuse(state.leases.used(now), now - said.sent_ago_s * US, now)


def units_left(said: Observation) -> int | None:
    """What the provider has left by its own count; a bare refusal means nothing is."""
    if said.used is not None and said.limit is not None:
        return max(said.limit - said.used, 0)
    if said.remaining is not None:
        return max(said.remaining, 0)
    return 0 if said.refused else None


def _raise(state: State, tat: float, now: float) -> None:
    """Lift the level; what was reserved before can no longer be credited against it."""
    if tat > state.tat:
        state.backlog.push(0.0)
        state.tat = tat


def describe(state: State, now: float, offset: float) -> BucketState:
    """One bucket for people; `offset` is this clock's lead over the loop's, in microseconds."""
    state.fresh(now)
    if state.dim == CONCURRENCY:
        limit = state.seats.limit
        free = max(limit - state.leases.used(now), 0)
        next_at = now if free else now + SEAT_POLL_US
    else:
        limit = state.limit
        free = int((state.room - max(state.tat - now, 0.0)) / state.unit)
        next_at = state.tat + state.unit - state.room
    source = "learned" if limit < state.bucket.limit else state.bucket.source
    at, until = max(next_at, state.until, now) - offset, state.review - offset
    return BucketState(state.bucket, limit, source, free, at / US, learned_until=until / US)
