"""`headway status`."""

from __future__ import annotations

import json

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from headway.v1 import status_pb2

from sidecar.cli.status import line_of, page
from tests.cli.home import Home

NOW = Timestamp(seconds=1_000)
LATER = Timestamp(seconds=1_002, nanos=500_000_000)


def state(**fields: object) -> status_pb2.DaemonStatus:
    started = Timestamp(seconds=940)
    return status_pb2.DaemonStatus(
        version="1.2.3", time=NOW, started=started, state=status_pb2.SERVING_STATE_SERVING, **fields
    )  # type: ignore[arg-type]


def not_now(until: Timestamp | None = LATER) -> status_pb2.NotNow:
    return status_pb2.NotNow(reason="RATE_LIMITED", until=until)


def test_the_head_says_what_it_is_and_for_how_long() -> None:
    assert page(state())[0].startswith("headway 1.2.3, serving for 60 s, configuration")


def test_what_has_to_wait_says_until_when_and_why() -> None:
    target = status_pb2.TargetStatus(provider="p", model="m", routes=["r"], not_now=not_now())

    (line,) = [line for line in page(state(targets=[target])) if "p/m" in line]
    assert "RATE_LIMITED, for 2.5 s more" in line


def test_what_attempts_wait_for_stands_beside_their_target() -> None:
    awaited = status_pb2.Awaited(
        stage=status_pb2.ATTEMPT_STAGE_FIRST_TOKEN, attempts=2, since=Timestamp(seconds=997)
    )
    target = status_pb2.TargetStatus(provider="p", model="m", in_flight=2, awaited=[awaited])

    (line,) = [line for line in page(state(targets=[target])) if "p/m" in line]
    assert "first token x2 for 3" in line


def test_what_waits_for_somebody_says_so() -> None:
    key = status_pb2.KeyStatus(provider="p", account="a", alias="k", not_now=not_now(None))

    assert any(
        "RATE_LIMITED, until something is changed" in line for line in page(state(keys=[key]))
    )


def test_a_key_that_was_never_used_says_so() -> None:
    key = status_pb2.KeyStatus(provider="p", account="a", alias="k")

    assert any("p/a/k" in line and "never" in line for line in page(state(keys=[key])))


def test_a_breaker_stands_beside_its_target() -> None:
    target = status_pb2.TargetStatus(provider="p", model="m")
    breaker = status_pb2.BreakerStatus(
        id="p/m", state=status_pb2.BREAKER_STATE_OPEN, failures=5, not_now=not_now()
    )

    lines = page(state(targets=[target], breakers=[breaker]))
    assert any("open, 5 failures in a row" in line for line in lines)


def test_a_limit_says_what_is_free_and_when_there_is_more() -> None:
    bucket = status_pb2.BucketStatus(
        id="p/a/requests", limit=60, burst=60, free_now=-2, next_free_at=LATER, waiting=3,
        source=status_pb2.BUCKET_SOURCE_LEARNED,
    )  # fmt: skip
    bucket.per.seconds = 60

    (line,) = [line for line in page(state(buckets=[bucket])) if "p/a/requests" in line]
    assert "60 per 60 s, burst 60" in line
    assert line.split()[-7:] == ["-2", "in", "2.5", "s", "3", "the", "provider"]


def test_a_learned_limit_names_the_configured_one_and_its_end() -> None:
    bucket = status_pb2.BucketStatus(
        id="b", limit=39, configured_limit=500, source=status_pb2.BUCKET_SOURCE_LEARNED,
        learned_until=LATER,
    )  # fmt: skip

    (line,) = [line for line in page(state(buckets=[bucket])) if " b " in line]
    assert line.endswith("the provider instead of 500, for 2.5 s more")


def test_a_queue_names_who_waits_in_it() -> None:
    queue = status_pb2.QueueStatus(id="default", waiting=3, capacity=10)
    queue.callers.add(caller="search", waiting=2)
    queue.callers.add(waiting=1)

    assert any(line.endswith("search 2, no name 1") for line in page(state(queues=[queue])))


def test_keys_of_one_owner_are_told() -> None:
    key = status_pb2.KeyStatus(provider="p", account="a", alias="k", same_owner_as=["l", "m"])

    assert any(line.endswith("-; one quota with l, m") for line in page(state(keys=[key])))


def test_a_store_that_is_away_is_told_with_the_share_kept_to() -> None:
    store = status_pb2.StoreStatus(share=0.25, since=Timestamp(seconds=990), not_now=not_now())

    lines = page(state(store=store))
    assert "! the store: away for 10 s; this daemon keeps to 0.25 of it" in lines


def test_a_ledger_that_cannot_write_is_told_with_what_waits() -> None:
    ledger = status_pb2.LedgerStatus(pending=7, not_now=not_now())

    lines = page(state(ledger=ledger))
    assert "! the ledger: RATE_LIMITED, for 2.5 s more; 7 entries wait for it" in lines


def test_lost_spans_are_told() -> None:
    telemetry = status_pb2.TelemetryStatus(sent=5, dropped=1)

    assert "! telemetry: ready; 1 span lost, 5 sent" in page(state(telemetry=telemetry))


def test_json_has_every_field_by_its_name_in_the_api() -> None:
    told = json.loads(line_of(state()))

    assert told["version"] == "1.2.3"
    assert told["state"] == "SERVING_STATE_SERVING"
    assert told["targets"] == []


@pytest.mark.process
def test_a_running_daemon_is_told_as_json(served: Home) -> None:
    done = served.run("status", "--json")

    (line,) = done.out.splitlines()
    told = json.loads(line)
    assert {target["provider"] for target in told["targets"]} >= {"north"}
    assert told["store"]["mode"] == "STORE_MODE_MEMORY"


def test_a_refused_configuration_is_told() -> None:
    config = status_pb2.ConfigStatus(version="v")
    config.errors.add(path="a.b", message="is wrong")
    config.refused.CopyFrom(NOW)

    lines = page(state(config=config))
    assert "! configuration refused, the old one stays: a.b: is wrong" in lines


def test_a_section_without_anything_is_left_out() -> None:
    assert page(state())[2:] == []


@pytest.mark.process
def test_a_running_daemon_is_shown(served: Home) -> None:
    asked = served.run("chat", "hello")
    done = served.run("status")

    assert (asked.code, done.code) == (0, 0)
    assert "north/fake-demo+ms-1" in done.out
    assert "north/n/n1" in done.out
    assert "600 per 60 s, burst 600" in done.out


@pytest.mark.process
def test_watching_in_a_pipe_prints_again_and_again(served: Home) -> None:
    with served.running("status", "--watch", ready="\n\nheadway 0") as watching:
        assert watching.said.count("TARGETS") >= 1


@pytest.mark.process
def test_without_a_daemon_it_says_so(home: Home) -> None:
    done = home.run("status", "--target", f"unix://{home.folder}/nobody.sock")

    assert (done.code, "DAEMON_UNREACHABLE" in done.err) == (1, True)
