"""The outbox (docs/outbox.md): documents that applications insert, in their own transactions, become events."""

import datetime
import subprocess
import sys

import outboxes
import pymongo
import pytest
from bson import Binary, Decimal128, Int64, ObjectId, Timestamp
from people import PATIENT
from processes import PROJECT, ReplicaSet, wait_for
from returning import Member
from test_why import steps

EXAMPLE = PROJECT / "Examples/Outbox/shop.py"

# Of a node that does not serve the outbox.
READER = ["--loops", "2", "--recovery", "120", *PATIENT]


@pytest.fixture(scope="module")
def replica_set():
    started = ReplicaSet()
    yield started
    started.down()


def test_committed_documents_arrive_once_though_nodes_are_killed(replica_set, nodes):
    started = nodes.start(3, "serve", replica_set, outboxes.OPTIONS)
    assert outboxes.run(replica_set, started, 120, pause=3, users=6, pace=0.2) == []


def lines(document):
    return {name: value for name, value in document.items() if name not in ("_id", "lane", "expires")}


def test_documents_on_two_shards(mongo, nodes):
    """By a plain insert, as the stand-in for a router has no transactions."""
    reader = nodes.start(1, mongo=mongo, options=READER)[0]
    serving = nodes.start(2, "serve", mongo, outboxes.OPTIONS)
    alice = Member("alice")
    alice.connect(reader)
    with pymongo.MongoClient(mongo.uri) as client:
        outbox = client[outboxes.DATABASE].Outbox
        assert client.config.collections.find_one({"_id": f"{outboxes.DATABASE}.Outbox"})["key"] == {"_id": "hashed"}
        day = datetime.datetime(2024, 2, 29, 12, 30, 1, 500000)
        values = [1, Int64(1 << 40), 1.5, True, None, "ä", {"a": [{"b": {}}], "c": []}, ObjectId("0" * 24), day]
        outbox.insert_one({"user": "alice", "event": "values", "args": values})
        alice.until("values", *values[:7], "0" * 24, "2024-02-29T12:30:01.500Z")

        # Those of one person come in the order in which they were made, on whichever shards they are.
        outbox.insert_many([{"user": "alice", "event": "count", "args": [number]} for number in range(50)])
        alice.until("count", 49)
        assert [event[1] for event in alice.events if event[0] == "count"] == list(range(50))

        # The receipt says what came of it.
        confirmed = {"user": "alice", "client": "phone", "event": "asked", "confirm": True, "meta": {"mine": 1}}
        confirmed = outbox.insert_one(confirmed).inserted_id
        nobody = outbox.insert_one({"_id": "mine", "user": "bob", "event": "lonely"}).inserted_id
        alice.until("asked")
        done = wait_for("the receipts", lambda: finished(outbox, [confirmed, nobody]))
        receipt = done[confirmed]["receipt"]
        assert receipt["outcome"] == "written" and receipt["complete"] and receipt["attempts"] == 1, receipt
        assert receipt["devices"] == [{"client": "phone", "written": 1, "pending": 0}], receipt
        assert done[nobody]["receipt"]["outcome"] == "offline", done
        assert done[nobody]["expires"] > datetime.datetime.now() + datetime.timedelta(hours=12)

        # One in a trace of the application's is traced, where that is recorded.
        parents = {flags: f"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}" for flags in ("01", "00")}
        traced = {
            flags: outbox.insert_one({"user": "alice", "event": "traced", "traceparent": parent}).inserted_id
            for flags, parent in parents.items()
        }
        done = wait_for("their receipts", lambda: finished(outbox, list(traced.values())))
        assert "event" not in done[traced["00"]]["receipt"]
        found = steps(mongo, done[traced["01"]]["receipt"]["event"], ("delivered", 1))
        assert [step["details"]["traceparent"] for step in found if step["step"] == "parent"] == [parents["01"]]

        # What can't be sent says why, and holds up nobody.
        wrong = {
            "UNKNOWN_FORMAT": {"v": 2, "user": "alice", "event": "x"},
            "FIELD": {"user": "alice", "event": "x", "clientt": "phone"},
            "IDENTITY": {"user": "", "event": "x"},
            "DOMAIN": {"domain": "elsewhere.example", "user": "alice", "event": "x"},
            "EVENT": {"user": "alice"},
            "RESERVED": {"user": "alice", "event": "connect"},
            "ARGUMENTS": {"user": "alice", "event": "x", "args": [[Decimal128("1")]]},
            "TOO_LARGE": {"user": "alice", "event": "x", "args": ["x" * 70000]},
        }
        ids = {outbox.insert_one(document).inserted_id: code for code, document in wrong.items()}
        other = [{"event": "x"}, {"user": 5, "event": "x"}, {"user": "alice", "event": "x", "args": {"no": "array"}}]
        other.append({"user": "alice", "event": "x", "args": ["x" * 300_000]})
        other.append({"user": "alice", "event": "x", "args": [Timestamp(1, 1)]})
        other.append({"user": "alice", "event": "x", "lane": {"s": 1, "n": 1}})
        more = outbox.insert_many(other).inserted_ids
        outbox.insert_one({"user": "alice", "event": "after", "args": [Binary(b"\1\2")]})
        done = wait_for("the refusals", lambda: finished(outbox, [*ids, *more]))
        assert {id: done[id]["error"]["code"] for id in ids} == ids
        codes = ["IDENTITY", "IDENTITY", "ARGUMENTS", "TOO_LARGE", "ARGUMENTS", "FIELD"]
        assert [done[id]["error"]["code"] for id in more] == codes
        assert all(document["state"] == "refused" and document["error"]["message"] for document in done.values())
        sums = sum(node.metric("submergence_outbox_refused_total") for node in serving)
        # One without a user belongs to nobody's lane: every node that sees it refuses it.
        homeless = 3
        refused = len(ids) + len(more)
        assert refused <= sums <= refused + homeless, [lines(document) for document in done.values()]

    # The nodes that serve it share the work; whoever does not, has nothing of it.
    def is_shared():
        lanes = [node.metric("submergence_outbox_lanes") for node in serving]
        return sum(lanes) == 16 and min(lanes) >= 7

    wait_for("the lanes to be shared", is_shared)
    assert reader.metric("submergence_outbox_lanes") == 0
    wait_for("a stream on each shard", lambda: serving[0].metric("submergence_outbox_streams") == 2)
    wait_for("nothing to wait", lambda: serving[0].metric("submergence_outbox_oldest_seconds") == 0)
    # One that leaves gives up its lanes at once, and the other has them all.
    assert serving[0].stop() == 0
    wait_for("all lanes to be taken", lambda: serving[1].metric("submergence_outbox_lanes") == 16)


