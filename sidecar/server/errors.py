"""From failures to google.rpc.Status: one table of codes, details where they apply."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Any as AnyType

import grpc
from google.protobuf.any_pb2 import Any
from google.rpc import error_details_pb2, status_pb2
from grpc.aio import AbortError
from grpc_status import rpc_status

from sidecar.core.failure import CODES, Reason, RequestFailed
from sidecar.server.events import duration
from sidecar.server.trailers import of_failure
from sidecar.telemetry import RequestTrace

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[AnyType, AnyType]
DOMAIN = "headway.dev"
PUSHBACK = "grpc-retry-pushback-ms"

# What a caller, or its operator, has to change first.
PRECONDITIONS = {
    Reason.CONTENT_FILTERED: ("CONTENT", "completion.messages"),
    Reason.KEYS_REJECTED: ("KEY", "keys"),
    Reason.SPEND_LIMIT: ("ACCOUNT", "account"),
    Reason.NOT_REPLAYABLE: ("REQUEST_ID", "request_id"),
}


def code_of(error: RequestFailed) -> grpc.StatusCode:
    return grpc.StatusCode[CODES[error.reason]]


def status_of(error: RequestFailed) -> status_pb2.Status:
    """The status for the wire: ErrorInfo always, each further detail at most once."""
    details = [
        error_details_pb2.ErrorInfo(
            reason=error.reason.value, domain=DOMAIN, metadata=error.metadata
        )
    ]
    if error.retry_after_s is not None:
        details.append(error_details_pb2.RetryInfo(retry_delay=duration(error.retry_after_s)))
    if error.violations:
        details.append(_quota(error))
    if code_of(error) is grpc.StatusCode.INVALID_ARGUMENT:
        details.append(_bad_request(error))
    if error.reason in PRECONDITIONS:
        details.append(_precondition(error))
    status = status_pb2.Status(code=code_of(error).value[0], message=error.message)
    for detail in details:
        packed = Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def pushback_ms(error: RequestFailed) -> str:
    """The trailer `grpc-retry-pushback-ms` (gRFC A6): when to come back, -1 for never."""
    if error.retry_after_s is None:
        return "-1"
    return str(max(round(error.retry_after_s * 1000), 0))


def _quota(error: RequestFailed) -> error_details_pb2.QuotaFailure:
    return error_details_pb2.QuotaFailure(
        violations=[
            error_details_pb2.QuotaFailure.Violation(subject=v.subject, description=v.description)
            for v in error.violations
        ]
    )


def _bad_request(error: RequestFailed) -> error_details_pb2.BadRequest:
    violation = error_details_pb2.BadRequest.FieldViolation(
        field=error.field or "completion", description=error.message
    )
    return error_details_pb2.BadRequest(field_violations=[violation])


def _precondition(error: RequestFailed) -> error_details_pb2.PreconditionFailure:
    kind, subject = PRECONDITIONS[error.reason]
    violation = error_details_pb2.PreconditionFailure.Violation(
        type=kind, subject=subject, description=error.message
    )
    return error_details_pb2.PreconditionFailure(violations=[violation])


class Typed:
    """Turns a RequestFailed into a typed status; lets everything else become INTERNAL, logged.

    `trace` may be filled in once there is one: the trailers of an error tell what it cost.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self.trace: RequestTrace | None = None

    async def __aenter__(self) -> Typed:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, grpc.RpcError | AbortError):
            failed = error if isinstance(error, RequestFailed) else _internal(error)
            status = rpc_status.to_status(status_of(failed))
            # Not abort_with_status: it sends the status' own trailers and no others.
            told = (*of_failure(failed, self.trace), (PUSHBACK, pushback_ms(failed)))
            trailers = (*status.trailing_metadata, *told)
            await self._context.abort(status.code, status.details, trailers)


def _internal(error: Exception) -> RequestFailed:
    """A defect of ours: the caller learns that and no more, the log learns all."""
    log.error("a request failed by a defect", exc_info=error)
    return RequestFailed(
        Reason.INTERNAL,
        f"a defect in the daemon ({type(error).__name__}); its log has the details",
        metadata={"type": type(error).__name__},
    )
