"""Socket.IO on the wire, to the byte and beyond what the official suite asks for (test_official_suites.py): the
examples of SOCKETIO §10.1, attachments (§10.2), every row of the decision table (§10.3), namespaces and their limits
(§11, §18). Directly and through nginx."""

from contextlib import contextmanager

import pytest
from raw import (
    RS,
    SOCKET_IO,
    SUITE,
    Polling,
    Wire,
    frame,
    joined,
    open_socket,
    open_websocket,
    websocket,
)

pytestmark = pytest.mark.through_nginx

# The connect timeout of the server under test, in milliseconds.
CONNECT_TIMEOUT = 1000

PLACEHOLDERS = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'
ATTACHMENTS = [b"\x01\x02\x03", b"\x04\x05\x06"]


# §10.1, the examples


@pytest.mark.parametrize("auth", ["", '{"token":"123"}', '{"b":1,"a":[true,1.0,null,"\\u0000/é"]}'])
@pytest.mark.parametrize("namespace", ["", "/custom,"])
def test_example_connect(server, namespace, auth):
    with open_websocket(server, SOCKET_IO) as wire:
        wire.send_text(f"40{namespace}{auth}")
        # The engine's sid is a secret, the socket's is not.
        assert joined(wire.receive(), namespace) != wire.handshake["sid"]
        assert wire.receive() == f'42{namespace}["auth",{auth or "{}"}]'


def test_example_unknown_namespace(server):
    with open_websocket(server, SOCKET_IO) as wire:
        wire.send_text("40/random")
        assert wire.receive() == '44/random,{"message":"Invalid namespace"}'
        # The session stays open.
        wire.send_text("40")
        joined(wire.receive())


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (['42["message",1,"2",{"3":[true]}]'], ['42["message-back",1,"2",{"3":[true]}]']),
        (['42456["message-with-ack",1,"2",{"3":[false]}]'], ['43456[1,"2",{"3":[false]}]']),
        (
            [f'452-["message",{PLACEHOLDERS}]', *ATTACHMENTS],
            [f'452-["message-back",{PLACEHOLDERS}]', *ATTACHMENTS],
        ),
        ([f'452-789["message-with-ack",{PLACEHOLDERS}]', *ATTACHMENTS], [f"462-789[{PLACEHOLDERS}]", *ATTACHMENTS]),
    ],
    ids=["event", "event asking for ack 456", "binary event", "binary event with ack 789"],
)
def test_example_event(server, sent, answer):
    with open_socket(server) as wire:
        for message in sent:
            wire.send_text(message) if isinstance(message, str) else wire.send_binary(message)
        assert [wire.receive() for _ in answer] == answer


@pytest.mark.parametrize(
    "sent",
    [
        ['42/custom,["foo"]'],
        ['42/custom,13["foo"]'],
        [f'452-/custom,["baz",{PLACEHOLDERS}]', *ATTACHMENTS],
        [f'452-/custom,13["baz",{PLACEHOLDERS}]', *ATTACHMENTS],
        ["41/custom,"],
    ],
    ids=["event", "event with ack 13", "binary event", "binary event with ack 13", "disconnect"],
)
def test_example_in_a_namespace(server, sent):
    """Nobody answers there, but each is understood: the session goes on."""
    with open_socket(server) as wire:
        wire.send_text("40/custom,")
        joined(wire.receive(), "/custom,")
        assert wire.receive() == '42/custom,["auth",{}]'
        for message in sent:
            wire.send_text(message) if isinstance(message, str) else wire.send_binary(message)
        wire.send_text('42["message",1]')
        assert wire.receive() == '42["message-back",1]'


# §10.3, the decision table


