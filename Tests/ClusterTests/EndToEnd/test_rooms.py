"""Rooms, acknowledgements and operations on sockets of all nodes, with official clients on three nodes (SOCKETIO §12,
§13). The `room:` events of the conformance server do what its clients ask for."""

import asyncio
import contextlib
import itertools
import os
import signal

import pytest
import socketio
from people import PATIENT, leave
from processes import Nodes

marks = itertools.count(1)


class Member:
    """An official client. `received` keeps what it was sent, in order: (event, arguments); answers are in `answers`."""

    def __init__(self, node, user, transports, namespace):
        self.node = node
        self.user = user
        self.received = []
        self.reasons = []
        self.answers = {"ask": lambda *arguments: (self.user, *arguments)}
        self._transports = transports
        self.namespace = namespace
        self._arrival = asyncio.Event()

    async def __aenter__(self):
        self.client = socketio.AsyncClient(reconnection=False)
        self.client.on("*", self._on_event, namespace=self.namespace)
        self.client.on("disconnect", self._on_disconnect, namespace=self.namespace)
        await self.client.connect(
            self.node.url,
            auth={"user": self.user, "client": "x"},
            transports=self._transports,
            namespaces=[self.namespace],
            wait_timeout=20,
        )
        return self

    async def __aexit__(self, *_):
        await leave(self.client)

    @property
    def sid(self):
        return self.client.get_sid(self.namespace)

    async def _on_event(self, name, *arguments):
        if name != "auth":
            self.received.append((name, list(arguments)))
            self._arrival.set()
        answer = self.answers.get(name)
        if answer is not None:
            return answer(*arguments)
        if name in self.answers:  # none at all
            await asyncio.Event().wait()

    async def _on_disconnect(self, reason):
        self.reasons.append(reason)
        self._arrival.set()

    async def ask(self, event, *arguments):
        """An event of the conformance server, and its answer."""
        return await self.client.call(event, tuple(arguments), namespace=self.namespace, timeout=30)

    async def until(self, condition):
        async def look():
            while not condition():
                self._arrival.clear()
                await self._arrival.wait()

        await asyncio.wait_for(look(), 30)

    async def joins(self, *rooms):
        assert set(await self.ask("room:join", list(rooms))) >= {self.sid, *rooms}


@contextlib.asynccontextmanager
async def members(nodes, names, transports=("websocket",), namespace="/"):
    """One member on each node in turn, `names` being theirs."""
    async with contextlib.AsyncExitStack() as stack:
        entered = []
        for name, node in zip(names, itertools.cycle(nodes)):
            entered.append(await stack.enter_async_context(Member(node, name, list(transports), namespace)))
        yield entered


async def settled(sender, everybody):
    """What everybody was sent up to now. Events of one sender arrive in order (SPEC ND-7), so behind a mark that has
    arrived nothing is missing."""
    name = f"mark {next(marks)}"
    receipt = await sender.ask("room:emit", {"event": name})
    assert receipt["isComplete"], receipt
    found = []
    for member in everybody:
        await member.until(lambda: (name, []) in member.received)
        member.received.remove((name, []))
        found.append(member.received)
        member.received = []
    return found


TRANSPORTS = [["websocket"], ["polling"]]


@pytest.fixture(scope="module")
def three(mongo, tmp_path_factory):
    started = Nodes(tmp_path_factory.mktemp("rooms"))
    try:
        yield started.start(3, mongo=mongo, options=PATIENT)
    finally:
        started.end()


@pytest.mark.parametrize("namespace", ["/", "/custom"])
@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_targets(three, transports, namespace):
    """§12: the union of rooms less the union of excepted rooms; no room is everybody; nobody gets anything twice."""

    async def scenario():
        async with members(three, ["a", "b", "c", "d"], transports, namespace) as everybody:
            a, b, c, d = everybody
            await a.joins("x")
            await b.joins("x", "y")
            await c.joins("y")
            orders = [
                ("room:emit", {}, [a, b, c, d]),
                ("room:cast", {}, [b, c, d]),
                ("room:emit", {"rooms": ["x"]}, [a, b]),
                ("room:cast", {"rooms": ["x"]}, [b]),
                ("room:emit", {"rooms": ["x", "y"]}, [a, b, c]),
                ("room:emit", {"rooms": ["x", "y"], "except": ["y"]}, [a]),
                ("room:emit", {"except": ["x"]}, [c, d]),
                ("room:emit", {"rooms": ["nobody"]}, []),
                ("room:emit", {"rooms": [c.sid]}, [c]),
                ("room:emit", {"rooms": ["x", b.sid]}, [a, b]),
                # a and d are on the same node.
                ("room:emit", {"local": True}, [a, d]),
                ("room:emit", {"rooms": ["x"], "local": True}, [a]),
            ]
            for number, (event, order, _) in enumerate(orders):
                await a.client.emit(
                    event, {**order, "event": f"e{number}", "arguments": [number, "text"]}, namespace=namespace
                )
            found = await settled(a, everybody)
            for member, received in zip(everybody, found):
                expected = [
                    (f"e{number}", [number, "text"])
                    for number, (_, _, targets) in enumerate(orders)
                    if member in targets
                ]
                assert received == expected, member.user

    asyncio.run(scenario())


