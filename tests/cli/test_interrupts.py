"""Ctrl-C, also where Python's own exception for it gets lost."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from functools import partial

import pytest

from sidecar.cli.interrupts import interruptible


def swallowed() -> None:
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def swallowed_and_broken() -> None:
    swallowed()
    raise ConnectionError("cancelled")


@pytest.mark.parametrize(
    "block", [partial(signal.raise_signal, signal.SIGINT), swallowed, swallowed_and_broken]
)
def test_an_interrupt_cancels_and_ends_the_block(block: Callable[[], None]) -> None:
    cancelled: list[bool] = []
    with pytest.raises(KeyboardInterrupt), interruptible(lambda: cancelled.append(True)):
        block()
    assert cancelled == [True]


def test_the_handler_before_is_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interruptible(lambda: None):
        pass
    assert signal.getsignal(signal.SIGINT) is before
