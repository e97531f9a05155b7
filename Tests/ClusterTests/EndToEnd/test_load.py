"""`submergence load` against three servers: our own, python-socketio, and one of ours that recovers, or pretends to.

A tool that counts losses proves nothing until it has been seen to find some: the pretender loses, repeats and swaps.
"""

import asyncio
import contextlib
import json

import pytest
import socketio
from aiohttp import WSMsgType, web
from processes import executable, free_port

PATIENT = ("--ping-interval", "10000", "--ping-timeout", "10000")


async def load(*arguments, seconds=120):
    """Runs the load client: (exit status, report or None, standard error)."""
    process = await asyncio.create_subprocess_exec(
        executable(),
        "load",
        *map(str, arguments),
        "--json",
        "-",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), seconds)
    except BaseException:
        process.kill()
        await process.wait()
        raise
    return process.returncode, json.loads(out) if out else None, err.decode()


@contextlib.asynccontextmanager
async def serving(application):
    """Serves an aiohttp application on a free port; gives its URL."""
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


# Against our own server


def test_own_connect_and_echo(nodes):
    """Connections are held; echoes come back once and in order (SOCKETIO §12)."""
    (node,) = nodes.start(1, options=PATIENT)

    async def scenario():
        status, report, err = await load("connect", "--url", node.url, "--connections", 50, "--hold", 1)
        assert status == 0, err
        assert report["connections"]["liveAtEnd"] == 50 and report["connections"]["drops"] == {}
        for pace in (("--in-flight", 4), ("--rate", 500)):
            status, report, err = await load("echo", "--url", node.url, "--connections", 10, "--duration", 1, *pace)
            assert status == 0, err
            echo = report["echo"]
            assert echo["sent"] == echo["acknowledged"] > 100
            assert echo["roundTrip"]["count"] == echo["sent"]

    asyncio.run(scenario())


def test_own_delivery_over_cuts(nodes):
    """Every tab gets everything once and in order; a cut connection that is not recovered is not owed what it missed,
    and the receipts of the time say that nobody was there (SPEC EV-1 to EV-3)."""
    (node,) = nodes.start(1, options=PATIENT)

    async def scenario():
        common = ("--url", node.url, "--connections", 60, "--publishers", 3, "--rate", 10, "--duration", 4)
        status, report, err = await load("deliver", *common, "--tabs", 2)
        assert status == 0, err
        delivery = report["delivery"]
        assert delivery["published"] == delivery["promised"] == 30 * 10 * 4
        assert delivery["received"] == 2 * delivery["published"]
        status, report, err = await load("deliver", *common, "--cut-every", 2, "--cut-for", 0.5)
        assert status == 0, err
        assert report["recovery"]["cuts"] == report["recovery"]["returnedWithoutAsking"] > 60
        assert report["delivery"]["nobodyThere"] > 0

    asyncio.run(scenario())


def test_own_fan_out_and_slow_readers(nodes):
    """A reader that hardly reads does not keep the others from getting everything (SPEC EV-4)."""
    (node,) = nodes.start(1, options=PATIENT)

    async def scenario():
        common = ("--url", node.url, "--connections", 20, "--rate", 50, "--duration", 2)
        status, report, err = await load("fanout", *common)
        assert status == 0, err
        assert report["delivery"]["received"] == 20 * 50 * 2
        metrics = f"http://127.0.0.1:{node.control_port}/metrics"
        status, report, err = await load(
            "slow", *common, "--slow", 2, "--slow-rate", 200, "--metrics", metrics, "--pid", node.process.pid
        )
        assert status == 0, err
        assert report["delivery"]["received"] == 18 * 50 * 2
        assert [reader["index"] for reader in report["slowReaders"]] == [0, 1]
        # Ten reads a second of 20 bytes each, and what came with the answer to CONNECT.
        assert all(reader["bytes"] < 20_000 for reader in report["slowReaders"])
        assert report["nodeCounted"]["submergence_live_connects_total"] == 21
        assert report["memory"]["maxKiB"] > 1000

    asyncio.run(scenario())


