#!/usr/bin/env python3
"""Measures what a node reads as a cluster grows, while each node has the same to do.

For each number of nodes: a MongoDB cluster of two shards, the nodes, and for each of them a load client that publishes
at it to users at the next one, at a fixed rate. So each node sends and gets the same, however many there are. Counted
are the envelopes that a node reads from its inboxes, and all documents that the shards give to all nodes (routes, node
records and the change streams are among them), for each node and second.

Run it with scripts/growth.sh, which builds a release and has the Python packages.
"""

import argparse
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Tests/ClusterTests/EndToEnd"))

import pymongo  # noqa: E402
from people import PATIENT  # noqa: E402
from processes import Mongo, Nodes, executable  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", action="append", type=int, help="nodes of a cluster; may be repeated (2, 4, 8)")
    parser.add_argument("--users", type=int, default=20, help="users with a tab at each node (20)")
    parser.add_argument("--rate", type=float, default=2, help="events a second to each of them (2)")
    parser.add_argument("--seconds", type=int, default=20, help="seconds of each measurement (20)")
    parser.add_argument(
        "--tolerance", type=float, default=0.25, help="by so much the last may read more than the first (0.25)"
    )
    options = parser.parse_args()
    options.nodes = sorted(options.nodes or [2, 4, 8])
    if options.nodes[0] < 2:
        parser.error("--nodes takes 2 or more: with one there is nobody to read from")
    return options


class Reader:
    """What the shards have given to their clients."""

    def __init__(self, mongo):
        self._clients = [pymongo.MongoClient(mongo.shard_uri(shard)) for shard in range(mongo.shards)]

    def returned(self):
        states = [client.admin.command("serverStatus") for client in self._clients]
        return sum(state["metrics"]["document"]["returned"] for state in states)

    def close(self):
        for client in self._clients:
            client.close()


def publish(nodes, options, seconds):
    """Publishes at each node to users at the next; the load clients' reports."""
    clients = []
    for number, node in enumerate(nodes):
        command = [executable(), "load", "cross", "--url", node.url, "--url", nodes[(number + 1) % len(nodes)].url]
        command += ["--connections", options.users, "--rate", options.rate, "--duration", seconds]
        command += ["--prefix", f"from-{number}", "--json", "-"]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        clients.append(subprocess.Popen([*map(str, command)], text=True, **pipes))
    outputs = [client.communicate() for client in clients]
    for client, (_, errors) in zip(clients, outputs):
        if client.returncode != 0:
            raise RuntimeError(f"a load client ended with status {client.returncode}:\n{errors[-2000:]}")
    return [json.loads(report) for report, _ in outputs]


def measure(count, options):
    """Documents a second that each of so many nodes reads."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="submergence-growth-"))
        mongo = Mongo(shards=2)
        stack.callback(mongo.down)
        started = Nodes(folder)
        stack.callback(started.end)
        nodes = started.start(count, mongo=mongo, options=[*PATIENT, "--loops", "1", "--slot-size", "16"])
        reader = Reader(mongo)
        stack.callback(reader.close)
        # Routes are known from then on, and what connects causes is over.
        publish(nodes, options, 2)
        idle = reader.returned()
        time.sleep(5)
        idle = (reader.returned() - idle) / 5 / count
        envelopes = [node.metric("submergence_bus_envelopes_in_total") for node in nodes]
        returned = reader.returned()
        began = time.monotonic()
        reports = publish(nodes, options, options.seconds)
        took = time.monotonic() - began
        returned = (reader.returned() - returned) / took / count
        read = [node.metric("submergence_bus_envelopes_in_total") - before for node, before in zip(nodes, envelopes)]
        return {
            "events": sum(report["delivery"]["received"] for report in reports) / took / count,
            "envelopes": sum(read) / took / count,
            "documents": returned,
            "idle": idle,
            "p99": max(report["delivery"]["latency"]["p99"] for report in reports),
        }


def main():
    options = parse_arguments()
    print("| nodes | events a node and second | envelopes | all documents | of them without events | p99 ms |")
    print("|---|---|---|---|---|---|", flush=True)
    rows = []
    for count in options.nodes:
        print(f"{count} nodes: about {options.seconds + 15} s", file=sys.stderr, flush=True)
        row = measure(count, options)
        rows.append(row)
        cells = [f"{row[name]:.1f}" for name in ("events", "envelopes", "documents", "idle", "p99")]
        print(f"| {count} | {' | '.join(cells)} |", flush=True)
    first, last = rows[0], rows[-1]
    for name in ("envelopes", "documents"):
        growth = (last[name] / last["events"]) / (first[name] / first["events"]) - 1
        print(f"{name} for each event, {options.nodes[0]} to {options.nodes[-1]} nodes: {growth:+.0%}")
        if growth > options.tolerance:
            sys.exit(f"error: that is more than {options.tolerance:.0%}: what a node reads grows with the cluster")


if __name__ == "__main__":
    main()
