"""A user's folder with a configuration, and the commands run in it as real processes."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

# A loaded machine may take long to start a process; nobody waits for this on a good one.
PATIENCE_S = 120
SECRET = "sk-planted-0123456789abcdef"


class Done(msgspec.Struct, frozen=True):
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def both(self) -> str:
        return self.out + self.err


class Home:
    """`folder` is the working directory of every command; the environment has nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "COLUMNS": "100",
            "NO_COLOR": "1",
        }

    @property
    def socket(self) -> str:
        return f"unix://{self.folder}/h.sock"

    def write(self, text: str, name: str = "headway.yaml") -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def run(self, *arguments: str, stdin: str = "", extra: Mapping[str, str] | None = None) -> Done:
        """`headway` with these arguments, to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "sidecar", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**self.environment, **(extra or {})},
            timeout=PATIENCE_S,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    @contextlib.contextmanager
    def running(
        self, *arguments: str, ready: str, extra: Mapping[str, str] | None = None
    ) -> Iterator[Process]:
        """`headway` with these arguments until the block ends; begins once it has said `ready`."""
        process = subprocess.Popen(
            [sys.executable, "-m", "sidecar", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            env={**self.environment, "PYTHONUNBUFFERED": "1", **(extra or {})},
        )
        running = Process(process)
        try:
            running.wait_for(ready)
            yield running
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()

    def on_terminal(self, *arguments: str, until: str = "", then: str = "") -> Done:
        """`headway` on a terminal of 80 columns and 24 lines; `then` is typed after `until`."""
        pid, fd = pty.fork()
        if pid == 0:  # pragma: no cover
            os.chdir(self.folder)
            environment = {**self.environment, "TERM": "xterm"}
            environment.pop("COLUMNS")
            environment.pop("NO_COLOR")
            os.execve(sys.executable, [sys.executable, "-m", "sidecar", *arguments], environment)
        out = bytearray()
        with contextlib.suppress(OSError):  # Linux tells the end of a terminal as an error
            while data := os.read(fd, 65_536):
                out += data
                if then and until in out.decode(errors="replace"):
                    os.write(fd, then.encode())
                    then = ""
        os.close(fd)
        return Done(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), out.decode(), "")


class Process:
    """A command that runs, and what it has said so far."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.said = ""

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_for(self, text: str) -> str:
        """Read on until `text` has been said; returns everything said so far."""
        assert self._process.stdout is not None
        fd = self._process.stdout.fileno()
        while text not in self.said:
            ready, _, _ = select.select([fd], [], [], PATIENCE_S)
            data = os.read(fd, 65_536) if ready else b""
            if not data:
                raise AssertionError(f"never said {text!r}, but: {self.said}")
            self.said += data.decode()
        return self.said

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        """Its exit code; `said` is complete then."""
        assert self._process.stdout is not None
        self.said += self._process.stdout.read().decode()
        return self._process.wait(PATIENCE_S)


def config(home: Home, base_url: str, more: str = "") -> str:
    """A configuration that listens in `home` and asks the fake provider at `base_url`."""
    return f"""
listen: ["{home.socket}"]
providers:
  north: &as-deepseek
    dialect: openai-chat
    base_url: {base_url}
    quirks:
      think_tags: "off"
      thinks_by_default: true
      efforts: {{none: {{thinking: {{type: disabled}}}}}}
      prefix: {{path: /beta/chat/completions, message: {{prefix: true}},
               reasoning_field: reasoning_content}}
    models: {{"*": {{reasoning: true, resume: prefix,
             price: &price {{input: 0.15, output: 0.60, cached_input: 0.003}}}}}}
    accounts: {{n: {{keys: [{{name: n1, env: NORTH_KEY}}], limits: [{{requests: 600, per: 60s}}]}}}}
  south:
    dialect: openai-chat
    base_url: {base_url}/v1
    models: {{"*": {{reasoning: true, price: *price}}}}
    accounts: {{s: {{keys: [{{name: s1, env: SOUTH_KEY}}]}}}}
routes:
  default: {{targets: [north/fake-demo+ms-1]}}
  restart: {{targets: [north/fake-demo+ms-1+cut-answer-30, south/fake-demo+ms-1], retries: 0}}
  broken: {{targets: [north/fake-demo+ms-1+cut-answer-30], retries: 0, on_interruption: fail}}
  slow: {{targets: [north/fake-600+ms-100]}}
ledger: {{path: "{home.folder}/ledger.db"}}
{more}
"""


KEYS = {"NORTH_KEY": SECRET, "SOUTH_KEY": f"{SECRET}-south"}
