"""H42 to H45: prices and usage that are missing, and the whole bill."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headway import Event

from tests.faults.bed import Bed
from tests.faults.card import ANYTHING, Check, Row, Seen, Side, required
from tests.faults.cuts import one_row_each
from tests.faults.published import complete, rescued


def h42(seen: Seen) -> Iterator[Check]:
    result = seen.call.result
    unknown = result is not None and result.cost.unknown
    yield required("the cost is unknown", unknown, result.cost if result else "")
    marked = [row["unknown_price"] for row in seen.ledger]
    yield required("in the ledger too", marked == [1], marked)
    lines = [line for line in seen.daemon_log.splitlines() if "price" in line.lower()]
    yield required("one line in the log", len(lines) == 1, len(lines))
    counted = [point.value for point in seen.points.get("headway.cost.unknown", ())]
    yield required("and in the metric", counted == [1], counted)
    kinds = [point.value for point in seen.points.get("headway.cost", ())]
    yield required("which adds nothing to the cost", not any(kinds), kinds)
    told = [(span.about.get("headway.cost.unknown"), span.about.get("headway.cost.nano_usd"))
            for span in seen.attempt_spans("")]  # fmt: skip
    yield required("in the span it is unknown, and not 0", told == [(True, None)], told)


async def untold(bed: Bed) -> None:
    await bed.call()
    await bed.call("cut", on_interruption="fail")


def h43(seen: Seen) -> Iterator[Check]:
    whole, cut = seen.calls
    yield rescued(whole)
    yield complete(whole)
    yield required("the other was cut", cut.ending == "STREAM_BROKEN", cut.ending)
    counted = [(row["output_tokens"], row["estimated"]) for row in seen.ledger]
    yield required("counted from the deltas", counted == [(60, 1), (40, 1)], counted)


def h44(seen: Seen) -> Iterator[Check]:
    told = [(row["output_tokens"], row["estimated"]) for row in seen.ledger]
    yield required("zero stays zero", told == [(0, 0)], told)
    cost = seen.call.result.cost.total_nano_usd if seen.call.result else -1
    yield required("and costs nothing", cost == 0, cost)


async def all_sorts(bed: Bed) -> None:
    """Failed, resumed, restarted and abandoned attempts; and providers that count what was thought
    outside the output."""
    for route in ("failed", "resumed", "restarted", *OUTSIDE):
        await bed.call(route)
    stream = bed.stream("abandoned")

    def leave_at_the_first_word(event: Event) -> None:
        # What the caller has, the daemon has counted: what the provider wrote may be on its way.
        if event.reasoning or event.answer:
            stream.close()

    await bed.read(stream, "abandoned", leave_at_the_first_word)


def h45(seen: Seen) -> Iterator[Check]:
    yield one_row_each(seen)
    for row, entry in zip(by_start(seen.ledger), seen.log, strict=False):
        name = entry.model
        yield required(f"{name}: the model that ran", row["model"] == name, row["model"])
        if row["outcome"] == "abandoned":
            # What was on its way when the caller left was said, and is not known here.
            enough = 0 < row["output_tokens"] <= entry.usage.output_tokens
            yield required(f"{name}: what came is counted", enough, row["output_tokens"])
            continue
        mine = (row["output_tokens"], row["reasoning_tokens"])
        its = (entry.usage.output_tokens, entry.usage.reasoning_tokens)
        yield required(f"{name}: output as charged", mine == its, f"{mine}, charged {its}")
        spent = row["reasoning_nano_usd"] + row["answer_nano_usd"]
        due = entry.cost.reasoning_nano_usd + entry.cost.answer_nano_usd
        yield required(f"{name}: money as charged", spent == due, f"{spent}, charged {due}")
        if not row["estimated"]:
            right = row["input_nano_usd"] == entry.cost.input_nano_usd
            yield required(f"{name}: input as charged", right, row["input_nano_usd"])
            cached = (row["cached_input_tokens"], entry.usage.cached_input_tokens)
            yield required(f"{name}: cached input apart", cached[0] == cached[1], cached)


def by_start(rows: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: int(row["started_ns"]))


# H45: who counts reasoning beside the output, and not in it.
OUTSIDE = ("gemini", "xai")
THINKER = "fake-reasoner-20-20+cached-5"

MONEY = (
    Row(id="H42", fault="no price for the model", judge=h42, traced=True,
        sides=(Side(provider="primary", model="fake-60", priced=False),)),
    Row(id="H43", fault="no usage: not sent, or cut", judge=h43, story=untold, wants=ANYTHING,
        sides=(Side(provider="primary", model="fake-60+no-usage"),
               Side(provider="primary", model="fake-60+cut-40")),
        routes={"default": (0,), "cut": (1,)}),
    Row(id="H44", fault="usage explicitly 0", judge=h44,
        sides=(Side(provider="primary", model="fake-60+zero-usage"),)),
    Row(id="H45", fault="failed, resumed, restarted and abandoned attempts", judge=h45,
        story=all_sorts, wants=ANYTHING, lasts_s=6,
        sides=(Side(provider="deepseek", model="fake-reasoner-20-20+http-500@1", resume="prefix",
                    reasoning=True),
               Side(provider="deepseek", model="fake-reasoner-20-20+cut-answer-10@1",
                    resume="prefix", reasoning=True),
               Side(provider="primary", model="fake-reasoner-20-20+cut-answer-10@1",
                    reasoning=True),
               Side(provider="primary", model="fake-400", reasoning=True),
               *(Side(provider=name, model=THINKER, reasoning=True) for name in OUTSIDE)),
        routes={"failed": (0,), "resumed": (1,), "restarted": (2,), "abandoned": (3,),
                **{name: (4 + place,) for place, name in enumerate(OUTSIDE)}}),
)  # fmt: skip
