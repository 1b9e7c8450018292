"""`headway chat`."""

from __future__ import annotations

import signal

import pytest

from sidecar.testing.texts import DEMO
from tests.cli.home import Home
from tests.cli.screen import Terminal

pytestmark = pytest.mark.process


def test_a_pipe_gets_the_answer_and_nothing_else(served: Home) -> None:
    done = served.run("chat", "What is a headway?")

    assert (done.code, done.out) == (0, f"{DEMO.answer}\n")
    assert "attempt 1: north/fake-demo+ms-1, key n1" in done.err
    assert f"[reasoning] {DEMO.reasoning}" in done.err
    assert "79 of reasoning and 87 of answer out, 0.0001002 USD" in done.err


def test_the_question_may_come_from_a_pipe(served: Home) -> None:
    done = served.run("chat", "-", "--plain", stdin="What is a headway?")

    assert (done.code, done.out) == (0, f"{DEMO.answer}\n")


def test_a_restart_leaves_the_exact_answer_in_a_pipe(served: Home) -> None:
    done = served.run("chat", "What is a headway?", "--model", "restart")

    assert (done.code, done.out) == (0, f"{DEMO.answer}\n")
    assert "begins anew, 393 characters of reasoning and " in done.err
    assert "interrupted (STREAM_CUT)" in done.err


def test_on_a_terminal_what_a_restart_makes_void_is_struck_out(served: Home) -> None:
    done = served.on_terminal(
        "chat", "What is a headway?", "--model", "restart", "--target", served.socket
    )

    screen = Terminal(done.out)
    assert done.code == 0
    assert screen.struck.replace(" ", "").startswith(DEMO.reasoning.replace(" ", ""))
    stands = " ".join(screen.standing)
    assert DEMO.reasoning in stands
    assert DEMO.answer in stands


def test_a_stream_that_stays_broken_is_no_answer(served: Home) -> None:
    done = served.run("chat", "What is a headway?", "--model", "broken")

    assert (done.code, done.out) == (1, "")
    assert "STREAM_BROKEN" in done.err
    assert "characters of an answer had come; they are not printed" in done.err


def test_a_model_that_there_is_not_is_told_with_what_to_do(served: Home) -> None:
    done = served.run("chat", "hello", "--model", "nope")

    assert done.code == 2
    assert "UNKNOWN_MODEL" in done.err
    assert "headway models" in done.err


def test_a_deadline_that_is_too_short_is_told(served: Home) -> None:
    done = served.run("chat", "hello", "--model", "slow", "--timeout", "500ms")

    assert (done.code, done.out) == (1, "")
    assert "DEADLINE_EXCEEDED" in done.err
    assert "--timeout" in done.err


def test_a_provider_that_always_fails_leaves_a_typed_error(served: Home) -> None:
    done = served.run("chat", "hello", "--model", "south/fake-5+http-400")

    assert done.code != 0
    assert "PROVIDER_REFUSED" in done.err
    assert "Traceback" not in done.both


def test_the_most_tokens_and_the_system_message_are_passed_on(served: Home) -> None:
    done = served.run("chat", "hello", "--system", "Be brief.", "--max-tokens", "90")

    assert done.code == 0
    assert "79 of reasoning and 11 of answer out" in done.err
    assert "cut off by the maximum of tokens" in done.err


def test_an_effort_of_none_is_no_reasoning(served: Home) -> None:
    done = served.run("chat", "hello", "--reasoning", "none")

    assert (done.code, done.out) == (0, f"{DEMO.answer}\n")
    assert "[reasoning]" not in done.err
    assert ", 0 of reasoning" in done.err


def test_without_a_daemon_it_says_where_it_looked(home: Home) -> None:
    done = home.run("chat", "hello", "--target", f"unix://{home.folder}/nobody.sock")

    assert done.code == 1
    assert f"no daemon answers at unix://{home.folder}/nobody.sock" in done.err
    assert "headway serve" in done.err


@pytest.mark.parametrize(
    "arguments",
    [("--timeout", "soon"), ("--max-tokens", "0"), ("--reasoning", "wild"), ("--nope",)],
)
def test_a_wrong_option_is_a_misuse(home: Home, arguments: tuple[str, ...]) -> None:
    done = home.run("chat", "hello", *arguments)

    assert (done.code, "Traceback" in done.both) == (2, False)


def test_an_interrupted_stream_is_paid_for_and_no_answer(served: Home) -> None:
    with served.running(
        "chat", "hello", "--model", "slow", "--caller", "hasty", ready="attempt 1"
    ) as chatting:
        chatting.signal(signal.SIGINT)
        code = chatting.wait()
    usage = served.run("usage", "--caller", "hasty", "--by", "outcome")

    assert code == 130
    assert "Traceback" not in chatting.said
    assert usage.out.splitlines()[1].split()[:3] == ["abandoned", "1", "1"]
