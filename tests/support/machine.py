"""How long the machine let our processes wait for a CPU: no promise of theirs covers that."""

from __future__ import annotations

import asyncio
import os
from bisect import bisect_left, bisect_right
from pathlib import Path

# Between two readings, seconds; a wait is known as exactly as that.
EVERY_S = 0.005


class Starvation:
    """While entered, reads how long this process and `pids` stood in the run queue (Linux only;
    elsewhere it is taken to be never)."""

    def __init__(self, *pids: int) -> None:
        self._pids = (os.getpid(), *pids)
        self._times: list[float] = []
        self._totals: list[float] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Starvation:
        self._read()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._read()

    def waited_s(self, begin: float, end: float) -> float:
        """Seconds of waiting between two moments of the loop's time."""
        first = max(bisect_right(self._times, begin) - 1, 0)
        last = min(bisect_left(self._times, end), len(self._times) - 1)
        return self._totals[last] - self._totals[first]

    def worst_s(self, window_s: float) -> float:
        """The most that was waited in any window of that length."""
        return max((self.waited_s(at, at + window_s) for at in self._times), default=0.0)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            self._read()

    def _read(self) -> None:
        self._times.append(asyncio.get_running_loop().time())
        self._totals.append(sum(map(_run_queue_s, self._pids)))


def _run_queue_s(pid: int) -> float:
    """What all threads of a process have waited for a CPU so far."""
    waited_ns = 0
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            waited_ns += int(task.read_text().split()[1])
        except (OSError, IndexError, ValueError):
            continue  # the thread ended meanwhile
    return waited_ns / 1e9
