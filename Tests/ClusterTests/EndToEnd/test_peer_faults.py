"""The faults of other servers (SOCKETIO §19) that no other file tries. docs/security-cases.md has all of them."""

import pytest
from raw import (
    BINARY,
    CLOSE,
    ENGINE,
    RS,
    SOCKET_IO,
    TEXT,
    WS_PING,
    WS_PONG,
    Polling,
    Wire,
    frame,
    joined,
    open_socket,
    open_websocket,
    websocket,
)

PLACEHOLDER = '{"_placeholder":true,"num":%s}'


@pytest.mark.parametrize(
    "index",
    ["1", "2", "10", "255", "-1", "0.5", '"0"', '"__proto__"', "null", "true", "1e0", "9007199254740993", "[0]"],
)
def test_cve_2022_2421_attachment_indexes(server, index):
    """CVE-2022-2421: an index that names no attachment ends the session, at whatever depth, and calls nothing."""
    for argument in [PLACEHOLDER % index, f'{{"a":[1,{PLACEHOLDER % index}]}}']:
        for packet in [f'451-["message",{argument}]', f"461-7[{argument}]"]:
            with open_socket(server) as wire:
                wire.send_text(packet)
                wire.send_unless_closed(frame(BINARY, b"x"))
                assert wire.is_ended()


@pytest.mark.parametrize(
    "name", ['{"toString":"foo"}', '{"toString":1}', "[]", '["message"]', "null", "true", "false", "{}", ""]
)
def test_cve_2023_32695_event_names_that_are_no_text(server, name):
    """CVE-2023-32695: they end the session that sent them, with attachments and without."""
    for packet in [f"42[{name}]", f"42[{name},1]", f"421[{name}]", f"451-[{name},{PLACEHOLDER % 0}]"]:
        with open_socket(server) as wire:
            wire.send_text(packet)
            if packet.startswith("45"):
                wire.send_unless_closed(frame(BINARY, b"x"))
            assert wire.is_ended()


@pytest.mark.parametrize("arguments", ["", ",1", ",null", ',{"message":"x"}', ',"x",[]'])
def test_cve_2024_38355_an_event_called_error(server, arguments):
    """CVE-2024-38355: it is an event like any other, without a handler and with an ack asked for."""
    with open_socket(server) as wire:
        wire.send_text(f'42["error"{arguments}]')
        wire.send_text(f'427["error"{arguments}]')
        wire.send_text('421["message-with-ack",1]')
        assert wire.receive() == "431[1]"


def test_cve_2026_33151_attachment_counts(server):
    """CVE-2026-33151: more than ten are refused by the announcement, before any of them is kept."""
    for count in ["11", "12", "99", "255", "256", "4294967296", "9" * 40]:
        for packet in [f'45{count}-["message"]', f"46{count}-7[]"]:
            with open_socket(server) as wire:
                wire.send_text(packet)
                assert wire.is_ended()


def test_cve_2026_33151_attachments_are_bounded_in_bytes(server):
    """CVE-2026-33151: four times `maxPayload` for a packet and all of its attachments (SOCKETIO §18)."""
    placeholders = ",".join(PLACEHOLDER % number for number in range(5))
    with open_socket(server) as wire:
        wire.send_text(f'455-["nobody listens",{placeholders}]')
        for _ in range(5):
            wire.send_unless_closed(frame(BINARY, bytes(900_000)))
        assert wire.is_ended()


def test_cve_2026_45736_answers_hold_what_was_sent(server):
    """CVE-2026-45736: no byte of a buffer that was not written: pongs, close frames, binary of every length of header
    and padding, on each transport."""
    sizes = [0, 1, 2, 3, 124, 125, 126, 127, 65_535, 65_536, 70_001]
    with open_websocket(server) as wire:
        for size in [size for size in sizes if size <= 125]:
            wire.send(frame(WS_PING, b"\xaa" * size))
            assert wire.receive_frame() == (WS_PONG, b"\xaa" * size)
        for size in sizes:
            wire.send_binary(b"\xaa" * size)
            assert wire.receive() == b"\xaa" * size
        wire.send(frame(CLOSE, b"\x03\xe8" + b"r" * 123))
        assert wire.receive_frame() == (CLOSE, b"\x03\xe8")
        assert wire.is_closed()
    with Wire(server) as wire:
        wire.upgrade_request(websocket(ENGINE) + "&b64=1").upgraded()
        wire.receive()
        for text in ["b", "bqg==", "bqqo=", "bqqqq"]:
            wire.send_text(text)
            assert wire.receive() == text
    with Polling(server) as session:
        packets = ["b", "bqg==", "bqqo=", "bqqqq", "4" + "x" * 70_001]
        session.accepts(RS.join(packets))
        assert session.poll().text == RS.join(packets)


@pytest.mark.parametrize("second", ["40", "40{}", '40/,{"a":1}'])
def test_a_second_connect_while_the_first_is_pending(server, second):
    """SOCKETIO §10.3, §19: one socket for each namespace of a session; the second CONNECT ends it."""
    with open_websocket(server, SOCKET_IO) as wire:
        wire.send(frame(TEXT, b"40") + frame(TEXT, second.encode()))
        sockets = 0
        while (received := wire.receive_frame())[0] != CLOSE:
            sockets += received[1].startswith(b"40{")
        assert sockets <= 1
        assert wire.is_closed()


def test_the_first_of_two_namespaces_survives_a_refusal(server):
    """SOCKETIO §11.3: what is refused costs nothing that was granted."""
    with open_socket(server) as wire:
        wire.send_text("40/random,")
        assert wire.receive() == '44/random,{"message":"Invalid namespace"}'
        wire.send_text("40/custom,")
        joined(wire.receive(), "/custom,")
