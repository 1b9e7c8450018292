"""What can be wrong with a ledger file, and what to do about it."""

from __future__ import annotations

import enum


class Trouble(enum.Enum):
    """The kinds of trouble; the value is what the operator can do."""

    UNWRITABLE = "give the daemon's user write access to the folder, or set another ledger.path"
    CORRUPT = "move the file away (its -wal, -shm and .inbox files too) and start again"
    NEWER = "use the newer Headway that wrote it, or set another ledger.path"
    IN_USE = "stop the other daemon, or give this one its own ledger.path"
    MISSING = "start the daemon first, or name the right file"
    BUSY = "try again"


class LedgerUnavailable(Exception):
    """The ledger cannot be opened or read. The message says what, why and what to do."""

    def __init__(self, trouble: Trouble, path: str, detail: str) -> None:
        super().__init__(f"ledger {path}: {detail}; {trouble.value}")
        self.trouble = trouble
        self.path = path
        self.detail = detail
