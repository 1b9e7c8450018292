"""The SQLite file: its tables, their versions, and how an entry becomes a line."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from sidecar.ledger.entry import Entry, bounded

COLUMNS = (
    ("request_id", "TEXT NOT NULL"),
    ("attempt", "INTEGER NOT NULL"),
    ("started_ns", "INTEGER NOT NULL"),
    ("ended_ns", "INTEGER NOT NULL"),
    ("provider", "TEXT NOT NULL"),
    ("model", "TEXT NOT NULL"),
    ("response_model", "TEXT NOT NULL"),
    ("account", "TEXT NOT NULL"),
    ("key_alias", "TEXT NOT NULL"),
    ("caller", "TEXT NOT NULL"),
    ("labels", "TEXT NOT NULL"),
    ("route", "TEXT NOT NULL"),
    ("cause", "TEXT NOT NULL"),
    ("continuation", "TEXT NOT NULL"),
    ("outcome", "TEXT NOT NULL"),
    ("reason", "TEXT NOT NULL"),
    ("input_tokens", "INTEGER NOT NULL"),
    ("cached_input_tokens", "INTEGER NOT NULL"),
    ("cache_write_tokens", "INTEGER NOT NULL"),
    ("output_tokens", "INTEGER NOT NULL"),
    ("reasoning_tokens", "INTEGER NOT NULL"),
    ("estimated", "INTEGER NOT NULL"),
    ("input_nano_usd", "INTEGER NOT NULL"),
    ("reasoning_nano_usd", "INTEGER NOT NULL"),
    ("answer_nano_usd", "INTEGER NOT NULL"),
    ("unknown_price", "INTEGER NOT NULL"),
    ("tier", "TEXT NOT NULL"),
    ("duration_s", "REAL NOT NULL"),
    ("first_reasoning_s", "REAL"),
    ("first_answer_s", "REAL"),
    ("saved_reasoning_tokens", "INTEGER NOT NULL"),
    ("saved_answer_tokens", "INTEGER NOT NULL"),
    ("saved_nano_usd", "INTEGER NOT NULL"),
)
NAMES = ", ".join(name for name, _ in COLUMNS)
INSERT = f"({NAMES}) VALUES ({', '.join('?' * len(COLUMNS))})"
TABLE = ", ".join(f"{name} {kind}" for name, kind in COLUMNS)

# Step n brings a file from version n to n + 1. Steps are only ever added, never changed.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        f"CREATE TABLE entries (id INTEGER PRIMARY KEY, {TABLE})",
        "CREATE INDEX entries_by_end ON entries (ended_ns)",
        "CREATE TABLE inbox (id INTEGER PRIMARY KEY CHECK (id = 1), segment INTEGER NOT NULL,"
        " byte INTEGER NOT NULL)",
        "INSERT INTO inbox VALUES (1, 0, 0)",
    ),
)


def version_of(connection: sqlite3.Connection) -> int:
    """The schema version of the file; 0 for a new one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(
    connection: sqlite3.Connection, steps: tuple[tuple[str, ...], ...] = MIGRATIONS
) -> None:
    """Bring the file to the newest version, each step whole or not at all."""
    for number in range(version_of(connection), len(steps)):
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            for sql in steps[number]:
                connection.execute(sql)
            connection.execute(f"PRAGMA user_version = {number + 1}")


def line(entry: Entry) -> tuple[Any, ...]:
    """The values of `entry` in the order of COLUMNS."""
    usage, cost, saved = bounded(entry.usage), bounded(entry.cost), bounded(entry.saved)
    return (
        entry.request_id,
        entry.attempt,
        entry.started_ns,
        entry.ended_ns,
        entry.provider,
        entry.model,
        entry.response_model,
        entry.account,
        entry.key_alias,
        entry.caller,
        msgspec.json.encode(dict(entry.labels)).decode(),
        entry.route,
        entry.cause.value,
        entry.continuation.value,
        entry.outcome.value,
        entry.reason,
        usage.input_tokens,
        usage.cached_input_tokens,
        usage.cache_write_tokens,
        usage.output_tokens,
        usage.reasoning_tokens,
        int(usage.estimated),
        cost.input_nano_usd,
        cost.reasoning_nano_usd,
        cost.answer_nano_usd,
        int(cost.unknown),
        entry.tier,
        entry.duration_s,
        entry.first_reasoning_s,
        entry.first_answer_s,
        saved.reasoning_tokens,
        saved.answer_tokens,
        saved.nano_usd,
    )
