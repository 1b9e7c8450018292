"""Reflection, for grpcurl and its kin: loaded when the first of them asks.

grpcio-reflection and what it imports cost 3 MB and 0.03 s; most daemons are never asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc

METHOD = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
# The same messages under the name that newer clients ask for first.
METHOD_V1 = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"


class LazyReflection(grpc.GenericRpcHandler):
    """Answers for `services` (their full names) and itself."""

    def __init__(self, services: Sequence[str]) -> None:
        self._services = tuple(services)
        self._handler: grpc.RpcMethodHandler[Any, Any] | None = None

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        if handler_call_details.method not in (METHOD, METHOD_V1):
            return None
        if self._handler is None:
            self._handler = self._made()
        return self._handler

    def _made(self) -> grpc.RpcMethodHandler[Any, Any]:
        from grpc_reflection.v1alpha import reflection
        from grpc_reflection.v1alpha import reflection_pb2 as messages

        servicer = reflection.aio.ReflectionServicer([*self._services, reflection.SERVICE_NAME])
        handler: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(
            servicer.ServerReflectionInfo,
            messages.ServerReflectionRequest.FromString,
            messages.ServerReflectionResponse.SerializeToString,
        )
        return handler
