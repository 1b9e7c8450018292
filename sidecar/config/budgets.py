"""Budgets as written, made definite."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sidecar.config.load import Problem
from sidecar.config.schema import BudgetConfig, Config
from sidecar.limits.spend import Rule

NANO = 10**9
# The sums are doubles in the store's script: exact up to 2^53 nano-dollars.
MOST_USD = 9_000_000


def problems(config: Config) -> Iterator[Problem]:
    """Everything that is wrong with the budgets, each with its path."""
    for name, raw in config.budgets.items():
        path = f"budgets.{name}"
        if bool(raw.caller) == bool(raw.label):
            yield Problem(path, "expected exactly one of caller and label")
        key, equals, value = raw.label.partition("=")
        if raw.label and not (key and equals and value):
            yield Problem(f"{path}.label", "expected name=value, such as job=nightly")
        if _nano(raw.limit) is None:
            yield Problem(f"{path}.limit", "expected USD above 0, such as 25.00, up to 9 million")
        if not _is_zone(raw.zone):
            yield Problem(f"{path}.zone", "expected a time zone's name, such as Europe/Berlin")


def rules(config: Config) -> tuple[Rule, ...]:
    """The budgets of a configuration without problems."""
    return tuple(_rule(name, raw) for name, raw in config.budgets.items())


def _rule(name: str, raw: BudgetConfig) -> Rule:
    key, _, value = raw.label.partition("=")
    return Rule(
        name=name,
        per=raw.per,
        limit_nano_usd=_nano(raw.limit) or 0,
        zone=raw.zone,
        caller=raw.caller,
        label=(key, value) if raw.label else None,
        free_unpriced=raw.unpriced == "free",
    )


def _nano(limit: str | float) -> int | None:
    """USD in nano-dollars; None if it is no such amount."""
    try:
        usd = Decimal(str(limit))
    except InvalidOperation:
        return None
    if not usd.is_finite() or not 0 < usd <= MOST_USD:
        return None
    return int(usd * NANO) or None


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
