"""What a row of the card is, and how its verdict is found."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

import msgspec
from headway import Attempt, Event, HeadwayError, Partial, Result

from sidecar.testing import Bill, Entry, Quota, Writing, written

if TYPE_CHECKING:
    from tests.faults.bed import Bed

# The published set-up: every healthy answer is the same sixty words.
SIXTY = written(0, 0, 60)
# A healthy call after a fault takes no longer than this, seconds.
ALIVE_S = 10.0
# So many models are told of in a row's summary.
MOST_TOLD = 8
# What a row may want of its calls, beside the reason of an error.
WHOLE, ANYTHING = "whole", "anything"


class Weight(enum.Enum):
    """What it means if a check does not hold: a fail, a partial, or no rescue."""

    REQUIRED = "required"
    ADVISORY = "advisory"
    IDEAL = "ideal"


class Verdict(enum.Enum):
    PASS = "pass"
    PARTIAL = "partial"
    SAFE = "safe"
    FAIL = "fail"


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at: what ought to be, whether it is, and what was seen. What was
    measured is told although it holds."""

    what: str
    holds: bool
    seen: str = ""
    weight: Weight = Weight.REQUIRED
    measured: bool = False

    def __str__(self) -> str:
        return f"{self.what}: {self.seen}" if self.seen else self.what


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """A target of the route: its provider by name, the model that is its behaviour, its quota.

    A provider that is not built in is a plain server. `resume` says what it continues. `limits` are
    those of its account; `timeouts` replace the published ones (empty: the product's own).
    """

    provider: str
    model: str
    resume: str = "none"
    reasoning: bool = False
    keys: tuple[str, ...] = ()
    limits: tuple[dict[str, Any], ...] = ()
    timeouts: dict[str, str] | None = None
    priced: bool = True

    @property
    def name(self) -> str:
        return f"{self.provider}/{self.model}"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request as its caller saw it. Times are seconds of the loop. `asked`: its options."""

    route: str
    began: float
    ended: float
    stamps: tuple[tuple[float, Event], ...]
    result: Result | None
    error: HeadwayError | None
    asked: Mapping[str, Any] = {}

    @property
    def took_s(self) -> float:
        return self.ended - self.began

    @property
    def said(self) -> Partial:
        """What stands at the end, whole or not."""
        if self.result is not None:
            return self.result
        assert self.error is not None
        return self.error.result

    @property
    def attempts(self) -> list[Attempt]:
        """The attempt events, in order."""
        return [event for _, event in self.stamps if isinstance(event, Attempt)]

    @property
    def ending(self) -> str:
        """How it ended, for people."""
        if self.error is not None:
            return self.error.reason
        assert self.result is not None
        return f"completed, {self.result.finish_reason.value}"


class Span(msgspec.Struct, frozen=True):
    """A span as it was exported: its name, its attributes, and whether it is marked as an error."""

    name: str
    about: Mapping[str, Any]
    error: bool


class Point(msgspec.Struct, frozen=True):
    """One series of a metric that is no histogram: its attributes and its value."""

    about: Mapping[str, Any]
    value: float


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a judge may look at. `zero` is the loop's time at the begin of the log.

    `spans` and `points` are what the row's own collector was sent: every span, and of the last
    export the points of each metric. `starved_s` tells of a span of the loop's time for how long
    the machine kept provider, caller and daemon from running: no bound of the card covers that.
    """

    row: Row
    calls: tuple[Call, ...]
    log: tuple[Entry, ...]
    bill: Bill
    ledger: tuple[dict[str, Any], ...]
    zero: float
    exit_code: int
    notes: dict[str, Any] = {}
    starved_s: Callable[[float, float], float] = lambda begin, end: 0.0
    daemon_log: str = ""
    spans: tuple[Span, ...] = ()
    points: Mapping[str, tuple[Point, ...]] = {}

    @property
    def call(self) -> Call:
        return self.calls[0]

    def on(self, place: int) -> list[Entry]:
        """The attempts on the target in that place of the route, tags told apart."""
        return self.named(self.row.sides[place].model)

    def named(self, model: str) -> list[Entry]:
        return [entry for entry in self.log if entry.model == model]

    def attempt_spans(self, tag: str) -> list[Span]:
        """The spans of the attempts on targets whose model ends so."""
        return [
            span
            for span in self.spans
            if span.name == "headway.attempt"
            and str(span.about["gen_ai.request.model"]).endswith(tag)
        ]

    def of_call(self, call: Call) -> list[Entry]:
        """The attempts that arrived while `call` ran."""
        return [e for e in self.log if call.began <= self.zero + e.received_s <= call.ended]


Judge = Callable[[Seen], Iterable[Check]]
Story = Callable[["Bed"], Awaitable[None]]


async def one_call(bed: Bed) -> None:
    """The usual story: one request on the route."""
    await bed.call()


async def one_call_and_alive(bed: Bed) -> None:
    """One request, and then a healthy one through the same daemon."""
    await bed.call()
    await bed.call("healthy")


