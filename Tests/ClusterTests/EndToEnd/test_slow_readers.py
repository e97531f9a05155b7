"""What becomes of events for a client that does not read (SPEC EV-4, SOCKETIO §12): `volatile` drops them, `latest`
keeps the newest of each key, and anything else ends the client by name. The others notice nothing of it."""

import json

import pytest
from raw import RS, SOCKET_IO, Polling, Wire, joined, open_packet, open_socket, websocket

# Far more than a socket may have unsent, and than the system takes on its behalf: 24 MB.
COUNT = 1500
FILLING = "x" * 16_000


def slow(server):
    """A WebSocket with a small window; nothing is read of it unless the test does."""
    wire = Wire(server, receive_buffer=4096)
    wire.upgrade_request(websocket(SOCKET_IO)).upgraded()
    open_packet(server, wire.receive())
    wire.send_text("40")
    joined(wire.receive())
    assert wire.receive() == '42["auth",{}]'
    return wire


def flood(sender, watcher, **order):
    """Sends numbered events to everybody, in step with a client that reads; it gets all of them, in order."""
    for number in range(COUNT):
        text = json.dumps({**order, "event": "e", "arguments": [number, FILLING]})
        sender.send_text(f'42["room:emit",{text}]')
        assert watcher.receive() == f'42["e",{number},"{FILLING}"]'


def numbers(wire, end):
    """The numbers of the events up to the text `end`."""
    found = []
    while (text := wire.receive()) != end:
        name, number, filling = json.loads(text[2:])
        assert (name, filling) == ("e", FILLING)
        found.append(number)
    return found


@pytest.mark.parametrize("order", [{"volatile": True}, {"latest": "key"}], ids=["volatile", "latest"])
def test_a_client_that_does_not_read_is_kept(server, order):
    with open_socket(server) as sender, open_socket(server) as watcher, slow(server) as idle:
        flood(sender, watcher, **order, **{"except": [sid_of(sender)]})
        # What must arrive goes out ahead of what waits for its key: so this has a key as well.
        end = {"latest": "end"} if "latest" in order else {}
        sender.send_text(f'42["room:emit",{json.dumps({**end, "event": "end"})}]')
        found = numbers(idle, '42["end"]')
        # It has what the system had taken for it; then a gap; with `latest`, the last one of all.
        assert found == sorted(set(found))
        assert found[:3] == [0, 1, 2]
        assert len(found) < COUNT
        assert (COUNT - 1 in found) == ("latest" in order)
        # And it is a client like any other again.
        idle.send_text('421["message-with-ack",1]')
        assert idle.receive() == "431[1]"


def test_what_must_arrive_ends_a_client_that_does_not_read(server):
    """With room for a client to recover; never by dropping some of it."""
    with open_socket(server) as sender, open_socket(server) as watcher, slow(server) as idle:
        flood(sender, watcher, **{"except": [sid_of(sender)]})
        found = []
        with pytest.raises((EOFError, AssertionError)):
            while True:
                found.append(json.loads(idle.receive()[2:])[1])
        assert found == list(range(len(found)))
        assert 3 < len(found) < COUNT
    assert server.control("/metrics").count("submergence_live_slow_consumers_total") > 0


def test_keys_of_a_polling_client(server):
    """Between two polls the newest of each key waits; volatile events, for which there is no poll, are gone."""
    with open_socket(server) as sender, Polling(server, SOCKET_IO) as idle:
        idle.accepts("40")
        packets = []
        while len(packets) < 2:
            packets += idle.receive()
        for number in range(5):
            for key in "ab":
                emit(sender, {"latest": key, "event": key, "arguments": [number]})
            emit(sender, {"volatile": True, "event": "volatile", "arguments": [number]})
        emit(sender, {"event": "required"})
        packets = idle.receive()
        while '42["b",4]' not in packets:
            packets += idle.receive()
        assert sorted(packets) == ['42["a",4]', '42["b",4]', '42["required"]'], RS.join(packets)


def emit(sender, order):
    """Returns when the server has done it."""
    sender.send_text(f'427["room:emit",{json.dumps({**order, "except": [sid_of(sender)]})}]')
    assert sender.receive().startswith("437[")


def sid_of(wire):
    """Its public id, which is the room that only it is in."""
    if not hasattr(wire, "socket_id"):
        wire.send_text('428["room:join",[]]')
        wire.socket_id = json.loads(wire.receive()[3:])[0][0]
    return wire.socket_id
