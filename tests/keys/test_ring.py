"""Who rests, for how long, in which scope, and who may be probed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.failure import Cause, Failure
from sidecar.keys.ring import (
    DISABLING,
    PROBE_FIRST_S,
    PROBE_LAST_S,
    PROBE_LEASE_S,
    REST_FIRST_S,
    REST_LAST_S,
    Key,
    KeyRing,
)
from sidecar.keys.secret import Secret

ONE = Key("deepseek", "team", "one", Secret("sk-one"))
TWO = Key("deepseek", "team", "two", Secret("sk-two"))
OTHER = Key("deepseek", "lab", "other", Secret("sk-other"))
OWN = Key("deepseek", "team", "own", Secret("sk-own"), per_key_limits=True)
OWN_TOO = Key("deepseek", "team", "own-too", Secret("sk-own-too"), per_key_limits=True)
FOREIGN = Key("openai", "team", "one", Secret("sk-foreign"))
ALL = (ONE, TWO, OTHER, OWN, OWN_TOO, FOREIGN)

M, N = "model-m", "model-n"


def failure(cause: Cause, retry_after_s: float | None = None) -> Failure:
    return Failure(cause, "it failed", retry_after_s=retry_after_s)


def ring_after(key: Key, cause: Cause, told_s: float | None = None, now: float = 0.0) -> KeyRing:
    ring = KeyRing(ALL)
    ring.failed(key, M, failure(cause, told_s), now)
    return ring


def resting(ring: KeyRing, now: float = 0.0) -> set[tuple[str, str]]:
    """Every (alias, model) that may not be used at once; the foreign key as "openai/one"."""
    return {
        (key.alias if key.provider == "deepseek" else f"{key.provider}/{key.alias}", model)
        for key in ALL
        for model in (M, N)
        if ring.standing(key, model, now).ready_at > now
    }


def test_a_fresh_ring_has_everybody_ready() -> None:
    assert resting(KeyRing(ALL)) == set()


def test_keys_are_told_by_provider_in_their_order() -> None:
    ring = KeyRing(ALL)
    assert ring.keys("openai") == (FOREIGN,)
    assert ring.keys("deepseek") == ALL[:-1]
    assert ring.keys("nobody") == ()


TEAM = {("one", M), ("two", M), ("own", M), ("own-too", M)}
SCOPES = [
    (ONE, Cause.RATE_LIMITED, TEAM),
    (OWN, Cause.RATE_LIMITED, {("own", M)}),
    (ONE, Cause.CREDENTIAL, {("one", M), ("one", N)}),
    (ONE, Cause.MODEL_ACCESS, {("one", M)}),
    (ONE, Cause.QUOTA, TEAM | {(alias, N) for alias, _ in TEAM}),
    (ONE, Cause.REGION, TEAM | {(alias, N) for alias, _ in TEAM}),
]


@pytest.mark.parametrize(("key", "cause", "who"), SCOPES)
def test_whoever_is_to_blame_rests_and_nobody_else(
    key: Key, cause: Cause, who: set[tuple[str, str]]
) -> None:
    assert resting(ring_after(key, cause)) == who


BLAMELESS = sorted(set(Cause) - {cause for _, cause, _ in SCOPES}, key=lambda cause: cause.value)


@pytest.mark.parametrize("cause", BLAMELESS)
def test_what_is_no_keys_fault_lets_no_key_rest(cause: Cause) -> None:
    assert resting(ring_after(ONE, cause, told_s=30.0)) == set()


# -- how long --------------------------------------------------------------------------------


def test_a_429_rests_as_long_as_the_provider_says() -> None:
    assert ring_after(ONE, Cause.RATE_LIMITED, 17.0).standing(ONE, M, 0.0).ready_at == 17.0


def test_a_429_may_say_less_than_we_would_have_waited() -> None:
    assert ring_after(ONE, Cause.RATE_LIMITED, 0.25).standing(ONE, M, 0.0).ready_at == 0.25


def fail_again(ring: KeyRing, cause: Cause, times: int) -> list[float]:
    """Fail at the very end of each rest; how long every rest was."""
    now, spans = 0.0, []
    for _ in range(times):
        ring.admitted(ONE, M, now)
        ring.failed(ONE, M, failure(cause), now)
        ready_at = ring.standing(ONE, M, now).ready_at
        spans.append(ready_at - now)
        now = ready_at
    return spans


def test_429s_without_a_word_double_up_to_half_a_minute() -> None:
    spans = fail_again(KeyRing(ALL), Cause.RATE_LIMITED, 7)
    assert spans == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert (spans[0], spans[-1]) == (REST_FIRST_S, REST_LAST_S)


@pytest.mark.parametrize("cause", sorted(DISABLING, key=lambda cause: cause.value))
def test_probes_of_a_disabled_key_come_at_growing_intervals(cause: Cause) -> None:
    spans = fail_again(KeyRing(ALL), cause, 8)
    assert spans[:3] == [PROBE_FIRST_S, 2 * PROBE_FIRST_S, 4 * PROBE_FIRST_S]
    assert spans[-1] == PROBE_LAST_S


def test_a_short_retry_after_does_not_bring_a_disabled_key_back_early() -> None:
    ring = ring_after(ONE, Cause.CREDENTIAL, told_s=1.0)
    assert ring.standing(ONE, M, 0.0).ready_at == PROBE_FIRST_S


def test_a_rest_is_only_ever_extended() -> None:
    ring = ring_after(ONE, Cause.RATE_LIMITED, 60.0)
    ring.failed(ONE, M, failure(Cause.RATE_LIMITED, 1.0), 5.0)
    assert ring.standing(ONE, M, 5.0).ready_at == 60.0
    ring.failed(ONE, M, failure(Cause.RATE_LIMITED, 90.0), 5.0)
    assert ring.standing(ONE, M, 5.0).ready_at == 95.0


@pytest.mark.parametrize("cause", [Cause.CREDENTIAL, Cause.RATE_LIMITED])
def test_what_was_in_the_air_together_counts_as_one_strike(cause: Cause) -> None:
    """Twenty streams with one revoked key: the first probe comes in ten minutes, not in hours."""
    ring = KeyRing(ALL)
    for number in range(20):
        ring.failed(ONE, M, failure(cause), number * 0.001)
    first = PROBE_FIRST_S if cause is Cause.CREDENTIAL else REST_FIRST_S
    assert ring.standing(ONE, M, 0.02).ready_at == pytest.approx(first + 0.019)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(DISABLING | {Cause.RATE_LIMITED}, key=lambda c: c.value)),
            st.none() | st.floats(0.0, 1e5),
            st.floats(0.0, 1000.0),
        ),
        max_size=30,
    )
)
def test_no_failure_ever_shortens_a_rest(steps: list[tuple[Cause, float | None, float]]) -> None:
    ring, now, before = KeyRing(ALL), 0.0, 0.0
    for cause, told_s, wait_s in steps:
        now += wait_s
        ring.failed(ONE, M, failure(cause, told_s), now)
        ready_at = ring.standing(ONE, M, now).ready_at
        assert ready_at >= max(before, now)
        before = ready_at


# -- probes ----------------------------------------------------------------------------------


def test_a_disabled_key_is_probed_by_one_request_at_a_time() -> None:
    ring, later = ring_after(ONE, Cause.CREDENTIAL), PROBE_FIRST_S
    assert ring.standing(ONE, M, later).ready_at == later
    ring.admitted(ONE, M, later)
    assert ring.standing(ONE, M, later).ready_at == later + PROBE_LEASE_S
    assert ring.standing(ONE, N, later).ready_at == later + PROBE_LEASE_S


def test_a_key_back_from_a_429_is_not_probed_but_used() -> None:
    ring = ring_after(ONE, Cause.RATE_LIMITED, 5.0)
    ring.admitted(ONE, M, 5.0)
    assert ring.standing(ONE, M, 5.0).ready_at == 5.0


def test_a_good_probe_clears_the_rest() -> None:
    ring, later = ring_after(ONE, Cause.QUOTA), PROBE_FIRST_S
    ring.admitted(TWO, N, later)
    ring.succeeded(TWO, N, later)
    assert resting(ring, later) == set()


def test_a_probe_that_proved_nothing_makes_room_for_another() -> None:
    ring, later = ring_after(ONE, Cause.CREDENTIAL), PROBE_FIRST_S
    ring.admitted(ONE, M, later)
    ring.excluded(ONE, M)
    assert ring.standing(ONE, M, later).ready_at == later


def test_a_probe_that_failed_for_another_reason_makes_room_for_another() -> None:
    ring, later = ring_after(ONE, Cause.CREDENTIAL), PROBE_FIRST_S
    ring.admitted(ONE, M, later)
    ring.failed(ONE, M, failure(Cause.SERVER_ERROR), later)
    assert ring.standing(ONE, M, later).ready_at == later


def test_a_success_begins_the_row_of_strikes_anew() -> None:
    ring = KeyRing(ALL)
    fail_again(ring, Cause.RATE_LIMITED, 4)
    ring.succeeded(ONE, M, 100.0)
    ring.failed(ONE, M, failure(Cause.RATE_LIMITED), 100.0)
    assert ring.standing(ONE, M, 100.0).ready_at == 101.0


def test_a_stream_from_before_the_429_does_not_end_the_rest() -> None:
    ring = ring_after(ONE, Cause.RATE_LIMITED, 60.0, now=10.0)
    ring.succeeded(TWO, M, 3.0)
    assert ring.standing(ONE, M, 20.0).ready_at == 70.0


def test_a_success_with_one_key_says_nothing_of_another_keys_credential() -> None:
    ring = ring_after(ONE, Cause.CREDENTIAL)
    ring.succeeded(TWO, M, 1.0)
    assert ring.standing(ONE, M, 1.0).ready_at == PROBE_FIRST_S


def test_a_disabled_scope_keeps_the_reason_that_disabled_it() -> None:
    ring = KeyRing(ALL)
    ring.failed(OWN, M, failure(Cause.MODEL_ACCESS), 0.0)
    ring.failed(OWN, M, failure(Cause.RATE_LIMITED, 9000.0), PROBE_FIRST_S)
    standing = ring.standing(OWN, M, PROBE_FIRST_S)
    assert (standing.cause, standing.disabled) == (Cause.MODEL_ACCESS, True)


# -- what people see -------------------------------------------------------------------------


def test_the_standing_names_the_scope_and_the_cause_of_the_longest_rest() -> None:
    ring = ring_after(ONE, Cause.RATE_LIMITED, 5.0)
    ring.failed(ONE, M, failure(Cause.CREDENTIAL), 0.0)
    standing = ring.standing(ONE, M, 0.0)
    assert (standing.scope, standing.cause) == ("key/one", Cause.CREDENTIAL)
    assert ring.standing(TWO, M, 0.0).scope == f"account/team/{M}"


def test_the_list_of_the_resting_forgets_what_is_over() -> None:
    ring = ring_after(ONE, Cause.RATE_LIMITED, 5.0)
    assert [scope for scope, _ in ring.resting(1.0)] == [f"deepseek/account/team/{M}"]
    assert ring.resting(5.0) == []


# -- a new configuration ---------------------------------------------------------------------


def test_replacing_the_keys_keeps_what_rests() -> None:
    ring = ring_after(ONE, Cause.CREDENTIAL)
    ring.replace(Key(k.provider, k.account, k.alias, k.secret, k.per_key_limits) for k in ALL)
    assert resting(ring) == {("one", M), ("one", N)}


def test_a_new_secret_starts_afresh() -> None:
    ring = ring_after(ONE, Cause.CREDENTIAL)
    ring.failed(ONE, M, failure(Cause.MODEL_ACCESS), 0.0)
    ring.replace([Key("deepseek", "team", "one", Secret("sk-new")), *ALL[1:]])
    assert resting(ring) == set()


def test_a_new_secret_does_not_pay_the_accounts_debts() -> None:
    ring = ring_after(ONE, Cause.QUOTA)
    ring.replace([Key("deepseek", "team", "one", Secret("sk-new")), *ALL[1:]])
    assert ("two", N) in resting(ring)


def test_a_key_that_went_is_not_offered_any_more() -> None:
    ring = KeyRing(ALL)
    ring.replace([ONE])
    assert ring.keys("deepseek") == (ONE,)
    assert ring.keys("openai") == ()
