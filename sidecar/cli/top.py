"""`headway top`: the state and the cost of the last minute, live, until somebody presses q."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from headway import Client, HeadwayError
from headway.v1 import control_pb2, status_pb2

from sidecar.cli.advice import failed
from sidecar.cli.ending import MISUSED, Failed
from sidecar.cli.status import page
from sidecar.cli.table import table
from sidecar.cli.words import count, usd

REFRESH_S = 1.0
WINDOW = timedelta(seconds=60)
QUIT = frozenset("qQ\x03\x04\x1b")
FOOT = "q quits"


def run(client: Client, target: str) -> None:
    """Show it until q is pressed. Raises Failed; there has to be a terminal on both sides."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Failed(
            "top needs a terminal", "`headway status --watch` prints to a pipe", code=MISUSED
        )
    try:
        with _keys_at_once():
            _live(client)
    except HeadwayError as error:
        raise failed(error, target) from None


def _live(client: Client) -> None:
    from rich.live import Live
    from rich.text import Text

    with Live(screen=True, auto_refresh=False) as live:
        pressed = ""
        while pressed not in QUIT:
            state = client.status()
            usage = _last_minute(client, state.time)
            width, height = live.console.size
            lines = fitted(screen(state, usage), width, height)
            live.update(Text("\n".join(lines), no_wrap=True), refresh=True)
            pressed = _key_within(REFRESH_S)


def screen(state: status_pb2.DaemonStatus, usage: control_pb2.GetUsageResponse) -> list[str]:
    """Everything there is to see, as lines: what it costs, then what it does."""
    head, *rest = page(state)
    return [head, *_costs(usage), *rest]


def fitted(lines: list[str], width: int, height: int) -> list[str]:
    """What a terminal of this size can show, how much is left out, and how to quit."""
    room = max(height - 1, 1)
    hidden = len(lines) - room
    foot = f"{FOOT}; {count(hidden, 'line')} below" if hidden > 0 else FOOT
    return [line[:width] for line in (*lines[:room], foot)]


def _costs(usage: control_pb2.GetUsageResponse) -> list[str]:
    total = usage.total
    tokens = total.usage.output_tokens
    told = (
        f"last minute: {usd(total.cost.total_nano_usd)}, {count(total.requests, 'request')}, "
        f"{count(total.attempts, 'attempt')}, {tokens:,} tokens out"
    )
    rows = [
        [
            f"{row.provider}/{row.model}",
            f"{row.attempts:,}",
            f"{row.usage.input_tokens:,}",
            f"{row.usage.reasoning_tokens:,}",
            f"{row.usage.output_tokens - row.usage.reasoning_tokens:,}",
            usd(row.cost.total_nano_usd),
        ]
        for row in usage.rows
    ]
    if not rows:
        return [told]
    head = ("spent on", "attempts", "tokens in", "reasoning", "answer", "cost")
    return [told, "", *(f"  {line}" for line in table(head, rows, " rrrrr"))]


def _last_minute(client: Client, now: Timestamp) -> control_pb2.GetUsageResponse:
    return client.usage(since=now.ToDatetime(UTC) - WINDOW, group_by=["provider", "model"])


@contextmanager
def _keys_at_once() -> Iterator[None]:
    """Keys are read as they are pressed, and not shown; the terminal is as before afterwards."""
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd)
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def _key_within(wait_s: float) -> str:
    """The key pressed within `wait_s`; " " if none was."""
    fd = sys.stdin.fileno()
    ready, _, _ = select.select([fd], [], [], wait_s)
    # An end of the input is as good as a q: nobody is there any more.
    return (os.read(fd, 1).decode("latin-1") or "q") if ready else " "
