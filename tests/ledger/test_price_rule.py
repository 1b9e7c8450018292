from __future__ import annotations

import pytest

from sidecar.ledger.price_rule import PriceRule
from sidecar.ledger.window import Window
from tests.ledger.making import at, usd

MINE = usd("1", "2")


@pytest.mark.parametrize(
    ("pattern", "model", "named"),
    [
        ("gpt-5", "gpt-5", True),
        ("gpt-5", "gpt-5-mini", False),
        ("gpt-5*", "gpt-5-mini", True),
        ("*", "anything/at:all", True),
    ],
)
def test_a_rule_is_about_the_models_its_pattern_fits(pattern: str, model: str, named: bool) -> None:
    assert PriceRule("mine", pattern, MINE).names("mine", model) is named


def test_a_rule_is_about_its_own_provider() -> None:
    assert not PriceRule("mine", "*", MINE).names("yours", "gpt-5")


@pytest.mark.parametrize(
    ("rule", "moment", "input_tokens", "holds"),
    [
        (PriceRule("p", "m", MINE), "2020-01-01", 0, True),
        (PriceRule("p", "m", MINE, since_ns=at("2026-11-02")), "2026-11-01T23:59:59", 0, False),
        (PriceRule("p", "m", MINE, since_ns=at("2026-11-02")), "2026-11-02T00:00:00", 0, True),
        (PriceRule("p", "m", MINE, until_ns=at("2026-11-02")), "2026-11-01T23:59:59", 0, True),
        (PriceRule("p", "m", MINE, until_ns=at("2026-11-02")), "2026-11-02T00:00:00", 0, False),
        (PriceRule("p", "m", MINE, over_input_tokens=1_000), "2026-11-02", 1_000, False),
        (PriceRule("p", "m", MINE, over_input_tokens=1_000), "2026-11-02", 1_001, True),
        (
            PriceRule("p", "m", MINE, windows=(Window(0, 60), Window(120, 180))),
            "2026-11-02T00:02:30",
            0,
            True,
        ),
        (
            PriceRule("p", "m", MINE, windows=(Window(0, 60), Window(120, 180))),
            "2026-11-02T00:01:30",
            0,
            False,
        ),
        (
            PriceRule("p", "m", MINE, until_ns=at("2026-11-02"), windows=(Window(0, 60),)),
            "2026-11-02T00:00:30",
            0,
            False,
        ),
    ],
)
def test_a_rule_holds_when_all_its_conditions_do(
    rule: PriceRule, moment: str, input_tokens: int, holds: bool
) -> None:
    assert rule.in_force(at(moment), input_tokens) is holds
