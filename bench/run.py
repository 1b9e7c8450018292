"""Measures the promises of speed and size: `.venv/bin/python bench/run.py`, or `make bench`.

Needs Linux with two cores, and Go for the provider and the load generator. bench/README.md has the
method and says how to read the figures.
"""

import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from harness import report, scenarios
from harness.daemon import Setup, default_program, serving, set_up
from harness.processes import BENCH, BINARIES, DAEMON_CORE, LOAD_CORE, ROOT, helper, read_line
from harness.scenarios import FULL, QUICK, Figures, Lines, Pace

Measure = Callable[[Lines, Pace], Figures]

SCENARIOS: dict[str, Measure] = {
    "first-token": scenarios.first_token,
    "first-token-awake": scenarios.first_token_awake,
    "saturated": scenarios.saturated,
    "paced": scenarios.paced,
    "paced-awake": scenarios.paced_awake,
}
ALSO = ("memory", "starting")


def main() -> None:
    """Build, measure, report."""
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the processes below are ended
    check_machine()
    build()
    pace = QUICK if args.quick else FULL
    program = shlex.split(args.daemon) if args.daemon else default_program()
    with (
        tempfile.TemporaryDirectory(prefix="headway-bench-") as directory,
        helper("provider") as (_, provider_port),
        helper("sink") as (sink, sink_port),
    ):
        setup = set_up(Path(directory), provider_port, sink_port, program)
        base_url = f"http://127.0.0.1:{provider_port}/v1"
        repeats, starts, size = measure(set(args.only), setup, base_url, pace)
        sink.send_signal(signal.SIGHUP)
        print("telemetry received:", read_line(sink).decode().strip())
    tree = report.as_json(repeats, starts, size)
    report.show(tree)
    report.write_json(tree, Path(args.json))
    if args.write:
        (ROOT / "docs" / "performance.md").write_text(report.page(tree, pace))


def arguments() -> argparse.Namespace:
    """The command line."""
    known = [*SCENARIOS, *ALSO]
    parser = argparse.ArgumentParser(description="Measure the promises of speed and size.")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter repeats")
    parser.add_argument("--only", nargs="+", choices=known, default=known, metavar="SCENARIO")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    parser.add_argument("--json", default=str(BINARIES / "last.json"), help="where the figures go")
    parser.add_argument("--daemon", help="another command that takes --config FILE")
    return parser.parse_args()


def check_machine() -> None:
    """Say plainly what is missing."""
    if sys.platform != "linux":
        raise SystemExit("bench: needs Linux: cores are pinned and /proc is read")
    if shutil.which("go") is None:
        raise SystemExit(
            "bench: Go is missing. The provider and the load generator are Go programs, because a "
            "Python client would be slower than what it measures. Install Go 1.26 or later "
            "(https://go.dev/dl/) and run again."
        )
    if not {DAEMON_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        raise SystemExit(f"bench: needs cores {DAEMON_CORE} and {LOAD_CORE}")


def build() -> None:
    """Build the Go programs into bench/bin; quick when nothing changed."""
    BINARIES.mkdir(exist_ok=True)
    command = ["go", "build", "-o", f"{BINARIES}/", "./provider", "./load", "./sink"]
    if subprocess.run(command, cwd=BENCH, check=False).returncode != 0:
        raise SystemExit("bench: the Go programs do not build")


def measure(
    wanted: set[str], setup: Setup, base_url: str, pace: Pace
) -> tuple[list[Figures], list[Figures], Figures]:
    """The repeats of the traffic scenarios, the starts, and the memory of a fresh daemon."""
    with serving(setup):
        pass  # the first start compiles byte code; none that is measured does
    size: Figures = {}
    starts: list[Figures] = [{}]
    repeats: list[Figures] = [{}]
    if "memory" in wanted:
        note("memory")
        size = scenarios.memory(setup, base_url, pace)
    if "starting" in wanted:
        note("starting")
        starts = scenarios.starting(setup, pace)
    traffic = [name for name in SCENARIOS if name in wanted]
    if traffic:
        with serving(setup) as process:
            lines = Lines(base_url, setup.target, process.pid)
            repeats = [one_repeat(traffic, lines, pace, n) for n in range(pace.repeats)]
    return repeats, starts, size


def one_repeat(traffic: list[str], lines: Lines, pace: Pace, number: int) -> Figures:
    """Every wanted scenario once, so that a noisy minute falls on one repeat of each."""
    figures: Figures = {}
    for name in traffic:
        note(f"{name}, repeat {number + 1} of {pace.repeats}")
        figures |= SCENARIOS[name](lines, pace)
    return figures


def note(text: str) -> None:
    """Say what is being measured."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
