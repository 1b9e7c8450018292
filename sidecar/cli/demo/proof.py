"""Whether what was shown is true: pure functions from what came to claims that hold, or do not."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from headway import Attempt, Continuation, Outcome, Result
from headway.v1 import control_pb2, event_pb2

from sidecar.cli.words import span, usd
from sidecar.testing.journal import Bill, Entry
from sidecar.testing.texts import Writing


class Claim(msgspec.Struct, frozen=True):
    """Something the demo says, and whether it is so."""

    holds: bool
    text: str


class Told(msgspec.Struct, frozen=True):
    """A stream as it was: its end, and the attempts that came before it."""

    result: Result
    attempts: tuple[Attempt, ...]


def exact(told: Told, text: Writing) -> Claim:
    """No word lost, none doubled."""
    same = (told.result.reasoning, told.result.answer) == (text.reasoning, text.answer)
    return Claim(
        same,
        f"the {len(text.reasoning)} characters of reasoning and {len(text.answer)} of answer are "
        "the model's, no word lost, none doubled",
    )


def whole(told: Told) -> Claim:
    """An answer came, with its bill."""
    result = told.result
    return Claim(bool(result.answer) and bool(result.usage.output_tokens), "the answer is whole")


def resumed(told: Told) -> Claim:
    """The second attempt went on where the first one broke."""
    last = told.attempts[-1]
    good = last.continuation is Continuation.RESUMED and not last.discarded
    return Claim(
        good and len(told.attempts) == 2,
        f"{told.attempts[0].provider} died while thinking, {last.provider} went on from the very "
        "word; nothing was thrown away",
    )


def restarted(told: Told) -> Claim:
    """The second attempt began anew, and said what that makes void."""
    last = told.attempts[-1]
    good = last.continuation is Continuation.RESTARTED and bool(last.discarded)
    return Claim(
        good and len(told.attempts) == 2,
        f"{last.provider} cannot continue another's text: it began anew, and the client knew to "
        "the word what is void",
    )


def waited_out(told: Told, log: Sequence[Entry]) -> list[Claim]:
    """A 429 that the caller never saw."""
    statuses = [entry.status for entry in log]
    refused = [a for a in told.result.attempts if a.outcome is not Outcome.COMPLETED]
    queued_s = max((attempt.waited_s for attempt in told.attempts), default=0.0)
    return [
        Claim(statuses == [200, 429, 200], f"the provider's log says {statuses}"),
        Claim(
            [a.reason for a in refused] == ["RATE_LIMITED"] and queued_s > 0,
            f"the caller saw no error: it waited {span(queued_s)}, as long as the provider asked",
        ),
    ]


def accounted(rows: Sequence[control_pb2.UsageRow], bill: Bill) -> list[Claim]:
    """The ledger says what the provider billed: tokens, money, reasoning and answer apart."""
    sums = zip(*map(_figures, rows), strict=True)
    ours = tuple(sum(column) for column in sums)
    lost = sum(row.cost.total_nano_usd for row in rows if row.outcome != COMPLETED)
    usage, cost = bill.total.usage, bill.total.cost
    theirs = (
        usage.input_tokens,
        usage.reasoning_tokens,
        usage.output_tokens - usage.reasoning_tokens,
        cost.input_nano_usd,
        cost.reasoning_nano_usd,
        cost.answer_nano_usd,
    )
    return [
        Claim(
            ours == theirs,
            f"the ledger says {usd(sum(ours[3:]))}, the provider billed "
            f"{usd(bill.total_nano_usd)}: equal to the token and to the nano-dollar",
        ),
        Claim(lost > 0, f"of that, {usd(lost)} went to attempts that were lost"),
    ]


COMPLETED = event_pb2.ATTEMPT_OUTCOME_COMPLETED


def _figures(row: control_pb2.UsageRow) -> tuple[int, ...]:
    return (
        row.usage.input_tokens,
        row.usage.reasoning_tokens,
        row.usage.output_tokens - row.usage.reasoning_tokens,
        row.cost.input_nano_usd,
        row.cost.reasoning_nano_usd,
        row.cost.answer_nano_usd,
    )
