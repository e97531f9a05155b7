"""MongoDB hangs for a while: sockets stay, nobody is declared dead, everything comes back (SPEC ND-3, ND-13, LC-7)."""

import asyncio
import contextlib
import urllib.error
import urllib.request

import pytest
from people import PATIENT, Tab, is_positive
from processes import wait_for


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

        names = [incarnation(node) for node in two]
        await asyncio.to_thread(outage)

        # Neither node was claimed, no socket went, nobody was announced off line.
        assert [incarnation(node) for node in two] == names
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


def incarnation(node):
    """The id under which a node serves, as it says in its log: the last one counts."""
    return [line for line in node.log().split("\n") if line.startswith("node ")][-1]
