#!/usr/bin/env python3
"""Sends forged signalling over a Link between two nodes (SPEC LK-3, LK-9, LK-16).

Starts two nodes over two shards, links two people, and lets a party of theirs and strangers send what must not be
delivered: wrong and foreign tokens, SIDs that are nobody's or their own party's, nothing to send, too much of it. Each
message must be answered once, and none delivered.

Run it with scripts/forge.sh, which builds the application and has the Python packages.
"""

import argparse
import asyncio
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Tests/ClusterTests/EndToEnd"))

from forging import Forger, forge  # noqa: E402
from linkers import Linker, applications, linked  # noqa: E402
from processes import Mongo  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000, help="forged messages (100000)")
    return parser.parse_args()


async def run(first, second, count):
    async with Linker(second.url, "bob") as bob, Linker(first.url, "alice", "phone") as phone:
        async with (
            Forger(first.url, "alice") as party,
            Forger(first.url, "mallory") as mallory,
            Forger(second.url, "eve") as eve,
        ):
            token = (await linked(phone, bob))["token"]
            start = time.monotonic()
            answers = await forge(party, [mallory, eve], token, bob.sid, phone.sid, count)
            seconds = time.monotonic() - start
            for tab in (bob, phone):
                await tab.settled()
                assert [p for p in tab.of("peer") if {"sdp", "ICE", "bye"} & set(p)] == [], "delivered"
    print(f"{count} forged, 0 delivered, {sum(answers.values())} answered in {seconds:.0f} s: {answers}")


def main():
    options = parse_arguments()
    mongo = Mongo(shards=2)
    try:
        with tempfile.TemporaryDirectory() as folder:
            with applications(pathlib.Path(folder), 2, mongo, SUBMERGENCE_RATES="off") as (first, second):
                asyncio.run(run(first, second, options.count))
    finally:
        mongo.down()


if __name__ == "__main__":
    main()
