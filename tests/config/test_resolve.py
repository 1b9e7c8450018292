"""From the shape to the sense."""

from __future__ import annotations

import pytest

from sidecar.config.load import from_environment, parse
from sidecar.config.resolve import THINKING_FIRST_S, resolve
from sidecar.core.target import Resume
from sidecar.providers.table import DIALECTS, PROFILES
from tests.config.making import GOOD, problems, resolved, with_provider


def first_s(fields: str, model: str = "m-1") -> float:
    return resolved(with_provider(fields)).providers["p"].target(model).phases.first_s


def test_a_built_in_provider_needs_only_its_accounts() -> None:
    provider = resolved(GOOD).providers["deepseek"]

    assert (provider.profile.dialect, provider.profile.base_url) == (
        "openai-chat",
        PROFILES["deepseek"].base_url,
    )


def test_a_base_url_loses_its_last_slash() -> None:
    assert resolved(GOOD).providers["local"].profile.base_url == "http://127.0.0.1:8000/v1"


def test_a_route_knows_its_targets_in_order() -> None:
    (route,) = resolved(GOOD).routes

    assert [target.name for target in route.targets] == [
        "deepseek/deepseek-v4-pro",
        "local/small-1",
    ]
    assert route.patience_s == 90.0


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ("proxy: somewhere", "providers.p.proxy", "expected an http:// or https:// address"),
        ("auth: magic", "providers.p.auth", "expected one of bearer"),
        ("quirks: {nope: 1}", "providers.p", "nope: no such field"),
        ("models: {m: {quirks: {nope: 1}}}", "providers.p", "nope: no such field"),
        ("timeouts: {connect: x}", "providers.p.timeouts.connect", "expected a duration"),
        ("timeouts: {lunch: 1s}", "providers.p.timeouts.lunch", "expected one of connect"),
        (
            "models: {m: {timeouts: {total: x}}}",
            "providers.p.models.m.timeouts.total",
            "expected a duration",
        ),
        (
            "accounts: {a: {keys: [{name: k}]}}",
            "providers.p.accounts.a.keys[0]",
            "expected exactly one of file and env",
        ),
        (
            "accounts: {a: {keys: [{name: k, env: A, file: /b}]}}",
            "providers.p.accounts.a.keys[0]",
            "expected exactly one of file and env",
        ),
        (
            "accounts: {a: {keys: [{name: '', env: A}]}}",
            "providers.p.accounts.a.keys[0].name",
            "is empty",
        ),
        (
            "accounts: {a: {keys: [{name: k, env: A}]}, b: {keys: [{name: k, env: B}]}}",
            "providers.p.accounts.b.keys[0]",
            "'k' is already the name of providers.p.accounts.a.keys[0]",
        ),
    ],
)
def test_what_is_wrong_with_a_provider_is_told_at_its_path(
    fields: str, path: str, message: str
) -> None:
    assert problems(with_provider(fields))[path].startswith(message)


def test_dialect_and_address_are_checked() -> None:
    assert problems("providers: {p: {dialect: morse, base_url: h/v1}}") == {
        "providers.p.dialect": f"expected one of {', '.join(sorted(DIALECTS))}",
        "providers.p.base_url": "expected an http:// or https:// address",
    }


@pytest.mark.parametrize(
    ("route", "path", "message"),
    [
        ("{targets: []}", "routes.r.targets", "expected at least one provider/model"),
        ("{targets: [p]}", "routes.r.targets[0]", "expected provider/model, got 'p'"),
        ("{targets: [p/]}", "routes.r.targets[0]", "expected provider/model, got 'p/'"),
        ("{targets: [q/m]}", "routes.r.targets[0]", "no provider is called 'q'; configured are p"),
        ("{targets: [p/m, p/m]}", "routes.r.targets[1]", "p/m stands twice"),
        ("{targets: [p/m], retries: -1}", "routes.r.retries", "must not be negative"),
        ("{targets: [p/m], patience: x}", "routes.r.patience", "expected a duration"),
    ],
)
def test_what_is_wrong_with_a_route_is_told_at_its_path(
    route: str, path: str, message: str
) -> None:
    text = f"{with_provider('accounts: {}')}\nroutes: {{r: {route}}}"

    assert problems(text)[path].startswith(message)


