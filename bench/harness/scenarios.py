"""The scenarios: which runs of the load generator, in which order, and what is taken from them.

Every repeat measures the direct line first and the line through the daemon right after it; figures
called "added" are through minus direct of one repeat.
"""

import statistics
import time
from dataclasses import dataclass
from typing import Any

from harness.daemon import PROVIDER, Setup, serving
from harness.processes import DAEMON_CORE, LOAD_CORE, awake, load, resident_mb

Figures = dict[str, float]
Run = dict[str, Any]

SATURATING_STREAMS = 64
SATURATING_TOKENS = 50
PACED_STREAMS = 200
PACED_TOKENS = 250
PACED_INTERVAL_MS = 20
OPEN_STREAMS = 500


@dataclass(frozen=True, slots=True)
class Pace:
    """How long and how often to measure. Times in seconds."""

    repeats: int
    window_s: float
    paced_window_s: float
    starts: int
    settle_s: float


FULL = Pace(repeats=5, window_s=2, paced_window_s=5, starts=10, settle_s=3)
QUICK = Pace(repeats=2, window_s=1, paced_window_s=2, starts=3, settle_s=2)


@dataclass(frozen=True, slots=True)
class Lines:
    """The two ways to the provider."""

    base_url: str
    target: str
    pid: int

    def direct(self, model: str, *flags: object) -> Run:
        """Straight to the provider."""
        return load("direct", "-to", self.base_url, "-model", model, *flags)

    def through(self, model: str, *flags: object) -> Run:
        """Through the daemon, whose processor time is read at both ends of the window."""
        return self._watched("through", model, *flags)

    def through_grpc_go(self, model: str, *flags: object) -> Run:
        """The same with an ordinary grpc-go client instead of the minimal one."""
        return self._watched("through-grpc-go", model, *flags)

    def _watched(self, line: str, model: str, *flags: object) -> Run:
        watch = ("-pid", self.pid, "-core", DAEMON_CORE, "-load-core", LOAD_CORE)
        return load(line, "-to", self.target, "-model", f"{PROVIDER}/{model}", *watch, *flags)


def medians(repeats: list[Figures]) -> Figures:
    """Of each figure, the median over the repeats."""
    return {name: statistics.median(r[name] for r in repeats) for name in repeats[0]}


def added(direct: Run, through: Run, what: str, percentile: str) -> float:
    """How much later through the daemon, milliseconds."""
    return float(through[what][percentile] - direct[what][percentile]) / 1000


def first_token(lines: Lines, pace: Pace) -> Figures:
    """One stream at a time, one token each."""
    flags = ("-for", f"{pace.window_s}s")
    direct, through = lines.direct("bench-1x0", *flags), lines.through("bench-1x0", *flags)
    ordinary = lines.through_grpc_go("bench-1x0", *flags)
    many = [line("bench-100x0", *flags) for line in (lines.direct, lines.through)]
    return {
        "direct_ttft_p50_ms": direct["ttft_us"]["p50"] / 1000,
        "direct_ttft_p99_ms": direct["ttft_us"]["p99"] / 1000,
        "added_ttft_p50_ms": added(direct, through, "ttft_us", "p50"),
        "added_ttft_p99_ms": added(direct, through, "ttft_us", "p99"),
        "grpc_go_added_ttft_p50_ms": added(direct, ordinary, "ttft_us", "p50"),
        "grpc_go_added_ttft_p99_ms": added(direct, ordinary, "ttft_us", "p99"),
        "added_100_tokens_p50_ms": added(*many, "total_us", "p50"),
    }


def first_token_awake(lines: Lines, pace: Pace) -> Figures:
    """The same with both cores kept from sleeping."""
    with awake(True):
        return {f"awake_{name}": value for name, value in first_token(lines, pace).items()}


