"""Budgets in the status."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp
from headway.v1 import status_pb2

from sidecar.gateway.spending import Spending

NS_PER_S = 1_000_000_000
WINDOWS = {
    "hour": status_pb2.BUDGET_WINDOW_HOUR,
    "day": status_pb2.BUDGET_WINDOW_DAY,
    "month": status_pb2.BUDGET_WINDOW_MONTH,
}


def budgets(spending: Spending) -> list[status_pb2.BudgetStatus]:
    """Every budget in its present window."""
    return [
        status_pb2.BudgetStatus(
            name=spent.account.rule.name,
            subject=spent.account.rule.subject,
            window=WINDOWS[spent.account.rule.per],
            limit_nano_usd=spent.account.rule.limit_nano_usd,
            spent_nano_usd=spent.nano_usd,
            resets=Timestamp(seconds=spent.account.window.end_ns // NS_PER_S),
        )
        for spent in spending.spent()
    ]
