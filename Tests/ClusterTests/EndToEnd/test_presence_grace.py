"""Presence outlives connections for a while, so that reloads and restarts are not announced (SPEC LC-8)."""

import asyncio
import datetime
from collections import Counter

import pymongo
from people import PATIENT, Tab
from processes import wait_for

STARTED = "submergence_presence_graces_started_total"
ENDED = "submergence_presence_graces_ended_total"


def graces(presence, moving=0):
    """Options of nodes with graces of so many seconds."""
    return [*PATIENT, "--presence-grace", str(presence), "--moving-grace", str(moving)]


def ended(nodes, by):
    return sum(node.metric(f'{ENDED}{{by="{by}"}}') for node in nodes)


def started(nodes):
    return sum(node.metric(STARTED) for node in nodes)


def announced(nodes, user):
    """What was announced of the user, in the order of `seq`, which must be consecutive, and nothing twice."""
    entries = [entry for node in nodes for entry in node.presence() if entry["user"] == user]
    entries.sort(key=lambda entry: entry["seq"])
    numbers = [entry["seq"] for entry in entries]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True, entries
    return [entry["t"] for entry in entries]


def left_behind(mongo, node):
    """Routes that name the node: as that of a connection, or as the owner of something to announce."""
    name = node.presence()[0]["node"]
    return sum(
        routes.count_documents({"$or": [{"live.n": name}, {"out.n": name}]}) for routes in routes_of_shards(mongo)
    )


def routes_of_shards(mongo):
    for shard in range(1, mongo.shards + 1):
        with pymongo.MongoClient(mongo.shard_uri(shard)) as client:
            yield client["submergence"]["Routes"]


ONLINE = ["userOnline", "clientOnline"]
OFFLINE = ["clientOffline", "userOffline"]


async def until(what, condition):
    await asyncio.to_thread(wait_for, what, condition)


def test_reload_announces_nothing(mongo, nodes):
    """The page comes back on the other node, again and again; only a kick ends the grace of one that has not."""
    two = nodes.start(2, mongo=mongo, options=graces(600))

    async def scenario():
        tab = await Tab(two[0].url, "alice").connect()
        await until("alice on line", lambda: announced(two, "alice") == ONLINE)
        for count in range(1, 5):
            await tab.close()
            await until(f"grace {count}", lambda count=count: started(two) == count)
            tab = await Tab(two[count % 2].url, "alice").connect()
            await until(f"return {count}", lambda count=count: ended(two, "return") == count)
        assert announced(two, "alice") == ONLINE

        await tab.close()
        await until("the last grace", lambda: started(two) == 5)
        async with Tab(two[1].url, "admin") as admin:
            # Whoever is waited for is not where events go.
            receipt = await admin.publish("alice", "are you there")
            assert not receipt["didReceive"]
            assert announced(two, "alice") == ONLINE
            await admin.client.call("kick", ("alice",), timeout=20)
            await until("alice off line", lambda: announced(two, "alice") == ONLINE + OFFLINE)
        assert ended(two, "cut") == 1

    asyncio.run(scenario())


def test_departure_is_announced_once(mongo, nodes):
    """Each device at its own time, the user with the last one, by the node that stored the deadline."""
    two = nodes.start(2, mongo=mongo, options=graces(1))

    async def scenario():
        phone = await Tab(two[0].url, "bob", "phone").connect()
        laptop = await Tab(two[1].url, "bob", "laptop").connect()
        await until("bob on line", lambda: len(announced(two, "bob")) == 3)
        await phone.close()
        await until("the phone off line", lambda: announced(two, "bob")[3:] == ["clientOffline"])
        await laptop.close()
        await until("bob off line", lambda: announced(two, "bob")[4:] == OFFLINE)
        assert started(two) == 2
        # A sweep takes what is 3 s overdue, as on a machine that was stopped for that long.
        await until("both ends", lambda: ended(two, "owner") + ended(two, "sweep") == 2)
        assert Counter(announced(two, "bob")) == Counter(ONLINE + ["clientOnline", "clientOffline"] + OFFLINE)

    asyncio.run(scenario())


