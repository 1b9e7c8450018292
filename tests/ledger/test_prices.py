from __future__ import annotations

import pytest

from sidecar.core.money import Price
from sidecar.ledger.price_file import load
from sidecar.ledger.price_rule import PriceRule
from sidecar.ledger.prices import MOST_REMEMBERED, UNPRICED, PriceBook
from tests.ledger.making import NOON_NS, usd

NAMES = ("deepseek", "openai", "anthropic", "gemini", "mistral", "groq", "xai", "perplexity")


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook(dict.fromkeys(NAMES, ""), load(None, ""))


@pytest.mark.parametrize(
    ("provider", "model", "price"),
    [
        ("openai", "gpt-5.6", usd("4", "20", "0.4", "5")),
        ("openai", "gpt-5.5", usd("5", "30", "0.5")),
        ("openai", "gpt-5.4", usd("2.5", "15", "0.25")),
        ("openai", "gpt-5.4-nano", usd("0.2", "1.25", "0.02")),
        ("openai", "gpt-5.2", usd("1.75", "14", "0.175")),
        ("openai", "gpt-5.2-20251211", usd("1.75", "14", "0.175")),
        ("openai", "gpt-5", usd("1.25", "10", "0.125")),
        ("openai", "gpt-5-mini", usd("0.25", "2", "0.025")),
        ("openai", "gpt-5-nano", usd("0.05", "0.4", "0.005")),
        ("openai", "o3", usd("2", "8", "0.5")),
        ("openai", "o4-mini", usd("1.1", "4.4", "0.275")),
        ("openai", "gpt-4.1", usd("2", "8", "0.5")),
        ("openai", "gpt-4o", usd("2.5", "10", "1.25")),
        ("openai", "gpt-4o-mini", usd("0.15", "0.6", "0.075")),
        ("anthropic", "claude-haiku-4-5", usd("1", "5", "0.1", "1.25")),
        ("anthropic", "claude-sonnet-4-5", usd("3", "15", "0.3", "3.75")),
        ("anthropic", "claude-sonnet-4-6", usd("3", "15", "0.3", "3.75")),
        ("anthropic", "claude-sonnet-5", usd("2", "10", "0.2", "2.5")),
        ("anthropic", "claude-opus-4-6", usd("5", "25", "0.5", "6.25")),
        ("anthropic", "claude-opus-4-8", usd("5", "25", "0.5", "6.25")),
        ("anthropic", "claude-opus-5", usd("5", "25", "0.5", "6.25")),
        ("gemini", "gemini-2.5-flash", usd("0.30", "2.50", "0.03")),
        ("gemini", "gemini-2.5-pro", usd("1.25", "10", "0.125")),
        ("gemini", "gemini-3-flash-preview", usd("0.50", "3", "0.05")),
        ("gemini", "gemini-3.5-flash", usd("1.50", "9", "0.15")),
        ("gemini", "gemini-3.1-pro-preview", usd("2", "12", "0.2")),
        ("mistral", "mistral-medium-latest", usd("1.5", "7.5", "0.15")),
        ("mistral", "mistral-small-latest", usd("0.15", "0.60", "0.015")),
        ("groq", "openai/gpt-oss-120b", usd("0.15", "0.60", "0.075")),
        ("groq", "openai/gpt-oss-20b", usd("0.075", "0.30", "0.0375")),
        ("xai", "grok-4.3", usd("1.25", "2.5", "0.2")),
        # Here the library differs from our reference, which says: magistral-medium 1.5/0.15/7.5,
        # mistral-large 0.5/0.05/1.5, grok-code-fast-1 1/0.2/2. The figures are the library's.
        ("mistral", "magistral-medium-latest", usd("2", "5")),
        ("mistral", "mistral-large-latest", usd("2", "6")),
        ("xai", "grok-code-fast-1", usd("0.2", "1.5", "0.02")),
    ],
)
def test_other_providers_cost_what_the_library_says(
    book: PriceBook, provider: str, model: str, price: Price
) -> None:
    assert book.quote(provider, model, NOON_NS, 1_000).price == price


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("gemini-2.5-pro", usd("2.50", "15", "0.25")),
        ("gemini-3.1-pro-preview", usd("4", "18", "0.4")),
    ],
)
def test_a_long_prompt_costs_the_higher_tier_from_the_first_token_over(
    book: PriceBook, model: str, price: Price
) -> None:
    assert book.quote("gemini", model, NOON_NS, 200_000).price != price
    quote = book.quote("gemini", model, NOON_NS, 200_001)
    assert quote.price == price
    assert quote.tier.startswith("google over 200000 (genai-prices ")


