"""A coverage-guided fuzzer on one decoder: `python -m tests.providers.fuzz DIALECT [SECONDS]`.

Needs `atheris` (fuzz-requirements.txt beside this file); `make fuzz` makes an environment with it.
It begins with `fuzz_seeds` and with the kept inputs in corpus/, and refuses to begin if these do
not reach the decoder (`fuzz_reach`). It prints how many inputs it ran, and ends with an error, and
the input in `.cache/fuzz/`, if one finds a fault. `--keep` puts a spread of the interesting inputs
in corpus/, for everybody's tests.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import subprocess
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sidecar"]):
    from sidecar.providers.table import DIALECTS
    from tests.providers import fuzzing
from tests.providers.fuzz_seeds import seeds, words
from tests.providers.mangling import mutated, reshaped, shuffled

ROOT = Path(__file__).resolve().parent
CORPUS = ROOT / "corpus"
CACHE = ROOT.parent.parent / ".cache" / "fuzz"
MAX_INPUT_BYTES = 8192
KEPT_BYTES = 2048
KEPT_FILES = 60


class Mutator:
    """A new input: by libFuzzer's ways, by ours, which know the framing, or with known words."""

    def __init__(self, dialect: str) -> None:
        self._seeds = seeds(dialect)
        self._words = [word.encode("utf-8", "replace") for word in words(dialect)]
        own = (mutated, reshaped, reshaped, shuffled, self._spliced, self._worded)
        self._ways = (None, None, *own)

    def __call__(self, data: bytes, max_size: int, seed: int) -> bytes:
        rng = random.Random(seed)
        way = rng.choice(self._ways)
        if way is None or len(data) < 2:
            return bytes(atheris.Mutate(data, max_size))
        return (data[:1] + way(data[1:], rng))[:max_size]

    def _spliced(self, body: bytes, rng: random.Random) -> bytes:
        """A piece of a seed put in, so that an input grows by what its dialect says."""
        other = rng.choice(self._seeds)[1:]
        start, at = rng.randrange(len(other) + 1), rng.randrange(len(body) + 1)
        return body[:at] + other[start : start + rng.choice((20, 200, 1000))] + body[at:]

    def _worded(self, body: bytes, rng: random.Random) -> bytes:
        """One of the decoder's words in place of another, or somewhere."""
        at = body.find(b'"', rng.randrange(len(body) + 1)) + 1
        end = body.find(b'"', at) if rng.random() < 0.7 else at
        return body[:at] + rng.choice(self._words) + body[max(end, at) :]


def sow(dialect: str) -> Path:
    """The folder of inputs to begin with: what earlier runs found, the kept ones, the seeds."""
    folder = CACHE / dialect
    folder.mkdir(parents=True, exist_ok=True)
    for path in (CORPUS / dialect).glob("*"):
        shutil.copy(path, folder / path.name)
    for seed in seeds(dialect):
        plant(folder, seed)
    return folder


def dictionary(dialect: str) -> Path:
    """The decoder's words, in libFuzzer's form."""
    path = CACHE / f"{dialect}.dict"
    spelled = ("".join(f"\\x{byte:02x}" for byte in word.encode()) for word in words(dialect))
    path.write_text("".join(f'"{word}"\n' for word in spelled))
    return path


def refuse_if_hollow(dialect: str) -> None:
    """In a process of its own: what is instrumented cannot be traced line by line."""
    command = [sys.executable, "-m", "tests.providers.fuzz_reach", "--check", dialect]
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"{dialect}: the inputs do not reach the decoder, so nothing would be fuzzed")


def plant(folder: Path, data: bytes) -> None:
    (folder / hashlib.sha1(data).hexdigest()[:16]).write_bytes(data)


def keep(dialect: str) -> None:
    """A spread over the sizes of what earlier runs found interesting, into the tree."""
    found = sorted((CACHE / dialect).glob("*"), key=lambda path: path.stat().st_size)
    small = [path for path in found if path.stat().st_size <= KEPT_BYTES]
    folder = CORPUS / dialect
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in small[:: max(1, -(-len(small) // KEPT_FILES))]:
        plant(folder, path.read_bytes())


def main() -> None:
    parser = argparse.ArgumentParser(description="Fuzz one decoder.")
    parser.add_argument("dialect", choices=sorted(DIALECTS))
    parser.add_argument("seconds", type=int, nargs="?", default=20)
    parser.add_argument("--keep", action="store_true")
    asked = parser.parse_args()
    if asked.keep:
        keep(asked.dialect)
        return
    refuse_if_hollow(asked.dialect)
    folder = sow(asked.dialect)
    options = (
        *(
            f"-max_total_time={asked.seconds}",
            f"-max_len={MAX_INPUT_BYTES}",
            "-print_final_stats=1",
            f"-dict={dictionary(asked.dialect)}",
        ),
        *("-verbosity=1", "-timeout=20", f"-artifact_prefix={CACHE}/{asked.dialect}-"),
    )
    atheris.Setup(
        [sys.argv[0], str(folder), *options],
        lambda data: fuzzing.check(asked.dialect, data),
        custom_mutator=Mutator(asked.dialect),
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
