"""The peer that Autobahn's cases play through: a WebSocket client with framing of its own, strict about what the server
sends. It has the names that the cases use of the library they were written for."""

import asyncio
import base64
import collections
import hashlib
import os
import struct
import types
import zlib

from autobahn_cases import WebSocketProtocol
from raw import frame

# A case's `killAfter` is its patience with a server that does not answer: here there is more of it.
PATIENCE = 120

END = b"\x00\x00\xff\xff"


class Violation(Exception):
    """The server sent what no server may send."""


class Deflate:
    """permessage-deflate of a client, as the server's answer has it."""

    def __init__(self, offers, answer):
        name, *parameters = [part.strip() for part in answer.split(";")]
        agreed = dict(part.partition("=")[::2] for part in parameters)
        if name != "permessage-deflate" or len(agreed) != len(parameters):
            raise Violation(answer)
        known = {"server_no_context_takeover", "client_no_context_takeover"}
        if not set(agreed) <= known | {"server_max_window_bits", "client_max_window_bits"}:
            raise Violation(answer)
        bits = int(agreed.get("server_max_window_bits") or 15)

        def fits(offer):
            if offer.requestNoContextTakeover and "server_no_context_takeover" not in agreed:
                return False
            if offer.requestMaxWindowBits and bits > offer.requestMaxWindowBits:
                return False
            return offer.acceptMaxWindowBits or "client_max_window_bits" not in agreed

        if not any(fits(offer) for offer in offers):
            raise Violation(f"{answer} answers none of {[offer.header() for offer in offers]}")
        self._server_bits = bits
        self._client_bits = int(agreed.get("client_max_window_bits") or 15)
        self._server_keeps = "server_no_context_takeover" not in agreed
        self._client_keeps = "client_no_context_takeover" not in agreed
        self._compressor = self._decompressor = None

    def compress(self, data):
        if self._compressor is None or not self._client_keeps:
            self._compressor = zlib.compressobj(wbits=-self._client_bits)
        packed = self._compressor.compress(data) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        assert packed.endswith(END)
        return packed[:-4]

    def decompress(self, data):
        if self._decompressor is None or not self._server_keeps:
            self._decompressor = zlib.decompressobj(wbits=-self._server_bits)
        return self._decompressor.decompress(data + END)