def test_a_flat_fee_for_each_request_is_part_of_the_price(book: PriceBook) -> None:
    price = book.quote("perplexity", "sonar", NOON_NS).price
    assert price is not None
    assert price.request == 12_000_000


def test_reasoning_billed_apart_is_unknown_rather_than_wrong(book: PriceBook) -> None:
    assert book.quote("perplexity", "sonar-deep-research", NOON_NS) == UNPRICED


@pytest.mark.parametrize(
    ("provider", "model"), [("openai", "gpt-99"), ("my-vllm", "gpt-5.4"), ("", "")]
)
def test_an_unknown_price_is_none_and_never_zero(
    book: PriceBook, provider: str, model: str
) -> None:
    assert book.quote(provider, model, NOON_NS) == UNPRICED


def test_what_was_served_is_asked_where_the_model_has_no_price(book: PriceBook) -> None:
    by_deployment = book.quote("openai", "our-deployment", NOON_NS, served="gpt-5.4")
    assert by_deployment == book.quote("openai", "gpt-5.4", NOON_NS)


@pytest.mark.parametrize(
    ("name", "url", "source"),
    [
        ("deepseek", "https://api.deepseek.com", "deepseek"),
        ("deepseek", "http://127.0.0.1:9000", "deepseek"),
        ("team-b", "https://api.deepseek.com/beta", "deepseek"),
        ("openai", "https://api.deepseek.com", "deepseek"),
        ("main", "https://api.openai.com/v1", "openai"),
        ("gemini", "https://generativelanguage.googleapis.com/v1beta", "google"),
        ("xai", "https://api.x.ai/v1", "x-ai"),
        ("eu", "https://acme.openai.azure.com/openai", "azure"),
        ("openrouter", "https://openrouter.ai/api/v1", "openrouter"),
        ("vllm", "http://10.0.0.7:8000/v1", ""),
    ],
)
def test_a_provider_is_known_by_its_address_before_its_name(
    name: str, url: str, source: str
) -> None:
    assert PriceBook({name: url}, load(None, "")).source(name) == source


def test_azure_sells_the_models_of_others_at_their_prices() -> None:
    book = PriceBook({"azure": ""}, load(None, ""))
    assert book.quote("azure", "claude-opus-5", NOON_NS).tier.startswith("anthropic ")


MINE = usd("1", "2")


def configured() -> PriceBook:
    rule = PriceRule("mine", "model-*", MINE, "cheap")
    return PriceBook({"mine": "https://api.openai.com/v1"}, load(None, ""), [rule])


def test_a_configured_price_wins_over_everything() -> None:
    rule = PriceRule("deepseek", "deepseek-flash", MINE)
    book = PriceBook({"deepseek": ""}, load(None, ""), [rule])
    quote = book.quote("deepseek", "deepseek-flash", NOON_NS)
    assert (quote.price, quote.tier) == (MINE, "configured")


def test_a_configured_price_is_for_its_provider_and_its_models_alone() -> None:
    book = configured()
    assert book.quote("mine", "MODEL-7", NOON_NS).tier == "configured cheap"
    assert book.quote("mine", "other", NOON_NS) == UNPRICED
    assert book.quote("mine", "gpt-5.4", NOON_NS).tier.startswith("openai ")
    assert book.quote("other", "model-7", NOON_NS) == UNPRICED


def test_a_configured_price_can_be_zero() -> None:
    free = PriceRule("vllm", "*", Price(0, 0))
    assert PriceBook({"vllm": ""}, None, [free]).quote("vllm", "x", NOON_NS).price == Price(0, 0)


def test_deepseek_is_priced_without_the_library() -> None:
    book = PriceBook({"deepseek": ""}, None)
    assert book.quote("deepseek", "deepseek-flash", NOON_NS).tier == "deepseek off-peak"
    assert book.quote("deepseek", "gpt-5.4", NOON_NS) == UNPRICED


def test_callers_cannot_fill_the_memory_with_names(book: PriceBook) -> None:
    for number in range(MOST_REMEMBERED + 10):
        book.quote("deepseek", f"made-up-{number}", NOON_NS)
    assert len(book._known) <= MOST_REMEMBERED
