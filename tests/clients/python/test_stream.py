"""One stream, over the blocking and the asyncio client alike."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from headway import (
    AnswerDelta,
    AsyncClient,
    Attempt,
    Client,
    Completed,
    Continuation,
    Event,
    FinishReason,
    HeadwayError,
    Outcome,
    ReasoningDelta,
    RefusalDelta,
    Result,
    ToolCall,
    ToolCallDelta,
)

from . import peer
from .peer import Daemon

Outcome_ = tuple[list[Event], Result | HeadwayError]
Run = Callable[..., Outcome_]


def run_blocking(target: str, messages: Any = "Why?", **options: Any) -> Outcome_:
    events: list[Event] = []
    with Client(target, reconnect_s=options.pop("reconnect_s", 10.0)) as client:
        try:
            with client.stream("default", messages, **options) as stream:
                events.extend(stream)
                return events, stream.result
        except HeadwayError as error:
            return events, error


async def _run_asyncio(target: str, messages: Any, options: dict[str, Any]) -> Outcome_:
    events: list[Event] = []
    async with AsyncClient(target, reconnect_s=options.pop("reconnect_s", 10.0)) as client:
        try:
            async with client.stream("default", messages, **options) as stream:
                async for event in stream:
                    events.append(event)  # noqa: PERF401 - what came before an error counts
                return events, stream.result
        except HeadwayError as error:
            return events, error


def run_asyncio(target: str, messages: Any = "Why?", **options: Any) -> Outcome_:
    return asyncio.run(_run_asyncio(target, messages, options))


@pytest.fixture(params=[run_blocking, run_asyncio], ids=["blocking", "asyncio"])
def run(request: pytest.FixtureRequest) -> Run:
    run: Run = request.param
    return run


def whole(outcome: Outcome_) -> Result:
    assert isinstance(outcome[1], Result), outcome[1]
    return outcome[1]


def failed(outcome: Outcome_) -> HeadwayError:
    assert isinstance(outcome[1], HeadwayError), outcome[1]
    return outcome[1]


def test_reasoning_and_answer_arrive_apart_and_in_order(
    daemon: Daemon, target: str, run: Run
) -> None:
    daemon.scripts = [
        peer.play(
            peer.first(),
            peer.reasoning(2, "Hm", "sig"),
            peer.answer(3, "Ray"),
            peer.answer(4, "leigh"),
            peer.completed(5),
        )
    ]
    events, _ = outcome = run(target)
    assert [type(event) for event in events] == [
        *(Attempt, ReasoningDelta, AnswerDelta, AnswerDelta, Completed)
    ]
    result = whole(outcome)
    assert (result.reasoning, result.signature, result.answer) == ("Hm", "sig", "Rayleigh")


def test_the_result_tells_how_it_came_about(daemon: Daemon, local: str, run: Run) -> None:
    daemon.scripts = [peer.play(peer.first(), peer.answer(2, "a"), peer.completed(3))]
    result = whole(run(local))
    assert result.finish_reason is FinishReason.STOP
    assert (result.usage.input_tokens, result.cost.total_nano_usd) == (11, 170)
    assert (result.timings.total_s, result.timings.first_reasoning_s) == (1.5, None)
    assert result.attempts[0].outcome is Outcome.INTERRUPTED
    assert result.attempts[0].dropped_options == ("seed",)
    assert result.attempts[0].provider_trace == "ds-7f"
    assert result.attempts[0].provider_cost_nano_usd == 0
    assert result.saved is not None
    assert (result.saved.reasoning_tokens, result.saved.nano_usd) == (2, -3)
    assert result.response_model == "deepseek-v4-pro-1120"
    assert not result.cached


def test_a_refusal_is_not_an_answer(daemon: Daemon, local: str, run: Run) -> None:
    daemon.scripts = [peer.play(peer.first(), peer.refusal(2, "No."), peer.completed(3))]
    events, _ = outcome = run(local)
    assert isinstance(events[1], RefusalDelta)
    assert (whole(outcome).refusal, whole(outcome).answer) == ("No.", "")


def test_pieces_of_tool_calls_join_by_index(daemon: Daemon, local: str, run: Run) -> None:
    daemon.scripts = [
        peer.play(
            peer.first(),
            peer.tool_call(2, 0, '{"a":', id="c0", name="add"),
            peer.tool_call(3, 1, "", id="c1", name="now"),
            peer.tool_call(4, 0, "1}"),
            peer.completed(5),
        )
    ]
    calls = whole(run(local)).tool_calls
    assert calls == (ToolCall("c0", "add", '{"a":1}'), ToolCall("c1", "now", ""))
    assert (calls[0].parsed(), calls[1].parsed()) == ({"a": 1}, {})


def test_a_resumed_attempt_discards_nothing(daemon: Daemon, local: str, run: Run) -> None:
    daemon.scripts = [
        peer.play(
            peer.first(),
            peer.answer(2, "one "),
            peer.attempt(3, 2, "FAILOVER", "RESUMED", 2, "STREAM_CUT"),
            peer.answer(4, "two"),
            peer.completed(5),
        )
    ]
    events, _ = outcome = run(local)
    assert whole(outcome).answer == "one two"
    seam = events[2].attempt
    assert seam is not None
    assert (seam.continuation, seam.reason) == (Continuation.RESUMED, "STREAM_CUT")
    assert not seam.discarded


def test_an_attempt_restarted_from_zero_discards_everything(
    daemon: Daemon, local: str, run: Run
) -> None:
    daemon.scripts = [
        peer.play(
            peer.first(),
            peer.reasoning(2, "old thought", "old"),
            peer.answer(3, "old"),
            peer.attempt(4, 2, "FAILOVER", "RESTARTED", 0),
            peer.reasoning(5, "new thought"),
            peer.answer(6, "new"),
            peer.completed(7),
        )
    ]
    events, _ = outcome = run(local)
    result = whole(outcome)
    assert (result.reasoning, result.answer, result.signature) == ("new thought", "new", "")
    seam = events[3].attempt
    assert seam is not None
    assert (seam.discarded.reasoning, seam.discarded.answer) == ("old thought", "old")


def test_an_attempt_restarted_in_the_middle_keeps_what_is_before(
    daemon: Daemon, local: str, run: Run
) -> None:
    daemon.scripts = [
        peer.play(
            peer.first(),
            peer.reasoning(2, "thought"),
            peer.answer(3, "bad"),
            peer.attempt(4, 2, "RETRY", "RESTARTED", 2),
            peer.answer(5, "good"),
            peer.completed(6),
        )
    ]
    result = whole(run(local))
    assert (result.reasoning, result.answer) == ("thought", "good")


def test_a_cut_tool_call_is_discarded_whole(daemon: Daemon, local: str, run: Run) -> None:
    daemon.scripts = [
        peer.play(
            peer.first(),
            peer.answer(2, "Let me see. "),
            peer.tool_call(3, 0, '{"city": "Os', id="old", name="weather"),
            peer.attempt(4, 2, "FAILOVER", "RESTARTED", 2),
            peer.tool_call(5, 0, '{"city": "Oslo"}', id="new", name="weather"),
            peer.completed(6),
        )
    ]
    events, _ = outcome = run(local)
    assert whole(outcome).tool_calls == (ToolCall("new", "weather", '{"city": "Oslo"}'),)
    assert isinstance(events[2], ToolCallDelta)
    assert isinstance(events[3], Attempt)
    assert events[3].discarded.tool_calls == 1


def test_an_event_of_an_unknown_kind_is_passed_over(daemon: Daemon, local: str, run: Run) -> None:
    unknown = peer.Message.FromString(peer.Message(sequence=2).SerializeToString() + b"\x7a\x00")
    daemon.scripts = [
        peer.play(peer.first(), unknown, peer.answer(3, "still here"), peer.completed(4))
    ]
    assert whole(run(local)).answer == "still here"


def test_a_stream_without_completed_is_never_whole(daemon: Daemon, local: str, run: Run) -> None:
    daemon.scripts = [peer.play(peer.first(), peer.answer(2, "half"))]
    error = failed(run(local))
    assert (error.reason, error.result.answer) == ("TRUNCATED", "half")


def test_a_missing_message_is_an_error_and_ends_the_request(
    daemon: Daemon, local: str, run: Run
) -> None:
    def wait(request: Any, context: Any) -> None:
        daemon.ended.wait(peer.PATIENCE_S)

    daemon.scripts = [peer.play_then(peer.first(), peer.answer(3, "skipped 2"), then=wait)]
    error = failed(run(local))
    assert (error.reason, error.result.answer) == ("SEQUENCE_BROKEN", "")
    assert daemon.ended.wait(peer.PATIENCE_S)


def test_an_error_carries_its_details_and_what_was_delivered(
    daemon: Daemon, target: str, run: Run
) -> None:
    def broken(request: Any, context: Any) -> None:
        peer.abort(
            context,
            grpc.StatusCode.ABORTED,
            "the provider broke",
            error_details_pb2.ErrorInfo(
                reason="STREAM_BROKEN", domain="headway.dev", metadata={"cause": "STREAM_CUT"}
            ),
        )

    daemon.scripts = [
        peer.play_then(
            peer.first(),
            peer.reasoning(2, "think"),
            peer.answer(3, "half"),
            peer.tool_call(4, 0, "{", id="c", name="f"),
            then=broken,
        )
    ]
    error = failed(run(target))
    assert (error.code, error.reason) == (grpc.StatusCode.ABORTED, "STREAM_BROKEN")
    assert error.metadata == {"cause": "STREAM_CUT"}
    assert error.retry_after_s is None
    assert (error.result.reasoning, error.result.answer) == ("think", "half")
    assert error.result.tool_calls == (ToolCall("c", "f", "{"),)
    assert error.result.last_sequence == 4
    assert len(daemon.requests) == 1


def test_a_refused_request_tells_when_to_ask_again_and_what_stood_against_it(
    daemon: Daemon, local: str, run: Run
) -> None:
    def refuse(request: Any, context: Any) -> None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(2500)
        quota = error_details_pb2.QuotaFailure(
            violations=[{"subject": "deepseek/team-a/requests", "description": "60 per 60s"}]
        )
        info = error_details_pb2.ErrorInfo(reason="DEADLINE_TOO_SHORT", domain="headway.dev")
        peer.abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "no", info, retry, quota)

    daemon.scripts = [peer.play_then(then=refuse)]
    error = failed(run(local))
    assert (error.reason, error.retry_after_s) == ("DEADLINE_TOO_SHORT", 2.5)
    assert [(v.subject, v.description) for v in error.violations] == [
        ("deepseek/team-a/requests", "60 per 60s")
    ]


def test_the_daemon_saying_unavailable_is_not_a_broken_connection(
    daemon: Daemon, local: str, run: Run
) -> None:
    def draining(request: Any, context: Any) -> None:
        info = error_details_pb2.ErrorInfo(reason="DRAINING", domain="headway.dev")
        peer.abort(context, grpc.StatusCode.UNAVAILABLE, "bye", info)

    daemon.scripts = [peer.play_then(then=draining)]
    assert failed(run(local)).reason == "DRAINING"
    assert len(daemon.requests) == 1


def test_a_deadline_ends_the_request_on_both_sides(daemon: Daemon, local: str, run: Run) -> None:
    def wait(request: Any, context: Any) -> None:
        daemon.ended.wait(peer.PATIENCE_S)

    daemon.scripts = [peer.play_then(peer.first(), then=wait)]
    error = failed(run(local, timeout_s=1.0))
    assert (error.code, error.reason) == (
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "DEADLINE_EXCEEDED",
    )
    assert daemon.ended.wait(peer.PATIENCE_S)


def test_leaving_the_with_block_cancels_the_request(daemon: Daemon, target: str) -> None:
    def wait(request: Any, context: Any) -> None:
        daemon.ended.wait(peer.PATIENCE_S)

    daemon.scripts = [peer.play_then(peer.first(), peer.answer(2, "a"), then=wait)]
    with Client(target) as client:
        with client.stream("default", "Why?") as stream:
            next(stream)
        assert daemon.ended.wait(peer.PATIENCE_S)


async def test_leaving_the_async_with_block_cancels_the_request(
    daemon: Daemon, target: str
) -> None:
    def wait(request: Any, context: Any) -> None:
        daemon.ended.wait(peer.PATIENCE_S)

    daemon.scripts = [peer.play_then(peer.first(), peer.answer(2, "a"), then=wait)]
    async with AsyncClient(target) as client:
        async with client.stream("default", "Why?") as stream:
            await anext(stream)
        assert await asyncio.to_thread(daemon.ended.wait, peer.PATIENCE_S)


async def test_closing_a_stream_from_another_task_is_an_error_not_a_cancellation(
    daemon: Daemon, local: str
) -> None:
    reading = threading.Event()

    def wait(request: Any, context: Any) -> None:
        reading.set()
        daemon.ended.wait(peer.PATIENCE_S)

    daemon.scripts = [peer.play_then(peer.first(), peer.answer(2, "a"), then=wait)]
    async with AsyncClient(local) as client:
        stream = client.stream("default", "Why?")
        task = asyncio.create_task(stream.read())
        assert await asyncio.to_thread(reading.wait, peer.PATIENCE_S)
        stream.close()
        with pytest.raises(HeadwayError, match="CANCELLED"):
            await task


def test_closing_a_stream_from_another_thread_ends_the_reader(daemon: Daemon, local: str) -> None:
    def wait(request: Any, context: Any) -> None:
        daemon.ended.wait(peer.PATIENCE_S)

    daemon.scripts = [peer.play_then(peer.first(), then=wait)]
    with Client(local) as client:
        stream = client.stream("default", "Why?")
        next(stream)
        closer = threading.Thread(target=stream.close)
        closer.start()
        with pytest.raises(HeadwayError) as caught:
            next(stream)
        closer.join(peer.PATIENCE_S)
    assert caught.value.reason == "CANCELLED"


def test_the_result_of_an_unfinished_stream_is_refused(daemon: Daemon, local: str) -> None:
    daemon.scripts = [peer.play(peer.first(), peer.answer(2, "a"), peer.completed(3))]
    with Client(local) as client, client.stream("default", "Why?") as stream:
        next(stream)
        next(stream)
        with pytest.raises(RuntimeError, match="not complete"):
            stream.result  # noqa: B018
        assert (stream.answer, stream.partial.answer) == ("a", "a")
