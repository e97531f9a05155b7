"""Requests that are wrong in every way, and what each of them is owed: exactly one answer, or, where it cannot be told
what was asked, a refusal that ends the connection (SPEC AC-12). Used by test_mutations.py and scripts/mutate.py."""

import json
import random
import re
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from raw import CLOSE, PATIENCE, SOCKET_IO, TEXT, Wire, frame, websocket

PATHS = [
    "/",
    "/agent",
    "/body",
    "/body/small",
    "/body/none",
    "/body/domestic",
    "/body/binary",
    "/sink",
    "/sink/parts",
    "/sink/unread",
    "/mirror",
    "/source",
    "/source/open",
    "/page",
    "/page/html",
    "/throws",
    "/nowhere",
    "/logout",
    "/never",
    "/.well-known/submergence/openapi.json",
    "/engine.io/",
    "/demo/",
    "//",
    "/a/../b",
    "/%2e%2e/x",
    "/agent/",
    "*",
]
# Of Tests/Applications/Actions.
SOCKET_PATHS = [
    *PATHS,
    "/echo/1",
    "/echo/a%20b",
    "/only-put",
    "/hidden",
    "/events",
    "/redirect",
    "/private",
    "/teapot",
    "/large",
    "/stream/mutated",
    "/stream/mutated?bytes=200000",
    "/stream-state/mutated",
    "/in-process/1",
    "/again",
    "/idle",
]
QUERIES = [
    "",
    "",
    "",
    "a=b",
    "a=%zz",
    "=&=&&",
    "_domestic=x",
    "a=%ff",
    "bytes=70000",
    "bytes=5&length=5",
    "text=%3Cb%3E&status=404",
    "status=99",
    "status=204",
    "client=x",
    "&".join(["a=b"] * 300),
    "a=" + "y" * 4_000,
    "a=+%20%2B",
    "EIO=4&transport=polling",
    "EIO=3",
    "EIO=4&transport=polling&sid=" + "a" * 22,
    "bytes=-1",
    "bytes=1e9",
    "type=a/b",
    "type=x%0D%0Ay:z",
]
METHODS = (
    ["GET"] * 4
    + ["POST"] * 6
    + ["PUT"] * 5
    + ["DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "PROPFIND", "get", "X-Y!"]
)
TYPES = [
    None,
    "application/json",
    "application/json; charset=latin-1",
    "application/problem+json",
    "text/plain",
    "text/;;",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    "image/png",
    ";",
    "a" * 300,
    'multipart/form-data; boundary="x',
    "multipart/form-data; boundary=" + "y" * 80,
    "multipart/mixed; boundary=x",
]
FIELDS = [
    "Accept: text/html",
    "Accept: text/html;q=2, */*;q=x",
    "Accept: ;;,,/",
    "Cookie: session=v1.x; session=y; domestic=",
    "Cookie: " + "a=b; " * 200,
    "X-Domestic: x",
    "X-Domestic: \x80\xff",
    "Origin: null",
    "Origin: https://a.example",
    "Access-Control-Request-Method: PUT",
    "Access-Control-Request-Headers: a,,b",
    "Content-Encoding: gzip",
    "Content-Encoding: identity",
    "Authorization: Bearer a.b.c",
    "Authorization: Basic eA==",
    "Range: bytes=0-",
    "If-None-Match: *",
    "X-Forwarded-For: 1.2.3.4, x",
    "X-Forwarded-For: 999.1.1.1",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Proto: gopher",
    "TE: trailers",
    "Expect: 100-continue",
    "Connection: close",
    "Connection: keep-alive",
    "User-Agent: " + "z" * 3_000,
    "Accept-Language: \xe9",
]
JSON = [
    "{}",
    "null",
    '{"a":1}',
    '{"user":"x"}',
    "[" * 70 + "]" * 70,
    '{"a":1,"a":2}',
    '{"__proto__":1}',
    '"\\ud800"',
    "1e999",
    '{"user":1,"client":{}}',
    "{",
    "",
    "\ufeff{}",
    '{"a":"' + "x" * 50_000 + '"}',
]
FORMS = [
    "a=b",
    "a=%zz",
    "_domestic=x&a",
    "&&&",
    "a=" + "y" * 45_000,
    "=".join("x" * 100),
]


def part(disposition, content, more=""):
    return f"--x\r\nContent-Disposition: form-data; {disposition}\r\n{more}\r\n{content}\r\n"


PARTS = [
    part("name=a", "1"),
    part('name="f"; filename="a.txt"', "hello", "Content-Type: text/plain\r\n"),
    part("name=_domestic", "x"),
    part("name=f; filename*=UTF-8''%e2%82%ac", "\r\n--y"),
    part("nam=a", "1"),
    part("name=a; filename=b", "y" * 70_000),
    part("name=a", "", "Content-Transfer-Encoding: base64\r\n"),
    part("name=" + "n" * 300, ""),
    "--x\r\n\r\n1\r\n",
    "--xy\r\n",
    part("name=a", "", "X: " + "y" * 9_000 + "\r\n"),
    "\r\n--x--",
]

SENTINEL = re.compile(rb'"text":"sentinel-(\d+)"')


class Finding(Exception):
    """What is not as it should be."""


class Case:
    """One request, and what it is owed."""

    # A head and a body that are well-formed by construction: exactly one answer, then that of what comes behind.
    FRAMED = "framed"
    # Bytes that were changed anywhere: answers that are whole, one at the most for each request in them, or an end.
    BROKEN = "broken"

    def __init__(self, kind, data, method, closes, body):
        self.kind = kind
        self.data = data
        self.method = method
        self.closes = closes
        self.body = body


class Mutations:
    """Makes cases out of one random number."""

    def __init__(self, seed, paths=PATHS):
        self._random = random.Random(seed)
        self._paths = paths

    def http(self):
        draw = self._random
        method = draw.choice(METHODS)
        target = self._target()
        kind = draw.choice(TYPES)
        fields = draw.sample(FIELDS, draw.choice([0, 0, 1, 1, 2, 4]))
        if kind is not None:
            fields.append(f"Content-Type: {kind}")
        body = self._body(kind) if method not in ("GET", "HEAD") or draw.random() < 0.1 else None
        host = draw.choice(["localhost"] * 12 + ["evil.example", "LOCALHOST.", "127.0.0.1:99", "a b", ""])
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *fields]
        framed = b""
        if body is not None:
            if draw.random() < 0.3:
                lines.append("Transfer-Encoding: chunked")
                framed = self._chunked(body)
            else:
                lines.append(f"Content-Length: {len(body)}")
                framed = body
        data = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + framed
        closes = "Connection: close" in fields
        if draw.random() < 0.35 and method != "HEAD":
            return Case(Case.BROKEN, self._damaged(data), method, closes, body)
        return Case(Case.FRAMED, data, method, closes, body)

    def _target(self):
        draw = self._random
        path = draw.choice(self._paths)
        if draw.random() < 0.2:
            path += draw.choice(
                ["/%00", "/%zz", "/" + "x" * 5_000, "/%C3%A9", ";a=b", "/" * 50, "/%ff%fe", "//x", "/" + "y" * 9_000]
            )
        query = draw.choice(QUERIES)
        return path + (("&" if "?" in path else "?") + query if query else "") + ("#f" if draw.random() < 0.02 else "")

    def _body(self, kind):
        draw = self._random
        if draw.random() < 0.1:
            return draw.randbytes(draw.choice([0, 1, 100, 41_000, 120_000]))
        if kind and "json" in kind:
            body = draw.choice(JSON).encode()
        elif kind and "multipart" in kind:
            body = "".join(draw.choices(PARTS, k=draw.choice([0, 1, 2, 3, 40]))).encode() + draw.choice(
                [b"--x--\r\n"] * 4 + [b"--x"]
            )
        else:
            body = draw.choice(FORMS + JSON).encode()
        return self._changed(body) if draw.random() < 0.3 else body

    def _chunked(self, body):
        draw = self._random
        framed = b""
        while body:
            size = draw.choice([1, 7, 1_000, 70_000])
            piece, body = body[:size], body[size:]
            framed += b"%x\r\n%s\r\n" % (len(piece), piece)
            if len(framed) > 3_000 and size < 1_000:
                framed += b"%x\r\n%s\r\n" % (len(body), body) if body else b""
                body = b""
        return framed + b"0\r\n\r\n"

    def _changed(self, data):
        """Other bytes, perhaps more or fewer of them."""
        draw = self._random
        data = bytearray(data)
        for _ in range(draw.choice([1, 1, 2, 8])):
            place = draw.randrange(len(data) + 1)
            what = draw.randrange(5)
            if what == 0 and place < len(data):
                data[place] ^= 1 << draw.randrange(8)
            elif what == 1:
                data[place:place] = draw.choice(
                    [b"\0", b"\r\n", b"\n", b"\xff", b"%", b"--x", b'"', b" ", b":", b"\r\n\r\n"]
                )
            elif what == 2:
                del data[place : place + draw.choice([1, 2, 20])]
            elif what == 3:
                data[place:place] = data[place : place + draw.choice([1, 10, 200])]
            elif place < len(data):
                data[place] = draw.randrange(256)
        return bytes(data)

    def _damaged(self, data):
        draw = self._random
        head, _, body = data.partition(b"\r\n\r\n")
        what = draw.randrange(8)
        if what == 0:
            return self._changed(data)
        if what == 1:
            return self._changed(head) + b"\r\n\r\n" + body
        if what == 2:
            extra = draw.choice(
                [
                    b"Host: other",
                    b"Content-Length: 3",
                    b"Transfer-Encoding: gzip, chunked",
                    b"Content-Length: -1",
                    b"Content-Length: 99999999999999999999",
                    b" folded",
                    b"No colon",
                    b"Sp ace: x",
                    b"X: a\0b",
                    b": x",
                    b"Transfer-Encoding: identity",
                    b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings",
                ]
            )
            return head + b"\r\n" + extra + b"\r\n\r\n" + body
        if what == 3:
            return (
                head.replace(
                    b"HTTP/1.1", draw.choice([b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"http/1.1", b"", b"HTTP/1.1 x"])
                )
                + b"\r\n\r\n"
                + body
            )
        if what == 4:
            return data.replace(b"\r\n", draw.choice([b"\n", b"\r", b"\r\r\n"]))
        if what == 5:
            return data[: draw.randrange(len(data) + 1)]
        if what == 6:
            return (
                head
                + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
                + draw.choice(
                    [
                        b"zz\r\n",
                        b"-1\r\n",
                        b"ffffffffffffffffff\r\n",
                        b"5\r\nabc\r\n0\r\n\r\n",
                        b"1;" + b"e" * 9_000 + b"\r\nx\r\n0\r\n\r\n",
                        b"0\r\nX: y\r\n\r\n",
                    ]
                )
            )
        return draw.randbytes(draw.choice([1, 20, 500])) + data

    # Socket.IO

    def action(self, number):
        """(text of the packet's payload, the `_id` of the reply that it is owed, whether it is owed one at all)."""
        draw = self._random
        identifier = draw.choice([number, f"id-{number}"])
        request = {"_id": identifier, "method": draw.choice(METHODS), "url": self._target()}
        if draw.random() < 0.5:
            request["body"] = draw.choice([None, {}, {"a": 1}, "text", 1.5, [[]], {"user": 1}, "y" * 45_000])
        if draw.random() < 0.3:
            request["query"] = draw.choice([{}, {"a": "b"}, {"bytes": "5"}, {"text": "<b>"}])
        if draw.random() < 0.4:
            text, is_action = self._misshapen(request)
            return text, None, is_action
        return json.dumps(["action", request]), identifier, True

    def _misshapen(self, request):
        """(text, whether it still is an `action` event)."""
        draw = self._random
        what = draw.randrange(8)
        if what == 0:
            request[draw.choice(["_id", "method", "url", "query", "body"])] = draw.choice(
                [None, [], {}, True, 1.5, -1, "", "x" * 70, 2**60]
            )
        elif what == 1:
            request.pop(draw.choice(list(request)))
        elif what == 2:
            return json.dumps(["action"]), True
        elif what == 3:
            return json.dumps(["action", draw.choice([None, 1, "x", [], [[]]])]), True
        elif what == 4:
            return json.dumps(["action", request, request]), True
        elif what == 5:
            return json.dumps(["action", request])[:-2] + ',"_id":7}]', True
        elif what == 6:
            name = draw.choice(["chunk", "link", "peer", "ice", "reply", "session", "ready"])
            return json.dumps([name, request]), False
        else:
            return self._changed(json.dumps(["action", request]).encode()).decode("utf8", "replace"), False
        return json.dumps(["action", request]), True


