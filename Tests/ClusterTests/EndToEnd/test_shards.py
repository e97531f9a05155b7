"""Shards that hang, die and come back, are added and drained (SPEC ND-6, ND-7, ND-14): one that is away stalls its own
users, costs nobody an event, and ends no connection."""

import asyncio
import contextlib
import re
import subprocess

import pymongo
import pytest
from people import PATIENT, LeanTab, is_positive
from processes import SCRIPTS, Mongo, wait_for
from test_delivery import route_keys

PEOPLE = 12
HEALTHY, STRUCK = 1, 2


@pytest.fixture
def strike(mongo):
    """Takes the struck shard away in one of two ways, and gives it back whatever happens in between."""

    @contextlib.contextmanager
    def strike(way):
        try:
            mongo.command(f"{way}-shard", STRUCK, "--all")
            yield
        finally:
            if way == "pause":
                mongo.command("resume-shard", STRUCK, "--all")
            else:
                mongo.command("up")

    return strike


@pytest.mark.parametrize("way", ["pause", "kill"])
def test_a_shard_is_away(mongo, nodes, strike, way):
    three = nodes.start(3, mongo=mongo, options=PATIENT)
    asyncio.run(scenario(three, mongo, lambda: strike(way)))
    for node in three:
        assert node.is_running, node.log()[-4000:]


def users_of(mongo, shard):
    with pymongo.MongoClient(mongo.shard_uri(shard)) as client:
        return {key.removeprefix("localhost/") for key in route_keys(client)}


async def scenario(three, mongo, strike):
    async with contextlib.AsyncExitStack() as stack:
        tabs = {}
        for number in range(PEOPLE):
            # A tab here and a tab there: what is sent on one node must reach the other by the bus.
            name = f"user-{number}"
            tabs[name] = [
                await stack.enter_async_context(LeanTab(three[(number + step) % 3].url, name, f"tab-{step}"))
                for step in range(2)
            ]
        senders = [await stack.enter_async_context(LeanTab(node.url, f"sender-{node.name}")) for node in three]
        healthy = sorted(users_of(mongo, HEALTHY) & tabs.keys())
        struck = sorted(users_of(mongo, STRUCK) & tabs.keys())
        assert healthy and struck and len(healthy) + len(struck) == PEOPLE
        confirmed = {name: [] for name in tabs}

        async def send(names, number):
            """One event to each of these from each node; keeps what the receipts promise, by sender."""

            async def one(sender, index, name):
                if is_positive(receipt := await sender.publish(name, [index, number], seconds=60)):
                    confirmed[name].append([index, number])
                return receipt

            return await asyncio.gather(
                *(one(sender, index, name) for index, sender in enumerate(senders) for name in names)
            )

        await send(tabs, 0)
        with strike():
            # Whoever's route lies on the healthy shard is found, and whichever home of a node is struck, the other one
            # takes the envelope.
            for number in range(1, 21):
                receipts = await send(healthy, number)
                assert all(is_positive(receipt) for receipt in receipts), receipts
            for name in healthy:
                for tab in tabs[name]:
                    await tab.until(lambda tab, name=name: len(tab.messages()) >= len(confirmed[name]))
            # The others' routes cannot be read: the receipts say so, and what is on the sender's own node arrives.
            for receipt in await send(struck, 1):
                assert receipt["isComplete"] is False, receipt
        for node in three:
            wait_for(f"{node.name} to be ready", lambda node=node: is_ready(node), seconds=60)

        async def everybody_is_reached(number):
            return all(is_positive(receipt) for receipt in await send(tabs, number))

        number = 100
        while not await everybody_is_reached(number):
            number += 1
        # The last one of each sender follows all that it sent before: what is not there by then is lost.
        for name, both in tabs.items():
            for tab in both:
                last = [[index, number] for index in range(len(senders))]
                await tab.until(lambda tab, last=last: all(payload in tab.messages()[-6:] for payload in last))
                assert tab.disconnects == [], name
                arrived = tab.messages()
                for index in range(len(senders)):
                    mine = [payload[1] for payload in arrived if payload[0] == index]
                    assert all(a < b for a, b in zip(mine, mine[1:])), f"{name}: twice or out of order: {mine}"
                lost = [payload for payload in confirmed[name] if payload not in arrived]
                assert not lost, f"{name}: lost in spite of a positive receipt: {lost}"
        assert [entry for node in three for entry in node.presence() if entry["t"].endswith("Offline")] == []


def is_ready(node):
    return node.control_status("/.well-known/submergence/ready") == 200


def test_a_shard_comes_and_goes(nodes, tmp_path):
    """ND-6: nodes that run reach those with a home on a shard that was added since. One that is being drained gets no
    home, and once nodes were restarted one by one it can go. Nobody loses an event."""
    mongo = Mongo()
    newcomer = NewShard(tmp_path / "shard3")
    try:
        asyncio.run(coming_and_going(mongo, newcomer, nodes))
    finally:
        nodes.end()
        mongo.down()
        newcomer.down()


class NewShard:
    """A replica set that may become a shard."""

    def __init__(self, folder):
        self._folder = folder
        uri = self._run("replset", "--base-port", "0", "--mongod-arg=--shardsvr").strip().split("\n")[-1]
        self.name = re.search(r"replicaSet=([\w-]+)", uri)[1]
        self.host = re.search(r"mongodb://([^/]+)/", uri)[1]

    def _run(self, *arguments):
        program = [str(SCRIPTS / "mongo/mongo-cluster"), *arguments, "--dir", str(self._folder)]
        return subprocess.run(program, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout

    def down(self):
        self._run("down", "--wipe")


def homes(node):
    """The shards that the node has a home on, as it says at its start."""
    return set(re.findall(r"^(\w+)/slot\d+: ", node.log(), re.MULTILINE))


async def coming_and_going(mongo, newcomer, nodes):
    with pymongo.MongoClient(mongo.uri) as client:
        older = nodes.start(2, mongo=mongo, options=PATIENT)
        client.admin.command("addShard", f"{newcomer.name}/{newcomer.host}", name="shard3")
        (newer,) = nodes.start(1, mongo=mongo, options=PATIENT)
        assert "shard3" in homes(newer), newer.log()
        assert all("shard3" not in homes(node) for node in older)
        await everybody_reaches_everybody([*older, newer])

        assert client.admin.command("removeShard", "shard3")["state"] == "started"
        (newest,) = nodes.start(1, mongo=mongo, options=PATIENT)
        assert "shard3" not in homes(newest), newest.log()
        # Whoever has a home there keeps it, and is reached by those who came later.
        await everybody_reaches_everybody([*older, newer, newest])
        assert newer.stop() == 0
        client.drop_database("submergence_bus_shard3")
        assert client.admin.command("removeShard", "shard3")["state"] == "completed"
        await everybody_reaches_everybody([*older, newest])


async def everybody_reaches_everybody(nodes):
    async with contextlib.AsyncExitStack() as stack:
        tabs = [await stack.enter_async_context(LeanTab(node.url, f"on-{node.name}")) for node in nodes]
        for number in range(10):
            for sender in tabs:
                for receiver in tabs:
                    assert is_positive(await sender.publish(receiver.user, f"{sender.user} {number}"))
        expected = {f"{sender.user} {number}" for sender in tabs for number in range(10)}
        for tab in tabs:
            await tab.until(lambda tab: tab.texts == expected)
            assert len(tab.messages()) == len(expected)
