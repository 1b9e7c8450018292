"""The route that somebody gets who wrote no configuration."""

from __future__ import annotations

from pathlib import Path

from sidecar.config.load import from_environment
from sidecar.config.resolve import resolve
from sidecar.config.usual import MODELS, routes_of
from sidecar.ledger import price_file
from sidecar.ledger.prices import PriceBook
from sidecar.providers.table import DIALECTS, PROFILES

ENVS = {name: profile.key_env for name, profile in PROFILES.items() if profile.base_url}
# Some day after the youngest of these models came out.
NOW_NS = 1_795_000_000_000_000_000


def test_the_route_goes_by_the_stated_order_and_not_by_the_environments() -> None:
    config = from_environment({"OPENAI_API_KEY": "sk-x", "DEEPSEEK_API_KEY": "sk-y"}, ENVS)

    assert list(config.routes) == ["default"]
    assert config.routes["default"].targets == ("deepseek/deepseek-v4-pro", "openai/gpt-5.4")


def test_a_provider_without_a_usual_model_is_in_no_route_but_can_be_named() -> None:
    config = from_environment({"TOKENMIX_API_KEY": "sk-x"}, ENVS)

    assert list(config.providers) == ["tokenmix"]
    assert config.routes == {}


def test_all_of_it_resolves() -> None:
    config = from_environment({env: "sk-x" for env in ENVS.values() if env}, ENVS)
    (route,) = resolve(config, PROFILES, set(DIALECTS)).routes

    assert [(t.provider, t.model) for t in route.targets] == list(MODELS)


def test_every_usual_model_has_a_price() -> None:
    table = price_file.load(None, price_file.installed_version())
    book = PriceBook({name: p.base_url for name, p in PROFILES.items()}, table, ())

    assert not [name for name in MODELS if book.quote(*name, NOW_NS).price is None]


def test_nobody_found_is_no_route() -> None:
    assert routes_of([]) == {}


def test_the_document_names_the_same_models_in_the_same_order() -> None:
    document = Path(__file__).parents[2] / "docs" / "configuration.md"
    rows = [f"| {PROFILES[name].key_env} | {name}/{model} |" for name, model in MODELS]

    assert "\n".join(rows) in document.read_text(encoding="utf-8")
