from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sidecar.limits.bucket import Cost
from sidecar.limits.estimate import ENOUGH, FIRST_OUTPUT, Estimator, Percentile, fitted


def taught(*outputs: int, klass: str = "plain", caller: str = "c") -> Estimator:
    estimator = Estimator()
    for output in outputs:
        estimator.learn("m", klass, caller, 400, Cost(1, 100, output), whole=True)
    return estimator


def test_before_anything_is_known_four_bytes_are_a_token() -> None:
    assert Estimator().input_tokens("m", 401) == 101


def test_an_empty_prompt_still_costs_a_token() -> None:
    assert Estimator().input_tokens("m", 0) == 1


def test_the_bytes_of_a_token_are_learned() -> None:
    estimator = Estimator()
    for _ in range(200):
        estimator.learn("m", "plain", "", 200, Cost(1, 100, 1), whole=True)
    assert estimator.input_tokens("m", 2000) == 1000


def test_reasoning_is_expected_to_be_ten_times_as_long() -> None:
    assert FIRST_OUTPUT["reasoning"] == 10 * FIRST_OUTPUT["plain"]


def test_nine_in_ten_outputs_fit_the_estimate() -> None:
    assert taught(*range(1, 101)).output_tokens("m", "plain", "c") == 91


def test_a_new_caller_is_judged_by_the_model() -> None:
    assert taught(*range(1, 101)).output_tokens("m", "plain", "stranger") == 91


def test_classes_are_learned_apart() -> None:
    estimator = taught(*[9000] * ENOUGH, klass="reasoning")
    assert estimator.output_tokens("m", "plain", "c") == FIRST_OUTPUT["plain"]


def test_a_few_outputs_are_not_yet_a_percentile() -> None:
    assert taught(*[5] * (ENOUGH - 1)).output_tokens("m", "plain", "c") == FIRST_OUTPUT["plain"]


def test_max_tokens_bounds_the_estimate() -> None:
    assert Estimator().estimate("m", "plain", "c", 4, max_tokens=7).cost == Cost(1, 1, 7)


def test_a_large_max_tokens_does_not_raise_the_estimate() -> None:
    estimate = taught(*[50] * ENOUGH).estimate("m", "plain", "c", 4, max_tokens=100_000)
    assert estimate.cost.output_tokens == 50


def test_an_output_that_was_cut_teaches_no_length() -> None:
    estimator = Estimator()
    for _ in range(ENOUGH):
        estimator.learn("m", "plain", "c", 400, Cost(1, 100, 3), whole=False)
    assert estimator.output_tokens("m", "plain", "c") == FIRST_OUTPUT["plain"]


def test_a_usage_of_zero_is_not_learned_from() -> None:
    estimator = Estimator()
    estimator.learn("m", "plain", "c", 400, Cost(1, 0, 0), whole=True)
    assert estimator.input_tokens("m", 400) == 100


def test_a_guess_is_cut_to_what_the_bucket_can_hold() -> None:
    estimate = Estimator().estimate("m", "reasoning", "c", 400)
    assert fitted(estimate, 1000) == Cost(1, 100, 900)


def test_what_the_caller_told_is_not_cut() -> None:
    estimate = Estimator().estimate("m", "reasoning", "c", 400, max_tokens=5000)
    assert fitted(estimate, 1000) == Cost(1, 100, 5000)


def test_a_prompt_larger_than_the_bucket_stays_larger() -> None:
    estimate = Estimator().estimate("m", "plain", "c", 8000)
    assert fitted(estimate, 1000).input_tokens == 2000


@given(st.lists(st.integers(0, 50), min_size=1, max_size=300))
def test_the_percentile_is_that_of_the_last_hundred(values: list[int]) -> None:
    seen = Percentile()
    for value in values:
        seen.add(value)
    last = sorted(values[-100:])
    assert seen.value() == last[min(int(len(last) * 0.9), len(last) - 1)]
