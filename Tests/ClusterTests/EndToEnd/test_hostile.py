"""Peers that mean no good, or know no better: the server lives on, and so do the sessions of everybody else (SPEC OP-4,
OP-5, EV-4; SOCKETIO §18, §19)."""

import random
import re
import socket
import time

import pytest
from processes import wait_for
from raw import (
    BINARY,
    CLOSE,
    ENGINE,
    PING,
    PONG,
    SOCKET_IO,
    TEXT,
    WS_PING,
    Polling,
    Wire,
    conformance_server,
    frame,
    get,
    open_socket,
    open_websocket,
    polling,
    refused,
    websocket,
)

HEAD_TIMEOUT = 10


@pytest.fixture(autouse=True)
def bystander(request):
    """Somebody who was there before must not notice anything."""
    if "server" not in request.fixturenames:
        yield
        return
    with open_websocket(request.getfixturevalue("server")) as wire:
        yield wire
        wire.send_text("4still here")
        assert wire.receive() == "4still here"


def metric(node, name):
    values = re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", node.control("/metrics"), re.MULTILINE)
    return sum(float(value) for value in values)


# Junk


JUNK = [
    b"\0" * 100,
    b"\xff" * 100,
    bytes(range(256)),
    b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x88\x80\0\0\0\0",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
]


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: repr(junk[:12]))
def test_junk_with_the_request_for_a_new_websocket(server, junk):
    """CVE-2022-21676."""
    with Wire(server) as wire:
        wire.upgrade_request(websocket(ENGINE), behind=junk).upgraded()
        assert wire.receive_frame()[0] == TEXT
        assert wire.is_ended()


@pytest.mark.parametrize("used", [False, True], ids=["fresh connection", "used connection"])
@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: repr(junk[:12]))
def test_junk_with_the_request_for_an_upgrade(server, junk, used):
    """CVE-2022-21676, the other half."""
    with Polling(server) as session, Wire(server) as wire:
        if used:
            assert wire.get("/nowhere").status == 404
        wire.upgrade_request(websocket(ENGINE, session.sid), behind=junk).upgraded()
        if not used:  # on a used one the HTTP decoder swallows it
            assert wire.is_ended()
        session.accepts("4hello")
        assert session.poll().text == "4hello"


def test_a_client_in_a_hurry(server):
    """Frames right behind the request are handled like any others, wherever the session lives."""
    for _ in range(8):
        with Polling(server) as session, Wire(server) as wire:
            behind = frame(TEXT, b"2probe") + frame(TEXT, b"5") + frame(TEXT, b"4hello")
            wire.upgrade_request(websocket(ENGINE, session.sid), behind=behind).upgraded()
            assert wire.receive() == "3probe"
            assert wire.receive() == "4hello"


def test_a_client_in_a_hurry_with_a_segment_of_its_own(server):
    for _ in range(20):
        with Polling(server) as session, Wire(server) as wire:
            wire.upgrade_request(websocket(ENGINE, session.sid))
            for text in [b"2probe", b"5", b"4hello"]:
                wire.send(frame(TEXT, text))
            wire.upgraded()
            assert wire.receive() == "3probe"
            assert wire.receive() == "4hello"


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n",
        b"\0" * 1000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /engine.io/\r\n\r\n",
        b"GET /engine.io/ HTTP/9.9\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n",
        b"GET /engine.io/ HTTP/1.1\r\n: x\r\nUpgrade: websocket\r\n\r\n",
        b"GET /engine.io/ HTTP/1.1\r\nNo colon\r\nUpgrade: websocket\r\n\r\n",
        b"GET /engine.io/ HTTP/1.1\r\n folded\r\nUpgrade: websocket\r\n\r\n",
        b"GET /engine.io/ HTTP/1.1\r\nX: \x00\r\nUpgrade: websocket\r\n\r\n",
        b"GET /engine.io/?\xff\xfe HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n",
        b"GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nOrigin: \x01\r\nHost: localhost\r\n\r\n",
        b"POST /engine.io/?EIO=4 HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /engine.io/?EIO=4 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"POST /engine.io/?EIO=4 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /engine.io/?EIO=4 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /engine.io/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    ],
    ids=lambda data: repr(data[:40]),
)
def test_junk_instead_of_http(server, data):
    with Wire(server) as wire:
        wire.send_unless_closed(data)
        wire.socket.shutdown(socket.SHUT_WR)
        # An answer or none, but an end.
        answer = wire.drain()
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:200]