class HTTPRun:
    """Sends cases to a node, each on a connection of its own with a request behind it that is known to be right."""

    def __init__(self, node):
        self._node = node
        self._lock = threading.Lock()
        self._sentinels = 0
        self.answers = {}
        self.closed = 0

    def check(self, case):
        with self._lock:
            self._sentinels += 1
            sentinel = self._sentinels
        behind = f"GET /page?text=sentinel-{sentinel} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        with Wire(self._node) as wire:
            wire.socket.settimeout(30)
            wire.send_unless_closed(case.data)
            wire.send_unless_closed(behind)
            answers = (
                self._framed(wire, case, sentinel) if case.kind == Case.FRAMED else self._broken(wire, case, sentinel)
            )
        with self._lock:
            for status in answers:
                self.answers[status] = self.answers.get(status, 0) + 1
            if not answers:
                self.closed += 1

    def _framed(self, wire, case, sentinel):
        status, headers, _ = read_answer(wire, case.method)
        if case.closes or headers.get("connection", "").lower() == "close":
            rest = wire.drain()
            if rest:
                raise Finding(f"more behind the last answer: {rest[:200]!r}")
            return [status]
        behind, _, body = read_answer(wire, "GET")
        found = SENTINEL.search(body)
        if behind != 200 or not found or int(found[1]) != sentinel:
            raise Finding(f"{status}, and behind it not the next request's answer but {behind} {body[:200]!r}")
        wire.socket.shutdown(socket.SHUT_WR)
        rest = wire.drain()
        if rest:
            raise Finding(f"more than one answer: {rest[:200]!r}")
        return [status]

    def _broken(self, wire, case, sentinel):
        """Reads until the node ends the connection, or says nothing more: then the request was not at its end, and is
        ended now."""
        data = bytearray()
        wire.socket.settimeout(0.7)
        is_shut = False
        while True:
            try:
                piece = wire.socket.recv(65_536)
            except ConnectionError:
                break
            except TimeoutError:
                if is_shut:
                    raise Finding(f"never ends; so far {bytes(data[:300])!r}") from None
                wire.socket.shutdown(socket.SHUT_WR)
                wire.socket.settimeout(30)
                is_shut = True
                continue
            if not piece:
                break
            data += piece
        # `/mirror` has begun to answer when its source, the request's body, breaks: that is cut (AC-10).
        answers = split_answers(bytes(data), is_shut or b" /mirror" in case.data[:40])
        seen = [int(match[1]) for _, body in answers for match in SENTINEL.finditer(body)]
        if seen not in ([], [sentinel]):
            raise Finding(f"the next request has {len(seen)} answers: {seen}")
        return [status for status, _ in answers][: len(answers) - len(seen)]


