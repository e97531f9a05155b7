"""Streams over webhooks: bodies of actions as they come, answers as clients take them (SPEC RM-3; docs/webhooks.md)."""

import asyncio
import hashlib
import http.client
import http.server
import json
import queue
import socket
import threading

import pytest
import requests
from callers import Caller
from processes import Node, wait_for
from receiver import OTHER, SECRET, Request, is_signed
from test_domains import ENVIRONMENT, PRIVATE, Config

CHUNK = 65_536
LARGE = 64 << 20
BLOCK = bytes(range(251)) * 4_177


def pattern(count):
    """So many bytes, in pieces."""
    while count > 0:
        piece = BLOCK[:count]
        yield piece
        count -= len(piece)


class Body:
    """So many bytes of a request that says how many they are."""

    def __init__(self, count):
        self._count = count

    def __len__(self):
        return self._count

    def __iter__(self):
        return pattern(self._count)


def digest(pieces):
    code = hashlib.sha256()
    count = 0
    for piece in pieces:
        code.update(piece)
        count += len(piece)
    return count, code.hexdigest()


class Exchange(http.server.BaseHTTPRequestHandler):
    """One request to the target; the test says what becomes of it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.request_head = Request(self.headers, b"")
        self.server.seen.put(self.request_head)
        self.server.play(self)

    def pieces(self):
        """The body as it comes."""
        if self.headers.get("transfer-encoding") != "chunked":
            left = int(self.headers["content-length"])
            while left:
                piece = self.rfile.read(min(left, CHUNK))
                assert piece, "the body ended early"
                left -= len(piece)
                yield piece
            return
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def reply(self, document, status=200):
        body = json.dumps(document).encode()
        self.head(status, {"content-type": "application/json", "content-length": len(body)})
        self.wfile.write(body)

    def stream(self, pieces, **fields):
        """In chunks, where there is no length."""
        fields = {name.replace("_", "-"): value for name, value in fields.items()}
        if "content-length" not in fields:
            fields["transfer-encoding"] = "chunked"
        self.head(200, {"x-submergence-reply": "stream", **fields})
        for piece in pieces:
            self.wfile.write(piece if "content-length" in fields else b"%x\r\n%s\r\n" % (len(piece), piece))
        if "content-length" not in fields:
            self.wfile.write(b"0\r\n\r\n")

    def head(self, status, fields):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, str(value))
        self.end_headers()

    def die(self):
        """As a process that is killed."""
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def log_message(self, *_):
        pass


class Target(http.server.ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Exchange)
        self.seen = queue.Queue()
        self.play = lambda exchange: exchange.reply({})
        self.url = f"http://127.0.0.1:{self.server_port}/hooks"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def handle_error(self, *_):
        """Whoever asked has gone: that is what some tests are about."""

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


ACTIONS = [
    {"action": "PUT /up/:name", "streams": True, "maxBodyLength": LARGE, "timeLimit": 600},
    {"action": "GET /down/:name", "timeLimit": 60},
]


@pytest.fixture
def stage(tmp_path):
    """Starts a node whose actions go to the target."""
    running = []

    def start(*options):
        node = Node(tmp_path, f"node-{len(running) + 1}", "serve", None, [*PRIVATE, *options], ENVIRONMENT)
        running.append(node)
        node.wait_until_ready()
        response = Config(node).put({"target": target.url, "actions": ACTIONS}, 0)
        assert response.status_code == 200, response.text
        return node, target

    with Target() as target:
        yield start
        for node in running:
            node.stop()


def results(node, result):
    return node.metric(f'submergence_webhook_requests_total{{kind="action",result="{result}"}}')


@pytest.mark.parametrize("length", [True, False], ids=["length", "chunks"])
def test_a_body_goes_to_the_target_as_it_comes(stage, length):
    node, target = stage()

    def play(exchange):
        count, code = digest(exchange.pieces())
        exchange.reply({"status": 201, "content": {"count": count, "code": code}})

    target.play = play
    body = Body(LARGE) if length else pattern(LARGE)
    headers = {"content-type": "video/x; q=1"}
    response = requests.put(node.url + "/up/a%20b?x=y", data=body, headers=headers, timeout=300)
    count, code = digest(pattern(LARGE))
    assert (response.status_code, response.json()["content"]) == (201, {"count": count, "code": code})
    request = target.seen.get()
    assert request["body"] == "streamed" and request["action"] == "/up/:name" and request["method"] == "PUT"
    assert request.headers["content-type"] == "video/x; q=1"
    assert request.headers.get("content-length") == (str(LARGE) if length else None)
    assert request.call["params"] == {"name": "a b"} and request.call["query"] == {"x": "y"}
    assert request.call["type"] == "video/x" and "body" not in request.call
    # The fields are signed, and the body is not: they say so themselves.
    assert is_signed(request.headers, b"anything", SECRET)
    assert not is_signed(request.headers, b"anything", OTHER)
    assert not is_signed({**request.headers, "x-submergence-call": "e30"}, b"", SECRET)
    # Without a body it is an ordinary request.
    target.play = lambda exchange: exchange.reply({"content": digest(exchange.pieces())[0]})
    assert requests.put(node.url + "/up/none", timeout=30).status_code == 200
    assert target.seen.get()["body"] is None


@pytest.mark.parametrize("length", [True, False], ids=["length", "chunks"])
def test_an_answer_comes_as_the_client_takes_it(stage, length):
    node, target = stage()
    fields = {"content_type": "video/y", "x_submergence_status": 206} | ({"content_length": LARGE} if length else {})
    target.play = lambda exchange: (list(exchange.pieces()), exchange.stream(pattern(LARGE), **fields))
    # A small receive buffer, so that whatever is not taken waits elsewhere.
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.connect(("127.0.0.1", node.port))
        connection.sendall(b"GET /down/a HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert response.status == 206 and response.headers["content-type"] == "video/y"
        assert response.headers["content-length"] == (str(LARGE) if length else None)
        assert digest(iter(lambda: response.read(7_001), b"")) == digest(pattern(LARGE))
    wait_for("it to be counted", lambda: results(node, "ok") == 1)
    assert node.metric("submergence_webhook_running") == 0
    # HEAD has the head.
    head = requests.head(node.url + "/down/a", timeout=30)
    assert (head.status_code, head.headers["content-type"]) == (206, "video/y")


def test_both_ways_over_a_socket(stage):
    node, target = stage()
    bodies = []

    def play(exchange):
        bodies.append(b"".join(exchange.pieces()))
        exchange.stream(pattern(1_500_000), content_type="video/y", content_length=1_500_000)

    target.play = play

    async def run():
        async with Caller(node.url, "alice", v=1) as caller:

            async def acknowledge(chunk):
                caller.note("chunk", chunk)
                if "data" in chunk:
                    await caller.client.emit("chunk", {"_id": chunk["_id"], "ack": chunk["n"]})

            caller.client.on("chunk", acknowledge)
            data = b"".join(pattern(200_000))
            reply = await caller.call("PUT", "/up/x", _id="s", body=data)
            assert (reply["status"], reply["stream"], reply["length"]) == (200, True, 1_500_000)
            await caller.until(lambda caller: caller.received[-1][1][0].get("end"))
            chunks = [arguments[0] for name, arguments in caller.received if name == "chunk"]
            assert b"".join(chunk["data"] for chunk in chunks[:-1]) == b"".join(pattern(1_500_000))
            assert bodies == [data]
            assert target.seen.get()["user"] == "alice"

    asyncio.run(run())


def test_a_target_that_dies_in_its_answer_ends_the_clients(stage):
    node, target = stage()

    def play(exchange):
        list(exchange.pieces())
        exchange.head(200, {"x-submergence-reply": "stream", "transfer-encoding": "chunked"})
        exchange.wfile.write(b"3\r\nabc\r\n")
        exchange.die()

    target.play = play
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        requests.get(node.url + "/down/x", timeout=30)

    async def run():
        async with Caller(node.url, "alice", v=1) as caller:
            reply = await caller.call("GET", "/down/x", _id=1)
            assert reply["stream"]
            await caller.until(lambda caller: caller.received[-1][1][0].get("error"))
            assert caller.received[-1][1][0] == {"_id": 1, "n": 1, "error": "FAILED"}

    asyncio.run(run())
    wait_for("both to be counted", lambda: results(node, "transport") == 2)
    assert "answer stream failed" in node.log() and "webhook failed" in node.log()


def test_a_target_that_dies_in_the_body_is_502(stage):
    node, target = stage()

    def play(exchange):
        next(exchange.pieces())
        exchange.die()

    target.play = play
    # No more than what a client may still send behind an answer.
    response = requests.put(node.url + "/up/x", data=Body(200_000), timeout=60)
    assert (response.status_code, response.json()["content"]["error"]) == (502, "WEBHOOK")
    assert response.json()["content"]["id"] == target.seen.get()["request"]
    assert results(node, "transport") == 1


def test_a_target_that_falls_silent_is_given_up(stage):
    node, target = stage("--webhook-timeout", "0.5")
    over = threading.Event()

    def play(exchange):
        list(exchange.pieces())

        def pieces():
            yield b"abc"
            over.wait(60)

        exchange.stream(pieces())

    target.play = play
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        requests.get(node.url + "/down/x", timeout=30)
    wait_for("it to be counted", lambda: results(node, "timeout") == 1)
    over.set()


def test_what_is_wrong_with_a_body_is_its_clients_to_know(stage):
    """And says nothing about the target: one failure would have it left alone."""
    node, target = stage("--webhook-breaker-threshold", "1", "--webhook-breaker-pause", "60")
    target.play = lambda exchange: exchange.reply({"content": digest(exchange.pieces())[0]})
    long = requests.put(node.url + "/up/x", data=b"", headers={"content-length": str(LARGE + 1)}, timeout=30)
    assert long.status_code == 413 and target.seen.empty()

    # In chunks it is found out on the way.
    def endless():
        while True:
            yield BLOCK

    try:
        response = requests.put(node.url + "/up/x", data=endless(), timeout=60)
        assert (response.status_code, response.json()["content"]) == (413, {"error": "TOO_LARGE"})
    except requests.exceptions.ConnectionError:
        # It was still sending when the connection ended.
        pass
    target.seen.get(timeout=30)
    # A client that goes in the middle.
    with socket.create_connection(("127.0.0.1", node.port)) as connection:
        connection.sendall(b"PUT /up/x HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n" + b"x" * 500)
        target.seen.get(timeout=30)
    wait_for("both to be given up", lambda: results(node, "cancelled") == 2)
    assert requests.put(node.url + "/up/x", data=b"four", timeout=30).json()["content"] == 4


def test_a_client_that_goes_frees_its_turn(stage):
    node, target = stage("--webhook-concurrency", "1")
    cut = threading.Event()

    def play(exchange):
        list(exchange.pieces())
        try:
            exchange.stream(pattern(LARGE))
        except OSError:
            cut.set()

    target.play = play
    with socket.create_connection(("127.0.0.1", node.port)) as connection:
        connection.sendall(b"GET /down/x HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert connection.recv(1_000).startswith(b"HTTP/1.1 200")
    assert cut.wait(30)
    target.play = lambda exchange: (list(exchange.pieces()), exchange.reply({"content": "next"}))
    assert requests.get(node.url + "/down/x", timeout=30).json()["content"] == "next"


@pytest.mark.parametrize(
    "fields",
    [
        {"x-submergence-reply": "document"},
        {"x-submergence-reply": "stream", "x-submergence-status": "204"},
        {"x-submergence-reply": "stream", "x-submergence-status": "two"},
        {"x-submergence-reply": "stream", "content-type": "none"},
    ],
)
def test_heads_that_are_none_are_502(stage, fields):
    node, target = stage()
    target.play = lambda exchange: (list(exchange.pieces()), exchange.head(200, {**fields, "content-length": 0}))
    response = requests.get(node.url + "/down/x", timeout=30)
    assert (response.status_code, response.json()["content"]["error"]) == (502, "WEBHOOK")
    assert results(node, "malformed") == 1


def test_a_stream_needs_an_end(stage):
    """A connection that simply ends could be a target that has died."""
    node, target = stage()

    def play(exchange):
        list(exchange.pieces())
        exchange.head(200, {"x-submergence-reply": "stream", "connection": "close"})
        exchange.wfile.write(b"abc")
        exchange.close_connection = True

    target.play = play
    assert requests.get(node.url + "/down/x", timeout=30).status_code == 502
    assert results(node, "malformed") == 1
