"""Budgets as written."""

from __future__ import annotations

import pytest

from sidecar.config import budgets
from sidecar.config.schema import BudgetConfig, Config


def config(**fields: object) -> Config:
    given = {"limit": "25.00", "per": "day", "caller": "search", **fields}
    return Config(budgets={"team": BudgetConfig(**given)})  # type: ignore[arg-type]


def test_dollars_become_nano_dollars_exactly() -> None:
    assert budgets.rules(config(limit="0.1"))[0].limit_nano_usd == 100_000_000
    assert budgets.rules(config(limit=400))[0].limit_nano_usd == 400 * 10**9


def test_a_label_is_a_name_and_a_value() -> None:
    (rule,) = budgets.rules(config(caller="", label="job=nightly=2"))
    assert (rule.label, rule.subject) == (("job", "nightly=2"), "job=nightly=2")


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"caller": ""}, "budgets.team"),
        ({"label": "a=b"}, "budgets.team"),
        ({"caller": "", "label": "nightly"}, "budgets.team.label"),
        ({"limit": 0}, "budgets.team.limit"),
        ({"limit": "much"}, "budgets.team.limit"),
        ({"limit": float("nan")}, "budgets.team.limit"),
        ({"limit": "1e-12"}, "budgets.team.limit"),
        ({"zone": "Mars/Olympus"}, "budgets.team.zone"),
        ({"zone": "../etc"}, "budgets.team.zone"),
    ],
)
def test_what_makes_no_sense_is_told_at_its_path(fields: dict[str, object], path: str) -> None:
    assert [problem.path for problem in budgets.problems(config(**fields))] == [path]


def test_a_budget_that_makes_sense_has_no_problem() -> None:
    assert list(budgets.problems(config(zone="Europe/Berlin"))) == []