def test_own_storm_and_closed_loop(nodes):
    """All connections are dropped at once and come back; publishers that wait for receipts lose nothing."""
    (node,) = nodes.start(1, options=PATIENT)

    async def scenario():
        storm = ("--connections", 60, "--concurrency", 30, "--rounds", 2, "--hold", 0.5)
        status, report, err = await load("storm", "--url", node.url, *storm)
        assert status == 0, err
        assert report["connections"]["connects"] == 3 * 60 and report["connections"]["liveAtEnd"] == 60
        assert len(report["storm"]["rounds"]) == 2 and min(report["storm"]["rounds"]) > 0
        status, report, err = await load(
            "fanout", "--url", node.url, "--connections", 10, "--in-flight", 4, "--duration", 1
        )
        assert status == 0, err
        delivery = report["delivery"]
        assert delivery["received"] == 10 * delivery["published"] == 10 * delivery["acknowledged"] > 100

    asyncio.run(scenario())


def test_own_cross_node(nodes, mongo):
    """Every event goes from the first node to the others (SPEC EV-1)."""
    first, second = nodes.start(2, mongo=mongo, options=PATIENT)

    async def scenario():
        status, report, err = await load(
            *("cross", "--url", first.url, "--url", second.url, "--connections", 20, "--publishers", 2),
            *("--in-flight", 8, "--duration", 1),
        )
        assert status == 0, err
        assert report["delivery"]["received"] == report["delivery"]["published"] > 50
        sent, received = (node.metric("submergence_live_connects_total") for node in (first, second))
        assert (sent, received) == (2, 20)

    asyncio.run(scenario())


def test_a_url_that_refuses(nodes):
    """Connections go round the URLs, and on to the next one where one refuses."""
    (node,) = nodes.start(1, options=PATIENT)

    async def scenario():
        dead = f"http://127.0.0.1:{free_port()}"
        status, report, err = await load(
            "connect", "--url", dead, "--url", node.url, "--connections", 10, "--hold", 0.5
        )
        assert status == 0, err
        assert report["connections"]["failures"] == {"TCP connection refused": 5}
        status, report, err = await load("connect", "--url", dead, "--connections", 1)
        assert (status, report) == (69, None)
        assert dead in err

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "arguments",
    [
        ("connect",),
        ("connect", "--url", "https://127.0.0.1"),
        ("deliver", "--url", "http://127.0.0.1:1", "--connections", "3", "--tabs", "2"),
        ("slow", "--url", "http://127.0.0.1:1", "--connections", "2", "--slow", "2"),
        ("echo", "--url", "http://127.0.0.1:1", "--rate", "0"),
        ("cross", "--url", "http://127.0.0.1:1"),
        ("storm", "--url", "http://127.0.0.1:1", "--rounds", "0"),
        ("fanout", "--url", "http://127.0.0.1:1", "--in-flight", "0"),
    ],
    ids=" ".join,
)
def test_usage(arguments):
    assert asyncio.run(load(*arguments))[0] == 64


# Against python-socketio


def python_socketio():
    server = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins=[])

    async def connect(sid, _environ, auth):
        await server.enter_room(sid, auth["user"])

    async def echo(_sid, *arguments):
        return arguments

    async def pub(_sid, user, payload):
        await server.emit("msg", payload, room=user)
        return {"didReceive": True}

    for handler in (connect, echo, pub):
        server.on(handler.__name__, handler)
    application = web.Application()
    server.attach(application)
    return application


def test_any_socketio_server():
    """It drives a server of another make: WebSocket, Engine.IO 4, Socket.IO 5, acks both ways."""

    async def scenario():
        async with serving(python_socketio()) as url:
            status, report, err = await load("connect", "--url", url, "--connections", 20, "--hold", 0.5)
            assert status == 0, err
            status, report, err = await load("storm", "--url", url, "--connections", 20, "--rounds", 1, "--hold", 0.5)
            assert status == 0, err
            status, report, err = await load("echo", "--url", url, "--connections", 5, "--rate", 100, "--duration", 1)
            assert status == 0, err
            assert report["echo"]["acknowledged"] == 100
            status, report, err = await load(
                *("deliver", "--url", url, "--connections", 20, "--tabs", 2, "--publishers", 2),
                *("--rate", 10, "--duration", 1),
            )
            assert status == 0, err
            assert report["delivery"]["received"] == 2 * report["delivery"]["published"] == 200

    asyncio.run(scenario())


