#!/usr/bin/env python3
"""Saves an order and tells the buyer's devices of it, in one transaction: both happen, or neither does.

    shop.py --mongodb 'mongodb://127.0.0.1:27017/?replicaSet=rs0' alice 3

Needs pymongo, a replica set or a sharded cluster, and nodes that run with --outbox. An order of no pieces is refused
after the event was inserted: the transaction is aborted, and nobody hears of it.
"""

import argparse
import sys
import time

import pymongo


class Refused(Exception):
    """The shop does not take the order."""


def place(session, domain, buyer, pieces):
    """Returns the id of the event in the outbox."""
    client = session.client
    counter = client.shop.counters.find_one_and_update(
        {"_id": "orders"}, {"$inc": {"value": 1}}, upsert=True, return_document=True, session=session
    )
    order = counter["value"]
    client.shop.orders.insert_one({"_id": order, "buyer": buyer, "pieces": pieces}, session=session)
    event = {"user": buyer, "event": "order:placed", "args": [{"order": order, "pieces": pieces}]}
    if domain:
        event["domain"] = domain
    published = client.submergence.Outbox.insert_one(event, session=session)
    if pieces < 1:
        raise Refused(f"{pieces} pieces")
    return published.inserted_id


def outcome(client, event, patience=10):
    """What became of it; needs the right to read the outbox."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        document = client.submergence.Outbox.find_one({"_id": event}) or {}
        if document.get("state") in ("delivered", "refused"):
            return document
        time.sleep(0.1)
    return {"state": "waiting"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mongodb", required=True, help="connection string of a replica set or a sharded cluster")
    parser.add_argument("--domain", help="domain of the buyer, where the nodes serve more than one")
    parser.add_argument("buyer")
    parser.add_argument("pieces", type=int)
    options = parser.parse_args()
    with pymongo.MongoClient(options.mongodb) as client, client.start_session() as session:
        try:
            event = session.with_transaction(
                lambda session: place(session, options.domain, options.buyer, options.pieces)
            )
        except Refused as refusal:
            print(f"aborted: {refusal}")
            return 1
        document = outcome(client, event)
    print(f"{document['state']}: {document.get('receipt') or document.get('error') or ''}")
    return 0 if document["state"] == "delivered" else 1


if __name__ == "__main__":
    sys.exit(main())
