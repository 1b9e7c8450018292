from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.request import Priority
from sidecar.limits.bucket import Cost
from sidecar.limits.queue import FairQueue, Position, Ticket, seat_wait_of, wait_of, work_of
from tests.limits.meters import requests, seats, tokens

HIGH, NORMAL, BATCH = Priority.INTERACTIVE, Priority.NORMAL, Priority.BATCH


def pushed(queue: FairQueue[str], item: str, caller: str = "a", **more: object) -> Ticket[str]:
    ticket = queue.push(
        item,
        caller,
        more.get("priority", NORMAL),  # type: ignore[arg-type]
        more.get("work_s", 1.0),  # type: ignore[arg-type]
        more.get("weight", 1.0),  # type: ignore[arg-type]
    )
    assert ticket is not None
    return ticket


def served(queue: FairQueue[str], count: int) -> list[str]:
    tickets = [queue.pop() for _ in range(count)]
    return [ticket.item for ticket in tickets if ticket is not None]


def test_one_caller_is_served_in_order() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in "abc":
        pushed(queue, item)
    assert served(queue, 3) == ["a", "b", "c"]


def test_an_empty_queue_has_nobody_next() -> None:
    queue: FairQueue[str] = FairQueue()
    assert (queue.peek(), queue.pop(), len(queue)) == (None, None, 0)


def test_a_higher_priority_goes_first() -> None:
    queue: FairQueue[str] = FairQueue()
    pushed(queue, "batch", priority=BATCH)
    pushed(queue, "normal")
    pushed(queue, "high", priority=HIGH)
    assert served(queue, 3) == ["high", "normal", "batch"]


def test_a_caller_with_one_request_does_not_wait_behind_a_caller_with_many() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(100):
        pushed(queue, f"many{number}", "many")
    served(queue, 1)
    pushed(queue, "one", "one")
    assert "one" in served(queue, 2)


def test_a_caller_back_from_idling_has_saved_nothing() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(200):
        pushed(queue, f"busy{number}", "busy")
    served(queue, 100)
    for number in range(100):
        pushed(queue, f"late{number}", "late")
    assert Counter(item[:4] for item in served(queue, 100))["late"] in (50, 51)


def test_equal_callers_are_served_equally_whatever_their_requests_cost() -> None:
    queue: FairQueue[str] = FairQueue()
    for caller, work in (("a", 1.0), ("b", 4.0)):
        for _ in range(400):
            pushed(queue, caller, caller, work_s=work)
    got = Counter(served(queue, 300))
    assert abs(got["a"] * 1.0 - got["b"] * 4.0) <= 2 * 4.0


def test_weights_of_1_2_and_4_share_within_five_percent() -> None:
    queue: FairQueue[str] = FairQueue()
    for caller, weight in (("a", 1.0), ("b", 2.0), ("c", 4.0)):
        for _ in range(1000):
            pushed(queue, caller, caller, weight=weight)
    got = Counter(served(queue, 1400))
    assert [got[caller] / 200 for caller in "abc"] == pytest.approx([1, 2, 4], rel=0.05)


def test_ten_equal_callers_have_a_jain_index_of_098_at_least() -> None:
    queue: FairQueue[str] = FairQueue(max_work_s=1e6)
    for number in range(2000):
        pushed(queue, str(number % 10), str(number % 10), work_s=1.0 + number % 3)
    got = Counter(served(queue, 777))
    assert sum(got.values()) ** 2 / (10 * sum(n * n for n in got.values())) >= 0.98


def test_the_lowest_band_gets_its_guarantee_under_endless_load() -> None:
    queue: FairQueue[str] = FairQueue(guarantees={BATCH: 0.1})
    for _ in range(50):
        pushed(queue, "batch", priority=BATCH, work_s=2.0)
    for _ in range(500):
        pushed(queue, "high", priority=HIGH)
    got = Counter(served(queue, 400))
    assert 2.0 * got["batch"] >= 0.95 * 0.1 * (2.0 * got["batch"] + got["high"])


def test_the_lowest_band_gets_no_more_than_its_guarantee_under_load() -> None:
    queue: FairQueue[str] = FairQueue(guarantees={BATCH: 0.1})
    for _ in range(50):
        pushed(queue, "batch", priority=BATCH)
        for _ in range(10):
            pushed(queue, "high", priority=HIGH)
    assert Counter(served(queue, 400))["batch"] <= 41


def test_a_lower_band_saves_nothing_up_while_it_is_empty() -> None:
    queue: FairQueue[str] = FairQueue(guarantees={BATCH: 0.1})
    for _ in range(1000):
        pushed(queue, "high", priority=HIGH)
    served(queue, 900)
    for _ in range(50):
        pushed(queue, "batch", priority=BATCH)
    assert Counter(served(queue, 50))["batch"] <= 5


def test_peeking_tells_who_is_popped() -> None:
    queue: FairQueue[str] = FairQueue(guarantees={BATCH: 0.3})
    for number in range(60):
        pushed(queue, str(number), str(number % 5), priority=Priority(number % 3))
    while (next_up := queue.peek()) is not None:
        assert queue.pop() is next_up


def test_a_removed_entry_is_never_served() -> None:
    queue: FairQueue[str] = FairQueue()
    first, _ = pushed(queue, "first"), pushed(queue, "second")
    assert queue.remove(first)
    assert served(queue, 2) == ["second"]