# Against a server that recovers


class Recovering:
    """As much of a server as connection state recovery needs (SOCKETIO §14.1), with a fault of one's choice."""

    def __init__(self, fault):
        self.fault = fault
        self.sessions = {}  # pid: sid
        self.logs = {}  # user: its packets; the offset of a packet is its index
        self.live = {}  # user: its WebSockets
        self.presented = 0

    def application(self):
        application = web.Application()
        application.router.add_get("/socket.io/", self.handle)
        return application

    async def handle(self, request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str('0{"sid":"e","upgrades":[],"pingInterval":20000,"pingTimeout":20000,"maxPayload":100000}')
        user = None
        async for message in socket:
            if message.type != WSMsgType.TEXT:
                continue
            if message.data.startswith("40"):
                auth = json.loads(message.data[2:])
                user = auth["user"]
                await self.connect(socket, auth)
                self.live.setdefault(user, []).append(socket)
            elif message.data.startswith("42"):
                await self.publish(socket, message.data[2:])
        if user in self.live and socket in self.live[user]:
            self.live[user].remove(socket)
        return socket

    async def connect(self, socket, auth):
        pid = auth.get("pid")
        self.presented += pid is not None
        log = self.logs.setdefault(auth["user"], [])
        missed = []
        if pid in self.sessions and "offset" in auth and self.fault != "refuses":
            first = int(auth["offset"][1:]) + 1
            missed = log[first:]
            if self.fault == "loses":
                missed = missed[1:]
            elif self.fault == "repeats":
                missed = log[first - 1 :]
            elif self.fault == "swaps":
                missed = missed[1::-1] + missed[2:]
        else:
            pid = f"pid-{len(self.sessions)}"
            self.sessions[pid] = f"sid-{len(self.sessions)}"
        answer = "40" + json.dumps({"sid": self.sessions[pid], "pid": pid})
        for packet in missed + [answer] if self.fault != "answers first" else [answer] + missed:
            await socket.send_str(packet)

    async def publish(self, socket, text):
        digits = text[: text.index("[")]
        _, user, payload = json.loads(text[len(digits) :])
        log = self.logs.setdefault(user, [])
        packet = "42" + json.dumps(["msg", payload, f"Q{len(log)}"])
        log.append(packet)
        receivers = list(self.live.get(user, []))
        for receiver in receivers:
            with contextlib.suppress(ConnectionError):
                await receiver.send_str(packet)
        receipt = {"didReceive": bool(receivers), "stored": True, "isComplete": True}
        await socket.send_str(f"43{digits}" + json.dumps([receipt]))


@pytest.mark.parametrize("fault", [None, "answers first", "refuses", "loses", "repeats", "swaps"])
def test_recovery(fault):
    """SOCKETIO §14.1: {pid, offset} as the official client presents them; events before and after the answer count.
    What is missed, repeated or swapped after `recovered` is found, and an honest refusal is none of that."""

    async def scenario():
        server = Recovering(fault)
        async with serving(server.application()) as url:
            status, report, err = await load(
                *("deliver", "--url", url, "--connections", 20, "--rate", 20, "--duration", 4),
                *("--cut-every", 2, "--cut-for", 0.5, "--recover"),
            )
        recovery, delivery = report["recovery"], report["delivery"]
        cuts = recovery["cuts"]
        assert cuts > 20 and server.presented == cuts, err
        broken = {name: delivery[name] for name in ("lost", "missedAtRecovered", "duplicated", "reordered")}
        if fault == "refuses":
            assert (recovery["recovered"], recovery["notRecovered"]) == (0, cuts)
        else:
            assert (recovery["recovered"], recovery["notRecovered"]) == (cuts, 0)
        if fault in (None, "answers first"):
            assert delivery["received"] == delivery["published"] == 20 * 20 * 4
            assert delivery["replayed"] > cuts
        elif fault == "loses":
            assert broken.pop("lost") == broken.pop("missedAtRecovered") == cuts
        elif fault == "repeats":
            assert broken.pop("duplicated") == cuts
        elif fault == "swaps":
            assert broken.pop("reordered") == cuts
        assert not any(broken.values()), broken
        assert status == (0 if fault in (None, "answers first", "refuses") else 1), err

    asyncio.run(scenario())
