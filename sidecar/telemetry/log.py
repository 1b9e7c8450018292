"""The daemon's log: the standard library's, as JSON lines or for a console, without secrets."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from typing import TextIO
from urllib.parse import quote

import msgspec

MASK = "[redacted]"
_SHORTEST_SECRET = 6
"""Shorter strings would mask ordinary words; no provider's key is that short."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Redactor:
    """Removes registered secrets from text; every key that is loaded is added to it."""

    __slots__ = ("_pattern", "_secrets")

    def __init__(self) -> None:
        self._secrets: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None

    def add(self, secret: str) -> None:
        """From now on `secret` is masked, as it is and as it would stand in a URL."""
        if len(secret) < _SHORTEST_SECRET:
            return
        self._secrets |= {secret, quote(secret, safe="")}
        longest_first = sorted(self._secrets, key=len, reverse=True)
        self._pattern = re.compile("|".join(re.escape(secret) for secret in longest_first))

    def redact(self, text: str) -> str:
        """`text` with every registered secret replaced."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def __repr__(self) -> str:
        return f"Redactor({len(self._secrets)} strings)"


class ConsoleFormatter(logging.Formatter):
    """One line for people; the whole text, traceback included, passes the redactor."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        return self._redactor.redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, what `extra` gave, exception."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        redact = self._redactor.redact
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        given = ((name, value) for name, value in vars(record).items() if name not in _STANDARD)
        line |= {name: redact(str(value)) for name, value in given}
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        # Lone surrogates cannot be encoded; a log line must not fail for that.
        clean = {name: text.encode("utf-8", "replace").decode() for name, text in line.items()}
        return msgspec.json.encode(clean).decode()


FORMATTERS = {"json": JsonFormatter, "console": ConsoleFormatter}


def handler(stream: TextIO, style: str, redactor: Redactor) -> logging.Handler:
    """A handler for the root logger; `style` is a key of FORMATTERS."""
    made = logging.StreamHandler(stream)
    made.setFormatter(FORMATTERS[style](redactor))
    return made
