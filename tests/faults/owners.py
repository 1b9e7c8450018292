"""H34: two keys of one organisation, configured as two quotas."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator

from sidecar.testing import Quota
from tests.faults.bed import Bed
from tests.faults.bounds import well_used
from tests.faults.card import ANYTHING, Check, Row, Seen, Side, required

# The organisation's limit; each of its keys is configured as if it had one of its own.
RATE, BURST = 8, 10
KEYS = ("openai-1", "openai-2")
CALLERS = 12
# How long is asked, and from when on the keys are to be known as one, seconds.
ASKED_S, KNOWN_S = 8.0, 3.0
# What a machine under load may move a request, in requests.
JITTER = 4
WELL_USED = 0.90


async def two_quotas(bed: Bed) -> None:
    """Callers that ask again and again, as fast as the daemon lets them."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def caller() -> None:
        while loop.time() < began + ASKED_S:
            await bed.call()

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    bed.notes["held_up_s"] = bed.starved.worst_s(1.0)
    keys = (await bed.client.status()).keys
    bed.notes["told"] = sorted((key.alias, tuple(key.same_owner_as)) for key in keys)


def h34(seen: Seen) -> Iterator[Check]:
    one, two = KEYS
    told = seen.notes["told"]
    yield required("reported in the status", told == [(one, (two,)), (two, (one,))], told)
    refused = [entry.received_s for entry in seen.log if entry.status == 429]
    first = seen.log[0].received_s
    late = [at for at in refused if at > first + KNOWN_S]
    # What the machine held up arrives in one heap: the provider forgives as many as JITTER.
    heap = math.ceil(RATE * seen.notes["held_up_s"])
    more = max(heap - JITTER, 0)
    told = f"{len(late)}, {len(refused) - len(late)} before"
    yield required("no 429 once they are one", len(late) <= more, told)
    span_s = ASKED_S - KNOWN_S
    served = [e for e in seen.log if e.status == 200 and KNOWN_S <= e.received_s - first < ASKED_S]
    yield required("no more than the organisation's limit",
                   len(served) <= RATE * span_s + max(heap, JITTER),
                   f"{len(served)} in {span_s:g} s at {RATE} a second")  # fmt: skip
    lost_s = seen.starved_s(seen.zero + first + KNOWN_S, seen.zero + first + ASKED_S)
    yield well_used("at least 90 % of it is used", WELL_USED, len(served), RATE, span_s,
                    min(lost_s, span_s - 1.0))  # fmt: skip
    failed = [call.ending for call in seen.calls if call.error is not None]
    yield required("no caller sees an error", not failed, failed[:3])


OWNERS = (
    Row(id="H34", fault="two keys of one organisation, configured as two quotas", judge=h34,
        story=two_quotas, wants=ANYTHING, lasts_s=9, alone=True,
        sides=(Side(provider="openai", model="fake-4", keys=KEYS,
                    limits=({"requests": RATE, "per": "1s", "burst": BURST - JITTER,
                             "each": "key"},)),),
        quotas=(Quota("rate", "bucket", RATE, per_s=1.0, burst=BURST),)),
)  # fmt: skip
