"""Links between pages on two nodes (CLIENT.md §11: T-7, T-9, T-16, T-17)."""

import asyncio

import socketio
from browsers import CLIENTS, play

# A peer's first event of that name, as JSON, or null.
SAID = "(peers[0]?.said.find(([name]) => name === {}) ?? null)"


def test_data_crosses_nodes_both_ways(cluster):
    """T-7, T-22; the label is the hook's, and the requester's own query (LK-6)."""

    async def scenario(stage):
        alice, bob = await stage.pair()
        assert await bob.run("incoming[0].query") == {"from": stage.alice}
        assert await alice.run("peers[0].query") == {"to": stage.bob}
        assert await alice.run("peers[0].token") == await bob.run("peers[0].token")
        assert await alice.run("peers[0].emit('message', {text: 'hello'})") == 1
        await bob.until("peers[0].messages.length === 1")
        assert await bob.run("peers[0].messages") == [{"text": "hello"}]
        assert await bob.run("peers[0].emit('message', 'and you')") == 1
        await alice.until("peers[0].messages.includes('and you')")
        # The same query, spelled anew, is the same object.
        assert await alice.run("server.getPeer({to: peers[0].query.to}) === peers[0]")

    play(cluster, scenario, clients=CLIENTS)


def test_simultaneous_requests_meet_in_one_link(cluster):
    """T-9, T-22: fifty rounds; one token, one connection for the pair, whoever asks first."""

    async def scenario(stage):
        alice = await (await stage.person(stage.alice)).tab(node=0)
        bob = await (await stage.person(stage.bob)).tab(node=1)
        tokens = set()
        for round in range(50):
            outcomes = await asyncio.gather(alice.connect({"to": stage.bob}), bob.connect({"to": stage.alice}))
            assert outcomes == ["open", "open"], (round, outcomes)
            for tab in (alice, bob):
                await tab.until("openConnections().length === 1")
            token = await alice.run("peers[0].token")
            assert token == await bob.run("peers[0].token") and token not in tokens
            tokens.add(token)
            closer, other = (alice, bob) if round % 2 else (bob, alice)
            await closer.run("peers.forEach(peer => peer.state === 'open' && peer.close())")
            # Within the rate of `link` events, of which a round is one or two (LK-17).
            await asyncio.sleep(0.3)
            for tab in (closer, other):
                await tab.until("openConnections().length === 0 && peers.every(peer => peer.state !== 'open')")
        assert await alice.run("errors") == await bob.run("errors") == []

    play(cluster, scenario, clients=CLIENTS)


def test_refusals_reach_connect(cluster):
    """T-16: and the node keeps serving."""

    async def scenario(stage):
        mallory = await (await stage.person("mallory")).tab(node=0)
        bob = await (await stage.person("bob")).tab(node=1)
        assert await mallory.connect({"to": "bob"}) == "FORBIDDEN"
        assert await mallory.connect({"to": "nobody at all"}) == "OFFLINE"
        assert await mallory.connect({"no": "name"}) == "FORBIDDEN"
        # Somebody who is there, but whose client knows nothing of Links.
        plain = socketio.AsyncClient(reconnection=False)
        auth = {"user": "dave", "client": "script"}
        await plain.connect(cluster.nodes[1].url, auth=auth, transports=["websocket"])
        assert await mallory.connect({"to": "dave"}, timeout=2000) == "TIMEOUT"
        await plain.disconnect()
        assert await bob.run("incoming.length") == 0
        assert await bob.connect({"to": "mallory"}) == "open"

    play(cluster, scenario)


def test_last_tab_gone_closes_after_grace_and_a_reload_does_not(cluster):
    """T-17 (LK-13)."""

    async def scenario(stage):
        alice, bob = await stage.pair()
        token = await alice.run("peers[0].token")
        await bob.reload()
        await bob.ready()
        await bob.live()
        await bob.until("incoming.length === 1 && reached(incoming[0]) === 1")
        assert await alice.run("peers[0].token") == token
        assert await alice.run(SAID.format("'close'")) is None
        assert await alice.run("peers[0].emit('message', 'still here')") == 1
        await bob.until("peers[0].messages.length === 1")
        await bob.close()
        await alice.until(SAID.format("'close'"), 60)
        assert (await alice.run(SAID.format("'close'")))[1]["reason"] == "OFFLINE"
        assert await alice.run("peers[0].state") == "closed"
        await alice.until("openConnections().length === 0")

    play(cluster, scenario)