class Peer(asyncio.Protocol, WebSocketProtocol):
    """Plays one case against ws://127.0.0.1:port/echo."""

    def __init__(self, case_class, number):
        self.takes_bytes = number.startswith(("12.", "13."))
        self.state = self.STATE_CONNECTING
        self.ended = asyncio.get_running_loop().create_future()
        self.factory = types.SimpleNamespace(isServer=False)
        self.autoFragmentSize = 0
        self.createWirelog = False
        self.trafficStats = None
        self.perMessageCompressionOffers = []
        self.perMessageCompressionAccept = None
        self._perMessageCompress = None
        self.txFrameStats = collections.Counter()
        self.connectionWasOpen = self.closedByMe = self.failedByMe = self.droppedByMe = self.wasClean = False
        self.remoteCloseCode = self.localCloseCode = self.localCloseReason = self.remoteCloseReason = None
        self.violation = None
        self._buffer = bytearray()
        self._opcode = None
        self._message = bytearray()
        self._is_compressed = False
        self._timers = []
        self.case = case_class(self)

    # The connection

    def connection_made(self, transport):
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        self._accept = base64.b64encode(digest).decode()
        lines = ["GET /echo HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
        if self.perMessageCompressionOffers:
            offers = ", ".join(offer.header() for offer in self.perMessageCompressionOffers)
            lines.append(f"Sec-WebSocket-Extensions: {offers}")
        transport.write("\r\n".join([*lines, "", ""]).encode())

    def connection_lost(self, _):
        for timer in self._timers:
            timer.cancel()
        self.state = self.STATE_CLOSED
        try:
            self.case.onConnectionLost(self.failedByMe)
        except Exception as error:
            self.violation = self.violation or error
        self.ended.set_result(None)

    def data_received(self, data):
        self._buffer += data
        try:
            if self.state == self.STATE_CONNECTING and not self._opened():
                return
            while self._take_frame():
                pass
        except Exception as error:  # a failed case, not a failed test run
            self.violation = error
            self.transport.abort()

    def _opened(self):
        head, end, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if not end:
            return False
        status, *lines = head.decode("latin-1").split("\r\n")
        if not status.startswith("HTTP/1.1 101 "):
            raise Violation(head)
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if fields.get("sec-websocket-accept") != self._accept or "sec-websocket-protocol" in fields:
            raise Violation(head)
        if answer := fields.get("sec-websocket-extensions"):
            self._perMessageCompress = Deflate(self.perMessageCompressionOffers, answer)
        self._buffer = bytearray(rest)
        self.state = self.STATE_OPEN
        self.connectionWasOpen = True
        self.case.onOpen()
        return True

    # What comes in

    def _take_frame(self):
        data = self._buffer
        if len(data) < 2:
            return False
        final, reserved, opcode = data[0] & 0x80, data[0] & 0x70, data[0] & 0x0F
        count, position = data[1] & 0x7F, 2
        if data[1] & 0x80:
            raise Violation("a masked frame")
        if count >= 126:
            size, least = (2, 126) if count == 126 else (8, 65536)
            if len(data) < position + size:
                return False
            count = int.from_bytes(data[position : position + size], "big")
            position += size
            if count < least:
                raise Violation("a length that is not minimal")
        if len(data) < position + count:
            return False
        payload = bytes(data[position : position + count])
        del data[: position + count]
        if opcode >= 8:
            if not final or reserved or count > 125:
                raise Violation("a control frame in pieces, or too long")
            self._control(opcode, payload)
            return True
        if opcode:
            if self._opcode is not None or opcode > 2 or reserved not in (0, 0x40):
                raise Violation(f"opcode {opcode}, reserved {reserved:#x}")
            if reserved and not self._perMessageCompress:
                raise Violation("compressed without agreement")
            self._opcode, self._is_compressed = opcode, bool(reserved)
        elif self._opcode is None or reserved:
            raise Violation("a continuation of nothing")
        self._message += payload
        if final:
            message, opcode = bytes(self._message), self._opcode
            self._message.clear()
            self._opcode = None
            self._received(opcode, self._perMessageCompress.decompress(message) if self._is_compressed else message)
        return True

    def _received(self, opcode, message):
        if opcode == 1:
            message.decode()
        self.case.onMessage(message if self.takes_bytes else message.decode("latin-1"), opcode == 2)

    def _control(self, opcode, payload):
        if opcode == 9:
            self.sendFrame(opcode=10, payload=payload)
            self.case.onPing(payload.decode("latin-1"))
        elif opcode == 10:
            self.case.onPong(payload.decode("latin-1"))
        elif opcode == 8:
            if len(payload) == 1:
                raise Violation("a close frame with half a code")
            if payload:
                (self.remoteCloseCode,) = struct.unpack(">H", payload[:2])
                self.remoteCloseReason = payload[2:].decode()
                if self.remoteCloseCode in (1004, 1005, 1006, 1015) or not 1000 <= self.remoteCloseCode < 5000:
                    raise Violation(f"close code {self.remoteCloseCode}")
            self.wasClean = True
            if self.state == self.STATE_OPEN:
                self.sendCloseFrame(self.remoteCloseCode, isReply=True)
            self.case.onClose(True, self.remoteCloseCode, self.remoteCloseReason)
        else:
            raise Violation(f"opcode {opcode}")

    # What the cases send

    @staticmethod
    def _bytes(text):
        return text if isinstance(text, bytes) else text.encode("latin-1")

    def _write(self, data, chop=None):
        for start in range(0, len(data), chop or len(data)):
            self.transport.write(data[start : start + (chop or len(data))])

    def sendFrame(self, opcode, payload=b"", fin=True, rsv=0, mask=None, payload_len=None, chopsize=None, sync=False):
        payload = self._bytes(payload)
        if payload_len is not None and payload:
            payload = (payload * (payload_len // len(payload) + 1))[:payload_len]
        self.txFrameStats[opcode] += 1
        self._write(frame(opcode, payload, fin, rsv, key=os.urandom(4)), chopsize)

    def sendMessage(self, payload, isBinary=False, fragmentSize=None, sync=False, doNotCompress=False):
        payload = self._bytes(payload)
        reserved = 0
        if self._perMessageCompress and not doNotCompress:
            payload, reserved = self._perMessageCompress.compress(payload), 4
        size = fragmentSize or self.autoFragmentSize or max(len(payload), 1)
        for start in range(0, max(len(payload), 1), size):
            opcode = 0 if start else 2 if isBinary else 1
            self.sendFrame(
                opcode, payload[start : start + size], start + size >= len(payload), 0 if start else reserved
            )

    def beginMessage(self, isBinary=False):
        self._next_opcode = 2 if isBinary else 1

    def beginMessageFrame(self, length):
        key = os.urandom(4)
        head = frame(self._next_opcode, b"", final=False, key=key, length=length)
        self._stream, self._next_opcode = (key, 0), 0
        self.transport.write(head)

    def sendMessageFrameData(self, payload, sync=False):
        key, offset = self._stream
        payload = self._bytes(payload)
        self._stream = key, offset + len(payload)
        self.transport.write(bytes(byte ^ key[(offset + index) & 3] for index, byte in enumerate(payload)))

    def endMessage(self):
        self.sendFrame(opcode=0)

    def sendCloseFrame(self, code=None, reasonUtf8=None, isReply=False):
        if self.state != self.STATE_OPEN:
            return
        payload = (b"" if code is None else struct.pack(">H", code)) + self._bytes(reasonUtf8 or b"")
        self.sendFrame(opcode=8, payload=payload)
        self.state = self.STATE_CLOSING
        self.closedByMe = not isReply
        self.localCloseCode, self.localCloseReason = code, reasonUtf8

    def sendClose(self, code=None, reason=None):
        self.sendCloseFrame(code, reason)

    def failConnection(self):
        self.failedByMe = self.droppedByMe = True
        self.transport.abort()

    # Time

    def _later(self, delay, action):
        self._timers.append(asyncio.get_running_loop().call_later(delay, action))

    def continueLater(self, delay, action, tag=None):
        self._later(delay, action)

    def closeAfter(self, delay):
        self._later(delay, self.sendClose)

    def killAfter(self, delay):
        self._later(max(delay, PATIENCE), self.failConnection)

    def enableWirelog(self, _):
        pass


async def play(port, cases, at_once=16):
    """Runs cases, {number: class}; gives {number: (behaviour, behaviour of the close, what is to be said)}."""
    places = asyncio.Semaphore(at_once)
    results = {}

    async def one(number, case_class):
        async with places:
            loop = asyncio.get_running_loop()
            _, peer = await loop.create_connection(lambda: Peer(case_class, number), "127.0.0.1", port)
            await peer.ended
            case = peer.case
            said = peer.violation or f"{case.result} {case.resultClose}"
            behaviour = "FAILED" if peer.violation else case.behavior
            results[number] = (behaviour, case.behaviorClose, str(said))

    await asyncio.gather(*(one(number, case_class) for number, case_class in cases.items()))
    return results