def saturated(lines: Lines, pace: Pace) -> Figures:
    """As much as the daemon's core can do: all streams at once, as fast as they come."""
    flags = ("-streams", SATURATING_STREAMS, "-for", f"{pace.window_s}s")
    model = f"bench-{SATURATING_TOKENS}x0"
    direct = lines.direct(model, *flags)
    through, short = lines.through(model, *flags), lines.through("bench-1x0", *flags)
    ordinary = lines.through_grpc_go(model, *flags)
    stream_us, short_us = cpu_us_per_stream(through), cpu_us_per_stream(short)
    return {
        "direct_streams_per_s": direct["streams"] / direct["window_s"],
        "streams_per_s": through["streams"] / through["window_s"],
        "tokens_per_s": through["tokens"] / through["window_s"],
        "grpc_go_streams_per_s": ordinary["streams"] / ordinary["window_s"],
        "tokens_per_message": through["tokens"] / through["messages"],
        "one_token_streams_per_s": short["streams"] / short["window_s"],
        "cpu_us_per_stream": stream_us,
        "cpu_us_per_one_token_stream": short_us,
        "cpu_us_per_token": (stream_us - short_us) / (SATURATING_TOKENS - 1),
        "load_core_pct": load_core_pct(through),
        "others_pct": others_pct(through),
    }


def paced(lines: Lines, pace: Pace) -> Figures:
    """Streams at the speed of a model, their phases spread."""
    whole_s = PACED_TOKENS * PACED_INTERVAL_MS / 1000
    flags = ("-streams", PACED_STREAMS, "-delays", "-stagger", f"{whole_s}s")
    flags += ("-warm-up", f"{whole_s + 0.5}s", "-for", f"{pace.paced_window_s}s")
    model = f"bench-{PACED_TOKENS}x{PACED_INTERVAL_MS}ms"
    direct, through = lines.direct(model, *flags), lines.through(model, *flags)
    return {
        "paced_tokens_per_s": through["tokens"] / through["window_s"],
        "paced_cpu_pct": 100 * through["machine"]["cpu_s"] / through["window_s"],
        "direct_delay_p99_ms": direct["delay_us"]["p99"] / 1000,
        "added_delay_p50_ms": added(direct, through, "delay_us", "p50"),
        "added_delay_p99_ms": added(direct, through, "delay_us", "p99"),
        "paced_others_pct": others_pct(through),
    }


def paced_awake(lines: Lines, pace: Pace) -> Figures:
    """The same with both cores kept from sleeping."""
    with awake(True):
        return {f"awake_{name}": value for name, value in paced(lines, pace).items()}


def memory(setup: Setup, base_url: str, pace: Pace) -> Figures:
    """Resident memory of a fresh daemon: settled, with many streams open, and after them."""
    with serving(setup) as process:
        time.sleep(pace.settle_s)
        idle = resident_mb(process.pid)
        lines = Lines(base_url, setup.target, process.pid)
        flags = ("-streams", OPEN_STREAMS, "-stagger", "2s", "-warm-up", "3s", "-for", "3s")
        model = "bench-100x100ms"
        busy = lines.through(model, *flags, "-rss")
        time.sleep(pace.settle_s)
        return {
            "rss_idle_mb": idle,
            "rss_open_mb": busy["peak_rss_bytes"] / 2**20,
            "rss_after_mb": resident_mb(process.pid),
        }


def starting(setup: Setup, pace: Pace) -> list[Figures]:
    """From exec to the first SERVING of grpc.health.v1, and to a first one-token answer."""
    return [start_once(setup) for _ in range(pace.starts)]


def start_once(setup: Setup) -> Figures:
    """One start of the daemon, from exec."""
    flags = ("-to", setup.target, "-core", DAEMON_CORE, "-model", f"{PROVIDER}/bench-1x0")
    with setup.log.open("ab") as log:
        run = load("ready", *flags, "--", *setup.command, env=setup.env, log=log)
    return {
        "ready_s": run["serving_ms"] / 1000,
        "first_answer_s": run["first_answer_ms"] / 1000,
    }


def cpu_us_per_stream(run: Run) -> float:
    """Processor time of the daemon for each finished stream, microseconds."""
    return float(run["machine"]["cpu_s"]) * 1e6 / run["streams"]


def others_pct(run: Run) -> float:
    """What other processes took of the daemon's core, in percent: above a few, distrust the run."""
    machine = run["machine"]
    return max(0.0, 100 * (machine["core_busy_s"] - machine["cpu_s"]) / run["window_s"])


def load_core_pct(run: Run) -> float:
    """How busy the core of load and provider was, percent: near 100, it would be what limits."""
    return 100 * float(run["machine"]["load_core_busy_s"]) / run["window_s"]
