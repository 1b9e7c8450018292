"""One look at everything that could serve a request, at one moment: what is ready, and when.

Decides for the lease, and words what stands in the way; waits for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from sidecar.core.failure import Cause, Reason, RequestFailed, Violation
from sidecar.failover.session import Session
from sidecar.gateway.line import Line, World
from sidecar.gateway.quota import buckets_of
from sidecar.keys.ring import Key, KeyRing, Standing
from sidecar.limits.bucket import Bucket, Cost, Dimension
from sidecar.limits.store import Candidate, Refused, Store
from sidecar.routing.router import NEVER, Option, pick

# How far ahead a slot may be committed in the store (limits reference, decision 5: 0.25 to 1 s).
HORIZON_S = 0.5
# Nothing is waited for longer than this without looking again: states may change elsewhere.
LOOK_AGAIN_S = 5.0
# A store's clock is not the loop's: what is ready within this counts as ready at once.
SOON_S = 0.05

SCOPES = {"bucket": Reason.DEADLINE_TOO_SHORT, "backoff": Reason.DEADLINE_TOO_SHORT}
# In place of a bucket's name while nobody has asked which one it is.
SOME_BUCKET = "..."
BUCKET = ("bucket", SOME_BUCKET)
OF_INPUT = frozenset({Dimension.TOKENS, Dimension.INPUT_TOKENS})
DISABLED = {
    Cause.CREDENTIAL: Reason.KEYS_REJECTED,
    Cause.REGION: Reason.KEYS_REJECTED,
    Cause.MODEL_ACCESS: Reason.KEYS_REJECTED,
    Cause.QUOTA: Reason.SPEND_LIMIT,
}


class Want(msgspec.Struct, frozen=True):
    """What a request asks of the buckets, for every attempt it makes; one that goes on with the
    text so far asks for more (`Search.cost`).

    `thinks`: the caller allows reasoning; whether a target does it is the target's. `work_s` is the
    share of the bottleneck bucket, for fairness. `input_bytes` of prompt, for learning.
    """

    cost: Cost
    thinks: bool
    work_s: float
    input_bytes: int


class Search:
    """One look at everything that could serve the session, at one moment."""

    def __init__(
        self, session: Session, world: World, want: Want, ring: KeyRing, store: Store, now: float
    ) -> None:
        self.session = session
        self.world = world
        self.want = want
        self._ring = ring
        self._store = store
        self._now = now
        self._lines = [world.line(target) for target in session.route.targets]
        self._standings: list[Standing] = []
        self._priority = session.request.completion.priority
        self._too_small: Candidate | None = None
        # Nobody waits for a better target beyond the deadline while a worse one is there.
        left_s = max(session.request.deadline - now, 0.0)
        self._patience_s = min(session.route.patience_s, left_s)

    @property
    def patience_s(self) -> float:
        """How long the best target is worth waiting for while others are there."""
        return min(self._patience_s, HORIZON_S) if len(self._lines) > 1 else HORIZON_S

    def at_once(self) -> Option | None:
        """The best target, if some key of it is free of everything but its buckets: the usual
        case, in which the store's own answer is all that is needed."""
        line = self._lines[0]
        for index, key in enumerate(self._ring.keys(line.target.provider)):
            ready_at, _ = self._obstacle(0, line, key)
            if ready_at <= self._now:
                return Option(0, index, 0, ready_at)
        return None

    def choice(self) -> Option | None:
        return pick(self.options(), self._now, self._patience_s)

    def beside(self, rank: int) -> Option | None:
        """The best of the other targets that are ready at once."""
        others = (o for o in self.options() if o.rank != rank and o.ready_at <= self._now + SOON_S)
        return min(others, key=lambda option: option.rank, default=None)

    def in_vain(self, choice: Option) -> bool:
        """Is waiting for `choice` no use? It comes after the deadline; or every key there is was
        refused by its provider, and only a human can mend that (the next probe shows it)."""
        late = choice.ready_at > self.session.request.deadline
        return late or (choice.ready_at > self._now and self._all_disabled)

    @property
    def _all_disabled(self) -> bool:
        return all(standing.disabled for standing in self._standings)

    def cost(self, rank: int, buckets: tuple[Bucket, ...]) -> Cost:
        """What an attempt on that target takes: one that goes on sends the text so far along, as
        input. That is a guess, and never the reason why `buckets` could not hold the request."""
        cost, route = self.want.cost, self.session.route
        carried = self.session.kept.along(route.targets[rank].resume, handoff=route.handoff)
        if not carried:
            return cost
        rooms = (b.burst - cost.of(b.dimension) for b in buckets if b.dimension in OF_INPUT)
        carried = max(min((carried, *rooms)), 0)
        return msgspec.structs.replace(cost, input_tokens=cost.input_tokens + carried)

    def candidates(self, choice: Option) -> tuple[Line, list[Key], list[Candidate]]:
        """All keys of the chosen target that are no later than the horizon, for the store."""
        line = self._lines[choice.rank]
        latest = max(choice.ready_at, self._now + HORIZON_S)
        keys, candidates = [], []
        for key in self._ring.keys(line.target.provider):
            ready_at, _ = self._obstacle(choice.rank, line, key)
            if ready_at <= latest:
                keys.append(key)
                candidates.append(self._candidate(line, key, ready_at))
        return line, keys, candidates

    def refusal(self, choice: Option | None) -> RequestFailed:
        """Why no lease can be had in time."""
        if choice is not None:
            return self._too_late(choice)
        if self.session.failures:
            return self.session.error()
        if self._too_small is not None:
            return too_large(bucket_too_small(self._too_small, self.want.cost))
        disabled = [s.cause for s in self._standings if s.disabled and s.cause is not None]
        if disabled:
            return _keys_disabled(disabled[0], self._standings)
        return RequestFailed(
            Reason.NO_TARGET_READY,
            f"no target of {self.session.route.name!r} has a key; add keys to its providers",
            retry_after_s=LOOK_AGAIN_S,
            metadata={"route": self.session.route.name},
        )

    def refusal_by_store(self, refused: Refused) -> RequestFailed:
        name = refused.bucket.id if refused.bucket else self.session.route.name
        return self._late(refused.ready_at, "bucket", name)

    def too_late(self, leave_at: float) -> RequestFailed:
        """A slot is to be had, but only after the deadline."""
        return self._late(leave_at, "bucket", self.session.route.name)

    def _too_late(self, choice: Option) -> RequestFailed:
        causes = [standing.cause for standing in self._standings]
        if self._all_disabled and causes[0] is not None:
            return _keys_disabled(causes[0], self._standings)
        if self.session.failures and choice.blocked_by[0] != "bucket":
            return self.session.error()
        kind, name = choice.blocked_by
        if name == SOME_BUCKET:
            name = self._tightest(choice)
        return self._late(choice.ready_at, kind, name)

    def _tightest(self, choice: Option) -> str:
        """The bucket that keeps `choice` waiting: looked for only when it has to be told."""
        line = self._lines[choice.rank]
        whole = self._candidate(line, self._ring.keys(line.target.provider)[choice.key], self._now)

        cost = self.cost(choice.rank, whole.buckets)

        def free_at(bucket: Bucket) -> float:
            alone = Candidate(whole.key, (bucket,), whole.ready_at)
            return self._store.ready_at(alone, cost, self._priority)

        return max(whole.buckets, key=free_at).id

    def _late(self, ready_at: float, kind: str, name: str) -> RequestFailed:
        wait_s = ready_at - self._now
        left_s = max(self.session.request.deadline - self._now, 0.0)
        return RequestFailed(
            SCOPES.get(kind, Reason.NO_TARGET_READY),
            f"{kind} {name} is free in {wait_s:.3f} s but the deadline is in {left_s:.3f} s; "
            "retry after that time or allow a longer deadline",
            retry_after_s=wait_s,
            violations=(Violation(name, f"{kind}: next free in {wait_s:.3f} s"),),
            metadata={"obstacle": kind, "subject": name, "route": self.session.route.name},
        )

    def options(self) -> Iterator[Option]:
        """Every pair of target and key, and from when it could serve."""
        for rank, line in enumerate(self._lines):
            for index, key in enumerate(self._ring.keys(line.target.provider)):
                ready_at, blocked_by = self._obstacle(rank, line, key)
                if ready_at != NEVER:
                    candidate = self._candidate(line, key, ready_at)
                    cost = self.cost(rank, candidate.buckets)
                    bucket_at = self._store.ready_at(candidate, cost, self._priority)
                    if bucket_at == NEVER:
                        self._too_small = self._too_small or candidate
                    if bucket_at > ready_at:
                        ready_at, blocked_by = self._kept(bucket_at, candidate, cost), BUCKET
                yield Option(rank, index, rank, ready_at, blocked_by)

    def _kept(self, bucket_at: float, candidate: Candidate, cost: Cost) -> float:
        """`bucket_at`, or the deadline where only a guess is later: when a seat comes free nobody
        knows, so it is waited for as long as there is time, and never a reason to refuse."""
        deadline = self.session.request.deadline
        if self._now < deadline < bucket_at < NEVER:
            certain = self._store.certain_at(candidate, cost, self._priority)
            return max(certain, deadline)
        return bucket_at

    def _obstacle(self, rank: int, line: Line, key: Key) -> tuple[float, tuple[str, str]]:
        """From when everything except the buckets allows this pair, and what is latest."""
        now = self._now
        latest, what = self.session.ready_at(rank, now), ("backoff", line.target.name)
        breaker_at = line.breaker.ready_at(now)
        if breaker_at > latest:
            latest, what = breaker_at, ("breaker", line.target.name)
        standing = self._ring.standing(key, line.target.model, now)
        self._standings.append(standing)
        if standing.ready_at > latest:
            latest = standing.ready_at
            limited = standing.cause is Cause.RATE_LIMITED
            what = ("bucket" if limited else "key", f"{key.provider}/{standing.scope}")
        return latest, what if latest > now else ("", "")

    def _candidate(self, line: Line, key: Key, ready_at: float) -> Candidate:
        return Candidate(
            key=f"{key.provider}/{key.alias}",
            buckets=buckets_of(line, self._ring, key, self.want.thinks and line.target.reasoning),
            ready_at=ready_at,
        )


