"""An account whose concurrency falls from 500 to 39: python -m bench.limits_falling

A DeepSeek-like account in virtual time, saturated throughout, once with the number in the text of
its 429 and once without. Acceptance: limits reference 5.3, figure 16. A lesson is a refusal of a
request that left after the last one came back: the others were on their way already.
"""

from __future__ import annotations

from bench.limits_table import Figure, show
from tests.limits.test_falling import FALL_S, Account, fallen

COMMAND = "python -m bench.limits_falling"
SECONDS = 300.0


def use(account: Account) -> float:
    """As a share of 39 seats; calls that began before the span count whole, so at most 1."""
    return min(account.busy / (39 * (SECONDS - FALL_S - 30.0)), 1.0)


def figures() -> list[Figure]:
    told, silent = fallen(True, SECONDS), fallen(False, SECONDS)
    first = silent.lessons[0]
    lessons = sum(at < first + 60.0 for at in silent.lessons)
    refusals = sum(at < first + 60.0 for at in silent.refusals)
    return [
        Figure(
            "concurrency 500 -> 39, told in the body", "<= 2 refusals, >= 90 % used after",
            f"{len(told.refusals)} refusals, {use(told):.1%} used",
            len(told.refusals) <= 2 and use(told) >= 0.9, COMMAND,
        ),
        Figure(
            "concurrency 500 -> 39, a bare 429 (AIMD)", "found in <= 10 lessons",
            f"{lessons} lessons in a minute ({refusals} refusals), {use(silent):.1%} used",
            lessons <= 10, COMMAND,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    show(figures())
