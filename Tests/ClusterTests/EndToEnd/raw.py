"""HTTP and WebSocket by the byte: what the conformance and hostile tests send, and what they got back exactly. The
server under test comes from conftest.py; a `node` here is a node, or nginx in front of one."""

import base64
import hashlib
import json
import os
import re
import socket
import struct
from contextlib import contextmanager

from processes import Nginx, Nodes, peers_read, wait_for

ENGINE = "/engine.io/"
SOCKET_IO = "/socket.io/"
RS = "\x1e"
PING, PONG, NOOP = "2", "3", "6"

# How long an answer is waited for before the test fails: no limit of the protocol, just the end of patience.
PATIENCE = 30

TEXT, BINARY, CLOSE, WS_PING, WS_PONG = 0x1, 0x2, 0x8, 0x9, 0xA


# Heartbeats of the official suites, in milliseconds; and such as no test comes across.
SUITE = (300, 200)
PATIENT = (25000, 20000)


def conformance_options(loops, ping=PATIENT):
    interval, timeout = ping
    return ["--loops", str(loops), "--ping-interval", str(interval), "--ping-timeout", str(timeout)]


@contextmanager
def conformance_server(folder, loops, ping=PATIENT, through="direct"):
    """A `submergence conformance` process with so many event loops, or nginx in front of it. It has to outlive whatever
    is sent to it."""
    nodes = Nodes(folder)
    proxies = []
    try:
        (node,) = nodes.start(1, options=conformance_options(loops, ping))
        node.ping = ping
        if through == "nginx":
            proxies.append(Nginx(folder, [node]))
            proxies[0].ping = ping
        yield proxies[0] if proxies else node
        assert node.is_running, f"the server ended with {node.process.returncode}:\n{node.log()[-4000:]}"
        node.kill()  # or it would wait for the polls of those who have left without a word
    finally:
        for proxy in proxies:
            proxy.end()
        nodes.end()


