"""The demo from its start to its end, and its exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from headway import HeadwayError

from sidecar.cli.advice import failed
from sidecar.cli.demo import scenes, setting
from sidecar.cli.demo.processes import running
from sidecar.cli.ending import FAILED, Failed
from sidecar.cli.show import Show, show_on

# The shell's code for SIGTERM.
TERMINATED = 143
# A socket's path has hardly more than a hundred bytes, of which the demo's own names take forty.
LONGEST_FOLDER = 60


def play(plain: bool) -> int:
    """Play it on standard output; 0 if all that was claimed held. Raises Failed."""
    show = show_on(sys.stdout, plain)
    with tempfile.TemporaryDirectory(prefix="headway-demo-", dir=_where()) as folder:
        try:
            held = asyncio.run(_play(show, Path(folder), os.environ))
        except HeadwayError as error:
            show.end_line()
            raise _told(error, os.environ) from None
        except asyncio.CancelledError:
            show.end_line()
            return TERMINATED
    if held:
        show.note("")
        show.note("Everything above was checked as it happened.", "good")
    return 0 if held else FAILED


def _where() -> str | None:
    """The usual folder, unless its path leaves a socket in it no room: /tmp then."""
    return "/tmp" if len(tempfile.gettempdir()) > LONGEST_FOLDER else None


def _told(error: HeadwayError, environment: Mapping[str, str]) -> Failed:
    """The error; with DeepSeek in it, how to see the demo without."""
    told = failed(error)
    if not environment.get(setting.REAL_KEY):
        return told
    return Failed(*told.lines, f"without {setting.REAL_KEY} the demo needs no network")


async def _play(show: Show, folder: Path, environment: Mapping[str, str]) -> bool:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    real = bool(environment.get(setting.REAL_KEY))
    show.note("Starting a fake provider and a daemon on a Unix socket ...", "plain")
    async with running(folder, real) as parts:
        stage = scenes.Stage(show, parts)
        await scenes.conversation(stage, real)
        await scenes.dies_thinking(stage)
        await scenes.dies_answering(stage)
        await scenes.limited(stage)
        await scenes.ledger(stage)
        return stage.all_held
