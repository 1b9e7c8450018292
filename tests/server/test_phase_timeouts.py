"""The clocks that a request sets itself: taken over as they are, and refused by their field."""

from __future__ import annotations

import pytest
from google.protobuf.duration_pb2 import Duration
from headway.v1 import message_pb2, request_pb2

from sidecar.core.failure import Reason, RequestFailed
from sidecar.core.target import PhaseTimeouts
from sidecar.server.translate import PHASES, completion_from


def asked(**timeouts: object) -> PhaseTimeouts:
    part = message_pb2.ContentPart(text="tell me")
    message = message_pb2.Message(role=message_pb2.ROLE_USER, content=[part])
    given = request_pb2.PhaseTimeouts(**timeouts)  # type: ignore[arg-type]
    wanted = request_pb2.Completion(model="m", messages=[message], timeouts=given)
    return completion_from(wanted).timeouts


def span(seconds: int, nanos: int = 0) -> Duration:
    return Duration(seconds=seconds, nanos=nanos)


def test_what_is_absent_stays_as_configured() -> None:
    assert asked() == PhaseTimeouts()


@pytest.mark.parametrize("field", sorted(PHASES))
def test_each_clock_is_taken_over(field: str) -> None:
    found = asked(**{field: span(2, 500_000_000)})
    assert found == PhaseTimeouts(**{PHASES[field]: 2.5})


def test_a_floor_of_nothing_is_a_floor() -> None:
    assert asked(min_tokens_per_s=0.0).min_tokens_per_s == 0.0


@pytest.mark.parametrize("bad", [span(0), span(-1), span(86_401), span(10**12)])
@pytest.mark.parametrize("field", sorted(PHASES))
def test_a_clock_that_makes_no_sense_is_refused_by_its_path(field: str, bad: Duration) -> None:
    with pytest.raises(RequestFailed) as caught:
        asked(**{field: bad})
    assert caught.value.reason is Reason.INVALID_REQUEST
    assert caught.value.field == f"completion.timeouts.{field}"


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf"), 1e9])
def test_a_floor_that_makes_no_sense_is_refused_by_its_path(bad: float) -> None:
    with pytest.raises(RequestFailed) as caught:
        asked(min_tokens_per_s=bad)
    assert caught.value.field == "completion.timeouts.min_tokens_per_s"
