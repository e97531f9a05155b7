"""Nodes that leave, behind nginx (SPEC ND-12, ND-15): their clients end up on others at once, and lose nothing."""

import asyncio
import json
import os
import pathlib
import signal
import subprocess

import pytest
from bundle import bundle
from people import PATIENT, Tab, is_positive
from raw import ENGINE, Polling, Wire, polling, websocket
from raw import PATIENT as HEARTBEAT

LABELLED = ["--session-label", "{port}", *PATIENT]


class Clients:
    """Official clients in a process of their own, half of them polling: drain_client.cjs."""

    def __init__(self, url, count):
        script = pathlib.Path(__file__).parent / "drain_client.cjs"
        self.users = [f"user-{number}" for number in range(count)]
        self.process = subprocess.Popen(
            ["node", str(script), str(bundle()), url, str(count)],
            env={**os.environ, "NODE_PATH": "/usr/share/nodejs"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def says(self, word):
        line = self.process.stdout.readline().strip()
        assert line == word, line

    def ask(self, command):
        print(command, file=self.process.stdin, flush=True)

    def finish(self, total):
        self.ask(f"finish {total}")
        return json.loads(self.process.stdout.readline())


def owner(three):
    """The node that nginx has chosen for our address, and the others."""
    own, *others = sorted(three, key=lambda node: node.sessions_opened, reverse=True)
    assert [node.sessions_opened for node in others] == [0, 0]
    return own, others


def test_clients_of_a_draining_node_move_and_miss_nothing(mongo, nodes, nginx):
    """ND-12: with recovery on, polling and WebSocket alike get each event once and in order, sent before,
    while and after their node drains."""
    three = nodes.start(3, mongo=mongo, options=["--recovery", "120", *LABELLED])
    proxy = nginx(three)

    async def scenario(clients):
        await asyncio.to_thread(clients.says, "connected")
        own, others = owner(three)
        async with Tab(others[0].url, "sender") as sender:
            sent = 0

            async def send():
                nonlocal sent
                for user in clients.users:
                    receipt = await sender.publish(user, sent)
                    assert is_positive(receipt) or receipt["stored"], receipt
                sent += 1

            await send()
            await asyncio.to_thread(clients.says, "live")
            own.process.send_signal(signal.SIGTERM)
            while own.is_running:
                await send()
            assert own.process.wait() == 0
            clients.ask("moved")
            moved = asyncio.create_task(asyncio.to_thread(clients.says, "moved"))
            while not moved.done():
                await send()
            await moved
            await send()
            return own, sent, await asyncio.to_thread(clients.finish, sent)

    with Clients(proxy.url, 12) as clients:
        own, sent, seen = asyncio.run(scenario(clients))
    assert sent > 3
    for client in seen:
        assert client["messages"] == list(range(sent)), client
        assert [recovered for _, recovered in client["connects"]] == [False, True], client
        if client["transport"] == "polling":
            first, second = client["sessions"]
            assert first.startswith(f"{own.port}-") and not second.startswith(f"{own.port}-")
    assert {client["transport"] for client in seen} == {"polling", "websocket"}


def test_a_session_that_polls_stays_with_its_draining_node(mongo, nodes, nginx):
    """ND-12: while the others take one client a second, those whose turn has not come go on as if nothing was, though
    new clients are sent elsewhere; what they post arrives once."""
    three = nodes.start(3, mongo=mongo, options=["--accept-rate", "1", "--loops", "1", *LABELLED])
    proxy = nginx(three)
    proxy.ping = HEARTBEAT
    sessions = [Polling(proxy, ENGINE) for _ in range(8)]
    own, _ = owner(three)
    own.process.send_signal(signal.SIGTERM)
    # The newest goes first: the oldest has some seconds left, at two others that take one a second each.
    assert sessions[-1].poll().text == "1"
    first = sessions[0]
    for number in range(5):
        first.accepts(f"4message {number}")
        assert first.receive() == [f"4message {number}"]
        assert first.sid.startswith(f"{own.port}-")
        if number == 0:
            with Polling(proxy, ENGINE) as fresh:
                assert not fresh.sid.startswith(f"{own.port}-")
                fresh.accepts("4hello")
                assert fresh.receive() == ["4hello"]
            with Wire(proxy) as wire:
                wire.upgrade_request(websocket(ENGINE)).upgraded()
                assert wire.receive().startswith("0{")
    assert own.is_running
    assert 0 < own.metric("submergence_live_closing_pace") <= 3
    assert sessions[-2].poll().text == "1"
    assert first.poll().text == "1"
    for session in sessions:
        session.gets.close()
        session.posts.close()


def test_beyond_its_rate_a_node_refuses_on_the_transport(nodes):
    """ND-15: 503, which clients come back after by themselves, and a count of it."""
    (node,) = nodes.start(1, options=["--accept-rate", "1", *PATIENT])
    node.ping = HEARTBEAT
    statuses = []
    for _ in range(15):
        with Wire(node) as wire:
            response = wire.get(polling(ENGINE))
            statuses.append(response.status)
            if response.status == 503:
                assert response.headers["retry-after"] == "1"
    with Wire(node) as wire:
        statuses.append(wire.upgrade_request(websocket(ENGINE)).response().status)
    # Ten at once, and perhaps one more for each second that this has taken.
    assert statuses[:10] == [200] * 10
    assert 503 in statuses[10:] and set(statuses) <= {200, 503}
    assert node.metric('submergence_limits_hit_total{limit="accept_rate"}') == statuses.count(503)


@pytest.mark.parametrize("transports", [["polling"], ["websocket"]], ids="".join)
def test_clients_of_a_killed_node_are_let_in_at_once(mongo, nodes, nginx, transports):
    """The first handshake succeeds: nginx passes on what the dead node could not be asked."""
    three = nodes.start(3, mongo=mongo, options=LABELLED)
    proxy = nginx(three)

    async def scenario():
        async with Tab(proxy.url, "alice", transports=transports) as before:
            own, others = owner(three)
            own.kill()
            async with Tab(proxy.url, "bob", transports=transports) as bob:
                for node in others:
                    if node.sessions_opened:
                        assert is_positive(await bob.publish("bob", "let in"))
                assert await bob.until(lambda tab: tab.messages()) == ["let in"]
                await before.gone()
                await before.close()
                await before.connect()
                assert is_positive(await bob.publish("alice", "again"))
                assert await before.until(lambda tab: tab.messages()) == ["again"]

    asyncio.run(scenario())
