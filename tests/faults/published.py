"""S01 to S16: the rows of the public benchmark, in its set-up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from headway import Attempt

from sidecar.testing import Entry
from tests.faults.bed import Bed
from tests.faults.card import (
    ANYTHING,
    SIXTY,
    Call,
    Check,
    Row,
    Seen,
    Side,
    advisory,
    ideal,
    measured,
    one_call_and_alive,
    required,
)

BACKUP = Side(provider="backup", model="fake-60#backup")
# S15: twenty requests, one every four seconds, an outage of a minute.
REQUESTS, EVERY_S, OUTAGE_S, BACK_WITHIN_S = 20, 4.0, 60.0, 30.0


def both(faults: str) -> tuple[Side, ...]:
    """The primary with these faults, and the healthy fallback."""
    return Side(provider="primary", model=f"fake-60+{faults}"), BACKUP


def at_most(seen: Seen, place: int, most: int) -> Check:
    found = len(seen.on(place))
    return required(f"at most {most} attempts on target {place + 1}", found <= most, found)


def within(seen: Seen, place: int, window_s: float, most: int) -> Check:
    """No hammering: so many attempts on a target in the first seconds since the first."""
    return no_more(seen.on(place), window_s, most)


def no_more(entries: Sequence[Entry], window_s: float, most: int) -> Check:
    times = [entry.received_s for entry in entries]
    early = sum(1 for time in times if time - times[0] <= window_s)
    return required(f"at most {most} attempts in {window_s:g} s", early <= most, early)


def s01(seen: Seen) -> Iterator[Check]:
    yield within(seen, 0, 1.5, 2)
    times = [entry.received_s for entry in seen.on(0)]
    if len(times) > 1:
        gap = times[1] - times[0]
        yield advisory("Retry-After is kept", gap >= 1.8, f"{gap:.2f} s")
    else:
        yield advisory("or the fallback answers", bool(seen.on(1)), len(seen.on(1)))


def s02(seen: Seen) -> Iterator[Check]:
    # Whoever is asked: the fallback's attempts count too.
    yield no_more(seen.log, 3.0, 4)
    yield required("at most 6 attempts in all", len(seen.log) <= 6, len(seen.log))
    yield required("the fallback answers", len(seen.on(1)) == 1, len(seen.on(1)))


def s03(seen: Seen) -> Iterator[Check]:
    yield advisory("one retry on the same target", len(seen.on(0)) == 2, len(seen.on(0)))


async def with_and_without(bed: Bed) -> None:
    """The route with its fallback, and the primary with nowhere to go."""
    await bed.call()
    await bed.call("alone")


def rescued(call: Call) -> Check:
    return ideal("the whole answer", call.result is not None, call.ending)


def refused(call: Call, reason: str) -> Iterator[Check]:
    """A clean error for `reason`, nothing delivered."""
    error = call.error
    yield required("a clean error", error is not None and error.from_daemon, call.ending)
    yield required(f"the error is {reason}", error is not None and error.reason == reason,
                   call.ending)  # fmt: skip
    yield required("nothing is passed off as an answer", not call.said.answer)


def complete(call: Call) -> Check:
    return required("the answer is whole", call.said.answer == SIXTY.answer, len(call.said.answer))


def s04(seen: Seen) -> Iterator[Check]:
    saved, alone = seen.calls
    yield rescued(saved)
    yield complete(saved)
    yield at_most(seen, 0, 6)
    tried = seen.named(f"{seen.row.sides[0].model}#alone")
    yield required("at most 6 attempts alone", len(tried) <= 6, len(tried))
    yield from refused(alone, "ATTEMPTS_EXHAUSTED")
    told = alone.error.metadata if alone.error else {}
    yield required("the original error surfaces", told.get("http_status") == "503", told)


def s06(seen: Seen) -> Iterator[Check]:
    silent = seen.on(0)
    yield advisory("the silent target is asked once", len(silent) == 1, len(silent))


def s07(seen: Seen) -> Iterator[Check]:
    took = seen.call.took_s
    yield advisory("a first-token limit: within 15 s", took <= 15.0, f"{took:.2f} s")
    asked = (len(seen.on(0)), len(seen.on(1)))
    yield advisory("which makes the fallback answer", asked == (1, 1), asked)


def s10(seen: Seen) -> Iterator[Check]:
    """Whatever was shown at any time, taken back later or not, is the beginning of the text."""
    said, garbled = "", []
    for _, event in seen.call.stamps:
        said = "" if isinstance(event, Attempt) else said + (event.answer or "")
        if not SIXTY.answer.startswith(said):
            garbled.append(said[-40:])
    yield required("nothing garbled is ever shown", not garbled, garbled[:1])


def s11(seen: Seen) -> Iterator[Check]:
    result = seen.call.result
    told = result is not None and result.usage.output_tokens == 60 and not result.usage.estimated
    yield advisory("usage is reported", told, result.usage if result else "")


def s12(seen: Seen) -> Iterator[Check]:
    larger, alone = seen.calls
    yield rescued(larger)
    yield complete(larger)
    yield required("asked once", len(seen.on(0)) == 1, len(seen.on(0)))
    tried = seen.named(f"{seen.row.sides[0].model}#alone")
    yield required("asked once alone", len(tried) == 1, len(tried))
    yield from refused(alone, "CONTEXT_TOO_LONG")


def s13(seen: Seen) -> Iterator[Check]:
    yield required("asked once", len(seen.on(0)) == 1, len(seen.on(0)))
    yield advisory("no fallback answers what was refused", not seen.on(1), len(seen.on(1)))
    error = seen.call.error
    told = error is not None and "content" in error.message.lower()
    yield required("with the provider's reason", told, error)


def s14(seen: Seen) -> Iterator[Check]:
    offered = [entry for entry in seen.on(1) if entry.prefix is not None]
    yield required("a refused prefill is learned from", len(offered) <= 1, len(offered))
    error = seen.call.error
    masked = error is not None and error.reason == "PROVIDER_REFUSED"
    yield required("the prefill's 400 is never the final error", not masked, error or "")


async def twenty_calls(bed: Bed) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.TaskGroup() as group:
        for number in range(REQUESTS):
            await asyncio.sleep(max(began + number * EVERY_S - loop.time(), 0.0))
            group.create_task(bed.call())


def s15(seen: Seen) -> Iterator[Check]:
    primary = seen.on(0)
    healed_at = primary[0].received_s + OUTAGE_S
    down = [entry for entry in primary if entry.status == 503]
    back = [entry.received_s for entry in primary if entry.status == 200]
    wait = min(back, default=float("inf")) - healed_at
    yield measured("the primary is back within 30 s", wait <= BACK_WITHIN_S, f"{wait:.1f} s")
    few = len(down) < OUTAGE_S / EVERY_S
    yield advisory("fewer attempts on the dead primary than requests", few,
                   f"{len(down)} in the outage")  # fmt: skip
    out = [call for call in seen.calls if call.ended < seen.zero + healed_at]
    others = [
        call.ending
        for call in out
        if call.result is None or call.result.attempts[-1].model != BACKUP.model
    ]
    yield required("every request in the outage is the fallback's", not others, others[:3])
    whole = len(seen.calls) == REQUESTS and len(out) >= OUTAGE_S / EVERY_S - 2
    yield required("and there were as many as there ought to be", whole, len(out))


def s16(seen: Seen) -> Iterator[Check]:
    yield at_most(seen, 0, 6)
    result = seen.call.result
    if result is None:
        return
    served = result.attempts[-1].model
    yield required("the reported model is the fallback's", served == BACKUP.model, served)
    model = result.response_model
    yield required("and so is the response's", model == BACKUP.model, model)
    told = result.usage.output_tokens == 60 and not result.usage.estimated
    yield advisory("usage is present", told, result.usage)
    lost = [row for row in seen.ledger if row["model"] != BACKUP.model]
    yield required("failed attempts are in the ledger", len(lost) == len(seen.on(0)), len(lost))
    billed = sum(row["output_tokens"] + row["answer_nano_usd"] for row in lost)
    yield required("and cost no completion", billed == 0, billed)


PUBLISHED = (
    Row(id="S01", fault="429 with Retry-After: 2, once", sides=both("http-429-2@1"), judge=s01),
    Row(id="S02", fault="429 without Retry-After, always", sides=both("http-429"), judge=s02,
        within_s=40),
    Row(id="S03", fault="500 once", sides=both("http-500@1"), judge=s03),
    Row(id="S04", fault="503 always; then with nowhere to go", sides=both("http-503"), judge=s04,
        story=with_and_without, routes={"alone": (0,)}, wants=ANYTHING, within_s=40),
    Row(id="S05", fault="TCP reset before any byte, once", sides=both("lose-reset@1")),
    Row(id="S06", fault="accepted, no byte for 120 s", sides=both("silent"), judge=s06,
        within_s=100, lasts_s=35),
    Row(id="S07", fault="headers at once, first token after 20 s", sides=both("first-20"),
        judge=s07, within_s=60, lasts_s=15),
    Row(id="S08", fault="cut after 40 of 60 tokens, always", sides=both("cut-40"), within_s=40,
        lasts_s=6),
    Row(id="S09", fault="20 tokens, 30 s of silence, closed, always", sides=both("stall-20-30"),
        story=one_call_and_alive, within_s=45, lasts_s=35),
    Row(id="S10", fault="event ten is no JSON, always", sides=both("broken-10"),
        judge=s10, story=one_call_and_alive, within_s=30),
    Row(id="S11", fault="no [DONE]", sides=both("no-done"), judge=s11, within_s=8),
    Row(id="S12", fault="400 context_length_exceeded; then with nowhere to go",
        sides=both("refuse-context"), judge=s12, story=with_and_without, routes={"alone": (0,)},
        wants=ANYTHING),
    Row(id="S13", fault="400 content_policy_violation", sides=both("refuse-policy"), judge=s13,
        wants="CONTENT_FILTERED"),
    Row(id="S14", fault="cut after 40 tokens; the fallback refuses a prefill",
        sides=(both("cut-40")[0],
               Side(provider="backup", model="fake-60+prefix-refuse", resume="prefill")),
        judge=s14, within_s=40, lasts_s=6),
    Row(id="S15", fault="503 for 60 s, then healthy; 20 requests", sides=both("http-503@60s"),
        judge=s15, story=twenty_calls, within_s=30, lasts_s=85),
    Row(id="S16", fault="503 always, the fallback answers", sides=both("http-503"), judge=s16,
        within_s=40),
)  # fmt: skip