class Response:
    """One HTTP answer."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self):
        return self.body.decode()

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body!r}"


class Wire:
    """One TCP connection to a node, and the bytes read from it that nobody has asked for yet."""

    def __init__(self, node, receive_buffer=None):
        self.node = node
        self.socket = socket.socket()
        if receive_buffer:  # before connecting, or the window is as large as ever
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect(("127.0.0.1", node.port))
        self._buffer = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # Bytes

    def send(self, data):
        self.socket.sendall(data if isinstance(data, (bytes, bytearray)) else data.encode())
        return self

    def send_unless_closed(self, data):
        """For a server that may answer, and close, before it has read everything."""
        try:
            self.send(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return self

    def _fill(self):
        """Reads more. False at the end of the stream, be it orderly or not."""
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self._buffer += data
        return bool(data)

    def take(self, count):
        while len(self._buffer) < count:
            if not self._fill():
                raise EOFError(f"closed behind {bytes(self._buffer)!r}")
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def take_until(self, end):
        while end not in self._buffer:
            if not self._fill():
                raise EOFError(f"closed behind {bytes(self._buffer)!r}")
        return self.take(self._buffer.index(end) + len(end))

    def is_closed(self):
        """Waits for the server to close the connection, which it must do without another word."""
        while not self._buffer and self._fill():
            pass
        assert not self._buffer, f"more came: {bytes(self._buffer[:200])!r}"
        return True

    def drain(self):
        """Everything up to the server's close."""
        while self._fill():
            pass
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with RST, as a crashed or hostile peer."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def is_read(self):
        """Waits until the server has taken everything that was sent: nothing is left in its socket's queue."""
        ours, theirs = self.socket.getsockname()[1], self.socket.getpeername()[1]
        while True:
            with open("/proc/net/tcp", encoding="ascii") as table:
                for line in table.readlines()[1:]:
                    fields = line.split()
                    local, remote = fields[1].split(":")[1], fields[2].split(":")[1]
                    if int(local, 16) == theirs and int(remote, 16) == ours:
                        if int(fields[4].split(":")[1], 16) == 0:
                            return self
                        break
                else:
                    return self  # closed on the other side

    def hold(self, target):
        """Sends a GET, and waits until the node has it. nginx has a new connection to the node for each request."""
        if not isinstance(self.node, Nginx):
            return self.request("GET", target).is_read()
        known = self._peers_of_nodes()
        self.request("GET", target)
        wait_for("nginx to pass on a request", lambda: self._peers_of_nodes() - known, interval=0.001)
        return self

    def _peers_of_nodes(self):
        return set().union(*(peers_read(node.port) for node in self.node.nodes))

    # HTTP

    def request(self, method, target, body=None, headers=(), host="localhost"):
        """Sends a request, with exactly these header fields behind Host and Content-Length."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *headers]
        if body is not None:
            body = body if isinstance(body, bytes) else body.encode()
            lines.append(f"Content-Length: {len(body)}")
        return self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))

    def response(self):
        head = self.take_until(b"\r\n\r\n").decode("latin-1")
        status_line, *lines = head[:-4].split("\r\n")
        assert status_line.startswith("HTTP/1.1 "), status_line
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        status = int(status_line.split(" ")[1])
        if status in (101, 204):
            body = b""
        elif "content-length" in headers:
            body = self.take(int(headers["content-length"]))
        elif headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.take_until(b"\r\n"), 16):
                body += self.take(size)
                self.take(2)
            self.take(2)
        else:
            body = self.drain()
        return Response(status, headers, body)

    def get(self, target, headers=()):
        return self.request("GET", target, headers=headers).response()

    def post(self, target, body, headers=()):
        return self.request("POST", target, body, headers).response()

    # WebSocket

    def upgrade_request(self, target, headers=(), behind=b""):
        key = base64.b64encode(os.urandom(16)).decode()
        self._accept = base64.b64encode(
            hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        ).decode()
        fields = ["Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
        lines = [f"GET {target} HTTP/1.1", "Host: localhost", *fields, *headers]
        return self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + behind)

    def upgraded(self):
        """The 101, checked."""
        response = self.response()
        assert response.status == 101, response
        assert response.headers["upgrade"].lower() == "websocket"
        assert response.headers["connection"].lower() == "upgrade"
        assert response.headers["sec-websocket-accept"] == self._accept
        assert "content-length" not in response.headers
        return self

    def send_text(self, text):
        return self.send(frame(TEXT, text.encode()))

    def send_binary(self, data):
        return self.send(frame(BINARY, data))

    def receive_frame(self):
        """(opcode, payload) of the next frame, which the server may neither mask nor split."""
        first, second = self.take(2)
        assert first & 0xF0 == 0x80, f"final, and nothing reserved: {first:#x}"
        assert second & 0x80 == 0, "a server masks nothing"
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self.take(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self.take(8))
        return first & 0x0F, self.take(length)

    def receive(self, answers_pings=True, skips_pings=True):
        """The next message: text as str, binary as bytes."""
        while True:
            opcode, payload = self.receive_frame()
            assert opcode in (TEXT, BINARY), f"opcode {opcode}: {payload!r}"
            if opcode == BINARY:
                return payload
            if payload == b"2" and skips_pings:
                if answers_pings:
                    self.send_text(PONG)
                continue
            return payload.decode()

    def is_ended(self, code=None):
        """Waits for the server's close frame, with this code if one is given, and for the connection's end behind it.
        Pings may come before."""
        opcode, payload = self.receive_frame()
        while (opcode, payload) == (TEXT, b"2"):
            opcode, payload = self.receive_frame()
        assert opcode == CLOSE, f"opcode {opcode}: {payload!r}"
        if code is not None:
            assert payload == struct.pack(">H", code)
        return self.is_closed()


def frame(opcode, payload=b"", final=True, reserved=0, masked=True, key=b"\x12\x34\x56\x78", length=None):
    """One frame as a client sends it, or as it must not. `length` is claimed in place of the payload's."""
    count = len(payload) if length is None else length
    first = (0x80 if final else 0) | reserved << 4 | opcode
    mask = 0x80 if masked else 0
    if count < 126:
        head = struct.pack(">BB", first, mask | count)
    elif count < 65536:
        head = struct.pack(">BBH", first, mask | 126, count)
    else:
        head = struct.pack(">BBQ", first, mask | 127, count)
    if not masked:
        return head + payload
    stream = key * (len(payload) // 4 + 1)
    body = int.from_bytes(payload, "big") ^ int.from_bytes(stream[: len(payload)], "big")
    return head + key + body.to_bytes(len(payload), "big")


# Requests on connections of their own


def get(node, target, headers=()):
    with Wire(node) as wire:
        return wire.get(target, headers)


def post(node, target, body, headers=()):
    with Wire(node) as wire:
        return wire.post(target, body, headers)


def request(node, method, target, body=None, headers=()):
    with Wire(node) as wire:
        return wire.request(method, target, body, headers).response()


def polling(path, sid=None):
    return f"{path}?EIO=4&transport=polling" + (f"&sid={sid}" if sid else "")


def websocket(path, sid=None):
    return f"{path}?EIO=4&transport=websocket" + (f"&sid={sid}" if sid else "")


def open_packet(node, text):
    """The handshake, checked as the suites do: exactly five keys, whole numbers."""
    assert text[0] == "0", text
    values = json.loads(text[1:])
    assert list(values) == ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{22,64}", values["sid"])
    interval, timeout = node.ping
    assert text.endswith(f'"pingInterval":{interval},"pingTimeout":{timeout},"maxPayload":1000000}}')
    return values


class Polling:
    """A session that polls, over one keep-alive connection for GETs and one for POSTs, as clients do."""

    def __init__(self, node, path=ENGINE):
        self.node = node
        self.gets = Wire(node)
        self.posts = Wire(node)
        self.path = path
        response = self.gets.get(polling(path))
        assert response.status == 200, response
        values = open_packet(node, response.text)
        assert values["upgrades"] == ["websocket"]
        self.sid = values["sid"]
        self.target = polling(path, self.sid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gets.close()
        self.posts.close()

    def poll(self):
        return self.gets.get(self.target)

    def post(self, body, headers=()):
        return self.posts.post(self.target, body, headers)

    def receive(self):
        """The packets of the next answer that has more than a ping; pings are answered."""
        while True:
            response = self.poll()
            assert response.status == 200, response
            packets = response.text.split(RS)
            if PING in packets:
                self.accepts(PONG)
                packets.remove(PING)
            if packets:
                return packets

    def accepts(self, body):
        response = self.post(body)
        assert (response.status, response.body) == (200, b"ok"), response

    def is_gone(self):
        """On a connection of its own: nobody knows the sid."""
        assert refused(get(self.node, self.target)) == (400, 1)
        return True

    def upgrade(self, wire=None):
        """A WebSocket that has probed and taken over."""
        wire = wire or Wire(self.node)
        wire.upgrade_request(websocket(self.path, self.sid)).upgraded()
        wire.send_text("2probe")
        assert wire.receive_frame() == (TEXT, b"3probe")
        wire.send_text("5")
        return wire


def refused(response):
    """(status, code) of a refusal, whose body is exact."""
    messages = {
        0: "Transport unknown",
        1: "Session ID unknown",
        2: "Bad handshake method",
        3: "Bad request",
        4: "Forbidden",
        5: "Unsupported protocol version",
    }
    assert response.headers.get("content-type") == "application/json", response
    code = json.loads(response.text)["code"]
    assert response.text == f'{{"code":{code},"message":"{messages[code]}"}}'
    return response.status, code


def open_websocket(node, path=ENGINE):
    """A session on WebSocket from the start, behind its handshake."""
    wire = Wire(node)
    wire.upgrade_request(websocket(path)).upgraded()
    opcode, payload = wire.receive_frame()
    assert opcode == TEXT
    wire.handshake = open_packet(node, payload.decode())
    assert wire.handshake["upgrades"] == []
    return wire


def joined(text, namespace=""):
    """The socket id of an answer to CONNECT that has exactly this form."""
    match = re.fullmatch(r"40" + re.escape(namespace) + r'\{"sid":"([A-Za-z0-9_.-]{20,64})"\}', text)
    assert match, text
    return match[1]


def open_socket(node, auth=""):
    """A Socket.IO session on WebSocket that has joined `/`."""
    wire = open_websocket(node, SOCKET_IO)
    wire.send_text("40" + auth)
    joined(wire.receive())
    assert wire.receive() == f'42["auth",{auth or "{}"}]'
    return wire
