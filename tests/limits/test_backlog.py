from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sidecar.limits.backlog import KEEP, Backlog


class Replay:
    """One bucket kept both ways: by events with credits, and by replaying what was really used."""

    def __init__(self) -> None:
        self.backlog = Backlog()
        self.tat = 0.0
        self.events: list[list[float]] = []

    def take(self, at: float, cost: float) -> int:
        before = max(self.tat - at, 0.0)
        seq = self.backlog.push(before)
        self.tat = max(self.tat, at) + cost
        self.events.append([at, cost])
        return seq

    def credit(self, seq: int, unused: float) -> None:
        self.tat -= self.backlog.credit(seq, unused)
        self.events[seq - 1][1] -= unused

    def replayed(self) -> float:
        tat = 0.0
        for at, cost in self.events:
            tat = max(tat, at) + cost
        return tat


def test_a_refund_at_once_gives_everything_back() -> None:
    world = Replay()
    world.credit(world.take(10.0, 4000.0), 3700.0)
    assert world.tat == 310.0


def test_what_the_bucket_refilled_meanwhile_is_not_given_back_again() -> None:
    world = Replay()
    seq = world.take(0.0, 60.0)
    world.take(61.0, 1.0)
    world.credit(seq, 50.0)
    assert world.tat == 62.0


def test_two_late_refunds_do_not_share_one_backlog_twice() -> None:
    world = Replay()
    first, second = world.take(0.0, 40.0), world.take(0.0, 40.0)
    world.take(60.0, 1.0)
    world.credit(first, 37.0)
    world.credit(second, 37.0)
    assert world.tat == world.replayed() == 61.0


STEPS = st.lists(
    st.tuples(st.floats(0, 30), st.floats(0.1, 40), st.booleans(), st.floats(0, 1)), max_size=60
)


@given(STEPS)
def test_credits_never_leave_less_than_a_replay_of_what_was_really_used(
    steps: list[tuple[float, float, bool, float]],
) -> None:
    world, at, pending = Replay(), 0.0, {}
    for gap, cost, refund, part in steps:
        at += gap
        if refund and pending:
            seq = sorted(pending)[int(part * (len(pending) - 1))]
            world.credit(seq, pending.pop(seq) * part)
        else:
            pending[world.take(at, cost)] = cost
    assert max(world.tat, at) >= max(world.replayed(), at) - 1e-6


@given(STEPS.filter(lambda steps: len(steps) <= KEEP))
def test_refunds_in_any_order_lose_nothing_while_the_bucket_never_runs_empty(
    steps: list[tuple[float, float, bool, float]],
) -> None:
    world = Replay()
    world.take(0.0, 1e6)
    pending = {world.take(0.0, cost): cost for _, cost, _, _ in steps}
    for (seq, cost), (_, _, _, part) in zip(sorted(pending.items()), steps, strict=True):
        world.credit(seq, cost * part)
    assert abs(world.tat - world.replayed()) < 1e-6


def test_the_memory_of_a_backlog_is_bounded() -> None:
    backlog = Backlog()
    for before in range(10_000):
        backlog.push(float(before))
    assert len(backlog.entries) <= KEEP


def test_merging_old_entries_only_ever_lowers_a_credit() -> None:
    backlog = Backlog()
    for before in range(1000):
        backlog.push(float(before))
    assert all(Backlog.credit(_copy(backlog), seq, 1e9) <= seq for seq in range(1, 1000))


def _copy(backlog: Backlog) -> Backlog:
    twin = Backlog()
    twin.seq, twin.entries = backlog.seq, list(backlog.entries)
    return twin
