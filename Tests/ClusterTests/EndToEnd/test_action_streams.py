"""Streamed answers over sockets (SPEC AC-10): chunks, the window, acknowledgements, and every way in which they end.
The application is Tests/Applications/Actions."""

import asyncio
import json

import pytest
from callers import Caller
from processes import Example
from raw import SOCKET_IO, Wire, websocket

LOOPS = {"1": "one-loop", "4": "four-loops"}
CHUNK = 65_536


@pytest.fixture(scope="module", params=LOOPS, ids=LOOPS.values())
def app(request, tmp_path_factory):
    with Example(tmp_path_factory.mktemp("streams"), "ActionsApplication", {"SUBMERGENCE_LOOPS": request.param}) as app:
        yield app


def pattern(count):
    """What the application streams."""
    return (bytes(range(251)) * (count // 251 + 1))[:count]


class Reader:
    """A plain client, by the byte, that acknowledges only what it is told to."""

    def __init__(self, app):
        self.wire = Wire(app)
        self.wire.upgrade_request(websocket(SOCKET_IO)).upgraded()
        assert self.wire.receive()[0] == "0"
        self.wire.send_text('40{"user":"alice","client":"raw"}')
        assert self.wire.receive().startswith('40{"sid":')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.close()

    def emit(self, name, value):
        self.wire.send_text("42" + json.dumps([name, value]))

    def ask(self, url, number=None, **more):
        packet = {"method": "GET", "url": url, **more}
        self.emit("action", packet if number is None else {"_id": number, **packet})

    def get(self, url, number=0, **more):
        """The reply to an action that is not streamed, while nothing else is sent."""
        self.ask(url, number, **more)
        name, reply = self.event()
        assert (name, reply["_id"]) == ("reply", number), (name, reply)
        return reply

    def event(self):
        """The next event: its name and its one argument, with bytes in the place of `data`."""
        text = self.wire.receive()
        if text.startswith("451-"):
            name, value = json.loads(text[4:])
            assert value["data"] == {"_placeholder": True, "num": 0}
            return name, value | {"data": self.wire.receive()}
        assert text.startswith("42["), text
        name, value = json.loads(text[2:])
        return name, value

    def chunks(self, number, first, count):
        """So many chunks with bytes, numbered from `first`; their bytes."""
        data = b""
        for n in range(first, first + count):
            name, chunk = self.event()
            assert (name, chunk["_id"], chunk["n"]) == ("chunk", number, n), (name, chunk.keys())
            assert 0 < len(chunk["data"]) <= CHUNK
            data += chunk["data"]
        return data

    def is_quiet(self):
        """Nothing but the answer to another action comes."""
        assert self.get("/agent", "quiet")["status"] == 200

    def state(self, name):
        """What the application says of a stream: {"pulled": bytes, "end": how}."""
        return self.get("/stream-state/" + name, "state")["content"]

    def until_cancelled(self, name):
        while self.state(name)["end"] != "cancelled":
            pass


@pytest.mark.parametrize("transports", [["websocket"], ["polling"]], ids=lambda value: value[0])
@pytest.mark.parametrize("v", [None, 1], ids=["plain", "product"])
def test_whole(app, transports, v):
    """AC-10: all bytes, in order, in chunks of at most 64 KiB, however large the source's pieces; the end is a chunk
    of its own. Length and type are in the reply."""

    async def run():
        async with Caller(app.url, "alice", v=v, transports=transports) as caller:

            async def acknowledge(chunk):
                caller.note("chunk", chunk)
                if "data" in chunk:
                    await caller.client.emit("chunk", {"_id": chunk["_id"], "ack": chunk["n"]})

            caller.client.on("chunk", acknowledge)
            size = 1_500_000
            reply = await caller.call("GET", f"/stream/whole-{v}?bytes={size}&piece=100000", _id="s")
            assert reply == {
                "_id": "s",
                "status": 200,
                "stream": True,
                "length": size,
                "type": "application/x-pattern",
            } | ({"events": []} if v else {})
            await caller.until(lambda caller: caller.received[-1][1][0].get("end"))
            chunks = [arguments[0] for name, arguments in caller.received if name == "chunk"]
            assert [chunk["n"] for chunk in chunks] == list(range(len(chunks)))
            assert b"".join(chunk["data"] for chunk in chunks[:-1]) == pattern(size)
            assert max(len(chunk["data"]) for chunk in chunks[:-1]) <= CHUNK

    asyncio.run(run())


def test_unknown_length_and_nothing(app):
    """AC-10: without a length there is none in the reply; a stream may be empty."""
    with Reader(app) as reader:
        reader.ask("/stream/nothing?bytes=0&unknown=1", 5)
        assert reader.event() == ("reply", {"_id": 5, "status": 200, "stream": True, "type": "application/x-pattern"})
        assert reader.event() == ("chunk", {"_id": 5, "n": 0, "end": True})


def test_window(app):
    """AC-10: 8 chunks unacknowledged, then nothing: the source is not asked either. An acknowledgement is for all up
    to it."""
    with Reader(app) as reader:
        size = 20 * CHUNK
        reader.ask(f"/stream/window?bytes={size}&piece={CHUNK}", "w")
        assert reader.event()[1]["length"] == size
        data = reader.chunks("w", 0, 8)
        reader.is_quiet()
        assert reader.state("window")["pulled"] == 8 * CHUNK
        reader.emit("chunk", {"_id": "w", "ack": 2})
        data += reader.chunks("w", 8, 3)
        reader.is_quiet()
        assert reader.state("window")["pulled"] == 11 * CHUNK
        reader.emit("chunk", {"_id": "w", "ack": 1})  # has been acknowledged
        reader.is_quiet()
        reader.emit("chunk", {"_id": "w", "ack": 10})
        data += reader.chunks("w", 11, 8)
        reader.emit("chunk", {"_id": "w", "ack": 18})
        data += reader.chunks("w", 19, 1)
        assert reader.event() == ("chunk", {"_id": "w", "n": 20, "end": True})
        assert data == pattern(size)
        assert reader.state("window") == {"pulled": size, "end": "read"}
        reader.emit("chunk", {"_id": "w", "ack": 19})  # crosses the end
        reader.is_quiet()


def test_cancelled_by_the_client(app):
    """AC-10: the source hears so, and nothing more comes."""
    with Reader(app) as reader:
        reader.ask(f"/stream/unwanted?bytes={100 * CHUNK}&piece={CHUNK}", 1)
        assert reader.event()[0] == "reply"
        reader.chunks(1, 0, 8)
        reader.emit("chunk", {"_id": 1, "cancel": True})
        reader.until_cancelled("unwanted")
        reader.emit("chunk", {"_id": 1, "ack": 7})
        reader.is_quiet()
        # The id is free again.
        reader.ask("/stream/again?bytes=1", 1)
        assert reader.event()[0] == "reply"
        assert reader.chunks(1, 0, 1) == pattern(1)
        assert reader.event() == ("chunk", {"_id": 1, "n": 1, "end": True})


@pytest.mark.parametrize("source", ["idle", "waiting"])
def test_lost_with_the_socket(app, source):
    """AC-10: the source hears of the socket's end, also while it is being asked."""
    name = f"lost-{source}"
    with Reader(app) as reader, Reader(app) as other:
        hang = "&hang=1" if source == "waiting" else ""
        reader.ask(f"/stream/{name}?bytes={100 * CHUNK}&piece={CHUNK}{hang}", 1)
        assert reader.event()[0] == "reply"
        if source == "idle":
            reader.chunks(1, 0, 8)
        else:
            while other.state(name)["end"] != "hanging":
                pass
        reader.wire.close()
        other.until_cancelled(name)


def test_stalled(tmp_path):
    """AC-10: a client that acknowledges nothing for the time limit is told so, and the source as well."""
    with Example(tmp_path, "ActionsApplication", {"SUBMERGENCE_STREAM_STALL": "0.2"}) as app, Reader(app) as reader:
        reader.ask(f"/stream/stalled?bytes={100 * CHUNK}&piece={CHUNK}", 1)
        assert reader.event()[0] == "reply"
        reader.chunks(1, 0, 8)
        assert reader.event() == ("chunk", {"_id": 1, "n": 8, "error": "STALLED"})
        reader.until_cancelled("stalled")
        assert app.metric('submergence_limits_hit_total{limit="stream_stall"}') == 1
        assert app.metric('submergence_socket_streams_total{outcome="stalled"}') == 1


def test_failing_source(app):
    """AC-10: an error in place of the end; why is for the log alone."""
    with Reader(app) as reader:
        reader.ask("/stream/failing?bytes=1000&piece=500&fail=1", 1)
        assert reader.event()[0] == "reply"
        reader.chunks(1, 0, 2)
        assert reader.event() == ("chunk", {"_id": 1, "n": 2, "error": "FAILED"})
        assert "answer stream failed" in app.log()


def test_without_id(app):
    """AC-10: a stream needs an `_id`."""
    with Reader(app) as reader:
        reader.ask("/stream/nameless?bytes=1")
        assert reader.event() == ("reply", {"status": 400, "content": {"error": "ID"}})
        reader.until_cancelled("nameless")


def test_bounded(app):
    """§5: four at once; one more is 429, and one of the same id 400. The others go on."""
    with Reader(app) as reader:
        for number in range(4):
            reader.ask(f"/stream/bounded-{number}?bytes={9 * CHUNK}&piece={CHUNK}", number)
            assert reader.event()[0] == "reply"
            reader.chunks(number, 0, 8)
        refused = reader.get("/stream/fifth?bytes=1", 4)
        assert (refused["status"], refused["content"]) == (429, {"error": "BUSY"})
        refused = reader.get("/stream/same?bytes=1", 3)
        assert (refused["status"], refused["content"]) == (400, {"error": "ID"})
        for name in ("fifth", "same"):
            reader.until_cancelled(name)
        for number in range(4):
            reader.emit("chunk", {"_id": number, "ack": 7})
            reader.chunks(number, 8, 1)
            assert reader.event() == ("chunk", {"_id": number, "n": 9, "end": True})


def test_malformed_chunks(app):
    """WS-2: what makes no sense is answered in the form of its kind, and changes nothing."""
    with Reader(app) as reader:
        reader.ask(f"/stream/malformed?bytes={9 * CHUNK}&piece={CHUNK}", 1)
        assert reader.event()[0] == "reply"
        reader.chunks(1, 0, 8)
        for value in (5, {}, {"ack": 1}, {"_id": [], "ack": 1}):
            reader.emit("chunk", value)
            assert reader.event() == ("chunk", {"error": "INVALID"})
        for more in ({}, {"ack": "7"}, {"ack": 8}, {"ack": -1}, {"ack": 7, "cancel": True}, {"cancel": False}):
            reader.emit("chunk", {"_id": 1, **more})
            assert reader.event() == ("chunk", {"_id": 1, "error": "INVALID"})
        reader.emit("chunk", {"_id": "unknown", "ack": 7})
        reader.is_quiet()
        reader.emit("chunk", {"_id": 1, "ack": 7})
        reader.chunks(1, 8, 1)
        assert reader.event()[1]["end"]
