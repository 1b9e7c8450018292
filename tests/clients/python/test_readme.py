"""The README's programs run as they stand."""

import re
from pathlib import Path

import pytest

from . import peer
from .peer import Daemon
from .test_client import whole_answer

README = Path(__file__).parents[3] / "clients/python/README.md"
PROGRAMS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


@pytest.mark.parametrize("program", PROGRAMS, ids=["blocking", "asyncio", "printer", "complete"])
def test_a_program_of_the_readme_prints_the_answer(
    program: str,
    daemon: Daemon,
    local: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    daemon.answer = whole_answer
    daemon.scripts = [
        peer.play(
            peer.first(), peer.reasoning(2, "hm"), peer.answer(3, "Rayleigh"), peer.completed(4)
        )
    ]
    monkeypatch.setenv("HEADWAY_TARGET", local)
    exec(compile(program, str(README), "exec"), {"__name__": "readme"})
    assert "Rayleigh" in capsys.readouterr().out


def test_the_first_program_has_ten_lines() -> None:
    assert len([line for line in PROGRAMS[0].splitlines() if line.strip()]) <= 10
