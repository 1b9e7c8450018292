"""H29 to H33: keys that are revoked, cooling, out of money, not allowed a model; fewer seats."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from sidecar.testing import Ending, Quota
from tests.faults.bed import Bed
from tests.faults.bounds import in_time, well_used
from tests.faults.card import ANYTHING, Call, Check, Row, Seen, Side, measured, required
from tests.faults.published import BACKUP, complete, refused, rescued

# H29: so many streams before and after, and how long a revoked key may still be used.
STREAMS, FORGOTTEN_S = 12, 0.100
# H30: what the provider asks for, and within what a hopeless request is told so.
COOLING_S, TOLD_S = 3.0, 0.010
# ... and how exactly it is told when the first key is back.
RIGHT_S = 0.1
# H31: when an account without money is tried again, and within what the row asks for that.
PROBED_S, ASKED_WITHIN_S = 600.0, 60.0
# H33: the account's seats before and after, who asks for them, how long it is watched, and from
# when on it is to have learned. Reading the body it may be refused twice, in the dark ten times.
SEATS, FEWER_SEATS, CALLERS, WATCHED_S, LEARNED_S = 80, 12, 40, 8.0, 4.0
MOST_REFUSED, WELL_USED = 10, 0.90
# One stream's length, over which the callers begin; and what a refusal takes to be read, besides
# the time in which the machine had no CPU for the daemon.
STREAM_S, READ_S = 0.9, 0.010
THREE = ("primary-1", "primary-2", "primary-3")


async def revoked_in_traffic(bed: Bed) -> None:
    """Streams on three keys; one key is revoked while they run, and more streams follow."""
    before = [asyncio.create_task(bed.call()) for _ in range(STREAMS)]
    await bed.wait_log(lambda log: sum(1 for e in log if e.first_token_s) >= STREAMS)
    bed.provider.provider.revoke(THREE[0])
    after = [asyncio.create_task(bed.call()) for _ in range(STREAMS)]
    await asyncio.gather(*before, *after)
    await asyncio.gather(*(bed.call() for _ in range(STREAMS)))


def h29(seen: Seen) -> Iterator[Check]:
    used = {entry.key for entry in seen.log if entry.status == 200}
    yield required("all keys served", used == set(THREE), sorted(used))
    # From when the refusal was written: before, nobody could have read it.
    refusals = [entry.ended_s or entry.received_s for entry in seen.log if entry.status == 401]
    yield required("the revoked key was refused", bool(refusals), len(refusals))
    told = min(refusals, default=0.0)
    uses = [entry.received_s for entry in seen.log if entry.key == THREE[0]]
    late = [at for at in uses if later_s(seen, told, at) > FORGOTTEN_S]
    yield required("no use of it 100 ms later", not late, late)
    cut = [entry.ending.value for entry in seen.log if entry.status == 200
           and entry.ending is not Ending.COMPLETE]  # fmt: skip
    yield required("running streams are untouched", not cut, cut)


def later_s(seen: Seen, begin: float, end: float) -> float:
    """From one moment of the provider's log to another, less what the machine took."""
    return end - begin - seen.starved_s(seen.zero + begin, seen.zero + end)


async def all_cooling(bed: Bed) -> None:
    """One request waits for the keys; another has too short a deadline for that."""
    patient = asyncio.create_task(bed.call())
    # An answer on its way to the daemon is not one that it has read.
    await bed.wait_status(lambda status: sum(key.HasField("not_now") for key in status.keys) == 2)
    await bed.call(timeout_s=1.0)
    await patient


def h30(seen: Seen) -> Iterator[Check]:
    hurried, patient = seen.calls
    yield required("a short deadline is refused", hurried.ending == "DEADLINE_TOO_SHORT",
                   hurried.ending)  # fmt: skip
    yield in_time("within 10 ms", TOLD_S, seen.starved_s, hurried.began, hurried.ended)
    yield from right_time(seen, hurried)
    yield rescued(patient)
    yield complete(patient)
    times = [entry.received_s for entry in seen.log]
    yield required("three calls in all", len(times) == 3, len(times))
    waits = [later - earlier for earlier, later in zip(times, times[2:], strict=False)]
    kept = all(wait >= COOLING_S - 0.05 for wait in waits)
    yield required("no call before Retry-After ends", kept, [f"{wait:.2f} s" for wait in waits])


def right_time(seen: Seen, hurried: Call) -> Iterator[Check]:
    """RetryInfo says when the first key is back: it counts from when the daemon heard of it."""
    refused = seen.zero + seen.log[0].received_s
    back_s = refused + COOLING_S - hurried.began
    told_s = hurried.error.retry_after_s if hurried.error is not None else None
    margin_s = RIGHT_S + seen.starved_s(refused, hurried.ended)
    near = told_s is not None and abs(told_s - back_s) <= margin_s
    yield required("RetryInfo tells when", near, f"{told_s}, the first key is back in {back_s:.2f}")


async def spent(bed: Bed) -> None:
    for route in ("default", "default", "alone"):
        await bed.call(route)
    status = await bed.client.status()
    bed.notes["probed_in_s"] = [
        (key.not_now.until.ToNanoseconds() - status.time.ToNanoseconds()) / 1e9
        for key in status.keys
        if key.provider == "primary" and key.not_now.HasField("until")
    ]


