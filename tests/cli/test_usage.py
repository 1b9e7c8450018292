"""`headway usage`."""

from __future__ import annotations

import pytest

from sidecar.cli.ending import Failed
from sidecar.cli.usage import groups_from, moment_from
from tests.cli.home import Home

NOW_NS = 1_793_620_800_000_000_000
HOUR_NS = 3_600_000_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("24h", NOW_NS - 24 * HOUR_NS),
        ("90m", NOW_NS - 90 * 60_000_000_000),
        ("2026-11-02", NOW_NS - 12 * HOUR_NS),
        ("2026-11-02T12:00", NOW_NS),
        ("2026-11-02T13:00+01:00", NOW_NS),
    ],
)
def test_a_moment_is_a_while_ago_or_a_date(text: str | None, expected: int | None) -> None:
    assert moment_from(text, NOW_NS) == expected


def test_what_is_no_moment_says_what_one_is() -> None:
    with pytest.raises(Failed, match="a duration such as 24h, or a time such as 2026-11-01"):
        moment_from("yesterday", NOW_NS)


def test_groups_are_written_with_commas() -> None:
    assert groups_from("caller, model,label:team") == ("caller", "model", "label:team")


def test_a_group_that_there_is_not_is_told_with_those_there_are() -> None:
    with pytest.raises(Failed, match="caller, provider, model, key, outcome, hour, day"):
        groups_from("caller,colour")


def figures(line: str) -> list[str]:
    return [part for part in line.split("  ") if part.strip()]


@pytest.mark.process
def test_the_daemon_and_its_ledger_file_say_the_same(served: Home) -> None:
    asked = [
        served.run("chat", "What is a headway?", "--model", model, "--caller", caller).code
        for model, caller in (("default", "alice"), ("restart", "bob"))
    ]
    by = ("--by", "caller,provider,outcome", "--since", "1h")
    told = served.run("usage", *by)
    read = served.run("usage", *by, "--ledger", "ledger.db")

    assert asked == [0, 0]
    assert (told.code, read.code) == (0, 0)
    assert told.out == read.out
    rows = [line.split()[:3] for line in told.out.splitlines()[1:4]]
    assert sorted(rows) == [
        ["alice", "north", "completed"],
        ["bob", "north", "interrupted"],
        ["bob", "south", "completed"],
    ]
    assert "estimated" in told.out


@pytest.mark.process
def test_a_filter_leaves_out_the_rest(served: Home) -> None:
    done = served.run("usage", "--caller", "nobody")

    assert done.code == 0
    assert done.out.splitlines()[-1].split()[:3] == ["total", "0", "0"]


@pytest.mark.process
def test_a_ledger_that_is_not_there_is_told(home: Home) -> None:
    done = home.run("usage", "--ledger", "nope.db")

    assert (done.code, "nope.db" in done.err, "Traceback" in done.both) == (1, True, False)
