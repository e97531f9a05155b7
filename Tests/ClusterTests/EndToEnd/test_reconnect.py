"""Official clients that lose their connection and come back by themselves (SOCKETIO §8.3, §12): what they were given to
send meanwhile arrives in one burst, and a node that stops sends them to another one."""

import asyncio
import json

import pytest
from bundle import page_server
from chromium import Chromium
from people import PATIENT, Tab, is_positive
from processes import Example

# Below the burst that a socket may send (SOCKETIO §18).
BUFFERED = 3000


def client(url, namespace="/", **options):
    """A script that connects; `log` has what became of the connection."""
    return f"""new Promise(resolve => {{
        window.log = [];
        window.seen = [];
        window.socket = io({json.dumps(url + namespace)}, {json.dumps({"reconnectionDelay": 100, **options})});
        socket.on("msg", payload => seen.push(payload));
        socket.on("disconnect", reason => log.push(reason));
        socket.on("connect", () => {{ log.push("connect"); resolve(true); }});
    }})"""


def test_what_was_buffered_arrives(tmp_path):
    """§12, "client offline buffer": with the limits of an application that has set none."""
    auth = {"user": "alice", "client": "x", "invitation": "please"}

    async def scenario(chat):
        async with page_server() as address, Chromium() as browser:
            window = await browser.open(address)
            assert await window.run(client(chat.url, "/chat", auth=auth, transports=["websocket"]))
            await window.run(f"""
                socket.io.engine.close();
                window.answers = [];
                for (let number = 0; number < {BUFFERED}; number++)
                    socket.emit("enter", "room", () => answers.push(number));
                true""")
            await window.until(f"answers.length === {BUFFERED}", 60)
            assert await window.run("answers") == list(range(BUFFERED))
            assert await window.run("log") == ["connect", "forced close", "connect"]

    with Example(tmp_path, "Chat") as chat:
        asyncio.run(scenario(chat))


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]], ids="+".join)
def test_a_node_that_stops_sends_its_clients_elsewhere(mongo, nodes, nginx, transports):
    """§8.3: the transport is closed, not the namespace, and so they come back; nginx knows where to."""
    two = nodes.start(2, mongo=mongo, options=PATIENT)
    proxy = nginx(two)

    async def scenario():
        async with page_server() as address, Chromium() as browser:
            window = await browser.open(address)
            auth = {"user": "alice", "client": "browser"}
            assert await window.run(client(proxy.url, auth=auth, transports=transports))
            await window.until(f"socket.io.engine.transport.name === {json.dumps(transports[-1])}")
            first = await window.run("socket.id")
            own, other = sorted(two, key=lambda node: node.sessions_opened, reverse=True)
            assert (own.sessions_opened, other.sessions_opened) == (1, 0)
            assert await asyncio.to_thread(own.stop) == 0
            await window.until("log.length === 3 && socket.connected", 60)
            log = await window.run("log")
            assert (log[0], log[2]) == ("connect", "connect")
            assert log[1] in ("transport close", "transport error"), log
            assert await window.run("socket.id") != first
            assert other.sessions_opened == 1
            async with Tab(other.url, "bob") as bob:
                assert is_positive(await bob.publish("alice", "found you"))
            await window.until("seen.length === 1 && seen[0] === 'found you'")

    asyncio.run(scenario())
