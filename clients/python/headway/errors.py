"""The one exception of this client, and how a gRPC error becomes one. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from headway._wire import seconds
from headway.transcript import Partial

DOMAIN: Final = "headway.dev"
_DETAILS: Final = "grpc-status-details-bin"
# Reasons of this client's own, for errors that did not come from the daemon.
_OWN_REASONS: Final = {
    grpc.StatusCode.UNAVAILABLE: "DAEMON_UNREACHABLE",
    grpc.StatusCode.UNIMPLEMENTED: "DAEMON_TOO_OLD",
}

Detail = TypeVar("Detail", bound=Message)


@dataclass(frozen=True, slots=True)
class Violation:
    """What stood against a request. `subject`: the field, the quota or the precondition."""

    subject: str
    description: str


class HeadwayError(Exception):
    """A request that did not succeed.

    code: the gRPC status code.
    reason: a machine word. The daemon's are listed at the API's CompletionService; this client's
    own are
        DAEMON_UNREACHABLE, DAEMON_TOO_OLD, TRUNCATED (a stream ended without `completed`),
        SEQUENCE_BROKEN (a message is missing) and, for any other error without details, the name of
        the code: DEADLINE_EXCEEDED, CANCELLED.
    metadata: the daemon's facts about the error, such as `cause` and `last_sequence`.
    retry_after_s: when to ask again. None: do not, the same request will fail again.
    violations: which fields, quotas or preconditions stood against it.
    result: what had been delivered, after the seam rule. Empty if nothing was.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str,
        message: str,
        *,
        metadata: dict[str, str] | None = None,
        retry_after_s: float | None = None,
        violations: tuple[Violation, ...] = (),
        from_daemon: bool = False,
        result: Partial | None = None,
    ) -> None:
        super().__init__(f"{reason}: {message}" if message else reason)
        self.code = code
        self.reason = reason
        self.message = message
        self.metadata = metadata or {}
        self.retry_after_s = retry_after_s
        self.violations = violations
        self.from_daemon = from_daemon
        self.result = result or Partial()


class RpcFailure(Protocol):
    """What the errors of grpc and of grpc.aio have in common."""

    def code(self) -> grpc.StatusCode: ...
    def details(self) -> str | None: ...
    def trailing_metadata(self) -> Any: ...


def from_rpc(failure: RpcFailure) -> HeadwayError:
    """The error a failed call means."""
    status = _status(failure.trailing_metadata() or ())
    info = _detail(status, error_details_pb2.ErrorInfo)
    code = failure.code()
    ours = info.domain == DOMAIN and bool(info.reason)
    return HeadwayError(
        code,
        info.reason if ours else _OWN_REASONS.get(code, code.name),
        failure.details() or "",
        metadata=dict(info.metadata),
        retry_after_s=_retry_after_s(status),
        violations=tuple(_violations(status)),
        from_daemon=ours,
    )


def cancelled() -> HeadwayError:
    """The error of a call that was cancelled on this side."""
    return HeadwayError(grpc.StatusCode.CANCELLED, "CANCELLED", "the call was cancelled")


def _status(metadata: Iterable[Any]) -> status_pb2.Status:
    packed = next((value for key, value in metadata if key == _DETAILS), b"")
    try:
        return status_pb2.Status.FromString(packed)
    except DecodeError:
        return status_pb2.Status()


def _find(status: status_pb2.Status, kind: type[Detail]) -> Detail | None:
    """The first detail of a kind; each kind occurs at most once (AIP-193)."""
    for packed in status.details:
        if packed.Is(kind.DESCRIPTOR):
            detail = kind()
            return detail if _unpacked(packed, detail) else None
    return None


def _unpacked(packed: Any, into: Message) -> bool:
    try:
        return bool(packed.Unpack(into))
    except DecodeError:
        return False


def _detail(status: status_pb2.Status, kind: type[Detail]) -> Detail:
    return _find(status, kind) or kind()


def _retry_after_s(status: status_pb2.Status) -> float | None:
    retry = _find(status, error_details_pb2.RetryInfo)
    return None if retry is None else seconds(retry.retry_delay)


def _violations(status: status_pb2.Status) -> Iterable[Violation]:
    for quota in _detail(status, error_details_pb2.QuotaFailure).violations:
        yield Violation(quota.subject, quota.description)
    for field in _detail(status, error_details_pb2.BadRequest).field_violations:
        yield Violation(field.field, field.description)
    for condition in _detail(status, error_details_pb2.PreconditionFailure).violations:
        yield Violation(condition.subject, condition.description)
