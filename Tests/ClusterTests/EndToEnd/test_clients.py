"""Official clients on every transport: python-socketio, and the browser bundle in Chromium (protocol, SPEC §8)."""

import asyncio
import contextlib
import json
import os
import pathlib
import queue
import subprocess

import aiohttp
import pytest
import socketio
from bundle import bundle, page_server
from chromium import Chromium
from people import PATIENT, Tab, is_positive

TRANSPORTS = [["websocket"], ["polling"], ["polling", "websocket"]]
BLOB = bytes(range(256)) * 16


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_echo_text_and_binary(nodes, transports):
    (node,) = nodes.start(1, options=PATIENT)

    async def scenario():
        async with Tab(node.url, "alice", transports=transports) as tab:
            assert await tab.echo("text", 1, {"nested": [None, True, 1.5]}) == [
                "text",
                1,
                {"nested": [None, True, 1.5]},
            ]
            assert await tab.echo("ünïcödé 🌊", "") == ["ünïcödé 🌊", ""]
            assert await tab.echo({"first": BLOB, "second": [b"", b"\x00\x1e"]}) == {
                "first": BLOB,
                "second": [b"", b"\x00\x1e"],
            }
            assert tab.client.transport() == transports[-1]

    asyncio.run(scenario())


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_binary_between_nodes(mongo, nodes, transports):
    """Binary attachments cross the bus, whatever the transports at both ends."""
    two = nodes.start(2, mongo=mongo, options=PATIENT)

    async def scenario():
        async with Tab(two[0].url, "alice", transports=transports) as alice, Tab(two[1].url, "bob") as bob:
            payload = {"name": "reef.jpg", "parts": [BLOB, b"\x00"]}
            assert is_positive(await bob.publish("alice", payload))
            assert is_positive(await alice.publish("bob", payload))
            for tab in (alice, bob):
                await tab.until(lambda tab: tab.messages())
                assert tab.messages() == [payload]

    asyncio.run(scenario())


def test_many_polling_clients_through_nginx(mongo, nodes, nginx):
    """ip_hash keeps each polling session on its node: clients of different networks land on different nodes (TR-3)."""
    three = nodes.start(3, mongo=mongo, options=PATIENT)
    proxy = nginx(three)

    async def scenario():
        async with contextlib.AsyncExitStack() as stack:
            tabs = []
            for index in range(12):
                transports = TRANSPORTS[index % 3]
                tab = Tab(proxy.url, f"user-{index}", transports=transports, source=f"127.0.{index + 1}.1")
                tabs.append(await stack.enter_async_context(tab))
            for index, tab in enumerate(tabs):
                assert is_positive(await tab.publish(f"user-{(index + 1) % 12}", ["from", index]))
            for index, tab in enumerate(tabs):
                await tab.until(lambda tab: tab.messages())
                assert tab.messages() == [["from", (index - 1) % 12]]

    asyncio.run(scenario())


def test_unknown_host_is_not_answered(nodes, nginx):
    """nginx's default server is closed (TR-3)."""
    import http.client

    (node,) = nodes.start(1, options=PATIENT)
    proxy = nginx([node])
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    connection.request("GET", "/", headers={"Host": "elsewhere.example"})
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        connection.getresponse()


