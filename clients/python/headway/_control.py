"""Requests of the ControlService from Python values. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias, TypedDict

from google.protobuf.timestamp_pb2 import Timestamp

from headway._wire import duration, number
from headway.v1 import control_pb2

UsageGroup: TypeAlias = Literal["caller", "provider", "model", "key", "outcome", "hour", "day"]


# A daemon that does not answer these at once is not well.
CONTROL_TIMEOUT_S: Final = 10.0


class UsageQuery(TypedDict, total=False):
    """Filters and groups of `usage`. A datetime without a zone is taken as UTC."""

    since: datetime | None
    until: datetime | None
    caller: str
    labels: Mapping[str, str]
    provider: str
    model: str
    key_alias: str
    group_by: Sequence[UsageGroup]
    group_by_labels: Sequence[str]


def usage_request(query: UsageQuery) -> control_pb2.GetUsageRequest:
    """ValueError: a group there is not."""
    return control_pb2.GetUsageRequest(
        since=_timestamp(query.get("since")),
        until=_timestamp(query.get("until")),
        caller=query.get("caller", ""),
        labels=query.get("labels", {}),
        provider=query.get("provider", ""),
        model=query.get("model", ""),
        key_alias=query.get("key_alias", ""),
        group_by=[
            number(control_pb2.UsageGroup, "USAGE_GROUP_", word)
            for word in query.get("group_by", ())
        ],
        group_by_labels=query.get("group_by_labels", ()),
    )


def watch_request(interval_s: float | None) -> control_pb2.WatchStatusRequest:
    interval = None if interval_s is None else duration(interval_s)
    return control_pb2.WatchStatusRequest(interval=interval)


def drain_request(grace_s: float | None) -> control_pb2.DrainRequest:
    return control_pb2.DrainRequest(grace=None if grace_s is None else duration(grace_s))


def _timestamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    wire = Timestamp()
    wire.FromDatetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return wire
