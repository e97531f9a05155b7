#!/usr/bin/env python3
"""Two people with up to three tabs each, which open, close, reload and lose their networks at random: after every burst
of changes each tab must reach each tab of the other.

Run it with scripts/mesh.sh, which builds the example application and has the Python packages.
"""

import argparse
import asyncio
import pathlib
import random
import statistics
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Tests/ClusterTests/EndToEnd"))

from browsers import Cluster, Stage  # noqa: E402
from meshing import Mesh, Stuck  # noqa: E402
from processes import Mongo  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="how long (10)")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="of the changes (a random one)")
    parser.add_argument("--bound", type=float, default=5, help="seconds that a mesh may take to be complete (5)")
    return parser.parse_args()


def say(text):
    print(f"  {text}", flush=True)


async def run(options, cluster):
    async with Stage(cluster) as stage:
        mesh = Mesh(stage, options.seed, say=say)
        await mesh.run(options.minutes * 60)
        return mesh


def main():
    options = parse_arguments()
    print(f"seed {options.seed}", flush=True)
    mongo = Mongo(shards=2)
    with tempfile.TemporaryDirectory(prefix="mesh-") as folder:
        try:
            cluster = Cluster(folder, mongo)
            try:
                mesh = asyncio.run(run(options, cluster))
            except Stuck as stuck:
                print(f"stuck {stuck}")
                return 1
            finally:
                cluster.end()
        finally:
            mongo.down()
    times = sorted(mesh.times)
    print(f"{sum(mesh.changes.values())} changes: {dict(mesh.changes)}")
    print(f"complete after: median {statistics.median(times):.2f} s, slowest {times[-1]:.2f} s, {len(times)} bursts")
    late = [seconds for seconds in times if seconds > options.bound]
    if late:
        print(f"{len(late)} were not complete within {options.bound} s")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
