"""How long the machine let our processes wait for a CPU: no promise of theirs covers that."""

from __future__ import annotations

import asyncio
import os
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from pathlib import Path

# Between two readings, seconds; a wait is known as exactly as that.
EVERY_S = 0.005
# A timer of the loop is not more exact than this, even on an idle machine.
TIMER_S = 0.002
# In what /proc/stat counts, by the second (proc(5)); and which of a line's fields is stolen time.
TICKS_S, STEAL = os.sysconf("SC_CLK_TCK"), 8


class Starvation:
    """While entered, adds up how long the machine kept `pids` and this process from running.

    Three things: how long threads of `pids` stood in the run queue; how long this process did, or
    how late its loop came to a reading, if that is more (provider and caller of a test live on that
    loop: what they do late, nobody else did); and what the hypervisor took from the machine. Linux
    only; elsewhere the first and the last are taken to be nothing.
    """

    def __init__(self, *pids: int, every_s: float = EVERY_S) -> None:
        self._others = [RunQueue(pid) for pid in pids]
        self._own = RunQueue(os.getpid())
        self._stolen = Growth(_stolen_s)
        self._every_s = every_s
        self._times: list[float] = []
        self._totals: list[float] = []
        self._task: asyncio.Task[None] | None = None

    def watch(self, pid: int) -> None:
        """From now on this process too; what it waited before is not counted."""
        queue = RunQueue(pid)
        queue.grown_s()
        self._others.append(queue)

    async def __aenter__(self) -> Starvation:
        self._read(0.0)
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._read(0.0)

    def waited_s(self, begin: float, end: float) -> float:
        """Seconds of waiting between two moments of the loop's time. What several waited for at
        once counts for each, but all of it for no more than there is between them."""
        if not self._times:
            return 0.0
        first = max(bisect_right(self._times, begin) - 1, 0)
        last = min(bisect_left(self._times, end), len(self._times) - 1)
        return min(max(self._totals[last] - self._totals[first], 0.0), max(end - begin, 0.0))

    def worst_s(self, window_s: float) -> float:
        """The most that was waited in any window of that length."""
        return max((self.waited_s(at, at + window_s) for at in self._times), default=0.0)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + self._every_s
            await asyncio.sleep(self._every_s)
            self._read(loop.time() - due - TIMER_S)

    def _read(self, late_s: float) -> None:
        waited_s = sum(queue.grown_s() for queue in self._others)
        waited_s += max(self._own.grown_s(), late_s) + self._stolen.grown_s()
        before_s = self._totals[-1] if self._totals else 0.0
        self._times.append(asyncio.get_running_loop().time())
        self._totals.append(before_s + waited_s)


class Growth:
    """By how much a total grew since it was last asked; the first time by nothing."""

    def __init__(self, total: Callable[[], float]) -> None:
        self._total = total
        self._last = total()

    def grown_s(self) -> float:
        now = self._total()
        grown, self._last = max(now - self._last, 0.0), now
        return grown


class RunQueue:
    """What the threads of a process wait for a CPU. Threads come and go, and the process may end:
    the sum over all of them may fall, so each is followed by itself."""

    def __init__(self, pid: int) -> None:
        self._folder = f"/proc/{pid}/task"
        self._known: dict[str, float] = {}
        self._known = self._read()

    def grown_s(self) -> float:
        """Since it was last asked."""
        before, self._known = self._known, self._read()
        return sum(
            # A smaller one is of another thread, which was given the number anew.
            waited - before.get(thread, 0.0) if waited >= before.get(thread, 0.0) else waited
            for thread, waited in self._known.items()
        )

    def _read(self) -> dict[str, float]:
        try:
            threads = os.listdir(self._folder)
        except OSError:
            return {}  # it ended
        return {name: self._waited_s(name) for name in threads}

    def _waited_s(self, thread: str) -> float:
        """The second number of its schedstat; what it was before if the thread just ended."""
        try:
            # Without pathlib: this is read two hundred times a second, for every thread.
            with open(f"{self._folder}/{thread}/schedstat", "rb", buffering=0) as file:
                return int(file.read().split()[1]) / 1e9
        except (OSError, IndexError, ValueError):
            return self._known.get(thread, 0.0)


def _stolen_s() -> float:
    """What the hypervisor gave to other machines since this one began, over all CPUs."""
    try:
        with Path("/proc/stat").open() as lines:
            return int(lines.readline().split()[STEAL]) / TICKS_S
    except (OSError, IndexError, ValueError):
        return 0.0