def finished(outbox, ids):
    """The documents, once all of them are done."""
    found = {document["_id"]: document for document in outbox.find({"_id": {"$in": ids}})}
    return found if all(document.get("state") in ("delivered", "refused") for document in found.values()) else None


def test_what_is_not_kept_is_removed_once_it_is_delivered(replica_set, nodes):
    node = nodes.start(1, "serve", replica_set, [*outboxes.OPTIONS, "--outbox-keep", "0"])[0]
    wait_for("the lanes", lambda: node.metric("submergence_outbox_lanes") == 16)
    with pymongo.MongoClient(replica_set.uri) as client:
        outbox = client[outboxes.DATABASE].Outbox
        id = outbox.insert_one({"user": "nobody", "event": "gone"}).inserted_id
        wait_for("it to be removed once delivered", lambda: outbox.find_one({"_id": id}) is None)
    assert node.metric("submergence_outbox_gaps_total") == 0


def test_the_example_saves_and_publishes_in_one_transaction(replica_set, nodes):
    nodes.start(1, "serve", replica_set, outboxes.OPTIONS)
    reader = nodes.start(1, mongo=replica_set, options=READER)[0]
    alice = Member("alice")
    alice.connect(reader)

    def shop(*arguments):
        command = [sys.executable, EXAMPLE, "--mongodb", replica_set.uri, *arguments]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    with pymongo.MongoClient(replica_set.uri) as client:
        client.drop_database("shop")  # of other tests
    refused = shop("alice", "0")
    assert refused.returncode == 1 and "aborted" in refused.stdout, refused
    bought = shop("alice", "3")
    assert bought.returncode == 0 and "delivered" in bought.stdout, bought
    alice.until("order:placed", {"order": 1, "pieces": 3})
    # The demo of the serving node may tell of people of earlier tests, who are found to be gone now.
    own = [event[0] for event in alice.events if not event[0].startswith("demo:")]
    assert own == ["order:placed"]
    with pymongo.MongoClient(replica_set.uri) as client:
        assert [order["pieces"] for order in client.shop.orders.find({"buyer": "alice"})] == [3]
