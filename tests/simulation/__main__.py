"""Run worlds from the command line.

python -m tests.simulation --seed 7               one world, as drawn from its seed
python -m tests.simulation --seeds 1000           that many, some requests each
python -m tests.simulation --requests 100000      as many worlds as that takes, at 5 % faults
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter

from tests.simulation.play import PROMISED_RATE, USUAL_RATE, verdicts

# Requests of one world: enough that callers meet each other.
EACH = 100


def main() -> int:
    args = _arguments()
    seeds = [args.seed] if args.seed is not None else range(args.first, args.first + args.seeds)
    total: Counter[str] = Counter()
    failed = []
    for one in verdicts(seeds, args.each, args.rate, 1 if len(seeds) == 1 else args.jobs):
        total.update(one.figures)
        if one.wrong:
            failed.append(one.seed)
            print(f"seed {one.seed}: FAILED\n{one.wrong}")
        elif one.unserved or args.verbose or len(seeds) == 1:
            print(f"seed {one.seed}: {one.fingerprint} {one.figures}", *one.unserved, sep="\n    ")
    share = total["served"] / max(total["servable"], 1)
    print("all:", dict(total), f"served where servable: {share:.5%}", "failed seeds:", failed)
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=None, help="this world alone")
    parser.add_argument("--seeds", type=int, default=20, help="that many worlds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--each", type=int, default=EACH, help="requests of one world")
    parser.add_argument("--requests", type=int, default=None, help="so many in all, at 5 %% faults")
    parser.add_argument("--rate", type=float, default=None, help="faults for each attempt")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--verbose", action="store_true", help="tell of good worlds too")
    args = parser.parse_args()
    if args.requests is not None:
        args.seeds = -(-args.requests // args.each)
    if args.rate is None:
        args.rate = USUAL_RATE if args.requests is None else PROMISED_RATE
    return args


if __name__ == "__main__":
    sys.exit(main())
