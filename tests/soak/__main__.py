"""Run one of the long ones from the command line and print its figures.

python -m tests.soak kills --times 100
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.soak import kills


def main() -> int:
    args = _arguments()
    with tempfile.TemporaryDirectory(prefix="hw") as folder:
        return int(args.run(Path(folder), args))


def _kills(folder: Path, args: argparse.Namespace) -> int:
    figures = asyncio.run(kills.run(folder, args.times))
    print(figures, *figures.wrong[:5], *figures.corrupt[:5], sep="\n")
    return 1 if figures.wrong or figures.lost_entries or figures.corrupt else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    kill = commands.add_parser("kills", help="kill -9 of a daemon under load")
    kill.add_argument("--times", type=int, default=100)
    kill.set_defaults(run=_kills)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
