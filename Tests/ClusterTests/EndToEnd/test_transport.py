"""What of HTTP and WebSocket is a choice, on the wire: cookie, CORS, compression, subprotocols (SOCKETIO §2.5 to §2.7,
§6), and the corner cases of the upgrade request (RFC 6455 §4.2)."""

import gzip
import json
import struct
import zlib

import pytest
from autobahn_cases import PerMessageDeflateOffer
from autobahn_peer import Deflate
from processes import Nodes
from raw import (
    BINARY,
    CLOSE,
    ENGINE,
    PATIENT,
    SOCKET_IO,
    TEXT,
    WS_PING,
    WS_PONG,
    Polling,
    Wire,
    conformance_server,
    frame,
    get,
    open_packet,
    open_websocket,
    polling,
    refused,
    request,
    websocket,
)

LISTED = "https://app.example"
FOREIGN = "https://evil.example"


@pytest.fixture
def start(tmp_path):
    """Starts a conformance server with these options."""
    nodes = Nodes(tmp_path)
    running = []

    def started(*options):
        interval, timeout = PATIENT
        common = ["--loops", "2", "--ping-interval", str(interval), "--ping-timeout", str(timeout)]
        (node,) = nodes.start(1, options=[*common, *options])
        node.ping = PATIENT
        running.append(node)
        return node

    yield started
    for node in running:
        assert node.is_running, node.log()[-4000:]
        node.kill()  # or it would wait for the polls of those who have left without a word
    nodes.end()


@pytest.fixture(scope="module", params=[1, 4], ids=["one-loop", "four-loops"])
def server(request, tmp_path_factory):
    with conformance_server(tmp_path_factory.mktemp("transport"), request.param) as node:
        yield node


# The session ID of a session that began on WebSocket (§2.3, §6)


def test_a_sid_of_a_websocket_is_known(server):
    with open_websocket(server) as wire:
        sid = wire.handshake["sid"]
        assert refused(get(server, polling(ENGINE, sid))) == (400, 3)
        assert refused(request(server, "POST", polling(ENGINE, sid), "4x")) == (400, 3)
        assert refused(get(server, websocket(ENGINE, sid))) == (400, 3)
        with Wire(server) as second:
            second.upgrade_request(websocket(ENGINE, sid)).upgraded()
            assert second.is_ended(1000)
        with Wire(server) as reused:  # and on a connection that served something before
            reused.get(polling(ENGINE))
            reused.upgrade_request(websocket(ENGINE, sid)).upgraded()
            assert reused.is_ended(1000)
        wire.send_text("4still here")
        assert wire.receive() == "4still here"
        wire.send_text("1")
        assert wire.is_ended()
    assert refused(get(server, polling(ENGINE, sid))) == (400, 1)


# The upgrade request


def test_a_close_code_is_echoed(server):
    for code in (1000, 1001, 3000, 4999):
        with open_websocket(server) as wire:
            wire.send(frame(CLOSE, struct.pack(">H", code) + b"bye"))
            assert wire.is_ended(code)


UPGRADE = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]


@pytest.mark.parametrize("is_reused", [False, True])
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (["Sec-WebSocket-Version: 8"], 426),
        (["Sec-WebSocket-Version: 13, 8"], 426),
        ([], 426),
        (["Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13"], 426),
        (["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="], 400),
        (["Sec-WebSocket-Version: 13", "Sec-WebSocket-Extensions: permessage-deflate;"], 400),
        (["Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: a, a"], 400),
    ],
)
def test_upgrade_requests_that_are_wrong(server, fields, status, is_reused):
    with Wire(server) as wire:
        if is_reused:
            wire.get(polling(ENGINE))
        answer = wire.get(websocket(ENGINE), [*UPGRADE, *fields])
        assert answer.status == status, answer
        assert answer.headers["connection"] == "close"
        if status == 426:
            assert answer.headers["sec-websocket-version"] == "13"
        assert wire.is_closed()


def test_nothing_is_selected_that_is_not_configured(server):
    with Wire(server) as wire:
        wire.upgrade_request(
            websocket(ENGINE), ["Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Extensions: permessage-deflate"]
        )
        answer = wire.response()
        assert answer.status == 101
        assert not {"sec-websocket-protocol", "sec-websocket-extensions", "set-cookie"} & set(answer.headers)


# Cookie (§2.6)


