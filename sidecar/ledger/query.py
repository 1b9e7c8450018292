"""Questions to the ledger, and the SQL that answers them."""

from __future__ import annotations

from typing import Any

import msgspec

from sidecar.core.events import Saved
from sidecar.core.money import FREE, Cost, answer_unit_nano_usd
from sidecar.core.usage import NOTHING, Usage

HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS
LABEL = "label:"

# What can be grouped by, and the expression for it. Hours and days are UTC, by the attempt's end.
DIMENSIONS = {
    "caller": "caller",
    "provider": "provider",
    "model": "model",
    "account": "account",
    "key": "key_alias",
    "route": "route",
    "outcome": "outcome",
    "reason": "reason",
    "tier": "tier",
    "hour": f"ended_ns - ended_ns % {HOUR_NS}",
    "day": f"ended_ns - ended_ns % {DAY_NS}",
}
_LABEL_VALUE = "coalesce((SELECT value FROM json_each(labels) WHERE key = ?), '')"
_LABEL_MATCH = "EXISTS (SELECT 1 FROM json_each(labels) WHERE key = ? AND value = ?)"
_SUMS = (
    "count(DISTINCT request_id)",
    "count(*)",
    "coalesce(sum(input_tokens), 0)",
    "coalesce(sum(cached_input_tokens), 0)",
    "coalesce(sum(cache_write_tokens), 0)",
    "coalesce(sum(output_tokens), 0)",
    "coalesce(sum(reasoning_tokens), 0)",
    "coalesce(sum(estimated), 0)",
    "coalesce(sum(input_nano_usd), 0)",
    "coalesce(sum(reasoning_nano_usd), 0)",
    "coalesce(sum(answer_nano_usd), 0)",
    "coalesce(sum(unknown_price), 0)",
    "coalesce(sum(saved_reasoning_tokens), 0)",
    "coalesce(sum(saved_answer_tokens), 0)",
    "coalesce(sum(saved_nano_usd), 0)",
)
_DEAREST_FIRST = "sum(input_nano_usd + reasoning_nano_usd + answer_nano_usd) DESC"


class UsageQuery(msgspec.Struct, frozen=True):
    """Filters that are set must all match; an empty one matches everything.

    Times are by the attempt's end, wall nanoseconds: `since_ns` included, `until_ns` not.
    `group_by` holds names of DIMENSIONS or "label:<name>".
    """

    since_ns: int | None = None
    until_ns: int | None = None
    caller: str = ""
    provider: str = ""
    model: str = ""
    key_alias: str = ""
    route: str = ""
    outcome: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    group_by: tuple[str, ...] = ()


class UsageRow(msgspec.Struct, frozen=True):
    """A sum over entries. `group` pairs the query's `group_by` names with this row's values.

    Hours and days are wall nanoseconds of their begin. `requests` counts different ids, so a
    request with attempts in two rows counts in both. A label that requests did not have is "".
    """

    group: tuple[tuple[str, str | int], ...] = ()
    requests: int = 0
    attempts: int = 0
    usage: Usage = NOTHING
    cost: Cost = FREE
    saved: Saved = Saved()
    estimated_attempts: int = 0
    unknown_cost_attempts: int = 0

    @property
    def answer_unit_nano_usd(self) -> int:
        """What a useful token really cost, lost attempts included."""
        return answer_unit_nano_usd(self.cost, self.usage)


class UsageReport(msgspec.Struct, frozen=True):
    """One row for each group, the dearest first, and all of them together."""

    rows: tuple[UsageRow, ...]
    total: UsageRow


class Statement(msgspec.Struct, frozen=True):
    """SQL and its parameters."""

    sql: str
    parameters: tuple[Any, ...]


def statement(query: UsageQuery, table: str) -> Statement:
    """The SQL of `query` over `table`. Raises ValueError for a group that does not exist."""
    groups = [_dimension(name) for name in query.group_by]
    conditions = _conditions(query)
    aliases = [f"g{number}" for number in range(len(groups))]
    columns = [f"{sql} AS {alias}" for (sql, _), alias in zip(groups, aliases, strict=True)]
    parts = [f"SELECT {', '.join([*columns, *_SUMS])} FROM {table}"]
    if conditions:
        parts.append("WHERE " + " AND ".join(sql for sql, _ in conditions))
    if aliases:
        parts.append(f"GROUP BY {', '.join(aliases)}")
        parts.append(f"ORDER BY {', '.join([_DEAREST_FIRST, *aliases])}")
    values = [value for _, values in [*groups, *conditions] for value in values]
    return Statement(" ".join(parts), tuple(values))


def row(query: UsageQuery, values: tuple[Any, ...]) -> UsageRow:
    """The row that one line of the statement's answer stands for."""
    keys = len(query.group_by)
    requests, attempts, inp, cached, write, out, reasoning, estimated, *money = values[keys:]
    cost_in, cost_reasoning, cost_answer, unknown, *saved = money
    return UsageRow(
        group=tuple(zip(query.group_by, values[:keys], strict=True)),
        requests=requests,
        attempts=attempts,
        usage=Usage(inp, cached, write, out, reasoning, estimated > 0),
        cost=Cost(cost_in, cost_reasoning, cost_answer, unknown > 0),
        saved=Saved(*saved),
        estimated_attempts=estimated,
        unknown_cost_attempts=unknown,
    )


def _dimension(name: str) -> tuple[str, tuple[str, ...]]:
    if name.startswith(LABEL):
        return _LABEL_VALUE, (name.removeprefix(LABEL),)
    if name not in DIMENSIONS:
        known = ", ".join([*DIMENSIONS, "label:<name>"])
        raise ValueError(f"cannot group by {name!r}; known are {known}")
    return DIMENSIONS[name], ()


def _conditions(query: UsageQuery) -> list[tuple[str, tuple[Any, ...]]]:
    possible: list[tuple[str, Any]] = [
        ("ended_ns >= ?", query.since_ns),
        ("ended_ns < ?", query.until_ns),
        ("caller = ?", query.caller or None),
        ("provider = ?", query.provider or None),
        ("model = ?", query.model or None),
        ("key_alias = ?", query.key_alias or None),
        ("route = ?", query.route or None),
        ("outcome = ?", query.outcome or None),
    ]
    wanted = [(sql, (value,)) for sql, value in possible if value is not None]
    return wanted + [(_LABEL_MATCH, label) for label in query.labels]
