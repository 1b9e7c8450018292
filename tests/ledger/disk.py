"""A disk that is full, for real: the system refuses to let any file grow beyond a size."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator


@contextlib.contextmanager
def full_beyond(size: int) -> Iterator[None]:
    """Inside, no write of this process goes beyond `size` bytes of a file.

    The write that crosses it is cut short, the next one fails (EFBIG; SQLite says disk I/O error).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
