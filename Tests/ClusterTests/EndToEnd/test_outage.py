"""MongoDB hangs for a while: sockets stay, nobody is declared dead, everything comes back (SPEC ND-3, ND-13, LC-7)."""

import asyncio
import contextlib
import urllib.error
import urllib.request

import pytest
from memory import resident
from people import PATIENT, LeanTab, Tab, is_positive
from processes import wait_for

# What a node may grow by in an outage: 32 MiB wait for one other node (ND-7), twice that while they are sent again.
GROWTH = 128 << 20


def ready(node):
    return node.control_status("/.well-known/submergence/ready")


def handshake(node):
    """The status that a new client is answered with."""
    try:
        with urllib.request.urlopen(f"{node.url}/socket.io/?EIO=4&transport=polling", timeout=5) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture
def hang(mongo):
    """Stops the processes of shards, and lets them go on, whatever happens in between."""

    @contextlib.contextmanager
    def stop(*shards):
        try:
            for shard in shards:
                mongo.command("pause-shard", shard)
            yield
        finally:
            for shard in shards:
                mongo.command("resume-shard", shard)

    return stop


def test_hanging_database_costs_no_socket(mongo, nodes, hang):
    two = nodes.start(2, mongo=mongo, options=PATIENT)
    asyncio.run(scenario(two, hang))


async def scenario(two, hang):
    first, second = two
    async with Tab(first.url, "alice", "laptop") as alice, Tab(second.url, "bob") as bob:

        def outage():
            with hang(1, 2):
                # No probe comes back, no lease can be renewed: nobody is taken in any more, by a 503 (ND-3, ND-11).
                for node in two:
                    wait_for(f"{node.name} to refuse new clients", lambda node=node: handshake(node) == 503)
                    assert ready(node) == 503
            for node in two:
                wait_for(f"{node.name} to be ready again", lambda node=node: ready(node) == 200)

        await asyncio.to_thread(outage)

        # Neither node was claimed, no socket went, nobody was announced off line.
        assert [lost_incarnations(node) for node in two] == [0, 0]
        assert alice.disconnects == [] and bob.disconnects == []
        assert [entry for node in two for entry in node.presence() if entry["t"].endswith("Offline")] == []
        # The nodes are back before every path through the router is: the receipts say so until it is.
        number = 0
        while not is_positive(await bob.publish("alice", number)):
            number += 1
        await alice.until(lambda tab: number in tab.messages())
        assert sorted(set(alice.messages())) == alice.messages()
        async with Tab(first.url, "carol") as carol:
            while not is_positive(receipt := await carol.publish("bob", "hello")):
                assert receipt["isComplete"] is False, receipt


def lost_incarnations(node):
    """How often the node had to begin anew as another one."""
    return node.metric("submergence_cluster_incarnations_lost_total")


def test_a_long_outage_under_load(mongo, nodes, hang):
    """ND-3, ND-13: beyond `isolation` the sockets go, nothing crashes or grows, and once MongoDB is back so is
    everything; whoever was on line is announced off line and on line once."""
    two = nodes.start(2, mongo=mongo, options=PATIENT)
    asyncio.run(long_outage(two, hang))


async def long_outage(two, hang):
    first, second = two
    before = {node: resident(node.process.pid) for node in two}
    async with contextlib.AsyncExitStack() as stack:
        alice = await stack.enter_async_context(LeanTab(first.url, "alice", "laptop"))
        bob = await stack.enter_async_context(LeanTab(second.url, "bob"))
        payload = "x" * 4_000
        away = asyncio.Event()

        async def load(tab, user):
            """Sends all the time, and never waits for a receipt."""
            while not away.is_set() and not tab.disconnects:
                try:
                    await tab.publish_soon(user, payload)
                except ConnectionError:
                    return
                await asyncio.sleep(0.002)

        loads = [asyncio.create_task(load(*pair)) for pair in ((alice, "bob"), (bob, "alice"), (alice, "alice"))]
        with hang(1, 2):
            for node in two:
                await asyncio.to_thread(wait_for, f"{node.name} to refuse", lambda node=node: handshake(node) == 503)
            # Local delivery goes on: nothing of it needs the database.
            count = len(alice.messages())
            await alice.until(lambda tab: len(tab.received) > count + 100)
            assert alice.disconnects == [] and bob.disconnects == []
            for tab in (alice, bob):
                await asyncio.to_thread(wait_for, f"{tab.user} to be cut", lambda tab=tab: tab.disconnects, 120)
            for node in two:
                assert node.is_running, node.log()[-4000:]
                grown = resident(node.process.pid) - before[node]
                assert grown < GROWTH, f"{node.name} grew by {grown >> 20} MiB"
        away.set()
        await asyncio.gather(*loads)
        for node in two:
            await asyncio.to_thread(
                wait_for, f"{node.name} to be ready again", lambda node=node: ready(node) == 200, 60
            )
        assert [lost_incarnations(node) for node in two] == [1, 1], "who was isolated begins anew"
        async with LeanTab(second.url, "alice", "laptop") as again:
            while not is_positive(await again.publish("alice", "back")):
                pass
            await again.until(lambda tab: "back" in tab.texts)
        for tab in (alice, bob):
            user = tab.user
            await asyncio.to_thread(
                wait_for,
                f"{user} to be announced off line",
                lambda user=user: changes(two, user)[-1:] == ["userOffline"],
            )
            assert all(a != b for a, b in zip(changes(two, user), changes(two, user)[1:])), changes(two, user)


def changes(two, user):
    """The user's own announcements in the order of `seq`, a repeat of one left out (LC-3)."""
    found = {entry["seq"]: entry["t"] for node in two for entry in node.presence() if entry["user"] == user}
    return [found[seq] for seq in sorted(found) if found[seq].startswith("user")]