def h31(seen: Seen) -> Iterator[Check]:
    *saved, alone = seen.calls
    for call in saved:
        yield rescued(call)
        yield complete(call)
    mine = [entry for entry in seen.log if entry.account == "primary"]
    yield required("the account is asked once", len(mine) == 1, len(mine))
    yield from refused(alone, "SPEND_LIMIT")
    told = alone.error.retry_after_s if alone.error else None
    yield required("no RetryInfo", told is None, told)
    probes = seen.notes["probed_in_s"]
    slow = len(probes) == 1 and PROBED_S - ASKED_WITHIN_S <= probes[0] <= PROBED_S
    yield required("the account is probed after ten minutes", slow, probes)


async def one_model_denied(bed: Bed) -> None:
    for _ in range(4):
        await bed.call("denied")
    await asyncio.gather(*(bed.call("other") for _ in range(4)))


def h32(seen: Seen) -> Iterator[Check]:
    denied = [entry for entry in seen.log if entry.status in (403, 404)]
    yield required("asked once with that key", len(denied) == 1, len(denied))
    elsewhere = [e for e in seen.log if e.key == "primary-1" and e.model.endswith("#other")]
    yield required("the key serves its other models", bool(elsewhere), len(elsewhere))


async def fewer_seats(bed: Bed) -> None:
    """Callers who ask again and again; in their midst the account's seats become fewer."""
    over = asyncio.Event()

    async def caller(place: int) -> None:
        # One after the other: streams that end in one wave would be asked for again in one.
        await asyncio.sleep(STREAM_S * place / CALLERS)
        while not over.is_set():
            await bed.call()

    callers = [asyncio.create_task(caller(place)) for place in range(CALLERS)]
    await bed.wait_log(lambda log: len(log) >= CALLERS)
    bed.provider.provider.change_limit("seats", FEWER_SEATS)
    bed.notes["fewer"] = asyncio.get_running_loop().time()
    await asyncio.sleep(WATCHED_S)
    over.set()
    await asyncio.gather(*callers)


def h33(seen: Seen) -> Iterator[Check]:
    fewer = seen.notes["fewer"] - seen.zero
    refusals = [entry for entry in seen.log if entry.status == 429]
    spans = [(entry.received_s, entry.ended_s or entry.received_s) for entry in refusals]
    heard = lessons(spans, lambda a, b: seen.starved_s(seen.zero + a, seen.zero + b))
    told = f"{heard}, {len(refusals)} with those already on their way"
    yield measured("at most 10 refusals", heard <= MOST_REFUSED, told)
    begin, end = fewer + LEARNED_S, fewer + WATCHED_S
    held = sum(
        max(min(entry.ended_s or end, end) - max(entry.received_s, begin), 0.0)
        for entry in seen.log
        if entry.status == 200
    )
    # A place is given anew by processes that have to run for it.
    starved_s = seen.starved_s(seen.zero + begin, seen.zero + end)
    yield well_used("at least 90 % are used afterwards", WELL_USED, held, FEWER_SEATS,
                    end - begin, starved_s)  # fmt: skip


def lessons(refusals: list[tuple[float, float]], starved_s: Callable[[float, float], float]) -> int:
    """How many refusals (received, ended) taught something: a request that left before the one
    before it could have been read belongs to that one. `starved_s` of a span of time is how much
    of it the daemon had no CPU."""
    count, read_by = 0, -1.0
    for received_s, ended_s in sorted(refusals):
        if received_s > read_by:
            count += 1
            read_by = ended_s + READ_S + starved_s(received_s, ended_s + READ_S)
    return count


def money(name: str, fault: str, model: str) -> Row:
    sides = (Side(provider="primary", model=model), BACKUP)
    return Row(id=name, fault=fault, sides=sides, story=spent, judge=h31, wants=ANYTHING,
               routes={"alone": (0,)})  # fmt: skip


KEYS = (
    Row(id="H29", fault="one of three keys is revoked in traffic", judge=h29, lasts_s=5,
        story=revoked_in_traffic, exact=True,
        sides=(Side(provider="primary", model="fake-60", keys=THREE),)),
    Row(id="H30", fault="all keys cooling for 3 s", judge=h30, story=all_cooling, lasts_s=6,
        wants=ANYTHING, alone=True,
        sides=(Side(provider="primary", model="fake-60+http-429-3@1..2", keys=THREE[:2],
                    limits=({"requests": 600, "burst": 600, "each": "key"},)),)),
    money("H31", "429 insufficient_quota", "fake-60+refuse-quota"),
    money("H31-402", "402, no balance", "fake-60+http-402"),
    Row(id="H33", fault=f"{SEATS} seats of an account become {FEWER_SEATS}", judge=h33, lasts_s=14,
        story=fewer_seats, within_s=30, exact=True,
        sides=(Side(provider="primary", model="fake-60", limits=({"concurrency": SEATS},)),),
        quotas=(Quota("seats", "concurrency", SEATS),)),
    Row(id="H32", fault="403 for one model on one key", judge=h32, story=one_model_denied,
        lasts_s=8,
        sides=(Side(provider="primary", model="fake-60+deny-primary-1", keys=THREE[:2]),
               Side(provider="primary", model="fake-60", keys=THREE[:2])),
        routes={"denied": (0,), "other": (1,)}),
)  # fmt: skip