# One packet between two bars; a bar stands at the end of every line.
PACKETS_THAT_CLOSE = """
4 | 4abc | 47 | 4999 |
42{} | 42"x" | 42["a" | 42["message"]x | 42["message"], |
42abc["x"] | 42-1["x"] | 421.5["x"] | 42 1["x"] |
429007199254740992["x"] | 4299999999999999999["x"] | 4200000000000000001["x"] |
42 | 42[] | 42[true] | 42[null] | 42[{"toString":"x"}] | 42[["x"]] | 42[""x] | 42[01] | 42[,"x"] |
42["connect"] | 42["connect_error"] | 42["disconnect"] | 42["disconnecting"] | 42["newListener"] |
42["removeListener"] | 42["conn\\u0065ct"] |
40 | 40{} | 42/custom["x"] | 40[] | 40null | 40"x" | 40{ | 40/custom,[] | 40/custom,{ |
41{} | 41/custom, | 42/random,["x"] | 42/custom,["x"] | 41/random |
44{"message":"x"} | 44 |
43[] | 431 | 431{} | 431[ | 43x[] |
45["m"] | 451["m"] | 45a-["m"] | 451.5-["m"] | 45-1-["m"] | 45-["m"] | 4511-["m"] | 45256-["m"] | 451- |
451-{} | 451-[] | 451-["message",{"_placeholder":true,"num":1}] | 451-["message",{"_placeholder":true,"num":"0"}] |
451-["message",{"_placeholder":true,"num":0.5}] | 451-["message",{"_placeholder":true,"num":-1}] |
451-["message",{"_placeholder":true}] | 461-[] | 461-7{} |
42["message",01] | 42["message",tru] | 42["message",.5] | 42["message",'x'] | 42["message",NaN] |
42["message","\\x"] |
"""


@pytest.mark.parametrize("packet", [packet.strip() for packet in PACKETS_THAT_CLOSE.split(" |") if packet.strip()])
def test_packets_that_close(server, packet):
    """Each in a session of its own that has joined `/`."""
    with open_socket(server) as wire:
        wire.send_text(packet)
        wire.send_text('42["message","behind"]')
        assert wire.is_ended()


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        ('42007["message-with-ack","x"]', '437["x"]'),
        ('420["message-with-ack"]', "430[]"),
        ('429007199254740991["message-with-ack",1]', "439007199254740991[1]"),
        ('42["message"]', '42["message-back"]'),
        ('42["error",1]' + RS + '421["message-with-ack",2]', "431[2]"),
        ("42[5,1]" + RS + '421["message-with-ack",2]', "431[2]"),
        ("42[1.5]" + RS + '421["message-with-ack",2]', "431[2]"),
        ("4399[]" + RS + '421["message-with-ack",2]', "431[2]"),
        ('42["__proto__",{"__proto__":1}]' + RS + '421["message-with-ack",{"__proto__":1}]', '431[{"__proto__":1}]'),
        ('42["nobody listens"]' + RS + '421["message-with-ack",2]', "431[2]"),
        ('4201["message-with-ack",1]', "431[1]"),
        ('42/,["message","main"]', '42["message-back","main"]'),
        ('450-["message","x"]' + RS + '42["message",2]', '42["message-back","x"]'),
        ('42["message",{"_placeholder":true,"num":7}]', '42["message-back",{"_placeholder":true,"num":7}]'),
        ('42["\\u006dessage",1]', '42["message-back",1]'),
        ('42["message" , 1 , [ 2 ] ]', '42["message-back",1 , [ 2 ] ]'),
        ('40/random?x=1,' + RS + '42["message",1]', '44/random?x=1,{"message":"Invalid namespace"}'),
        ('40/custom,5{"a":1}', None),
    ],
    ids=repr,
)  # fmt: skip
def test_packets_that_pass(server, sent, answer):
    with open_socket(server) as wire:
        for packet in sent.split(RS):
            wire.send_text(packet)
        if answer is None:
            joined(wire.receive(), "/custom,")
        else:
            assert wire.receive() == answer


@pytest.mark.parametrize("connect", ["401", '405{"a":1}', '40/,{"a":1}'])
def test_an_id_on_connect_is_ignored(server, connect):
    with open_websocket(server, SOCKET_IO) as wire:
        wire.send_text(connect)
        joined(wire.receive())


