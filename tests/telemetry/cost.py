"""What one request costs: `python -m telemetry.cost` in `tests/` prints microseconds of CPU."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable

from sidecar.telemetry import Settings, Telemetry

from .making import Kept, StillClock, simple

ROUNDS, REQUESTS = 80, 150


def calls(work: Callable[[], object]) -> int:
    """How many functions `work` calls, Python's and C's: the same on every machine."""
    count = 0

    def hear(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(hear)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def cpu_us(owner: Telemetry) -> float:
    """CPU time of one request, the best of many rounds: a busy machine only ever adds."""
    best = float("inf")
    for _ in range(ROUNDS):
        if owner._pipeline is not None:
            owner._pipeline.exporter._queue.take(1 << 30)
        began = time.process_time()
        for _ in range(REQUESTS):
            simple(owner)
        best = min(best, (time.process_time() - began) / REQUESTS)
    return best * 1e6


def main() -> None:
    def on(**options: object) -> Telemetry:
        settings = Settings(endpoint="http://x", queue_bytes=1 << 30, **options)  # type: ignore[arg-type]
        return Telemetry(settings, StillClock(), random.Random(7), connect=Kept().connect)

    rows = {
        "off": Telemetry.disabled(),
        "on": on(),
        "on, both generations": on(semconv_opt_in="gen_ai_latest_experimental/dup"),
        "on, content too": on(capture_content=True),
    }
    for name, owner in rows.items():
        print(f"{name:24} {cpu_us(owner):6.1f} us, {calls(lambda who=owner: simple(who))} calls")


if __name__ == "__main__":
    main()
