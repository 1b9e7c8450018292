"""The words for what went wrong."""

from __future__ import annotations

import pytest

from sidecar.core.failure import CODES, VERDICTS, Blame, Cause, Failure, Reason, RequestFailed

# grpc.StatusCode, by name; the room itself may not know the library.
GRPC = {
    "RESOURCE_EXHAUSTED", "INVALID_ARGUMENT", "UNAVAILABLE", "FAILED_PRECONDITION", "ABORTED",
    "DEADLINE_EXCEEDED", "UNAUTHENTICATED", "INTERNAL",
}  # fmt: skip


def test_every_code_is_one_of_grpc() -> None:
    assert set(CODES.values()) <= GRPC


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_written_as_it_is_named(reason: Reason) -> None:
    assert reason.value == reason.name


def test_the_words_for_causes_are_all_different() -> None:
    assert len({cause.value for cause in Cause}) == len(Cause)


def test_everybody_in_the_table_can_be_blamed_for_something() -> None:
    """The provider as a whole is only ever found out by its targets."""
    assert {row.blame for row in VERDICTS.values()} == set(Blame) - {Blame.PROVIDER}


def test_a_failure_looks_its_verdict_up() -> None:
    assert Failure(Cause.CUT, "cut").verdict is VERDICTS[Cause.CUT]


def test_the_error_of_a_request_holds_what_the_door_needs() -> None:
    error = RequestFailed(Reason.QUEUE_FULL, "full", retry_after_s=1.0, field="x")
    assert (str(error), error.reason, error.retry_after_s) == ("full", Reason.QUEUE_FULL, 1.0)
    assert (error.metadata, error.violations, error.field) == ({}, (), "x")
