"""Nodes that go, networks that fail, pages that sleep (CLIENT.md §11: T-12, T-13, T-18, T-19)."""

import asyncio
import os

from browsers import CLIENTS, Person, only_chromium, play

# Seconds that a tab is hidden: short here; SUBMERGENCE_HIDDEN=120 is the whole of T-19.
HIDDEN = float(os.environ.get("SUBMERGENCE_HIDDEN", "10"))

TICKING = """(() => {
    let number = 0;
    window.ticking = setInterval(() => peers[0].emit("message", number++), 20);
})()"""


def test_data_flows_while_all_nodes_are_away(cluster):
    """T-12, T-22: channels know nothing of nodes; afterwards a new tab can join."""

    async def scenario(first):
        stages = [first.with_client(client) for client in CLIENTS]
        pairs = [await stage.pair() for stage in stages]
        tabs = [tab for pair in pairs for tab in pair]
        for tab in tabs:
            tab.keep_failures_apart()
            await tab.run(TICKING)
        for node in cluster.nodes:
            node.kill()
        before = [await tab.run("peers[0].messages.length") for tab in tabs]
        for tab, count in zip(tabs, before, strict=True):
            await tab.until(f"peers[0].messages.length > {count + 20}")
        for node in cluster.nodes:
            node.start()
        for node in cluster.nodes:
            await asyncio.to_thread(node.wait_until_ready)
        # Left to itself, a page may wait for half a minute until its next try: for longer than its Links do.
        for tab in tabs:
            await tab.run("void dispatchEvent(new Event('online'))")
        for tab in tabs:
            await tab.until("server.state === 'live'", 60)
            await tab.run("clearInterval(ticking)")
        # Nothing is lost, doubled or reordered, and nothing was built anew.
        for tab in tabs:
            await tab.until("peers[0].messages.length > 0")
            assert await tab.run("peers[0].messages.every((number, index) => number === index)")
            assert await tab.run("made.connections.length") == 1
            assert await tab.run("incoming.length") == (0 if tab.node == 0 else 1)
            assert await tab.run("peers[0].said.filter(([name]) => name === 'close')") == []
        for stage, (_, bob) in zip(stages, pairs, strict=True):
            late = await Person(stage, stage.bob, "laptop", bob.context).tab(node=0, live=False)
            # For a second nginx goes past a node that was away, and then back to it: polls meet a node that does not
            # know them, and begin anew.
            late.keep_failures_apart()
            await late.live()
            await late.until("incoming.length === 1 && reached(incoming[0]) === 1", 60)

    play(cluster, scenario)


@only_chromium
def test_packets_that_do_not_arrive_end_in_an_ice_restart(cluster):
    """T-13: until the module has restarted; same connection, same channels, no new peer."""

    async def scenario(stage):
        alice = await (await stage.person(stage.alice)).tab(node=0)
        bob = await (await stage.person(stage.bob)).tab(node=1)
        for tab in (alice, bob):
            await tab.lose_packets(0)
        assert await alice.connect({"to": stage.bob}) == "open"
        await bob.until("incoming.length === 1 && reached(incoming[0]) === 1")
        ufrag = "/a=ice-ufrag:(\\S+)/.exec(made.connections[0].localDescription.sdp)[1]"
        old = await alice.run(ufrag)
        await alice.run("window.channel = [...peers[0].endpoints.values()][0].channel")
        for tab in (alice, bob):
            await tab.lose_packets(100)
        await alice.run("peers[0].emit('message', 'from the dark')")
        await alice.until(f"{ufrag} !== {old!r}", 60)
        for tab in (alice, bob):
            await tab.lose_packets(0)
        await bob.until("peers[0].messages.includes('from the dark')", 60)
        await alice.until("made.connections[0].connectionState === 'connected'", 60)
        for tab in (alice, bob):
            assert await tab.run("made.connections.length") == 1
        assert await alice.run("[...peers[0].endpoints.values()][0].channel === channel")
        assert await bob.run("incoming.length") == 1
        assert await alice.run("peers[0].said.filter(([name]) => name === 'endpointclose')") == []

    play(cluster, scenario)


@only_chromium
def test_page_that_comes_back_from_the_cache_is_linked_again(cluster):
    """T-18: the same page instance, so the same endpoint."""

    async def scenario(stage):
        alice, bob = await stage.pair()
        await bob.run("""addEventListener('pageshow', ({ persisted }) => { window.wasPersisted = persisted; },
            window.mark = 'the same page')""")
        known = await alice.run("[...peers[0].endpoints.keys()]")
        await bob.go(cluster.url(1) + "/page/elsewhere.html")
        await alice.until("reached(peers[0]) === 0")
        await bob.back()
        await bob.until("window.mark === 'the same page' && window.wasPersisted")
        await bob.until("server.state === 'live'")
        await alice.until("reached(peers[0]) === 1")
        assert await alice.run("[...peers[0].endpoints.keys()]") == known
        assert await alice.run("peers[0].emit('message', 'welcome back')") == 1
        await bob.until("peers[0].messages.includes('welcome back')")

    play(cluster, scenario)


@only_chromium
def test_hidden_tab_is_live_when_it_is_shown(cluster):
    """T-19: timers of hidden tabs are throttled, here as in a person's browser."""

    async def scenario(stage):
        alice, bob = await stage.person(stage.alice), await stage.person(stage.bob)
        tab, other = await alice.tab(node=0), await bob.tab(node=1)
        assert await tab.connect({"to": stage.bob}) == "open"
        cover = await alice.tab(node=0, live=False, window=False)
        await cover.show()
        await tab.until("document.visibilityState === 'hidden'")
        await asyncio.sleep(HIDDEN)
        await tab.show()
        await tab.until("document.visibilityState === 'visible' && server.state === 'live'")
        await other.until("reached(peers[0]) === 1")
        assert await other.run("peers[0].emit('message', 'good morning')") == 1
        await tab.until("peers[0].messages.includes('good morning')")

    play(cluster, scenario, seconds=HIDDEN + 180, throttled=True)
