"""Namespaces of an application: middleware, hooks, dynamic names, several on one connection (SOCKETIO §11), with
official clients and to the byte. The application is Examples/Chat."""

import asyncio
import contextlib
import json

import pytest
import socketio
from bundle import page_server
from chromium import Chromium
from people import leave
from processes import Example
from raw import PATIENCE, SOCKET_IO, Wire, joined, websocket


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    with Example(tmp_path_factory.mktemp("chat"), "Chat") as example:
        yield example


INVITED = {"user": "alice", "client": "x", "invitation": "please", "name": "Alice"}


class Guest:
    """An official client in one or several namespaces. `received` keeps (namespace, event, arguments) in order."""

    def __init__(self, chat, *namespaces, auth=None, transports=("websocket",)):
        self._url = chat.url
        self.namespaces = list(namespaces) or ["/chat"]
        self._auth = auth or INVITED
        self._transports = list(transports)
        self.received = []
        self.errors = {}
        self._arrival = asyncio.Event()
        self.client = socketio.AsyncClient(reconnection=False)
        for namespace in self.namespaces:
            self._listen(namespace)

    def _listen(self, namespace):
        def note(name, *arguments):
            self.received.append((namespace, name, list(arguments)))
            self._arrival.set()
            return "yes" if name == "vote?" else None

        def refused(error):
            self.errors[namespace] = error
            self._arrival.set()

        self.client.on("*", note, namespace=namespace)
        self.client.on("disconnect", lambda reason: note("disconnect", reason), namespace=namespace)
        self.client.on("connect_error", refused, namespace=namespace)

    async def __aenter__(self):
        await self.client.connect(
            self._url,
            auth=self._auth,
            transports=self._transports,
            namespaces=self.namespaces,
            wait_timeout=20,
        )
        return self

    async def __aexit__(self, *_):
        await leave(self.client)

    def sid(self, namespace="/chat"):
        return self.client.get_sid(namespace)

    async def call(self, event, *arguments, namespace="/chat"):
        return await self.client.call(event, tuple(arguments), namespace=namespace, timeout=PATIENCE)

    async def emit(self, event, *arguments, namespace="/chat"):
        await self.client.emit(event, tuple(arguments), namespace=namespace)

    async def gets(self, event, *arguments, namespace="/chat"):
        """Waits until it has this event, whatever came before or behind."""
        await self.gets_one_of(event, [list(arguments)], namespace)

    async def gets_one_of(self, event, choice, namespace="/chat"):
        async def look():
            while not any((namespace, event, arguments) in self.received for arguments in choice):
                self._arrival.clear()
                await self._arrival.wait()

        try:
            await asyncio.wait_for(look(), PATIENCE)
        except asyncio.TimeoutError:
            raise TimeoutError(f"no {event} {choice} in {namespace}; there was {self.received}") from None

    def count(self, event):
        return sum(name == event for _, name, _ in self.received)


TRANSPORTS = [["websocket"], ["polling"], ["polling", "websocket"]]


def test_refused_by_middleware(chat):
    """§11.5: the message and the details of the application; the session stays open."""

    async def scenario():
        guest = Guest(chat, auth={"user": "bob", "client": "x"})
        with pytest.raises(socketio.exceptions.ConnectionError):
            await guest.__aenter__()
        assert guest.errors["/chat"] == {"message": "not invited", "data": {"hint": "ask nicely"}}
        await leave(guest.client)

    asyncio.run(scenario())


@contextlib.contextmanager
def opened(chat):
    with Wire(chat) as wire:
        wire.upgrade_request(websocket(SOCKET_IO)).upgraded()
        assert wire.receive()[0] == "0"
        yield wire


def test_to_the_byte(chat):
    """§10.1 "refused by middleware, with details"; §11.7, §11.8: CONNECT before all that the handler emits."""
    with opened(chat) as wire:
        wire.send_text('40/chat,{"user":"bob","client":"x"}')
        assert wire.receive() == '44/chat,{"message":"not invited","data":{"hint":"ask nicely"}}'
        for name in ["/random", "/table-of-too-many", "/tables"]:
            wire.send_text(f"40{name},")
            assert wire.receive() == f'44{name},{{"message":"Invalid namespace"}}'
        wire.send_text(f"40/chat,{json.dumps(INVITED)}")
        sid = joined(wire.receive(), "/chat,")
        assert wire.receive() == f'42/chat,["welcome","{sid}","Alice"]'
        wire.send_text('42/chat,7["enter","a/b c"]')
        assert wire.receive() == "43/chat,7" + json.dumps([sorted([sid, "lobby", "a/b c"])], separators=(",", ":"))
        wire.send_text("41/chat,")
        wire.send_text('42/chat,["enter","too late"]')
        assert wire.is_ended()


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_hooks_and_rooms(chat, transports):
    """§11.7, §11.11: who comes is told of, and who goes, with its reason and the rooms that it was in."""

    async def scenario():
        async with Guest(chat, transports=transports) as alice, Guest(chat, transports=transports) as bob:
            await alice.gets("welcome", alice.sid(), "Alice")
            await alice.gets("came", bob.sid())
            assert await alice.call("who") == sorted([alice.sid(), bob.sid()])
            assert await bob.call("enter", "kitchen") == sorted([bob.sid(), "lobby", "kitchen"])
            await alice.emit("say", "kitchen", "dinner")
            await bob.gets("said", alice.sid(), "dinner")
            await bob.emit("say", "lobby", "coming")
            await alice.gets("said", bob.sid(), "coming")
            assert await alice.call("vote") == (["yes", "yes"], 0)
            assert (alice.count("vote?"), bob.count("vote?")) == (1, 1)
            sid = bob.sid()
            await leave(bob.client)
            # This client may close its WebSocket before its DISCONNECT is written.
            reasons = ["transport close", "client namespace disconnect"]
            await alice.gets_one_of("went", [[sid, why, sorted([sid, "lobby", "kitchen"])] for why in reasons])
            # Nothing of the kitchen came to Alice, nothing came twice.
            assert [alice.count(name) for name in ("welcome", "came", "said", "went")] == [1, 1, 1, 1]

    asyncio.run(scenario())


