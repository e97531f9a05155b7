"""Each case of both official suites as SOCKETIO §17 has it: 25 of Engine.IO, 32 of Socket.IO, directly and through
nginx, on one event loop and on four. The ids are the suites' own names. What a case does, and in which order, is what
the suite does: it waits where the suite waits, and nowhere else."""

import time

import pytest
from raw import (
    ENGINE,
    NOOP,
    PING,
    PONG,
    RS,
    SOCKET_IO,
    SUITE,
    Polling,
    Wire,
    get,
    joined,
    open_packet,
    open_socket,
    open_websocket,
    polling,
    request,
    websocket,
)

pytestmark = pytest.mark.through_nginx

HTTP = "HTTP long-polling"
WEBSOCKET = "WebSocket"


def case(*place, engineio=None, socketio=None):
    """The path of the suites that have this case, under their names for it."""
    names = [(ENGINE, "Engine.IO suite", engineio), (SOCKET_IO, "Socket.IO suite", socketio)]
    found = [
        pytest.param(path, id=" > ".join([title, *place, name])) for path, title, name in names if name is not None
    ]
    return pytest.mark.parametrize("path", found)


# Engine.IO: handshake


@case(
    "handshake",
    HTTP,
    engineio="successfully opens a session",
    socketio="should successfully open a session",
)
def test_polling_handshake(suite, path):
    response = get(suite, polling(path))
    assert response.status == 200
    assert open_packet(suite, response.text)["upgrades"] == ["websocket"]


@case(
    "handshake",
    HTTP,
    engineio="fails with an invalid 'EIO' query parameter",
    socketio="should fail with an invalid 'EIO' query parameter",
)
def test_polling_handshake_with_an_invalid_eio(suite, path):
    assert get(suite, f"{path}?transport=polling").status == 400
    assert get(suite, f"{path}?EIO=abc&transport=polling").status == 400


@case(
    "handshake",
    HTTP,
    engineio="fails with an invalid 'transport' query parameter",
    socketio="should fail with an invalid 'transport' query parameter",
)
def test_polling_handshake_with_an_invalid_transport(suite, path):
    assert get(suite, f"{path}?EIO=4").status == 400
    assert get(suite, f"{path}?EIO=4&transport=abc").status == 400


@case(
    "handshake",
    HTTP,
    engineio="fails with an invalid request method",
    socketio="should fail with an invalid request method",
)
def test_polling_handshake_with_an_invalid_method(suite, path):
    assert request(suite, "POST", polling(path), "").status == 400
    assert request(suite, "PUT", polling(path), "").status == 400


@case(
    "handshake",
    WEBSOCKET,
    engineio="successfully opens a session",
    socketio="should successfully open a session",
)
def test_websocket_handshake(suite, path):
    with open_websocket(suite, path):
        pass


def is_refused(node, target):
    """The client of the suite calls any answer but 101 an error, and then its connection closed."""
    with Wire(node) as wire:
        assert wire.upgrade_request(target).response().status == 400


@case(
    "handshake",
    WEBSOCKET,
    engineio="fails with an invalid 'EIO' query parameter",
    socketio="should fail with an invalid 'EIO' query parameter",
)
def test_websocket_handshake_with_an_invalid_eio(suite, path):
    is_refused(suite, f"{path}?transport=websocket")
    is_refused(suite, f"{path}?EIO=abc&transport=websocket")


@case(
    "handshake",
    WEBSOCKET,
    engineio="fails with an invalid 'transport' query parameter",
    socketio="should fail with an invalid 'transport' query parameter",
)
def test_websocket_handshake_with_an_invalid_transport(suite, path):
    is_refused(suite, f"{path}?EIO=4")
    is_refused(suite, f"{path}?EIO=4&transport=abc")


# Engine.IO: message


def echoes(node, path, payload):
    with Polling(node, path) as session:
        session.accepts(payload)
        response = session.poll()
        # All echoes of one POST are in one payload.
        assert (response.status, response.text) == (200, payload)


@case("message", HTTP, engineio="sends and receives a payload containing one plain text packet")
def test_polling_echo_of_one_packet(suite, path):
    echoes(suite, path, "4hello")


@case("message", HTTP, engineio="sends and receives a payload containing several plain text packets")
def test_polling_echo_of_several_packets(suite, path):
    echoes(suite, path, RS.join(["4test1", "4test2", "4test3"]))


@case("message", HTTP, engineio="sends and receives a payload containing plain text and binary packets")
def test_polling_echo_of_text_and_binary(suite, path):
    echoes(suite, path, RS.join(["4hello", "bAQIDBA=="]))


@case("message", HTTP, engineio="closes the session upon invalid packet format")
def test_polling_with_an_invalid_packet(suite, path):
    with Polling(suite, path) as session:
        assert session.post("abc").status == 400
        assert session.poll().status == 400


@case("message", HTTP, engineio="closes the session upon duplicate poll requests")
def test_polling_with_a_duplicate_get(suite, path):
    with Polling(suite, path) as session, Wire(suite) as second:
        session.gets.hold(session.target)  # the suite gives it 5 ms
        assert second.get(session.target).status == 400
        first = session.gets.response()
        assert (first.status, first.body) == (200, b"1")
        assert get(suite, session.target).status == 400


