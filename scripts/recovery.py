#!/usr/bin/env python3
"""Connection state recovery under fire (SOCKETIO §14): clients are cut and come back on other nodes while events go on.

Starts a MongoDB cluster and some nodes with recovery on, drives them with `submergence load deliver --recover --roam`,
and kills one node with -9 in the middle. The load client keeps account of what each client was entitled to; its report
is printed, and its exit status is this one's. What the recovery log cost is read from the nodes' metrics.

Run it with scripts/recovery.sh, which builds a release and has the Python packages.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Tests/ClusterTests/EndToEnd"))

from people import PATIENT  # noqa: E402
from processes import Mongo, Nodes, executable  # noqa: E402

COST = ("submergence_recovery_", "submergence_mongodb_command_seconds_count", "submergence_bus_messages_out_total")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=2000, help="clients, each a user of its own (2000)")
    parser.add_argument("--rate", type=float, default=5, help="events a second for each of them (5)")
    parser.add_argument("--seconds", type=float, default=60, help="time for which events are sent (60)")
    parser.add_argument("--cut-every", type=float, default=10, help="each client is cut once in this time (10)")
    parser.add_argument("--cut-for", type=float, default=2, help="and stays away for so long (2)")
    parser.add_argument("--nodes", type=int, default=3, help="nodes (3)")
    parser.add_argument("--shards", type=int, default=2, help="shards (2)")
    parser.add_argument("--replicas", type=int, default=1, help="members of each shard (1)")
    parser.add_argument("--publishers", type=int, default=6, help="connections that publish (6)")
    parser.add_argument("--no-kill", action="store_true", help="kill no node")
    return parser.parse_args()


def costs(node):
    """What the node has counted, as {name: sum over its labels}."""
    with urllib.request.urlopen(f"http://127.0.0.1:{node.control_port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    sums = {}
    for line in text.splitlines():
        match = re.match(r"(\w+)(?:\{[^}]*\})? ([0-9.e+-]+)$", line)
        if match and match[1].startswith(COST):
            sums[match[1]] = sums.get(match[1], 0) + float(match[2])
    return sums


def main():
    options = parse_arguments()
    print(
        f"{options.connections} clients, {options.rate:g} events/s each, cut every {options.cut_every:g} s for"
        f" {options.cut_for:g} s; {options.nodes} nodes, {options.shards} shards of {options.replicas}"
        f"{'' if options.no_kill else '; one node is killed in the middle'}",
        flush=True,
    )
    mongo = Mongo(shards=options.shards, replicas=options.replicas)
    try:
        with tempfile.TemporaryDirectory(prefix="submergence-recovery-") as folder:
            nodes = Nodes(folder)
            try:
                running = nodes.start(options.nodes, mongo=mongo, options=[*PATIENT, "--recovery", "120"])
                command = [executable(), "load", "deliver", "--recover", "--roam"]
                for node in running:
                    command += ["--url", node.url]
                for name in ("connections", "rate", "publishers", "cut_every", "cut_for"):
                    command += [f"--{name.replace('_', '-')}", f"{getattr(options, name):g}"]
                command += ["--duration", f"{options.seconds:g}", "--settle", "60"]
                load = subprocess.Popen(command)
                if not options.no_kill:
                    time.sleep(options.seconds / 2)
                    running[1].kill()
                    print(f"killed {running[1].name}", file=sys.stderr, flush=True)
                status = load.wait()
                for node in running:
                    if options.no_kill or node is not running[1]:
                        print(f"{node.name}: " + ", ".join(f"{k} {v:g}" for k, v in sorted(costs(node).items())))
            finally:
                nodes.end()
        return status
    finally:
        mongo.down()


if __name__ == "__main__":
    sys.exit(main())
