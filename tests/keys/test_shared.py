"""What stands where other pods can read it."""

from __future__ import annotations

import pytest

from sidecar.core.failure import Cause, Failure
from sidecar.keys.ring import Key, KeyRing, Rest, Scope
from sidecar.keys.secret import Secret
from sidecar.keys.shared import Names

SALT, OTHER_SALT = "00" * 32, "11" * 32
ONE = Key("deepseek", "team", "one", Secret("sk-very-secret"))
SCOPES = (
    ("deepseek", "key", "one"),
    ("deepseek", "key", "one", "model:with/odd:name"),
    ("deepseek", "account", "team"),
    ("deepseek", "account", "team", "m"),
    ("breaker", "deepseek/m"),
)
REFUSED = Failure(Cause.CREDENTIAL, "no such key")
M = "m"


@pytest.mark.parametrize("scope", SCOPES)
def test_every_name_is_found_again(scope: Scope) -> None:
    names = Names(SALT, [ONE])
    assert names.name_of(names.id_of(scope)) == scope


def test_an_id_holds_neither_secret_nor_alias_nor_account() -> None:
    ids = " ".join(Names(SALT, [ONE]).id_of(scope) for scope in SCOPES[:4])
    assert not [word for word in ("sk-", "secret", "one:", "team") if word in ids]


def test_another_salt_makes_other_ids() -> None:
    scope = SCOPES[0]
    assert Names(SALT, [ONE]).id_of(scope) != Names(OTHER_SALT, [ONE]).id_of(scope)


def test_the_id_is_that_of_the_secret_so_a_new_secret_is_not_what_was_revoked() -> None:
    rotated = Key("deepseek", "team", "one", Secret("sk-new"))
    before = Names(SALT, [ONE]).id_of(SCOPES[0])
    assert Names(SALT, [rotated]).name_of(before) is None


def test_pods_may_call_one_key_by_different_names() -> None:
    elsewhere = Key("deepseek", "team", "uno", Secret("sk-very-secret"))
    note_id = Names(SALT, [ONE]).id_of(SCOPES[0])
    assert Names(SALT, [elsewhere]).name_of(note_id) == ("deepseek", "key", "uno")


def test_what_nobody_has_any_more_has_no_id() -> None:
    with pytest.raises(KeyError):
        Names(SALT, []).id_of(SCOPES[0])


class Told:
    """Everything a ring tells."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def rested(self, scope: Scope, rest: Rest) -> None:
        self.words.append("rested")

    def recovered(self, scope: Scope, began: float) -> None:
        self.words.append("recovered")

    def released(self, scope: Scope) -> None:
        self.words.append("released")


def test_a_ring_tells_what_it_finds_out_itself() -> None:
    told = Told()
    ring = KeyRing([ONE], told)
    ring.failed(ONE, M, REFUSED, 0.0)
    ring.admitted(ONE, M, 700.0)
    ring.excluded(ONE, M)
    ring.succeeded(ONE, M, 701.0)
    assert told.words == ["rested", "released", "recovered"]


def test_what_it_hears_it_does_not_tell() -> None:
    told = Told()
    ring = KeyRing([ONE], told)
    ring.heard(SCOPES[0], Rest(0.0, 600.0, Cause.CREDENTIAL, True, 1))
    ring.heard_well(SCOPES[0])
    assert told.words == []


def test_a_key_that_another_pod_saw_refused_is_not_used() -> None:
    ring = KeyRing([ONE])
    ring.heard(SCOPES[0], Rest(0.0, 600.0, Cause.CREDENTIAL, True, 1))
    standing = ring.standing(ONE, M, 1.0)
    assert (standing.ready_at, standing.cause, standing.disabled) == (600.0, Cause.CREDENTIAL, True)
    ring.heard_well(SCOPES[0])
    assert ring.standing(ONE, M, 1.0).ready_at == 1.0


def test_hearing_never_shortens_a_rest() -> None:
    ring = KeyRing([ONE])
    ring.failed(ONE, M, REFUSED, 0.0)
    ring.heard(SCOPES[0], Rest(0.0, 5.0, Cause.RATE_LIMITED, False, 1))
    standing = ring.standing(ONE, M, 1.0)
    assert (standing.ready_at, standing.disabled) == (600.0, True)


def test_while_another_pod_probes_nobody_else_does() -> None:
    ring = KeyRing([ONE])
    ring.heard(SCOPES[0], Rest(0.0, 600.0, Cause.CREDENTIAL, True, 1, probing_until=720.0))
    assert ring.standing(ONE, M, 650.0).ready_at == 720.0
