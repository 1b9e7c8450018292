"""The promises of the project that are figures of speed and size, as data."""

import operator
from collections.abc import Callable
from dataclasses import dataclass

from harness.scenarios import Figures


@dataclass(frozen=True, slots=True)
class Target:
    """One promise: the figure `name` has to be at most, or at least, `limit`."""

    promise: str
    name: str
    limit: float
    unit: str
    at_least: bool = False

    def met(self, figures: Figures) -> bool:
        """Whether the measured figure keeps the promise."""
        keeps: Callable[[float, float], bool] = operator.ge if self.at_least else operator.le
        return keeps(figures[self.name], self.limit)

    @property
    def bound(self) -> str:
        """The promise as it is printed."""
        return f"{'>=' if self.at_least else '<='} {shown(self.limit)} {self.unit}"


def shown(value: float) -> str:
    """A figure with as many digits as it deserves."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


# What docs/performance.md promises. The figures with the cores kept awake are printed beside them,
# and are not what is judged.
TARGETS = (
    Target("added time to first token, p50", "added_ttft_p50_ms", 0.6, "ms"),
    Target("added time to first token, p99", "added_ttft_p99_ms", 1.5, "ms"),
    Target("saturated, 64 x 50 tokens: streams", "streams_per_s", 1000, "/s", at_least=True),
    Target("saturated, 64 x 50 tokens: tokens", "tokens_per_s", 50_000, "/s", at_least=True),
    Target("200 streams x 20 ms a token: one core", "paced_cpu_pct", 75, "%"),
    Target("200 streams x 20 ms a token: added p99", "added_delay_p99_ms", 1.5, "ms"),
    Target("resident memory, idle", "rss_idle_mb", 64, "MB"),
    Target("resident memory, 500 streams", "rss_open_mb", 80, "MB"),
    Target("ready after start", "ready_s", 0.5, "s"),
)

# What else is measured: (figure, what it is, unit).
FURTHER = (
    ("awake_added_ttft_p50_ms", "added time to first token, p50, cores kept awake", "ms"),
    ("awake_added_ttft_p99_ms", "added time to first token, p99, cores kept awake", "ms"),
    ("grpc_go_added_ttft_p50_ms", "added time to first token, p50, grpc-go client", "ms"),
    ("grpc_go_added_ttft_p99_ms", "added time to first token, p99, grpc-go client", "ms"),
    ("direct_ttft_p50_ms", "direct line: time to first token, p50", "ms"),
    ("direct_ttft_p99_ms", "direct line: time to first token, p99", "ms"),
    ("awake_direct_ttft_p50_ms", "direct line: time to first token, p50, cores kept awake", "ms"),
    ("added_100_tokens_p50_ms", "added for 100 tokens at once, p50", "ms"),
    ("awake_added_100_tokens_p50_ms", "added for 100 tokens at once, p50, cores kept awake", "ms"),
    ("direct_streams_per_s", "direct line, saturated: streams", "/s"),
    ("grpc_go_streams_per_s", "saturated, 64 x 50 tokens, grpc-go client: streams", "/s"),
    ("cpu_us_per_stream", "processor time of the daemon for a stream of 50 tokens", "us"),
    ("cpu_us_per_one_token_stream", "processor time of the daemon for a stream of one token", "us"),
    ("cpu_us_per_token", "processor time of the daemon for each further token", "us"),
    ("one_token_streams_per_s", "saturated, 64 x 1 token: streams", "/s"),
    ("tokens_per_message", "saturated: tokens that left in one message", ""),
    ("load_core_pct", "saturated: load generator, provider and sink, of their core", "%"),
    ("others_pct", "saturated: other processes on the daemon's core", "%"),
    ("paced_tokens_per_s", "paced: tokens relayed", "/s"),
    ("added_delay_p50_ms", "paced: added delay of a token, p50", "ms"),
    ("direct_delay_p99_ms", "paced: direct line's delay of a token, p99", "ms"),
    ("paced_others_pct", "paced: other processes on the daemon's core", "%"),
    ("awake_paced_cpu_pct", "paced: of one core, cores kept awake", "%"),
    ("awake_added_delay_p50_ms", "paced: added delay of a token, p50, cores kept awake", "ms"),
    ("awake_added_delay_p99_ms", "paced: added delay of a token, p99, cores kept awake", "ms"),
    ("rss_after_mb", "resident memory after the 500 streams", "MB"),
    ("first_answer_s", "from start to the first answer", "s"),
)
