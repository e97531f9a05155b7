"""Engine.IO on the wire, §2 to §6 of SOCKETIO to the byte, beyond what the official suite asks for
(test_official_suites.py)."""

import pytest
from raw import (
    CLOSE,
    ENGINE,
    RS,
    SOCKET_IO,
    TEXT,
    Polling,
    Wire,
    frame,
    get,
    open_websocket,
    polling,
    refused,
    request,
    websocket,
)

MAX_PAYLOAD = 1_000_000


# §2.1, §2.2: paths and queries


@pytest.mark.parametrize("path", ["/engine.io", "/socket.io"])
def test_path_without_its_slash(server, path):
    assert get(server, polling(path)).status == 200


@pytest.mark.parametrize("path", ["/socket.io/more", "/socket.ioo", "/Socket.io/", "/engine.io/x", "/", "//socket.io/"])
def test_other_paths(server, path):
    assert get(server, polling(path)).status == 404


def test_the_last_of_two_values_counts(server):
    assert refused(get(server, f"{ENGINE}?EIO=4&transport=polling&EIO=3")) == (400, 5)
    assert get(server, f"{ENGINE}?EIO=3&transport=websocket&EIO=4&transport=polling").status == 200


def test_values_are_percent_decoded(server):
    assert get(server, f"{ENGINE}?%45IO=%34&transport=%70olling&t=x%20y&j=1").status == 200


@pytest.mark.parametrize("query", ["%", "%4", "%zz", "t=%ff", "t=%c3%28"])
def test_a_malformed_query(server, query):
    assert refused(get(server, f"{ENGINE}?EIO=4&transport=polling&{query}")) == (400, 3)


def test_an_empty_sid_is_absent(server):
    assert get(server, f"{ENGINE}?EIO=4&transport=polling&sid=").status == 200


def test_base64_on_both_transports(server):
    with Wire(server) as wire:
        wire.upgrade_request(websocket(ENGINE) + "&b64=1").upgraded()
        wire.receive()
        wire.send_binary(b"\x01\x02\x03\x04")
        assert wire.receive_frame() == (TEXT, b"bAQIDBA==")


def test_base64_text_over_a_websocket(server):
    with open_websocket(server) as wire:
        wire.send_text("bAQIDBA==")
        assert wire.receive() == b"\x01\x02\x03\x04"
        wire.send_binary(b"")
        assert wire.receive() == b""


# §2.7: the headers of what succeeds


@pytest.mark.parametrize("path", [ENGINE, SOCKET_IO])
def test_headers_of_a_handshake(server, path):
    response = get(server, polling(path))
    assert response.headers["content-type"] == "text/plain; charset=UTF-8"
    assert response.headers["content-length"] == str(len(response.body))
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["access-control-allow-origin"] == "*"
    assert "set-cookie" not in response.headers


def test_headers_of_a_post(server):
    with Polling(server) as session:
        response = session.post("4hello")
        assert (response.status, response.body) == (200, b"ok")
        assert response.headers["content-type"] == "text/html"
        assert response.headers["content-length"] == "2"
        assert response.headers["cache-control"] == "no-store"


# §2.3, §2.4: the order of checks and the exact answers


@pytest.mark.parametrize(
    ("method", "query", "answer"),
    [
        # The transport comes before everything else.
        ("POST", "EIO=3&sid=nobody", (400, 0)),
        ("GET", "EIO=3&transport=webtransport&sid=nobody", (400, 0)),
        # Then the session, whatever the method and the version.
        ("GET", "transport=polling&sid=nobody", (400, 1)),
        ("PUT", "EIO=3&transport=polling&sid=nobody", (400, 1)),
        ("GET", "EIO=4&transport=websocket&sid=nobody", (400, 1)),
        # Then, without one, the method, the transport, and the version last.
        ("PUT", "EIO=3&transport=websocket", (400, 2)),
        ("POST", "EIO=3&transport=polling", (400, 2)),
        ("DELETE", "EIO=4&transport=polling", (400, 2)),
        ("GET", "EIO=3&transport=websocket", (400, 3)),
        ("GET", "EIO=4&transport=websocket", (400, 3)),
        ("GET", "EIO=3&transport=polling", (400, 5)),
        ("GET", "", (400, 0)),
        ("GET", "EIO=4&transport=", (400, 0)),
    ],
)
def test_order_of_checks(server, method, query, answer):
    response = request(server, method, f"{ENGINE}?{query}")
    assert refused(response) == answer
    assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("path", [ENGINE, SOCKET_IO])
