from __future__ import annotations

from sidecar.limits.debts import MOST_AT_ONCE, MOST_KEPT, Debts
from sidecar.limits.script import Owed
from tests.limits.meters import HandClock, requests

BUCKET = requests()
REFUND = Owed("settle", BUCKET, (1, 5, 0.0, "g"))
DEBIT = Owed("settle", BUCKET, (1, -5, 0.0, "g"))


def test_nothing_owed_is_never_due() -> None:
    assert Debts(HandClock()).due_in_s() is None


def test_what_is_owed_is_due_after_its_lingering() -> None:
    clock = HandClock()
    debts = Debts(clock)
    debts.add([REFUND], 1.0)
    clock.move(0.25)
    assert debts.due_in_s() == 0.75


def test_the_most_urgent_decides_for_all() -> None:
    debts = Debts(HandClock())
    debts.add([REFUND], 1.0)
    debts.add([DEBIT], 0.5)
    debts.add([REFUND], 2.0)
    assert debts.due_in_s() == 0.5


def test_a_call_takes_a_bounded_number_and_the_rest_is_due_at_once() -> None:
    debts = Debts(HandClock())
    debts.add([REFUND] * (MOST_AT_ONCE + 1), 1.0)
    assert (len(debts.pop()), len(debts), debts.due_in_s()) == (MOST_AT_ONCE, 1, 0.0)


def test_healing_goes_before_everything_else() -> None:
    debts, heal = Debts(HandClock()), Owed("heal", BUCKET, ())
    debts.add([REFUND], 1.0)
    debts.add([heal], 0.0, first=True)
    assert debts.pop() == [heal, REFUND]


def test_when_too_much_is_owed_refunds_are_dropped_and_debits_kept() -> None:
    debts = Debts(HandClock())
    debts.add([REFUND] * MOST_KEPT, 1.0)
    debts.add([DEBIT], 1.0)
    assert debts.pop() == [DEBIT]
