"""Carrying out steps, on a wire that only takes notes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from sidecar.core.money import FREE
from sidecar.testing import virtual
from sidecar.testing.actions import Action, Begin, Cut, Finish, Head, How, Send, Wait
from sidecar.testing.asked import Incoming
from sidecar.testing.exchange import Exchange, Facts
from sidecar.testing.journal import Ending
from sidecar.testing.virtual import in_virtual_time
from sidecar.testing.wire import perform


class Notes:
    """What was done, and when; each write takes `slow_s` to be taken."""

    def __init__(self, slow_s: float = 0.0) -> None:
        self.slow_s = slow_s
        self.done: list[tuple[float, str]] = []

    def _note(self, text: str) -> None:
        self.done.append((round(virtual.clock().now(), 6), text))

    def head(self, head: Head) -> None:
        self._note(f"head {head.status}")

    def send(self, data: bytes) -> None:
        self._note(f"send {data.decode()}")

    async def wait_writable(self) -> None:
        if self.slow_s:
            await asyncio.sleep(self.slow_s)

    def finish(self) -> None:
        self._note("finish")

    def cut(self, how: How) -> None:
        self._note(f"cut {how.value}")


def exchange(steps: list[Action]) -> Exchange:
    actions: Iterator[Action] = iter(steps)
    facts = Facts(
        number=1, received_s=0.0, received_wall_ns=0, incoming=Incoming("POST", "/", {}, b"")
    )
    return Exchange(
        facts, actions, began_at=0.0, price=lambda usage: FREE, hold=None,
        over=lambda: None, moved=lambda: None,
    )  # fmt: skip


@in_virtual_time
async def test_steps_are_done_in_order_and_on_time() -> None:
    notes, running = Notes(), exchange(
        [Begin(), Wait(1.0), Head(200), Wait(0.5), Send(b"a", answer=1), Send(b"b"), Finish()]
    )  # fmt: skip
    await perform(running, notes, virtual.clock())
    assert notes.done == [(1.0, "head 200"), (1.5, "send a"), (1.5, "send b"), (1.5, "finish")]
    entry = running.entry()
    assert (entry.head_s, entry.first_token_s, entry.ended_s) == (1.0, 1.5, 1.5)
    assert (entry.ending, entry.usage.output_tokens) == (Ending.COMPLETE, 1)


@in_virtual_time
async def test_waits_count_from_when_the_last_step_was_due_and_do_not_drift() -> None:
    notes = Notes(slow_s=0.4)
    steps: list[Action] = [Head(200)]
    for _ in range(4):
        steps += [Wait(1.0), Send(b"x")]
    running = exchange([*steps, Finish()])
    await perform(running, notes, virtual.clock())
    assert [when for when, what in notes.done if what == "send x"] == [1.0, 2.0, 3.0, 4.0]
    assert running.entry().blocked_s == 1.6


@in_virtual_time
async def test_nothing_is_done_after_a_cut() -> None:
    notes, running = Notes(), exchange([Cut(How.RESET), Send(b"late")])
    await perform(running, notes, virtual.clock())
    assert notes.done == [(0.0, "cut reset")]
    assert running.entry().ending is Ending.CUT


@in_virtual_time
async def test_hidden_tokens_are_counted_and_not_sent() -> None:
    notes, running = Notes(), exchange(
        [Begin(), Head(200), Send(b"", reasoning=1), Send(b"a", answer=1), Finish()]
    )  # fmt: skip
    await perform(running, notes, virtual.clock())
    assert [what for _, what in notes.done] == ["head 200", "send a", "finish"]
    assert running.entry().usage.reasoning_tokens == 1


@in_virtual_time
async def test_what_was_sent_before_the_model_began_is_free() -> None:
    running = exchange([Head(200), Send(b"x", answer=1), Finish()])
    await perform(running, Notes(), virtual.clock())
    assert running.entry().usage.output_tokens == 0


@in_virtual_time
async def test_only_the_first_end_counts() -> None:
    running = exchange([Cut()])
    await perform(running, Notes(), virtual.clock())
    running.end(Ending.CLIENT_CLOSED, 9.0)
    assert (running.entry().ending, running.entry().ended_s) == (Ending.CUT, 0.0)


@in_virtual_time
async def test_steps_without_an_end_are_a_bug_that_shows() -> None:
    with pytest.raises(RuntimeError, match="must come to an end"):
        await perform(exchange([Head(200)]), Notes(), virtual.clock())


@in_virtual_time
async def test_an_end_without_a_head_is_a_bug_that_shows() -> None:
    with pytest.raises(AssertionError, match="before its head"):
        await perform(exchange([Finish()]), Notes(), virtual.clock())
