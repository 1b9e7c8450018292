from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.events import Outcome, Saved
from sidecar.core.money import FREE, UNKNOWN, Cost
from sidecar.core.usage import NOTHING, Usage
from sidecar.ledger.entry import Entry
from sidecar.ledger.inbox import START
from sidecar.ledger.query import DAY_NS, HOUR_NS, UsageQuery, UsageReport, UsageRow
from sidecar.ledger.sqlite import MEMORY, Store
from tests.ledger.making import NOON_NS, entry


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store.open(MEMORY)
    yield opened
    opened.close()


def asked(store: Store, entries: list[Entry], query: UsageQuery) -> UsageReport:
    store.commit(entries, START)
    return store.usage(query)


def test_an_empty_ledger_sums_to_nothing(store: Store) -> None:
    assert store.usage(UsageQuery()) == UsageReport((UsageRow(),), UsageRow())


def test_an_empty_ledger_has_no_groups(store: Store) -> None:
    assert store.usage(UsageQuery(group_by=("caller",))) == UsageReport((), UsageRow())


def test_groups_come_with_the_dearest_first(store: Store) -> None:
    report = asked(
        store,
        [
            entry(1, caller="a", cost=Cost(1)),
            entry(2, caller="b", cost=Cost(3)),
            entry(3, caller="c", cost=Cost(2)),
        ],
        UsageQuery(group_by=("caller",)),
    )
    assert [row.group for row in report.rows] == [
        (("caller", "b"),),
        (("caller", "c"),),
        (("caller", "a"),),
    ]


def test_attempts_of_one_request_count_as_one_request(store: Store) -> None:
    report = asked(store, [entry(1), entry(1, attempt=2)], UsageQuery())
    assert (report.total.requests, report.total.attempts) == (1, 2)


def test_a_row_with_an_unknown_price_says_so_and_keeps_the_known_part(store: Store) -> None:
    report = asked(store, [entry(1, cost=Cost(5)), entry(2, cost=UNKNOWN)], UsageQuery())
    assert report.total.cost == Cost(5, unknown=True)
    assert report.total.unknown_cost_attempts == 1


def test_explicit_zero_usage_stays_zero_and_known(store: Store) -> None:
    report = asked(store, [entry(1, usage=NOTHING, cost=FREE)], UsageQuery())
    assert (report.total.usage, report.total.cost) == (NOTHING, FREE)


def test_a_label_is_grouped_by_its_value_and_missing_is_empty(store: Store) -> None:
    report = asked(
        store,
        [
            entry(1, labels=(("team", "shop"),), cost=Cost(2)),
            entry(2, labels=(("team", "shop"), ("x", "y")), cost=Cost(2)),
            entry(3, labels=(), cost=Cost(1)),
        ],
        UsageQuery(group_by=("label:team",)),
    )
    assert [(row.group, row.attempts) for row in report.rows] == [
        ((("label:team", "shop"),), 2),
        ((("label:team", ""),), 1),
    ]


@pytest.mark.parametrize("name", ['odd "name"', "a.b", "$", "'; DROP TABLE entries; --", "ü"])
def test_a_label_may_have_any_name(store: Store, name: str) -> None:
    query = UsageQuery(labels=((name, "1"),), group_by=(f"label:{name}",))
    report = asked(store, [entry(1, labels=((name, "1"),)), entry(2)], query)
    assert [row.group for row in report.rows] == [((f"label:{name}", "1"),)]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        (UsageQuery(since_ns=NOON_NS + 2), {2, 3}),
        (UsageQuery(until_ns=NOON_NS + 2), {1}),
        (UsageQuery(caller="c2"), {2}),
        (UsageQuery(provider="p2"), {2}),
        (UsageQuery(model="m2"), {2}),
        (UsageQuery(key_alias="k2"), {2}),
        (UsageQuery(route="r2"), {2}),
        (UsageQuery(outcome="failed"), {2}),
        (UsageQuery(labels=(("a", "2"), ("b", "2"))), {2}),
        (UsageQuery(labels=(("a", "2"), ("b", "3"))), set()),
        (UsageQuery(caller="c2", provider="p3"), set()),
    ],
)
def test_filters_that_are_set_must_all_match(
    store: Store, query: UsageQuery, numbers: set[int]
) -> None:
    outcomes = {2: Outcome.FAILED}
    entries = [
        entry(
            number,
            caller=f"c{number}",
            provider=f"p{number}",
            model=f"m{number}",
            key_alias=f"k{number}",
            route=f"r{number}",
            outcome=outcomes.get(number, Outcome.COMPLETED),
            labels=(("a", str(number)), ("b", str(number))),
            cost=Cost(1 << number),
        )
        for number in (1, 2, 3)
    ]
    report = asked(store, entries, query)
    assert report.total.cost.total_nano_usd == sum(1 << number for number in numbers)


