#!/usr/bin/env python3
"""What one document for each event gives between two processes: the way of Socket.IO's MongoDB adapter.

    mongo_adapter.py URI [--in-flight N] [--rate EVENTS] [--seconds S]

The publisher inserts every event as a document of a capped collection, N under way at a time or so many a second; the
receiver reads a change stream of that collection. URI is a replica set's. Prints JSON: events a second that were
received, and the percentiles of milliseconds from the moment at which an event was due until it was received.
"""

import argparse
import asyncio
import json
import multiprocessing
import time

from pymongo import AsyncMongoClient, MongoClient

NAME = "bench_adapter"
PAYLOAD = '2["msg",' + '"' + "x" * 64 + '"]'


def receive(uri, ready, results):
    """Notes when each event was due and when it came, until the one that says that it is the last."""
    with MongoClient(uri) as client:
        came = []
        with client[NAME].events.watch([{"$match": {"operationType": "insert"}}]) as stream:
            ready.set()
            for change in stream:
                event = change["fullDocument"]
                if event["type"] == "end":
                    break
                came.append((event["due"], time.monotonic(), event["number"]))
    results.put(came)


async def publish(uri, options):
    async with AsyncMongoClient(uri, maxPoolSize=100) as client:
        events = client[NAME].events

        async def insert(number, due, kind="event"):
            await events.insert_one(
                {"type": kind, "uid": "publisher", "nsp": "/", "number": number, "due": due, "data": PAYLOAD}
            )

        begin = time.monotonic()
        end = begin + options.seconds
        number = 0
        if options.rate:
            async with asyncio.TaskGroup() as group:
                while (due := begin + number / options.rate) < end:
                    if (pause := due - time.monotonic()) > 0:
                        await asyncio.sleep(pause)
                    group.create_task(insert(number, due))
                    number += 1
        else:

            async def lane():
                nonlocal number
                while time.monotonic() < end:
                    mine, number = number, number + 1
                    await insert(mine, time.monotonic())

            await asyncio.gather(*(lane() for _ in range(options.in_flight)))
        await insert(number, 0, "end")


def percentile(values, share):
    return values[min(len(values) - 1, int(len(values) * share))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("uri")
    parser.add_argument("--in-flight", type=int, default=64, help="inserts that are under way at a time (64)")
    parser.add_argument("--rate", type=float, help="events a second, in place of --in-flight")
    parser.add_argument("--seconds", type=float, default=5, help="seconds of publishing (5)")
    options = parser.parse_args()
    with MongoClient(options.uri) as client:
        client.drop_database(NAME)
        client[NAME].create_collection("events", capped=True, size=64 << 20)
    ready, results = multiprocessing.Event(), multiprocessing.Queue()
    receiver = multiprocessing.Process(target=receive, args=(options.uri, ready, results), daemon=True)
    receiver.start()
    ready.wait()
    asyncio.run(publish(options.uri, options))
    came = results.get()
    receiver.join()
    latencies = sorted(1000 * (at - due) for due, at, _ in came)
    numbers = [number for _, _, number in came]
    print(
        json.dumps(
            {
                "perSecond": len(came) / (came[-1][1] - came[0][1]),
                "p50": percentile(latencies, 0.5),
                "p99": percentile(latencies, 0.99),
                "reordered": sum(later < earlier for earlier, later in zip(numbers, numbers[1:], strict=False)),
            }
        )
    )


if __name__ == "__main__":
    main()
