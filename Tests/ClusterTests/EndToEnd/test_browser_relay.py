"""Media through a real relay, by credentials that the node has made (CLIENT.md §11: T-20)."""

import pytest
from browsers import Cluster, play
from relay import Relay

LIFETIME = 20


@pytest.fixture(scope="module")
def relay(tmp_path_factory):
    with Relay(tmp_path_factory.mktemp("relay")) as started:
        yield started


@pytest.fixture(scope="module")
def relayed(relay, mongo, tmp_path_factory):
    options = ["--turn-url", relay.url, "--turn-secret-file", relay.secret_file, "--turn-lifetime", LIFETIME]
    started = Cluster(tmp_path_factory.mktemp("cluster"), mongo, options=options)
    yield started
    started.end()


def test_relay_only_with_credentials_that_stay_fresh(relayed):
    """T-20: relayed both ways; before they run out there are new ones, and a restart uses them."""
    only = {"iceTransportPolicy": "relay"}
    username = "made.connections[0].getConfiguration().iceServers[0].username"
    ufrag = "/a=ice-ufrag:(\\S+)/.exec(made.connections[0].localDescription.sdp)[1]"

    async def scenario(stage):
        alice = await (await stage.person(stage.alice)).tab(node=0, options=only)
        bob = await (await stage.person(stage.bob)).tab(node=1, options=only)
        assert await alice.connect({"to": stage.bob}) == "open"
        await bob.until("incoming.length === 1 && reached(incoming[0]) === 1")
        kinds = """made.connections[0].getStats().then(stats => [...stats.values()]
            .filter(one => one.type === "local-candidate").map(one => one.candidateType))"""
        assert set(await alice.run(kinds)) == {"relay"}

        first, frag = await alice.run(username), await alice.run(ufrag)
        await alice.until(f"{username} !== {first!r}", 60)
        await alice.run("made.connections[0].restartIce()")
        await alice.until(f"{ufrag} !== {frag!r} && made.connections[0].iceConnectionState === 'connected'", 60)
        assert await alice.run("peers[0].emit('message', 'by the relay')") == 1
        await bob.until("peers[0].messages.includes('by the relay')")
        assert await alice.run("made.connections.length") == 1

    play(relayed, scenario)
