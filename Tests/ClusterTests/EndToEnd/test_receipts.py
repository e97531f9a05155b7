"""Receipts of sends that ask the nodes what they have written (SPEC EV-2): never more than clients were written."""

import asyncio
import signal

from people import PATIENT, Tab
from raw import PATIENT as HEARTBEAT
from raw import SOCKET_IO, Wire, open_packet, websocket

PAYLOAD = "x" * 50_000


async def confirm(tab, user, payload, within=True, client=None):
    """The confirmation in the receipt; `within`: true, or milliseconds."""
    options = {"confirm": within} | ({"client": client} if client else {})
    receipt = await tab.client.call("pub", (user, payload, options), timeout=60)
    return receipt["confirmation"]


async def settled(tab, user, written, client=None):
    """Asks until all have been written to: a client that polls is between two polls at times, and then has not."""
    counts = {}
    for number in range(200):
        found = await confirm(tab, user, ["settled", number], client=client)
        counts = {key: found["written"].get(key, 0) + found["pending"].get(key, 0) for key in written}
        assert counts == written, found
        if found["written"] == written:
            return found
    raise AssertionError(found)


def test_every_device_is_counted_on_every_node(mongo, nodes):
    first, second = nodes.start(2, mongo=mongo, options=PATIENT)

    async def scenario():
        async with (
            Tab(first.url, "alice", "phone"),
            Tab(second.url, "alice", "laptop"),
            Tab(second.url, "alice", "laptop", transports=["polling"]) as polls,
            Tab(first.url, "bob") as bob,
        ):
            found = await settled(bob, "alice", {"phone": 1, "laptop": 2})
            assert found == {
                "outcome": "written",
                "written": {"phone": 1, "laptop": 2},
                "pending": {},
                "unknown": [],
                "isComplete": True,
            }
            found = await settled(bob, "alice", {"laptop": 2}, client="laptop")
            assert found["isComplete"] and found["written"] == {"laptop": 2}
            assert await polls.until(lambda tab: tab.messages())
            nobody = await confirm(bob, "nobody", 1)
            assert (nobody["outcome"], nobody["written"], nobody["isComplete"]) == ("offline", {}, True)
            # Who does not ask is told what it was ever told.
            assert "confirmation" not in await bob.publish("alice", 1)
        assert first.metric('submergence_send_confirmations_total{outcome="offline"}') == 1

    asyncio.run(scenario())


def test_a_node_that_hangs_is_named(mongo, nodes):
    first, second = nodes.start(2, mongo=mongo, options=PATIENT)

    async def scenario():
        async with Tab(second.url, "alice", "laptop"), Tab(first.url, "bob") as bob:
            assert (await settled(bob, "alice", {"laptop": 1}))["isComplete"]
            second.process.send_signal(signal.SIGSTOP)
            try:
                unknown = await confirm(bob, "alice", "whoever is there", within=500)
                assert unknown == {
                    "outcome": "unknown",
                    "written": {},
                    "pending": {},
                    "unknown": [second.name],
                    "isComplete": False,
                }
                async with Tab(first.url, "alice", "phone"):
                    part = await confirm(bob, "alice", "the phone is", within=500)
                    assert (part["outcome"], part["written"]) == ("written", {"phone": 1})
                    assert (part["unknown"], part["isComplete"]) == ([second.name], False)
            finally:
                second.process.send_signal(signal.SIGCONT)
            assert first.metric("submergence_send_confirmations_silent_total") == 2

    asyncio.run(scenario())


def test_who_is_away_is_stored_for(mongo, nodes):
    first, second = nodes.start(2, mongo=mongo, options=["--recovery", "120", *PATIENT])
    second.ping = HEARTBEAT

    async def scenario():
        async with Tab(first.url, "bob") as bob:
            with Wire(second) as wire:
                wire.upgrade_request(websocket(SOCKET_IO)).upgraded()
                open_packet(second, wire.receive())
                wire.send_text('40{"user":"alice","client":"phone"}')
                assert wire.receive().startswith("40{")
                assert (await settled(bob, "alice", {"phone": 1}))["isComplete"]
                wire.reset()
            while (found := await confirm(bob, "alice", "later"))["outcome"] != "stored":
                # Its node has not seen yet that it has gone.
                assert found["outcome"] in ("written", "unknown"), found
            assert found["written"] == {}

    asyncio.run(scenario())


def test_who_does_not_read_has_not_got_it(mongo, nodes):
    first, second = nodes.start(2, mongo=mongo, options=PATIENT)
    second.ping = HEARTBEAT

    async def scenario():
        async with Tab(first.url, "bob") as bob:
            with Wire(second, receive_buffer=4096) as wire:
                wire.upgrade_request(websocket(SOCKET_IO)).upgraded()
                open_packet(second, wire.receive())
                wire.send_text('40{"user":"alice","client":"phone"}')
                assert wire.receive().startswith("40{")
                outcomes = []
                for _ in range(400):
                    found = await confirm(bob, "alice", PAYLOAD)
                    outcomes.append(found["outcome"])
                    assert sum(found["written"].values()) + sum(found["pending"].values()) <= 1, found
                    if found["outcome"] == "offline":
                        break
                # First the system takes it, then the node holds it, and at last the client is closed as too slow.
                assert outcomes == sorted(outcomes, key=["written", "pending", "offline"].index), outcomes
                assert set(outcomes) == {"written", "pending", "offline"}
        assert second.metric("submergence_live_slow_consumers_total") == 1

    asyncio.run(scenario())
