"""Everything that was seen in a row that failed, as text: a log of CI is all that is left of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from headway import Attempt, Event

from sidecar.testing import Entry
from tests.faults.card import Call, Seen

# Of long lists the first and the last so many are told; of the daemon's log the last lines.
ENDS, LOG_LINES = 25, 60
# Of an entry in the ledger this is left out, beside what is zero or nothing.
UNTOLD = {"id", "request_id", "account", "response_model"}
# So much of one line, and of one event, in characters.
MOST_LINE, MOST_EVENT = 500, 120


def evidence(seen: Seen) -> str:
    """What was asked, what was heard, the provider's log, the ledger, the machine, the daemon.

    All times are seconds since the provider began.
    """
    parts = (
        ("asked and heard", (_told(call, seen.zero) for call in _in_order(seen.calls))),
        ("the provider's log", map(_attempt, seen.log)),
        ("the ledger", (str(_filled(row)) for row in seen.ledger)),
        ("the spans", (f"{span.name} {dict(span.about)}" for span in seen.spans)),
        (
            "the metrics",
            (
                f"{name} {point.value:g} {dict(point.about)}"
                for name, points in seen.points.items()
                for point in points
            ),
        ),
        ("the row's notes", (f"{name}: {note}" for name, note in seen.notes.items())),
        ("kept from running by the machine", _starved(seen)),
    )
    lines = [line for title, told in parts for line in (f"{title}:", *_ends(told))]
    return "\n".join(
        [*lines, "the daemon's log:", *_cut(seen.daemon_log.splitlines()[-LOG_LINES:])]
    )


def _in_order(calls: Iterable[Call]) -> list[Call]:
    return sorted(calls, key=lambda call: call.began)


def _told(call: Call, zero: float) -> str:
    """A call, and its events with neighbours of one kind put together."""
    heard = [
        f"{times[0] - zero:.3f}{f'..{times[-1] - zero:.3f}' if times[1:] else ''} {kind}"
        + (f" x{len(times)}" if times[1:] else "")
        for kind, times in _runs(call)
    ]
    error = f" ({call.error})" if call.error is not None else ""
    asked = f" {dict(call.asked)}" if call.asked else ""
    return (
        f"{call.began - zero:.3f} {call.route}{asked}: {'; '.join(heard)}; "
        f"{call.ended - zero:.3f} {call.ending}{error}"
    )


def _runs(call: Call) -> Iterator[tuple[str, list[float]]]:
    for kind, run in groupby(call.stamps, key=lambda stamp: _kind(stamp[1])):
        yield kind, [time for time, _ in run]


def _kind(event: Event) -> str:
    """What a caller tells of an event; of text only what it is."""
    for kind in ("reasoning", "answer", "refusal"):
        if getattr(event, kind):
            return kind
    if isinstance(event, Attempt):
        return (
            f"attempt {event.number} on {event.provider}/{event.model}, {event.continuation.value}"
        )
    return _short(repr(event), MOST_EVENT)


def _attempt(entry: Entry) -> str:
    fault = f" fault {entry.fault}" if entry.fault else ""
    return (
        f"{entry.number}: {entry.received_s:.3f} {entry.model} key {entry.key}{fault}, status "
        f"{entry.status}, head {entry.head_s}, first token {entry.first_token_s}, last byte "
        f"{entry.last_byte_s}, {entry.ending.value} {entry.ended_s}, {entry.sent_bytes} bytes, "
        f"blocked {entry.blocked_s} s, {entry.usage.output_tokens} tokens"
    )


def _filled(row: dict[str, Any]) -> dict[str, Any]:
    """What an entry says."""
    return {name: value for name, value in row.items() if value and name not in UNTOLD}


def _starved(seen: Seen) -> Iterator[str]:
    for call in _in_order(seen.calls):
        yield f"{call.route}: {seen.starved_s(call.began, call.ended):.3f} of {call.took_s:.3f} s"


def _ends(lines: Iterable[str]) -> list[str]:
    told = _cut(lines)
    if len(told) <= 2 * ENDS:
        return told
    left_out = f"  ... {len(told) - 2 * ENDS} more ..."
    return [*told[:ENDS], left_out, *told[-ENDS:]]


def _cut(lines: Iterable[str]) -> list[str]:
    return [f"  {_short(line, MOST_LINE)}" for line in lines]


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}..."
