"""Install the servers of these tests below .cache/upstreams: `python tests/upstreams/install.py`.

What cannot be installed is said, and its tests are skipped; nothing else is harmed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent.parent / ".cache" / "upstreams"
PYTHON = CACHE / "python" / "bin" / "python"
GATEWAY = CACHE / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"


def run(*command: str | Path, cwd: Path) -> bool:
    """Run it; tell whether it succeeded."""
    print("+", *command, flush=True)
    return subprocess.run([str(word) for word in command], cwd=cwd, check=False).returncode == 0


def install_python() -> bool:
    """LiteLLM's proxy and llama.cpp's server."""
    venv = CACHE / "python"
    return run(sys.executable, "-m", "venv", venv, cwd=CACHE) and run(
        *(PYTHON, "-m", "pip", "install", "-q", "-r", HERE / "requirements.txt"), cwd=CACHE
    )


def install_node() -> bool:
    """Portkey's gateway."""
    if shutil.which("npm") is None:
        print("npm is not installed: no Portkey")
        return False
    shutil.copy(HERE / "package.json", CACHE / "package.json")
    return run("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", cwd=CACHE)


def wanted() -> str:
    """What the two lists ask for."""
    return "".join((HERE / name).read_text() for name in ("requirements.txt", "package.json"))


def main() -> int:
    CACHE.mkdir(parents=True, exist_ok=True)
    stamp = CACHE / "installed"
    if stamp.exists() and stamp.read_text() == wanted():
        return 0
    done = [install_python(), install_node()]
    if all(done):
        stamp.write_text(wanted())
    else:
        print("not all upstreams could be installed: the tests of the others are skipped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