@case("message", HTTP, engineio="closes the session upon cancelled polling request")
def test_polling_with_a_cancelled_get(suite, path):
    with Polling(suite, path) as session:
        session.gets.hold(session.target).close()  # the suite gives it 5 ms
        # Whatever the next request finds, it is a 400.
        assert get(suite, session.target).status == 400


@case("message", WEBSOCKET, engineio="sends and receives a plain text packet")
def test_websocket_echo_of_text(suite, path):
    with open_websocket(suite, path) as wire:
        wire.send_text("4hello")
        assert wire.receive(skips_pings=False) == "4hello"


@case("message", WEBSOCKET, engineio="sends and receives a binary packet")
def test_websocket_echo_of_binary(suite, path):
    with open_websocket(suite, path) as wire:
        wire.send_binary(b"\x01\x02\x03\x04")
        assert wire.receive(skips_pings=False) == b"\x01\x02\x03\x04"


@case("message", WEBSOCKET, engineio="closes the session upon invalid packet format")
def test_websocket_with_an_invalid_packet(suite, path):
    with open_websocket(suite, path) as wire:
        wire.send_text("abc")
        assert wire.is_ended()


# Engine.IO: heartbeat


@case("heartbeat", HTTP, engineio="sends ping/pong packets", socketio="should send ping/pong packets")
def test_polling_heartbeat(suite, path):
    with Polling(suite, path) as session:
        for _ in range(3):
            response = session.poll()
            assert (response.status, response.text) == (200, PING)
            session.accepts(PONG)


@case(
    "heartbeat",
    HTTP,
    engineio="closes the session upon ping timeout",
    socketio="should close the session upon ping timeout",
)
def test_polling_ping_timeout(suite, path):
    with Polling(suite, path) as session:
        # The one time that the protocol names: from the handshake on, interval plus timeout.
        time.sleep(sum(SUITE) / 1000)
        assert session.poll().status == 400


@case("heartbeat", WEBSOCKET, engineio="sends ping/pong packets", socketio="should send ping/pong packets")
def test_websocket_heartbeat(suite, path):
    with open_websocket(suite, path) as wire:
        for _ in range(3):
            assert wire.receive(skips_pings=False) == PING
            wire.send_text(PONG)


@case(
    "heartbeat",
    WEBSOCKET,
    engineio="closes the session upon ping timeout",
    socketio="should close the session upon ping timeout",
)
def test_websocket_ping_timeout(suite, path):
    with open_websocket(suite, path) as wire:
        assert wire.is_ended()


# Engine.IO: close


@case(
    "close",
    HTTP,
    engineio="forcefully closes the session",
    socketio="should forcefully close the session",
)
def test_polling_close(suite, path):
    with Polling(suite, path) as session:
        # Both at once, the GET first, each on a connection of its own.
        session.gets.request("GET", session.target)
        session.posts.request("POST", session.target, "1")
        response = session.gets.response()
        assert (response.status, response.text) == (200, NOOP)
        session.posts.response()
        assert get(suite, session.target).status == 400


@case(
    "close",
    WEBSOCKET,
    engineio="forcefully closes the session",
    socketio="should forcefully close the session",
)
def test_websocket_close(suite, path):
    with open_websocket(suite, path) as wire:
        wire.send_text("1")
        assert wire.is_ended()


# Engine.IO: upgrade


@case(
    "upgrade",
    engineio="successfully upgrades from HTTP long-polling to WebSocket",
    socketio="should successfully upgrade from HTTP long-polling to WebSocket",
)
def test_upgrade(suite, path):
    with Polling(suite, path) as session, Wire(suite) as wire:
        wire.upgrade_request(websocket(path, session.sid)).upgraded()
        wire.send_text("2probe")
        assert wire.receive(skips_pings=False) == "3probe"
        response = session.poll()
        assert (response.status, response.text) == (200, NOOP)
        wire.send_text("5")
        if path == ENGINE:
            wire.send_text("4hello")
            assert wire.receive(skips_pings=False) == "4hello"


def upgraded(node, session, path):
    """A WebSocket that has just said `5`. The suite of Socket.IO does not wait for the answer to its probe."""
    wire = Wire(node)
    wire.upgrade_request(websocket(path, session.sid)).upgraded()
    wire.send_text("2probe")
    if path == ENGINE:
        assert wire.receive(skips_pings=False) == "3probe"
    wire.send_text("5")
    return wire


def still_echoes(wire, path):
    if path == ENGINE:
        wire.send_text("4hello")
        assert wire.receive(skips_pings=False) == "4hello"


@case(
    "upgrade",
    engineio="ignores HTTP requests with same sid after upgrade",
    socketio="should ignore HTTP requests with same sid after upgrade",
)
def test_http_requests_after_an_upgrade(suite, path):
    with Polling(suite, path) as session, upgraded(suite, session, path) as wire:
        assert get(suite, session.target).status == 400
        still_echoes(wire, path)