def test_random_bytes(server):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    source = random.Random(seed)
    starts = [b"", b"GET ", b"GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\n", b"POST /socket.io/ HTTP/1.1\r\n"]
    for _ in range(300):
        with Wire(server) as wire:
            wire.send_unless_closed(source.choice(starts) + source.randbytes(source.randrange(1, 600)))
            if source.random() < 0.5:
                wire.reset()


def test_random_frames(server):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    source = random.Random(seed)
    for path in [ENGINE, SOCKET_IO]:
        for _ in range(150):
            with open_websocket(server, path) as wire:
                for _ in range(source.randrange(1, 20)):
                    payload = source.choice([b"4", b"42", b"40", b"451-", b""]) + source.randbytes(source.randrange(40))
                    wire.send_unless_closed(
                        frame(
                            source.choice([TEXT, TEXT, BINARY, 0, CLOSE, WS_PING, source.randrange(16)]),
                            payload,
                            final=source.random() < 0.8,
                            masked=source.random() < 0.98,
                            key=source.randbytes(4),
                        )
                    )


def test_packets_cut_and_mixed(server):
    """Valid packets with a byte changed, left out or doubled."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    source = random.Random(seed)
    packets = [
        '42["message",1,"2",{"3":[true]}]', '42/custom,17["message",{"a":null}]', '40/custom,{"token":"\\u00e9"}',
        '452-/custom,9["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', "41/custom,", "4317[]",
        '42["message","\\ud83d\\ude00é\\n"]', "bAQIDBA==", '42["message",-1.5e+10]',
    ]  # fmt: skip
    for _ in range(300):
        with open_socket(server) as wire:
            for _ in range(5):
                text = bytearray(source.choice(packets).encode())
                at = source.randrange(len(text))
                change = source.randrange(3)
                if change == 0:
                    text[at] = source.randrange(256)
                elif change == 1:
                    del text[at]
                else:
                    text[at:at] = text[at : at + source.randrange(1, 9)]
                wire.send_unless_closed(frame(TEXT, bytes(text)))


# Limits


@pytest.mark.parametrize("upgrade", [False, True], ids=["plain", "upgrade"])
def test_many_header_fields(server, upgrade):
    """CVE-2024-37890."""
    for count, is_fine in [(80, True), (150, False), (2000, False)]:
        fields = [f"X-{number}: y" for number in range(count)]
        with Wire(server) as wire:
            try:
                if upgrade:
                    wire.upgrade_request(websocket(ENGINE), fields)
                else:
                    wire.request("GET", polling(ENGINE), headers=fields)
                response = wire.response()
            except (EOFError, BrokenPipeError, ConnectionResetError):
                assert not is_fine
                continue
            if is_fine:
                assert response.status == (101 if upgrade else 200)
            else:
                assert response.status in (400, 431)
                assert wire.is_closed()


@pytest.mark.parametrize("upgrade", [False, True], ids=["plain", "upgrade"])
def test_a_large_header_section(server, upgrade):
    with Wire(server) as wire:
        fields = ["X: " + "y" * 20_000]
        if upgrade:
            wire.upgrade_request(websocket(ENGINE), fields)
        else:
            wire.request("GET", polling(ENGINE), headers=fields)
        assert wire.response().status == 431
        assert wire.is_closed()


def test_a_head_without_end(server):
    with Wire(server) as wire:
        wire.send("GET / HTTP/1.1\r\n")
        for _ in range(1000):
            wire.send_unless_closed("X: " + "y" * 97 + "\r\n")
        assert wire.response().status == 431
        assert wire.is_closed()


def test_a_large_header_section_on_a_used_connection(server):
    with Wire(server) as wire:
        assert wire.get(polling(ENGINE)).status == 200
        wire.request("GET", polling(ENGINE), headers=["X: " + "y" * 20_000])
        assert wire.drain().startswith(b"HTTP/1.1 4")


def test_a_long_target(server):
    with Wire(server) as wire:
        response = wire.upgrade_request(websocket(ENGINE) + "&x=" + "y" * 9000).response()
        assert response.status == 414
        assert wire.is_closed()
    with Wire(server) as wire:
        assert wire.get(polling(ENGINE) + "&x=" + "y" * 7000).status == 200


@pytest.mark.parametrize("name", ["__proto__", "constructor", "toString", "hasOwnProperty", "Polling", "polling%00"])
def test_transports_that_are_names_of_other_things(server, name):
    """CVE-2023-31125."""
    with Polling(server) as session:
        for sid in [None, session.sid, "nobody"]:
            target = f"{ENGINE}?EIO=4&transport={name}" + (f"&sid={sid}" if sid else "")
            assert refused(get(server, target)) == (400, 0)
            with Wire(server) as wire:
                response = wire.upgrade_request(target).response()
                assert (response.status, response.body) == (400, b"Transport unknown")
        session.accepts("4hello")


def test_a_query_of_many_pairs(server):
    assert refused(get(server, polling(ENGINE) + "&a=b" * 200)) == (400, 3)


def test_tiny_fragments(server):
    """CVE-2026-48779."""
    with open_websocket(server) as wire:
        wire.send(frame(TEXT, b"4", final=False) + frame(0, b"x", final=False) * 1022 + frame(0, b"!"))
        assert wire.receive() == "4" + "x" * 1022 + "!"
    for fragment in [b"x", b""]:
        with open_websocket(server) as wire:
            wire.send_unless_closed(frame(TEXT, b"4", final=False) + frame(0, fragment, final=False) * 2000)
            assert wire.is_ended(1009)


def test_unsolicited_pongs(suite):
    """CVE-2026-48802: the heartbeat stays one."""
    with open_websocket(suite) as wire:
        for _ in range(3):
            assert wire.receive(skips_pings=False) == PING
            wire.send(frame(TEXT, PONG.encode()) * 1000 + frame(TEXT, b"4hello"))
            assert wire.receive(skips_pings=False) == "4hello"


def test_deep_nesting(server):
    for depth, is_fine in [(30, True), (60, True), (70, False), (100_000, False)]:
        for value in ["[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth]:
            with open_socket(server) as wire:
                wire.send_text(f'42["message",{value}]')
                if is_fine:
                    assert wire.receive() == f'42["message-back",{value}]'
                else:
                    assert wire.is_ended()
            if not is_fine:
                with open_websocket(server, SOCKET_IO) as wire:
                    wire.send_unless_closed(frame(TEXT, f'40{{"a":{value}}}'.encode()))
                    opcode, payload = wire.receive_frame()
                    assert opcode == CLOSE or payload.startswith(b"44{"), payload


def test_large_and_costly_packets(server):
    """CVE-2020-36049: reading is linear, whatever the packet looks like."""
    size = 999_000
    for body in [
        '42["message","' + "\\\\" * (size // 2) + '"]',
        '42["message",[' + "1," * (size // 2) + "1]]",
        '42["message",{' + ",".join(f'"{number:06}":{{}}' for number in range(size // 12)) + "}]",
    ]:
        with open_socket(server) as wire:
            wire.send_text(body)
            assert wire.receive() == body.replace('"message"', '"message-back"', 1)


def test_a_large_message_in_small_segments(server):
    """Reading is linear for those who dribble, too."""
    data = frame(TEXT, b"4" + b"x" * 900_000)
    with open_websocket(server) as wire:
        for start in range(0, len(data), 500):
            wire.send(data[start : start + 500])
        assert len(wire.receive()) == 900_001


def test_session_ids_are_random(server):
    """CVE-2017-16031."""
    sids = []
    with Wire(server) as wire:
        for _ in range(200):
            sids.append(re.search('"sid":"([^"]+)"', wire.get(polling(ENGINE)).text)[1])
    assert len(set(sids)) == 200
    assert min(map(len, sids)) >= 22
    # No place of the id is a counter: every one takes many values.
    assert min(len(set(column)) for column in list(zip(*sids))[-21:-1]) > 20


def test_no_cors_by_default(nodes):
    """CVE-2020-28481, CVE-2019-13611: outside the conformance server no foreign page reads an answer."""
    (node,) = nodes.start(1, command="serve")
    origin = ["Origin: http://evil.example"]
    response = get(node, polling(SOCKET_IO), origin)
    assert not [name for name in response.headers if name.startswith("access-control-")]
    with Wire(node) as wire:
        assert wire.request("OPTIONS", polling(SOCKET_IO), headers=origin).response().status in (400, 403, 404, 405)
    assert get(node, polling(ENGINE)).status == 404


# Resets


def test_a_reset_at_every_step_of_an_upgrade(server):
    """CVE-2022-41940. The session polls on, and may try again."""

    def at_once(_):
        pass

    def within_the_head(wire):
        wire.send("GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nUpgrade: webso")

    def behind_the_request(wire):
        wire.upgrade_request(websocket(ENGINE, session.sid))

    def behind_the_101(wire):
        behind_the_request(wire)
        wire.upgraded()

    def within_a_frame(wire):
        behind_the_101(wire)
        wire.send(frame(TEXT, b"2probe")[:5])

    def behind_the_probe(wire):
        behind_the_101(wire)
        wire.send_unless_closed(frame(TEXT, b"2probe"))

    def behind_the_pong(wire):
        behind_the_probe(wire)
        # Closed instead, as a second one is, where the loss of the one before is still being noticed.
        opcode, payload = wire.receive_frame()
        assert opcode == CLOSE or payload == b"3probe"

    steps = [at_once, within_the_head, behind_the_request, behind_the_101, within_a_frame, behind_the_probe]
    for step in [*steps, behind_the_pong]:
        for ends in [Wire.reset, Wire.close]:
            for uses in [False, True]:
                with Polling(server) as session:
                    for _ in range(3):
                        wire = Wire(server)
                        if uses:
                            assert wire.get("/nowhere").status == 404
                        step(wire)
                        ends(wire)
                    session.accepts("4hello")
                    packets = session.receive()
                    while (
                        "4hello" not in packets
                    ):  # a poll may be released empty while a probe is not yet seen to be lost
                        packets = session.receive()

                    def retries():
                        again = Wire(server)
                        again.upgrade_request(websocket(ENGINE, session.sid)).upgraded()
                        again.send_unless_closed(frame(TEXT, b"2probe"))
                        if again.receive_frame() != (TEXT, b"3probe"):
                            again.close()  # the lost one is still being noticed
                            return None
                        again.send_text("5")
                        return again

                    with wait_for(f"an upgrade after {step.__name__}", retries) as again:
                        again.send_text("4again")
                        assert again.receive() == "4again"


def test_a_reset_of_the_upgraded_session_ends_it(server):
    with Polling(server) as session:
        wire = session.upgrade()
        wire.send_text("4hello")
        assert wire.receive() == "4hello"
        wire.reset()
        wait_for("the session to be gone", lambda: refused(get(server, session.target)) == (400, 1))


def test_resets_of_polls_and_posts(server):
    for _ in range(20):
        with Polling(server) as session:
            session.gets.request("GET", session.target).is_read().reset()
            wait_for("the session to be gone", lambda: get(server, session.target).status == 400)
        with Polling(server) as session:
            session.posts.send(f"POST {session.target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n4x")
            session.posts.is_read().reset()
            wait_for("the session to be gone", lambda: get(server, session.target).status == 400)


def test_sessions_that_end_while_their_upgrade_is_under_way(server):
    """On another loop, or the same: nothing is left of either."""
    for _ in range(50):
        with Polling(server) as session, Wire(server) as wire:
            session.posts.request("POST", session.target, "1")
            wire.upgrade_request(websocket(ENGINE, session.sid))
            assert session.posts.response().text == "ok"
            response = wire.response()
            if response.status == 101:
                assert wire.is_ended()
            else:
                assert (response.status, response.body) == (400, b"Session ID unknown")
            assert session.is_gone()


# Slow ones


def test_slow_heads(server, bystander):
    """A head that does not come is given up after ten seconds, not before; others are served meanwhile."""
    begin = time.monotonic()
    slow = [Wire(server) for _ in range(200)]
    for number, wire in enumerate(slow):
        wire.send("GET /engine.io/ HTTP/1.1\r\nX: y"[: number % 28])
    with Polling(server) as session:
        session.accepts("4hello")
        assert session.poll().text == "4hello"
    bystander.send_text("4hello")
    assert bystander.receive() == "4hello"
    for wire in slow:
        assert wire.is_closed()
        wire.close()
    assert time.monotonic() - begin >= HEAD_TIMEOUT
    assert metric(server, "submergence_http_slow_heads_total") >= 200


def test_a_slow_consumer_is_closed(server, bystander):
    """SPEC EV-4: a socket with more than its bytes unsent is closed; the others get everything."""
    before = metric(server, "submergence_live_slow_consumers_total")
    auth = '{"user":"alice","client":"laptop"}'
    slow = Wire(server, receive_buffer=4096)
    slow.upgrade_request(websocket(SOCKET_IO)).upgraded()
    slow.receive()
    slow.send_text("40" + auth)
    assert slow.receive().startswith("40{")
    with slow, open_socket(server, auth) as well, open_socket(server, '{"user":"bob"}') as sender:
        payload = "x" * 500_000
        for number in range(60):
            sender.send_text(f'421["pub","alice","{number}{payload}"]')
            assert well.receive() == f'42["msg","{number}{payload}"]'
            assert '"didReceive":true' in sender.receive()
            bystander.send_text(f"4{number}")
            assert bystander.receive() == f"4{number}"
        assert metric(server, "submergence_live_slow_consumers_total") == before + 1
        # What the system had taken still comes; nothing behind it.
        assert len(slow.drain()) < 30 * len(payload)


def test_a_client_that_reads_none_of_its_answers(server):
    with Wire(server, receive_buffer=4096) as wire:
        wire.upgrade_request(websocket(ENGINE)).upgraded()
        message = frame(TEXT, b"4" + b"x" * 500_000)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(200):
                wire.send(message)


def test_a_client_that_reads_none_of_its_pongs(server):
    with Wire(server, receive_buffer=4096) as wire:
        wire.upgrade_request(websocket(ENGINE)).upgraded()
        pings = frame(WS_PING, b"x" * 125) * 1000
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(1000):
                wire.send(pings)


def test_a_client_that_never_polls(server):
    """The same for polling: what waits for a poll is bounded, small packets as well as large ones."""
    for body, most in [("4" + "x" * 900_000, 5), ("\x1e".join(["4x"] * 16384), 5)]:
        with Polling(server) as session:
            posts = 0
            while (response := session.post(body)).status == 200:
                posts += 1
                assert posts <= most
            assert session.is_gone()
            assert response.status == 400


# Memory


def resident(node):
    with open(f"/proc/{node.process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) / 1024


def come_and_go(node, count):
    """Users that connect and leave, each in one of the ways there are."""
    for start in range(0, count, 50):
        wires = []
        for number in range(start, start + 50):
            if number % 10 == 0:
                session = Polling(node, SOCKET_IO)
                session.accepts("40")
                session.receive()
                wires.append((session, session.upgrade() if number % 20 else None))
            else:
                wires.append((None, open_socket(node, f'{{"user":"user-{number % 1000}","client":"{number}"}}')))
        for number, (session, wire) in enumerate(wires):
            if session and not wire:
                session.accepts("1")
            if session:
                session.__exit__()
            if wire:
                if number % 3 == 0:
                    wire.send_text("41")
                (wire.reset if number % 2 else wire.close)()


def test_memory_returns_to_the_base_line(tmp_path):
    """SPEC OP-5: 10,000 connect and disconnect cycles leave nothing behind."""

    def is_empty():
        names = ["submergence_engine_sessions", "submergence_live_connections", "submergence_live_users"]
        return all(metric(node, name) == 0 for name in names)

    with conformance_server(tmp_path, 2) as node:
        come_and_go(node, 2_000)
        wait_for("the first to be gone", is_empty)
        base = resident(node)
        figures = []
        for _ in range(5):
            come_and_go(node, 2_000)
            wait_for("all to be gone", is_empty)
            figures.append(resident(node))
        print(f"resident MiB: {base:.1f} after 2,000 cycles, then {', '.join(f'{mib:.1f}' for mib in figures)}")
        assert figures[-1] < base * 1.5 + 16