def read_answer(wire, method):
    """(status, headers, body) of the next final answer."""
    while True:
        try:
            head = wire.take_until(b"\r\n\r\n").decode("latin-1")
        except EOFError as error:
            raise Finding(f"no answer: {error}") from None
        line, *lines = head[:-4].split("\r\n")
        match = re.fullmatch(r"HTTP/1\.1 (\d{3}) [^\r\n]*", line)
        if not match:
            raise Finding(f"not an answer: {line!r}")
        status = int(match[1])
        if status >= 200:
            break
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    try:
        return status, headers, read_body(wire, method, status, headers)
    except EOFError as error:
        raise Finding(f"an answer that breaks off: {line}: {error}") from None


def read_body(wire, method, status, headers):
    if method == "HEAD" or status in (204, 304):
        return b""
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(wire.take_until(b"\r\n"), 16):
            body += wire.take(size)
            wire.take(2)
        wire.take(2)
        return body
    if "content-length" not in headers:
        raise Finding(f"an answer without an end: {headers}")
    return wire.take(int(headers["content-length"]))


class Bytes:
    """What was received, to be read as a connection is."""

    def __init__(self, data):
        self.data = data

    def take(self, count):
        if len(self.data) < count:
            raise EOFError(f"closed behind {self.data!r}")
        piece, self.data = self.data[:count], self.data[count:]
        return piece

    def take_until(self, end):
        place = self.data.find(end)
        if place < 0:
            raise EOFError(f"closed behind {self.data!r}")
        return self.take(place + len(end))