@pytest.mark.parametrize(
    "packets", [["40", "40"], ['42["message",1]'], ["41"], ["40/custom,", '42["message",1]'], ["40", "41", '42["x"]']]
)
def test_out_of_turn(server, packets):
    with open_websocket(server, SOCKET_IO) as wire:
        wire.send(b"".join(frame(1, packet.encode()) for packet in packets))
        frames = []
        while not frames or frames[-1][0] != 8:
            frames.append(wire.receive_frame())
        assert wire.is_closed()
        assert not [payload for _, payload in frames if b"message-back" in payload]


def test_joining_again(server):
    with open_websocket(server, SOCKET_IO) as wire:
        wire.send_text("40")
        first = joined(wire.receive())
        assert wire.receive() == '42["auth",{}]'
        wire.send_text("41")
        wire.send_text("40")
        assert joined(wire.receive()) != first
        assert wire.receive() == '42["auth",{}]'


@pytest.mark.parametrize("value", [
    "true", "1", '"2"', "1.0", "1e21", "-0", "12345678901234567890", '"\\ud83d"', '"/"', '"\\/"', '"é"', '"\\u001e"',
    '{"b":1,"a":2,"b":3}', "[[[[]]]]", '{"":{"":[]}}',
])  # fmt: skip
def test_arguments_pass_unchanged(server, value):
    with open_socket(server) as wire:
        wire.send_text(f'42["message",{value}]')
        assert wire.receive() == f'42["message-back",{value}]'


# §10.2, attachments


def test_ten_attachments_pass_in_order(server):
    placeholders = ",".join(f'{{"_placeholder":true,"num":{number}}}' for number in range(10))
    with open_socket(server) as wire:
        wire.send_text(f'4510-["message",{placeholders}]')
        for number in range(10):
            wire.send_binary(bytes([number]) * number)
            wire.send_text("3")  # pongs may come between
        assert wire.receive() == f'4510-["message-back",{placeholders}]'
        assert [wire.receive() for _ in range(10)] == [bytes([number]) * number for number in range(10)]


def test_a_leading_zero_in_the_count(server):
    with open_socket(server) as wire:
        wire.send_text('4501-["message",{"_placeholder":true,"num":0}]')
        wire.send_binary(b"x")
        assert wire.receive() == '451-["message-back",{"_placeholder":true,"num":0}]'
        assert wire.receive() == b"x"


def test_a_packet_without_attachments_poisons_nothing(server):
    """SOCKETIO §10.2, §19."""
    with open_socket(server) as wire:
        for number in range(3):
            wire.send_text(f'450-["message",{number}]')
            assert wire.receive() == f'42["message-back",{number}]'


@contextmanager
def awaiting_one(server):
    with open_socket(server) as wire:
        wire.send_text('452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]')
        wire.send_binary(b"one")
        yield wire


def test_text_instead_of_an_attachment(server):
    with awaiting_one(server) as wire:
        wire.send_text('42["message",1]')
        assert wire.is_ended()


def test_an_attachment_that_nobody_awaits(server):
    with open_socket(server) as wire:
        wire.send_binary(b"one")
        assert wire.is_ended()


def test_attachments_that_never_come(suite):
    with awaiting_one(suite) as wire:
        while True:
            opcode, payload = wire.receive_frame()
            if (opcode, payload) != (1, b"2"):
                break
            wire.send_text("3")
        assert opcode == 8
        assert wire.is_closed()


def test_binary_over_polling(server):
    sent = f'452-["message",{PLACEHOLDERS}]{RS}bAQID{RS}bBAUG'
    with Polling(server, SOCKET_IO) as session:
        session.accepts("40")
        packets = []
        while len(packets) < 2:
            packets += session.receive()
        joined(packets[0])
        assert packets[1] == '42["auth",{}]'
        session.accepts(sent)
        assert session.poll().text == sent.replace('"message"', '"message-back"')


