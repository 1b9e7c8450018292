from __future__ import annotations

from datetime import date, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from genai_prices import types

from sidecar.ledger.extract import bills, clause, main, table
from sidecar.ledger.price_file import PACKAGED
from sidecar.ledger.price_table import Bill

ANY = types.ClauseEquals("m")


def model(prices: types.ModelPrice | list[types.ConditionalPrice], name: str = "m") -> list[Bill]:
    return bills(types.ModelInfo(id=name, match=ANY, prices=prices))


def price(**values: Decimal | types.TieredPrices) -> types.ModelPrice:
    return types.ModelPrice(**values)


FLAT = price(input_mtok=Decimal("0.003625"), output_mtok=Decimal("0.87"))


def test_the_packaged_table_is_that_of_the_locked_library() -> None:
    assert PACKAGED.read_bytes() == table()


def test_clauses_become_nested_lists() -> None:
    either = types.ClauseOr([types.ClauseStartsWith("a"), types.ClauseRegex("b$")])
    both = types.ClauseAnd([either, types.ClauseContains("c"), types.ClauseEndsWith("d")])
    assert clause(both) == ["&", ["|", ["^", "a"], ["~", "b$"]], ["*", "c"], ["$", "d"]]


def test_prices_become_nano_dollars() -> None:
    assert model(FLAT) == [Bill([(0, (3_625_000, 870_000_000, None, None, 0))])]


def test_a_price_for_a_thousand_requests_becomes_one_for_each() -> None:
    per_request = price(input_mtok=Decimal(1), output_mtok=Decimal(1), requests_kcount=Decimal(12))
    assert model(per_request) == [Bill([(0, (10**9, 10**9, None, None, 12_000_000))])]


def test_tiers_of_single_parts_become_tiers_of_the_whole() -> None:
    tiered = price(
        input_mtok=types.TieredPrices(Decimal(1), [types.Tier(100, Decimal(2))]),
        output_mtok=types.TieredPrices(Decimal(3), [types.Tier(200, Decimal(4))]),
    )
    assert model(tiered)[0].tiers == [
        (0, (10**9, 3 * 10**9, None, None, 0)),
        (100, (2 * 10**9, 3 * 10**9, None, None, 0)),
        (200, (2 * 10**9, 4 * 10**9, None, None, 0)),
    ]


def test_dates_and_hours_are_kept_in_utc() -> None:
    beijing = timezone(timedelta(hours=8))
    conditional = [
        types.ConditionalPrice(prices=FLAT),
        types.ConditionalPrice(types.StartDateConstraint(date(2026, 8, 17)), prices=FLAT),
        types.ConditionalPrice(
            types.TimeOfDateConstraint(time(0, 30, tzinfo=beijing), time(9, tzinfo=beijing)),
            prices=FLAT,
        ),
    ]
    found = [(bill.since, bill.hours) for bill in model(conditional)]
    assert found == [(None, None), ("2026-08-17", None), (None, (59_400, 3_600))]


@pytest.mark.parametrize(
    "prices",
    [
        price(),
        price(input_mtok=Decimal(1)),
        price(output_mtok=Decimal(1)),
        price(audio_hours=Decimal(1)),
        price(input_mtok=Decimal(1), output_mtok=Decimal(2), output_reasoning_mtok=Decimal(3)),
    ],
)
def test_a_model_without_a_whole_token_price_has_none(prices: types.ModelPrice) -> None:
    assert model(prices) == [Bill(None)]


def test_a_model_that_is_called_free_is_free() -> None:
    assert model(price(), "m:free") == [Bill([(0, (0, 0, None, None, 0))])]


def test_the_table_is_written_whole_into_a_new_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.jsonl"
    main(path)
    assert path.read_bytes() == table()
    assert list(path.parent.iterdir()) == [path]
