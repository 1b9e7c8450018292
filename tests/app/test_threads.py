"""gRPC's own threads stand behind the loop's."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, threading
from sidecar.app.threads import STEPS, stand_back

stop = threading.Event()
thread = threading.Thread(target=stop.wait)
thread.start()
before = os.getpriority(os.PRIO_PROCESS, 0)
stand_back()
other = os.getpriority(os.PRIO_PROCESS, thread.native_id)
own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
stop.set()
print(own - before, other - before, STEPS)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="priorities of threads are Linux's")
@pytest.mark.skipif(
    sys.platform == "linux" and os.getpriority(os.PRIO_PROCESS, 0) > 14, reason="too nice already"
)
def test_every_thread_but_the_callers_stands_back() -> None:
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    own, other, steps = map(int, told.stdout.split())
    assert (own, other) == (0, steps)