def test_leaving(three):
    async def scenario():
        async with members(three, ["a", "b", "c"]) as everybody:
            a, b, c = everybody
            for member in everybody:
                await member.joins("x")
            assert set(await b.ask("room:leave", ["x"])) == {b.sid}
            await leave(c.client)
            await c.client.connect(c.node.url, auth={"user": "c", "client": "x"}, transports=["websocket"])
            assert (await a.ask("room:emit", {"rooms": ["x"], "event": "e"}))["local"] == 1
            assert await settled(a, everybody) == [[("e", [])], [], []]

    asyncio.run(scenario())


def test_namespaces_have_rooms_of_their_own(three):
    async def scenario():
        async with members(three, ["a", "b"]) as main, members(three, ["c", "d"], namespace="/custom") as custom:
            for member in [*main, *custom]:
                await member.joins("x")
            await main[0].client.emit("room:emit", {"rooms": ["x"], "event": "main"})
            await custom[0].client.emit("room:emit", {"rooms": ["x"], "event": "custom"}, namespace="/custom")
            assert await settled(main[0], main) == [[("main", [])]] * 2
            assert await settled(custom[0], custom) == [[("custom", [])]] * 2

    asyncio.run(scenario())


def test_order(three):
    """A thousand events of one sender, to a room and to everybody in turn: all there, once, in order."""
    count = 1000

    async def scenario():
        async with members(three, ["a", "b", "c"]) as everybody:
            for member in everybody:
                await member.joins("x")
            for number in range(count):
                order = {"event": "e", "arguments": [number]}
                if number % 2:
                    order["rooms"] = ["x"]
                await everybody[0].client.emit("room:emit", order)
            for received in await settled(everybody[0], everybody):
                assert received == [("e", [number]) for number in range(count)]

    asyncio.run(scenario())


def test_broadcast_with_acknowledgements(three):
    """§12: one answer of each client, whatever its node; who does not answer in time is counted, the rest is there."""

    async def scenario():
        async with members(three, ["a", "b", "c", "d"]) as everybody:
            a, b, c, d = everybody
            for member in everybody:
                await member.joins("x")
            replies = await a.ask("room:ask", {"rooms": ["x"], "arguments": [1]})
            assert sorted(replies["responses"]) == [[name, 1] for name in "abcd"]
            assert (replies["missing"], replies["disconnected"]) == (0, 0)
            assert replies["silent"] == replies["departed"] == []

            b.answers["ask"] = None
            replies = await a.ask("room:ask", {"rooms": ["x"], "timeout": 5, "arguments": [2]})
            assert sorted(replies["responses"]) == [[name, 2] for name in "acd"]
            assert (replies["missing"], replies["disconnected"]) == (1, 0)

            # The one that is missing leaves: there is nothing to wait for any more.
            asked = asyncio.create_task(a.ask("room:ask", {"rooms": ["x"], "timeout": 25, "arguments": [3]}))
            await b.until(lambda: ("ask", [3]) in b.received)
            await leave(b.client)
            replies = await asked
            assert sorted(replies["responses"]) == [[name, 3] for name in "acd"]
            assert (replies["missing"], replies["disconnected"]) == (0, 1)

            replies = await a.ask("room:ask", {"rooms": ["nobody"], "timeout": 25})
            assert replies["responses"] == []

    asyncio.run(scenario())


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_acknowledgement_of_one_client(three, transports):
    """§12: emit with ack from the server; without an answer in time it is an error, and a late answer is ignored."""

    async def scenario():
        async with members(three, ["a"], transports) as (a,):
            assert await a.ask("ask-me", {"arguments": [1, {"two": [2]}]}) == ["a", 1, {"two": [2]}]
            a.answers["ask"] = lambda: ()
            assert await a.ask("ask-me", {}) == []
            a.answers["ask"] = None
            assert await a.ask("ask-me", {"timeout": 0.2}) == "timedOut"
            a.answers["ask"] = lambda: "in time"
            assert await a.ask("ask-me", {}) == ["in time"]

    asyncio.run(scenario())


