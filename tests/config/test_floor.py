"""The floor of tokens per second: a default, a provider's, a model's, and what is wrong."""

from __future__ import annotations

from sidecar.core.target import Phases
from tests.config.making import problems, resolved, with_provider


def phases(fields: str, model: str = "m-1") -> Phases:
    return resolved(with_provider(fields)).providers["p"].target(model).phases


def test_five_tokens_a_second_over_ten_seconds_if_nothing_is_said() -> None:
    found = phases("accounts: {}")
    assert (found.min_tokens_per_s, found.rate_window_s) == (5.0, 10.0)


def test_a_provider_has_its_own() -> None:
    found = phases("timeouts: {min_tokens_per_s: 2, rate_window: 30s}")
    assert (found.min_tokens_per_s, found.rate_window_s) == (2.0, 30.0)


def test_a_models_goes_before_the_providers() -> None:
    text = "timeouts: {min_tokens_per_s: 2}, models: {m-1: {timeouts: {min_tokens_per_s: 0}}}"
    assert phases(text).min_tokens_per_s == 0.0


def test_a_floor_that_is_no_number_is_told_with_its_path() -> None:
    told = problems(with_provider("timeouts: {min_tokens_per_s: fast, rate_window: 0s}"))
    assert any("providers.p.timeouts.min_tokens_per_s" in line for line in told)
    assert any("providers.p.timeouts.rate_window" in line for line in told)
