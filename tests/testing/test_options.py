"""Configuration from short texts."""

from __future__ import annotations

import pytest

from sidecar.core.money import Price
from sidecar.testing.config import DEFAULT_PRICE, Key
from sidecar.testing.faults import FAULTS
from sidecar.testing.options import aliases_from, keys_from, listing, prices_from, quotas_from
from sidecar.testing.quotas import Quota


def test_a_key_has_a_name_a_secret_and_perhaps_an_account() -> None:
    assert keys_from(["a1=sk-1", "b1=sk-2@team"]) == {
        "sk-1": Key("a1", "main"),
        "sk-2": Key("b1", "team"),
    }


def test_a_price_is_in_dollars_for_a_million_tokens() -> None:
    prices = prices_from(["m=0.15/0.60/0.003", "n=1/2"], DEFAULT_PRICE)
    assert prices["m"] == Price(150_000_000, 600_000_000, 3_000_000)
    assert prices["n"] == Price(1_000_000_000, 2_000_000_000)
    assert prices["*"] == DEFAULT_PRICE


@pytest.mark.parametrize(
    ("text", "quota"),
    [
        ("bucket:requests:60/60", Quota("limit-1", "bucket", 60, 60.0)),
        ("fixed:tokens:9000/60s", Quota("limit-1", "fixed", 9000, 60.0, "tokens")),
        ("concurrency:500", Quota("limit-1", "concurrency", 500)),
        (
            "bucket:requests:60/60:burst=20:each=key:models=a,b:name=rpm",
            Quota("rpm", "bucket", 60, 60.0, scope="key", burst=20, models=("a", "b")),
        ),
        (
            "sliding:output_tokens:100/1.5:charge=actual",
            Quota("limit-1", "sliding", 100, 1.5, "output_tokens", charge="actual"),
        ),
    ],
)
def test_a_limit_is_read_from_its_parts(text: str, quota: Quota) -> None:
    assert quotas_from([text]) == (quota,)


def test_a_model_gets_another_name() -> None:
    assert aliases_from(["deepseek-v4-pro=fake-60"]) == {"deepseek-v4-pro": "fake-60"}


@pytest.mark.parametrize("text", ["", "a1", "=sk", "a1="])
def test_a_wrong_key_is_told_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="a key is NAME=SECRET"):
        keys_from([text])


@pytest.mark.parametrize("text", ["", "m", "m=1", "m=1/x", "m=1/2/3/4"])
def test_a_wrong_price_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="a price is MODEL="):
        prices_from([text], DEFAULT_PRICE)


@pytest.mark.parametrize(
    "text",
    ["", "bucket", "bucket:requests:60", "spoon:requests:1/1", "bucket:requests:1/1:burst=x",
     "bucket:spoons:1/1", "bucket:requests:1/1:colour=red", "concurrency:x"],
)  # fmt: skip
def test_a_wrong_limit_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="a limit is KIND:DIMENSION"):
        quotas_from([text])


@pytest.mark.parametrize("text", ["", "x", "x="])
def test_a_wrong_model_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="a model is NAME=BEHAVIOUR"):
        aliases_from([text])


def test_the_listing_names_every_fault_and_is_narrow_enough_to_read() -> None:
    text = listing()
    assert [row.name for row in FAULTS if row.name not in text] == []
    assert max(map(len, text.split("\n"))) <= 100
