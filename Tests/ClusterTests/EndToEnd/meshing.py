"""Two people with three tabs each, that open, close, reload and lose their networks at random (SPEC §11, 4).

`Mesh` is what scripts/mesh.sh runs for minutes and test_browser_mesh.py for seconds.
"""

import asyncio
import collections
import json
import random
import time

# A network that is gone for longer is for the ICE restart, which backs off: test_browser_outages.py.
LONGEST_CUT = 2.0
TABS = 3
# Seconds; slower meshes are told of, with what had happened.
REMARKABLE = 2.0

# From inside a page: which endpoint it is, which it reaches, nobody while it is not live, and whether it is.
REACH = """(() => {
    const isLive = server.state === "live";
    const known = isLive ? peers.flatMap(peer => [...peer.endpoints]) : [];
    const reached = known.filter(([, { channel }]) => channel?.readyState === "open").map(([id]) => id);
    return [server.endpoint, reached, isLive];
})()"""

# What a page knows of an endpoint, and what it has done about it.
ACCOUNT = """(id => {
    const known = peers.flatMap(peer => [...peer.endpoints]).filter(([other]) => other === id);
    return [
        server.state,
        server.endpoint < id ? "offers" : "is offered to",
        known.map(([, { state, channel }]) => [state, channel.readyState]),
        openConnections().map(one => [one.signalingState, one.iceConnectionState, one.connectionState]),
        peers.flatMap(peer => peer.said.slice(-8)),
    ];
})(%s)"""


class Stuck(AssertionError):
    """The mesh is not complete, and will not become so."""


class Mesh:
    """Changes something, waits until every tab reaches every tab of the other person, and so on."""

    def __init__(self, stage, seed, patience=30.0, say=lambda text: None):
        """`patience`: seconds after a change until a mesh that is not complete counts as stuck."""
        self._stage, self._chance, self._patience, self._say = stage, random.Random(seed), patience, say
        self.changes = collections.Counter()
        # Seconds from the last change of a burst to the complete mesh, as looked at every 50 ms. A tab that comes back
        # is a change: one that was cut again and again waits for up to 30 s before it does (C-15).
        self.times = []

    async def run(self, seconds):
        self._people = [await self._stage.person(self._stage.alice), await self._stage.person(self._stage.bob)]
        self._tabs = [[await self._open(person)] for person in self._people]
        assert await self._tabs[0][0].connect({"to": self._stage.bob}) == "open"
        await self._complete()
        end, told = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < end:
            burst = [await self._change() for _ in range(self._chance.randint(1, 3))]
            await self._complete()
            if self.times[-1] > REMARKABLE:
                self._say(f"{self.times[-1]:.2f} s after {', '.join(burst)}")
            if time.monotonic() - told > 20:
                told = time.monotonic()
                self._say(f"{sum(self.changes.values())} changes, slowest mesh {max(self.times):.2f} s")

    async def _open(self, person):
        tab = await person.tab(node=self._chance.randrange(len(self._stage.cluster.nodes)))
        tab.keep_failures_apart()
        await tab.lose_packets(0)
        return tab

    async def _change(self):
        side = self._chance.randrange(2)
        tabs = self._tabs[side]
        kinds = ["reload", "signalling", "packets"]
        kinds += ["open"] * 2 * (len(tabs) < TABS) + ["close"] * (len(tabs) > 1)
        kind = self._chance.choice(kinds)
        tab = self._chance.choice(tabs)
        self.changes[kind] += 1
        if kind == "open":
            tabs.append(await self._open(self._people[side]))
        elif kind == "close":
            tabs.remove(tab)
            self._stage.forget(tab)
            await tab.close()
        elif kind == "reload":
            await tab.reload()
            await tab.ready()
            await tab.live()
        elif kind == "signalling":
            await tab.cut_signalling()
        else:
            await tab.lose_packets(100)
            await asyncio.sleep(self._chance.uniform(0.2, LONGEST_CUT))
            await tab.lose_packets(0)
        return f"{kind} ({'alice' if side == 0 else 'bob'})"

    async def _complete(self):
        start = begin = time.monotonic()
        while True:
            sides = [await asyncio.gather(*(tab.run(REACH) for tab in tabs)) for tabs in self._tabs]
            missing = [
                (own, other)
                for side, others in (sides, reversed(sides))
                for own, reached, _ in side
                for other, *_ in others
                if other not in reached
            ]
            if not missing:
                self.times.append(time.monotonic() - start)
                return
            now = time.monotonic()
            if not all(is_live for side in sides for *_, is_live in side):
                start = now
            if now - start > self._patience or now - begin > 2 * self._patience:
                raise Stuck(
                    f"after {dict(self.changes)}: {len(missing)} ways are missing: {await self._accounts(missing)}"
                )
            await asyncio.sleep(0.05)

    async def _accounts(self, missing):
        """Of both sides, as each page has it."""
        tabs = {await tab.run("server.endpoint"): tab for tabs in self._tabs for tab in tabs}
        accounts = [(own, other, await tabs[own].run(ACCOUNT % json.dumps(other))) for own, other in missing]
        return "".join(f"\n  {own} to {other}: {account}" for own, other, account in accounts)
