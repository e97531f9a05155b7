#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets: one small file for each case that is worth starting from.

seeds.py      writes Fuzz/Seeds/TARGET/NAME; files of other names stay (inputs that once broke something)
"""

import pathlib
import struct
import zlib

SEEDS = pathlib.Path(__file__).resolve().parent / "Seeds"
PLACEHOLDER = '{"_placeholder":true,"num":%d}'

PAYLOAD = {
    "empty": "",
    "one": "4hello",
    "three": "4test1\x1e4test2\x1e4test3",
    "binary": "4hello\x1ebAQIDBA==",
    "every-type": "0\x1e2\x1e3\x1e5\x1e6\x1e1",
    "invalid": "4a\x1eabc\x1e4b",
    "padding": "bAQ==\x1ebAQI=\x1ebAR==",
    "connect-event": '40\x1e42["message",1,"2",{"3":[true]}]',
    "attachments": f'40\x1e452-["m",{PLACEHOLDER % 0},{PLACEHOLDER % 1}]\x1ebAQID\x1ebBAUG',
    "namespaces": '40/custom,{"a":1}\x1e42/custom,7["x"]\x1e41/custom',
    "many": "\x1e".join(["3"] * 70),
}

PACKET = {
    "connect": "0",
    "connect-auth": '0{"token":"123"}',
    "connect-custom": '0/custom,{"token":"abc"}',
    "disconnect-custom": "1/custom",
    "event": '2["message",1,"2",{"3":[true]}]',
    "event-custom": '2/custom,["auth",{"token":"abc"}]',
    "event-id": '2456["message-with-ack",1,"2",{"3":[false]}]',
    "event-custom-id": '2/admin,13["foo"]',
    "ack": '3456[1,"2",{"3":[false]}]',
    "ack-empty": "31[]",
    "connect-error": '4/deny,{"message":"no","data":{"code":7}}',
    "binary-event": f'52-["m",{PLACEHOLDER % 0},{PLACEHOLDER % 1}]',
    "binary-id": f'51-789["m",{{"a":[{PLACEHOLDER % 0}]}}]',
    "binary-ack": f"62-789[{PLACEHOLDER % 0},{PLACEHOLDER % 1}]",
    "binary-none": '50-["m"]',
    "binary-twice": f'51-["m",{PLACEHOLDER % 0},{PLACEHOLDER % 0}]',
    "binary-escaped": '51-["m",{"\\u005fplaceholder":true,"num":0}]',
    "binary-nested": '51-["m",{"_placeholder":true,"num":{"_placeholder":true,"num":0}}]',
    "numeric-name": "2[5,1]",
    "escaped-name": '2["\\ud83d\\u0000\\n",null]',
    "leading-zeros": '2007["x"]',
    "white-space": '2 [ "x" , 1 , { } ] ',
    "largest-id": '29007199254740991["x"]',
    "reserved": '2["newListener"]',
}

JSON = {
    "numbers": "[0,-1,1.5,1e21,-0.0E-3,123456789012345678]",
    "literals": "[true,false,null]",
    "strings": '["","\\"\\\\\\/\\b\\f\\n\\r\\t","\\u00e9\\ud83d\\ude00","\u00e9\U0001f600"]',
    "lone-surrogate": '"\\ud83d"',
    "object": '{"a":{"b":[{}, [] ]},"a":2,"__proto__":1}',
    "white-space": " \t\r\n[ 1 , 2 ] ",
    "word-boundary": '"1234567\\"12345678\\\\1234567"',
    "deep": "[" * 64 + "]" * 64,
    "too-deep": "[" * 65 + "]" * 65,
    "placeholder": f'[{PLACEHOLDER % 0},{{"_placeholder":false,"num":"0"}}]',
    "text": '"a"',
    "unfinished": '{"a":[1,"b',
}


def masked(opcode, payload, final=True, key=b"\x01\x02\x03\x04"):
    head = bytes([(0x80 if final else 0) | opcode])
    if len(payload) < 126:
        head += bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        head += bytes([0x80 | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([0x80 | 127]) + struct.pack(">Q", len(payload))
    return head + key + bytes(byte ^ key[index & 3] for index, byte in enumerate(payload))


def frames(*parts, flags=0, sizes=b""):
    return bytes([flags, len(sizes)]) + sizes + b"".join(parts)


def packed(opcode, payload, final=True):
    """A frame with the bit of permessage-deflate."""
    frame = bytearray(masked(opcode, payload, final))
    frame[0] |= 0x40
    return bytes(frame)


HELLO = bytes.fromhex("f248cdc9c90700")  # RFC 7692 §7.2.3.1

FRAMES = {
    "packed": frames(
        packed(1, HELLO), packed(1, bytes.fromhex("f200110000")), masked(1, b"4x"), flags=8, sizes=b"\x03"
    ),
    "packed-fragments": frames(packed(2, HELLO[:3], False), masked(9, b""), masked(0, HELLO[3:]), flags=8),
    "packed-final-block": frames(packed(1, bytes.fromhex("f348cdc9c9070000")), flags=8),
    "packed-stored": frames(packed(1, bytes.fromhex("000500faff48656c6c6f00")), flags=8),
    "packed-too-large": frames(packed(1, zlib.compress(b"4" * 5000, wbits=-15) + b"\0"), flags=10),
    "packed-cut": frames(packed(1, HELLO[:4]), flags=8),
    "text": frames(masked(1, b"4hello")),
    "text-split": frames(masked(1, "4h\u00e9llo".encode()), sizes=b"\x00"),
    "binary": frames(masked(2, bytes(range(20))), sizes=b"\x02\x05"),
    "fragments": frames(masked(1, b"4", False), masked(0, b"", False), masked(9, b"?"), masked(0, b"x"), sizes=b"\x03"),
    "too-many-fragments": frames(*[masked(1, b"4", False)] + [masked(0, b"x", False)] * 4, flags=4),
    "medium": frames(masked(1, b"4" + b"x" * 180), flags=2, sizes=b"\x40"),
    "too-large": frames(masked(2, bytes(300)), flags=2),
    "long-length": frames(b"\x82\xff" + struct.pack(">Q", 70000) + b"\x01\x02\x03\x04" + bytes(50)),
    "control": frames(masked(9, b"ping"), masked(10, b""), masked(8, struct.pack(">H", 1000) + b"bye")),
    "close-empty": frames(masked(8, b""), masked(1, b"4late")),
    "close-bad-code": frames(masked(8, struct.pack(">H", 1005))),
    "close-one-byte": frames(masked(8, b"\x03")),
    "bad-utf8": frames(masked(1, b"4\xed\xa0\x80"), sizes=b"\x06"),
    "unmasked": frames(b"\x81\x054abcd", b"\x82\x01x", flags=1),
    "reserved-bit": frames(b"\xc1\x80\x01\x02\x03\x04"),
    "unknown-opcode": frames(masked(3, b"")),
}


def document(*fields):
    body = b"".join(bytes([kind]) + name.encode() + b"\0" + value for kind, name, value in fields) + b"\0"
    return struct.pack("<i", len(body) + 4) + body


def string(text):
    return struct.pack("<i", len(text.encode()) + 1) + text.encode() + b"\0"


ENTRIES = document((2, "0", string("a")), (16, "1", struct.pack("<i", 7)))
BSON = {
    "empty": document(),
    "numbers": document((1, "d", struct.pack("<d", 1.5)), (16, "i", b"\1\0\0\0"), (18, "l", bytes(8))),
    "text": document((2, "s", string("h\u00e9")), (13, "c", string("x")), (14, "y", string(""))),
    "nested": document((3, "a", document((4, "b", ENTRIES))), (8, "t", b"\1")),
    "times": document((9, "d", bytes(8)), (17, "t", bytes(8)), (7, "o", bytes(12)), (19, "q", bytes(16))),
    "nothing": document((10, "n", b""), (6, "u", b""), (255, "min", b""), (127, "max", b"")),
    "binary": document((5, "b", struct.pack("<i", 3) + b"\0abc")),
    "odd": document((11, "r", b"a\0i\0"), (12, "p", string("ns") + bytes(12))),
    "code": document((15, "w", struct.pack("<i", 4 + 5 + 1 + 5) + string("x") + document())),
    "truncated": document((2, "s", string("abc")))[:-3],
    "long-string": document((2, "s", struct.pack("<i", 2**31 - 1) + b"a\0")),
    "twice": document((16, "a", bytes(4)), (16, "a", bytes(4))),
}


def message(kind, key=b"a.example/alice", source=b"", payload=b""):
    return struct.pack(">BHHI", kind, len(key), len(source), len(payload)) + key + source + payload


def batch(*messages, count=None):
    return b"\0" + struct.pack(">BI", 1, len(messages) if count is None else count) + b"".join(messages)


def text(value):
    return struct.pack(">H", len(value)) + value


def parts(packet, attachments):
    each = b"".join(struct.pack(">I", len(part)) + part for part in attachments)
    return struct.pack(">I", len(packet)) + packet + struct.pack(">H", len(attachments)) + each


def event(packet=b'2["msg",1]', flags=0, fields=b"", attachments=()):
    return bytes([1, flags]) + fields + parts(packet, attachments)


def room(operation, details=b"", rooms=(), request=7):
    names = struct.pack(">H", len(rooms)) + b"".join(text(name) for name in rooms)
    head = struct.pack(">BBQ", 1, operation, request) + text(b"a.example") + text(b"/")
    return head + names + struct.pack(">H", 0) + details


def reply(*items, expected=None):
    head = struct.pack(">BQB", 1, 7, 0 if expected is None else 1)
    head += b"" if expected is None else struct.pack(">I", expected)
    each = b"".join(b"\0" if item is None else b"\1" + parts(*item) for item in items)
    return head + struct.pack(">I", len(items)) + each


BUS = {
    "empty": batch(),
    "event": batch(message(1, payload=event())),
    "every-kind": batch(*[message(kind, source=b"s", payload=b"p") for kind in range(1, 11)]),
    "unknown-kind": batch(message(99), message(5)),
    "many-claimed": batch(message(5), count=2**32 - 1),
    "large-claimed": b"\0" + struct.pack(">BIBHHI", 1, 1, 1, 0, 0, 2**32 - 1),
    "trailing": batch(message(5)) + b"x",
    "version": b"\0\2\0\0\0\0",
    "not-utf8": batch(message(5, key=b"\xff\xfe")),
    "payload": b"\1" + event(),
    "payload-client": b"\1" + event(flags=1, fields=text(b"laptop")),
    "payload-attachments": b"\1" + event(b'51-["m",{"_placeholder":true,"num":0}]', attachments=[b"\1\2", b""]),
    "payload-flags": b"\1\1\x80\0\0\0\0\0\0",
    "payload-claimed": b"\1" + event()[:-2] + b"\xff\xff",
    **{f"payload-flag-{bit}": b"\1" + event(flags=1 << bit, fields=b"\0\0\0\0\0\0\0\1") for bit in range(6)},
    **{f"room-{code}": b"\2" + room(code, rooms=[b"lobby"]) for code in range(9)},
    "room-emit": b"\2" + room(1, b"\0" + parts(b'2["m"]', [b"x"])),
    "room-emit-1": b"\2" + room(1, b"\1" + parts(b'2["m"]', [])),
    "room-logged": b"\2" + room(8, struct.pack(">q", 7) + parts(b'2["m"]', [])),
    "room-ack": b"\2" + room(2, struct.pack(">I", 5000) + parts(b'2["m"]', [])),
    "room-join": b"\2" + room(3, struct.pack(">H", 1) + text(b"hall")),
    "room-side": b"\2" + room(7, text(b"event") + struct.pack(">I", 2) + b"[]"),
    "room-in-batch": batch(message(4, payload=room(6))),
    "reply": b"\3" + reply((b"[1]", []), None, (b"[]", [b"x"]), expected=3),
    "reply-claimed": b"\3" + reply()[:-4] + b"\xff\xff\xff\xff",
}

HANDSHAKE = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n"
    "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n"
)
HEAD = {
    "handshake": HANDSHAKE,
    "combining-mark": "GET / \u0301x HTTP/1.1\r\nA: \u0301b \u0301\r\n\r\n",
    "line-feeds": HANDSHAKE.replace("\r\n", "\n"),
    "no-key": HANDSHAKE.replace("Sec-WebSocket-Key", "X-Key"),
    "short-key": HANDSHAKE.replace("==", "="),
    "plain": "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "version-1.0": "GET / HTTP/1.0\r\n\r\n",
    "folded": "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
    "many-fields": "GET / HTTP/1.1\r\n" + "a: b\r\n" * 20 + "\r\n",
    "no-colon": "GET / HTTP/1.1\r\nabc\r\n\r\n",
    "carriage-return": "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n",
    "not-utf8": b"GET /\xff HTTP/1.1\r\nA: \xc3\x28\r\n\r\n",
    "long-target": "GET /" + "x" * 300 + " HTTP/1.1\r\n\r\n",
}

QUERY = {
    "polling": "EIO=4&transport=polling&t=OaB1c2d",
    "websocket": "EIO=4&transport=websocket&sid=abcDEF-_0123456789xyzA",
    "proto": "EIO=4&transport=__proto__",
    "twice": "EIO=3&EIO=4&transport=websocket&transport=polling",
    "encoded": "%45IO=%34&transport=p%6flling&x=a+b%20c",
    "malformed": "EIO=4&transport=%zz",
    "not-utf8": "EIO=4&a=%ff",
    "empty-sid": "EIO=4&transport=polling&sid=",
    "long-sid": "transport=polling&sid=" + "a" * 70,
    "base64": "EIO=4&transport=websocket&b64=1",
    "many": "&".join(["a=b"] * 101),
    "equals": "&&a&=&==b&c==",
}

# Commands of `EngineTarget`: number and value.
ADVANCE, POLL, QUEUE, LOST, POST, BODY, CUT, PACKET_IN, INVALID, UPGRADE, PROBE, BAD_PROBE, PROBE_LOST, CLOSE = range(
    14
)
ENGINE = {
    "heartbeat": [0, ADVANCE, 100, PACKET_IN, 3, ADVANCE, 100, ADVANCE, 50],
    "poll-and-post": [0, POLL, 0, POST, 0, BODY, 0, QUEUE, 0, POLL, 0],
    "overlap": [0, POLL, 0, POLL, 0, POLL, 0],
    "upgrade": [0, POLL, 0, UPGRADE, 0, PROBE, 2, POLL, 0, PROBE, 5, UPGRADE, 0, PACKET_IN, 4, PACKET_IN, 1],
    "upgrade-cuts-post": [0, POST, 0, UPGRADE, 0, PROBE, 2, PROBE, 5, BODY, 0],
    "upgrade-too-slow": [0, UPGRADE, 0, ADVANCE, 70, UPGRADE, 0, PROBE_LOST, 0],
    "close-waits": [0, CLOSE, 4, QUEUE, 0, POLL, 0],
    "close-forgotten": [0, CLOSE, 4, ADVANCE, 90],
    "close-held": [0, POLL, 0, CLOSE, 4],
    "large-post": [0, POST, 254, POST, 4, CUT, 0],
    "lost-poll": [0, POLL, 0, LOST, 0, POLL, 0],
    "websocket": [1, PACKET_IN, 4, PACKET_IN, 2],
    "ended": [1, CLOSE, 0x80, ADVANCE, 200, PACKET_IN, 4],
    "late": [0, ADVANCE, 100, ADVANCE, 60, POLL, 0],
    "bad-probe": [0, UPGRADE, 0, BAD_PROBE, 0, PROBE, 2, INVALID, 0],
}

TEXT, BINARY, ACCEPT, REFUSE, LEAVE, TIME, END = range(7)


def command(kind, value=0):
    data = value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else b""
    return bytes([kind, value if isinstance(value, int) else len(data)]) + data


def commands(*each):
    return b"".join(command(*one) for one in each)


JOINED = [(TEXT, "0"), (ACCEPT, 0)]
SOCKETS = {
    "join": commands(*JOINED, (TEXT, '2["m",1]'), (TEXT, "1"), (TIME, 100)),
    "join-twice": commands((TEXT, "0"), (TEXT, "0")),
    "refuse": commands((TEXT, "0"), (REFUSE, 0), (TEXT, "0"), (ACCEPT, 0)),
    "custom": commands((TEXT, "0/a"), (ACCEPT, 1), (TEXT, "0/b,{}"), (ACCEPT, 2), (TEXT, '2/b,1["m"]'), (LEAVE, 1)),
    "too-many": commands(*[(TEXT, f"0/{name},") for name in "abcde"]),
    "large-auth": commands((TEXT, '0{"a":"' + "x" * 80 + '"}')),
    "attachments": commands(
        *JOINED, (TEXT, f'52-["m",{PLACEHOLDER % 0},{PLACEHOLDER % 1}]'), (BINARY, b"ab"), (BINARY, b"")
    ),
    "attachments-late": commands(*JOINED, (TEXT, f'51-["m",{PLACEHOLDER % 0}]'), (TIME, 50)),
    "text-among-attachments": commands(*JOINED, (TEXT, f'51-["m",{PLACEHOLDER % 0}]'), (TEXT, '2["m"]')),
    "left-among-attachments": commands(*JOINED, (TEXT, f'51-["m",{PLACEHOLDER % 0}]'), (LEAVE, 0), (BINARY, b"a")),
    "binary-out-of-turn": commands(*JOINED, (BINARY, b"a")),
    "event-before-connect": commands((TEXT, "0"), (TEXT, '2["m"]')),
    "ack": commands(*JOINED, (TEXT, "31[1]"), (END, 0xC0), (TEXT, '2["m"]')),
    "timeout": commands((TIME, 99), (TIME, 1)),
}


def form(*parts, boundary="x", close="--x--\r\n", step=3):
    """A body for `MultipartTarget`: the boundary's length less one, how it is cut, then the parts, each its header
    fields and its content."""
    body = "".join(f"--{boundary}\r\n{head}\r\n\r\n{content}\r\n" for head, content in parts) + close
    return bytes([len(boundary) - 1, step]) + body.encode()


def named(name, more=""):
    return f'Content-Disposition: form-data; name="{name}"{more}'


MULTIPART = {
    "field": form((named("a"), "1")),
    "nothing": form(),
    "file": form((named("f", '; filename="a.txt"') + "\r\nContent-Type: text/plain; charset=x", "hello\r\n--y\r\n")),
    "extended-name": form((named("f", "; filename=\"a\"; filename*=UTF-8''%e2%82%ac%20rates"), "")),
    "quoted": form((named('a\\"b%22', '; filename="C:\\\\dir\\x.txt"'), "\r")),
    "token-name": form(("content-disposition:form-data;name=a ;filename=b", "-\r\n-")),
    "preamble": bytes([0, 1]) + b"to whom it may concern\r\n--x \t\r\n" + named("a").encode() + b"\r\n\r\n\r\n--x--",
    "epilogue": form((named("a"), "1"), close="--x--\r\n--x\r\nmore\r\n"),
    "encoded": form((named("a") + "\r\nContent-Transfer-Encoding: base64", "MQ==")),
    "no-name": form(("Content-Disposition: form-data", "1")),
    "no-header": bytes([0, 0]) + b"--x\r\n\r\n1\r\n--x--",
    "folded": form((named("a") + ";\r\n filename=b", "1")),
    "unfinished": form((named("a"), "1"), close="--x-"),
    "longer-boundary": form((named("a"), "1\r\n--xy"), close="--x--"),
    "many": form(*[(named(str(number)), "") for number in range(6)], step=0),
    "long-header": form((named("a") + "\r\nX: " + "y" * 220, "1")),
    "boundary-of-eight": form((named("a"), "\r\n--xxxxxxx"), boundary="xxxxxxxx", close="--xxxxxxxx--"),
}


def signal(members, more=""):
    """The arguments of a `peer` event."""
    return '{"token":"t","to":"n.s",' + members + "}" + more


# Arguments of `link` and `peer` events.
LINKS = {
    "request": '{"_id":1,"query":{"friend":"bob"}}',
    "request-text-id": '{"_id":"a\\u0062","query":null}',
    "request-large": '{"_id":2,"query":"' + "x" * 40 + '"}',
    "close": '{"_id":3,"close":"token"}',
    "both": '{"_id":4,"query":1,"close":"token"}',
    "close-wrong": '{"_id":{},"close":7}',
    "offer": signal('"sdp":{"type":"offer","sdp":"v=0\\r\\n"}'),
    "answer": signal('"sdp":{"type":"answer","sdp":"v=0\\r\\n"}'),
    "offer-more": signal('"sdp":{"sdp":"","type":"offer","more":[1]},"from":"x"'),
    "offer-large": signal('"sdp":{"type":"offer","sdp":"' + "x" * 65 + '"}'),
    "pranswer": signal('"sdp":{"type":"pranswer","sdp":""}'),
    "candidate": signal('"ICE":{"candidate":"","sdpMid":"0","sdpMLineIndex":0}'),
    "candidate-null": signal('"ICE":null'),
    "candidate-large": signal('"ICE":{"candidate":"' + "x" * 48 + '"}'),
    "candidate-text": signal('"ICE":"candidate"'),
    "candidate-numbers": signal('"ICE":{"a":1e0,"b":-0.0,"c":9223372036854775807}'),
    "bye": signal('"bye":true'),
    "bye-false": signal('"bye":false'),
    "two-kinds": signal('"bye":true,"ICE":null'),
    "no-to": '{"token":"t","bye":true}',
    "names-long": '{"token":"' + "t" * 129 + '","to":"' + "s" * 128 + '","bye":true}',
    "names-escaped": '{"tok\\u0065n":"\\u0000\\"","to":"\\ud83d\\ude00","bye":true}',
    "twice": signal('"bye":true,"token":"u"'),
    "polluting": signal('"bye":true,"__proto__":{},"constructor":{"prototype":1}'),
    "lone-surrogate": '{"token":"\\ud83d","to":"s","bye":true}',
    "two-arguments": signal('"bye":true', ",{}"),
    "spaced": '{ "token" : "t" , "to" : "s" , "bye" : true } ',
    "no-object": "[]",
    "nothing": "",
}


def main():
    targets = {
        "payload": PAYLOAD,
        "frames": FRAMES,
        "packet": PACKET,
        "json": JSON,
        "bson": BSON,
        "bus": BUS,
        "head": HEAD,
        "query": QUERY,
        "engine": ENGINE,
        "sockets": SOCKETS,
        "multipart": MULTIPART,
        "links": LINKS,
    }
    for target, seeds in targets.items():
        folder = SEEDS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, seed in seeds.items():
            (folder / name).write_bytes(seed.encode() if isinstance(seed, str) else bytes(seed))


if __name__ == "__main__":
    main()