def test_cookie(start):
    node = start("--cookie", "io")
    expected = f"io={node.name}; Path=/; HttpOnly; SameSite=Lax"
    with Wire(node) as wire:
        answer = wire.get(polling(SOCKET_IO))
        assert answer.headers["set-cookie"] == expected
        sid = open_packet(node, answer.text)["sid"]
        assert wire.request("POST", polling(SOCKET_IO, sid), "40").response().headers.get("set-cookie") is None
        assert wire.get(polling(SOCKET_IO, sid)).headers.get("set-cookie") is None
    assert get(node, polling(SOCKET_IO), ["X-Forwarded-Proto: https"]).headers["set-cookie"] == expected + "; Secure"
    with Wire(node) as wire:
        wire.upgrade_request(websocket(SOCKET_IO))
        assert wire.response().headers["set-cookie"] == expected
    with Polling(node, SOCKET_IO) as session, Wire(node) as wire:
        wire.upgrade_request(websocket(SOCKET_IO, session.sid))
        answer = wire.response()
        assert answer.status == 101
        assert "set-cookie" not in answer.headers


# CORS (§2.5)


def test_cors_list(start):
    node = start("--cors-origin", LISTED, "--cors-origin", "https://*.wild.example", "--cors-credentials")
    for origin in (LISTED, "https://a.b.wild.example"):
        for target in (polling(SOCKET_IO), polling(SOCKET_IO, "unknown"), SOCKET_IO):
            answer = get(node, target, [f"Origin: {origin}"])
            assert answer.headers["access-control-allow-origin"] == origin, answer
            assert answer.headers["access-control-allow-credentials"] == "true"
            assert answer.headers["vary"] == "Origin"
    for fields in ([f"Origin: {FOREIGN}"], [], ["Origin: null"]):
        answer = get(node, polling(SOCKET_IO), fields)
        assert "access-control-allow-origin" not in answer.headers
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers["vary"] == "Origin"
    answer = request(
        node, "OPTIONS", polling(SOCKET_IO), headers=[f"Origin: {LISTED}", "Access-Control-Request-Headers: x-a, x-b"]
    )
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == LISTED
    assert answer.headers["access-control-allow-methods"] == "GET,HEAD,PUT,PATCH,POST,DELETE"
    assert answer.headers["access-control-allow-headers"] == "x-a, x-b"
    assert answer.headers["vary"] == "Access-Control-Request-Headers, Origin"


def test_a_cors_list_governs_websockets(start):
    node = start("--cors-origin", LISTED)
    for origin, is_allowed in [(LISTED, True), (FOREIGN, False), (None, True), ("http://localhost", True)]:
        with Wire(node) as wire:
            wire.upgrade_request(websocket(SOCKET_IO), [f"Origin: {origin}"] if origin else [])
            answer = wire.response()
            assert answer.status == (101 if is_allowed else 400), (origin, answer)
            if not is_allowed:
                assert answer.text == "Forbidden"


# Compression of answers to polls (§2.7)


def poll_with(node, session, accepted, size):
    session.accepts("4" + "x" * size)
    fields = [f"Accept-Encoding: {accepted}"] if accepted else []
    answer = session.gets.get(session.target, fields)
    assert answer.status == 200
    assert answer.headers["content-length"] == str(len(answer.body))
    return answer


def test_polls_are_compressed(start):
    node = start("--compress-polling")
    with Polling(node) as session:
        for accepted, coding in [
            ("gzip, deflate, br", "gzip"),
            ("deflate", "deflate"),
            ("gzip;q=0.1, deflate;q=0.2", "deflate"),
            ("br", None),
            ("gzip;q=0", None),
            (None, None),
        ]:
            answer = poll_with(node, session, accepted, 5000)
            assert answer.headers.get("content-encoding") == coding, accepted
            body = {"gzip": gzip.decompress, "deflate": zlib.decompress, None: bytes}[coding](answer.body)
            assert body == b"4" + b"x" * 5000
            assert answer.headers["vary"].startswith("Accept-Encoding")
        for size, is_compressed in [(1022, False), (1023, True)]:
            answer = poll_with(node, session, "gzip", size)
            assert ("content-encoding" in answer.headers) == is_compressed
        post = session.post("4" + "y" * 5000, ["Accept-Encoding: gzip"])
        assert "content-encoding" not in post.headers
    assert "submergence_engine_answers_compressed_total 4" in node.control("/metrics")


def test_polls_are_not_compressed_unless_asked_for(server):
    with Polling(server) as session:
        assert "content-encoding" not in poll_with(server, session, "gzip", 5000).headers


# permessage-deflate (RFC 7692)


