"""The upgrade from polling to WebSocket (SOCKETIO §7, all its points), and connections that serve many requests: HTTP
keep-alive, pipelining, an upgrade behind other requests, as nginx with upstream keep-alive makes them. On one event
loop and on four, where the WebSocket of an upgrade may land on another loop than its session."""

import pytest
from raw import (
    CLOSE,
    ENGINE,
    NOOP,
    PING,
    PONG,
    RS,
    TEXT,
    Polling,
    Wire,
    frame,
    get,
    open_packet,
    open_websocket,
    polling,
    post,
    refused,
    request,
    websocket,
)

# §7: upgrade, in the numbers of the reference


def test_upgrade_1_one_at_a_time(server):
    """SOCKETIO §7.1, §19: a session is upgraded once."""
    with Polling(server) as session, Wire(server) as first, Wire(server) as second:
        first.upgrade_request(websocket(ENGINE, session.sid)).upgraded()
        second.upgrade_request(websocket(ENGINE, session.sid)).upgraded()
        assert second.is_ended()
        first.send_text("2probe")
        assert first.receive() == "3probe"
        first.send_text("5")
        first.send_text("4hello")
        assert first.receive() == "4hello"


def test_upgrade_3_polls_are_released(server):
    with Polling(server) as session, Wire(server) as wire:
        wire.upgrade_request(websocket(ENGINE, session.sid)).upgraded()
        session.gets.hold(session.target)
        wire.send_text("2probe")
        assert wire.receive() == "3probe"
        assert session.gets.response().text == NOOP
        for _ in range(3):
            assert session.poll().text == NOOP
        session.accepts("4queued")
        assert session.poll().text == "4queued"


def test_upgrade_4_packets_stay_on_polling(server):
    with Polling(server) as session, Wire(server) as wire:
        wire.upgrade_request(websocket(ENGINE, session.sid)).upgraded()
        wire.send_text("2probe")
        assert wire.receive() == "3probe"
        session.accepts("4by polling")
        assert session.poll().text == "4by polling"
        # Nothing but the pong went over the new one.
        wire.send_text("2probe")
        assert wire.receive() == "3probe"


def test_upgrade_5_the_queue_follows(server):
    with Polling(server) as session, Wire(server) as wire:
        wire.upgrade_request(websocket(ENGINE, session.sid)).upgraded()
        wire.send_text("2probe")
        assert wire.receive() == "3probe"
        session.accepts(RS.join(["4one", "bAQIDBA==", "4two"]))
        wire.send(frame(TEXT, b"5") + frame(TEXT, b"4three") + frame(0x2, b"\x05") + frame(TEXT, b"4four"))
        expected = ["4one", b"\x01\x02\x03\x04", "4two", "4three", b"\x05", "4four"]
        assert [wire.receive() for _ in expected] == expected


