"""The committed stubs are those of the committed API, which breaks nobody."""

import subprocess
import sys
from pathlib import Path

import pytest

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
