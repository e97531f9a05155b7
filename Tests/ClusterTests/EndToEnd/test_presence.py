"""Presence is announced once per change, whichever nodes the tabs are on (SPEC LC-1 to LC-6)."""

import asyncio
import threading
from collections import Counter

from people import AT_ONCE, PATIENT, Tab
from processes import wait_for
from receiver import Backend


def announced(nodes, user):
    found = Counter()
    for node in nodes:
        for entry in node.presence():
            if entry["user"] == user:
                found[(entry["t"], entry.get("client"))] += 1
    return found


def test_first_and_last_tab(mongo, nodes):
    two = nodes.start(2, mongo=mongo, options=[*PATIENT, *AT_ONCE])

    async def until_announced(expected):
        def is_there():
            return announced(two, "alice") == Counter(expected)

        await asyncio.to_thread(wait_for, f"{expected}", is_there)

    async def scenario():
        first, second = (node.url for node in two)
        one = await Tab(first, "alice", "phone").connect()
        expected = {("userOnline", None): 1, ("clientOnline", "phone"): 1}
        await until_announced(expected)

        # Another tab of the device on another node changes nothing; another device comes on line.
        two_tabs = await Tab(second, "alice", "phone").connect()
        laptop = await Tab(second, "alice", "laptop").connect()
        expected[("clientOnline", "laptop")] = 1
        await until_announced(expected)

        await one.close()
        await laptop.close()
        expected[("clientOffline", "laptop")] = 1
        await until_announced(expected)

        await two_tabs.close()
        expected |= {("clientOffline", "phone"): 1, ("userOffline", None): 1}
        await until_announced(expected)

        # In the order that the version of the route says, online and offline alternate.
        entries = [entry for node in two for entry in node.presence() if entry["user"] == "alice"]
        changes = [
            entry["t"] for entry in sorted(entries, key=lambda entry: entry["seq"]) if entry["t"].startswith("user")
        ]
        assert changes == ["userOnline", "userOffline"]

    asyncio.run(scenario())


def test_drained_node_leaves_nothing_to_reap(mongo, nodes):
    """SIGTERM: the users of the node are announced off line before it exits, and it exits by itself (ND-12)."""
    leaving, staying = nodes.start(2, mongo=mongo, options=[*PATIENT, *AT_ONCE])

    async def scenario():
        tab = await Tab(leaving.url, "bob").connect()
        status = await asyncio.to_thread(leaving.stop)
        assert status == 0, leaving.log()[-4000:]
        await tab.gone()
        await asyncio.to_thread(
            wait_for, "bob's userOffline", lambda: announced([leaving, staying], "bob")[("userOffline", None)] == 1
        )

    asyncio.run(scenario())


def test_presence_that_a_dead_node_left_is_repeated(tmp_path, mongo):
    """The change is in the user's document until the target has taken it (SPEC LC-3)."""
    held = threading.Event()

    async def leave(backend):
        async with Tab(backend.node.url, "erna"):
            await asyncio.to_thread(backend.receiver.until, lambda receiver: receiver.of("presence"))
            backend.node.kill()

    with Backend(tmp_path, mongo=mongo, actions=[]) as backend:
        backend.receiver.answers["presence"] = lambda _: held.wait(60) and None
        asyncio.run(leave(backend))
        (first,) = backend.receiver.of("presence")
        held.set()
        # A node of the same name takes over at once what the dead one owned (SPEC ND-5).
        backend.node.start(environment=backend.environment)
        backend.node.wait_until_ready()
        backend.receiver.until(lambda receiver: len(receiver.of("presence")) >= 3, 60)
        requests = backend.receiver.of("presence")
        assert requests[1]["sequence"] == first["sequence"]
        assert requests[1]["request"] != first["request"]
        assert int(requests[2]["sequence"]) == int(first["sequence"]) + 1
        assert backend.receiver.unsigned == []