def test_a_provider_that_is_wrong_is_not_called_missing_by_its_routes() -> None:
    text = f"{with_provider('quirks: {nope: 1}')}\nroutes: {{r: {{targets: [p/m]}}}}"

    assert list(problems(text)) == ["providers.p"]


def test_a_providers_name_has_no_slash() -> None:
    text = "providers: {a/b: {dialect: openai-chat, base_url: 'http://h'}}"

    assert "without a slash" in problems(text)["providers.a/b"]


def test_mistakes_everywhere_are_told_at_once() -> None:
    text = with_provider("timeouts: {connect: x}, accounts: {a: {limits: [{}]}}")
    text += "\nroutes: {r: {targets: [q/m]}}\nstore: disk\nledger: {keep: x}"

    assert list(problems(text)) == [
        "ledger.keep",
        "providers.p.accounts.a.limits[0]",
        "providers.p.timeouts.connect",
        "routes.r.targets[0]",
        "store.url",
    ]


def test_a_model_that_thinks_may_be_silent_for_long() -> None:
    assert first_s("models: {'m-*': {reasoning: true}}") == THINKING_FIRST_S


def test_a_first_token_timeout_of_the_provider_holds_for_models_that_think() -> None:
    assert first_s("models: {'m-*': {reasoning: true}}, timeouts: {first_event: 7s}") == 7.0


def test_a_timeout_of_a_pattern_of_models_holds_for_what_it_names() -> None:
    fields = "models: {'m-*': {timeouts: {first_event: 5s}}}, timeouts: {first_event: 7s}"

    assert (first_s(fields), first_s(fields, "other")) == (5.0, 7.0)


def test_a_prefix_without_a_field_for_reasoning_is_a_prefill() -> None:
    provider = resolved(with_provider("models: {m: {resume: prefix}}")).providers["p"]

    assert provider.target("m").resume is Resume.PREFILL


def test_keys_that_share_an_account_without_limits_are_warned_of() -> None:
    keys = "accounts: {a: {keys: [{name: k, env: K}, {name: l, env: L}]}}"
    (warning,) = resolved(with_provider(keys)).warnings

    assert (warning.path, "share one account" in warning.message) == (
        "providers.p.accounts.a",
        True,
    )


def test_the_environment_alone_makes_a_configuration_that_resolves() -> None:
    envs = {name: profile.key_env for name, profile in PROFILES.items() if profile.base_url}
    config = from_environment({env: "sk-x" for env in envs.values() if env}, envs)

    found = resolve(config, PROFILES, set(DIALECTS)).providers
    assert set(found) == {name for name, env in envs.items() if env}


@pytest.mark.parametrize(
    ("provider", "keyless"),
    [
        ("ollama: {}", True),
        ("vllm: {accounts: {a: {limits: [{concurrency: 4}]}}}", True),
        ("mine: {dialect: openai-chat, base_url: 'https://h/v1'}", True),
        ("mine: {dialect: openai-chat, base_url: 'https://h/v1', auth: none}", True),
        ("openai: {}", False),
        ("openai: {accounts: {a: {keys: [{name: k, env: K}]}}}", False),
        ("ollama: {accounts: {a: {keys: [{name: k, env: K}]}}}", False),
    ],
)
def test_a_server_of_ones_own_needs_no_key(provider: str, keyless: bool) -> None:
    (found,) = resolved(f"providers: {{{provider}}}").providers.values()

    assert found.keyless == keyless


def test_a_route_may_hand_reasoning_on() -> None:
    text = (
        "providers: {p: {dialect: openai-chat, base_url: 'http://h/v1'}}\n"
        "routes: {r: {targets: [p/m], handoff: true}}"
    )
    made = resolve(parse(text), PROFILES, set(DIALECTS))
    assert [(r.name, r.handoff) for r in made.routes] == [("r", True)]
    assert not made.warnings
