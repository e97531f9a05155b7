#!/usr/bin/env python3
"""Measures how long a single event takes from one node to another, on an otherwise idle two-shard cluster.

Starts a MongoDB cluster and, for each way of reading an inbox (SPEC ND-10), two nodes; a python-socketio client on the
one sends to a user whose tab is on the other, at an even, low rate. Both clients are in this process, so one clock
tells both times: from before the event is written until it is in the receiver's handler. Prints p50 and p99.

Run it with scripts/latency.sh, which builds a release and has the Python packages.
"""

import argparse
import asyncio
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Tests/ClusterTests/EndToEnd"))

from people import PATIENT, Tab  # noqa: E402
from processes import Mongo, Nodes  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--tail", action="append", choices=["auto", "stream", "cursor"], help="default: stream and cursor"
    )
    parser.add_argument("--count", type=int, default=600, help="events measured (600)")
    parser.add_argument("--rate", type=float, default=20, help="events a second (20)")
    parser.add_argument("--replicas", type=int, default=1, help="members of each shard (1)")
    return parser.parse_args()


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def measure(sender_url, receiver_url, count, rate):
    """Milliseconds from emit to handler, one by one; the first second is left out, while connections warm up."""
    warm_up = int(rate)
    arrived = {}
    async with Tab(receiver_url, "receiver") as receiver, Tab(sender_url, "sender") as sender:
        loop = asyncio.get_running_loop()

        async def on_message(number):
            arrived[number][1].set_result(time.perf_counter())

        receiver.client.on("msg", on_message)
        start = loop.time()
        for number in range(warm_up + count):
            await asyncio.sleep(max(0, start + number / rate - loop.time()))
            arrived[number] = (time.perf_counter(), loop.create_future())
            await sender.client.emit("pub", ("receiver", number))
        times = []
        for number in range(warm_up, warm_up + count):
            sent, future = arrived[number]
            times.append(1000 * (await asyncio.wait_for(future, 10) - sent))
        return times


def main():
    options = parse_arguments()
    print(f"{options.count} single events at {options.rate:g}/s between two nodes; two shards of {options.replicas}")
    mongo = Mongo(shards=2, replicas=options.replicas)
    try:
        for tail in options.tail or ["stream", "cursor"]:
            with tempfile.TemporaryDirectory(prefix="submergence-latency-") as folder:
                nodes = Nodes(folder)
                try:
                    first, second = nodes.start(2, mongo=mongo, options=[*PATIENT, "--tail", tail])
                    times = asyncio.run(measure(first.url, second.url, options.count, options.rate))
                finally:
                    nodes.end()
            p50, p99, worst = percentile(times, 0.5), percentile(times, 0.99), max(times)
            print(
                f"tail {tail:7} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   max {worst:6.2f} ms   n {len(times)}",
                flush=True,
            )
    finally:
        mongo.down()


if __name__ == "__main__":
    main()