def test_an_entry_is_removed_or_served_once() -> None:
    queue: FairQueue[str] = FairQueue()
    ticket = pushed(queue, "x")
    assert queue.pop(ticket) is ticket
    assert not queue.remove(ticket)
    assert queue.pop(ticket) is None


def test_a_caller_who_leaves_is_not_charged() -> None:
    queue: FairQueue[str] = FairQueue()
    for _ in range(100):
        queue.remove(pushed(queue, "gone", "a"))
    pushed(queue, "a", "a")
    pushed(queue, "b", "b")
    assert served(queue, 1) == ["a"]


def test_a_caller_who_used_more_than_estimated_waits_for_it() -> None:
    queue: FairQueue[str] = FairQueue()
    used = pushed(queue, "a", "a")
    queue.pop(used)
    queue.charge(used, 5.0)
    for _ in range(8):
        pushed(queue, "a", "a")
        pushed(queue, "b", "b")
    assert Counter(served(queue, 6))["b"] >= 5


def test_a_credit_never_makes_a_caller_overtake_itself() -> None:
    queue: FairQueue[str] = FairQueue()
    done = pushed(queue, "done", "a")
    queue.pop(done)
    for item in ("1", "2", "3"):
        pushed(queue, item, "a")
    queue.charge(done, -100.0)
    pushed(queue, "4", "a")
    assert served(queue, 4) == ["1", "2", "3", "4"]


def test_a_full_queue_takes_nobody() -> None:
    queue: FairQueue[str] = FairQueue(max_count=2)
    pushed(queue, "a")
    pushed(queue, "b")
    assert queue.push("c", "a", NORMAL, 1.0) is None


def test_work_is_bounded_as_well_as_count() -> None:
    queue: FairQueue[str] = FairQueue(max_work_s=10.0)
    pushed(queue, "a", work_s=9.0)
    assert queue.push("b", "a", NORMAL, 2.0) is None


def test_a_lower_band_that_is_full_refuses_no_higher_one() -> None:
    queue: FairQueue[str] = FairQueue(max_count=2)
    pushed(queue, "a", priority=BATCH)
    pushed(queue, "b", priority=BATCH)
    assert queue.push("c", "a", HIGH, 1.0) is not None


def test_a_position_counts_what_goes_before() -> None:
    queue: FairQueue[str] = FairQueue()
    pushed(queue, "x", "a", work_s=2.0)
    pushed(queue, "y", "b", priority=HIGH, work_s=3.0)
    last = pushed(queue, "z", "a", work_s=1.0)
    assert queue.position(last) == Position(2, 5.0)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0.1, 9), st.floats(0.5, 4))))
def test_positions_in_one_band_are_the_order_of_service(
    entries: list[tuple[str, float, float]],
) -> None:
    queue: FairQueue[str] = FairQueue()
    tickets = [pushed(queue, c, c, work_s=work, weight=weight) for c, work, weight in entries]
    expected = sorted(tickets, key=lambda ticket: queue.position(ticket).count)
    assert [queue.pop() for _ in tickets] == expected


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["push", "pop", "remove", "charge"]),
            st.integers(0, 5),
            st.floats(0.0, 9.0),
            st.sampled_from(list(Priority)),
        ),
        max_size=200,
    )
)
def test_everyone_who_waits_is_served_or_removed_exactly_once(steps) -> None:  # type: ignore[no-untyped-def]
    queue: FairQueue[int] = FairQueue()
    waiting: set[int] = set()
    tickets: list[Ticket[int]] = []
    for number, (step, caller, work, priority) in enumerate(steps):
        if step == "push":
            ticket = queue.push(number, str(caller), priority, work)
            assert ticket is not None
            tickets.append(ticket)
            waiting.add(number)
        elif step == "pop" and (popped := queue.pop()) is not None:
            waiting.remove(popped.item)
        elif step == "remove" and tickets and queue.remove(tickets[caller % len(tickets)]):
            waiting.remove(tickets[caller % len(tickets)].item)
        elif step == "charge" and tickets:
            queue.charge(tickets[caller % len(tickets)], work - 4.0)
    assert {ticket.item for ticket in queue} == waiting
    while (popped := queue.pop()) is not None:
        waiting.remove(popped.item)
    assert not waiting
    assert queue.work_s == 0.0


def test_ten_thousand_callers_come_and_go_without_being_remembered() -> None:
    queue: FairQueue[str] = FairQueue()
    pushed(queue, "always here", "a", priority=BATCH)
    for number in range(20_000):
        pushed(queue, "x", str(number))
        pushed(queue, "y", str(number))
        queue.pop()
        queue.pop()
    assert sum(len(band.flows) for band in queue._bands.values()) <= 4097


def test_work_is_the_bottleneck_in_seconds_of_refill() -> None:
    buckets = [requests(limit=60), tokens(limit=6000), seats()]
    assert work_of(buckets, Cost(1, 400, 100)) == pytest.approx(5.0)


def test_work_of_a_pool_without_rates_is_nothing() -> None:
    assert work_of([seats()], Cost(1, 5, 5)) == 0.0


def test_the_wait_of_a_position_counts_the_other_pods_too() -> None:
    assert wait_of(Position(3, 2.0), 0.5, pods=4) == 8.5


def test_the_wait_for_a_seat_follows_the_holding_time() -> None:
    assert seat_wait_of(Position(9, 0.0), seats=5, mean_hold_s=2.0) == 4.0