class DeflateWire(Wire):
    """A WebSocket with permessage-deflate on `path`."""

    def __init__(self, node, path, offer=None):
        super().__init__(node)
        offer = offer or PerMessageDeflateOffer()
        self.upgrade_request(websocket(path), [f"Sec-WebSocket-Extensions: {offer.header()}"])
        answer = self.response()
        assert answer.status == 101
        self.deflate = Deflate([offer], answer.headers["sec-websocket-extensions"])
        self.handshake = json.loads(self.receive_message()[1][1:])

    def send_compressed(self, opcode, data):
        return self.send(frame(opcode, self.deflate.compress(data), reserved=4))

    def receive_message(self):
        """(opcode, payload, whether it came compressed)"""
        first, second = self.take(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self.take(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self.take(8))
        payload = self.take(length)
        assert first & 0xB0 == 0x80
        if first & 0x40:
            payload = self.deflate.decompress(payload)
        return first & 0x0F, payload, bool(first & 0x40)


def test_messages_are_compressed_from_the_threshold_on(start):
    node = start("--compress-messages")
    with DeflateWire(node, ENGINE) as wire:
        for size, is_compressed in [(10, False), (1022, False), (1023, True), (100_000, True)]:
            wire.send_compressed(TEXT, b"4" + b"x" * size)
            assert wire.receive_message() == (TEXT, b"4" + b"x" * size, is_compressed)
        wire.send_compressed(BINARY, b"\x00" * 3000).send(frame(WS_PING, b"now"))
        assert wire.receive_message() == (BINARY, b"\x00" * 3000, True)
        assert wire.receive_message() == (WS_PONG, b"now", False)
        wire.send_text("4plain")
        assert wire.receive_message() == (TEXT, b"4plain", False)
    assert "submergence_websocket_deflate_agreed_total 1" in node.control("/metrics")


def test_a_bomb_is_not_unpacked(start):
    node = start("--compress-messages")
    with DeflateWire(node, ENGINE) as wire:
        wire.send_compressed(TEXT, b"4" + b"a" * 999_999)
        assert wire.receive_message() == (TEXT, b"4" + b"a" * 999_999, True)
        wire.send_compressed(TEXT, b"4" + b"a" * 200_000_000)
        assert wire.receive_message() == (CLOSE, struct.pack(">H", 1009), False)
    with DeflateWire(node, ENGINE) as wire:
        wire.send(frame(TEXT, b"\xff\xff\xff", reserved=4))
        assert wire.receive_message() == (CLOSE, struct.pack(">H", 1007), False)
    metrics = node.control("/metrics")
    assert 'submergence_websocket_violations_total{code="1009"} 1' in metrics
    assert 'submergence_websocket_violations_total{code="1007"} 1' in metrics


def test_fan_out_to_members_with_and_without_compression(start):
    node = start("--compress-messages")
    auth = b'{"user":"u","client":"c"}'

    def join(wire):
        wire.send_text("40" + auth.decode())

    offers = [PerMessageDeflateOffer(), PerMessageDeflateOffer(requestMaxWindowBits=9)]
    packed = [DeflateWire(node, SOCKET_IO, offer) for offer in [*offers, *offers]]
    plain = [open_websocket(node, SOCKET_IO) for _ in range(2)]
    polls = [Polling(node, SOCKET_IO)]
    for wire in packed + plain:
        join(wire)
    for wire in packed:
        assert wire.receive_message()[1].startswith(b'40{"sid"')
        assert wire.receive_message()[1] == b'42["auth",' + auth + b"]"
    for wire in plain:
        assert wire.receive().startswith('40{"sid"')
        assert wire.receive() == '42["auth",' + auth.decode() + "]"
    polls[0].accepts("40" + auth.decode())
    while '42["auth",' + auth.decode() + "]" not in polls[0].receive():
        pass
    payloads = ["s" * 10, "m" * 3000, "t" * 20, "l" * 60_000]
    for payload in payloads:
        plain[0].send_text(f'42["pub","u","{payload}"]')
    texts = [f'42["msg","{payload}"]' for payload in payloads]
    for wire in packed:
        for text in texts:
            assert wire.receive_message() == (TEXT, text.encode(), len(text) >= 1024)
    for wire in plain:
        assert [wire.receive() for _ in texts] == texts
    received = []
    while len(received) < len(texts):
        received += polls[0].receive()
    assert received == texts
    for wire in [*packed, *plain, *polls]:
        wire.__exit__()


def test_compression_begins_with_an_upgrade(start):
    node = start("--compress-messages")
    with Polling(node) as session, Wire(node) as wire:
        wire.upgrade_request(
            websocket(ENGINE, session.sid), ["Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10"]
        )
        answer = wire.response()
        assert answer.headers["sec-websocket-extensions"] == (
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10"
        )
        deflate = Deflate([PerMessageDeflateOffer(requestMaxWindowBits=10)], answer.headers["sec-websocket-extensions"])
        wire.send(frame(TEXT, deflate.compress(b"2probe"), reserved=4))
        assert wire.receive_frame() == (TEXT, b"3probe")
        session.accepts("4" + "x" * 2000)
        wire.send_text("5")
        first, second = wire.take(2)
        assert first == 0xC1, "what was queued goes out compressed"
        assert deflate.decompress(wire.take(second)) == b"4" + b"x" * 2000
