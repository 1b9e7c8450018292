"""What the two clients share: the state of a stream, without a wire."""

import grpc
import pytest
from headway import HeadwayError
from headway._state import Mending, StreamState, complete_request, stream_request
from headway.v1 import completion_pb2, request_pb2

from . import peer


def state(possible: bool = True, after_sequence: int = 0) -> StreamState:
    request = completion_pb2.StreamCompletionRequest(
        request_id="an-id", after_sequence=after_sequence
    )
    return StreamState(request, Mending("an-id", None, 10.0 if possible else 0.0))


def lost() -> HeadwayError:
    return HeadwayError(grpc.StatusCode.UNAVAILABLE, "DAEMON_UNREACHABLE", "gone")


def test_the_next_request_goes_on_from_the_last_message() -> None:
    stream = state()
    stream.feed(peer.first())
    stream.feed(peer.answer(2, "a"))
    assert (stream.request.request_id, stream.request.after_sequence) == ("an-id", 2)


def test_a_message_that_came_twice_is_an_error() -> None:
    stream = state()
    stream.feed(peer.first())
    with pytest.raises(HeadwayError, match="message 1 followed message 1"):
        stream.feed(peer.first())


def test_a_message_after_the_end_is_an_error() -> None:
    stream = state()
    stream.feed(peer.first())
    stream.feed(peer.completed(2))
    with pytest.raises(HeadwayError, match="SEQUENCE_BROKEN"):
        stream.feed(peer.answer(3, "more"))


def test_breaks_are_counted_anew_after_every_message() -> None:
    stream = state()
    for sequence in range(1, 20):
        stream.broke(lost())
        stream.feed(peer.answer(sequence, "a"))
    assert len(stream.partial.answer) == 19


def test_five_breaks_in_a_row_are_mended_and_no_more() -> None:
    stream, first = state(), lost()
    for error in (first, lost(), lost(), lost(), lost()):
        assert stream.broke(error) is first
    with pytest.raises(HeadwayError) as caught:
        stream.broke(lost())
    assert caught.value is first


def test_what_the_daemon_said_is_never_mended() -> None:
    said = HeadwayError(
        grpc.StatusCode.UNAVAILABLE, "NO_TARGET_READY", "all rest", from_daemon=True
    )
    with pytest.raises(HeadwayError) as caught:
        state().broke(said)
    assert caught.value is said


def test_only_a_lost_connection_is_mended() -> None:
    with pytest.raises(HeadwayError, match="INTERNAL"):
        state().broke(HeadwayError(grpc.StatusCode.INTERNAL, "INTERNAL", ""))


@pytest.mark.parametrize(
    ("request_id", "reattach", "reconnect_s"),
    [("", None, 9.0), ("id", False, 9.0), ("id", None, 0.0)],
)
def test_without_id_or_wish_or_time_nothing_is_mended(
    request_id: str, reattach: bool | None, reconnect_s: float
) -> None:
    with pytest.raises(HeadwayError, match="DAEMON_UNREACHABLE"):
        Mending(request_id, reattach, reconnect_s).take(lost())


def test_an_id_is_made_up_only_when_asked_for() -> None:
    asked = request_pb2.Completion(model="m")
    one, two = (stream_request(asked, None, 0, reattach=True).request_id for _ in range(2))
    assert one != two
    assert len(one) == 36
    assert stream_request(asked, None, 0, reattach=None).request_id == ""
    assert complete_request(asked, "mine", reattach=False).request_id == "mine"


def test_what_a_newer_daemon_may_say_is_unknown_not_an_error() -> None:
    message = peer.first()
    message.attempt.cause = 99  # type: ignore[assignment]
    event = state().feed(message)
    assert event is not None
    assert event.attempt is not None
    assert event.attempt.cause == "unknown"