@case(
    "upgrade",
    engineio="ignores WebSocket connection with same sid after upgrade",
    socketio="should ignore WebSocket connection with same sid after upgrade",
)
def test_a_second_websocket_after_an_upgrade(suite, path):
    with Polling(suite, path) as session, upgraded(suite, session, path) as wire, Wire(suite) as second:
        # Accepted and closed: to the suite's client a refusal by HTTP would be an error that nobody catches.
        second.upgrade_request(websocket(path, session.sid)).upgraded()
        assert second.is_ended()
        still_echoes(wire, path)


# Socket.IO: connect


def connects(node, path, packet, namespace, auth):
    with open_websocket(node, path) as wire:
        wire.send_text(packet)
        joined(wire.receive(skips_pings=False), namespace)
        assert wire.receive(skips_pings=False) == f'42{namespace}["auth",{auth}]'


@case("connect", socketio="should allow connection to the main namespace")
def test_connect_to_the_main_namespace(suite, path):
    connects(suite, path, "40", "", "{}")


@case("connect", socketio="should allow connection to the main namespace with a payload")
def test_connect_to_the_main_namespace_with_a_payload(suite, path):
    connects(suite, path, '40{"token":"123"}', "", '{"token":"123"}')


@case("connect", socketio="should allow connection to a custom namespace")
def test_connect_to_a_custom_namespace(suite, path):
    connects(suite, path, "40/custom,", "/custom,", "{}")


@case("connect", socketio="should allow connection to a custom namespace with a payload")
def test_connect_to_a_custom_namespace_with_a_payload(suite, path):
    connects(suite, path, '40/custom,{"token":"abc"}', "/custom,", '{"token":"abc"}')


@case("connect", socketio="should disallow connection to an unknown namespace")
def test_connect_to_an_unknown_namespace(suite, path):
    with open_websocket(suite, path) as wire:
        wire.send_text("40/random")
        assert wire.receive(skips_pings=False) == '44/random,{"message":"Invalid namespace"}'


@case("connect", socketio="should disallow connection with an invalid handshake")
def test_connect_with_an_invalid_handshake(suite, path):
    with open_websocket(suite, path) as wire:
        wire.send_text("4abc")
        assert wire.is_ended()


@case("connect", socketio="should close the connection if no handshake is received")
def test_no_connect(suite, path):
    with open_websocket(suite, path) as wire:
        assert wire.is_ended()


# Socket.IO: disconnect


@case("disconnect", socketio="should disconnect from the main namespace")
def test_disconnect_from_the_main_namespace(suite, path):
    with open_socket(suite) as wire:
        wire.send_text("41")
        assert wire.receive(skips_pings=False) == PING


@case("disconnect", socketio="should connect then disconnect from a custom namespace")
def test_connect_then_disconnect_from_a_custom_namespace(suite, path):
    with open_socket(suite) as wire:
        assert wire.receive(skips_pings=False) == PING  # and it stays unanswered
        wire.send_text("40/custom")
        joined(wire.receive(skips_pings=False), "/custom,")
        assert wire.receive(skips_pings=False) == '42/custom,["auth",{}]'
        wire.send_text("41/custom")
        wire.send_text('42["message","message to main namespace"]')
        assert wire.receive(skips_pings=False) == '42["message-back","message to main namespace"]'


# Socket.IO: message

TWO = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'
ATTACHMENTS = [b"\x01\x02\x03", b"\x04\x05\x06"]


def answers(node, sent, answer, attachments=()):
    with open_socket(node) as wire:
        wire.send_text(sent)
        for attachment in attachments:
            wire.send_binary(attachment)
        assert [wire.receive() for _ in (answer, *attachments)] == [answer, *attachments]


def closes(node, packet):
    with open_socket(node) as wire:
        wire.send_text(packet)
        assert wire.is_ended()


@case("message", socketio="should send a plain-text packet")
def test_plain_text(suite, path):
    answers(suite, '42["message",1,"2",{"3":[true]}]', '42["message-back",1,"2",{"3":[true]}]')


@case("message", socketio="should send a packet with binary attachments")
def test_binary(suite, path):
    answers(suite, f'452-["message",{TWO}]', f'452-["message-back",{TWO}]', ATTACHMENTS)


@case("message", socketio="should send a plain-text packet with an ack")
def test_plain_text_with_an_ack(suite, path):
    answers(suite, '42456["message-with-ack",1,"2",{"3":[false]}]', '43456[1,"2",{"3":[false]}]')


@case("message", socketio="should send a packet with binary attachments and an ack")
def test_binary_with_an_ack(suite, path):
    answers(suite, f'452-789["message-with-ack",{TWO}]', f"462-789[{TWO}]", ATTACHMENTS)


@case("message", socketio="should close the connection upon invalid format (unknown packet type)")
def test_an_unknown_packet_type(suite, path):
    closes(suite, "4abc")


@case("message", socketio="should close the connection upon invalid format (invalid payload format)")
def test_an_invalid_payload(suite, path):
    closes(suite, "42{}")


@case("message", socketio="should close the connection upon invalid format (invalid ack id)")
def test_an_invalid_ack_id(suite, path):
    closes(suite, '42abc["message-with-ack",1,"2",{"3":[false]}]')