def nothing_more(seen: Seen) -> Iterator[Check]:
    """A row that is judged by its calls alone."""
    yield from ()


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row. `within_s` bounds each of its calls, `lasts_s` is about what it takes.

    `alone`: it measures milliseconds, so nothing else may run beside it. `exact`: it asks for less,
    but how the machine delays it has to be known by the millisecond.
    `wants` is WHOLE, ANYTHING (the judge says what), or the reason of the error that is ideal.
    `traced`: it has a collector of its own, for spans and metrics. `shared`: its store is a real
    Redis of its own, so that the row may start another pod.
    `routes` are further routes: which of the sides stand behind each; the default one has all of
    them, unless it is there too.
    """

    id: str
    fault: str
    sides: tuple[Side, ...]
    judge: Judge = nothing_more
    story: Story = one_call
    wants: str = WHOLE
    text: Writing = SIXTY
    texts: dict[str, Writing] = {}
    within_s: float = 20.0
    lasts_s: float = 4.0
    alone: bool = False
    exact: bool = False
    traced: bool = False
    shared: bool = False
    routes: dict[str, tuple[int, ...]] = {}
    route: dict[str, Any] = {}
    options: dict[str, Any] = {}
    sections: dict[str, Any] = {}
    quotas: tuple[Quota, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a row. `took_s` is the longest of its calls, `figures` what was measured and
    holds; `evidence` is everything that was seen, for whoever has nothing but this text."""

    row: Row
    verdict: Verdict
    seen: str
    broken: tuple[Check, ...]
    took_s: float
    figures: tuple[Check, ...] = ()
    evidence: str = ""


def required(what: str, holds: bool, seen: object = "") -> Check:
    return Check(what, holds, str(seen))


def measured(what: str, holds: bool, seen: object) -> Check:
    """Required too; and the figure stands on the page."""
    return Check(what, holds, str(seen), measured=True)


def advisory(what: str, holds: bool, seen: object = "") -> Check:
    return Check(what, holds, str(seen), Weight.ADVISORY)


def ideal(what: str, holds: bool, seen: object = "") -> Check:
    return Check(what, holds, str(seen), Weight.IDEAL)


def checks_of_call(row: Row, call: Call) -> Iterator[Check]:
    """What holds for every call: it ends in time, and never sells a cut answer as a whole one."""
    within_s = ALIVE_S if call.route == "healthy" else row.within_s
    yield required(f"ended within {within_s:g} s", call.took_s <= within_s, _s(call.took_s))
    wants = WHOLE if call.route == "healthy" else row.wants
    if wants == ANYTHING:
        return
    text = SIXTY if call.route == "healthy" else row.texts.get(call.route, row.text)
    if call.error is not None:
        clean = call.error.from_daemon
        yield required("an error is clean", clean, f"{call.error.code.name} {call.ending}")
        yield ideal(f"wanted {wants}", call.error.reason == wants, call.ending)
        return
    whole = (call.said.reasoning, call.said.answer) == (text.reasoning, text.answer)
    yield required("no cut or garbled answer passes as success", whole, _difference(call, text))
    yield ideal(f"wanted {wants}", wants == WHOLE, call.ending)


def judge(seen: Seen) -> Outcome:
    """The verdict of section 1 of the card."""
    row = seen.row
    checks = [check for call in seen.calls for check in checks_of_call(row, call)]
    checks.append(required("the daemon ends cleanly", seen.exit_code == 0, seen.exit_code))
    checks += row.judge(seen)
    broken = tuple(dict.fromkeys(check for check in checks if not check.holds))
    return Outcome(
        row=row,
        verdict=verdict({check.weight for check in broken}),
        seen=summary(seen),
        broken=broken,
        took_s=max((call.took_s for call in seen.calls), default=0.0),
        figures=tuple(dict.fromkeys(c for c in checks if c.holds and c.measured)),
    )


def verdict(broken: set[Weight]) -> Verdict:
    """From the weights of what does not hold."""
    if Weight.REQUIRED in broken:
        return Verdict.FAIL
    if Weight.IDEAL in broken:
        return Verdict.SAFE
    return Verdict.PARTIAL if Weight.ADVISORY in broken else Verdict.PASS


def summary(seen: Seen) -> str:
    """The attempts by target, and how the calls ended."""
    by_model: dict[str, list[str]] = {}
    for entry in seen.log:
        end = entry.ending.value if entry.status == 200 else str(entry.status or "no answer")
        by_model.setdefault(entry.model, []).append(end)
    targets = [f"{model}: {_runs(ends)}" for model, ends in by_model.items()]
    if len(targets) > MOST_TOLD:
        targets = [*targets[:MOST_TOLD], f"and {len(targets) - MOST_TOLD} models more"]
    ways = [a.continuation.value.upper() for call in seen.calls for a in call.attempts[1:]]
    ends = _runs([call.ending for call in seen.calls])
    return "; ".join(part for part in (*targets, _runs(ways), ends) if part)


def _runs(words: list[str]) -> str:
    """Equal neighbours are counted: "503 x3, complete"."""
    counted = [(word, len(list(run))) for word, run in groupby(words)]
    return ", ".join(word if count == 1 else f"{word} x{count}" for word, count in counted)


def _difference(call: Call, text: Writing) -> str:
    said = call.said
    return (
        f"{len(said.reasoning)} + {len(said.answer)} characters, "
        f"wanted {len(text.reasoning)} + {len(text.answer)}"
    )


def _s(seconds: float) -> str:
    return f"{seconds:.2f} s"
