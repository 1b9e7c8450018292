"""Errors of a daemon, and what to do about them."""

from __future__ import annotations

import grpc
import pytest
from headway import HeadwayError, Violation

from sidecar.cli.advice import ADVICE, LATER, failed
from sidecar.cli.ending import FAILED, MISUSED
from sidecar.core.failure import Reason

# Reasons a user of these commands cannot meet: no command re-attaches to a request.
ELSEWHERE = {Reason.NOT_REPLAYABLE}


@pytest.mark.parametrize("reason", sorted(set(Reason) - ELSEWHERE, key=str))
def test_for_every_reason_there_is_something_to_do(reason: Reason) -> None:
    assert reason.value in ADVICE


def test_an_error_tells_what_stood_against_it_and_when_to_ask_again() -> None:
    error = HeadwayError(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "DEADLINE_TOO_SHORT",
        "cannot be served in time",
        retry_after_s=2.5,
        violations=(Violation("north/n/requests", "is empty for 2.5 s"),),
    )

    assert failed(error).lines == (
        "DEADLINE_TOO_SHORT: cannot be served in time",
        "north/n/requests: is empty for 2.5 s",
        ADVICE["DEADLINE_TOO_SHORT"],
        "it is worth asking again in 2.5 s",
    )


@pytest.mark.parametrize(
    ("reason", "retry_after_s", "code"),
    [
        ("NO_TARGET_READY", 3.0, LATER),
        ("UNKNOWN_MODEL", None, MISUSED),
        ("STREAM_BROKEN", None, FAILED),
        ("SOMETHING_NEW", None, FAILED),
    ],
)
def test_the_exit_code_tells_whether_asking_again_helps(
    reason: str, retry_after_s: float | None, code: int
) -> None:
    error = HeadwayError(grpc.StatusCode.UNKNOWN, reason, "", retry_after_s=retry_after_s)

    assert failed(error).code == code


def test_a_daemon_that_is_not_there_is_named() -> None:
    error = HeadwayError(grpc.StatusCode.UNAVAILABLE, "DAEMON_UNREACHABLE", "connect: ENOENT")

    assert failed(error, "unix:/x").lines[0] == "DAEMON_UNREACHABLE: no daemon answers at unix:/x"