def test_another_node_takes_over(mongo, nodes):
    """kill -9 of the node that stored the deadline: another one announces, once, and everything goes on from there."""
    victim, *others = nodes.start(3, mongo=mongo, options=graces(10))
    everybody = [victim, *others]

    async def scenario():
        tab = await Tab(victim.url, "carol").connect()
        await until("carol on line", lambda: announced(everybody, "carol") == ONLINE)
        await tab.close()
        await until("the grace", lambda: victim.metric(STARTED) == 1)
        victim.kill()
        assert announced(everybody, "carol") == ONLINE
        await until("carol off line", lambda: announced(everybody, "carol") == ONLINE + OFFLINE)
        assert ended(others, "sweep") == 1
        for routes in routes_of_shards(mongo):
            plan = routes.find({"due": {"$lt": datetime.datetime.now(datetime.timezone.utc)}}).explain()
            assert "'indexName': 'due_1'" in str(plan["queryPlanner"]["winningPlan"]), plan
        tab = await Tab(others[0].url, "carol").connect()
        await until("carol back", lambda: announced(everybody, "carol") == ONLINE + OFFLINE + ONLINE)
        await tab.close()
        await until("carol gone", lambda: announced(everybody, "carol") == 2 * (ONLINE + OFFLINE))

    asyncio.run(scenario())


def test_rolling_restart_announces_nothing(mongo, nodes):
    """A drained node's clients come back elsewhere, and nobody hears of it, though there is no other grace."""
    leaving, staying = nodes.start(2, mongo=mongo, options=graces(0, 600))
    both = [leaving, staying]
    users = [f"user-{index}" for index in range(8)]

    async def scenario():
        tabs = [await Tab(leaving.url, user).connect() for user in users]
        for user in users:
            await until(f"{user} on line", lambda user=user: announced(both, user) == ONLINE)
        stopped = asyncio.create_task(asyncio.to_thread(leaving.stop))
        back = []
        for tab, user in zip(tabs, users):
            await tab.gone()
            back.append(await Tab(staying.url, user).connect())
        assert await stopped == 0, leaving.log()[-4000:]
        await until("all to be back", lambda: ended([staying], "return") == len(users))
        for user in users:
            assert announced(both, user) == ONLINE
        assert left_behind(mongo, leaving) == 0
        for tab in back:
            await tab.close()
        for user in users:
            await until(f"{user} off line", lambda user=user: announced(both, user) == ONLINE + OFFLINE)

    asyncio.run(scenario())


def test_who_does_not_come_back_after_a_drain(mongo, nodes):
    """The drained node is gone by the deadline: another one announces."""
    leaving, staying = nodes.start(2, mongo=mongo, options=graces(0, 2))

    async def scenario():
        tab = await Tab(leaving.url, "dave").connect()
        await until("dave on line", lambda: announced([leaving, staying], "dave") == ONLINE)
        assert await asyncio.to_thread(leaving.stop) == 0, leaving.log()[-4000:]
        await tab.gone()
        await until("dave off line", lambda: announced([leaving, staying], "dave") == ONLINE + OFFLINE)
        assert left_behind(mongo, leaving) == 0

    asyncio.run(scenario())


def test_a_node_alone_with_its_memory(nodes):
    """Nobody else will ever finish its graces: it ends them when it is told to stop."""
    (node,) = nodes.start(options=graces(600, 600))

    async def scenario():
        gone = await Tab(node.url, "erin").connect()
        frank = await Tab(node.url, "frank").connect()
        await until("both on line", lambda: announced([node], "frank") == announced([node], "erin") == ONLINE)
        await gone.close()
        await until("the grace", lambda: node.metric(STARTED) == 1)
        assert await asyncio.to_thread(node.stop) == 0, node.log()[-4000:]
        await frank.gone()
        for user in ("erin", "frank"):
            assert announced([node], user) == ONLINE + OFFLINE

    asyncio.run(scenario())