@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("transport=websocket", b"Unsupported protocol version"),
        ("EIO=abc&transport=websocket", b"Unsupported protocol version"),
        ("EIO=4", b"Transport unknown"),
        ("EIO=4&transport=abc", b"Transport unknown"),
    ],
)
def test_a_refused_websocket(server, path, query, message):
    with Wire(server) as wire:
        response = wire.upgrade_request(f"{path}?{query}").response()
        assert (response.status, response.body) == (400, message)
        assert response.headers["content-type"] == "text/html"
        assert response.headers["connection"] == "close"
        assert wire.is_closed()


@pytest.mark.parametrize("sid", ["nobody", "x" * 65, "%2e%2e", "a b", "%00", "__proto__"])
def test_an_unknown_sid(server, sid):
    sid = sid.replace(" ", "+")
    assert refused(get(server, polling(ENGINE, sid))) == (400, 1)
    with Wire(server) as wire:
        response = wire.upgrade_request(websocket(ENGINE, sid)).response()
        assert (response.status, response.body) == (400, b"Session ID unknown")


def test_other_transports_than_the_session_has(server):
    with Polling(server) as session:
        assert refused(get(server, websocket(ENGINE, session.sid))) == (400, 3)
        with Wire(server) as wire:
            response = wire.upgrade_request(polling(ENGINE, session.sid)).response()
            assert (response.status, response.body) == (400, b"Bad request")
        session.accepts("4still here")
        assert session.poll().text == "4still here"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD"])
def test_other_methods_leave_the_session_alone(server, method):
    with Polling(server) as session, Wire(server) as wire:
        wire.request(method, session.target)
        head = wire.take_until(b"\r\n\r\n").lower()
        assert head.startswith(b"http/1.1 405 ")
        assert b"content-length: 0" in head
        session.accepts("4still here")
        assert session.poll().text == "4still here"


def test_preflight(server):
    fields = ["Origin: http://elsewhere", "Access-Control-Request-Headers: x-one, x-two"]
    response = request(server, "OPTIONS", polling(SOCKET_IO), headers=fields)
    assert (response.status, response.body) == (204, b"")
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["access-control-allow-methods"] == "GET,HEAD,PUT,PATCH,POST,DELETE"
    assert response.headers["access-control-allow-headers"] == "x-one, x-two"
    assert response.headers["vary"] == "Access-Control-Request-Headers"


def test_upgrade_requests_that_are_none(server):
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    upgrade = "Upgrade: websocket"
    for status, fields in [
        (400, [upgrade, "Connection: Upgrade", "Sec-WebSocket-Version: 13"]),
        (400, [upgrade, "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: short"]),
        (400, [upgrade, "Connection: Upgrade", "Sec-WebSocket-Version: 13", key, key]),
        (400, [upgrade, "Connection: keep-alive", "Sec-WebSocket-Version: 13", key]),
        (426, [upgrade, "Connection: Upgrade", "Sec-WebSocket-Version: 8", key]),
    ]:
        assert get(server, websocket(ENGINE), fields).status == status, fields
    # Another protocol than WebSocket is none of ours: a plain request.
    assert refused(get(server, websocket(ENGINE), ["Upgrade: h2c", "Connection: Upgrade"])) == (400, 3)