def split_answers(data, may_break_off):
    """The answers in what was received: each of them whole, but perhaps the last."""
    wire = Bytes(data)
    answers = []
    while wire.data:
        try:
            status, _, body = read_answer(wire, "GET")
        except Finding:
            if may_break_off:
                return answers
            raise
        answers.append((status, body))
    return answers


class SocketRun:
    """Sends actions over WebSockets, and counts the replies to each."""

    def __init__(self, node):
        self._node = node
        self._lock = threading.Lock()
        self.statuses = {}
        self.ended = 0

    def batch(self, seed, count, first):
        """One thread's share: as many actions, on as many connections as it takes."""
        mutations = Mutations(seed, SOCKET_PATHS)
        wire = None
        for number in range(first, first + count):
            text, identifier, is_owed = mutations.action(number)
            has_ack = mutations._random.random() < 0.5
            wire = wire or opened(self._node, first)
            try:
                wire.send_text(f"42{number if has_ack else ''}{text}")
                wire.send_text(f'42{10**9 + number}["echo",{number}]')
                self._await(wire, number, identifier, is_owed, has_ack)
                if not is_owed:
                    # A reply may still be under way: it is not to be taken for the next one's.
                    wire.close()
                    wire = None
            except (Finding, TimeoutError) as error:
                raise Finding(f"{error} (the packet 42{number if has_ack else ''}{text[:2000]})") from None
            except Ended as error:
                if is_owed:
                    raise Finding(f"{error} (the packet 42{number if has_ack else ''}{text[:2000]})") from None
                with self._lock:
                    self.ended += 1
                wire.close()
                wire = None
        if wire:
            wire.close()

    def _await(self, wire, number, identifier, is_owed, has_ack):
        """Until the echo is back, and the reply if one is owed; behind both, one more echo that nothing may precede."""
        is_echoed = False
        replies = []
        acks = []
        rounds = 0
        # Heartbeats would keep it waiting for ever.
        deadline = time.monotonic() + PATIENCE
        while True:
            kind, value = receive(wire)
            if time.monotonic() > deadline:
                raise Finding(f"{len(replies)} replies and {len(acks)} acknowledgements, and no more to come")
            if kind == "ack" and value[0] == 10**9 + number:
                is_echoed = True
            elif kind == "ack" and value[0] == number:
                acks.append(value[1][0] if value[1] else None)
            elif kind == "event" and value[0] == "reply":
                reply = value[1]
                if identifier is not None and reply.get("_id") != identifier:
                    raise Finding(f"a reply that nobody waits for: {reply}")
                if not isinstance(reply.get("status"), int):
                    raise Finding(f"a reply without a status: {reply}")
                replies.append(reply)
            elif kind == "event" and value[0] == "chunk":
                chunk = value[1]
                if isinstance(chunk.get("n"), int) and "data" in chunk:
                    wire.send_text(f'42["chunk",{json.dumps({"_id": chunk["_id"], "ack": chunk["n"]})}]')
            elif kind == "ack" and value[0] == 2 * 10**9 + number:
                rounds += 1
                if len(replies) > 1 or len(acks) > 1:
                    raise Finding(f"{len(replies)} replies and {len(acks)} acknowledgements")
                if is_owed and (len(replies) != 1 or (has_ack and len(acks) != 1)):
                    raise Finding(f"{len(replies)} replies and {len(acks)} acknowledgements")
                with self._lock:
                    for reply in replies:
                        self.statuses[reply["status"]] = self.statuses.get(reply["status"], 0) + 1
                return
            is_answered = not is_owed or (replies and (acks or not has_ack))
            if is_echoed and is_answered and rounds == 0:
                rounds = -1
                wire.send_text(f'42{2 * 10**9 + number}["echo",0]')