def test_attachments_over_both_transports(server):
    """Split by an upgrade in the middle: the order holds."""
    with Polling(server, SOCKET_IO) as session:
        session.accepts("40")
        packets = []
        while len(packets) < 2:
            packets += session.receive()
        session.accepts(f'452-["message",{PLACEHOLDERS}]{RS}bAQID')
        with session.upgrade() as wire:
            wire.send_binary(b"\x04\x05\x06")
            assert wire.receive() == f'452-["message-back",{PLACEHOLDERS}]'
            assert [wire.receive(), wire.receive()] == [b"\x01\x02\x03", b"\x04\x05\x06"]


def test_base64_on_a_websocket(server):
    with Wire(server) as wire:
        wire.upgrade_request(websocket(SOCKET_IO) + "&b64=1").upgraded()
        wire.receive()
        wire.send_text("40")
        joined(wire.receive())
        wire.receive()
        wire.send_text('451-["message",{"_placeholder":true,"num":0}]')
        wire.send_text("bAQIDBA==")
        assert wire.receive() == '451-["message-back",{"_placeholder":true,"num":0}]'
        assert wire.receive() == "bAQIDBA=="


# §11, §18: namespaces and their limits


def test_namespaces_are_apart(server):
    with open_socket(server) as wire:
        wire.send_text("40/custom,")
        joined(wire.receive(), "/custom,")
        assert wire.receive() == '42/custom,["auth",{}]'
        # Only the main namespace answers.
        wire.send_text('42/custom,["message",1]')
        wire.send_text("41")
        wire.send_text("40")
        joined(wire.receive())


def test_many_namespaces(server):
    with open_socket(server) as wire:
        for number in range(100):
            wire.send_text(f"40/none-{number}")
            assert wire.receive() == f'44/none-{number},{{"message":"Invalid namespace"}}'


def test_a_long_namespace(server):
    with open_socket(server) as wire:
        name = "/" + "x" * 255
        wire.send_text(f"40{name}")
        assert wire.receive() == f'44{name},{{"message":"Invalid namespace"}}'
        wire.send_text(f"40{name}x")
        assert wire.is_ended()


def test_a_large_auth_payload(server):
    with open_websocket(server, SOCKET_IO) as wire:
        wire.send_text('40{"token":"' + "x" * 16384 + '"}')
        assert wire.receive().startswith('44{"message":')
        wire.send_text('40{"token":"' + "x" * 16372 + '"}')
        joined(wire.receive())


def test_a_long_event_name(server):
    with open_socket(server) as wire:
        wire.send_text(f'42["{"x" * 128}"]')
        wire.send_text('42["message",1]')
        assert wire.receive() == '42["message-back",1]'
        wire.send_text(f'42["{"x" * 129}"]')
        assert wire.is_ended()


def test_the_connect_timeout_starts_anew_with_the_last_namespace_left(suite):
    """Pings go on meanwhile: one came at least in the second that the client had."""
    with open_socket(suite) as wire:
        wire.send_text("41")
        pings = 0
        while (got := wire.receive_frame()) == (1, b"2"):
            pings += 1
            wire.send_text("3")
        assert got[0] == 8
        assert wire.is_closed()
        assert pings >= CONNECT_TIMEOUT // SUITE[0] - 1


def test_no_connect_over_polling(server):
    """The body that the reference sends after its connect timeout."""
    with Polling(server, SOCKET_IO) as session:
        assert session.poll().text == "1"
        assert session.is_gone()


def test_a_closing_session_keeps_its_last_packets_for_the_next_poll(server):
    with Polling(server, SOCKET_IO) as session:
        session.accepts("40")
        packets = []
        while len(packets) < 2:
            packets += session.receive()
        assert session.post(RS.join(['42["message",1]', "42{}", '42["message",2]'])).text == "ok"
        assert session.poll().text == '42["message-back",1]' + RS + "1"
        assert session.is_gone()