@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, b"4x"),
        frame(TEXT, b"2bad"),
        frame(TEXT, b"2"),
        frame(TEXT, b"3"),
        frame(TEXT, b"1"),
        frame(TEXT, b"abc"),
        frame(TEXT, b""),
        frame(0x2, b"x"),
        frame(TEXT, b"4x", masked=False),
        frame(CLOSE, b"\x03\xe8"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("probes", [False, True], ids=["at once", "after the probe"])
def test_upgrade_6_anything_else_closes_the_new_one_alone(server, data, probes):
    with Polling(server) as session, Wire(server) as wire:
        wire.upgrade_request(websocket(ENGINE, session.sid)).upgraded()
        if probes:
            wire.send_text("2probe")
            assert wire.receive() == "3probe"
        wire.send(data)
        assert wire.is_ended()
        session.accepts("4hello")
        assert session.poll().text == "4hello"
        # And it may try again.
        with session.upgrade() as again:
            again.send_text("4hello")
            assert again.receive() == "4hello"


def test_upgrade_7_without_a_probe(server):
    with Polling(server) as session, Wire(server) as wire:
        wire.upgrade_request(websocket(ENGINE, session.sid)).upgraded()
        wire.send_text("5")
        wire.send_text("4hello")
        assert wire.receive() == "4hello"


def test_upgrade_7_releases_a_held_poll(server):
    with Polling(server) as session, Wire(server) as wire:
        session.gets.hold(session.target)
        wire.upgrade_request(websocket(ENGINE, session.sid)).upgraded()
        wire.send_text("5")
        assert session.gets.response().text == NOOP


def test_upgrade_8_is_given_up(server):
    """`upgradeTimeout`: the WebSocket of an upgrade that goes no further is closed, the session polls on."""
    with Polling(server) as session, Wire(server) as wire:
        wire.upgrade_request(websocket(ENGINE, session.sid)).upgraded()
        wire.send_text("2probe")
        assert wire.receive() == "3probe"
        assert wire.is_ended()
        assert post(server, session.target, "4hello").text == "ok"
        assert session.poll().text == "4hello"
        session.upgrade().close()


def test_upgrade_9_the_session_ends_meanwhile(server):
    with Polling(server) as session, Wire(server) as wire:
        wire.upgrade_request(websocket(ENGINE, session.sid)).upgraded()
        wire.send_text("2probe")
        assert wire.receive() == "3probe"
        session.accepts("1")
        assert wire.is_ended()
        assert session.is_gone()


def test_upgrade_10_the_old_transport_disturbs_nothing(server):
    """SOCKETIO §7.10, §21.2."""
    with Polling(server) as session, session.upgrade() as wire:
        wire.send_text("4one")
        assert wire.receive() == "4one"
        for _ in range(3):
            assert refused(session.poll()) == (400, 3)
            assert refused(session.post("1")) == (400, 3)
            assert request(server, "PUT", session.target).status in (400, 405)
            with Wire(server) as other:
                other.upgrade_request(websocket(ENGINE, session.sid)).upgraded()
                assert other.is_ended()
        wire.send_text("4two")
        assert wire.receive() == "4two"
        wire.send_text("1")
        assert wire.is_ended()
        assert session.is_gone()


def test_upgrade_11_the_heartbeat_goes_on(suite):
    with Polling(suite) as session:
        assert session.poll().text == PING
        # The pong comes by the new transport.
        with session.upgrade() as wire:
            wire.send_text(PONG)
            for _ in range(3):
                assert wire.receive(skips_pings=False) == PING
                wire.send_text(PONG)
            assert wire.receive(skips_pings=False) == PING
            assert wire.is_ended()


def test_upgrade_cuts_a_post(server):
    with Polling(server) as session:
        session.posts.send(
            f"POST {session.target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\n4hel"
        ).is_read()
        with session.upgrade() as wire:
            response = session.posts.response()
            assert (response.status, response.body) == (400, b"")
            wire.send_text("4hello")
            assert wire.receive() == "4hello"


def test_upgrades_land_on_every_loop(server):
    """Many at a time, so that sessions and their WebSockets meet in every combination of loops."""
    sessions = [Polling(server) for _ in range(40)]
    wires = [Wire(server) for _ in range(40)]
    for session, wire in zip(sessions, reversed(wires)):
        wire.upgrade_request(websocket(ENGINE, session.sid))
        session.wire = wire
    for number, session in enumerate(sessions):
        session.wire.upgraded().send_text("2probe")
        session.accepts(f"4queued {number}")
    for number, session in enumerate(sessions):
        assert session.wire.receive() == "3probe"
        session.wire.send(frame(TEXT, b"5") + frame(TEXT, b"4at once %d" % number))
    for number, session in enumerate(sessions):
        assert session.wire.receive() == f"4queued {number}"
        assert session.wire.receive() == f"4at once {number}"
        session.wire.close()


# A connection that has served other requests: HTTP keep-alive and pipelining


def test_upgrade_on_a_connection_that_polled(server):
    """As nginx with upstream keep-alive makes them."""
    with Polling(server) as session:
        session.accepts("4one")
        assert session.poll().text == "4one"
        with session.upgrade(session.gets) as wire:
            wire.send_text("4two")
            assert wire.receive() == "4two"
            wire.send_binary(b"x" * 200_000)
            assert wire.receive() == b"x" * 200_000


def test_upgrade_on_a_connection_that_posted(server):
    with Polling(server) as session:
        for number in range(3):
            session.accepts(f"4{number}")
        with session.upgrade(session.posts) as wire:
            assert [wire.receive() for _ in range(3)] == ["40", "41", "42"]


def test_a_new_websocket_on_a_connection_that_polled(server):
    with Polling(server) as session, session.gets as wire:
        wire.upgrade_request(websocket(ENGINE)).upgraded()
        open_packet(server, wire.receive())
        wire.send_text("4hello")
        assert wire.receive() == "4hello"


def test_a_second_websocket_on_a_connection_that_polled(server):
    with Polling(server) as session, session.upgrade() as wire:
        wire.is_read()
        session.gets.upgrade_request(websocket(ENGINE, session.sid)).upgraded()
        assert session.gets.is_ended()
        wire.send_text("4hello")
        assert wire.receive() == "4hello"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (websocket(ENGINE, "nobody"), b"Session ID unknown"),
        (polling(ENGINE), b"Bad request"),
        (ENGINE + "?EIO=3&transport=websocket", b"Unsupported protocol version"),
        (ENGINE + "?EIO=4", b"Transport unknown"),
    ],
)
def test_a_refused_upgrade_on_a_connection_that_polled(server, target, message):
    with Polling(server) as session:
        response = session.gets.upgrade_request(target).response()
        assert (response.status, response.body) == (400, message)
        assert response.headers["connection"] == "close"
        assert session.gets.is_closed()
        session.accepts("4hello")
        assert get(server, session.target).text == "4hello"


