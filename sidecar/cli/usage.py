"""`headway usage`: the ledger, grouped and filtered, from a daemon or from its file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from headway.v1 import control_pb2, event_pb2

from sidecar.cli.table import table
from sidecar.cli.words import usd

FIGURES = ("requests", "attempts", "in", "cached", "reasoning", "answer", "USD", "lost")


def lines(rows: Sequence[control_pb2.UsageRow], groups: Sequence[str]) -> list[str]:
    """A table of the rows and their sum."""
    head = [*groups, "attempts", "tokens in", "reasoning", "answer", "cost", "of reasoning"]
    body = [[*(_group(row, group) for group in groups), *_figures(row)] for row in rows]
    return table(head, body, " " * len(groups) + "rrrrrr")


def _figures(row: control_pb2.UsageRow) -> list[str]:
    usage, cost = row.usage, row.cost
    return [
        f"{row.attempts:,}",
        f"{usage.input_tokens:,}",
        f"{usage.reasoning_tokens:,}",
        f"{usage.output_tokens - usage.reasoning_tokens:,}",
        usd(cost.total_nano_usd),
        usd(cost.reasoning_nano_usd),
    ]


def _group(row: control_pb2.UsageRow, group: str) -> str:
    if group.startswith("label:"):
        return row.labels.get(group.removeprefix("label:"), "")
    if group in ("hour", "day"):
        return f"{datetime.fromtimestamp(row.start.seconds, UTC):%Y-%m-%d %H:%M}"
    if group == "outcome":
        name = event_pb2.AttemptOutcome.Name(row.outcome)
        return name.removeprefix("ATTEMPT_OUTCOME_").lower().replace("_", " ")
    return str(getattr(row, {"key": "key_alias"}.get(group, group)))
