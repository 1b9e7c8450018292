"""Limits as written, made definite."""

from __future__ import annotations

import pytest

from sidecar.config.limits import resolved_limit
from sidecar.config.schema import Limit
from sidecar.limits.bucket import Dimension, admitted_within
from tests.config.making import LIMIT, problems, with_limit


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("{}", "expected exactly one of requests, tokens, input_tokens"),
        ("{requests: 1, tokens: 5}", "expected exactly one of"),
        ("{requests: 0}", "requests must be positive"),
        ("{tokens: -5}", "tokens must be positive"),
        ("{requests: 5, per: 0s}", "per must be positive"),
        ("{requests: 5, per: soon}", "per: expected a duration"),
        ("{requests: 5, burst: 0}", "burst must be positive"),
        ("{concurrency: 5, burst: 2}", "concurrency has no burst"),
    ],
)
def test_a_limit_that_means_nothing_is_told_at_its_place(limit: str, message: str) -> None:
    assert problems(with_limit(limit))[LIMIT].startswith(message)


def test_two_limits_that_count_the_same_are_told() -> None:
    both = "{requests: 5, per: 60s}, {requests: 9, per: 60s, burst: 2}"

    assert problems(with_limit(both)) == {
        "providers.p.accounts.a.limits[1]": "counts the same as limits[0]"
    }


def test_limits_over_two_windows_go_together() -> None:
    assert problems(with_limit("{requests: 5, per: 1s}, {requests: 60, per: 60s}")) == {}


def test_a_window_may_be_a_bare_number_of_seconds() -> None:
    assert resolved_limit(Limit(requests=5, per=30)).per_s == 30.0


def test_without_a_burst_the_limit_itself_is_the_burst() -> None:
    assert resolved_limit(Limit(requests=60)).burst == 60


def test_a_window_safe_limit_never_lets_more_through_than_it_says() -> None:
    made = resolved_limit(Limit(requests=60, mode="window_safe"))

    assert admitted_within(made.bucket("p", "a", "k"), 60.0) == 60


def test_a_limit_of_a_class_applies_to_that_class_alone() -> None:
    made = resolved_limit(Limit(requests=5, cls="reasoning"))

    assert (made.applies("m", True), made.applies("m", False)) == (True, False)


def test_a_limit_of_models_applies_to_what_the_patterns_name() -> None:
    made = resolved_limit(Limit(tokens=5, models=("gpt-5*", "o3")))

    assert [made.applies(m, False) for m in ("gpt-5-mini", "o3", "o4")] == [True, True, False]


def test_a_bucket_is_the_accounts_unless_it_is_each_keys() -> None:
    shared, own = (resolved_limit(Limit(requests=5, each=each)) for each in ("account", "key"))

    assert shared.bucket("p", "a", "k1").id == shared.bucket("p", "a", "k2").id
    assert own.bucket("p", "a", "k1").id != own.bucket("p", "a", "k2").id


def test_concurrency_has_no_window() -> None:
    bucket = resolved_limit(Limit(concurrency=7)).bucket("p", "a", "k")

    assert (bucket.dimension, bucket.limit) == (Dimension.CONCURRENCY, 7)
