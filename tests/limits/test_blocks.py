from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sidecar.limits.blocks import SPLIT, Blocks


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.integers(1, 9)), max_size=5 * SPLIT, unique_by=lambda e: e
    ),
    st.randoms(use_true_random=False),
)
def test_blocks_agree_with_a_plain_sorted_list(entries, random) -> None:  # type: ignore[no-untyped-def]
    blocks: Blocks[float] = Blocks()
    keys = [(at, number) for number, (at, _) in enumerate(entries)]
    works = {key: float(work) for key, (_, work) in zip(keys, entries, strict=True)}
    for key in keys:
        blocks.add(key, works[key], key[0])
    gone = random.sample(keys, len(keys) // 2)
    assert all(blocks.remove(key) for key in gone)
    left = sorted(set(keys) - set(gone))
    assert list(blocks) == [at for at, _ in left]
    assert len(blocks) == len(left)
    for rank, key in enumerate(left[:: max(len(left) // 7, 1)]):
        ahead = left[: left.index(key)]
        assert blocks.before(key) == (len(ahead), sum(works[one] for one in ahead)), rank


def test_the_first_of_nothing_is_nothing() -> None:
    assert Blocks[int]().first() is None


def test_removing_what_is_not_there_says_so() -> None:
    blocks: Blocks[int] = Blocks()
    blocks.add((1.0, 1), 1.0, 1)
    assert [blocks.remove((1.0, 2)), blocks.remove((0.5, 1))] == [False, False]


def test_many_entries_come_out_in_order() -> None:
    blocks: Blocks[int] = Blocks()
    for number in range(10_000):
        blocks.add((float(number * 7919 % 10_000), number), 1.0, number * 7919 % 10_000)
    assert list(blocks) == list(range(10_000))
