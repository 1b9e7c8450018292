"""`headway status`: what a daemon does; for everything that is "not now", until when and why."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp
from headway import Client, HeadwayError
from headway.v1 import status_pb2

from sidecar.cli.advice import failed
from sidecar.cli.table import table
from sidecar.cli.words import count, span, usd

Hindered = (
    status_pb2.TargetStatus
    | status_pb2.KeyStatus
    | status_pb2.LedgerStatus
    | status_pb2.TelemetryStatus
)
WATCH_S = 1.0
READY = "ready"
STATES = {
    status_pb2.SERVING_STATE_STARTING: "starting",
    status_pb2.SERVING_STATE_SERVING: "serving",
    status_pb2.SERVING_STATE_DRAINING: "draining",
}
STORES = {
    status_pb2.STORE_MODE_MEMORY: "limits in memory",
    status_pb2.STORE_MODE_REDIS: "limits in Redis",
    status_pb2.STORE_MODE_REDIS_LOST: "Redis is lost: keeping to a safe share",
}
WINDOWS = {
    status_pb2.BUDGET_WINDOW_HOUR: "hour",
    status_pb2.BUDGET_WINDOW_DAY: "day",
    status_pb2.BUDGET_WINDOW_MONTH: "month",
}
BREAKERS = {
    status_pb2.BREAKER_STATE_CLOSED: "closed",
    status_pb2.BREAKER_STATE_OPEN: "open",
    status_pb2.BREAKER_STATE_HALF_OPEN: "half-open",
}

STAGES = {
    status_pb2.ATTEMPT_STAGE_HEADERS: "headers",
    status_pb2.ATTEMPT_STAGE_FIRST_TOKEN: "first token",
    status_pb2.ATTEMPT_STAGE_REASONING: "reasoning",
    status_pb2.ATTEMPT_STAGE_ANSWER: "answer",
    status_pb2.ATTEMPT_STAGE_END: "end",
    status_pb2.ATTEMPT_STAGE_CALLER: "caller",
}


def run(client: Client, target: str, watch: bool, as_json: bool = False) -> None:
    """Print the state once, or again and again until interrupted. Raises Failed.

    `as_json`: one line for each state, with the names of the API and nothing left out.
    """
    try:
        if as_json:
            for state in client.watch_status(WATCH_S) if watch else [client.status()]:
                print(line_of(state), flush=True)
        elif not watch:
            print("\n".join(page(client.status())))
        elif sys.stdout.isatty():
            _live(client)
        else:
            for state in client.watch_status(WATCH_S):
                print("\n".join(page(state)), end="\n\n", flush=True)
    except HeadwayError as error:
        raise failed(error, target) from None


def line_of(state: status_pb2.DaemonStatus) -> str:
    """The state as one line of JSON."""
    return json_format.MessageToJson(
        state,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
        indent=None,
    )


def _live(client: Client) -> None:
    """The page in place, until interrupted."""
    from rich.live import Live
    from rich.text import Text

    with Live(screen=True, auto_refresh=False) as live:
        for state in client.watch_status(WATCH_S):
            live.update(Text("\n".join(page(state)), no_wrap=True), refresh=True)


def page(state: status_pb2.DaemonStatus) -> list[str]:
    """The whole state as lines."""
    sections = (
        (_targets(state), "targets"),
        (_keys(state), "keys"),
        (_buckets(state), "limits"),
        (_queues(state), "queues"),
        (_budgets(state), "budgets"),
    )
    body = [line for lines, title in sections if lines for line in ("", title.upper(), *lines)]
    return [*_head(state), *body]


def _head(state: status_pb2.DaemonStatus) -> Iterator[str]:
    up_s = _between(state.started, state.time)
    yield (
        f"headway {state.version}, {STATES.get(state.state, 'unknown')} for {span(up_s)}, "
        f"configuration {state.config.version}, {STORES.get(state.store.mode, 'limits unknown')}"
    )
    streams = state.streams
    yield (
        f"{count(streams.active, 'request')} in flight, {streams.waiting:,} of them waiting; "
        f"{streams.requests:,} since the start{_shed(streams)}"
    )
    yield from _troubles(state)


def _shed(streams: status_pb2.StreamsStatus) -> str:
    return f", {streams.shed:,} turned away for want of room" if streams.shed else ""


def _troubles(state: status_pb2.DaemonStatus) -> Iterator[str]:
    """A line for each thing that is not as it should be."""
    for error in state.config.errors:
        where = f"{error.path}: " if error.path else ""
        refused = "refused, the old one stays" if state.config.HasField("refused") else "loaded"
        yield f"! configuration {refused}: {where}{error.message}"
    if state.store.HasField("not_now"):
        since = span(max(_between(state.store.since, state.time), 0.0))
        yield f"! the store: away for {since}; this daemon keeps to {state.store.share:.3g} of it"
    if state.ledger.HasField("not_now"):
        waiting = count(state.ledger.pending, "entry").replace("entrys", "entries")
        yield f"! the ledger: {_now_or(state.ledger, state.time)}; {waiting} wait for it"
    telemetry = state.telemetry
    if telemetry.HasField("not_now") or telemetry.dropped:
        lost = f"{count(telemetry.dropped, 'span')} lost"
        yield f"! telemetry: {_now_or(telemetry, state.time)}; {lost}, {telemetry.sent:,} sent"


def _targets(state: status_pb2.DaemonStatus) -> list[str]:
    breakers = {breaker.id: breaker for breaker in state.breakers}
    rows = [
        [
            f"{target.provider}/{target.model}",
            ", ".join(target.routes) or "-",
            _now_or(target, state.time),
            str(target.in_flight),
            ", ".join(_awaited(one, state.time) for one in target.awaited) or "-",
            _breaker(breakers.get(f"{target.provider}/{target.model}")),
        ]
        for target in state.targets
    ]
    return _table(("target", "routes", "state", "in flight", "waits for", "breaker"), rows, "   r")


def _awaited(awaited: status_pb2.Awaited, now: Timestamp) -> str:
    """What for, how many attempts, and for how long the longest."""
    waited = span(max(_between(awaited.since, now), 0.0))
    return f"{STAGES.get(awaited.stage, 'unknown')} x{awaited.attempts} for {waited}"


def _breaker(breaker: status_pb2.BreakerStatus | None) -> str:
    if breaker is None:
        return "-"
    failures = f", {count(breaker.failures, 'failure')} in a row" if breaker.failures else ""
    return BREAKERS.get(breaker.state, "unknown") + failures


def _keys(state: status_pb2.DaemonStatus) -> list[str]:
    rows = [
        [
            f"{key.provider}/{key.account}/{key.alias}",
            _now_or(key, state.time),
            str(key.in_flight),
            f"{span(_between(key.last_used, state.time))} ago"
            if key.HasField("last_used")
            else "never",
            _failure(key),
        ]
        for key in state.keys
    ]
    return _table(("key", "state", "in flight", "last used", "last failure"), rows, "  r")


def _failure(key: status_pb2.KeyStatus) -> str:
    """Its last failure; and with whom it turned out to share a quota."""
    shares = f"; one quota with {', '.join(key.same_owner_as)}" if key.same_owner_as else ""
    return (key.last_failure or "-") + shares


def _buckets(state: status_pb2.DaemonStatus) -> list[str]:
    rows = [
        [
            bucket.id,
            f"{bucket.limit:,}" + (_per(bucket) if bucket.HasField("per") else " at a time"),
            f"{bucket.free_now:,}",
            f"in {span(max(_between(state.time, bucket.next_free_at), 0.0))}"
            if bucket.HasField("next_free_at")
            else "now",
            str(bucket.waiting),
            _origin(bucket, state.time),
        ]
        for bucket in state.buckets
    ]
    head = ("limit", "allows", "free", "next", "waiting", "from")
    return _table(head, rows, "  r r")


def _origin(bucket: status_pb2.BucketStatus, now: Timestamp) -> str:
    """Where a limit comes from; of a learned one what the configuration says, and until when."""
    if bucket.source != status_pb2.BUCKET_SOURCE_LEARNED:
        return "configuration"
    instead = f" instead of {bucket.configured_limit:,}" if bucket.configured_limit else ""
    if not bucket.HasField("learned_until"):
        return f"the provider{instead}"
    left_s = max(_between(now, bucket.learned_until), 0.0)
    return f"the provider{instead}, for {span(left_s)} more"


def _per(bucket: status_pb2.BucketStatus) -> str:
    return f" per {span(bucket.per.ToNanoseconds() / 1e9)}, burst {bucket.burst:,}"


def _queues(state: status_pb2.DaemonStatus) -> list[str]:
    rows = [
        [
            queue.id,
            f"{queue.waiting:,} of {queue.capacity:,}",
            span(queue.oldest_waited.ToNanoseconds() / 1e9) if queue.waiting else "-",
            span(queue.expected_wait.ToNanoseconds() / 1e9)
            if queue.HasField("expected_wait")
            else "none",
            ", ".join(f"{c.caller or 'no name'} {c.waiting:,}" for c in queue.callers) or "-",
        ]
        for queue in state.queues
    ]
    return _table(("queue", "waiting", "oldest", "wait for one more", "who"), rows, "")


def _budgets(state: status_pb2.DaemonStatus) -> list[str]:
    rows = [
        [
            budget.name,
            budget.subject,
            usd(budget.spent_nano_usd),
            f"{usd(budget.limit_nano_usd)} per {WINDOWS.get(budget.window, 'window')}",
            f"in {span(max(_between(state.time, budget.resets), 0.0))}",
        ]
        for budget in state.budgets
    ]
    return _table(("budget", "of", "spent", "allows", "begins anew"), rows, "  rr")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], right: str) -> list[str]:
    return [f"  {line}" for line in table(head, rows, right)] if rows else []


def _now_or(thing: Hindered, now: Timestamp) -> str:
    """Ready, or why not and until when."""
    if not thing.HasField("not_now"):
        return READY
    stands = thing.not_now
    if not stands.HasField("until"):
        return f"{stands.reason}, until something is changed"
    return f"{stands.reason}, for {span(max(_between(now, stands.until), 0.0))} more"


def _between(first: Timestamp, last: Timestamp) -> float:
    """Seconds from one moment to another."""
    return float(last.ToNanoseconds() - first.ToNanoseconds()) / 1e9