def test_names_and_tokens_in_any_case(server):
    fields = ["UPGRADE: WebSocket", "connection: keep-alive, UPGRADE", "sec-websocket-VERSION: 13"]
    with Wire(server) as wire:
        response = wire.get(websocket(ENGINE), [*fields, "SEC-WebSocket-key: dGhlIHNhbXBsZSBub25jZQ=="])
        assert response.status == 101
        assert response.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


# §5: polling


def test_overlapping_gets(server):
    with Polling(server) as session, Wire(server) as second:
        session.gets.hold(session.target)
        response = second.get(session.target)
        assert (response.status, response.body) == (400, b"")
        first = session.gets.response()
        assert (first.status, first.body) == (200, b"1")
        assert session.is_gone()


def test_a_held_get_gets_what_comes(server):
    with Polling(server) as session:
        for text in ["4one", "4two"]:
            session.gets.hold(session.target)
            session.accepts(text)
            assert session.gets.response().text == text


def test_an_overlapping_post(server):
    with Polling(server) as session, Wire(server) as second:
        session.posts.send(
            f"POST {session.target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\n4hel"
        ).is_read()
        response = second.post(session.target, "4other")
        assert (response.status, response.body) == (400, b"")
        first = session.posts.response()
        assert (first.status, first.body) == (400, b"")
        assert session.posts.is_closed()
        assert session.is_gone()


def test_a_get_while_a_post_is_under_way(server):
    with Polling(server) as session:
        session.posts.send(
            f"POST {session.target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\n4hel"
        ).is_read()
        session.gets.hold(session.target)
        session.posts.send("lo")
        assert session.posts.response().text == "ok"
        assert session.gets.response().text == "4hello"


def test_an_aborted_post(server):
    with Polling(server) as session:
        session.gets.hold(session.target)
        session.posts.send(f"POST {session.target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\n4hel")
        session.posts.is_read().close()
        # The poll that is held learns of it.
        assert session.gets.response().text == "1"
        assert session.is_gone()


def test_a_get_that_was_answered_may_be_closed(server):
    with Polling(server) as session:
        session.accepts("4one")
        assert session.poll().text == "4one"
        session.gets.close()
        session.accepts("4two")
        assert get(server, session.target).text == "4two"


@pytest.mark.parametrize("target", ["/engine.io/?EIO=4&transport=polling", "/engine.io/?EIO=4"])
def test_a_head_is_answered_without_a_body(server, target):
    """RFC 9110 §9.3.2: else the next answer on the connection begins in the middle of this one's body."""
    with Wire(server) as wire:
        wire.request("HEAD", target)
        head = wire.take_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 4")
        if b"\r\nconnection: close" in head.lower():
            assert wire.drain() == b""
        else:
            assert wire.get("/engine.io/?EIO=4&transport=polling").status == 200


@pytest.mark.parametrize("type", ["application/octet-stream", "Application/Octet-Stream; x=y"])
def test_octet_stream(server, type):
    """SOCKETIO §19: it is answered, and the POST does not hang."""
    with Polling(server) as session:
        response = session.post("4hello", [f"Content-Type: {type}"])
        assert (response.status, response.body) == (400, b"")
        assert session.is_gone()


@pytest.mark.parametrize("type", ["text/plain;charset=UTF-8", "application/json", "x"])
def test_other_content_types(server, type):
    with Polling(server) as session:
        assert session.post("4hällo", [f"Content-Type: {type}"]).text == "ok"
        assert session.poll().text == "4hällo"


def test_the_largest_body(server):
    text = "4" + "x" * (MAX_PAYLOAD - 1)
    with Polling(server) as session:
        session.accepts(text)
        assert session.poll().text == text


def test_a_body_over_the_limit_is_refused_by_its_length(server):
    """CVE-2020-36048: before any of it is read."""
    with Polling(server) as session:
        session.posts.send(
            f"POST {session.target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MAX_PAYLOAD + 1}\r\n\r\n"
        )
        response = session.posts.response()
        assert (response.status, response.body) == (413, b"")
        assert session.posts.is_closed()
        assert session.is_gone()


