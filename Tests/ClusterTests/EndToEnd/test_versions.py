"""Two versions at once (SPEC ND-6, ND-12): nodes are restarted one by one into the next version, and back, under load,
and nobody loses anything. `--test-formats NEWEST:WRITTEN` stands for a version that reads and writes so."""

import argparse
import asyncio
import subprocess
import sys

import pymongo
from bson import Binary, Int64, Timestamp
from people import PATIENT, LeanTab
from processes import SCRIPTS, executable, free_port, wait_for

sys.path.insert(0, str(SCRIPTS))

import rolling  # noqa: E402

OLDER, NEWER = "2:1", "3:2"
UNKNOWN = "submergence_unknown_format_total"
OPTIONS = [*PATIENT, "--recovery", "120", "--presence-grace", "30", "--moving-grace", "30", "--accept-rate", "500"]


class Versions:
    """Nodes that come back from a restart in another version; what scripts/rolling.py drives."""

    def __init__(self, nodes):
        self._nodes = nodes
        self.version = OLDER
        self.urls = [node.url for node in nodes]
        self.controls = [f"http://127.0.0.1:{node.control_port}" for node in nodes]
        self.names = [node.name for node in nodes]

    def restart(self, number):
        node = self._nodes[number]
        broken = self.unknown(node)
        status = node.stop(120)
        node.start(["--test-formats", self.version])
        node.wait_until_ready()
        return broken + ([] if status == 0 else [f"{node.name} ended with status {status}"])

    def unknown(self, *nodes):
        return [f"{node.name} met an unknown format" for node in nodes if node.metric(UNKNOWN)]

    def presence(self):
        return [line for node in self._nodes for line in node.presence()]


def formats(mongo):
    """The formats of what is stored: of routes, envelopes and recovery sheets."""
    with pymongo.MongoClient(mongo.uri) as client:
        found = {"routes": set(client["submergence"]["Routes"].distinct("fv")), "envelopes": set(), "sheets": set()}
        for shard in (1, 2):
            bus = client[f"submergence_bus_shard{shard}"]
            for name in bus.list_collection_names():
                if name.startswith("slot"):
                    found["envelopes"] |= {entry["b"][0] for entry in bus[name].find({}, {"b": 1, "to": 1, "from": 1})}
                elif name == "recovery":
                    found["sheets"] |= {entry["fv"] - 1 for entry in bus[name].find({"k": {"$exists": 1}}, {"fv": 1})}
        return found


async def formats_of_all(nodes, mongo):
    """The same, once the nodes have found out that all read the newer one, and have written it to one another."""
    async with LeanTab(nodes[0].url, "reader"), LeanTab(nodes[1].url, "writer") as writer:
        deadline = asyncio.get_running_loop().time() + 60
        while True:
            await writer.publish("reader", "anything")
            found = await asyncio.to_thread(formats, mongo)
            if 2 in found["envelopes"] or asyncio.get_running_loop().time() > deadline:
                return found


def test_forth_and_back(mongo, nodes, tmp_path):
    three = nodes.start(3, mongo=mongo, options=[*OPTIONS, "--test-formats", OLDER])
    versions = Versions(three)
    load = argparse.Namespace(connections=120, rate=1.0, publishers=4, accept_rate=500, pause=1, has_grace=True)
    for versions.version in (NEWER, OLDER):
        broken = rolling.run(load, versions, tmp_path) + versions.unknown(*three)
        assert not broken, "\n".join(broken)
        if versions.version == NEWER:
            found = asyncio.run(formats_of_all(three, mongo))
            assert all(2 in kinds for kinds in found.values()), found
            assert all(kinds <= {1, 2} for kinds in found.values()), found


def test_strangers_do_not_start(mongo, nodes):
    """ND-12: whoever could not read what the others write says so and does not begin; nor do the others suffer."""
    (older,) = nodes.start(1, mongo=mongo, options=[*PATIENT, "--test-formats", OLDER])
    arguments = [executable(), "conformance", "--port", str(free_port()), "--mongodb", mongo.uri]
    for stranger in ("4:3", "9:8"):
        done = subprocess.run(
            [*arguments, "--test-formats", stranger],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 69, done.stderr
        assert "UNKNOWN_FORMAT" in done.stderr and "node by node" in done.stderr, done.stderr
    assert older.is_running and older.metric(UNKNOWN) == 0


def test_unknown_formats_are_counted_by_kind(mongo, nodes):
    """ND-6: by name and by kind, and not as malformed."""
    (node,) = nodes.start(1, mongo=mongo, options=PATIENT)
    sender = "f" * 16
    with pymongo.MongoClient(mongo.uri) as client:
        (record,) = client["submergence"]["Nodes"].find({"st": 1, "name": node.name})
        home = record["homes"][0]
        client[f"submergence_bus_{home['sh']}"][f"slot{home['sl']}"].insert_one(
            {
                "_id": f"{record['_id']}.{sender}.1",
                "to": record["_id"],
                "from": sender,
                "s": Int64(1),
                "t": Timestamp(0, 0),
                "b": Binary(bytes([99, 0, 0, 0, 0])),
            }
        )
        client["submergence"]["Routes"].insert_one({"_id": "localhost/odd", "fv": 9, "v": Int64(1)})
    wait_for("the envelope to be refused", lambda: node.metric(UNKNOWN + '{kind="envelope"}') == 1)
    assert "UNKNOWN_FORMAT 99" in node.log()

    async def send():
        async with LeanTab(node.url, "sender") as tab:
            return await tab.publish("odd", "anything")

    assert asyncio.run(send())["isComplete"] is False
    assert node.metric(UNKNOWN + '{kind="route"}') >= 1
    assert "UNKNOWN_FORMAT 9" in node.log()
    for name in ("submergence_bus_drops_total", "submergence_store_malformed_total"):
        assert node.metric(name) == 0, name
