"""Every limit of SOCKETIO §18 that a client can meet, by the name that `submergence_limits_hit_total` has for it: what
happens, and that the metric moves. Those that need options of their own are in LimitMetricTests."""

import re
from contextlib import contextmanager

import pytest
from processes import Nodes, wait_for
from raw import (
    BINARY,
    ENGINE,
    SOCKET_IO,
    SUITE,
    TEXT,
    Polling,
    Wire,
    conformance_server,
    frame,
    open_socket,
    open_websocket,
    polling,
    websocket,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with conformance_server(tmp_path_factory.mktemp("limits"), 2) as node:
        yield node


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """With the short heartbeat of the official suites, and so their short times."""
    with conformance_server(tmp_path_factory.mktemp("limits-suite"), 2, SUITE) as node:
        yield node


def hits(node, limit):
    return int(float(re.search(rf'limit="{limit}"}} (\S+)$', node.control("/metrics"), re.MULTILINE)[1]))


@contextmanager
def hit(node, limit, count=1):
    """The metric of this limit moves by so much, and no other one does."""

    def all_hits():
        found = re.findall(r'^submergence_limits_hit_total\{limit="(\w+)"\} (\S+)$', node.control("/metrics"), re.M)
        return {name: int(float(value)) for name, value in found}

    before = all_hits()
    yield
    before[limit] += count
    wait_for(f"{limit} to be counted", lambda: all_hits() == before, seconds=5)


# HTTP


@pytest.mark.parametrize("used", [False, True], ids=["fresh connection", "used connection"])
@pytest.mark.parametrize("upgrade", [False, True], ids=["plain", "upgrade"])
def test_target(server, used, upgrade):
    with hit(server, "target"), Wire(server) as wire:
        if used:
            assert wire.get(polling(ENGINE)).status == 200
        target = (websocket if upgrade else polling)(ENGINE) + "&x=" + "y" * 8192
        (wire.upgrade_request(target) if upgrade else wire.request("GET", target))
        assert wire.response().status == 414
        assert wire.is_closed()


@pytest.mark.parametrize("fields", [["X: " + "y" * 17_000], [f"X-{n}: y" for n in range(101)]], ids=["bytes", "count"])
@pytest.mark.parametrize("upgrade", [False, True], ids=["plain", "upgrade"])
def test_head(server, upgrade, fields):
    with hit(server, "head"), Wire(server) as wire:
        if upgrade:
            wire.upgrade_request(websocket(ENGINE), fields)
        else:
            wire.request("GET", polling(ENGINE), headers=fields)
        assert wire.response().status == 431
        assert wire.is_closed()


def test_head_on_a_used_connection(server):
    """Where the HTTP decoder finds it."""
    with hit(server, "head"), Wire(server) as wire:
        assert wire.get(polling(ENGINE)).status == 200
        wire.request("GET", polling(ENGINE), headers=["X: " + "y" * 17_000])
        assert wire.response().status == 431
        assert wire.is_closed()


# Messages


@pytest.mark.parametrize("chunked", [False, True], ids=["by its length", "chunked"])
def test_payload_of_a_post(server, chunked):
    with hit(server, "payload"), Polling(server) as session:
        if chunked:
            session.posts.send(
                f"POST {session.target} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            session.posts.send_unless_closed("f4241\r\n4" + "x" * 1_000_000 + "\r\n0\r\n\r\n")
            assert session.posts.response().status == 413
        else:
            assert session.post("4" + "x" * 1_000_000).status == 413
        assert session.is_gone()


def test_payload_of_a_message(server):
    with hit(server, "payload"), open_websocket(server) as wire:
        wire.send(frame(TEXT, b"4", length=1_000_001))
        assert wire.is_ended(1009)


def test_packets(server):
    with hit(server, "packets"), Polling(server) as session:
        assert session.post("\x1e".join(["41"] * 16_385)).status == 400
        assert session.is_gone()


def test_fragments(server):
    with hit(server, "fragments"), open_websocket(server) as wire:
        wire.send_unless_closed(frame(TEXT, b"4", final=False) + frame(0, b"x", final=False) * 1_024)
        assert wire.is_ended(1009)


def test_attachments(server):
    with hit(server, "attachments"), open_socket(server) as wire:
        placeholders = ",".join(f'{{"_placeholder":true,"num":{number}}}' for number in range(11))
        wire.send_text(f'4511-["message",{placeholders}]')
        assert wire.is_ended()


def test_packet_bytes(server):
    with hit(server, "packet_bytes"), open_socket(server) as wire:
        placeholders = ",".join(f'{{"_placeholder":true,"num":{number}}}' for number in range(5))
        wire.send_text(f'455-["message",{placeholders}]')
        for _ in range(5):
            wire.send_unless_closed(frame(BINARY, b"x" * 900_000))
        assert wire.is_ended()


def test_attachment_time(suite):
    with hit(suite, "attachment_time"), open_socket(suite) as wire:
        wire.send_text('451-["message",{"_placeholder":true,"num":0}]')
        while (packet := wire.receive_frame()) == (TEXT, b"2"):
            wire.send_text("3")
        assert packet[0] == 8


def test_namespace_name(server):
    with hit(server, "namespace_name"), open_socket(server) as wire:
        wire.send_text("40/" + "x" * 256 + ",")
        assert wire.is_ended()


def test_auth(server):
    with hit(server, "auth"), open_socket(server) as wire:
        wire.send_text('40/custom,{"x":"' + "y" * 16_384 + '"}')
        assert wire.receive().startswith("44/custom,")
        wire.send_text("40/custom,")
        assert wire.receive().startswith("40/custom,{")


def test_times(server):
    """SOCKETIO §18: first byte, head, body, idle; all at once, as the longest takes a minute."""
    before = {limit: hits(server, limit) for limit in ["first_byte_time", "head_time", "body_time", "idle_time"]}
    with Wire(server) as silent, Wire(server) as head, Wire(server) as idle, Polling(server) as session:
        head.send("GET /engine.io/ HTTP/1.1\r\nHost: local")
        assert idle.get(polling(ENGINE)).status == 200
        session.posts.send(f"POST {session.target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n4x")
        assert silent.is_closed()
        assert head.is_closed()
        session.posts.drain()
        idle.socket.settimeout(120)
        assert idle.is_closed()
    for limit, count in before.items():
        assert hits(server, limit) > count, limit


def test_event_name(server):
    with hit(server, "event_name"), open_socket(server) as wire:
        wire.send_text('42["' + "x" * 129 + '"]')
        assert wire.is_ended()


def test_ack_id(server):
    for digits in ["9007199254740992", "00000000000000001"]:
        with hit(server, "ack_id"), open_socket(server) as wire:
            wire.send_text(f'42{digits}["message"]')
            assert wire.is_ended()


def test_depth(server):
    for depth in (64, 100_000):
        with hit(server, "depth"), open_socket(server) as wire:
            wire.send_text('42["message",' + "[" * depth + "]" * depth + "]")
            assert wire.is_ended()


def test_connect_time(suite):
    with hit(suite, "connect_time"), open_websocket(suite, SOCKET_IO) as wire:
        while (packet := wire.receive_frame()) == (TEXT, b"2"):
            wire.send_text("3")
        assert packet[0] == 8


def test_unsent(server):
    with hit(server, "unsent"), Polling(server) as session:
        while session.post("4" + "x" * 900_000).status == 200:
            pass
        assert session.is_gone()


# Per client address (TR-2). Tests come from loopback, which is a trusted proxy by default.


@pytest.fixture
def serve(tmp_path):
    started = Nodes(tmp_path)

    def start(*options):
        (node,) = started.start(1, "serve", options=["--loops", "4", *map(str, options)])
        node.ping = (10_000, 10_000)
        node.held = []
        return node

    yield start
    started.end()


def client(number):
    return [f"X-Forwarded-For: 203.0.113.{number}"]


def opens(node, headers, upgrade, path=SOCKET_IO):
    """One handshake: the connection, which stays open as long as the test, and the answer."""
    wire = Wire(node)
    node.held.append(wire)
    if upgrade:
        response = wire.upgrade_request(websocket(path), headers).response()
    else:
        response = wire.get(polling(path), headers)
    return wire, response


@pytest.mark.parametrize("upgrade", [False, True], ids=["polling", "websocket"])
def test_address_sockets(serve, upgrade):
    node = serve("--max-sockets-per-address", 5)
    fine = 101 if upgrade else 200
    wires = []
    for _ in range(5):
        wire, response = opens(node, client(1), upgrade)
        assert response.status == fine
        wires.append(wire)
    with hit(node, "address_sockets", 2):
        for mix in (False, True):
            wire, response = opens(node, client(1), mix)
            assert response.status == 429
            assert int(response.headers["retry-after"]) > 0
            wire.close()
    # Others, and the proxy itself, are not meant.
    assert opens(node, client(2), upgrade)[1].status == fine
    for _ in range(8):
        assert opens(node, [], upgrade)[1].status == fine
    assert 'reason="tooManySockets"} 2' in node.control("/metrics")
    if upgrade:
        for wire in wires:
            wire.close()
        wait_for("a place", lambda: opens(node, client(1), upgrade)[1].status == fine)


def test_address_handshakes(serve):
    node = serve("--handshakes-per-second", 1)
    with hit(node, "address_handshakes", 4):
        statuses = [opens(node, client(1), number % 2 == 0)[1].status for number in range(14)]
    assert statuses == [101, 200] * 5 + [429] * 4
    assert opens(node, client(2), True)[1].status == 101
    response = opens(node, client(1), True)[1]
    assert (response.status, response.headers["retry-after"]) == (429, "1")
    wait_for("a token", lambda: opens(node, client(1), True)[1].status == 101)


def test_an_address_is_a_64_and_headers_of_strangers_are_not_believed(serve):
    node = serve("--max-sockets-per-address", 1)
    assert opens(node, ["X-Forwarded-For: 2001:db8::1"], True)[1].status == 101
    assert opens(node, ["X-Forwarded-For: 2001:db8::ffff:1"], True)[1].status == 429
    assert opens(node, ["X-Forwarded-For: 2001:db8:0:1::1"], True)[1].status == 101
    strict = serve("--max-sockets-per-address", 1, "--trusted-proxy", "10.0.0.0/8")
    assert opens(strict, client(1), True)[1].status == 101
    assert opens(strict, client(2), True)[1].status == 429


def test_an_upgrade_is_no_second_handshake(serve):
    node = serve("--max-sockets-per-address", 1, "--handshakes-per-second", 1)
    wire, response = opens(node, client(1), False)
    sid = re.search('"sid":"([^"]+)"', response.text)[1]
    with Wire(node) as upgrade:
        upgrade.upgrade_request(websocket(SOCKET_IO, sid), client(1)).upgraded()


def test_development_and_conformance_have_no_limit_per_address(serve, server):
    # A node's own rate, whoever comes, is another limit.
    node = serve("--accept-rate", 100_000)
    for target in (node, server):
        target.held = []
        assert {opens(target, client(1), True)[1].status for _ in range(1_200)} == {101}
        for wire in target.held:
            wire.close()


# Rates per socket (LK-17, docs/adr/0011-rates.md)


def test_events_over_the_rate_are_held_up_and_none_is_lost(serve):
    """6,000 events at once: 4,000 are the burst, and for the rest the client waits. Nothing is lost or reordered."""
    node = serve()
    with Wire(node) as wire:
        wire.upgrade_request(websocket(SOCKET_IO)).upgraded()
        assert wire.receive().startswith("0{")
        wire.send_text('40{"user":"alice","client":"laptop"}')
        assert wire.receive().startswith("40{")
        before = events(node)
        wire.send(b"".join(frame(TEXT, f'42["nobody",{number}]'.encode()) for number in range(6_000)))
        wait_for("all of them", lambda: events(node) == before + 6_000)
        wire.send_text("41")
        wait_for("the goodbye", lambda: 'reason="client namespace disconnect"} 1' in node.control("/metrics"))
        assert hits(node, "events") > 0 and hits(node, "tenfold_rate") == 0


def events(node):
    found = re.search(r"^submergence_live_events_unhandled_total (\S+)$", node.control("/metrics"), re.MULTILINE)
    return float(found[1]) if found else 0


def test_ten_times_the_rate_of_events_disconnects(serve):
    """A POST of 16,384 packets is more than the burst of 4,000 and ten times the rate of 1,000/s."""
    node = serve()
    with Polling(node, SOCKET_IO) as session:
        session.accepts('40{"user":"alice","client":"laptop"}')
        session.receive()
        session.posts.request("POST", session.target, "\x1e".join(['42["nobody"]'] * 16_384))
        wait_for("the end", lambda: 'reason="rate limited"} 1' in node.control("/metrics"))
        assert hits(node, "events") == 1 and hits(node, "tenfold_rate") == 1


@pytest.mark.parametrize(
    "name, burst, limit", [("action", 200, "actions"), ("link", 20, "links"), ("peer", 400, "peers")]
)
def test_product_events_have_rates_of_their_own(serve, name, burst, limit):
    node = serve()
    with Wire(node) as wire:
        wire.upgrade_request(websocket(SOCKET_IO)).upgraded()
        assert wire.receive().startswith("0{")
        wire.send_text('40{"user":"alice","client":"laptop"}')
        assert wire.receive().startswith("40{")
        wire.send(frame(TEXT, f'42["{name}",{{}}]'.encode()) * (burst + 10))
        # Some tokens come back while they are being sent.
        wait_for("some to be refused", lambda: hits(node, limit) > 0)
        assert hits(node, limit) <= 10
        wire.send_unless_closed(frame(TEXT, f'42["{name}",{{}}]'.encode()) * 20 * burst)
        wait_for("the end", lambda: 'reason="rate limited"} 1' in node.control("/metrics"))
        assert hits(node, "tenfold_rate") == 1
