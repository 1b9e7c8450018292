"""What is said to the Lua script and what it answers: documents, keys, words. Pure."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from importlib.resources import files

import msgspec

from sidecar.limits.book import CONCURRENCY, INDEX, Ask, Class, units_left
from sidecar.limits.bucket import US, Bucket
from sidecar.limits.store import Observation, Take

RATE = struct.Struct("<9d")
SEATS = struct.Struct("<3d")
PARTS = ("buckets.lua", "take.lua", "settle.lua", "main.lua")

EPOCH_S = 1_735_689_600
"""Where the store's clock begins: 2025-01-01, as in main.lua."""

Row = tuple[str, int, int, float, int, "float | bool", float]
Op = tuple[object, ...]


def text() -> str:
    """The script: its parts share one scope, in this order."""
    folder = files("sidecar.limits") / "lua"
    return "\n".join((folder / part).read_text("utf-8") for part in PARTS)


class Asked(msgspec.Struct, frozen=True):
    """One take: its candidates as (ready in microseconds from now, buckets). `due`: when this pod
    was last told to ask again, on the store's clock; 0: it was not, or long ago."""

    ask: Ask
    candidates: tuple[tuple[float, tuple[Bucket, ...]], ...]
    due: float = 0.0


class Owed(msgspec.Struct, frozen=True):
    """One thing to tell the store about a bucket: settle.lua lists the kinds."""

    kind: str
    bucket: Bucket
    rest: tuple[object, ...]


class Seen(msgspec.Struct, frozen=True):
    """A bucket's numbers after a call, in microseconds of the store's clock."""

    tat: float
    unit: float
    until: float
    limit: int
    used: int


class Grant(msgspec.Struct, frozen=True):
    leave: float
    index: int
    share: float
    seqs: tuple[int, ...]


class Denial(msgspec.Struct, frozen=True):
    """`ask`: when to ask again, among all the pods that wait."""

    leave: float
    blocker: Bucket | None
    full: bool
    ask: float


class Answer(msgspec.Struct, frozen=True):
    """One call's answer. `rank` is -1 where it was not asked or too dear to find; a take without
    an answer has to be asked again, after the store was healed."""

    now: float
    generation: str
    version: int
    pods: int
    rank: int
    takes: tuple[Grant | Denial | None, ...]
    seen: dict[str, Seen]


class Known(msgspec.Struct, frozen=True):
    """What this pod last knew of the store; it may have lost it since."""

    generation: str = ""
    version: int = 0
    now: float = 0.0
    reconnected: bool = True


class Document(msgspec.Struct):
    pod: str
    generation: str
    version: int
    seen_now: float
    nonce: str
    reconnected: bool
    beat: bool
    batch: int
    buckets: list[Row]
    ops: list[Op]
    takes: list[Op]
    now: float | bool = False


