#!/usr/bin/env python3
"""Sends a node requests that are wrong in every way (Tests/ClusterTests/EndToEnd/mutations.py), and checks its answers,
that it lives, and its memory.

Run it with scripts/mutate.sh, which builds a release and has the Python packages.
"""

import argparse
import pathlib
import secrets
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Tests/ClusterTests/EndToEnd"))

from memory import settled  # noqa: E402
from mutations import Finding, run_http, run_socket  # noqa: E402
from processes import Example  # noqa: E402
from raw import conformance_server  # noqa: E402

MIB = 1 << 20


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help="requests: half over HTTP, half over sockets (10000)")
    parser.add_argument("--seed", type=int, default=None, help="of the random numbers (a new one)")
    parser.add_argument("--only", choices=["http", "socket"], help="one of the two")
    parser.add_argument("--bound", type=int, default=24, help="MiB that the node may have more behind it (24)")
    return parser.parse_args()


def main():
    options = parse_arguments()
    seed = secrets.randbelow(10**9) if options.seed is None else options.seed
    runs = {"http": run_http, "socket": run_socket}
    if options.only:
        runs = {options.only: runs[options.only]}
    count = options.count // len(runs)
    print(f"seed {seed}, {count} each: {', '.join(runs)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="submergence-mutate-") as folder:
        for name, run in runs.items():
            server = (
                conformance_server(folder, 2)
                if name == "http"
                else Example(folder, "ActionsApplication", {"SUBMERGENCE_RATES": "off"})
            )
            with server as node:
                try:
                    if not measure(node, name, run, count, seed, options.bound * MIB):
                        return 1
                except Finding as finding:
                    print(f"seed {seed}: {finding}", file=sys.stderr)
                    if node.process.poll() is not None:
                        print("the node has ended", file=sys.stderr)
                    return 1
    return 0


def measure(node, name, run, count, seed, bound):
    """Whether the node has its memory back behind so many cases."""
    # Pools, caches and tables are there before anything is measured.
    run(node, max(count // 5, 200), seed + 1)
    base = settled(node.process.pid)
    started = time.monotonic()
    result = run(node, count, seed)
    seconds = time.monotonic() - started
    end = settled(node.process.pid, base + bound)
    counts = result.answers if name == "http" else result.statuses
    ended = result.closed if name == "http" else result.ended
    print(
        f"{name}: {count} in {seconds:.0f} s; ended without an answer: {ended}; answers by status:"
        f" {dict(sorted(counts.items()))}"
    )
    print(f"{name}: resident memory {base / MIB:.1f} MiB before, {end / MIB:.1f} MiB behind it", flush=True)
    assert node.process.poll() is None
    if end - base > bound:
        print(f"the memory of the node grew by more than {bound // MIB} MiB", file=sys.stderr)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
