"""The API: its stubs are current, it breaks nobody, and its list of errors is the daemon's."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.core.failure import CODES

ROOT = Path(__file__).parents[3]


@pytest.mark.process
def test_the_stubs_are_current_and_the_api_breaks_nobody() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "proto/generate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_documented_errors_are_those_of_the_daemon() -> None:
    text = (ROOT / "proto/headway/v1/completion.proto").read_text()
    documented = dict(re.findall(r"^//   ([A-Z_]+) +([A-Z_]+) ", text, re.MULTILINE))
    assert documented == {reason.value: code for reason, code in CODES.items()}
