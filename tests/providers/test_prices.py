"""Prices along the table of providers: who has public ones, and who must be given them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sidecar.core.money import UNKNOWN, cost_of
from sidecar.core.usage import Usage
from sidecar.ledger.price_file import load
from sidecar.ledger.price_table import PriceTable
from sidecar.ledger.prices import UNPRICED, PriceBook
from sidecar.ledger.window import wall_ns_of
from sidecar.providers.table import PROFILES
from tests.ledger.making import NOON_NS
from tests.providers.page import priced_models

# Whose prices nobody publishes as a list that the library has: one's own hardware, addresses of
# the user's own, and gateways in front of other companies' models.
BY_CONFIGURATION = frozenset(
    {
        *("vllm", "sglang", "llamacpp", "ollama", "ollama-compatible", "gpustack"),
        *("generic", "typed-event"),
        *("litellm", "portkey", "tokenmix", "vercel-gateway", "huggingface", "alibaba"),
    }
)
# A usual model of each that has public prices, and what of it has a price of its own.
USUAL = {
    "deepseek": ("deepseek-v4-pro", "cached"),
    "deepseek-messages": ("deepseek-flash", "cached"),
    "deepseek-responses": ("deepseek-flash", "cached"),
    "openai": ("gpt-5.6", "cached written"),
    "openai-responses": ("gpt-5.4", "cached"),
    "azure": ("gpt-4o", "cached"),
    "mistral": ("mistral-medium-latest", "cached"),
    "openrouter": ("anthropic/claude-haiku-4.5", "cached written"),
    "groq": ("openai/gpt-oss-120b", "cached"),
    "xai": ("grok-4.3", "cached"),
    "xai-responses": ("grok-4.3", "cached"),
    "together": ("openai/gpt-oss-120b", ""),
    "fireworks": ("accounts/fireworks/models/deepseek-v4-pro", "cached"),
    "perplexity": ("sonar-pro", ""),
    "zai": ("glm-4.7", "cached"),
    "avian": ("deepseek/deepseek-v3.2", "cached"),
    "moonshot": ("kimi-k2.6", "cached"),
    "anthropic": ("claude-opus-5", "cached written"),
    "gemini": ("gemini-3.5-flash", "cached"),
    "gemini-interactions": ("gemini-3.5-flash", "cached"),
}
SENT = Usage(1_000, cached_input_tokens=100, output_tokens=100)


@pytest.fixture(scope="module")
def table() -> PriceTable:
    return load(None, "")


@pytest.fixture(scope="module")
def book(table: PriceTable) -> PriceBook:
    return PriceBook({name: profile.base_url for name, profile in PROFILES.items()}, table)


@pytest.mark.parametrize("name", PROFILES)
def test_every_provider_has_public_prices_or_is_known_to_need_its_users(
    name: str, book: PriceBook
) -> None:
    assert bool(book.source(name)) != (name in BY_CONFIGURATION)
    assert bool(book.source(name)) == (name in USUAL)


@pytest.mark.parametrize("name", USUAL)
def test_a_usual_model_has_a_price_with_its_cached_input(name: str, book: PriceBook) -> None:
    model, own = USUAL[name]
    price = book.quote(name, model, NOON_NS).price
    assert price is not None
    assert price.input > 0 < price.output
    assert (price.cached_input is not None) == ("cached" in own)
    assert (price.cache_write is not None) == ("written" in own)


@pytest.mark.parametrize("name", USUAL)
def test_a_source_is_no_empty_name(name: str, book: PriceBook) -> None:
    assert priced_models(book.source(name))


@pytest.mark.parametrize("name", PROFILES)
def test_a_model_that_nobody_knows_costs_an_unknown_amount_and_not_nothing(
    name: str, book: PriceBook
) -> None:
    quote = book.quote(name, "a-model-of-nobody", NOON_NS)
    assert quote == UNPRICED
    assert cost_of(SENT, quote.price) == UNKNOWN


@pytest.mark.parametrize(
    ("name", "model", "over"),
    [
        ("openai", "gpt-5.4", 272_000),
        ("gemini", "gemini-2.5-pro", 200_000),
        ("gemini", "gemini-3.1-pro-preview", 200_000),
        ("anthropic", "claude-sonnet-4-5", 200_000),
    ],
)
def test_a_long_context_costs_more_where_the_provider_has_such_a_tier(
    name: str, model: str, over: int, book: PriceBook
) -> None:
    short = book.quote(name, model, NOON_NS, over).price
    long = book.quote(name, model, NOON_NS, over + 1).price
    assert short is not None
    assert long is not None
    assert long.input > short.input
    assert long.output > short.output


@pytest.mark.parametrize("name", [name for name in USUAL if name.startswith("deepseek")])
def test_deepseeks_peak_hours_count_at_each_of_its_doors(name: str, book: PriceBook) -> None:
    monday = wall_ns_of(datetime(2026, 11, 23, 2, tzinfo=UTC))
    sunday = wall_ns_of(datetime(2026, 11, 22, 2, tzinfo=UTC))
    peak, quiet = (book.quote(name, "deepseek-flash", at).price for at in (monday, sunday))
    assert peak is not None
    assert quiet is not None
    assert (peak.input, peak.output) == (2 * quiet.input, 2 * quiet.output)
