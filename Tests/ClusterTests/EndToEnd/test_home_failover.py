"""The primary of an inbox dies right behind an acknowledgement (SPEC ND-6 to ND-8): what it has acknowledged reaches
the receiver through its other home, in order, before the receiver gives it up."""

import asyncio
import contextlib
import signal

import pymongo
import pytest
from people import PATIENT, LeanTab, is_positive
from test_shards import users_of

UNREAD = 8
BEHIND = 20


@pytest.fixture
def strike(replicated_mongo):
    """Takes the primary of a shard away in one of two ways, and gives it back whatever happens in between."""

    @contextlib.contextmanager
    def strike(way, shard):
        try:
            replicated_mongo.command(f"{way}-shard", shard)
            yield
        finally:
            if way == "pause":
                replicated_mongo.command("resume-shard", shard, "--all")
            else:
                replicated_mongo.command("up")

    return strike


@contextlib.contextmanager
def paused(node):
    node.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        node.process.send_signal(signal.SIGCONT)


def envelopes(mongo, shard):
    """What the inboxes of a shard hold of envelopes between two nodes, as (from, to)."""
    with pymongo.MongoClient(mongo.uri) as client:
        bus = client[f"submergence_bus_shard{shard}"]
        slots = [name for name in bus.list_collection_names() if name.startswith("slot")]
        found = [entry for slot in slots for entry in bus[slot].find({}, {"from": 1, "to": 1, "s": 1})]
    return [entry for entry in found if entry["from"] != entry["to"]]


@pytest.mark.parametrize("way", ["kill", "pause"])
def test_acknowledged_and_not_read(replicated_mongo, nodes, strike, way):
    sender, receiver = nodes.start(2, mongo=replicated_mongo, options=PATIENT)
    asyncio.run(scenario(sender, receiver, replicated_mongo, lambda shard: strike(way, shard)))
    # What the receiver has not read was copied, and what came twice was dropped.
    assert sender.metric("submergence_bus_envelopes_copied_total") >= UNREAD - 1
    assert receiver.metric("submergence_bus_gaps_total") == 0
    assert receiver.metric('submergence_bus_drops_total{reason="late"}') == 0


async def scenario(sender, receiver, mongo, strike):
    async with contextlib.AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(LeanTab(sender.url, "publisher"))
        people = {
            f"person-{number}": await stack.enter_async_context(LeanTab(receiver.url, f"person-{number}"))
            for number in range(6)
        }
        before = {shard: len(envelopes(mongo, shard)) for shard in (1, 2)}
        for name in people:
            assert is_positive(await publisher.publish(name, "warm-up"))
        for tab in people.values():
            await tab.until(lambda tab: "warm-up" in tab.texts)
        home = max((1, 2), key=lambda shard: len(envelopes(mongo, shard)) - before[shard])
        # Somebody whose route can be read all the time.
        name = sorted(users_of(mongo, 3 - home) & people.keys())[0]
        tab = people[name]

        with paused(receiver):
            # At most the first of them is on its way to the receiver already: it asks for the next when it has one.
            for number in range(UNREAD):
                assert is_positive(await publisher.publish(name, number))
            stack.enter_context(strike(home))
        positive = list(range(UNREAD))
        for number in range(UNREAD, UNREAD + BEHIND):
            if is_positive(await publisher.publish(name, number)):
                positive.append(number)
        assert positive[-1] == UNREAD + BEHIND - 1
        await tab.until(lambda tab: positive[-1] in tab.messages())
        arrived = [payload for payload in tab.messages() if isinstance(payload, int)]
        assert arrived == sorted(set(arrived)), f"twice or out of order: {arrived}"
        lost = sorted(set(positive) - set(arrived))
        assert not lost, f"lost in spite of a positive receipt: {lost}"
