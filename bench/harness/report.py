"""What a run found: the table on the terminal, the JSON, and docs/performance.md."""

import json
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness.processes import ROOT
from harness.scenarios import Figures, Pace, medians
from harness.targets import FURTHER, TARGETS, Target, shown

# Other work on the daemon's core above this makes a run worth repeating, percent.
_NOISY_PCT = 5.0


def machine() -> dict[str, str]:
    """What the figures were taken on."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor() or platform.machine(),
    )
    return {
        "processor": model,
        "kernel": platform.release().split("-")[0],
        "python": platform.python_version(),
        **{name: version(name) for name in ("grpcio", "uvloop", "httptools", "msgspec")},
        "revision": revision(),
    }


def revision() -> str:
    """The commit that was measured, marked if the tree differs from it."""
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def as_json(repeats: list[Figures], starts: list[Figures], size: Figures) -> dict[str, Any]:
    """Everything measured, as a tree: the medians, and the repeats they come from."""
    return {
        "machine": machine(),
        "figures": {**medians(repeats), **medians(starts), **size},
        "repeats": repeats,
        "starts": starts,
        "memory": size,
    }


def verdict(target: Target, figures: Figures) -> tuple[str, str, str, str]:
    """One row of the table of promises."""
    measured = f"{shown(figures[target.name])} {target.unit}"
    return target.promise, target.bound, measured, "met" if target.met(figures) else "NOT MET"


def rows_of_targets(figures: Figures) -> list[tuple[str, ...]]:
    """The promises whose figure was measured."""
    return [verdict(target, figures) for target in TARGETS if target.name in figures]


def rows_of_further(figures: Figures) -> list[tuple[str, ...]]:
    """Everything else that was measured."""
    known = [row for row in FURTHER if row[0] in figures]
    return [(text, f"{shown(figures[name])} {unit}".rstrip()) for name, text, unit in known]


def noise(tree: dict[str, Any]) -> str | None:
    """A warning if the machine was not quiet."""
    busy = [r[name] for r in tree["repeats"] for name in r if name.endswith("others_pct")]
    if not busy or statistics.median(busy) < _NOISY_PCT:
        return None
    return (
        f"Other processes took {statistics.median(busy):.0f} % of the daemon's core (median of the "
        "runs): rates and delays are worse than on a quiet machine, processor times a little."
    )


def show(tree: dict[str, Any]) -> None:
    """Print the tables."""
    figures = tree["figures"]
    print(f"\n{' | '.join(f'{k} {v}' for k, v in tree['machine'].items())}\n")
    print(aligned([("promise", "target", "measured", ""), *rows_of_targets(figures)]))
    print()
    print(aligned([("further", "measured"), *rows_of_further(figures)]))
    if warning := noise(tree):
        print(f"\nWARNING: {warning}", file=sys.stderr)


def aligned(rows: list[tuple[str, ...]]) -> str:
    """Rows as columns for the terminal."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Rows as a Markdown table."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(tree: dict[str, Any], pace: Pace) -> str:
    """The text of docs/performance.md."""
    figures = tree["figures"]
    promises = table(("promise", "target", "measured", ""), rows_of_targets(figures))
    further = table(("figure", "measured"), rows_of_further(figures))
    facts = table(("", ""), tree["machine"].items())
    warning = f"\n> {text}\n" if (text := noise(tree)) else ""
    return f"""# Performance

Written by `bench/run.py --write`; do not edit by hand. The method, and how to read the figures, is
in [bench/README.md](../bench/README.md).

Medians of {pace.repeats} repeats, {pace.starts} starts. The daemon has one core to itself, with the
ledger on disk, telemetry to a collector, and request, token and concurrency limits on every key and
account; provider, load generator and collector share the other core. "Added" is the line through
Headway minus the direct line of the same repeat.
{warning}
## The promises

{promises}

## Further figures

{further}

## The machine

{facts}
"""


def write_json(tree: dict[str, Any], path: Path) -> None:
    """Keep everything measured."""
    path.write_text(json.dumps(tree, indent=1) + "\n")
