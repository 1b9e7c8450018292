"""How a re-attachable stream ends badly, as its readers are told."""

from __future__ import annotations

from sidecar.core.failure import Reason, RequestFailed


def gone(request_id: str) -> RequestFailed:
    """Nothing is known of the stream, or less than the caller has."""
    return RequestFailed(
        Reason.NOT_REPLAYABLE,
        f"there is no stream {request_id} with so many events here any more; send the request "
        "anew with after_sequence 0",
        metadata={"request_id": request_id},
    )


def other(request_id: str) -> RequestFailed:
    """The id belongs to another request."""
    return RequestFailed(
        Reason.NOT_REPLAYABLE,
        f"request_id {request_id} belongs to a different request; use a new UUID",
        metadata={"request_id": request_id},
    )


def abandoned(request_id: str) -> RequestFailed:
    """Nobody read it for too long."""
    return RequestFailed(
        Reason.NOT_REPLAYABLE,
        f"stream {request_id} was given up because nobody read it; send the request anew "
        "with another request_id",
        metadata={"request_id": request_id},
    )


def draining() -> RequestFailed:
    """This daemon ends."""
    return RequestFailed(
        Reason.DRAINING,
        "the daemon is shutting down and the stream was cut; send the request to its successor",
        retry_after_s=1.0,
    )


def broken(request_id: str) -> RequestFailed:
    """A fault of ours."""
    return RequestFailed(
        Reason.INTERNAL,
        f"stream {request_id} ended by a fault of the daemon; its log says which",
        metadata={"request_id": request_id},
    )
