"""What a row that failed tells: whoever reads a log of CI has nothing else."""

from __future__ import annotations

import grpc
import pytest
from headway import AnswerDelta, HeadwayError, Partial

from sidecar.core.money import Cost
from sidecar.core.usage import Usage
from sidecar.testing import Bill, Ending, Entry
from sidecar.testing.journal import Line
from tests.faults.card import Call, Row, Seen
from tests.faults.evidence import ENDS, LOG_LINES, evidence
from tests.faults.published import BACKUP
from tests.faults.report import line
from tests.faults.run import stumbled

ROW = Row(id="X", fault="none", sides=(BACKUP,))
ERROR = HeadwayError(grpc.StatusCode.ABORTED, "STREAM_BROKEN", "it was cut", from_daemon=True,
                     result=Partial())  # fmt: skip
CALL = Call(route="default", began=100.0, ended=101.5, result=None, error=ERROR,
            stamps=tuple((100.5 + n / 10, AnswerDelta("word ", n)) for n in range(3)),
            asked={"max_tokens": 200})  # fmt: skip


def entry(number: int) -> Entry:
    return Entry(
        number=number, received_s=0.25, received_wall_ns=0, dialect="chat", flavour="openai",
        path="/v1", model="fake-60", key="primary-1", account="primary", stream=True, body_bytes=1,
        body=None, prefix=None, fault="cut-40", status=200, head_s=0.26, first_token_s=0.5,
        last_byte_s=0.7, ended_s=0.75, ending=Ending.CUT, sent_bytes=99, blocked_s=0.0,
        usage=Usage(output_tokens=40), cost=Cost(),
    )  # fmt: skip


def seen(attempts: int = 1, log: str = "draining") -> Seen:
    return Seen(
        row=ROW, calls=(CALL,), log=tuple(entry(n) for n in range(attempts)),
        bill=Bill(Line(), {}, {}),
        ledger=({"model": "fake-60", "output_tokens": 40, "labels": ""},),
        zero=99.0, exit_code=0, notes={"grown": 7}, starved_s=lambda begin, end: 0.125,
        daemon_log=log,
    )  # fmt: skip


@pytest.mark.parametrize(
    "told",
    [
        "1.000 default {'max_tokens': 200}",
        "1.500..1.700 answer x3; 2.500 STREAM_BROKEN (",
        "0: 0.250 fake-60 key primary-1 fault cut-40, status 200",
        "cut 0.75",
        "{'model': 'fake-60', 'output_tokens': 40}",
        "grown: 7",
        "default: 0.125 of 1.500 s",
        "  draining",
    ],
)
def test_it_tells_what_was_asked_heard_sent_kept_and_taken_by_the_machine(told: str) -> None:
    assert told in evidence(seen())


def test_of_a_long_log_it_tells_the_ends() -> None:
    lines = evidence(seen(attempts=3 * ENDS)).splitlines()
    assert f"  ... {ENDS} more ..." in lines
    assert sum("fault cut-40" in told for told in lines) == 2 * ENDS


def test_of_the_daemon_it_tells_the_last_lines() -> None:
    told = evidence(seen(log="\n".join(f"line {n}." for n in range(LOG_LINES + 1))))
    assert "line 0." not in told
    assert told.endswith(f"line {LOG_LINES}.")


def test_a_row_that_could_not_be_played_tells_where_it_stumbled() -> None:
    try:
        raise TimeoutError("no sign")
    except TimeoutError as error:
        told = line(stumbled(ROW, error))
    assert "required: the row can be run: TimeoutError: no sign" in told
    assert __file__ in told