def test_a_chunked_body(server):
    with Polling(server) as session:
        session.posts.send(f"POST {session.target} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        session.posts.send("3\r\n4he\r\n").is_read().send("3\r\nllo\r\n0\r\n\r\n")
        assert session.posts.response().text == "ok"
        assert session.poll().text == "4hello"


def test_a_chunked_body_over_the_limit(server):
    """CVE-2020-36048: counted while it comes."""
    with Polling(server) as session:
        session.posts.send(f"POST {session.target} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        # One byte more than allowed, and no end: the count decides.
        session.posts.send(f"{MAX_PAYLOAD + 1:x}\r\n4".encode() + b"x" * MAX_PAYLOAD)
        response = session.posts.response()
        assert (response.status, response.body) == (413, b"")
        assert session.is_gone()


@pytest.mark.parametrize(
    "body",
    ["", "abc", RS, "4a" + RS, "4a" + RS + RS + "4b", b"4\xff", b"4\xed\xa0\x80", "bAQ", "bAQ=A", "bAQI*", "b AQI="],
    ids=repr,
)
def test_a_body_that_is_no_payload(server, body):
    with Polling(server) as session:
        response = session.post(body)
        assert (response.status, response.body) == (400, b"")
        assert session.is_gone()


def test_packets_before_an_invalid_one_count(server):
    with Polling(server) as session, session.upgrade() as wire:
        wire.send(frame(TEXT, b"4one") + frame(TEXT, b"abc") + frame(TEXT, b"4two"))
        assert wire.receive() == "4one"
        assert wire.is_ended()


def test_a_payload_of_very_many_packets(server):
    with Polling(server) as session:
        session.accepts(RS.join(["4x"] * 16384))
        assert session.poll().text == RS.join(["4x"] * 16384)
    with Polling(server) as session:
        assert session.post(RS.join(["4x"] * 16385)).status == 400
        assert session.is_gone()


def test_close_with_a_packet_of_the_same_body(server):
    with Polling(server) as session:
        assert session.post(RS.join(["4one", "1", "4two"])).text == "ok"
        assert session.is_gone()


def test_a_client_that_pings(server):
    with Polling(server) as session:
        session.gets.hold(session.target)
        session.post("2")
        assert session.gets.response().text == "1"
        assert session.is_gone()


def test_packets_that_mean_nothing_are_ignored(server):
    with Polling(server) as session:
        session.accepts(RS.join(["0", "5", "6", "3", "4hello"]))
        assert session.poll().text == "4hello"


# §6: WebSocket


@pytest.mark.parametrize("text", ["abc", "", "7", "b*"])
def test_text_that_is_no_packet(server, text):
    with open_websocket(server) as wire:
        wire.send_text(text)
        assert wire.is_ended()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b"4x", masked=False), 1002),
        (frame(TEXT, b"4x", reserved=4), 1002),
        (frame(TEXT, b"4x", reserved=2), 1002),
        (frame(TEXT, b"4x", reserved=1), 1002),
        (frame(0x3, b"4x"), 1002),
        (frame(0x7, b"4x"), 1002),
        (frame(0xB, b""), 1002),
        (frame(0xF, b""), 1002),
        (frame(0x0, b"4x"), 1002),
        (frame(TEXT, b"4x", final=False) + frame(TEXT, b"y"), 1002),
        (frame(0x9, b"", final=False), 1002),
        (frame(0x9, b"x" * 126), 1002),
        (frame(CLOSE, b"\x03"), 1002),
        (frame(CLOSE, b"\x03\xed"), 1002),
        (b"\x81\xfe\x00\x05" + b"\0\0\0\0" + b"4xxxx", 1002),
        (b"\x81\xff" + b"\0" * 7 + b"\x05" + b"\0\0\0\0" + b"4xxxx", 1002),
        (b"\x81\xff\xff" + b"\xff" * 7 + b"\0\0\0\0", 1002),
        (frame(TEXT, b"4\xff"), 1007),
        (frame(TEXT, b"4\xed\xa0\x80"), 1007),
        (frame(TEXT, b"4\xc3", final=False) + frame(0x0, b"\x28"), 1007),
        (frame(CLOSE, b"\x03\xe8\xff"), 1007),
        (frame(TEXT, b"", length=MAX_PAYLOAD + 1), 1009),
        (frame(TEXT, b"", length=2**40), 1009),
        (frame(TEXT, b"4" * 600_000, final=False) + frame(0x0, b"", length=400_001), 1009),
    ],
    ids=[
        "unmasked", "reserved 1", "reserved 2", "reserved 3", "opcode 3", "opcode 7", "opcode B", "opcode F",
        "continuation of nothing", "text within a text", "fragmented ping", "long ping", "close code of one byte",
        "close code 1005", "16-bit length of a short frame", "64-bit length of a short frame", "length above 2^63",
        "not UTF-8", "surrogate", "not UTF-8 across fragments", "close reason that is not UTF-8", "too large",
        "far too large", "too large in two fragments",
    ],
)  # fmt: skip
def test_frames_that_break_the_protocol(server, data, code):
    with open_websocket(server) as wire:
        wire.send_unless_closed(data)
        assert wire.is_ended(code)


