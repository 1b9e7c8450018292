"""Metrics, aggregated here and published once an interval.

`Histogram.record` of the SDK costs 7.7 us, and a request needs ten of them; one lookup and ten
additions here cost 6 us together (docs/decisions/0008). All of it happens on the event loop, so
there is no lock; what leaves the loop is a `Snapshot`, which nobody changes any more.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

import msgspec

from sidecar.core.events import AttemptCause
from sidecar.core.failure import Reason
from sidecar.core.request import Text
from sidecar.core.usage import NOTHING
from sidecar.telemetry import semconv, tree
from sidecar.telemetry.record import AttemptTrace, RequestTrace
from sidecar.telemetry.semconv import Family, Instrument, Kind

SERIES_LIMIT = 2000
"""Series of one family: the SDK specification's default cardinality limit."""

_NO_SUCH_MODEL = frozenset((Reason.UNKNOWN_MODEL.value, Reason.INVALID_REQUEST.value))

Key = tuple[str | int, ...]
Attributes = tuple[tuple[str, str | int | bool], ...]


class Histogram:
    """Counts per bucket; a value equal to a bound belongs to the bucket below it, as in OTLP."""

    __slots__ = ("bounds", "count", "counts", "high", "low", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.count = 0
        self.total = 0.0
        self.low = float("inf")
        self.high = float("-inf")

    def record(self, value: float, times: int = 1) -> None:
        self.counts[bisect_left(self.bounds, value)] += times
        self.count += times
        self.total += value * times
        if value < self.low:
            self.low = value
        if value > self.high:
            self.high = value


class Point(msgspec.Struct, frozen=True):
    """One series of one metric as it was at the time of the snapshot.

    `counts` is empty for counters and gauges; `value` is the sum of a histogram.
    """

    attributes: Attributes
    value: int | float
    counts: tuple[int, ...] = ()
    bounds: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 0.0


class Published(msgspec.Struct, frozen=True):
    """One metric with all its points."""

    name: str
    unit: str
    description: str
    kind: Kind
    points: tuple[Point, ...]


class Series:
    """Everything measured under one set of attributes."""

    __slots__ = ("counters", "histograms")

    def __init__(self, family: Family) -> None:
        self.histograms = {name: Histogram(bounds) for name, bounds in family.histograms}
        self.counters = dict.fromkeys(family.counters, 0)


class Table:
    """The series of one family, by the values of its attributes; bounded.

    Past the limit all further sets share one series, marked `otel.metric.overflow`.
    """

    __slots__ = ("_limit", "_series", "family")

    def __init__(self, family: Family, limit: int = SERIES_LIMIT) -> None:
        self.family = family
        self._limit = limit
        self._series: dict[Key, Series] = {}

    def at(self, key: Key) -> Series:
        found = self._series.get(key)
        return self._new(key) if found is None else found

    def _new(self, key: Key) -> Series:
        if len(self._series) >= self._limit - 1:
            key = ()
        return self._series.setdefault(key, Series(self.family))

    def points(self, instrument: Instrument) -> Iterator[Point]:
        """One point per series; histograms that never heard a value are left out."""
        for key, series in self._series.items():
            attributes = self._attributes(key, instrument)
            if instrument.kind is Kind.COUNTER:
                yield Point(attributes, series.counters[instrument.measure])
                continue
            measured = series.histograms[instrument.measure]
            if measured.count:
                yield Point(
                    attributes,
                    measured.total,
                    tuple(measured.counts),
                    measured.bounds,
                    measured.low,
                    measured.high,
                )

    def _attributes(self, key: Key, instrument: Instrument) -> Attributes:
        if not key:
            return (*instrument.extra, (semconv.METRIC_OVERFLOW, True))
        named = zip(self.family.attributes, key, strict=True)
        given = (pair for pair in named if pair[1] and pair[0] not in instrument.without)
        return (*self.family.fixed, *instrument.extra, *given)


class Recorder:
    """Turns finished records into measurements."""

    __slots__ = ("_instruments", "_tables")

    def __init__(self, profiles: tuple[semconv.Profile, ...]) -> None:
        self._tables = {family.name: Table(family) for family in semconv.FAMILIES}
        generations = (profile.instruments for profile in profiles)
        self._instruments = (*(i for each in generations for i in each), *semconv.OWN)

    def request(self, request: RequestTrace) -> None:
        """Everything one request adds."""
        took = (request.end_ns - request.start_ns) / 1e9
        self.call(request.method, request.status_code, took)
        last = request.last
        who: Key = (
            last.provider if last else semconv.NO_PROVIDER,
            # A model nobody knows is any word of the caller's: not a series for each.
            semconv.OTHER if request.error_type in _NO_SUCH_MODEL else request.model,
            request.response_model,
            last.server_address if last else "",
            last.server_port if last else 0,
        )
        self._operation(request, who, took)
        self._usage(request, who)
        for wait in request.waits:
            waited = self._tables["queue"].at((wait.reason,)).histograms["duration"]
            waited.record((wait.end_ns - wait.start_ns) / 1e9)
        before: AttemptTrace | None = None
        for attempt in request.attempts:
            self._attempt(attempt, before)
            before = attempt

    def call(self, method: str, status_code: str, took_s: float) -> None:
        """One remote procedure call."""
        error = status_code if status_code in semconv.SERVER_ERRORS else ""
        series = self._tables["rpc"].at((method, status_code, error))
        series.histograms["duration"].record(took_s)

    def dropped(self, signal: str, reason: str, count: int) -> None:
        """Telemetry that was lost."""
        self._tables["dropped"].at((signal, reason)).counters["count"] += count

    def _operation(self, request: RequestTrace, who: Key, took: float) -> None:
        measures = self._tables["operation"].at((*who, request.error_type)).histograms
        start = request.start_ns
        measures["duration"].record(took)
        if request.first_token_ns and request.streaming:
            measures["first_chunk"].record((request.first_token_ns - start) / 1e9)
            gaps = request.chunks - 1
            if gaps > 0 and request.last_token_ns:
                each = (request.last_token_ns - request.first_token_ns) / gaps / 1e9
                measures["per_chunk"].record(each, gaps)
        if request.first_answer_ns:
            measures["first_answer"].record((request.first_answer_ns - start) / 1e9)
        # The conventions ask for a 0 here where nothing was told, and for nothing in `_usage`.
        usage = request.usage or NOTHING
        measures["input"].record(usage.input_tokens)
        measures["output"].record(usage.output_tokens)

    def _usage(self, request: RequestTrace, who: Key) -> None:
        usage = request.usage
        series = self._tables["usage"].at((*who, modality(request)))
        if usage is None:
            return
        series.histograms["input_each"].record(usage.input_tokens)
        series.histograms["output_each"].record(usage.output_tokens)
        counters = series.counters
        counters["input"] += usage.input_tokens
        counters["output"] += usage.output_tokens
        counters["cache_read"] += usage.cached_input_tokens
        counters["cache_write"] += usage.cache_write_tokens
        counters["reasoning"] += usage.reasoning_tokens
        counters["cost_input"] += request.cost.input_nano_usd
        counters["cost_reasoning"] += request.cost.reasoning_nano_usd
        counters["cost_answer"] += request.cost.answer_nano_usd
        counters["cost_unknown"] += request.cost.unknown

    def _attempt(self, attempt: AttemptTrace, before: AttemptTrace | None) -> None:
        outcome = attempt.outcome.value if attempt.outcome else ""
        error = tree.error_type(attempt) if tree.failed(attempt) else ""
        series = self._tables["attempt"].at((attempt.provider, attempt.model, outcome, error))
        series.histograms["duration"].record((attempt.end_ns - attempt.start_ns) / 1e9)
        if before is not None and attempt.cause is AttemptCause.FAILOVER:
            moved = (before.provider, attempt.provider, before.reason)
            self._tables["failover"].at(moved).counters["count"] += 1

    def snapshot(self) -> tuple[Published, ...]:
        """Every metric that has a point."""
        made = (self._published(instrument) for instrument in self._merged())
        return tuple(metric for metric in made if metric.points)

    def _merged(self) -> Iterator[tuple[Instrument, ...]]:
        """Instruments that share a name are one metric."""
        named: dict[str, tuple[Instrument, ...]] = {}
        for instrument in self._instruments:
            named[instrument.name] = (*named.get(instrument.name, ()), instrument)
        return iter(named.values())

    def _published(self, instruments: tuple[Instrument, ...]) -> Published:
        first = instruments[0]
        points = tuple(
            point
            for instrument in instruments
            for point in self._tables[instrument.family].points(instrument)
        )
        return Published(first.name, first.unit, first.description, first.kind, points)


def modality(request: RequestTrace) -> str:
    """`gen_ai.token.modality`: text only where nothing else can have been counted."""
    asked = request.completion
    if request.usage is None or request.usage.estimated or asked is None:
        return semconv.MODALITY_UNKNOWN
    plain = all(isinstance(part, Text) for turn in asked.messages for part in turn.content)
    return semconv.MODALITY_TEXT if plain else semconv.MODALITY_UNKNOWN