class Sheet:
    """One call in the making: numbers the buckets, collects keys, writes the document."""

    def __init__(self, prefix: str, pool: str, seen: dict[str, Seen]) -> None:
        self._home = f"{prefix}:{{{pool}}}"
        self._seen = seen
        self._numbers: dict[str, int] = {}
        self._rows: list[Row] = []
        self._buckets: list[Bucket] = []
        self._keys = [f"{self._home}:s", f"{self._home}:p"]

    @property
    def keys(self) -> list[str]:
        return self._keys

    def number(self, bucket: Bucket) -> int:
        """The bucket's number on this sheet, from 1."""
        known = self._numbers.get(bucket.id)
        if known is not None:
            return known
        number = self._numbers[bucket.id] = len(self._rows) + 1
        dim, seen = INDEX[bucket.dimension], self._seen.get(bucket.id)
        last: tuple[float | bool, float] = (
            (seen.tat, seen.unit) if seen and seen.unit else (False, 0)
        )
        self._rows.append(
            (bucket.id, dim + 1, bucket.limit, bucket.per_s * US, bucket.burst, *last)
        )
        self._buckets.append(bucket)
        if dim == CONCURRENCY:
            self._keys += [f"{self._home}:c:{bucket.id}", f"{self._home}:g:{bucket.id}"]
        return number

    def document(
        self,
        pod: str,
        known: Known,
        nonce: str,
        *,
        takes: Sequence[Asked],
        owed: Sequence[Owed],
        batch: int,
        beat: bool,
        now: float | None,
    ) -> bytes:
        """`batch` numbers what is owed: one already applied is not applied again; 0: none."""
        ops: list[Op] = [(one.kind, self.number(one.bucket), *one.rest) for one in owed]
        rows = [self._take(asked) for asked in takes]
        document = Document(
            pod=pod,
            generation=known.generation,
            version=known.version,
            seen_now=known.now,
            nonce=nonce,
            reconnected=known.reconnected,
            beat=beat,
            batch=batch,
            buckets=self._rows,
            ops=ops,
            takes=rows,
            now=False if now is None else now,
        )
        return msgspec.msgpack.encode(document)

    def answer(self, reply: Sequence[object]) -> Answer:
        """Read what main.lua returned. ValueError or TypeError if something else did."""
        try:
            return self._answer(reply)
        except (struct.error, LookupError) as error:
            raise ValueError("the script's answer cannot be read") from error

    def _answer(self, reply: Sequence[object]) -> Answer:
        now, generation, version, pods, rank, takes, seen = reply
        rows = zip(self._buckets, _list(seen), strict=True)
        words = {bucket.id: _seen(bucket, packed) for bucket, packed in rows if packed}
        return Answer(
            float(_text(now)), _text(generation), int(_text(version)), _int(pods), _int(rank),
            tuple(self._decision([_text(word) for word in _list(take)]) for take in _list(takes)),
            words,
        )  # fmt: skip

    def _take(self, asked: Asked) -> Op:
        ask = asked.ask
        candidates = [
            (ready_in, [self.number(bucket) for bucket in buckets])
            for ready_in, buckets in asked.candidates
        ]
        return (
            ask.amounts, ask.klass.reserve, ask.klass.guarantee, ask.horizon_us, ask.lease_us,
            ask.lease, ask.round_robin, candidates, asked.due,
        )  # fmt: skip

    def _decision(self, words: list[str]) -> Grant | Denial | None:
        if words[0] == "2":
            return None
        if words[0] == "1":
            seqs = tuple(int(word) for word in words[4:])
            return Grant(float(words[1]), int(words[2]), float(words[3]), seqs)
        number = int(words[2])
        blocker = self._buckets[number - 1] if number else None
        return Denial(float(words[1]), blocker, words[3] == "1", float(words[4]))


def _seen(bucket: Bucket, packed: object) -> Seen:
    """Numbers as buckets.lua keeps them."""
    if not isinstance(packed, bytes):
        raise TypeError("the script answered numbers that are not packed")
    if INDEX[bucket.dimension] == CONCURRENCY:
        until, limit, used = SEATS.unpack(packed)
        return Seen(0.0, 0.0, until, int(limit), int(used))
    tat, unit, until, learned, *_ = RATE.unpack(packed)
    return Seen(tat, unit, until, int(min(learned, bucket.limit)), 0)


def _text(word: object) -> str:
    return word.decode() if isinstance(word, bytes) else str(word)


def _int(word: object) -> int:
    return int(_text(word))


def _list(words: object) -> list[object]:
    if not isinstance(words, list):
        raise TypeError("the script answered something else than a list")
    return words


def owed_by(take: Take, lease: str, actual: int, klass: Class, generation: str) -> tuple[Owed, ...]:
    """What settling one take by `actual` units means for the store."""
    bucket = take.bucket
    if INDEX[bucket.dimension] == CONCURRENCY:
        return (Owed("free", bucket, (lease,)),)
    unused = take.amount - actual
    if not unused:
        return ()
    seq = -take.seq if take.covered else take.seq
    return (Owed("settle", bucket, (seq, unused, klass.guarantee, generation)),)


def owed_of(bucket: Bucket, said: Observation) -> Owed:
    """What an observation means for the store."""
    seats = INDEX[bucket.dimension] == CONCURRENCY
    heard = seats or said.per_s in (None, bucket.per_s)
    limit = said.limit if heard and said.limit is not None else False
    left = False if seats else units_left(said)
    left = False if left is None else left
    rest = (limit, left, said.wait_s * US, said.refused, said.sent_ago_s * US)
    return Owed("observe", bucket, rest)
