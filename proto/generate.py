"""Lint the API, hold it against the last landed one, and write the Python stubs.

    python proto/generate.py            lint, breaking check, write clients/python/headway/v1/
    python proto/generate.py --check    the same, but compare with the committed files instead of
    writing python proto/generate.py --accept   move the baseline of the breaking check to the
    present API

Everything runs offline. Exit status 1: lint, breaking change, or stubs that differ.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import grpc_tools

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
PACKAGE = Path("headway/v1")
STUBS = ROOT / "clients" / "python" / PACKAGE
BASELINE = PROTO / "baseline.binpb"
TOOLS = Path(sys.executable).parent
WELL_KNOWN = Path(grpc_tools.__file__).parent / "_proto"
GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")


def main(argv: list[str]) -> int:
    wish = parse(argv)
    if not buf("lint"):
        return 1
    if wish.accept:
        return 0 if buf("build", "--exclude-source-info", "-o", str(BASELINE)) else 1
    if BASELINE.exists() and not buf("breaking", "--against", str(BASELINE)):
        return 1
    with tempfile.TemporaryDirectory() as scratch:
        fresh = generate(Path(scratch))
        return compare(fresh) if wish.check else install(fresh)


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--check", action="store_true", help="compare, write nothing")
    either.add_argument("--accept", action="store_true", help="move the baseline")
    return parser.parse_args(argv)


def buf(*words: str) -> bool:
    """Run buf in the repository's root; its findings go to our stderr."""
    return subprocess.run([TOOLS / "buf", *words], cwd=ROOT, check=False).returncode == 0


def generate(into: Path) -> Path:
    """Write all stubs below `into`; return the folder of the package."""
    protos = [str(PACKAGE / path.name) for path in sorted((PROTO / PACKAGE).glob("*.proto"))]
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", f"-I{WELL_KNOWN}"),
            f"--plugin=protoc-gen-mypy={TOOLS / 'protoc-gen-mypy'}",
            f"--plugin=protoc-gen-mypy_grpc={TOOLS / 'protoc-gen-mypy_grpc'}",
            *(f"--{kind}_out={into}" for kind in ("python", "grpc_python")),
            *(f"--{kind}_out=quiet:{into}" for kind in ("mypy", "mypy_grpc")),
            *protos,
        ],
        check=True,
    )
    drop_empty_services(into / PACKAGE)
    return into / PACKAGE


def drop_empty_services(folder: Path) -> None:
    """Every file gets *_pb2_grpc twins; those of files without a service hold nothing."""
    for path in folder.glob("*_pb2_grpc.py"):
        if "Servicer" not in path.read_text():
            path.unlink()
            path.with_suffix(".pyi").unlink(missing_ok=True)


def compare(fresh: Path) -> int:
    """Say which committed stubs differ from the fresh ones: 1 if any."""
    old, new = contents(STUBS), contents(fresh)
    stale = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    for name in stale:
        print(f"{STUBS.relative_to(ROOT) / name}: differs; run proto/generate.py", file=sys.stderr)
    return 1 if stale else 0


def install(fresh: Path) -> int:
    """Replace the committed stubs."""
    STUBS.mkdir(parents=True, exist_ok=True)
    for path in generated(STUBS):
        path.unlink()
    for path in generated(fresh):
        shutil.copyfile(path, STUBS / path.name)
    return 0


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in generated(folder)}


def generated(folder: Path) -> Iterator[Path]:
    for pattern in GENERATED:
        yield from folder.glob(pattern)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
