from __future__ import annotations

import msgspec

from sidecar.core.events import Outcome, Saved
from sidecar.core.money import Cost
from sidecar.core.usage import Usage
from sidecar.ledger.entry import DAEMON_DIED, MOST, Entry, lost, sane
from tests.ledger.making import entry


def test_a_lost_entry_keeps_its_estimate_and_says_that_it_is_one() -> None:
    held = entry(1, usage=Usage(10, output_tokens=3), cost=Cost(7))
    assert lost(held) == msgspec.structs.replace(
        held,
        outcome=Outcome.INTERRUPTED,
        reason=DAEMON_DIED,
        usage=Usage(10, output_tokens=3, estimated=True),
    )


def test_a_sane_entry_is_left_as_it_is() -> None:
    assert sane(entry(1)) == entry(1)


def test_numbers_that_no_file_can_hold_are_bounded() -> None:
    wild = entry(1, usage=Usage(10**30), cost=Cost(5, 10**19), saved=Saved(nano_usd=10**40))
    calm = sane(wild)
    assert (calm.usage, calm.cost, calm.saved) == (
        Usage(MOST),
        Cost(5, MOST),
        Saved(nano_usd=MOST),
    )


def test_halves_of_surrogate_pairs_are_replaced() -> None:
    calm = sane(entry(1, response_model="a\ud800b", labels=(("\udfff", "x\udc00"),)))
    assert (calm.response_model, calm.labels) == ("a?b", (("?", "x?"),))


def test_an_entry_written_before_a_field_was_added_can_still_be_read() -> None:
    values = msgspec.to_builtins(entry(1))
    shorter = msgspec.msgpack.encode(values[:-1])
    read = msgspec.msgpack.decode(shorter, type=Entry)
    assert read == msgspec.structs.replace(entry(1), saved=Saved())
