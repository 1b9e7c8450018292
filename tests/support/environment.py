"""Environments of their own, for what neither the product nor its tests may depend on.

Standard library only: installers run before anything is installed.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / ".cache"


def run(*command: str | Path, cwd: Path) -> bool:
    """Run it; tell whether it succeeded."""
    print("+", *command, flush=True)
    return subprocess.run([str(word) for word in command], cwd=cwd, check=False).returncode == 0


def python_in(folder: Path) -> Path:
    """The interpreter of the environment in `folder`."""
    return folder / "bin" / "python"


def make_python(folder: Path, requirements: Path) -> bool:
    """A virtual environment in `folder` with what the file lists; tell whether it could be made."""
    pip = (python_in(folder), "-m", "pip", "install", "-q", "-r", requirements)
    return run(sys.executable, "-m", "venv", folder, cwd=folder.parent) and run(
        *pip, cwd=folder.parent
    )


def install(folder: Path, lists: Sequence[Path], *steps: Callable[[], bool]) -> int:
    """Take every step, unless all succeeded before with the same lists. The exit code is 0 either
    way: what cannot be installed is said, and the tests that need it are skipped."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = "".join(path.read_text(encoding="utf-8") for path in lists)
    stamp = folder / "installed"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return 0
    if all([step() for step in steps]):
        stamp.write_text(wanted, encoding="utf-8")
    else:
        print("not all of it could be installed: the tests that need the rest are skipped")
    return 0
