"""What every store promises, and the values that cross its door."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from sidecar.core.request import Priority
from sidecar.limits.bucket import Bucket, Cost

Policy = Literal["least_wait", "round_robin"]


class Candidate(msgspec.Struct, frozen=True):
    """One key that could be used, and every bucket it draws from.

    `key` is the alias. `ready_at` is the loop time from which everything else (breaker, rest,
    backoff) allows it. No bucket may be listed twice.
    """

    key: str
    buckets: tuple[Bucket, ...]
    ready_at: float = 0.0


class Take(msgspec.Struct, frozen=True, gc=False):
    """What was reserved in one bucket: `amount` units, by event `seq` of that bucket."""

    bucket: Bucket
    amount: int
    seq: int = 0
    covered: bool = False


class Reservation(msgspec.Struct, frozen=True, gc=False):
    """Everything one request holds; opaque to the caller, who settles it exactly once or more."""

    id: str
    pool: str
    key: str
    takes: tuple[Take, ...]
    taken_us: float
    lease_s: float
    generation: str = ""


class Granted(msgspec.Struct, frozen=True, gc=False):
    """Candidate `index` may leave at `leave_at` (loop seconds, at most the horizon from now).

    `share` is the free share of that candidate's tightest bucket before this take, 0 to 1.
    """

    index: int
    leave_at: float
    reservation: Reservation
    share: float = 1.0


class Refused(msgspec.Struct, frozen=True, gc=False):
    """Nothing was taken.

    `ready_at`: loop seconds from which the best candidate would be allowed if nothing else came
    (math.inf: never). `ask_at`: when asking again makes sense, the horizon before that; a bucket
    of CONCURRENCY gives an estimate, see `Store.wait_change`. `bucket` is the one in the way, None
    if it was the candidate's own `ready_at`. `never`: dearer than a bucket can ever hold. `guess`:
    the times say when to ask for a seat again, which may come free earlier or later.
    """

    ready_at: float
    ask_at: float
    bucket: Bucket | None = None
    never: bool = False
    guess: bool = False


class Observation(msgspec.Struct, frozen=True):
    """What a provider said about one bucket. Tightens, never loosens.

    `limit` counts for a window of `per_s` (None: the bucket's own); `remaining` is what was left;
    `used` what it had counted (a 429 with numbers: resync exactly). `wait_s`: not before that many
    seconds from now. `refused`: this was a 429. `sent_ago_s`: how long ago the request left; a
    refusal of a request from before the last cut says nothing new.
    """

    limit: int | None = None
    remaining: int | None = None
    used: int | None = None
    per_s: float | None = None
    wait_s: float = 0.0
    refused: bool = False
    sent_ago_s: float = 0.0


class BucketState(msgspec.Struct, frozen=True):
    """One bucket for GetStatus. `free_now` and `limit_now` in units; `source` config or learned.

    `free_now` is negative while a debt is worked off. `next_free_at`: loop seconds from which one
    unit is free. `learned_until`: loop seconds at which a learned limit is forgotten unless it is
    heard again, infinity where nothing says when. `waiting` is filled in by whoever
    owns the queue. `mode` is exact, or share while the common store is away, with the pod's share.
    """

    bucket: Bucket
    limit_now: int
    source: str
    free_now: int
    next_free_at: float
    waiting: int = 0
    mode: Literal["exact", "share", "closed", "open"] = "exact"
    share: float = 1.0
    learned_until: float = math.inf


class Store(Protocol):
    """All buckets of one candidate, or none; whoever says "not now" says when."""

    async def take(
        self,
        candidates: Sequence[Candidate],
        cost: Cost,
        *,
        priority: Priority = Priority.NORMAL,
        horizon_s: float = 0.0,
        lease_s: float = 15.0,
        policy: Policy = "least_wait",
    ) -> Granted | Refused:
        """Reserve for one request, at most `horizon_s` ahead. Never half-way: if the caller is
        cancelled meanwhile, the reservation is given back by itself."""

    def ready_at(
        self, candidate: Candidate, cost: Cost, priority: Priority = Priority.NORMAL
    ) -> float:
        """A hint in loop seconds from the last known state; `take` is the authority."""

    def certain_at(
        self, candidate: Candidate, cost: Cost, priority: Priority = Priority.NORMAL
    ) -> float:
        """The same, without the wait for seats, which is a guess: rates and what providers told.
        Only this may be a reason to refuse early."""

    def settle(self, reservation: Reservation, actual: Cost) -> None:
        """Correct a reservation by what was really used; a second call does nothing.

        Releases concurrency; debits what was used beyond the estimate; credits what was not, but
        never what the bucket has refilled since. `actual.requests` 0: it never reached the
        provider, everything is given back.
        """

    def renew(self, reservation: Reservation) -> None:
        """The stream moves: its concurrency leases live another `lease_s`."""

    def observe(self, bucket_id: str, observation: Observation) -> None:
        """A provider said something about a bucket; unknown ids are ignored."""

    def snapshot(self) -> tuple[BucketState, ...]:
        """Every known bucket as last seen, for people."""

    async def wait_change(self, pool: str, until: float) -> None:
        """Return when a seat in `pool` was given back here, or at `until` (loop seconds)."""

    async def aclose(self) -> None:
        """Send what is owed, and let go of connections."""
