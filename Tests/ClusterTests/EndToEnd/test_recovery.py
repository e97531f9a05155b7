"""Connection state recovery (SOCKETIO §14) as official clients see it, in Chromium and in Node.js, and to the byte."""

import asyncio
import json
import os
import pathlib
import re
import subprocess
import threading

import pytest
from bundle import bundle, page_server
from chromium import Chromium
from people import PATIENT, Tab, is_positive
from processes import SLOT_MIB, executable, wait_for
from raw import joined
from returning import OPTIONS, Member, open_wire

TRANSPORTS = [["websocket"], ["polling"], ["polling", "websocket"]]


def outcome(node, what):
    """How many clients that asked for it had this answer here."""
    name = re.escape(f'submergence_recovery_connections_total{{outcome="{what}"}}')
    return int(float(re.search(rf"^{name} (\S+)$", node.control("/metrics"), re.MULTILINE)[1]))


# Official clients


class Page:
    """The official client in a window. `connects`: id, recovered, and how many events it had by then."""

    def __init__(self, window):
        self._window = window

    @classmethod
    async def open(cls, browser, address, url, transports, user="alice", **options):
        page = cls(await browser.open(address))
        options = {"transports": transports, "auth": {"user": user, "client": "phone"}, **options}
        assert await page._window.run(f"""new Promise((resolve, reject) => {{
            window.connects = [];
            window.seen = [];
            window.socket = io({json.dumps(url)}, {json.dumps(options)});
            socket.on("msg", (...all) => seen.push(all));
            socket.on("connect_error", reject);
            socket.on("connect", () => {{
                connects.push([socket.id, socket.recovered, seen.length]);
                resolve(true);
            }});
        }})""")
        await page._window.until(f"socket.io.engine.transport.name === {json.dumps(transports[-1])}")
        return page

    async def has(self, *payloads):
        """Waits for as many events; they are these, in order, each with its offset behind it."""
        await self._window.until(f"seen.length >= {len(payloads)}")
        seen = await self._window.run("seen")
        assert [payload for payload, _ in seen] == list(payloads)
        assert all(isinstance(offset, str) and offset for _, offset in seen)

    async def cut(self):
        await self._window.run("socket.io.engine.close(); true")
        await self._window.until("!socket.connected")

    async def come_back(self, url):
        """By hand, as whoever has turned reconnection off does."""
        count = await self._window.run("connects.length")
        await self._window.run(f"socket.io.uri = {json.dumps(url)}; socket.connect(); true")
        return await self.connect(count + 1)

    async def connect(self, count):
        """The connect of this number, once there is one."""
        await self._window.until(f"connects.length >= {count}", 60)
        return (await self._window.run("connects"))[count - 1]


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_in_the_browser_on_the_same_node_and_on_another(mongo, nodes, transports):
    """§14.1.5: the same id, `recovered`, and all that was missed before `connect`, in order; again on a second loss."""
    first, second = nodes.start(2, mongo=mongo, options=OPTIONS)

    async def scenario():
        async with page_server() as address, Chromium() as browser:
            page = await Page.open(browser, address, first.url, transports, reconnection=False)
            sid, recovered, _ = await page.connect(1)
            assert recovered is False
            bob = Member("bob")
            bob.connect(second)
            bob.publish("alice", 1)
            await page.has(1)
            number = 1
            for node in (first, second, first):
                await page.cut()
                bob.publish("alice", number + 1, number + 2)
                assert await page.come_back(node.url) == [sid, True, number + 2]
                bob.publish("alice", number + 3)
                number += 3
                await page.has(*range(1, number + 1))

    asyncio.run(scenario())
    assert (outcome(first, "recovered"), outcome(second, "recovered")) == (2, 1)


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_in_the_browser_after_kill_9(mongo, nodes, nginx, transports):
    """§14.3, "a node crash writes no session": nothing was written at the end, and nothing had to be. By itself,
    through nginx, which finds the node that is left."""
    two = nodes.start(2, mongo=mongo, options=OPTIONS)
    proxy = nginx(two)

    async def scenario():
        async with page_server() as address, Chromium() as browser:
            page = await Page.open(browser, address, proxy.url, transports, reconnectionDelay=100)
            sid, _, _ = await page.connect(1)
            own, other = sorted(two, key=lambda node: node.sessions_opened, reverse=True)
            assert (own.sessions_opened, other.sessions_opened) == (1, 0)
            bob = Member("bob")
            bob.connect(other)
            bob.publish("alice", 1)
            await page.has(1)
            own.kill()
            bob.publish("alice", 2, 3)
            assert (await page.connect(2))[:2] == [sid, True]
            bob.publish("alice", 4)
            await page.has(1, 2, 3, 4)

    asyncio.run(scenario())


