"""Ctrl-C while a stream runs: it is cancelled at once, and the command ends as interrupted."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible(cancel: Callable[[], None]) -> Iterator[None]:
    """SIGINT calls `cancel`, and the block ends in KeyboardInterrupt. Main thread only.

    Python's own handler is not enough: where the signal arrives within a callback of gRPC's the
    exception is swallowed there ("exception ignored in"), and the stream would go on spending. So
    it is remembered, and raised when the block ends, however that comes.
    """
    interrupted = False

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        cancel()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if interrupted:
            raise KeyboardInterrupt
