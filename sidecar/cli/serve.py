"""`headway serve`: the daemon in this process. Imports nothing that a daemon does not need."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sidecar.cli.ending import FAILED, MISUSED, complain, told

if TYPE_CHECKING:
    from sidecar.app.daemon import Daemon

STYLES = ("console", "json")
LEVELS = ("debug", "info", "warning", "error")
# Where a file is looked for when none is named, in this order; there need be none.
USUAL_FILES = ("headway.yaml", "/etc/headway/headway.yaml")


class Options(msgspec.Struct, frozen=True):
    """What `serve` may be told. `config` None: see `file_for`."""

    config: str | None = None
    log_format: str = "console"
    log_level: str = "info"


# The long form of every option, its field, and what it may be (empty: anything).
FLAGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "--config": ("config", ()),
    "--log-format": ("log_format", STYLES),
    "--log-level": ("log_level", LEVELS),
}


def options_from(arguments: Sequence[str]) -> Options | None:
    """The options written on a plain command line; None for whatever needs typer's care.

    Help, abbreviations and mistakes are typer's; it costs 60 ms and 10 MB, which a daemon that is
    started as usual should not pay.
    """
    found: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        field, allowed = FLAGS.get(name, ("", ()))
        if not field or field in found or not (equals or rest):
            return None
        value = value if equals else rest.pop(0)
        if not value or value.startswith("-") or (allowed and value not in allowed):
            return None
        found[field] = value
    return Options(**found)


def file_for(given: str | None, environment: Mapping[str, str]) -> Path | None:
    """The file to read: the one given, HEADWAY_CONFIG's, a usual one if it is there, or none."""
    named = given or environment.get("HEADWAY_CONFIG")
    if named:
        return Path(named)
    return next((path for path in map(Path, USUAL_FILES) if path.is_file()), None)


# Set before grpc is imported, unless the user set them. Measured in docs/decisions/0003 with
# grpc.aio: poll saves a futex and a wake-up a message beside epoll with its event engine; nothing
# here ever forks. The loop that drives grpc (0009) rests on the same two: a queue polls its own.
GRPC = {
    "GRPC_POLL_STRATEGY": "poll",
    "GRPC_EXPERIMENTS": "-event_engine_listener",
    "GRPC_ENABLE_FORK_SUPPORT": "0",
    "GRPC_VERBOSITY": "ERROR",
}


# Imported wherever they are installed, and never used by a daemon. httpx has its own command line,
# and with it click and rich: 5 MB and a tenth of a second. redis-py would count by OpenTelemetry's
# SDK, which comes beside it in many images: 2 MB and 40 ms of every start with Redis.
UNWANTED = ("httpx._main", "opentelemetry.sdk.metrics")


def tune() -> None:
    """Process-wide settings of a daemon, before anything else is imported.

    None says that a module is not there, and its importers are prepared for that.
    """
    for name, value in GRPC.items():
        os.environ.setdefault(name, value)
    for module in UNWANTED:
        sys.modules.setdefault(module, None)  # type: ignore[arg-type]


def run(options: Options) -> int:
    """Serve until told to stop. Returns the exit code; says on stderr what a user did wrong."""
    tune()
    from sidecar.app.daemon import Daemon
    from sidecar.app.source import Source
    from sidecar.config.load import BadConfig
    from sidecar.ledger.errors import LedgerUnavailable
    from sidecar.server.problem import CannotListen
    from sidecar.telemetry.log import Redactor, handler

    redactor = Redactor()
    logging.basicConfig(
        handlers=[handler(sys.stderr, options.log_format, redactor)],
        level=options.log_level.upper(),
    )
    source = Source(file_for(options.config, os.environ), os.environ)
    try:
        _loop_of_choice()(_serve(lambda: Daemon(source, os.environ, redactor)))
    except BadConfig as error:
        problems = [redactor.redact(line) for line in told(error.problems)]
        where = str(source.path or "the environment")
        return complain(f"{where} cannot be used", *problems, code=MISUSED)
    except (CannotListen, LedgerUnavailable) as error:
        return complain(redactor.redact(str(error)), code=FAILED)
    return 0


def _loop_of_choice() -> Callable[..., None]:
    """uvloop's runner, asyncio's where there is none (Windows)."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run


def rest_the_collector() -> None:
    """What is there now stays: the collector need not walk it again, nor come by so often.

    A stream makes some hundred objects and leaves no cycle; with Python's defaults (700, 10, 10)
    the collector was 7 % of the instructions of a request.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


async def _serve(make: Callable[[], Daemon]) -> None:
    daemon = make()
    rest_the_collector()
    signals = Signals(daemon, asyncio.get_running_loop())
    try:
        await daemon.serve()
    except asyncio.CancelledError:
        if not signals.at_once:
            raise


class Signals:
    """What signals mean: SIGTERM and SIGINT drain, a second SIGINT ends at once, SIGHUP reloads.

    Ended at once, streams get their error and the ledger is written all the same; a third SIGINT
    kills.
    """

    def __init__(self, daemon: Daemon, loop: asyncio.AbstractEventLoop) -> None:
        self.at_once = False
        self._daemon = daemon
        self._loop = loop
        self._serving = asyncio.current_task(loop)
        self._reloading: set[asyncio.Task[object]] = set()
        loop.add_signal_handler(signal.SIGTERM, daemon.stop)
        loop.add_signal_handler(signal.SIGINT, self._interrupted)
        loop.add_signal_handler(signal.SIGHUP, self._hung_up)

    def _interrupted(self) -> None:
        self._daemon.stop()
        self._loop.add_signal_handler(signal.SIGINT, self._interrupted_again)

    def _interrupted_again(self) -> None:
        self.at_once = True
        self._loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if self._serving is not None:
            self._serving.cancel()

    def _hung_up(self) -> None:
        reloading: asyncio.Task[object] = self._loop.create_task(self._daemon.reload())
        self._reloading.add(reloading)
        reloading.add_done_callback(self._reloading.discard)
