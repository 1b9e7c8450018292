"""Make a virtual environment with the locked packages and this project in it.

Standard library only: it runs before anything is installed. `python requirements/install.py .venv`
Where Debian's python3-venv is missing, it says so.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)


def main() -> int:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".venv")
    if sys.version_info < OLDEST:
        print(f"Headway needs Python {OLDEST[0]}.{OLDEST[1]} or later; PYTHON=... names another")
        return 1
    made = subprocess.run([sys.executable, "-m", "venv", str(folder)], check=False)
    if made.returncode:
        print("no virtual environment could be made; on Debian: apt-get install python3-venv")
        return 1
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q"]
    locked = ["install", "--require-hashes", "-r", str(ROOT / "requirements" / "dev.lock")]
    subprocess.run([*pip, *locked], check=True)
    own = ["-e", str(ROOT), "-e", str(ROOT / "clients" / "python")]
    subprocess.run([*pip, "install", "--no-deps", "--no-build-isolation", *own], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
