"""The replay command."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.providers.recorded import recordings


def test_the_command_tells_what_the_checker_compares() -> None:
    recording = next(r for r in recordings("stream") if r.id == "deepseek/v4flash-simple")
    env = {**os.environ, "DIALECT": "chat", "KIND": "stream", "PROVIDER": "deepseek"}
    done = subprocess.run(
        [sys.executable, "-m", "sidecar.providers.replay"],
        input=recording.body,
        env=env,
        capture_output=True,
        check=True,
        timeout=60,
    )
    told = json.loads(done.stdout)
    assert told["answer"] == "2"
    assert told["reasoning"] == recording.expected["reasoning"]
    assert told["finish_reason"] == "stop"
    assert told["usage"]["output_total"] == 27
