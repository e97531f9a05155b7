"""Events reach every tab of an identity, on whatever node, exactly once and in order per sender (SPEC ND-7, EV-1)."""

import asyncio
import contextlib

import pymongo
from people import PATIENT, Sender, Tab, by_sender, is_positive
from processes import wait_for

EVENTS = 10_000
OTHERS = 50


def test_every_tab_exactly_once_in_order(mongo, nodes):
    """Three tabs of alice on three nodes, two of bob: 10,000 events to alice, from all three nodes at once."""
    three = nodes.start(3, mongo=mongo, options=PATIENT)
    asyncio.run(flood(three))
    assert all(node.is_running for node in three)


async def flood(three):
    async with contextlib.AsyncExitStack() as stack:

        async def open_tab(node, user, client="laptop"):
            return await stack.enter_async_context(Tab(node.url, user, client))

        alice = [await open_tab(node, "alice", f"tab-{node.name}") for node in three]
        bob = [await open_tab(node, "bob") for node in three[:2]]
        senders = [Sender(node.name, await open_tab(node, f"sender-{node.name}")) for node in three]
        shares = [len(range(index, EVENTS, len(senders))) for index in range(len(senders))]

        async def send_share(sender, count):
            for number in range(count):
                await sender.send("alice", number)
            await sender.settle()

        await asyncio.gather(*(send_share(sender, count) for sender, count in zip(senders, shares)))
        for sender, count in zip(senders, shares):
            assert sender.positive() == list(range(count)), f"{sender.name}: not every receipt was positive"

        # The last event of each sender follows all others of that sender (ND-7): what is not there by then is lost,
        # and what would come twice has come.
        for sender in senders:
            for user in ("alice", "bob"):
                assert is_positive(await sender.tab.publish(user, f"end of {sender.name}"))
        ends = {f"end of {sender.name}" for sender in senders}
        for tab in alice + bob:
            await tab.until(lambda tab: ends <= tab.texts)

        expected = {sender.name: list(range(count)) for sender, count in zip(senders, shares)}
        for tab in alice:
            assert by_sender(tab) == expected
            assert len(tab.messages()) == EVENTS + len(ends)
        for tab in bob:
            assert sorted(tab.messages()) == sorted(ends), "bob got what was not for him"
        for sender in senders:
            assert sender.tab.messages() == []


def test_both_shards_hold_routes_and_inboxes(mongo, nodes):
    """With fifty users on line both shards hold route documents, and both hold inboxes of all nodes (ND-1, ND-6)."""
    three = nodes.start(3, mongo=mongo, options=PATIENT)
    asyncio.run(look_at_shards(three, mongo))


async def look_at_shards(three, mongo):
    async with contextlib.AsyncExitStack() as stack:
        for index in range(OTHERS):
            await stack.enter_async_context(Tab(three[index % 3].url, f"user-{index}"))
        users = {f"localhost/user-{index}" for index in range(OTHERS)}
        on_shard = {}
        for shard in (1, 2):
            with pymongo.MongoClient(mongo.shard_uri(shard)) as client:
                on_shard[shard] = route_keys(client) & users
                wait_for(
                    f"inboxes of three nodes on shard {shard}",
                    lambda: len(envelope_targets(client)) >= 3,  # every node probes both of its homes
                )
        assert on_shard[1] and on_shard[2], on_shard
        assert on_shard[1] | on_shard[2] == users
        assert not on_shard[1] & on_shard[2]


def application_databases(client):
    return [name for name in client.list_database_names() if name not in ("admin", "config", "local")]


def route_keys(client):
    keys = set()
    for database in application_databases(client):
        for name in client[database].list_collection_names():
            if name.lower().endswith("routes"):
                keys |= {document["_id"] for document in client[database][name].find({}, {"_id": 1})}
    return keys


def envelope_targets(client):
    """The node incarnations that the capped collections of this server hold envelopes for."""
    targets = set()
    for database in application_databases(client):
        for slot in client[database].list_collections(filter={"options.capped": True}):
            targets |= {
                bytes(to) if isinstance(to, bytes) else to for to in client[database][slot["name"]].distinct("to")
            }
    return targets


def test_one_device_of_a_person(mongo, nodes):
    """An event for (user, client) reaches that device's tabs on every node, and no other device (EV-1)."""
    two = nodes.start(2, mongo=mongo, options=PATIENT)

    async def scenario():
        first, second = (node.url for node in two)
        async with Tab(first, "carol", "phone") as near, Tab(second, "carol", "phone") as far:
            async with Tab(second, "carol", "laptop") as other, Tab(first, "dan") as dan:
                assert is_positive(await dan.publish("carol", "for the phone", client="phone"))
                assert is_positive(await dan.publish("carol", "for all"))
                for tab in (near, far):
                    await tab.until(lambda tab: len(tab.messages()) == 2)
                    assert tab.messages() == ["for the phone", "for all"]
                await other.until(lambda tab: tab.messages())
                assert other.messages() == ["for all"]

    asyncio.run(scenario())


def test_nobody_there(mongo, nodes):
    """The receipt of an event to somebody who is not on line says so (EV-2)."""
    (node,) = nodes.start(1, mongo=mongo, options=PATIENT)

    async def scenario():
        async with Tab(node.url, "erin") as erin:
            assert (await erin.publish("nobody", "hello"))["didReceive"] is False
            assert (await erin.publish("erin", "hello"))["didReceive"] is True
            await erin.until(lambda tab: tab.messages() == ["hello"])

    asyncio.run(scenario())


def test_one_node_in_memory(nodes):
    """Without MongoDB a node serves the same events (DESIGN §2, the embedded default)."""
    (node,) = nodes.start(1, options=PATIENT)

    async def scenario():
        async with Tab(node.url, "alice", "one") as one, Tab(node.url, "alice", "two") as two:
            for number in range(100):
                assert is_positive(await one.publish("alice", number))
            for tab in (one, two):
                await tab.until(lambda tab: len(tab.messages()) == 100)
                assert tab.messages() == list(range(100))

    asyncio.run(scenario())
