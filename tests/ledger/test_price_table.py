"""The table against the library it was made from."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from decimal import Decimal

import genai_prices
import pytest
from genai_prices import types
from genai_prices.data_snapshot import DataSnapshot, get_snapshot

from sidecar.core.money import NANO_PER_USD, Price, cost_of
from sidecar.core.usage import Usage
from sidecar.ledger.extract import APART, FREE
from sidecar.ledger.price_file import load
from sidecar.ledger.price_table import FORMAT, PriceTable, bill_at, price_of, tier_at

MOMENTS = [
    datetime(2025, 3, 1, 12, tzinfo=UTC),
    datetime(2026, 8, 20, 2, 30, tzinfo=UTC),
    datetime(2026, 11, 2, 0, 0, tzinfo=UTC),
    datetime(2026, 11, 2, 16, 29, 59, tzinfo=UTC),
    datetime(2026, 11, 2, 16, 30, tzinfo=UTC),
]
LENGTHS = [1_000, 32_000, 128_001, 200_000, 200_001, 300_000]


@pytest.fixture(scope="module")
def ours() -> PriceTable:
    return load(None, "")


@pytest.fixture(scope="module")
def library() -> DataSnapshot:
    return get_snapshot()


def price(ours: PriceTable, provider: str, model: str, at: datetime, length: int) -> Price | None:
    found = ours.find(provider, model)
    assert found is not None
    tiers = bill_at(found.bills, round(at.timestamp()) * NANO_PER_USD).tiers
    return None if tiers is None else price_of(tier_at(tiers, length)[1])


def test_the_table_knows_every_provider_and_its_address(
    ours: PriceTable, library: DataSnapshot
) -> None:
    ids = {provider.id: ours.provider_of(provider.id, "") for provider in library.providers}
    assert ids == {provider.id: provider.id for provider in library.providers}


def test_every_name_in_the_library_leads_to_the_same_model(
    ours: PriceTable, library: DataSnapshot
) -> None:
    for provider in library.providers:
        for model in provider.models:
            expected = provider.find_model(model.id, all_providers=library.providers)
            found = ours.find(provider.id, model.id)
            assert (found is None) == (expected is None), (provider.id, model.id)


def test_every_price_is_the_librarys_at_every_moment_and_length(
    ours: PriceTable, library: DataSnapshot
) -> None:
    seen = 0
    for provider in library.providers:
        for model in provider.models:
            named = provider.find_model(model.id, all_providers=library.providers)
            if named is None:
                continue
            for at in moments(named):
                for length in lengths(named.get_prices(at)):
                    mine = price(ours, provider.id, model.id, at, length)
                    check(mine, named, at, length)
                    seen += mine is not None
    assert seen > 3_000


def moments(model: types.ModelInfo) -> list[datetime]:
    """More than one only where the library's price depends on it."""
    return MOMENTS[-1:] if isinstance(model.prices, types.ModelPrice) else MOMENTS


def lengths(prices: types.ModelPrice) -> list[int]:
    """As `moments`, for the length of the prompt."""
    tiered = any(isinstance(value, types.TieredPrices) for value in prices.__dict__.values())
    return LENGTHS if tiered else LENGTHS[-1:]


def check(mine: Price | None, model: types.ModelInfo, at: datetime, length: int) -> None:
    """The cost of one usage by our price is the library's, or ours is unknown for a reason."""
    theirs = model.get_prices(at)
    if mine is None:
        complete = theirs.input_mtok is not None and theirs.output_mtok is not None
        assert not complete or any(getattr(theirs, key) is not None for key in APART)
        return
    if model.id.endswith(FREE) and theirs.input_mtok is None:
        assert mine == Price(0, 0)
        return
    cost = cost_of(Usage(length, length // 4, 0, 2_000, 500), mine)
    total = by_library(theirs, length)
    # Our parts are rounded each on its own, to the nano-dollar.
    assert abs(total * NANO_PER_USD - cost.total_nano_usd) <= 4, model.id


def by_library(prices: types.ModelPrice, length: int) -> Decimal:
    usage = genai_prices.Usage(
        input_tokens=length, cache_read_tokens=length // 4, output_tokens=2_000
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return prices.calc_price(usage)["total_price"]


def test_a_table_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="a price table of form"):
        PriceTable(b'{"format":%d,"version":"1"}\n' % (FORMAT + 1))
