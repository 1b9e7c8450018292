"""The operator's door: status, usage, models, reload, drain."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Protocol

import grpc
import msgspec
from headway.v1 import control_pb2, request_pb2, status_pb2

from sidecar.core.clock import Clock
from sidecar.core.money import Price
from sidecar.core.target import Resume, Route
from sidecar.gateway.gateway import Gateway
from sidecar.gateway.line import Line
from sidecar.ledger.query import UsageQuery, UsageReport, UsageRow
from sidecar.server import translate
from sidecar.server.access import Access
from sidecar.server.errors import Typed
from sidecar.server.events import OUTCOMES, cost, saved, usage
from sidecar.server.stamps import timestamp
from sidecar.server.status import StatusPage

Context = grpc.aio.ServicerContext[Any, Any]

# WatchStatus without an interval, and the fastest that it may ask for, seconds.
WATCH_S = 1.0
WATCH_LEAST_S = 0.1
# Drain without a grace, seconds: as long as Kubernetes waits by default, less a margin.
GRACE_S = 25.0

GROUPS = {
    control_pb2.USAGE_GROUP_CALLER: "caller",
    control_pb2.USAGE_GROUP_PROVIDER: "provider",
    control_pb2.USAGE_GROUP_MODEL: "model",
    control_pb2.USAGE_GROUP_KEY: "key",
    control_pb2.USAGE_GROUP_OUTCOME: "outcome",
    control_pb2.USAGE_GROUP_HOUR: "hour",
    control_pb2.USAGE_GROUP_DAY: "day",
}
RESUMES = {
    Resume.NONE: control_pb2.RESUME_SUPPORT_NONE,
    Resume.PREFILL: control_pb2.RESUME_SUPPORT_PREFILL,
    Resume.PREFIX: control_pb2.RESUME_SUPPORT_PREFIX,
}
INTERRUPTIONS = {
    "resume": request_pb2.ON_INTERRUPTION_RESUME,
    "restart": request_pb2.ON_INTERRUPTION_RESTART,
    "fail": request_pb2.ON_INTERRUPTION_FAIL,
}


class Reloaded(msgspec.Struct, frozen=True):
    """What a reload did; `errors` are (path, message)."""

    changed: bool
    version: str
    errors: tuple[tuple[str, str], ...] = ()


class Operator(Protocol):
    """What the door may ask of the daemon."""

    async def reload(self) -> Reloaded: ...

    async def drain(self, grace_s: float) -> tuple[int, int]:
        """Finished and ended calls."""

    async def usage(self, query: UsageQuery) -> UsageReport: ...

    def lines(self) -> Iterable[Line]: ...

    def price(self, line: Line) -> Price | None:
        """What the target charges now; None if nobody knows."""


class ControlDoor:
    """Serves ControlService."""

    def __init__(
        self, clock: Clock, gateway: Gateway, page: StatusPage, operator: Operator, access: Access
    ) -> None:
        self._clock = clock
        self._gateway = gateway
        self._page = page
        self._operator = operator
        self._access = access

    def _check(self, context: Context) -> None:
        self._access.check(dict(context.invocation_metadata() or ()))

    async def get_status(
        self, message: control_pb2.GetStatusRequest, context: Context
    ) -> control_pb2.GetStatusResponse:
        async with Typed(context):
            self._check(context)
            return control_pb2.GetStatusResponse(status=self._page.status())

    async def watch_status(self, message: control_pb2.WatchStatusRequest, context: Context) -> None:
        async with Typed(context):
            self._check(context)
            asked_s = message.interval.ToNanoseconds() / 1e9
            interval_s = max(asked_s, WATCH_LEAST_S) if asked_s else WATCH_S
            while True:
                await context.write(control_pb2.WatchStatusResponse(status=self._page.status()))
                await asyncio.sleep(interval_s)

    async def get_usage(
        self, message: control_pb2.GetUsageRequest, context: Context
    ) -> control_pb2.GetUsageResponse:
        async with Typed(context):
            self._check(context)
            report = await self._operator.usage(_query(message))
            return control_pb2.GetUsageResponse(
                rows=[usage_row(row) for row in report.rows], total=usage_row(report.total)
            )

    async def list_models(
        self, message: control_pb2.ListModelsRequest, context: Context
    ) -> control_pb2.ListModelsResponse:
        async with Typed(context):
            self._check(context)
            routes = self._gateway.world.catalog.routes.values()
            return control_pb2.ListModelsResponse(
                routes=[_route(route) for route in routes],
                targets=[self._target(line) for line in self._operator.lines()],
            )

    async def reload(
        self, message: control_pb2.ReloadRequest, context: Context
    ) -> control_pb2.ReloadResponse:
        async with Typed(context):
            self._check(context)
            done = await self._operator.reload()
            errors = [status_pb2.ConfigError(path=p, message=text) for p, text in done.errors]
            return control_pb2.ReloadResponse(
                changed=done.changed, version=done.version, errors=errors
            )

    async def drain(
        self, message: control_pb2.DrainRequest, context: Context
    ) -> control_pb2.DrainResponse:
        async with Typed(context):
            self._check(context)
            asked = message.HasField("grace")
            grace_s = message.grace.ToNanoseconds() / 1e9 if asked else GRACE_S
            if grace_s < 0:
                raise translate.invalid("grace", "must not be negative")
            finished, ended = await self._operator.drain(grace_s)
            return control_pb2.DrainResponse(finished=finished, ended=ended)

    def _target(self, line: Line) -> control_pb2.Target:
        target = line.target
        return control_pb2.Target(
            provider=target.provider,
            model=target.model,
            dialect=line.dialect.name,
            capabilities=_capabilities(line),
            reasoning=control_pb2.REASONING_SUPPORT_OPTIONAL
            if target.reasoning
            else control_pb2.REASONING_SUPPORT_NEVER,
            resume=RESUMES[target.resume],
            context_tokens=target.context_tokens or 0,
            max_output_tokens=line.profile.profile.max_output_tokens or 0,
            price=_price(self._operator.price(line)),
        )


def _capabilities(line: Line) -> list[control_pb2.Capability.ValueType]:
    out = []
    if line.target.tools:
        out.append(control_pb2.CAPABILITY_TOOLS)
    if line.target.images:
        out.append(control_pb2.CAPABILITY_IMAGES)
    if line.profile.quirks.schema:
        out.append(control_pb2.CAPABILITY_JSON_SCHEMA)
    return out


def _price(price: Price | None) -> control_pb2.Price | None:
    if price is None:
        return None
    return control_pb2.Price(
        input_nano_usd_per_million=price.input,
        cached_input_nano_usd_per_million=price.cached_input or price.input,
        cache_write_nano_usd_per_million=price.cache_write or price.input,
        output_nano_usd_per_million=price.output,
    )


def _route(route: Route) -> control_pb2.Route:
    return control_pb2.Route(
        name=route.name,
        targets=[target.name for target in route.targets],
        on_interruption=INTERRUPTIONS[route.on_interruption],
    )


def _query(message: control_pb2.GetUsageRequest) -> UsageQuery:
    groups = []
    for group in message.group_by:
        if group not in GROUPS:
            raise translate.invalid("group_by", f"has a value ({group}) that this version lacks")
        groups.append(GROUPS[group])
    return UsageQuery(
        since_ns=message.since.ToNanoseconds() if message.HasField("since") else None,
        until_ns=message.until.ToNanoseconds() if message.HasField("until") else None,
        caller=message.caller,
        provider=message.provider,
        model=message.model,
        key_alias=message.key_alias,
        labels=tuple(message.labels.items()),
        group_by=(*groups, *(f"label:{name}" for name in message.group_by_labels)),
    )


def usage_row(row: UsageRow) -> control_pb2.UsageRow:
    group = dict(row.group)
    out = control_pb2.UsageRow(
        caller=str(group.get("caller", "")),
        provider=str(group.get("provider", "")),
        model=str(group.get("model", "")),
        key_alias=str(group.get("key", "")),
        requests=row.requests,
        attempts=row.attempts,
        usage=usage(row.usage),
        cost=cost(row.cost, row.usage),
        saved=saved(row.saved),
    )
    for name, value in group.items():
        if name.startswith("label:"):
            out.labels[name.removeprefix("label:")] = str(value)
        elif name == "outcome":
            out.outcome = _outcome(str(value))
        elif name in ("hour", "day"):
            out.start.CopyFrom(timestamp(int(value)))
    return out


def _outcome(value: str) -> Any:
    return next((code for outcome, code in OUTCOMES.items() if outcome.value == value), 0)