def test_in_the_browser_when_the_window_has_passed(mongo, nodes):
    """§14.1.6: another id, not recovered, and nothing of what was sent meanwhile."""
    (node,) = nodes.start(1, mongo=mongo, options=["--loops", "2", "--recovery", "1", *PATIENT])

    async def scenario():
        async with page_server() as address, Chromium() as browser:
            page = await Page.open(browser, address, node.url, ["websocket"], "walter", reconnection=False)
            sid, _, _ = await page.connect(1)
            bob = Member("bob")
            bob.connect(node)
            bob.publish("walter", 1)
            await page.has(1)
            await page.cut()
            # The receipt says when he is given up. No other test has left him behind in these routes.
            await asyncio.to_thread(
                wait_for, "the window to pass", lambda: not bob.ask("pub", "walter", "missed")[0]["stored"]
            )
            again, recovered, count = await page.come_back(node.url)
            assert (again != sid, recovered, count) == (True, False, 1)
            bob.publish("walter", 2)
            await page.has(1, 2)

    asyncio.run(scenario())


@pytest.mark.parametrize("why, count, log", [("overwritten", 40, 1), ("more than is replayed", 80, 64)])
def test_in_the_browser_when_the_history_is_gone(mongo, nodes, why, count, log):
    """§14.1.6: nothing is replayed in part. Once the log has wrapped, once there is too much of it."""
    database = f"history-{count}"
    make = [executable(), "init-db", "--mongodb", mongo.uri, "--database", database, "--slot-size", str(SLOT_MIB)]
    make += ["--recovery-log", "--recovery-log-size", str(log)]
    subprocess.run(make, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    (node,) = nodes.start(1, mongo=mongo, options=[*OPTIONS, "--database", database])

    async def scenario():
        async with page_server() as address, Chromium() as browser:
            page = await Page.open(browser, address, node.url, ["websocket"], reconnection=False)
            sid, _, _ = await page.connect(1)
            bob = Member("bob")
            bob.connect(node)
            await page.cut()
            bob.publish("alice", *["x" * 60_000] * count)
            again, recovered, seen = await page.come_back(node.url)
            assert (again != sid, recovered, seen) == (True, False, 0)
            bob.publish("alice", 2)
            await page.has(2)

    asyncio.run(scenario())
    assert outcome(node, "incomplete") == 1


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_in_node_js_again_and_again(mongo, nodes, transports):
    """§14.3: over three nodes in turn, while two others send without a pause: each event once, in order."""
    three = nodes.start(3, mongo=mongo, options=OPTIONS)
    script = pathlib.Path(__file__).parent / "recovery_client.cjs"
    urls = ",".join(node.url for node in three)
    rounds = 12
    done = subprocess.run(
        ["node", str(script), str(bundle()), urls, ",".join(transports), str(rounds)],
        check=True,
        env={**os.environ, "NODE_PATH": "/usr/share/nodejs"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    seen = json.loads(done.stdout)
    assert [recovered for _, recovered in seen["connects"]] == [False] + [True] * rounds
    assert len({sid for sid, _ in seen["connects"]}) == 1
    for name, count in seen["sent"].items():
        assert count >= rounds
        assert [number for sender, number in seen["messages"] if sender == name] == list(range(count)), name


def test_a_client_without_recovery_is_as_before(mongo, nodes):
    """python-socketio knows nothing of private IDs: it has one argument more, and comes back as a new connection."""
    first, second = nodes.start(2, mongo=mongo, options=OPTIONS)

    async def scenario():
        async with Tab(first.url, "alice") as alice, Tab(second.url, "bob") as bob:
            assert is_positive(await bob.publish("alice", 1))
            await alice.until(lambda tab: tab.messages() == [1])
            assert [len(arguments) for name, arguments in alice.received if name == "msg"] == [2]
            sid = alice.client.get_sid()
            await alice.client.eio.disconnect(abort=True)
            alice.url = second.url
            await alice.connect()
            assert alice.client.get_sid() != sid
            assert is_positive(await bob.publish("alice", 2))
            await alice.until(lambda tab: tab.messages() == [1, 2])

    asyncio.run(scenario())


# To the byte


def event(text):
    """Name and arguments without the offset, and the offset."""
    assert text.startswith("42["), text
    *parts, offset = json.loads(text[2:])
    assert isinstance(offset, str) and re.fullmatch(r"[A-Za-z0-9_-]+", offset), text
    return parts, offset


def test_offsets_replay_and_private_ids(nodes):
    """§14.1, §21 item 14: an offset on every event, none on acks; the replay before CONNECT, with the same sid and pid;
    the application sees neither pid nor offset."""
    (node,) = nodes.start(1, options=OPTIONS)
    bob = Member("bob")
    bob.connect(node)
    with open_wire(node) as wire:
        wire.send_text('40{"user":"alice","client":"phone","x":1}')
        answer = wire.receive()
        ids = json.loads(answer[2:])
        assert list(ids) == ["sid", "pid"] and ids["sid"] != ids["pid"]
        assert re.fullmatch(r"[A-Za-z0-9_-]{22,64}", ids["pid"])
        assert event(wire.receive())[0] == ["auth", {"user": "alice", "client": "phone", "x": 1}]
        wire.send_text('42["message","a",["b"]]')
        assert event(wire.receive())[0] == ["message-back", "a", ["b"]]
        wire.send_text('42["message"]')
        assert event(wire.receive())[0] == ["message-back"]
        wire.send_text('421["message-with-ack","a"]')
        assert wire.receive() == '431["a"]'
        wire.send_text('451-["message",{"_placeholder":true,"num":0}]').send_binary(b"\x01")
        head = wire.receive()
        assert re.fullmatch(r'451-\["message-back",\{"_placeholder":true,"num":0\},"[A-Za-z0-9_-]+"\]', head), head
        assert wire.receive() == b"\x01"
        bob.publish("alice", 1)
        assert event(wire.receive())[0] == ["msg", 1]
        bob.wire.send_text('42["room:emit",{"event":"v","volatile":true,"arguments":[2]}]')
        name, offset = event(wire.receive())
        assert name == ["v", 2]
        # Recovery is of `/` alone: no pid elsewhere.
        wire.send_text("40/custom,")
        joined(wire.receive(), "/custom,")
        wire.reset()
    bob.until("v", 2)
    bob.publish("alice", 3, {"n": 4})
    with open_wire(node) as wire:
        wire.send_text("40" + json.dumps({"pid": ids["pid"], "offset": offset, "user": "alice", "client": "phone"}))
        (three, after), (four, last) = event(wire.receive()), event(wire.receive())
        assert (three, four) == (["msg", 3], ["msg", {"n": 4}])
        assert len({offset, after, last}) == 3
        assert wire.receive() == answer
        assert event(wire.receive())[0] == ["auth", {"user": "alice", "client": "phone"}]
        wire.reset()
    with open_wire(node) as wire:
        # From the offset of the first that was replayed: what is behind it comes again, and nothing else.
        wire.send_text("40" + json.dumps({"pid": ids["pid"], "offset": after, "user": "alice", "client": "phone"}))
        assert event(wire.receive())[0] == ["msg", {"n": 4}]
        assert wire.receive() == answer


@pytest.mark.parametrize(
    "auth",
    [
        {"pid": "AAAAAAAAAAAAAAAAAAAAAA", "offset": "OFFSET"},
        {"pid": "PID", "offset": "!"},
        {"pid": "PID", "offset": ""},
        {"pid": "PID", "offset": "x" * 5000},
        {"pid": "PID", "offset": 5},
        {"pid": 5, "offset": "OFFSET"},
        {"pid": "x" * 5000, "offset": "OFFSET"},
        {"pid": {"$ne": None}, "offset": {"$gt": ""}},
        {"offset": "OFFSET"},
    ],
    ids=lambda auth: json.dumps(auth)[:40],
)
def test_what_cannot_be_recovered_is_a_new_connection(nodes, auth):
    """§14.1.6: unknown pid, unknown offset, or something else altogether: never an error."""
    (node,) = nodes.start(1, options=OPTIONS)
    alice = Member("alice")
    alice.connect(node)
    alice.cut()
    filled = json.dumps(auth).replace('"PID"', json.dumps(alice.pid)).replace('"OFFSET"', json.dumps(alice.offset))
    with open_wire(node) as wire:
        wire.send_text("40" + json.dumps(json.loads(filled) | {"user": "alice", "client": "phone"}))
        answer = wire.receive()
        assert answer.startswith("40{"), answer
        ids = json.loads(answer[2:])
        assert ids["sid"] != alice.sid and ids["pid"] != alice.pid


def test_a_private_id_is_of_no_use_to_others(mongo, nodes):
    """§14.1.1: another user or device that has come by it gets a connection of its own, and disturbs nobody."""
    first, second = nodes.start(2, mongo=mongo, options=OPTIONS)
    alice, bob = Member("alice"), Member("bob")
    alice.connect(first)
    bob.connect(second)
    for user, client in (("mallory", "phone"), ("alice", "tablet")):
        with open_wire(second) as wire:
            auth = {"pid": alice.pid, "offset": alice.offset, "user": user, "client": client}
            wire.send_text("40" + json.dumps(auth))
            ids = json.loads(wire.receive()[2:])
            assert ids["sid"] != alice.sid and ids["pid"] != alice.pid
    bob.publish("alice", 1)
    alice.until("msg", 1)


def ids_of(watcher, user):
    return [socket["id"] for socket in watcher.ask("room:fetch", {})[0]["sockets"] if socket["user"] == user]


def test_a_session_is_taken_once(mongo, nodes):
    """§14.3: the same pid and offset presented twice, one after the other and at once, on two nodes: never two live
    sockets of one sid; who comes last has it."""
    # The older node has not read the directory since the newer one came: it has to look for it, to tell it (ND-2).
    (older,) = nodes.start(1, mongo=mongo, options=OPTIONS)
    (newer,) = nodes.start(1, mongo=mongo, options=OPTIONS)
    two = [newer, older]
    alice, bob = Member("alice"), Member("bob")
    alice.connect(two[0])
    bob.connect(two[1])
    alice.cut()
    thief = alice.twin()
    assert alice.connect(two[0])
    assert thief.connect(two[1])
    # The first one is told, by the end of its transport.
    alice.wire.drain()
    assert ids_of(bob, "alice") == [thief.sid]
    for number in range(10):
        last = thief
        last.wire.reset()
        twins = [last.twin(), last.twin()]

        def come_back(twin, node):
            try:
                twin.is_recovered = twin.connect(node)
            except (EOFError, AssertionError):  # the other one has taken it over before it was told anything
                twin.is_recovered = False

        threads = [threading.Thread(target=come_back, args=pair) for pair in zip(twins, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert any(twin.is_recovered for twin in twins), number
        wait_for("one of them to be left", lambda: ids_of(bob, "alice") == [last.sid])
        bob.publish("alice", number)
        heard = [twin for twin in twins if twin.is_recovered and hears(twin, number)]
        assert len(heard) == 1, number
        thief = heard[0]


def hears(member, number):
    try:
        member.until("msg", number)
    except (EOFError, AssertionError):  # its end, or the close frame that announces it
        return False
    return True


def test_back_before_the_loss_was_noticed(mongo, nodes):
    """§14.3, "fast reconnect": the old connection still stands, on the same node and on another one. It is ended, and
    nothing comes twice."""
    first, second = nodes.start(2, mongo=mongo, options=OPTIONS)
    alice, bob = Member("alice"), Member("bob")
    alice.connect(first)
    bob.connect(second)
    number = 0
    for node in (first, second, first):
        old = alice.wire
        bob.publish("alice", number, number + 1)
        assert alice.connect(node)
        old.drain()  # to its end
        bob.publish("alice", number + 2)
        number += 3
        alice.until("msg", number - 1)
        assert alice.events == [["msg", earlier] for earlier in range(number)]
        assert ids_of(bob, "alice") == [alice.sid]


@pytest.mark.parametrize("how", ["leaves", "is disconnected", "is kicked"])
def test_who_was_to_go_is_not_recovered(nodes, how):
    """§14.2: a namespace that either side has left is no loss."""
    (node,) = nodes.start(1, options=OPTIONS)
    alice, bob = Member("alice"), Member("bob")
    alice.connect(node)
    bob.connect(node)
    if how == "leaves":
        alice.wire.send_text("41")
        wait_for("her to be gone", lambda: not ids_of(bob, "alice"))
        alice.cut()
    else:
        if how == "is kicked":
            bob.ask("kick", "alice")
        else:
            bob.ask("room:disconnect", {"rooms": [alice.sid]})
        while alice.wire.receive() != "41":
            pass
        alice.cut()

    def is_forgotten():
        (receipt,) = bob.ask("pub", "alice", "nobody")
        assert not receipt["didReceive"]
        return not receipt["stored"]

    # The route is written behind the packet that tells her.
    wait_for("her route to be without her", is_forgotten)
    sid = alice.sid
    assert not alice.connect(node)
    assert alice.sid != sid and alice.events == []


def test_an_ack_comes_behind_what_was_sent_before_it(mongo, nodes):
    """SOCKETIO §12: what a handler sends, then its acknowledgement, in this order, though events wait for the log."""
    (node,) = nodes.start(1, mongo=mongo, options=OPTIONS)
    alice = Member("alice")
    alice.connect(node)
    for number in range(50):
        assert alice.ask("emit-me", {"event": "own", "arguments": [number]}) == [False]
        assert alice.events == [["own", earlier] for earlier in range(number + 1)]
    alice.cut()
    assert alice.connect(node)
    # The application is told as well: `Socket.recovered`.
    assert alice.ask("emit-me", {"event": "own", "arguments": [50]}) == [True]
