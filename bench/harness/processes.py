"""Processes of a run: each pinned to a core, and each ending with this one, however it ends."""

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

BENCH = Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
BINARIES = BENCH / "bin"

# The system under test alone on one core; provider, load generator and OTLP sink on the other.
DAEMON_CORE = 0
LOAD_CORE = 1

_PR_SET_PDEATHSIG = 1  # prctl(2)
_STOP_TIMEOUT_S = 15


def pinned(core: int, *, idle_class: bool = False) -> Callable[[], None]:
    """A preexec function: pin to the core, and die with the parent.

    `idle_class` also gives the process the lowest priority there is (SCHED_IDLE): it runs only when
    nobody else wants the core.
    """

    def prepare() -> None:
        os.sched_setaffinity(0, {core})
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if idle_class:
            os.nice(19)  # so that /proc/stat counts it as "nice", apart from real work
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))

    return prepare


@contextmanager
def running(
    command: list[str],
    core: int,
    *,
    idle_class: bool = False,
    env: dict[str, str] | None = None,
    log: IO[bytes] | None = None,
    stdout: int | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command on the core for the length of the block, then end it."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=stdout if stdout is not None else log,
        stderr=log,
        env=env,
        preexec_fn=pinned(core, idle_class=idle_class),
    )
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End by SIGTERM, and by SIGKILL if that takes too long."""
    process.terminate()
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def helper(name: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run bench/bin/NAME on the load core; gives the process and the port it chose."""
    with running([str(BINARIES / name)], LOAD_CORE, stdout=subprocess.PIPE) as process:
        line = read_line(process)
        if not line.strip().isdigit():
            raise SystemExit(f"bench: {name} did not start: {line!r}")
        yield process, int(line)


def read_line(process: subprocess.Popen[bytes]) -> bytes:
    """The next line a helper prints."""
    assert process.stdout is not None
    return process.stdout.readline()


@contextmanager
def awake(wanted: bool) -> Iterator[None]:
    """Keep both cores from sleeping, by a spinner of the lowest priority on each.

    An idle virtual CPU costs over 100 us per wake-up, which would drown what the relay costs.
    """
    if not wanted:
        yield
        return
    spin = [sys.executable, "-c", "while True: pass"]
    with (
        running(spin, DAEMON_CORE, idle_class=True),
        running(spin, LOAD_CORE, idle_class=True),
    ):
        yield


def load(
    line: str, *flags: object, env: dict[str, str] | None = None, log: IO[bytes] | None = None
) -> dict[str, Any]:
    """Run the load generator once on the load core and return what it reports.

    A run in which nothing arrived is repeated once: the machine may have stood still. A failed
    stream is never excused.
    """
    command = [str(BINARIES / "load"), line, *map(str, flags)]
    report = _load(command, env, log)
    if report.get("tokens") == 0:
        print(f"bench: nothing arrived, once more: {' '.join(command)}", file=sys.stderr)
        report = _load(command, env, log)
    if report.get("tokens") == 0:
        raise SystemExit("bench: nothing arrived again")
    return report


def _load(command: list[str], env: dict[str, str] | None, log: IO[bytes] | None) -> dict[str, Any]:
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=log,
        check=False,
        env=env,
        preexec_fn=pinned(LOAD_CORE),
    )
    if done.returncode != 0:
        raise SystemExit(f"bench: {' '.join(command)} failed with status {done.returncode}")
    report: dict[str, Any] = json.loads(done.stdout)
    if report.get("failures"):
        raise SystemExit(
            f"bench: {report['failures']} streams failed in {' '.join(command)}: "
            f"{report['first_failure']}"
        )
    return report


def resident_mb(pid: int) -> float:
    """Resident memory of a process, MB of 2**20 bytes."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"bench: no resident size for process {pid}")
