"""Resolve the locked packages anew: daemon.lock for the image, dev.lock with what tests need.

Needs uv (`pip install uv`). The locks name versions and hashes, never where they come from.
"""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = ("--python-version", "3.11", "--universal", "--generate-hashes", "--no-header",
           "--no-annotate", "--no-emit-index-url", "--quiet")  # fmt: skip


def main() -> int:
    daemon = _project(ROOT / "pyproject.toml")
    client = _project(ROOT / "clients" / "python" / "pyproject.toml")
    own = client["project"]["name"]
    run = [d for d in daemon["project"]["dependencies"] if not d.startswith(own)]
    run += client["project"]["dependencies"]
    _resolve("dev", run + daemon["dependency-groups"]["dev"], [])
    # What tests run with is what the image gets.
    _resolve("daemon", run, ["--constraint", str(ROOT / "requirements" / "dev.lock")])
    return 0


def _project(path: Path) -> dict:
    return tomllib.loads(path.read_text())


def _resolve(name: str, wanted: list[str], more: list[str]) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".in") as file:
        file.write("\n".join(wanted) + "\n")
        file.flush()
        target = str(ROOT / "requirements" / f"{name}.lock")
        command = ["uv", "pip", "compile", file.name, *OPTIONS, *more, "-o", target]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    sys.exit(main())
