"""A coverage-guided fuzzer on one decoder: `python -m tests.providers.fuzz DIALECT [SECONDS]`.

Needs `atheris` (fuzz-requirements.txt beside this file); `make fuzz` makes an environment with it.
It begins with the recordings and with the kept inputs in corpus/, prints how many inputs it ran,
and ends with an error, and the input in `.cache/fuzz/`, if one finds a fault. `--keep` puts a
spread of the interesting inputs in corpus/, for everybody's tests.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sidecar"]):
    from sidecar.providers.table import DIALECTS
    from tests.providers import fuzzing
from tests.providers.mangling import mutated, reshaped, shuffled
from tests.providers.recorded import NAMES, recordings

ROOT = Path(__file__).resolve().parent
CORPUS = ROOT / "corpus"
CACHE = ROOT.parent.parent / ".cache" / "fuzz"
MAX_INPUT_BYTES = 8192
KEPT_BYTES = 2048
KEPT_FILES = 60


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """A new input: half the time by libFuzzer's ways, else by ours, which know the framing."""
    rng = random.Random(seed)
    own = rng.choice((None, None, mutated, reshaped, reshaped, shuffled))
    if own is None or len(data) < 2:
        return bytes(atheris.Mutate(data, len(data)))[:max_size]
    return (data[:1] + own(data[1:], rng))[:max_size]


def sow(dialect: str) -> Path:
    """The folder of inputs to begin with: what earlier runs found, the kept ones, recordings."""
    folder = CACHE / dialect
    folder.mkdir(parents=True, exist_ok=True)
    for path in (CORPUS / dialect).glob("*"):
        shutil.copy(path, folder / path.name)
    for recording in recordings("stream", "sync"):
        if NAMES[recording.dialect] == dialect and len(recording.body) < MAX_INPUT_BYTES:
            how = bytes([recording.kind == "sync"])
            plant(folder, how + recording.body)
    return folder


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
    options = (
        *(
            f"-max_total_time={asked.seconds}",
            f"-max_len={MAX_INPUT_BYTES}",
            "-print_final_stats=1",
        ),
        *("-verbosity=1", "-timeout=20", f"-artifact_prefix={CACHE}/{asked.dialect}-"),
    )
    atheris.Setup(
        [sys.argv[0], str(sow(asked.dialect)), *options],
        lambda data: fuzzing.check(asked.dialect, data),
        custom_mutator=mutate,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
