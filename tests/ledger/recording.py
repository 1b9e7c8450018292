"""A process that records as fast as it can and says so, for tests that kill it.

Arguments: path of the ledger, first number. After each `hold` it writes "h<number>\n", after each
`record` "r<number>\n"; odd numbers are held only.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys

from sidecar.core.clock import LoopClock
from sidecar.core.money import Cost
from sidecar.ledger.ledger import Ledger
from tests.ledger.making import entry


async def main(path: str, first: int) -> None:
    ledger = Ledger.open(path, LoopClock(asyncio.get_running_loop()), segment_bytes=20_000)
    for number in itertools.count(first):
        one = entry(number, cost=Cost(number))
        ledger.hold(one)
        os.write(1, b"h%d\n" % number)
        if number % 2 == 0:
            ledger.record(one)
            os.write(1, b"r%d\n" % number)
        if number % 7 == 0:
            await ledger.flush()
        await asyncio.sleep(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
