"""Keys of one owner, though the configuration gives each its own quota."""

from __future__ import annotations

from sidecar.core.failure import Cause, Failure
from sidecar.keys.ring import Key, KeyRing
from sidecar.keys.secret import Secret

ONE = Key("openai", "red", "one", Secret("sk-one"))
TWO = Key("openai", "blue", "two", Secret("sk-two"))
SAME = Key("openai", "red", "same", Secret("sk-same"))
THIRD = Key("openai", "green", "third", Secret("sk-third"))
ELSEWHERE = Key("azure", "red", "one", Secret("sk-az"))
LIMITED = Failure(Cause.RATE_LIMITED, "slow down", retry_after_s=9.0)


def ring(*keys: Key) -> KeyRing:
    return KeyRing(keys or (ONE, TWO, SAME, THIRD, ELSEWHERE))


def aliases(keys: tuple[Key, ...]) -> list[str]:
    return [key.alias for key in keys]


def test_until_somebody_tells_the_configuration_is_believed() -> None:
    assert ring().sharing(ONE) == ()


def test_two_keys_with_one_owner_share_and_others_do_not() -> None:
    one = ring()
    assert one.owned(TWO, "org-1") is None
    group = one.owned(ONE, "org-1")
    assert group is not None
    assert (group.aliases, group.account) == (("one", "two"), "red")
    one.owned(THIRD, "org-2")
    assert aliases(one.sharing(TWO)) == ["one", "two"]
    assert one.sharing(THIRD) == ()


def test_it_is_told_once() -> None:
    one = ring()
    one.owned(ONE, "org-1")
    assert one.owned(TWO, "org-1") is not None
    assert one.owned(TWO, "org-1") is None


def test_keys_that_the_configuration_puts_together_are_no_news() -> None:
    one = ring()
    one.owned(ONE, "org-1")
    assert one.owned(SAME, "org-1") is None


def test_owners_of_different_providers_are_different_people() -> None:
    one = ring()
    one.owned(ONE, "org-1")
    assert one.owned(ELSEWHERE, "org-1") is None


def test_keys_with_limits_of_their_own_are_joined_within_one_account() -> None:
    first = Key("openai", "red", "one", Secret("a"), per_key_limits=True)
    second = Key("openai", "red", "two", Secret("b"), per_key_limits=True)
    one = ring(first, second)
    one.owned(first, "org-1")
    assert one.owned(second, "org-1") is not None


def test_what_one_of_them_is_refused_for_all_of_them_rest_for() -> None:
    one = ring()
    one.owned(ONE, "org-1")
    one.owned(TWO, "org-1")
    one.failed(TWO, "m", LIMITED, 0.0)
    assert one.standing(ONE, "m", 0.0).ready_at == 9.0
    assert one.standing(THIRD, "m", 0.0).ready_at == 0.0


def test_a_rest_from_before_they_were_joined_is_kept() -> None:
    one = ring()
    one.owned(ONE, "org-1")
    one.failed(TWO, "m", LIMITED, 0.0)
    one.owned(TWO, "org-1")
    assert one.standing(ONE, "m", 0.0).ready_at == 9.0


def test_a_new_secret_may_have_another_owner() -> None:
    one = ring()
    one.owned(ONE, "org-1")
    one.owned(TWO, "org-1")
    fresh = Key("openai", "blue", "two", Secret("sk-new"))
    one.replace((ONE, fresh))
    assert one.sharing(ONE) == ()