def _keys_disabled(cause: Cause, standings: list[Standing]) -> RequestFailed:
    scopes = ", ".join(dict.fromkeys(s.scope for s in standings if s.disabled))
    reason = DISABLED[cause]
    advice = "add money" if reason is Reason.SPEND_LIMIT else "replace the keys"
    return RequestFailed(
        reason,
        f"no usable key: {scopes} disabled ({cause.value}); {advice} at the provider",
        metadata={"cause": cause.value, "scopes": scopes},
    )


def bucket_too_small(candidate: Candidate, cost: Cost) -> Bucket | None:
    """The bucket that can never hold `cost`."""
    rates = (b for b in candidate.buckets if b.dimension is not Dimension.CONCURRENCY)
    return next((b for b in rates if cost.of(b.dimension) > b.burst), None)


def too_large(bucket: Bucket | None) -> RequestFailed:
    name = bucket.id if bucket else ""
    most = str(bucket.burst if bucket and bucket.burst else bucket.limit if bucket else 0)
    return RequestFailed(
        Reason.REQUEST_EXCEEDS_LIMIT,
        f"the request is larger than {name} can ever hold ({most}); make it smaller or raise the "
        "limit's burst",
        violations=(Violation(name, f"holds at most {most}"),),
        metadata={"subject": name, "most": most},
        field="completion",
    )