def test_close_handshake(server):
    with open_websocket(server) as wire:
        wire.send(frame(CLOSE, b"\x03\xe8bye"))
        assert wire.is_ended(1000)


def test_the_largest_message(server):
    with open_websocket(server) as wire:
        text = "4" + "x" * (MAX_PAYLOAD - 1)
        wire.send_text(text)
        assert wire.receive() == text
        data = bytes(range(256)) * (MAX_PAYLOAD // 256)
        wire.send_binary(data)
        assert wire.receive() == data


def test_fragments(server):
    with open_websocket(server) as wire:
        pieces = [
            frame(TEXT, b"4h", final=False),
            frame(0x0, b"", final=False),
            frame(0x0, "\u00e4".encode()[:1], final=False),
        ]
        pieces += [frame(0x9, b"between"), frame(0x0, "\u00e4".encode()[1:] + b"llo")]
        for piece in pieces:
            wire.send(piece).is_read()
        assert wire.receive_frame() == (0xA, b"between")
        assert wire.receive() == "4h\u00e4llo"


def test_a_message_byte_by_byte(server):
    with open_websocket(server) as wire:
        for byte in frame(TEXT, b"4hello") + frame(0x2, b"\x01\x02"):
            wire.send(bytes([byte])).is_read()
        assert wire.receive() == "4hello"
        assert wire.receive() == b"\x01\x02"


def test_many_messages_in_one_read(server):
    with open_websocket(server) as wire:
        wire.send(b"".join(frame(TEXT, b"4%d" % number) for number in range(5000)))
        assert [wire.receive() for _ in range(5000)] == [f"4{number}" for number in range(5000)]


def test_websocket_pings(server):
    with open_websocket(server) as wire:
        for payload in [b"", b"x" * 125]:
            wire.send(frame(0x9, payload))
            assert wire.receive_frame() == (0xA, payload)
        wire.send(frame(0xA, b"unasked"))
        wire.send_text("4hello")
        assert wire.receive() == "4hello"


@pytest.mark.parametrize("text", ["2", "2probe"])
def test_heartbeat_in_the_wrong_direction(server, text):
    with open_websocket(server) as wire:
        wire.send_text(text)
        assert wire.is_ended()


def test_packets_that_mean_nothing_on_a_websocket(server):
    with open_websocket(server) as wire:
        for text in ["0", "3", "5", "6", "3probe", "4hello"]:
            wire.send_text(text)
        assert wire.receive() == "4hello"