def opened(node, number):
    """A plain client of a user of its own, on `/`."""
    wire = Wire(node)
    wire.upgrade_request(websocket(SOCKET_IO)).upgraded()
    wire.receive()
    wire.send_text(f'40{{"user":"mutant-{number}","client":"raw"}}')
    text = wire.receive()
    if not text.startswith('40{"sid":'):
        raise Finding(f"not let in: {text}")
    return wire


class Ended(Exception):
    """The node has ended the connection."""


def receive(wire):
    """("event", [name, argument…]), ("ack", (id, [argument…])) or ("other", text). Binary attachments are put aside."""
    while True:
        try:
            opcode, payload = wire.receive_frame()
        except (EOFError, ConnectionError):
            raise Ended("ended without a close") from None
        if opcode == CLOSE:
            raise Ended(f"closed with {struct.unpack('>H', payload[:2])[0] if payload else None}")
        if opcode != TEXT:
            continue
        text = payload.decode()
        if text == "2":
            wire.send(frame(TEXT, b"3"))
            continue
        if text.startswith("41") or text == "1":
            raise Ended("disconnected")
        match = re.fullmatch(r"4(?:([23])|([56])\d+-)(\d*)(\[.*)", text, re.DOTALL)
        if not match:
            return "other", text
        kind = match[1] or {"5": "2", "6": "3"}[match[2]]
        arguments = json.loads(match[4])
        return ("event", arguments) if kind == "2" else ("ack", (int(match[3]), arguments))


def run_http(node, count, seed, workers=16):
    """Checks so many cases. Raises Finding with the case that did it."""
    mutations = Mutations(seed)
    run = HTTPRun(node)

    def check(case):
        try:
            run.check(case)
        except (Finding, TimeoutError) as error:
            raise Finding(f"{error}\n{case.kind}: {case.data[:4000]!r}") from None

    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(check, (mutations.http() for _ in range(count))):
            pass
    return run


def run_socket(node, count, seed, workers=8):
    run = SocketRun(node)
    share = -(-count // workers)
    with ThreadPoolExecutor(workers) as pool:
        jobs = [pool.submit(run.batch, seed + index, share, 1 + index * share) for index in range(workers)]
        for job in jobs:
            job.result()
    return run