def test_official_browser_client_upgrades(mongo, nodes):
    """Polling first, then upgraded; events and binary both ways, between two windows on two nodes."""
    two = nodes.start(2, mongo=mongo, options=PATIENT)

    def connect(node, user):
        return f"""new Promise((resolve, reject) => {{
            window.seen = [];
            window.socket = io({json.dumps(node.url)}, {{ auth: {{ user: {json.dumps(user)}, client: "browser" }} }});
            socket.on("msg", payload => seen.push(payload));
            socket.io.on("open", () => {{ window.first = socket.io.engine.transport.name; }});
            socket.on("connect", () => resolve(true));
            socket.on("connect_error", reject);
        }})"""

    async def scenario():
        async with page_server() as address, Chromium() as browser:
            windows = []
            for node, user in zip(two, ("alice", "bob")):
                window = await browser.open(address)
                assert await window.run(connect(node, user))
                assert await window.run("first") == "polling"
                await window.until("socket.io.engine.transport.name === 'websocket'")
                windows.append(window)
            alice, bob = windows

            echoed = await alice.run(
                """new Promise(resolve => socket.emit("echo", "a", {deep: [1, null]}, (...back) => resolve(back)))"""
            )
            assert echoed == ["a", {"deep": [1, None]}]
            binary = await alice.run(
                """new Promise(resolve => socket.emit("echo", new Uint8Array([0, 30, 255]),
                    back => resolve([back instanceof ArrayBuffer, ...new Uint8Array(back)])))"""
            )
            assert binary == [True, 0, 30, 255]

            receipt = await bob.run(
                """new Promise(resolve => {
                    const payload = {n: 1, blob: new Uint8Array([7, 8]).buffer};
                    socket.emit("pub", "alice", payload, resolve);
                })"""
            )
            assert is_positive(receipt)
            await alice.until("seen.length === 1")
            assert await alice.run("[seen[0].n, ...new Uint8Array(seen[0].blob)]") == [1, 7, 8]
            assert is_positive(
                await alice.run("""new Promise(resolve => socket.emit("pub", "bob", "back", resolve))""")
            )
            await bob.until("seen.length === 1 && seen[0] === 'back'")

    asyncio.run(scenario())


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
@pytest.mark.parametrize("through", ["direct", "nginx"])
def test_official_client_in_node_js(nodes, nginx, through, transports):
    """With the WebSocket implementation that official clients use there, and a connection that is lost in between."""
    (node,) = nodes.start(1, options=PATIENT)
    url = nginx([node]).url if through == "nginx" else node.url
    script = pathlib.Path(__file__).parent / "node_client.cjs"
    done = subprocess.run(
        ["node", str(script), str(bundle()), url, ",".join(transports)],
        check=True,
        env={**os.environ, "NODE_PATH": "/usr/share/nodejs"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    seen = json.loads(done.stdout)
    assert (seen["first"], seen["second"]) == (transports[0], transports[-1])
    assert seen["echo"] == ["ünïcödé", {"deep": [1, None, True, 1.5]}]
    if transports[-1] == "websocket":
        assert seen["binary"] == [True, 0, 30, 255]
    assert is_positive(seen["receipt"])
    assert seen["messages"] == ["to myself"]
    assert (seen["connects"], seen["again"]) == (2, "again")
    assert seen["reasons"] == ["forced close", "io client disconnect"]


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_official_synchronous_client(nodes, transports):
    (node,) = nodes.start(1, options=PATIENT)
    client = socketio.Client(reconnection=False)
    received = queue.Queue()
    client.on("msg", received.put)
    client.connect(node.url, auth={"user": "alice", "client": "x"}, transports=transports, wait_timeout=20)
    try:
        assert client.transport() == transports[-1]
        assert client.call("echo", {"text": "ünïcödé", "parts": [BLOB, b""]}, timeout=30) == {
            "text": "ünïcödé",
            "parts": [BLOB, b""],
        }
        assert is_positive(client.call("pub", ("alice", BLOB), timeout=30))
        assert received.get(timeout=30) == BLOB
    finally:
        client.disconnect()


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_official_browser_client_on_one_transport(nodes, transport):
    (node,) = nodes.start(1, options=PATIENT)
    script = f"""
        window.socket = io({json.dumps(node.url)}, {{
            transports: [{json.dumps(transport)}], auth: {{ user: "alice", client: "browser" }} }});
        new Promise((resolve, reject) => {{
            socket.on("connect_error", reject);
            const answer = back => resolve([back, socket.io.engine.transport.name]);
            socket.on("connect", () => socket.emit("echo", "hello", answer));
        }})"""

    async def scenario():
        async with page_server() as address, Chromium() as browser:
            window = await browser.open(address)
            assert await window.run(script) == ["hello", transport]

    asyncio.run(scenario())


@pytest.mark.parametrize("compresses", [True, False], ids=["compressed", "plain"])
def test_browsers_agree_on_permessage_deflate(nodes, compresses):
    """RFC 7692 with a browser's own WebSocket: what it makes of the answer, and small and large events both ways."""
    (node,) = nodes.start(1, options=[*PATIENT, *(["--compress-messages"] if compresses else [])])
    agreed = "permessage-deflate" if compresses else ""

    def connect(user):
        return f"""new Promise((resolve, reject) => {{
            window.seen = [];
            window.socket = io({json.dumps(node.url)},
                {{ transports: ["websocket"], auth: {{ user: {json.dumps(user)}, client: "browser" }} }});
            socket.on("msg", payload => seen.push(payload));
            socket.on("connect_error", reject);
            socket.on("connect", () => resolve(socket.io.engine.transport.ws.extensions.split(";")[0]));
        }})"""

    # Text that packs well, bytes that do not: from 10 bytes to 200 KB.
    make = """
        window.text = count => "ünïcödé 🌊 ".repeat(count / 10).slice(0, count);
        window.noise = count => {
            const bytes = new Uint8Array(count);
            for (let at = 0; at < count; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
            return bytes;
        };
        window.same = (one, other) => {
            const [left, right] = [new Uint8Array(one), new Uint8Array(other)];
            return left.length === right.length && left.every((byte, at) => byte === right[at]);
        };
        true"""
    echo = """(async () => {
        for (const count of [10, 1000, 1100, 70000, 200000]) {
            const [words, bytes] = [text(count), noise(count)];
            const back = await new Promise(resolve => socket.emit("echo", words, bytes, (...all) => resolve(all)));
            if (back.length !== 2 || back[0] !== words || !same(back[1], bytes)) return count;
            const receipt = await socket.emitWithAck("pub", "bob", { words, bytes: bytes.buffer });
            if (!receipt.didReceive || !receipt.isComplete) return receipt;
            if (!(await socket.emitWithAck("pub", "alice", words)).didReceive) return words;
        }
        return "all";
    })()"""

    async def scenario():
        async with page_server() as address, Chromium() as browser:
            windows = []
            for user in ("alice", "bob"):
                window = await browser.open(address)
                assert await window.run(connect(user)) == agreed
                await window.run(make)
                windows.append(window)
            alice, bob = windows
            assert await alice.run(echo) == "all"
            await alice.until("seen.length === 5 && seen[4] === text(200000)")
            await bob.until("seen.length === 5")
            assert await bob.run("seen.map(({words, bytes}) => [words === text(words.length), bytes.byteLength])") == [
                [True, 10],
                [True, 1000],
                [True, 1100],
                [True, 70000],
                [True, 200000],
            ]

    asyncio.run(scenario())
    assert node.metric("submergence_websocket_deflate_agreed_total") == (2 if compresses else 0)


def test_pong_keeps_and_silence_ends(nodes):
    """The heartbeat of the suites, 300 and 200 ms: who answers stays, who is silent is ended (LC-9)."""
    (node,) = nodes.start(1)
    address = f"{node.url}/socket.io/?EIO=4&transport=websocket"

    async def scenario():
        async with aiohttp.ClientSession() as http, http.ws_connect(address) as socket:
            assert (await socket.receive_str(timeout=30)).startswith("0{")
            await socket.send_str('40{"user":"alice","client":"phone"}')
            assert (await socket.receive_str(timeout=30)).startswith("40{")
            assert (await socket.receive_str(timeout=30)).startswith('42["auth",')
            for _ in range(4):
                assert await socket.receive_str(timeout=30) == "2"
                await socket.send_str("3")
            await socket.send_str('421["echo","alive"]')
            assert await next_but_ping(socket) == '431["alive"]'

            # From here on no ping is answered.
            last = [message.data async for message in socket if message.type == aiohttp.WSMsgType.TEXT]
            assert set(last) <= {"2", "1", "41"}, last
            assert "2" in last, "ended without having asked"

    asyncio.run(scenario())


async def next_but_ping(socket):
    while (text := await socket.receive_str(timeout=30)) == "2":
        await socket.send_str("3")
    return text
