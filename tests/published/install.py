"""Install the providers' SDKs below .cache/published: `python -m tests.published.install`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support import environment

HERE = Path(__file__).resolve().parent
CACHE = environment.CACHE / "published"
VENV = CACHE / "python"
PYTHON = environment.python_in(VENV)
REQUIREMENTS = HERE / "requirements.txt"


def main() -> int:
    return environment.install(
        CACHE, [REQUIREMENTS], lambda: environment.make_python(VENV, REQUIREMENTS)
    )


if __name__ == "__main__":
    sys.exit(main())
