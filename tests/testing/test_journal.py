"""The log and the bill."""

from __future__ import annotations

import functools

import msgspec

from sidecar.core.money import FREE, Cost, Price
from sidecar.core.usage import Usage
from sidecar.testing.journal import Ending, Entry, Journal, Line, charge

ENTRY = Entry(
    number=1, received_s=0.0, received_wall_ns=0, dialect="d", flavour="f", path="/", model="m",
    key="k", account="a", stream=True, body_bytes=2, body={}, prefix=None, fault="", status=200,
    head_s=0.0, first_token_s=None, last_byte_s=None, ended_s=None, ending=Ending.RUNNING,
    sent_bytes=0, blocked_s=0.0, usage=Usage(input_tokens=1, output_tokens=2), cost=Cost(5, 0, 7),
)  # fmt: skip


def numbered(number: int, ending: Ending = Ending.COMPLETE) -> Entry:
    return msgspec.structs.replace(ENTRY, number=number, ending=ending)


def test_a_running_attempt_is_in_the_log_and_on_the_bill() -> None:
    journal = Journal(10, 10)
    journal.began(1, lambda: ENTRY)
    assert [entry.is_over for entry in journal.entries()] == [False]
    assert journal.bill().total_nano_usd == 12
    assert (journal.running, journal.over) == (1, 0)


def test_an_attempt_that_ended_is_counted_once() -> None:
    journal = Journal(10, 10)
    journal.began(1, functools.partial(numbered, 1))
    journal.ended(1)
    assert journal.bill().total == Line(1, 1, ENTRY.usage, ENTRY.cost)
    assert (journal.running, journal.over) == (0, 1)


def test_entries_stand_in_the_order_of_their_arrival() -> None:
    journal = Journal(10, 10)
    for number in (1, 2, 3):
        journal.began(number, functools.partial(numbered, number))
    journal.ended(3)
    journal.ended(1)
    assert [entry.number for entry in journal.entries()] == [1, 2, 3]


def test_old_bodies_and_then_old_entries_are_forgotten_and_the_sum_is_not() -> None:
    journal = Journal(3, 2)
    for number in range(1, 6):
        journal.began(number, functools.partial(numbered, number))
        journal.ended(number)
    assert [(e.number, e.body is None) for e in journal.entries()] == [
        (3, True),
        (4, False),
        (5, False),
    ]
    assert journal.bill().total.attempts == 5


def test_who_watches_hears_of_every_step() -> None:
    journal, heard = Journal(10, 10), []
    journal.watchers.append(lambda: heard.append(journal.over))
    journal.began(1, functools.partial(numbered, 1))
    journal.moved()
    journal.ended(1)
    assert heard == [0, 1]


def test_a_price_is_found_by_name_then_by_plain_name_then_for_all() -> None:
    prices = {"m+cut-3": Price(10**9, 0), "m": Price(2 * 10**9, 0), "*": Price(3 * 10**9, 0)}
    usage = Usage(input_tokens=1)
    costs = [
        charge(usage, prices, name, name.partition("+")[0]) for name in ("m+cut-3", "m+x", "n")
    ]
    assert [cost.total_nano_usd for cost in costs] == [1000, 2000, 3000]


def test_without_a_price_the_cost_is_unknown() -> None:
    assert charge(Usage(input_tokens=1), {}, "m", "m").unknown
    assert not FREE.unknown
