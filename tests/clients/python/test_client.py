"""The rest of the client: the whole answer, the control service, metadata, the environment."""

from contextlib import aclosing, closing
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from headway import AsyncClient, Client, HeadwayError, ToolCall
from headway.v1 import completion_pb2, control_pb2, message_pb2

from . import peer
from .peer import Daemon


def whole_answer(request: Any, context: Any) -> completion_pb2.CompleteResponse:
    return completion_pb2.CompleteResponse(
        reasoning="hm",
        signature="s",
        answer="Rayleigh",
        tool_calls=[message_pb2.ToolCall(id="c", name="f", arguments="{}")],
        refusal="",
        completed=peer.ending(),
    )


def test_complete_gives_the_whole_answer(daemon: Daemon, target: str) -> None:
    daemon.answer = whole_answer
    with Client(target) as client:
        result = client.complete("default", "Why?", temperature=0.5, caller="me")
    assert (result.reasoning, result.signature, result.answer) == ("hm", "s", "Rayleigh")
    assert result.tool_calls == (ToolCall("c", "f", "{}"),)
    assert result.cost.total_nano_usd == 170
    assert (daemon.requests[0].completion.temperature, daemon.requests[0].completion.caller) == (
        0.5,
        "me",
    )


async def test_complete_gives_the_whole_answer_in_asyncio_too(daemon: Daemon, target: str) -> None:
    daemon.answer = whole_answer
    async with AsyncClient(target) as client:
        assert (await client.complete("default", "Why?")).answer == "Rayleigh"


def refuse(request: Any, context: Any) -> completion_pb2.CompleteResponse:
    bad = error_details_pb2.BadRequest(
        field_violations=[{"field": "completion.model", "description": "no such route"}]
    )
    info = error_details_pb2.ErrorInfo(reason="MODEL_UNKNOWN", domain="headway.dev")
    peer.abort(context, grpc.StatusCode.NOT_FOUND, "no", info, bad)
    return completion_pb2.CompleteResponse()


def test_complete_fails_with_the_field_that_is_wrong(daemon: Daemon, local: str) -> None:
    daemon.answer = refuse
    with Client(local) as client, pytest.raises(HeadwayError) as caught:
        client.complete("defualt", "Why?")
    assert caught.value.reason == "MODEL_UNKNOWN"
    assert caught.value.violations[0].subject == "completion.model"


async def test_complete_fails_in_asyncio_too(daemon: Daemon, local: str) -> None:
    daemon.answer = refuse
    async with AsyncClient(local) as client:
        with pytest.raises(HeadwayError, match="MODEL_UNKNOWN"):
            await client.complete("defualt", "Why?")


def test_an_error_of_somebody_elses_domain_is_not_taken_for_the_daemons(
    daemon: Daemon, local: str
) -> None:
    def foreign(request: Any, context: Any) -> completion_pb2.CompleteResponse:
        info = error_details_pb2.ErrorInfo(reason="QUOTA", domain="example.com")
        peer.abort(context, grpc.StatusCode.PERMISSION_DENIED, "no", info)
        return completion_pb2.CompleteResponse()

    daemon.answer = foreign
    with Client(local) as client, pytest.raises(HeadwayError) as caught:
        client.complete("default", "Why?")
    assert (caught.value.reason, caught.value.from_daemon) == ("PERMISSION_DENIED", False)


def test_metadata_token_and_trace_context_go_along(daemon: Daemon, local: str) -> None:
    daemon.scripts = [peer.play(peer.first(), peer.completed(2))]

    def inject(carrier: dict[str, str]) -> None:
        carrier["traceparent"] = "00-aa-bb-01"

    with Client(local, token="secret", metadata={"X-Team": "a"}, propagate=inject) as client:
        client.stream("default", "Why?", metadata={"x-request-id": "7"}).read()
    sent = daemon.metadata[0]
    assert (sent["headway-token"], sent["x-team"]) == ("secret", "a")
    assert (sent["traceparent"], sent["x-request-id"]) == ("00-aa-bb-01", "7")


def test_target_and_token_come_from_the_environment(
    daemon: Daemon, local: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.answer = whole_answer
    monkeypatch.setenv("HEADWAY_TARGET", local)
    monkeypatch.setenv("HEADWAY_TOKEN", "from-env")
    with Client() as client:
        client.complete("default", "Why?")
    assert daemon.metadata[0]["headway-token"] == "from-env"


def test_the_status_is_told_once_and_again(daemon: Daemon, local: str) -> None:
    with Client(local) as client:
        assert client.status().version == "1"
        with closing(client.watch_status(0.5)) as watch:
            assert [next(watch).version, next(watch).version] == ["1", "2"]
        assert daemon.ended.wait(peer.PATIENCE_S)
    assert daemon.requests[1].interval.ToMilliseconds() == 500


def test_usage_is_asked_by_words_and_dates(daemon: Daemon, local: str) -> None:
    with Client(local) as client:
        answer = client.usage(
            since=datetime(2026, 11, 1, tzinfo=UTC),
            caller="me",
            labels={"job": "7"},
            group_by=["caller", "day"],
            group_by_labels=["job"],
        )
    assert answer.total.requests == 7
    assert daemon.requests[0] == control_pb2.GetUsageRequest(
        since=daemon.requests[0].since,
        caller="me",
        labels={"job": "7"},
        group_by=[control_pb2.USAGE_GROUP_CALLER, control_pb2.USAGE_GROUP_DAY],
        group_by_labels=["job"],
    )
    assert daemon.requests[0].since.ToDatetime(tzinfo=UTC) == datetime(2026, 11, 1, tzinfo=UTC)


def test_a_group_there_is_not_is_refused(local: str) -> None:
    with Client(local) as client, pytest.raises(ValueError, match="outcome, hour, day"):
        client.usage(group_by=["week"])  # type: ignore[list-item]


def test_models_reload_and_drain(daemon: Daemon, local: str) -> None:
    with Client(local) as client:
        assert client.models().routes[0].name == "default"
        assert client.reload().version == "v2"
        assert client.drain(2.0).finished == 2
    assert daemon.requests[-1].grace.ToMilliseconds() == 2000


async def test_the_control_service_in_asyncio(daemon: Daemon, local: str) -> None:
    async with AsyncClient(local) as client:
        assert (await client.status()).version == "1"
        assert (await client.usage()).total.requests == 7
        assert (await client.models()).routes[0].name == "default"
        assert (await client.reload()).changed
        assert (await client.drain()).finished == 2
        async with aclosing(client.watch_status()) as watch:
            assert (await anext(watch)).version == "1"
        assert not daemon.requests[-1].HasField("interval")
