"""Threads: one works, the others only carry for it."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

# How much lower than the loop's thread the others stand, in steps of nice (setpriority(2)).
STEPS = 5


def stand_back() -> None:
    """Let every other thread of this process (gRPC's poller and its pool) give way to the loop's.

    On a core of its own a daemon is otherwise preempted by its own poller at every message: the two
    hand a token to and fro. Measured in docs/decisions/0003: 12 % of the processor time of a
    stream, and half of the added p99. Threads inherit it from those that make them. Linux only;
    elsewhere priorities belong to processes.
    """
    if sys.platform != "linux":
        return
    own = threading.get_native_id()
    for task in os.listdir("/proc/self/task"):
        if int(task) != own:
            # A thread that has just ended is no matter; nor is a kernel that will not have it.
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, int(task), STEPS)