def test_a_connection_after_an_upgrade_that_nobody_made(server):
    """`Upgrade: h2c`, as some HTTP clients send with every first request: a plain request. If the answer keeps the
    connection, the next request on it is answered as well."""
    for target in ["/nowhere", polling(ENGINE)]:
        with Wire(server) as wire:
            fields = ["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__"]
            first = wire.get(target, fields)
            assert first.status in (200, 404)
            if first.headers.get("connection") == "close":
                assert wire.is_closed()
            else:
                assert wire.get(target).status == first.status


def test_pipelined_engine_requests(server):
    with Polling(server) as session, Wire(server) as wire:
        wire.send(
            f"POST {session.target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\n4hello"
            f"GET {session.target} HTTP/1.1\r\nHost: localhost\r\n\r\n"
            f"POST {session.target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\n4again"
            f"GET {session.target} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        assert [wire.response().text for _ in range(4)] == ["ok", "4hello", "ok", "4again"]


def test_an_engine_request_behind_a_plain_one(server):
    with Polling(server) as session, Wire(server) as wire:
        session.accepts("4hello")
        wire.send(
            "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"
            f"GET {session.target} HTTP/1.1\r\nHost: localhost\r\n\r\n"
            "GET /agent HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        assert wire.response().status == 404
        assert wire.response().text == "4hello"
        assert wire.response().status == 200


def test_a_plain_request_behind_an_engine_one(server):
    with Polling(server) as session, Wire(server) as wire:
        wire.send(
            f"GET {session.target} HTTP/1.1\r\nHost: localhost\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"
        ).is_read()
        session.accepts("4hello")
        assert wire.response().text == "4hello"
        assert wire.response().status == 404


def test_a_held_poll_blocks_no_heartbeat(suite):
    """A POST behind a held poll on one connection: strictly in order, and the ping ends the wait."""
    with Polling(suite) as session, Wire(suite) as wire:
        wire.send(
            f"GET {session.target} HTTP/1.1\r\nHost: localhost\r\n\r\n"
            f"POST {session.target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n{PONG}"
        )
        assert wire.response().text == PING
        assert wire.response().text == "ok"


def test_an_upgrade_behind_a_poll_on_one_connection(server):
    with Polling(server) as session, Wire(server) as wire:
        session.accepts("4" + "x" * 900_000)
        wire.request("GET", session.target)
        wire.upgrade_request(websocket(ENGINE, session.sid))
        assert len(wire.response().text) == 900_001
        wire.upgraded().send_text("2probe")
        assert wire.receive() == "3probe"


def test_a_request_whose_session_has_an_idle_connection(suite):
    """A connection between two requests is kept for a minute. Ten heartbeats of another session are the clock."""
    with Wire(suite) as idle, open_websocket(suite) as clock:
        assert idle.get(polling(ENGINE)).status == 200
        for _ in range(10):
            assert clock.receive(skips_pings=False) == PING
            clock.send_text(PONG)
        assert idle.get(polling(ENGINE)).status == 200


def test_connection_close(server):
    with Polling(server) as session:
        session.accepts("4hello")
        response = session.gets.get(session.target, ["Connection: close"])
        assert response.text == "4hello"
        assert response.headers["connection"] == "close"
        assert session.gets.is_closed()
        assert post(server, session.target, "4x").text == "ok"