def test_fetch_sockets(three):
    """§13: id, user, rooms and data of all sockets of the target, of all nodes."""

    async def scenario():
        async with members(three, ["a", "b", "c"]) as everybody:
            a, b, c = everybody
            await b.joins("x", "y")
            await c.joins("x")
            assert await c.ask("room:data", {"name": "c", "n": [1, None]})
            fetched = await a.ask("room:fetch", {})
            assert (fetched["silent"], fetched["departed"]) == ([], [])
            assert {socket["id"] for socket in fetched["sockets"]} == {member.sid for member in everybody}
            fetched = await a.ask("room:fetch", {"rooms": ["x"]})
            found = {socket["user"]: socket for socket in fetched["sockets"]}
            assert set(found) == {"b", "c"}
            assert set(found["b"]["rooms"]) == {b.sid, "x", "y"}
            assert found["c"]["data"] == {"name": "c", "n": [1, None]}
            assert found["b"].get("data") is None
            local = await a.ask("room:fetch", {"local": True})
            assert [socket["id"] for socket in local["sockets"]] == [a.sid]

    asyncio.run(scenario())


def test_orders_to_sockets_of_all_nodes(three):
    """§13: socketsJoin, socketsLeave and disconnectSockets reach every node."""

    async def scenario():
        async with members(three, ["a", "b", "c"]) as everybody:
            a, b, c = everybody
            await b.joins("x")
            await c.joins("x")
            assert await a.ask("room:sockets-join", {"rooms": ["x"], "names": ["y", "z"]})
            await a.client.emit("room:emit", {"rooms": ["y"], "event": "joined"})
            assert await a.ask("room:sockets-leave", {"rooms": [b.sid], "names": ["y"]})
            await a.client.emit("room:emit", {"rooms": ["y"], "event": "left"})
            assert await settled(a, everybody) == [[], [("joined", [])], [("joined", []), ("left", [])]]

            # Of the namespace only: the connection stays, and the client does not come back by itself (§8.3).
            assert await a.ask("room:disconnect", {"rooms": [b.sid]})
            await b.until(lambda: b.reasons)
            assert await a.ask("room:disconnect", {"rooms": ["x"], "close": True})
            await c.until(lambda: c.reasons)
            assert (len(b.reasons), len(c.reasons)) == (1, 1)
            assert {socket["id"] for socket in (await a.ask("room:fetch", {}))["sockets"]} == {a.sid}

    asyncio.run(scenario())


def test_nodes_ask_each_other(three):
    """§13: serverSideEmit goes to all other nodes, and each answers once."""

    async def scenario():
        async with members(three, ["a"]) as (a,):
            replies = await a.ask("node:ask", {})
            assert sorted(answer["node"] for (answer,) in replies["responses"]) == [
                node.name for node in three if node is not a.node
            ]
            assert {answer["argument"] for (answer,) in replies["responses"]} == {a.sid}
            assert replies["silent"] == replies["departed"] == []

    asyncio.run(scenario())


def test_a_silent_node_has_a_name(three):
    """§13, "partial results on timeout instead of an error": a node that hangs is named, and what the others said is
    there; one that is gone is not waited for."""

    async def scenario():
        # Three ask the first node: what one socket asks for is done one after the other, and after ten seconds the
        # node that hangs would be taken for dead.
        async with members([*three, three[0], three[0]], ["a", "b", "c", "d", "e"]) as (a, b, c, d, e):
            os.kill(c.node.process.pid, signal.SIGSTOP)
            try:
                fetched, replies, answers = await asyncio.gather(
                    a.ask("room:fetch", {"timeout": 4}),
                    d.ask("room:ask", {"timeout": 4}),
                    e.ask("node:ask", {"timeout": 4}),
                )
            finally:
                os.kill(c.node.process.pid, signal.SIGCONT)
            assert fetched["silent"] == replies["silent"] == answers["silent"] == [c.node.name]
            assert {socket["id"] for socket in fetched["sockets"]} == {member.sid for member in (a, b, d, e)}
            assert sorted(replies["responses"]) == [["a"], ["b"], ["d"], ["e"]]
            assert [answer["node"] for (answer,) in answers["responses"]] == [b.node.name]
            # It goes on as if nothing had been.
            fetched = await a.ask("room:fetch", {"timeout": 25})
            assert {socket["id"] for socket in fetched["sockets"]} == {member.sid for member in (a, b, c, d, e)}

            await leave(c.client)
            c.node.kill()
            fetched = await a.ask("room:fetch", {"timeout": 29})
            assert {socket["id"] for socket in fetched["sockets"]} == {member.sid for member in (a, b, d, e)}
            assert fetched["silent"] == []

    try:
        asyncio.run(scenario())
    finally:
        if not three[2].is_running:
            three[2].start()
            three[2].wait_until_ready()
