"""Actions over HTTP by the byte: bodies, streams, pages, errors (SPEC AC-2, AC-5, AC-7 to AC-10, AC-12, AC-13, TR-5).
What the actions do is in Sources/Node/Station/ConformanceActions.swift."""

import json
import re

import pytest
from memory import Sampler, resident
from processes import Nginx, wait_for
from raw import Wire, conformance_server

MiB = 1 << 20
FORM = "Content-Type: multipart/form-data; boundary=x"


@pytest.fixture(scope="module", params=[1, 4], ids=["one-loop", "four-loops"])
def node(request, tmp_path_factory):
    with conformance_server(tmp_path_factory.mktemp("actions"), request.param) as node:
        yield node


@pytest.fixture(scope="module")
def proxy(node, tmp_path_factory):
    proxy = Nginx(tmp_path_factory.mktemp("proxy"), [node], body_size="0")
    yield proxy
    proxy.end()


def content(response):
    return json.loads(response.text)["content"]


def part(disposition, body, more=""):
    return f"--x\r\nContent-Disposition: form-data; {disposition}\r\n{more}\r\n{body}\r\n"


def is_last(response):
    return response.headers.get("connection") == "close"


# Bodies


def test_multipart(node):
    """AC-5: fields and files, in one piece and byte by byte."""
    body = part("name=a", "1") + part('name=f; filename="é.txt"', "hello", "Content-Type: text/plain\r\n")
    body = (body + part("name=a", "2") + "--x--\r\n").encode()
    with Wire(node) as wire:
        for pieces in ([body], [body[n : n + 1] for n in range(len(body))]):
            wire.send(f"POST /body HTTP/1.1\r\nHost: localhost\r\n{FORM}\r\nContent-Length: {len(body)}\r\n\r\n")
            for piece in pieces:
                wire.send(piece)
            answer = wire.response()
            assert answer.status == 200, answer
            assert content(answer)["value"] == {"a": "2"}
            assert content(answer)["files"] == [{"name": "f", "filename": "é.txt", "type": "text/plain", "bytes": 5}]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("--x--", 200),
        ("--x", 400),
        (part("nam=a", "1") + "--x--", 400),
        (part("name=a", "1") + "--x", 400),
        (part("name=a", "y" * 41_000) + "--x--", 413),
        (part("name=a; filename=b", "y" * 64_000) + "--x--", 200),
        (part("name=a; filename=b", "y" * 64_001) + "--x--", 413),
        (part("name=a", "", "X: " + "y" * 8_200 + "\r\n") + "--x--", 413),
        ("".join(part(f"name={n}", "") for n in range(257)) + "--x--", 413),
        ("".join(part("name=f; filename=a", "") for n in range(33)) + "--x--", 413),
        (part("name=" + "n" * 257, "") + "--x--", 413),
        (part("name=a", "MQ==", "Content-Transfer-Encoding: base64\r\n") + "--x--", 415),
    ],
)
def test_multipart_limits(node, body, status):
    """AC-5, AC-12: each limit, and the connection goes on behind it."""
    with Wire(node) as wire:
        assert wire.post("/body", body, [FORM]).status == status
        assert wire.get("/agent").status == 200


def test_body_types(node):
    """AC-5, AC-12: 415 for what nobody asked for, 413 beyond the limit or for any body, 400 for what is broken."""
    with Wire(node) as wire:
        assert content(wire.post("/body", '{"a":1}', ["Content-Type: application/json"]))["value"] == {"a": 1}
        assert wire.post("/body", "{", ["Content-Type: application/json"]).status == 400
        assert wire.post("/body", "x", ["Content-Type: image/png"]).status == 415
        assert wire.post("/body", "x", ["Content-Type: text/plain", "Content-Encoding: gzip"]).status == 415
        assert wire.post("/body", "--x--", ["Content-Type: multipart/form-data"]).status == 400
        assert wire.post("/body/none", "x", ["Content-Type: text/plain"]).status == 413
        assert wire.post("/body/none", "").status == 200
        assert wire.post("/body/small", "x" * 100, ["Content-Type: text/plain"]).status == 200
        assert wire.post("/body/small", "x" * 101, ["Content-Type: text/plain"]).status == 413
        assert wire.get("/agent").status == 200


