"""Install the servers of these tests below .cache/upstreams: `python -m tests.upstreams.install`.

What cannot be installed is said, and its tests are skipped; nothing else is harmed.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tests.support import environment

HERE = Path(__file__).resolve().parent
CACHE = environment.CACHE / "upstreams"
VENV = CACHE / "python"
PYTHON = environment.python_in(VENV)
GATEWAY = CACHE / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
LISTS = (HERE / "requirements.txt", HERE / "package.json")


def install_python() -> bool:
    """LiteLLM's proxy and llama.cpp's server."""
    return environment.make_python(VENV, LISTS[0])


def install_node() -> bool:
    """Portkey's gateway."""
    if shutil.which("npm") is None:
        print("npm is not installed: no Portkey")
        return False
    shutil.copy(LISTS[1], CACHE / "package.json")
    options = ("--no-audit", "--no-fund", "--ignore-scripts")
    return environment.run("npm", "install", *options, cwd=CACHE)


def main() -> int:
    return environment.install(CACHE, LISTS, install_python, install_node)


if __name__ == "__main__":
    sys.exit(main())
