#!/usr/bin/env python3
"""The outbox under fire (docs/outbox.md): transactions, a third of them aborted, while nodes are killed with -9.

Every user has two clients, which stay connected: when their node dies they come back elsewhere as the same connection.
In the end each must have exactly the events of the committed transactions, each once, those of one publisher in the
order of its commits.

Run it with scripts/outbox.sh, which builds a release and has the Python packages.
"""

import argparse
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Tests/ClusterTests/EndToEnd"))

import outboxes  # noqa: E402
from processes import Nodes, ReplicaSet  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transactions", type=int, default=1000, help="of which a third is aborted (1000)")
    parser.add_argument("--nodes", type=int, default=3, help="nodes (3)")
    parser.add_argument("--kill-every", type=float, default=5, help="seconds from a return to the next kill (5)")
    parser.add_argument("--publishers", type=int, default=4, help="connections that publish (4)")
    parser.add_argument("--users", type=int, default=12, help="users, with two clients each (12)")
    parser.add_argument("--pace", type=float, default=0.2, help="seconds between transactions of a publisher (0.2)")
    options = parser.parse_args()
    for name in ("transactions", "nodes", "publishers", "users"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} takes 1 or more")
    return options


def say(line):
    print(line, flush=True)


def main():
    options = parse_arguments()
    say(f"{options.transactions} transactions, {options.nodes} nodes, a kill every {options.kill_every:g} s")
    replica_set = ReplicaSet()
    try:
        with tempfile.TemporaryDirectory(prefix="submergence-outbox-") as folder:
            nodes = Nodes(folder)
            try:
                started = nodes.start(options.nodes, "serve", replica_set, outboxes.OPTIONS)
                complaints = outboxes.run(
                    replica_set,
                    started,
                    options.transactions,
                    pause=options.kill_every,
                    users=options.users,
                    publishers=options.publishers,
                    pace=options.pace,
                    say=say,
                )
            finally:
                nodes.end()
    finally:
        replica_set.down()
    for complaint in complaints:
        say(f"VIOLATION {complaint}")
    say("verdict: violated" if complaints else "verdict: exactly the committed ones arrived, once")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
