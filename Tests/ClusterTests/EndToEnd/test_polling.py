"""Clients that only poll, behind nginx: they stay up for as long as they like, and nobody but their own node knows them
(SPEC TR-3, TR-4; SOCKETIO §15)."""

import asyncio
import contextlib

import pytest
import socketio
from people import Tab
from raw import ENGINE, PATIENT, SOCKET_IO, Polling, Wire, conformance_options, get, polling, post, refused, websocket

# Of the product (SPEC LC-9), for a long run; and a faster one for a short run.
PRODUCT = (10_000, 10_000)
FAST = (1_000, 5_000)


class ThreadedTab:
    """A tab of the official synchronous client."""

    def __init__(self, url, user):
        self.client = socketio.Client(reconnection=False)
        self.received = []
        self.disconnects = []
        self.client.on("msg", self.received.append)
        self.client.on("disconnect", self.disconnects.append)
        self.client.connect(url, auth={"user": user, "client": "thread"}, transports=["polling"], wait_timeout=20)
        self.user = user

    def exchange(self, number):
        assert self.client.call("echo", ["there", number], timeout=30) == ["there", number]
        assert self.client.call("pub", (self.user, number), timeout=30)["didReceive"]


def test_polling_clients_stay_up(nodes, nginx, request):
    """The raw client's pings are the clock: with each, every client sends an event and is sent one. Between two beats
    their polls are held, by nginx as well."""
    seconds = request.config.getoption("--polling-seconds")
    heartbeat = PRODUCT if seconds > 120 else FAST
    two = nodes.start(2, options=conformance_options(4, heartbeat))
    proxy = nginx(two)
    proxy.ping = heartbeat
    beats = max(1, seconds * 1000 // heartbeat[0])

    async def exchange(tab, number):
        assert await tab.echo("there", number) == ["there", number]
        assert (await tab.publish(tab.user, number))["didReceive"]

    async def scenario():
        async with contextlib.AsyncExitStack() as stack:
            tabs = []
            for index in range(6):
                tab = Tab(proxy.url, f"user-{index}", transports=["polling"], source=f"127.0.{index + 1}.1")
                tabs.append(await stack.enter_async_context(tab))
            sids = [tab.client.sid for tab in tabs]
            thread = await asyncio.to_thread(ThreadedTab, proxy.url, "threaded")
            with Polling(proxy) as raw:
                for beat in range(beats):
                    assert await asyncio.to_thread(lambda: raw.poll().text) == "2"
                    await asyncio.to_thread(raw.accepts, "3")
                    await asyncio.to_thread(raw.accepts, f"4beat {beat}")
                    assert await asyncio.to_thread(lambda: raw.poll().text) == f"4beat {beat}"
                    await asyncio.gather(
                        asyncio.to_thread(thread.exchange, beat), *(exchange(tab, beat) for tab in tabs)
                    )
                for tab in tabs:
                    await tab.until(lambda tab: len(tab.messages()) == beats)
                    assert tab.messages() == list(range(beats))
                assert thread.received == list(range(beats))
                # Nobody was cut, nobody came again, nobody upgraded.
                assert [tab.client.sid for tab in tabs] == sids
                assert [tab.disconnects for tab in [*tabs, thread]] == [[]] * (len(tabs) + 1)
                assert [tab.client.transport() for tab in [*tabs, thread]] == ["polling"] * (len(tabs) + 1)
                assert sum(node.sessions_opened for node in two) == len(tabs) + 2
                for name in ["sessions_closed_total", "upgrades_total", "requests_refused_total"]:
                    assert sum(node.metric(f"submergence_engine_{name}") for node in two) == 0
                assert all(node.sessions_opened for node in two)
            await asyncio.to_thread(thread.client.disconnect)

    asyncio.run(scenario())


def has_code_1(node, path, sid):
    """Whatever is asked of this node for that session."""
    assert refused(get(node, polling(path, sid))) == (400, 1)
    assert refused(post(node, polling(path, sid), "4hello")) == (400, 1)
    with Wire(node) as wire:
        response = wire.upgrade_request(websocket(path, sid)).response()
        assert (response.status, response.body) == (400, b"Session ID unknown")
    return True


@pytest.mark.parametrize("path", [ENGINE, SOCKET_IO])
def test_the_wrong_node_answers_with_code_1(nodes, nginx, path):
    two = nodes.start(2, options=conformance_options(2))
    proxy = nginx(two)
    proxy.ping = two[0].ping = two[1].ping = PATIENT
    with Polling(proxy, path) as session:
        own, other = sorted(two, key=lambda node: node.sessions_opened, reverse=True)
        assert (own.sessions_opened, other.sessions_opened) == (1, 0)
        assert has_code_1(other, path, session.sid)
        # Its own node was not told of any of that.
        with session.upgrade() as wire:
            wire.send_text("40" if path == SOCKET_IO else "4hello")
            assert wire.receive()
        # When that node is gone, nginx asks the other one, and the client learns to begin anew.
        own.kill()
        assert has_code_1(proxy, path, session.sid)
        with Polling(proxy, path) as again:
            assert again.sid != session.sid
