"""The card as a table, on a terminal and as a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from tests.faults.card import Outcome, Verdict

HEAD = """\
# The failure card

What a provider can do wrong, and what a caller behind Headway sees. Written by `make card`: each
row ran against a daemon process of its own and the fake provider, on real sockets, with faults at
full length. Nothing inside the daemon is looked at: a verdict comes from the caller's events, the
provider's log, the ledger's file, and in some rows the spans and metrics that a collector was sent,
or the status that anybody may ask for.

Figures are as measured, on whatever machine that was. A bound of time that is missed holds only if
it does without what the machine kept the processes from running; then that is told beside it.

*pass*: the caller got the ideal outcome and every check held. *partial*: an advisory check failed.
*safe*: no rescue, but a clean error in time. *fail*: anything else.

S rows keep the ids of the public benchmark failoverbench (methodology v0.1) and its set-up: sixty
words, 15 ms a token, two retries, request and idle timeouts of 30 s, one fallback model. The limit
of 10 s on the first token is ours.
"""


def line(outcome: Outcome) -> str:
    """One line for a terminal; for each check that did not hold one more, and then everything."""
    head = f"{outcome.row.id}  {outcome.verdict.value:8}{outcome.took_s:7.2f} s  "
    lines = [f"{head}{outcome.row.fault}  [{outcome.seen}]"]
    lines += [f"      {check}" for check in outcome.figures]
    lines += [f"      {check.weight.value}: {check}" for check in outcome.broken]
    return "\n".join([*lines, *(f"      {told}" for told in outcome.evidence.splitlines())])


def total(outcomes: Iterable[Outcome]) -> str:
    counts = Counter(outcome.verdict for outcome in outcomes)
    return ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict)


def page(
    outcomes: Mapping[str, Outcome], partly: Mapping[str, str], not_yet: Mapping[str, str]
) -> str:
    """The whole of docs/failure-card.md."""
    rows = [
        f"| {o.row.id} | {_cell(o.row.fault)} | {o.verdict.value} | {_cell(_seen(o))} "
        f"| {o.took_s:.2f} |"
        for o in outcomes.values()
    ]
    table = ["| id | fault | verdict | what was seen | longest call, s |",
             "|---|---|---|---|---|", *rows]  # fmt: skip
    parts = [HEAD, f"**{total(outcomes.values())}.**\n", "\n".join(table)]
    parts += _listed("Looked at in part", partly) + _listed("Not yet", not_yet)
    return "\n".join(parts) + "\n"


def _listed(title: str, notes: Mapping[str, str]) -> list[str]:
    lines = "\n".join(f"* {name}: {note}" for name, note in notes.items())
    return [f"\n## {title}\n\n{lines}"] if notes else []


def _seen(outcome: Outcome) -> str:
    told = [*map(str, outcome.figures), *(f"**{check}**" for check in outcome.broken)]
    return "; ".join(part for part in (outcome.seen, *told) if part)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