@pytest.mark.parametrize(("group", "length"), [("hour", HOUR_NS), ("day", DAY_NS)])
def test_hours_and_days_begin_where_utc_does(store: Store, group: str, length: int) -> None:
    begin = NOON_NS - NOON_NS % length
    entries = [entry(1, ended_ns=begin - 1), entry(2, ended_ns=begin), entry(3, ended_ns=begin + 1)]
    report = asked(store, entries, UsageQuery(group_by=(group,)))
    assert {row.group[0][1]: row.attempts for row in report.rows} == {begin - length: 1, begin: 2}


def test_an_unknown_group_is_refused_with_what_there_is(store: Store) -> None:
    with pytest.raises(ValueError, match="known are caller, provider"):
        store.usage(UsageQuery(group_by=("colour",)))


def test_entries_that_are_not_in_the_file_yet_are_counted_once(store: Store) -> None:
    store.commit([entry(1)], START)
    for _ in range(2):
        report = store.usage(UsageQuery(group_by=("caller",)), [entry(2)])
        assert (report.rows[0].attempts, report.total.attempts) == (2, 2)


counts = st.integers(0, 10**7)
money = st.integers(0, 10**12)
entries_of_any_kind = st.lists(
    st.builds(
        entry,
        number=st.integers(0, 5),
        attempt=st.integers(1, 3),
        caller=st.sampled_from(["", "a", "b"]),
        provider=st.sampled_from(["p", "q"]),
        outcome=st.sampled_from(list(Outcome)),
        usage=st.builds(Usage, counts, counts, counts, counts, counts, st.booleans()),
        cost=st.builds(Cost, money, money, money, st.booleans()),
        saved=st.builds(Saved, counts, counts, money),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(entries_of_any_kind, st.integers(0, 30))
def test_sums_are_exact_however_entries_are_grouped(entries: list[Entry], cut: int) -> None:
    store = Store.open(MEMORY)
    store.commit(entries[:cut], START)
    query = UsageQuery(group_by=("caller", "provider", "outcome"))
    report = store.usage(query, entries[cut:])
    store.close()
    groups: dict[tuple[str, ...], list[Entry]] = defaultdict(list)
    for one in entries:
        groups[one.caller, one.provider, one.outcome.value].append(one)
    assert {tuple(value for _, value in row.group): summed(row) for row in report.rows} == {
        key: expected(members) for key, members in groups.items()
    }
    assert summed(report.total) == expected(entries)


def summed(row: UsageRow) -> tuple[object, ...]:
    return (row.requests, row.attempts, row.usage, row.cost, row.saved)


def expected(entries: list[Entry]) -> tuple[object, ...]:
    usage, cost = NOTHING, FREE
    for one in entries:
        usage, cost = usage + one.usage, cost + one.cost
    saved = [(e.saved.reasoning_tokens, e.saved.answer_tokens, e.saved.nano_usd) for e in entries]
    sums = Saved(*(sum(column) for column in zip(*saved, strict=True))) if saved else Saved()
    return (len({one.request_id for one in entries}), len(entries), usage, cost, sums)
