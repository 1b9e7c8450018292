"""Run one of the long ones from the command line and print its figures.

python -m tests.soak kills --times 100
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.soak import flapping, kills, recovery, soak, stalled


def main() -> int:
    args = _arguments()
    with tempfile.TemporaryDirectory(prefix="hw") as folder:
        return int(args.run(Path(folder), args))


def _kills(folder: Path, args: argparse.Namespace) -> int:
    figures = asyncio.run(kills.run(folder, args.times))
    print(figures, *figures.wrong[:5], *figures.corrupt[:5], sep="\n")
    return 1 if figures.wrong or figures.lost_entries or figures.corrupt else 0


def _streams(folder: Path, args: argparse.Namespace) -> int:
    figures = asyncio.run(soak.run(folder, args.streams, args.seconds))
    print(figures, *figures.wrong[:5], sep="\n")
    return 1 if figures.wrong else 0


def _stalled(folder: Path, args: argparse.Namespace) -> int:
    kind = stalled.Kind(ids=args.ids, tls=args.tls, engine=args.engine)
    figures = asyncio.run(stalled.run(folder, args.readers, kind))
    print(figures)
    return 0 if figures.each_bytes <= figures.bound_bytes else 1


def _recovery(folder: Path, args: argparse.Namespace) -> int:
    print(asyncio.run(recovery.run(folder, args.cuts, args.patience)))
    return 0


def _flapping(folder: Path, args: argparse.Namespace) -> int:
    figures = asyncio.run(flapping.run(folder))
    print(figures, *figures.errors[:5], *figures.crowded[:5], sep="\n")
    return 1 if figures.errors or figures.wrong or figures.crowded else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    kill = commands.add_parser("kills", help="kill -9 of a daemon under load")
    kill.add_argument("--times", type=int, default=100)
    kill.set_defaults(run=_kills)
    last = commands.add_parser("streams", help="many streams for a long time")
    last.add_argument("--streams", type=int, default=200)
    last.add_argument("--seconds", type=float, default=3600.0)
    last.set_defaults(run=_streams)
    stall = commands.add_parser("stalled", help="readers that do not read")
    stall.add_argument("--readers", type=int, default=500)
    stall.add_argument("--ids", action="store_true", help="each with a request_id")
    stall.add_argument("--tls", action="store_true", help="a provider spoken to by TLS")
    stall.add_argument("--engine", default="auto", choices=("auto", "loop", "aio"))
    stall.set_defaults(run=_stalled)
    flap = commands.add_parser("flapping", help="a provider that comes and goes for a minute")
    flap.set_defaults(run=_flapping)
    recover = commands.add_parser("recovery", help="from a death to the next token")
    recover.add_argument("--cuts", type=int, default=300)
    recover.add_argument("--patience", default=None, help="the route's, if not the default")
    recover.set_defaults(run=_recovery)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
