"""Watching the configuration and the key files; a change is one reload."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from types import TracebackType

from sidecar.app.source import Source

log = logging.getLogger("headway")

# Watching begins this long after the start: its import costs time that being ready needs more.
BEGIN_AFTER_S = 1.0
# The link that Kubernetes swaps when a mounted Secret or ConfigMap changes.
SECRET_LINK = "..data"  # noqa: S105


class Watch:
    """While entered, calls `reload` after every change of a watched file.

    Folders are watched, not files: Kubernetes swaps a mounted Secret by a link beside it, editors
    write a new file and rename it.
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

    async def __aenter__(self) -> None:
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._run(), name="watch files")

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _folders(self) -> set[Path]:
        paths = set(self._files())
        if self._source.path is not None:
            paths.add(self._source.path)
        return {path.absolute().parent for path in paths if path.absolute().parent.is_dir()}

    def _concerns(self, changed: Iterable[str]) -> bool:
        """Is one of ours among them? Sockets, ledgers and whatever else lies there are not."""
        names = {path.name for path in self._files()} | {SECRET_LINK}
        if self._source.path is not None:
            names.add(self._source.path.name)
        return any(Path(path).name in names for path in changed)

    async def _run(self) -> None:
        await asyncio.sleep(BEGIN_AFTER_S)
        while folders := self._folders():
            await self._watch(folders)

    async def _watch(self, folders: set[Path]) -> None:
        """Until the set of folders changes."""
        from watchfiles import awatch

        async for changes in awatch(*folders, stop_event=self._stop, recursive=False):
            if not self._concerns(path for _, path in changes):
                continue
            try:
                await self._reload()
            except Exception:
                log.exception("a reload failed; the old configuration stays")
            if self._folders() != folders:
                return
