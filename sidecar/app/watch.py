"""Watching the configuration and the key files; a change is one reload."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType

from sidecar.app.source import Source
from sidecar.core.tasks import ended

log = logging.getLogger("headway")

# Watching begins this long after the start: its import costs time that being ready needs more.
BEGIN_AFTER_S = 1.0

# Inode, time of the last change in nanoseconds, size in bytes.
Signature = tuple[int, int, int]


class Watch:
    """While entered, calls `reload` after every change of a watched file.

    Folders are watched, not files: Kubernetes swaps a mounted Secret by a link beside it, editors
    write a new file and rename it. What the change was is then seen in the files themselves.
    """

    def __init__(
        self,
        source: Source,
        files: Callable[[], set[Path]],
        reload: Callable[[], Awaitable[None]],
    ) -> None:
        self._source = source
        self._files = files
        self._reload = reload
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._seen: dict[Path, Signature | None] = {}

    async def __aenter__(self) -> None:
        self._changed()  # what was read for the start is where we begin
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._run(), name="watch files")

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        await ended([self._task])

    def _folders(self) -> set[Path]:
        paths = set(self._files())
        if self._source.path is not None:
            paths.add(self._source.path)
        return {path.absolute().parent for path in paths if path.absolute().parent.is_dir()}

    def _changed(self) -> bool:
        """Is one of our files another than when this was last asked? Also true of a file that came
        or went; sockets, ledgers and whatever else lies beside ours are not asked about."""
        paths = set(self._files())
        if self._source.path is not None:
            paths.add(self._source.path)
        before, self._seen = self._seen, {path: _signature(path) for path in paths}
        return self._seen != before

    async def _run(self) -> None:
        await asyncio.sleep(BEGIN_AFTER_S)
        while folders := self._folders():
            await self._watch(folders)

    async def _watch(self, folders: set[Path]) -> None:
        """Until the set of folders changes.

        Every yield asks the files themselves, the first before anything is watched and later ones
        at each of the watcher's own time-outs too: what changed while nobody watched counts.
        """
        from watchfiles import awatch

        # It logs every change in a folder, ours or not: a log that is written to a watched folder
        # would tell of itself for ever.
        logging.getLogger("watchfiles").setLevel(logging.WARNING)
        await self._look()
        watching = awatch(*folders, stop_event=self._stop, recursive=False, yield_on_timeout=True)
        async for _ in watching:
            await self._look()
            if self._folders() != folders:
                return

    async def _look(self) -> None:
        """One reload if something changed."""
        if not self._changed():
            return
        try:
            await self._reload()
        except Exception:
            log.exception("a reload failed; the old configuration stays")


def _signature(path: Path) -> Signature | None:
    """Tells one state of a file from another, links followed; None where there is no file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
