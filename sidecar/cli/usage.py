"""`headway usage`: the ledger, grouped and filtered, from a daemon or from its file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from headway import Client, HeadwayError
from headway.v1 import control_pb2, event_pb2

from sidecar.cli.advice import failed
from sidecar.cli.ending import MISUSED, Failed
from sidecar.cli.table import table
from sidecar.cli.words import saving, usd
from sidecar.config.durations import seconds
from sidecar.ledger.errors import LedgerUnavailable
from sidecar.ledger.query import UsageQuery, UsageReport, UsageRow
from sidecar.ledger.reader import read_usage
from sidecar.server.control import usage_row

GROUPS = ("caller", "provider", "model", "key", "outcome", "hour", "day")
LABEL = "label:"
NS = 1_000_000_000


class Asked(msgspec.Struct, frozen=True):
    """What is asked of the ledger. Times are wall nanoseconds, None for no bound."""

    since_ns: int | None = None
    until_ns: int | None = None
    groups: tuple[str, ...] = ()
    caller: str = ""
    provider: str = ""
    model: str = ""
    key: str = ""


def groups_from(text: str) -> tuple[str, ...]:
    """Groups written with commas. Raises Failed for one there is not."""
    groups = tuple(part.strip() for part in text.split(",") if part.strip())
    strange = [g for g in groups if g not in GROUPS and not g.startswith(LABEL)]
    if strange:
        known = ", ".join((*GROUPS, f"{LABEL}NAME"))
        raise Failed(f"cannot group by {strange[0]!r}", f"known are {known}", code=MISUSED)
    return groups


def moment_from(text: str | None, now_ns: int) -> int | None:
    """24h (ago), or a date or a time of ISO 8601, UTC unless it says otherwise. Raises Failed."""
    if text is None:
        return None
    try:
        return now_ns - round(seconds(text) * NS)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        expected = "a duration such as 24h, or a time such as 2026-11-01 or 2026-11-01T12:00"
        raise Failed(f"expected {expected}, got {text!r}", code=MISUSED) from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) * NS


def from_daemon(client: Client, target: str, asked: Asked) -> None:
    """Ask a running daemon and print. Raises Failed."""
    query: Any = {
        "since": _moment(asked.since_ns),
        "until": _moment(asked.until_ns),
        "caller": asked.caller,
        "provider": asked.provider,
        "model": asked.model,
        "key_alias": asked.key,
        "group_by": [group for group in asked.groups if not group.startswith(LABEL)],
        "group_by_labels": [g.removeprefix(LABEL) for g in asked.groups if g.startswith(LABEL)],
    }
    try:
        answer = client.usage(**query)
    except HeadwayError as error:
        raise failed(error, target) from None
    _print(list(answer.rows), answer.total, asked.groups)


def from_file(path: str, asked: Asked) -> None:
    """Read a ledger file, whether its daemon runs or not, and print. Raises Failed."""
    query = UsageQuery(
        since_ns=asked.since_ns,
        until_ns=asked.until_ns,
        caller=asked.caller,
        provider=asked.provider,
        model=asked.model,
        key_alias=asked.key,
        group_by=asked.groups,
    )
    try:
        report: UsageReport = read_usage(path, query)
    except LedgerUnavailable as error:
        raise Failed(str(error)) from None
    rows: list[UsageRow] = list(report.rows)
    _print([usage_row(row) for row in rows], usage_row(report.total), asked.groups)


def _print(
    rows: Sequence[control_pb2.UsageRow], total: control_pb2.UsageRow, groups: Sequence[str]
) -> None:
    for line in lines(rows if groups else [], groups, total):
        print(line)
    if total.HasField("saved"):
        print(f"going on with streams that broke saved {saving(total.saved)}")
    if total.cost.unknown:
        print("! some models have no known price: the cost is a lower bound")
    if total.usage.estimated:
        print("! some attempts were cut before the provider told their tokens: these are estimated")


def lines(
    rows: Sequence[control_pb2.UsageRow],
    groups: Sequence[str],
    total: control_pb2.UsageRow | None = None,
) -> list[str]:
    """A table of the rows, and of their sum if it is given."""
    head = [*groups, "requests", "attempts", "tokens in", "cached", "reasoning", "answer", "cost",
            "for reasoning"]  # fmt: skip
    body = [[*(_group(row, group) for group in groups), *_figures(row)] for row in rows]
    if total is not None:
        name = ["total", *("" for _ in groups[1:])] if groups else []
        body.append([*name, *_figures(total)])
    return table(head, body, " " * len(groups) + "rrrrrrrr")


def _figures(row: control_pb2.UsageRow) -> list[str]:
    usage, cost = row.usage, row.cost
    return [
        f"{row.requests:,}",
        f"{row.attempts:,}",
        f"{usage.input_tokens:,}",
        f"{usage.cached_input_tokens:,}",
        f"{usage.reasoning_tokens:,}",
        f"{usage.output_tokens - usage.reasoning_tokens:,}",
        usd(cost.total_nano_usd),
        usd(cost.reasoning_nano_usd),
    ]


def _group(row: control_pb2.UsageRow, group: str) -> str:
    if group.startswith(LABEL):
        return row.labels.get(group.removeprefix(LABEL), "")
    if group in ("hour", "day"):
        return f"{_EPOCH + timedelta(seconds=row.start.seconds):%Y-%m-%d %H:%M}"
    if group == "outcome":
        name = event_pb2.AttemptOutcome.Name(row.outcome)
        return name.removeprefix("ATTEMPT_OUTCOME_").lower().replace("_", " ")
    return str(getattr(row, {"key": "key_alias"}.get(group, group)))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _moment(wall_ns: int | None) -> datetime | None:
    return None if wall_ns is None else _EPOCH + timedelta(seconds=wall_ns // NS)
