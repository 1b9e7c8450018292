"""Run worlds from the command line: python -m tests.simulation [--seed N | --seeds N]."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections import Counter

from sidecar.testing import virtual
from tests.simulation.checks import judge, trace
from tests.simulation.world import FAULTS, World


def simulate(
    seed: int, requests: int, rate: float = 0.12, faults: tuple[str, ...] = FAULTS
) -> World:
    """Run one world in virtual time and return it, over."""

    async def run() -> World:
        world = World(seed, requests, rate, faults)
        await world.run()
        return world

    return virtual.run(run())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--rate", type=float, default=0.12)
    args = parser.parse_args()
    seeds = range(args.seeds) if args.seed is None else [args.seed]
    total: Counter[str] = Counter()
    failed = []
    for seed in seeds:
        world = simulate(seed, args.requests, args.rate)
        try:
            figures = judge(world)
        except AssertionError:
            failed.append(seed)
            print(f"seed {seed}: FAILED")
            traceback.print_exc(limit=-2)
            continue
        total.update(figures)
        print(f"seed {seed}: {trace(world)} {figures}")
    print("all:", dict(total), "failed seeds:", failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