def test_binary_stream(node):
    """AC-5: with binaryStreams what is no JSON, form or text is a stream, up to maxBodyLength."""
    with Wire(node) as wire:
        answer = wire.request("PUT", "/body/binary", b"\0" * 40_960, ["Content-Type: image/png"]).response()
        assert content(answer) == {"bytes": 40_960, "type": "image/png"}
        answer = wire.request("PUT", "/body/binary", "a", ["Content-Type: text/plain"]).response()
        assert content(answer)["kind"] == "text"
        assert wire.request("PUT", "/body/binary", b"\0" * 40_961, ["Content-Type: image/png"]).response().status == 413
        assert wire.get("/agent").status == 200
    # Without a length the limit is met by the handler, while it reads.
    with Wire(node) as wire:
        chunked(wire, "PUT", "/body/binary", [b"y" * 40_000, b"y" * 961], ["Content-Type: image/png"])
        answer = wire.response()
        assert answer.status == 413 and is_last(answer)
        assert wire.is_closed()


def chunked(wire, method, target, pieces, headers=(), end=True):
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Transfer-Encoding: chunked", *headers, "", ""]
    wire.send("\r\n".join(lines))
    for piece in pieces:
        wire.send_unless_closed(b"%x\r\n%s\r\n" % (len(piece), piece))
    if end:
        wire.send_unless_closed("0\r\n\r\n")
    return wire


def test_never_buffer(node):
    """AC-5: every body is a stream; the parts of a form can be read one by one."""
    with Wire(node) as wire:
        answer = wire.request("PUT", "/sink", '{"a":1}', ["Content-Type: application/json; x=y"]).response()
        assert content(answer) == {"bytes": 7, "type": "application/json; x=y"}
        answer = chunked(wire, "PUT", "/sink", [b"a" * 100_000] * 5).response()
        assert content(answer)["bytes"] == 500_000
        body = part("name=a", "1") + part("name=f; filename=b", "y" * 300_000) + "--x--"
        answer = wire.request("PUT", "/sink/parts", body, [FORM]).response()
        assert content(answer) == {"parts": ["a", "b"], "bytes": [1, 300_000]}


def test_unread_stream(node):
    """AC-5: what nobody reads is not drained; the answer is the connection's last."""
    with Wire(node) as wire:
        wire.send(f"PUT /sink/unread HTTP/1.1\r\nHost: localhost\r\nContent-Length: {1 << 40}\r\n\r\n")
        answer = wire.response()
        assert answer.status == 413 and is_last(answer)
        assert wire.is_closed()
    for length in (3, 1 << 30):
        with Wire(node) as wire:
            wire.send(f"PUT /sink/unread HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\nabc")
            answer = wire.response()
            assert answer.status == 200 and is_last(answer) and content(answer) == {"read": False}
            assert wire.is_closed()


def test_expect(node):
    """AC-5, RFC 9110 §10.1.1: who waits to be asked is asked when the body is wanted, or refused without it."""
    head = "Host: localhost\r\nExpect: 100-continue\r\nContent-Type: text/plain\r\n"
    with Wire(node) as wire:
        for target, key in (("/body", "value"), ("/sink", "bytes")):
            method = "POST" if target == "/body" else "PUT"
            wire.send(f"{method} {target} HTTP/1.1\r\n{head}Content-Length: 5\r\n\r\n")
            assert wire.take_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 Continue\r\n")
            wire.send("hello")
            assert content(wire.response())[key] in ("hello", 5)
    for target, length, status in (("/body", 50_000, 413), ("/nowhere", 5, 404), ("/body/none", 5, 413)):
        with Wire(node) as wire:
            wire.send(f"POST {target} HTTP/1.1\r\n{head}Content-Length: {length}\r\n\r\n")
            answer = wire.response()
            assert answer.status == status and is_last(answer)
            assert wire.is_closed()


