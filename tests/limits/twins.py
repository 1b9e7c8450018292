"""The Python book and the Lua script, told the same things and compared after each."""

from __future__ import annotations

import random
import uuid

import msgspec
import redis

from sidecar.limits import book, script
from sidecar.limits.book import Ask, Chosen, Class, State, Waits
from sidecar.limits.bucket import Bucket, Dimension
from sidecar.limits.store import Observation, Take
from tests.limits.meters import requests, seats, tokens

BUCKETS = (
    requests("a", limit=7, burst=3, per_s=3.0),
    tokens("at", 1000, 700, 10.0),
    seats("ac", 4),
    requests("b", limit=60, burst=20, per_s=13.0),
    tokens("bt", 333, 400, 7.0),
    seats("bc", 9),
    requests("own", limit=11, burst=2, per_s=9.0),
)
KEYS = ((0, 1, 2), (0, 1, 2, 6), (3, 4, 5), (6, 3, 4), (0, 3), (2, 5), (1,), ())
CLASSES = (
    Class("interactive"),
    Class("normal", reserve=0.1),
    Class("batch", reserve=0.3, guarantee=0.1),
)


class Held(msgspec.Struct, frozen=True):
    lease: str
    klass: Class
    takes: tuple[Take, ...]


class Twins:
    """Both sides of every step. Any difference, to the last bit, is an AssertionError."""

    def __init__(self, client: redis.Redis, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 1_000_000.0
        self.held: list[Held] = []
        self.buckets = list(BUCKETS)
        self.states = {bucket.id: State(bucket) for bucket in BUCKETS}
        self.granted = 0
        self._prefix = f"twin-{uuid.uuid4()}"
        self._script = client.register_script(script.text())
        self._known = script.Known()
        self._batch = 0
        self._leases = 0

    def step(self) -> None:
        self.now += self.random.choice([0.0, 0.0, 1.0, 7e4 / 3, 3.3e5, 1e6, 2.5e6])
        kind = self.random.choices(
            [self._take, self._settle, self._renew, self._observe, self._reconfigure],
            [50, 35, 5, 6, 1],
        )[0]
        kind()

    def _call(
        self, asked: list[script.Asked], owed: list[script.Owed], touch: tuple[Bucket, ...] = ()
    ) -> script.Answer:
        sheet = script.Sheet(self._prefix, "p", {})
        for bucket in touch:
            sheet.number(bucket)
        self._batch += 1
        document = sheet.document(
            "pod", self._known, "nonce", takes=asked, owed=owed, batch=self._batch, beat=False,
            now=self.now,
        )  # fmt: skip
        answer = sheet.answer(self._script(sheet.keys, [document]))
        self._known = script.Known(answer.generation, answer.version, answer.now, False)
        self._compare(answer)
        return answer

    def _compare(self, answer: script.Answer) -> None:
        for name, seen in answer.seen.items():
            state = self.states[name]
            if state.bucket.dimension is Dimension.CONCURRENCY:
                ours = (state.until, state.seats.limit, state.leases.used(self.now))
                assert (seen.until, seen.limit, seen.used) == ours, name
            else:
                ours = (state.tat, state.unit, state.until, state.limit)
                assert (seen.tat, seen.unit, seen.until, seen.limit) == ours, name

    def _fresh(self, buckets: tuple[Bucket, ...]) -> list[State]:
        found = []
        for bucket in buckets:
            state = self.states[bucket.id]
            if state.bucket != bucket:
                state.configure(bucket, self.now)
            state.fresh(self.now)
            found.append(state)
        return found

    def _take(self) -> None:
        pick = self.random
        self._leases += 1
        total = pick.choice([0, 3, 100, 250, 390, 500])
        inputs = pick.randint(0, total)
        ask = Ask(
            (1, total, inputs, total - inputs, 1), pick.choice(CLASSES),
            pick.choice([0.0, 5e5, 1e6]), pick.choice([2e6, 1e7]), f"l{self._leases}",
            pick.random() < 0.2,
        )  # fmt: skip
        rows = [
            (pick.choice([0.0, 0.0, -5.0, 3e5]), tuple(self.buckets[at] for at in key))
            for key in pick.sample(KEYS, pick.randint(1, 4))
        ]
        states = [(self._fresh(buckets), self.now + ready) for ready, buckets in rows]
        ours = book.decide(states, ask, self.now)
        asked = script.Asked(ask, tuple(rows))
        (theirs,) = self._call([asked], []).takes
        if isinstance(ours, Waits):
            assert isinstance(theirs, script.Denial)
            assert (theirs.leave, theirs.blocker, theirs.full) == (
                ours.leave, ours.blocker, ours.full,
            )  # fmt: skip
            return
        self._compare_grant(ours, theirs)
        self.granted += 1
        self.held.append(Held(ask.lease, ask.klass, ours.takes))

    def _compare_grant(self, ours: Chosen, theirs: script.Grant | script.Denial) -> None:
        assert isinstance(theirs, script.Grant)
        assert (theirs.leave, theirs.index, theirs.share) == (ours.leave, ours.index, ours.share)
        seqs = tuple(-take.seq if take.covered else take.seq for take in ours.takes)
        assert theirs.seqs == seqs

    def _settle(self) -> None:
        if not self.held:
            return
        held = self.held.pop(self.random.randrange(len(self.held)))
        owed = []
        for take in held.takes:
            state = self.states[take.bucket.id]
            (state,) = self._fresh((self._current(take.bucket),))
            actual = self.random.choice([0, take.amount, take.amount // 3, take.amount + 40])
            book.settle(state, take, held.lease, actual, held.klass, self.now)
            owed += script.owed_by(take, held.lease, actual, held.klass, self._known.generation)
        touch = tuple(self._current(take.bucket) for take in held.takes)
        self._call([], [self._now_called(one) for one in owed], touch)

    def _renew(self) -> None:
        if not self.held:
            return
        held = self.random.choice(self.held)
        seated = [take for take in held.takes if take.bucket.dimension is Dimension.CONCURRENCY]
        covered = held.klass.reserve > 0.0
        for take in seated:
            state = self.states[take.bucket.id]
            state.leases.renew(held.lease, self.now + 1e7)
            if covered:
                state.cover.renew(held.lease, self.now + 1e7)
        owed = [
            script.Owed("renew", self._current(take.bucket), (held.lease, 1e7, covered))
            for take in seated
        ]
        self._call([], owed)

    def _observe(self) -> None:
        pick = self.random
        bucket = pick.choice(self.buckets)
        said = Observation(
            limit=pick.choice([None, None, 1, 3, 6, 500]),
            remaining=pick.choice([None, 0, 2, 50]),
            used=pick.choice([None, 2]),
            per_s=pick.choice([None, bucket.per_s, 86400.0]),
            wait_s=pick.choice([0.0, 0.0, 0.7, 3.0]),
            refused=pick.random() < 0.5,
            sent_ago_s=pick.choice([0.0, 0.5]),
        )
        (state,) = self._fresh((bucket,))
        book.observe(state, said, self.now)
        self._call([], [script.owed_of(bucket, said)], (bucket,))

    def _reconfigure(self) -> None:
        at = self.random.randrange(len(self.buckets))
        limit = self.random.choice([BUCKETS[at].limit, BUCKETS[at].limit * 2, 5])
        self.buckets[at] = msgspec.structs.replace(BUCKETS[at], limit=limit)
        self._fresh((self.buckets[at],))
        self._call([], [], (self.buckets[at],))

    def _current(self, bucket: Bucket) -> Bucket:
        return next(one for one in self.buckets if one.id == bucket.id)

    def _now_called(self, owed: script.Owed) -> script.Owed:
        return msgspec.structs.replace(owed, bucket=self._current(owed.bucket))