def test_put_out(chat):
    """§8.3, §11.12: of the namespace alone, and for good."""

    async def scenario():
        async with Guest(chat) as alice, Guest(chat, "/chat", "/table-1") as bob:
            sid = bob.sid()
            await alice.emit("out", sid)
            await bob.gets("disconnect", "server disconnect")
            await alice.gets("went", sid, "server namespace disconnect", sorted([sid, "lobby"]))
            # The other namespace of that connection is still there.
            await bob.emit("move", "e2e4", namespace="/table-1")
            assert "/table-1" in bob.client.namespaces

    asyncio.run(scenario())


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_namespaces_that_clients_name(chat, transports):
    """§11.4: each a namespace of its own, with the handlers of all; on one connection as many as are wanted."""

    async def scenario():
        names = ["/chat", "/table-1", "/table-2"]
        async with (
            Guest(chat, *names, transports=transports) as alice,
            Guest(chat, "/table-1", transports=transports) as bob,
            Guest(chat, "/table-2", transports=transports) as carol,
        ):
            assert len({alice.sid(name) for name in names}) == 3
            for name in names[1:]:
                await alice.gets("seated", name, namespace=name)
            await bob.emit("move", "one", namespace="/table-1")
            await carol.emit("move", "two", namespace="/table-2")
            await alice.gets("moved", "one", namespace="/table-1")
            await alice.gets("moved", "two", namespace="/table-2")
            await alice.emit("move", "three", namespace="/table-1")
            await bob.gets("moved", "three", namespace="/table-1")
            assert (alice.count("moved"), bob.count("moved"), carol.count("moved")) == (2, 1, 0)
            # There is nobody at a table that is refused, and the others do not mind.
            await leave(alice.client)

    asyncio.run(scenario())


def test_volatile(chat):
    """§12: a client that can take it gets it."""

    async def scenario():
        async with Guest(chat) as alice, Guest(chat) as bob:
            await alice.gets("came", bob.sid())
            await bob.emit("typing")
            await alice.gets("typing", bob.sid())
            assert bob.count("typing") == 0

    asyncio.run(scenario())


def test_in_the_browser(chat):
    """§11 with the official browser client: refused, then let in; several namespaces over one connection."""
    script = f"""
        window.manager = new io.Manager({json.dumps(chat.url)}, {{ transports: ["websocket"] }});
        window.seen = [];
        window.open = (name, auth) => {{
            const socket = manager.socket(name, {{ auth }});
            socket.onAny((...event) => {{
                seen.push([name, ...event]);
                const answer = event[event.length - 1];
                if (event[0] === "vote?") answer("aye");
            }});
            socket.on("connect_error", error => seen.push([name, "refused", error.message, error.data]));
            socket.on("disconnect", reason => seen.push([name, "disconnect", reason]));
            return socket;
        }};
        true"""

    async def scenario():
        async with page_server() as address, Chromium() as browser, Guest(chat) as guest:
            window = await browser.open(address)
            await window.run(script)
            await window.run("window.chat = open('/chat', {user: 'bob', client: 'x'}); true")
            await window.until("seen.length === 1")
            assert await window.run("seen.shift()") == ["/chat", "refused", "not invited", {"hint": "ask nicely"}]
            await window.run(f"chat.auth = {json.dumps(INVITED)}; chat.connect(); true")
            await window.until("chat.connected && seen.length === 1")
            sid = await window.run("chat.id")
            assert await window.run("seen.shift()") == ["/chat", "welcome", sid, "Alice"]
            await guest.gets("came", sid)
            await window.run(f"window.table = open('/table-1', {json.dumps(INVITED)}); true")
            await window.until("table.connected && seen.length === 1")
            assert await window.run("seen.shift()") == ["/table-1", "seated", "/table-1"]
            assert await window.run("table.id !== chat.id && table.io === chat.io")
            assert await window.run("chat.emitWithAck('who')") == sorted([sid, guest.sid()])
            votes = await window.run("new Promise(r => chat.timeout(20000).emit('vote', (...all) => r(all)))")
            assert votes == [None, ["aye", "yes"], 0]
            await window.until("seen.length === 1")
            assert (await window.run("seen.shift()"))[:2] == ["/chat", "vote?"]
            await guest.emit("out", sid)
            await window.until("seen.length === 1")
            assert await window.run("seen.shift()") == ["/chat", "disconnect", "io server disconnect"]
            await guest.gets("went", sid, "server namespace disconnect", sorted([sid, "lobby"]))
            assert await window.run("[chat.active, table.connected]") == [False, True]

            # Back again, and away by itself.
            await window.run("chat.connect(); true")
            await window.until("chat.connected && seen.length === 1")
            sid = await window.run("chat.id")
            await guest.gets("came", sid)
            await window.run("chat.disconnect(); true")
            await guest.gets("went", sid, "client namespace disconnect", sorted([sid, "lobby"]))
            assert await window.run("table.connected")

    asyncio.run(scenario())