@pytest.mark.parametrize("target", ["/body", "/sink"])
def test_broken_body(node, target):
    """AC-12: a body that breaks off is no body; one whose chunks are none is 400, and ends the connection."""
    method = "POST" if target == "/body" else "PUT"
    with Wire(node) as wire:
        wire.send(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n")
        wire.send("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
        answer = wire.response()
        assert answer.status == 400 and is_last(answer)
        assert wire.is_closed()
    with Wire(node) as wire:
        wire.send(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n")
        wire.send("Content-Length: 10\r\n\r\nabc")
    assert "ended" not in node.log()[-200:] and node.is_running


# Streams


def test_streamed_answers(node):
    """AC-7, AC-10: Content-Length where it is known, else chunks; the connection goes on."""
    with Wire(node) as wire:
        answer = wire.get("/source?bytes=200000&length=200000&type=text/plain")
        assert answer.headers["content-length"] == "200000" and answer.headers["content-type"] == "text/plain"
        assert answer.body == b"x" * 200_000
        answer = wire.get("/source?bytes=200000")
        assert answer.headers["transfer-encoding"] == "chunked" and "content-length" not in answer.headers
        assert answer.headers["content-type"] == "application/octet-stream" and answer.body == b"x" * 200_000
        assert wire.get("/source?bytes=0").body == b""
        assert wire.get("/source?bytes=0&length=0").body == b""
        assert content(wire.get("/source/open")) == {"open": 0}


def test_head_of_a_stream(node):
    """AC-2, AC-10: HEAD has the head of GET, no body, and ends the source."""
    with Wire(node) as wire:
        for query, length in (("length=5", "5"), ("", None)):
            wire.request("HEAD", f"/source?ending=hang&{query}")
            head = wire.take_until(b"\r\n\r\n").decode().lower()
            assert head.startswith("http/1.1 200") and "application/octet-stream" in head
            assert ("content-length: 5\r\n" in head) == (length is not None)
            assert ("transfer-encoding: chunked\r\n" in head) == (length is None)
        # What has no length cannot be followed by anything.
        assert wire.is_closed()
        assert open_streams(node) == 0


def open_streams(node):
    with Wire(node) as wire:
        return content(wire.get("/source/open"))["open"]


@pytest.mark.parametrize(
    "query", ["bytes=100000&ending=fail", "bytes=100000&ending=fail&length=200000", "bytes=100000&length=100001"]
)
def test_cut_stream(node, query):
    """AC-7: a source that fails after the head, or is too short, cuts the connection: nobody takes that for an end."""
    failed = node.metric("submergence_action_streams_failed_total")
    with Wire(node) as wire:
        wire.request("GET", f"/source?{query}")
        data = wire.drain()
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert not body.endswith(b"\r\n0\r\n\r\n")
    if b"ontent-" in head and b"length" in head.lower() and b"transfer-encoding" not in head.lower():
        assert len(body) < int(re.search(rb"content-length: (\d+)", head.lower())[1])
    wait_for("the failure", lambda: node.metric("submergence_action_streams_failed_total") == failed + 1)
    assert re.search(r"answer stream failed.* id=\S+|id=\S+.* answer stream failed", node.log())


def test_long_stream(node):
    """AC-7: a source that goes on behind its length is cut, too."""
    failed = node.metric("submergence_action_streams_failed_total")
    with Wire(node) as wire:
        wire.request("GET", "/source?bytes=100000&length=70000")
        body = wire.drain().partition(b"\r\n\r\n")[2]
    assert len(body) < 70_000
    assert node.metric("submergence_action_streams_failed_total") == failed + 1


@pytest.mark.parametrize("query", ["bytes=10&ending=hang", "bytes=10&ending=hang&length=20", "bytes=1000000000"])
@pytest.mark.parametrize("way", ["close", "reset"])
def test_disconnect_ends_the_source(node, query, way):
    """AC-10: a client that goes away ends the source, whether it waits or is held up."""
    with Wire(node) as wire:
        wire.request("GET", f"/source?{query}")
        wire.take_until(b"xxxxxxxxxx")
        assert open_streams(node) >= 1
        (wire.close if way == "close" else wire.reset)()
    wait_for("the source to end", lambda: open_streams(node) == 0)


def test_mirror(node):
    """AC-5, AC-10: a body that is streamed in is streamed out as it comes."""
    with Wire(node) as wire:
        wire.send("PUT /mirror HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\nContent-Type: a/b\r\n\r\n")
        head = wire.take_until(b"\r\n\r\n").lower()
        assert b"content-length: 8\r\n" in head and b"content-type: a/b\r\n" in head
        # How the body ends is not known yet, so that the connection ends with the answer.
        assert b"connection: close\r\n" in head
        for piece in (b"ab", b"cd", b"ef", b"gh"):
            wire.send(piece)
            assert wire.take(2) == piece
        assert wire.is_closed()


# Memory


def upload(target, size, piece=bytes(65_536)):
    with Wire(target) as wire:
        wire.send(f"PUT /sink HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n")
        for _ in range(size // len(piece)):
            wire.send(piece)
        assert content(wire.response())["bytes"] == size


def download(target, size):
    with Wire(target) as wire:
        wire.request("GET", f"/source?bytes={size}&length={size}")
        wire.take_until(b"\r\n\r\n")
        left = size
        while left:
            left -= len(wire.take(min(left, 65_536)))


@pytest.mark.parametrize("through", ["directly", "through nginx"])
@pytest.mark.parametrize("way", [upload, download])
def test_memory_stays_flat(node, proxy, way, through):
    """AC-5, AC-10: 64 MiB up and down; what the node keeps of it is bounded by its buffers, not by the size.
    scripts/streams.sh does it with a gigabyte."""
    target = node if through == "directly" else proxy
    way(target, 4 * MiB)
    base = resident(node.process.pid)
    with Sampler(node.process.pid) as sampler:
        way(target, 64 * MiB)
    assert sampler.peak - base < 32 * MiB, f"{base >> 20} MiB, then {sampler.peak >> 20}"


def test_a_body_is_read_no_faster_than_the_handler(node):
    """AC-5: a mirror whose client does not read its answer takes no more of the body than buffers hold."""
    with Wire(node, receive_buffer=4096) as wire:
        wire.send(f"PUT /mirror HTTP/1.1\r\nHost: localhost\r\nContent-Length: {256 * MiB}\r\n\r\n")
        wire.socket.settimeout(2)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 256 * MiB:
                wire.socket.sendall(bytes(65_536))
                sent += 65_536
        # What the kernels of both sides keep, and the node's own buffers.
        assert sent < 64 * MiB


# Pages


BROWSER = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def test_pages(node):
    """AC-8, AC-9: a template for who prefers HTML, with a nonce of its own; JSON for everybody else."""
    with Wire(node) as wire:
        page = wire.get("/page?text=%3Cb%3E%3C/script%3E", [BROWSER])
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "<title>conformance</title><b>guest</b><p>&lt;b&gt;&lt;/script&gt;</p>" in page.text
        nonce = re.search(r"script-src 'self' 'nonce-([\w-]{22})'", page.headers["content-security-policy"])[1]
        script = '<script type="application/json" id="submergence-events" nonce="%s">%s</script>'
        assert script % (nonce, r'[["note","\u003Cb\u003E\u003C/script\u003E"]]') in page.text
        assert page.headers["vary"] == "Accept, Cookie" and page.headers["x-frame-options"] == "DENY"
        other = wire.get("/page", [BROWSER])
        assert nonce not in other.headers["content-security-policy"]
        assert wire.get("/page?status=404&text=x", [BROWSER]).text.startswith("<!DOCTYPE html><p>nothing at x</p>")
        for accept in ([], ["Accept: */*"], ["Accept: text/html;q=0.5, application/json"], ["Accept: image/png"]):
            answer = wire.get("/page?text=y", accept)
            assert answer.headers["content-type"] == "application/json"
            assert json.loads(answer.text) == {"content": {"text": "y"}, "events": [["note", "y"]]}
        assert wire.get("/page/html", [BROWSER]).text == "<!DOCTYPE html><p>by hand</p>"
        # No template is registered for what no action answers.
        assert wire.get("/nowhere", [BROWSER]).headers["content-type"] == "application/json"


# Errors


def test_statuses(node):
    """AC-12: the errors of one connection that goes on."""
    with Wire(node) as wire:
        for method, target, status, error in [
            ("GET", "/agent?a=%zz", 400, "MALFORMED"),
            ("GET", "/body/%ff", 400, "MALFORMED"),
            ("POST", "/body/domestic", 403, "LOGIN"),
            ("GET", "/nowhere", 404, "NOT_FOUND"),
            ("PUT", "/agent", 405, "METHOD"),
            ("get", "/agent", 400, None),
            ("GET", "/throws", 500, "INTERNAL"),
            ("GET", "/never", 504, "TIMEOUT"),
        ]:
            if error is None:
                continue
            answer = wire.request(method, target).response()
            assert (answer.status, content(answer)["error"]) == (status, error), target
            if status == 405:
                assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
            if status == 500:
                assert content(answer)["id"] in node.log()
        for host, status in (("evil.example", 421), ("a b", 400)):
            assert wire.request("GET", "/agent", host=host).response().status == status
        assert wire.get("/agent").status == 200


def test_hosts(node):
    """TR-1, AC-12: no Host, and two of them, are 400."""
    for head in ("GET /agent HTTP/1.1\r\n\r\n", "GET /agent HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"):
        with Wire(node) as wire:
            assert wire.send(head).response().status == 400


@pytest.mark.parametrize("used", [False, True], ids=["fresh", "used"])
@pytest.mark.parametrize("fields", [["X: " + "y" * 17_000], [f"X-{n}: y" for n in range(101)]], ids=["bytes", "count"])
def test_head_too_large(node, used, fields):
    """AC-12: 431, on whatever connection."""
    with Wire(node) as wire:
        if used:
            assert wire.get("/agent").status == 200
        wire.request("GET", "/agent", headers=fields)
        assert wire.response().status == 431
        assert wire.is_closed()


def test_preflight(node):
    """TR-5: 204 before routing."""
    with Wire(node) as wire:
        answer = wire.request(
            "OPTIONS", "/nowhere", headers=["Origin: https://a.example", "Access-Control-Request-Method: PUT"]
        ).response()
        assert answer.status == 204 and "access-control-allow-origin" not in answer.headers
        assert "Origin" in answer.headers["vary"]
        assert wire.get("/agent").status == 200


def test_path_without_secrets(node):
    """AC-13: one line for an action, without its query."""
    with Wire(node) as wire:
        assert wire.get("/agent?token=top-secret-1&_domestic=top-secret-2").status == 200
        assert wire.get("/agent").status == 200
    assert "top-secret" not in node.log()


# One answer for each request


def test_pipelined(node):
    """AC-12: every request of a pipelined connection has one answer, in order, whatever it is."""
    requests = [
        ("GET /agent", "", 200),
        ("GET /nowhere", "", 404),
        ("POST /body", "{}", 415),
        ("GET /source?bytes=70000", "", 200),
        ("PUT /agent", "", 405),
        ("GET /throws", "", 500),
        ("GET /never", "", 504),
        ("POST /body/small", "y" * 200, 413),
        ("GET /engine.io/?EIO=4&transport=polling&sid=none", "", 400),
        ("GET /source?bytes=5&length=5", "", 200),
        ("PUT /sink", "abc", 200),
        ("GET /page", "", 200),
    ] * 3
    text = "".join(
        f"{line} HTTP/1.1\r\nHost: localhost\r\n" + (f"Content-Length: {len(body)}\r\n" if body else "") + f"\r\n{body}"
        for line, body, _ in requests
    )
    with Wire(node) as wire:
        wire.send(text + "GET /last HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert [wire.response().status for _ in requests] == [status for _, _, status in requests]
        assert wire.response().status == 404


@pytest.mark.parametrize("broken", ["\0\r\n\r\n", "GET / HTTP/9\r\n\r\n", "GET /\x01 HTTP/1.1\r\n\r\n", ": x\r\n\r\n"])
def test_broken_head_behind_requests(node, broken):
    """AC-12: what cannot be parsed is 400 and ends the connection, behind the answers to all requests before it."""
    with Wire(node) as wire:
        request = "GET /agent HTTP/1.1\r\nHost: localhost\r\n\r\n"
        wire.send(request * 5 + broken)
        assert [wire.response().status for _ in range(5)] == [200] * 5
        answer = wire.response()
        assert answer.status == 400 and is_last(answer)
        assert wire.is_closed()
