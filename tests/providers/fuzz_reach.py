"""Which lines of a decoder its inputs reach: `python -m tests.providers.fuzz_reach [DIALECT]`.

A fuzzer that never gets into the decoder finds nothing, and looks just like one that has nothing to
find. So every dialect's share is known, and `make fuzz` refuses to start below it.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

from tests.providers import fuzzing
from tests.providers.fuzz_seeds import DECODERS, seeds

LEAST_SHARE = 0.95
LEAST_SEEDS = 8
REAL_SEED_BYTES = 100
CORPUS = Path(__file__).resolve().parent / "corpus"


def inputs(dialect: str) -> list[bytes]:
    """The seeds, and what is kept of earlier runs."""
    kept = [path.read_bytes() for path in sorted((CORPUS / dialect).glob("*"))]
    return [*seeds(dialect), *kept]


def meaningful(found: Iterable[bytes]) -> int:
    """How many inputs are long enough to say anything."""
    return sum(len(data) > REAL_SEED_BYTES for data in found)


def missed(dialect: str, found: Iterable[bytes]) -> tuple[list[str], float]:
    """The decoder's lines that no input reaches, and the share of those that one does."""
    modules = DECODERS[dialect]
    reached = _traced({inspect.getfile(m) for m in modules}, lambda: _run(dialect, found))
    wanted = {(inspect.getfile(m), line) for m in modules for line in _lines(m)}
    left = sorted(wanted - reached)
    return [f"{Path(file).name} {line}" for file, line in left], 1 - len(left) / len(wanted)


def _run(dialect: str, found: Iterable[bytes]) -> None:
    for data in found:
        fuzzing.check(dialect, data)


def _traced(names: set[str], run: Callable[[], None]) -> set[tuple[str, int]]:
    reached: set[tuple[str, int]] = set()

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        reached.add((frame.f_code.co_filename, frame.f_lineno))
        return local

    def entered(frame: FrameType, event: str, argument: Any) -> Any:
        return local if frame.f_code.co_filename in names else None

    before = sys.gettrace()
    sys.settrace(entered)
    try:
        run()
    finally:
        sys.settrace(before)
    return reached


def _lines(module: ModuleType) -> set[int]:
    """Lines inside the functions that decode; where a file encodes too, those of its classes."""
    code = compile(inspect.getsource(module), inspect.getfile(module), "exec")
    tops = [const for const in code.co_consts if isinstance(const, CodeType)]
    if hasattr(module, "encode"):
        tops = [top for top in tops if not top.co_flags & inspect.CO_NEWLOCALS]
    return {line for top in tops for line in _body(top)}


def _body(code: CodeType) -> set[int]:
    """The lines of a function without its head, or of the functions of a class."""
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    found = {line for each in inner for line in _body(each)}
    if code.co_flags & inspect.CO_NEWLOCALS:
        found |= {line for *_, line in code.co_lines() if line} - {code.co_firstlineno}
    return found


def sound(dialect: str) -> str:
    """Why a fuzzer of this dialect would be hollow; "" if it would not."""
    found = inputs(dialect)
    if meaningful(found) < LEAST_SEEDS:
        return f"only {meaningful(found)} inputs of more than {REAL_SEED_BYTES} bytes"
    left, share = missed(dialect, found)
    if share < LEAST_SHARE:
        return f"{share:.1%} of the decoder's lines are reached; missed: {', '.join(left)}"
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description="Which lines of a decoder its inputs reach.")
    parser.add_argument("dialects", nargs="*", default=sorted(DECODERS))
    parser.add_argument("--check", action="store_true", help="fail where it is too little")
    asked = parser.parse_args()
    for dialect in asked.dialects:
        found = inputs(dialect)
        left, share = missed(dialect, found)
        print(f"{dialect}: {len(found)} inputs, {meaningful(found)} real, {share:.1%}; {left}")
        if asked.check and (problem := sound(dialect)):
            sys.exit(f"{dialect}: {problem}")


if __name__ == "__main__":
    main()
