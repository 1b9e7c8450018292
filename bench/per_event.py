"""What decoding one event costs, by dialect: every recorded stream, decoded in this process.

`.venv/bin/python bench/per_event.py [DIRECTORY...]` looks for `meta.json` below the directories
(default: tests/); what nobody ever recorded is measured on the fake provider's answer. Two ways to
be fed are timed, because they are the two ends of real traffic: "alone" gives the decoder one event
a read, as a slow stream does; "merged" gives it reads of 16 KiB, as a saturated one does. A decoder
is made anew for each body, and its making is counted; the target's profile is not: a daemon makes
it once, when it reads its configuration.
Figures are the best of many short rounds, in processor time: on a shared machine, what is above the
best is not ours.
"""

import argparse
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sidecar.providers import replay
from sidecar.providers.profiles import TargetProfile
from sidecar.providers.table import DIALECTS
from sidecar.testing.asked import Plan
from sidecar.testing.dialects import DIALECTS as SPOKEN
from tests.providers.fuzz_seeds import said

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 100
ROUND_S = 0.01
READ_BYTES = 16 << 10

# An SSE event ends with an empty line, in any of three line endings; an NDJSON one with its line.
_SSE_END = re.compile(rb"(?<=\n\n)|(?<=\r\n\r\n)|(?<=\r\r)")
_LINE_END = re.compile(rb"(?<=\n)")


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded stream, cut into its events."""

    dialect: str
    target: TargetProfile
    body: bytes
    events: tuple[bytes, ...]

    @property
    def reads(self) -> tuple[bytes, ...]:
        """The body as large reads."""
        starts = range(0, len(self.body), READ_BYTES)
        return tuple(self.body[at : at + READ_BYTES] for at in starts)


def recordings(directory: Path) -> Iterator[Recording]:
    """Every stream below the directory whose dialect exists."""
    for path in sorted(directory.rglob("meta.json")):
        meta = json.loads(path.read_text())
        name = replay.NAMES.get(meta.get("dialect", ""), meta.get("dialect", ""))
        if meta.get("kind") != "stream" or name not in DIALECTS:
            continue
        body = (path.parent / meta["file"]).read_bytes()
        yield in_events(name, replay.known(meta["provider"]), body)


def in_events(dialect: str, target: TargetProfile, body: bytes) -> Recording:
    """The body, cut into its events."""
    cut = _LINE_END if dialect == "ollama" else _SSE_END
    return Recording(dialect, target, body, tuple(piece for piece in cut.split(body) if piece))


def made(dialect: str) -> Recording:
    """What the fake provider says in a dialect of which there is no recording."""
    (speaker,) = (row for row in SPOKEN if row.name == dialect)
    plan = Plan(reasoning_words=40, answer_words=60)
    return in_events(dialect, replay.known(dialect), said(speaker, dialect, plan, True))


def decode(recording: Recording, pieces: tuple[bytes, ...]) -> None:
    """Decode one body as the gateway would."""
    decoder = DIALECTS[recording.dialect].decoder(recording.target, True)
    for piece in pieces:
        decoder.feed(piece)
    decoder.end()


def best_us(work: list[tuple[Recording, tuple[bytes, ...]]]) -> float:
    """The best time for one pass over the work, microseconds."""
    best = float("inf")
    for _ in range(ROUNDS):
        passes, began = 0, time.thread_time()
        while (elapsed := time.thread_time() - began) < ROUND_S or passes == 0:
            for recording, pieces in work:
                decode(recording, pieces)
            passes += 1
        best = min(best, elapsed / passes)
    return best * 1e6


def row(dialect: str, of: list[Recording]) -> str:
    """One line of the table."""
    events = sum(len(r.events) for r in of)
    alone = best_us([(r, r.events) for r in of]) / events
    merged = best_us([(r, r.reads) for r in of]) / events
    size = sum(len(r.body) for r in of) / events
    return f"{dialect:<20}{len(of):>8}{events:>8}{size:>14.0f}{alone:>12.2f}{merged:>13.2f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="The cost of decoding one event, by dialect.")
    parser.add_argument("directories", nargs="*", type=Path, default=[ROOT / "tests"])
    found = [r for d in parser.parse_args().directories for r in recordings(d)]
    if not found:
        raise SystemExit(
            "per_event: no recorded stream found; name a directory with meta.json files"
        )
    print(f"{'dialect':<20}{'streams':>8}{'events':>8}{'bytes/event':>14}", end="")
    print(f"{'alone, us':>12}{'merged, us':>13}")
    heard = {r.dialect for r in found}
    found += [made(dialect) for dialect in DIALECTS if dialect not in heard]
    for dialect in sorted(DIALECTS):
        print(row(dialect, [r for r in found if r.dialect == dialect]))


if __name__ == "__main__":
    main()
