"""`headway demo`, as a user sees it."""

from __future__ import annotations

import pytest

from sidecar.testing.texts import DEMO
from tests.cli.home import Home
from tests.cli.screen import Terminal

pytestmark = [pytest.mark.process, pytest.mark.slow]


def test_in_a_pipe_it_shows_all_and_all_of_it_holds(home: Home) -> None:
    done = home.run("demo")

    assert (done.code, done.err) == (0, "")
    titles = [line for line in done.out.splitlines() if line[:2] in ("1.", "2.", "3.", "4.", "5.")]
    assert len(titles) == 5
    assert done.out.count(f"[answer] {DEMO.answer}") == 4
    assert "goes on where the last one broke" in done.out
    assert "above are void" in done.out
    assert "the provider's log says [200, 429, 200]" in done.out
    assert "equal to the token and to the nano-dollar" in done.out
    assert "NOT SO" not in done.out


def test_on_a_terminal_the_void_text_is_struck_out_and_the_rest_stands(home: Home) -> None:
    done = home.on_terminal("demo")

    screen = Terminal(done.out)
    assert done.code == 0
    assert screen.struck.startswith(DEMO.reasoning[:20])
    assert " ".join(screen.standing).count(DEMO.answer) == 4
