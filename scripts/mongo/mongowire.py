"""A small BSON codec and MongoDB wire client, so that the cluster script needs no module beyond Python's own.

One command per connection, no compression, no authentication: enough to set up a cluster on loopback.
"""

import socket
import struct

MAJORITY = {"writeConcern": {"w": "majority"}}

OP_MSG = 2013


class ObjectId(bytes):
    pass


class Timestamp(int):
    pass


class Binary(tuple):
    """(subtype, bytes)"""


class CommandError(Exception):
    """The server answered, and the answer is not ok."""


def encode(document):
    body = b"".join(_encode_element(key, value) for key, value in document.items())
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def _encode_element(key, value):
    name = key.encode() + b"\0"
    if value is None:
        return b"\x0a" + name
    if isinstance(value, bool):  # before int, which it is too
        return b"\x08" + name + bytes([value])
    if isinstance(value, ObjectId):
        return b"\x07" + name + value
    if isinstance(value, Timestamp):
        return b"\x11" + name + struct.pack("<Q", value)
    if isinstance(value, Binary):
        subtype, content = value
        return b"\x05" + name + struct.pack("<iB", len(content), subtype) + content
    if isinstance(value, int):
        if -(2**31) <= value < 2**31:
            return b"\x10" + name + struct.pack("<i", value)
        return b"\x12" + name + struct.pack("<q", value)
    if isinstance(value, float):
        return b"\x01" + name + struct.pack("<d", value)
    if isinstance(value, str):
        text = value.encode() + b"\0"
        return b"\x02" + name + struct.pack("<i", len(text)) + text
    if isinstance(value, dict):
        return b"\x03" + name + encode(value)
    if isinstance(value, list):
        return b"\x04" + name + encode({str(index): item for index, item in enumerate(value)})
    raise TypeError(f"no BSON for {type(value)}")


def decode(data, offset=0, as_list=False):
    end = offset + _int32(data, offset) - 1
    offset += 4
    document = {}
    while offset < end:
        kind = data[offset]
        stop = data.index(b"\0", offset + 1)
        key = data[offset + 1 : stop].decode()
        document[key], offset = _decode_value(kind, data, stop + 1)
    return list(document.values()) if as_list else document


def _int32(data, offset):
    return struct.unpack_from("<i", data, offset)[0]


def _decode_value(kind, data, at):
    """Returns the value that starts at `at`, and where the next element starts."""
    if kind == 0x01:
        return struct.unpack_from("<d", data, at)[0], at + 8
    if kind in (0x02, 0x0D, 0x0E):  # string, code, symbol
        size = _int32(data, at)
        return data[at + 4 : at + 3 + size].decode("utf8", "replace"), at + 4 + size
    if kind in (0x03, 0x04):
        return decode(data, at, as_list=kind == 0x04), at + _int32(data, at)
    if kind == 0x05:
        size = _int32(data, at)
        return Binary((data[at + 4], data[at + 5 : at + 5 + size])), at + 5 + size
    if kind == 0x07:
        return ObjectId(data[at : at + 12]), at + 12
    if kind == 0x08:
        return bool(data[at]), at + 1
    if kind in (0x09, 0x12):  # date, int64
        return struct.unpack_from("<q", data, at)[0], at + 8
    if kind == 0x10:
        return _int32(data, at), at + 4
    if kind == 0x11:
        return Timestamp(struct.unpack_from("<Q", data, at)[0]), at + 8
    if kind in (0x06, 0x0A, 0x7F, 0xFF):  # undefined, null, max key, min key
        return None, at
    if kind == 0x0B:  # regular expression: pattern, options
        pattern_end = data.index(b"\0", at)
        return data[at:pattern_end].decode(), data.index(b"\0", pattern_end + 1) + 1
    if kind == 0x13:
        return data[at : at + 16], at + 16
    raise ValueError(f"unknown BSON type {kind:#x}")


def command(port, database, document, timeout=60):
    """Runs a command on the server at a loopback port. Raises CommandError when the answer is not ok, OSError when
    there is no answer."""
    body = encode({**document, "$db": database})
    message = struct.pack("<iiiiIb", 21 + len(body), 1, 0, OP_MSG, 0, 0) + body
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.settimeout(timeout)
        connection.sendall(message)
        reply = decode(_receive_message(connection)[21:])
    if not reply.get("ok"):
        name = next(iter(document))
        raise CommandError(f"{name}: {reply.get('codeName')}: {reply.get('errmsg')}")
    return reply


def _receive_message(connection):
    received = b""
    while len(received) < 4 or len(received) < _int32(received, 0):
        part = connection.recv(1 << 16)
        if not part:
            raise OSError("connection closed")
        received += part
    return received


def hello(port):
    """What the server says of itself, or None when it does not answer."""
    try:
        return command(port, "admin", {"hello": 1}, timeout=3)
    except (OSError, CommandError):
        return None


def find(port, database, collection, query=None):
    """The first batch: the collections that are read here are small."""
    reply = command(port, database, {"find": collection, "filter": query or {}})
    return reply["cursor"]["firstBatch"]
