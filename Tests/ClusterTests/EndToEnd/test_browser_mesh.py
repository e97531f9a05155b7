"""All tabs of one person with all tabs of another (CLIENT.md §11: T-8, T-10, T-11)."""

import asyncio
import random

from browsers import CLIENTS, only_chromium, play
from meshing import Mesh


async def meshed(alices, bobs):
    """Waits until every tab reaches every tab of the other."""
    for tabs, count in ((alices, len(bobs)), (bobs, len(alices))):
        for tab in tabs:
            await tab.until(f"peers.length === 1 && reached(peers[0]) === {count}")


def test_mesh_of_three_and_two(cluster):
    """T-8, T-22: in whatever order they come, six connections, each offered once, and each event once in each tab."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")

    async def scenario(stage):
        chance = random.Random(f"{seed} {stage.client}")
        alice, bob = await stage.person(stage.alice), await stage.person(stage.bob)
        alices = [await alice.tab(node=chance.randrange(2), live=False) for _ in range(3)]
        bobs = [await bob.tab(node=chance.randrange(2), live=False) for _ in range(2)]
        order = alices + bobs
        chance.shuffle(order)
        live, request = [], None
        for tab in order:
            await tab.live()
            live.append(tab)
            asking = next((tab for tab in live if tab in alices), None)
            if not request and asking and any(tab in bobs for tab in live):
                request = asyncio.ensure_future(asking.connect({"to": stage.bob}))
        assert await request == "open"
        await meshed(alices, bobs)
        assert sum(await asyncio.gather(*(tab.run("made.offers.length") for tab in order))) == 6
        for tabs, count in ((alices, 2), (bobs, 3)):
            for tab in tabs:
                assert await tab.run("openConnections().length") == count
        # One event from each; the second one shows that nothing came twice before it.
        for word in ("once", "then"):
            for number, tab in enumerate(order):
                reached = 2 if tab in alices else 3
                assert await tab.run(f"peers[0].emit('message', ['{word}', {number}])") == reached
        for tab in order:
            others = [number for number, other in enumerate(order) if (other in alices) != (tab in alices)]
            await tab.until(f"peers[0].messages.length >= {2 * len(others)}")
            expected = sorted([word, number] for word in ("once", "then") for number in others)
            assert sorted(await tab.run("peers[0].messages")) == expected

    play(cluster, scenario, clients=CLIENTS)


@only_chromium
def test_random_changes_leave_nobody_alone(cluster):
    """Fifteen seconds of what scripts/mesh.sh does for ten minutes."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")

    async def scenario(stage):
        mesh = Mesh(stage, seed)
        await mesh.run(15)
        print(mesh.changes, f"slowest {max(mesh.times):.2f} s")

    play(cluster, scenario)


def test_new_tab_joins_unasked(cluster):
    """T-10, T-22: ten seconds after the Link was made, which is longer than any of its graces."""

    async def scenario(stage):
        alice, bob = await stage.person(stage.alice), await stage.person(stage.bob)
        first, second = await alice.tab(node=0), await bob.tab(node=1)
        assert await first.connect({"to": stage.bob}) == "open"
        await asyncio.sleep(10)
        late, own = await bob.tab(node=0), await alice.tab(node=1)
        await meshed([first, own], [second, late])
        assert await late.run("incoming.map(peer => peer.query)") == [{"from": stage.alice}]
        # A second tab of the requester has the requester's label (LK-6).
        assert await own.run("incoming.map(peer => peer.query)") == [{"to": stage.bob}]

    play(cluster, scenario, clients=CLIENTS)


@only_chromium
def test_tab_that_closes_or_crashes_is_noticed(cluster):
    """T-11, T-22: and nobody else is disturbed."""

    async def scenario(stage):
        alice, bob = await stage.person(stage.alice), await stage.person(stage.bob)
        tabs = [await alice.tab(node=0), await alice.tab(node=1)]
        others = [await bob.tab(node=0), await bob.tab(node=1), await bob.tab(node=1, watch=False)]
        assert await tabs[0].connect({"to": stage.bob}) == "open"
        await meshed(tabs, others)
        connections = [await tab.run("made.connections.length") for tab in tabs]
        await others.pop(0).close()
        for tab in tabs:
            await tab.until("peers[0].said.filter(([name]) => name === 'endpointclose').length === 1")
        await others.pop().crash()
        for tab in tabs:
            await tab.until("peers[0].said.filter(([name]) => name === 'endpointclose').length === 2", 60)
        await meshed(tabs, others)
        assert [await tab.run("made.connections.length") for tab in tabs] == connections
        assert await tabs[1].run("peers[0].emit('message', 1)") == 1
        await others[0].until("peers[0].messages.length === 1")

    play(cluster, scenario, clients=CLIENTS)
