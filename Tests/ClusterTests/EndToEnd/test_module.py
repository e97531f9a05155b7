"""The module for browsers, as nodes serve it, in production as well (CLIENT.md)."""

import gzip
import http.client
import secrets

import pytest
from processes import PROJECT, Node


@pytest.fixture(scope="module", params=["serve", "production"])
def node(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("module")
    options = ()
    if request.param == "production":
        keys = folder / "keys"
        keys.write_text(secrets.token_urlsafe(32) + "\n", encoding="utf8")
        keys.chmod(0o600)
        options = ["--domain", "app.example", "--signing-keys", keys]
    started = (Node if request.param == "serve" else ProductionNode)(folder, "node-1", "serve", options=options)
    started.host = "localhost" if request.param == "serve" else "app.example"
    started.wait_until_ready()
    yield started
    started.stop()


class ProductionNode(Node):
    def _program(self, command):
        return [part for part in super()._program(command) if part not in ("--dev", "--address", self.url)]


def ask(node, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=10)
    connection.request(method, path, headers={"Host": node.host, **headers})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


@pytest.mark.parametrize("name, kind", [("submergence.js", "text/javascript"), ("submergence.d.ts", "text/plain")])
def test_module_is_served(node, name, kind):
    source = (PROJECT / "Client" / name).read_bytes()
    answer, body = ask(node, f"/{name}")
    assert answer.status == 200 and body == source
    assert answer.headers["Content-Type"] == f"{kind}; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-cache"
    tag = answer.headers["ETag"]
    assert tag.startswith('"')

    head, nothing = ask(node, f"/{name}", "HEAD")
    assert head.status == 200 and nothing == b"" and int(head.headers["Content-Length"]) == len(source)
    assert head.headers["ETag"] == tag

    for condition in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        unchanged, nothing = ask(node, f"/{name}", **{"If-None-Match": condition})
        assert unchanged.status == 304 and nothing == b"" and unchanged.headers["ETag"] == tag
    changed, body = ask(node, f"/{name}", **{"If-None-Match": '"other"'})
    assert changed.status == 200 and body == source

    packed, body = ask(node, f"/{name}", **{"Accept-Encoding": "gzip, deflate, br"})
    assert packed.headers["Content-Encoding"] == "gzip" and packed.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(body) == source and int(packed.headers["Content-Length"]) == len(body) < 27_000
    assert packed.headers["ETag"] != tag and answer.headers["Vary"] == "Accept-Encoding"
    unchanged, nothing = ask(node, f"/{name}", **{"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]})
    assert unchanged.status == 304 and nothing == b""

    refused, _ = ask(node, f"/{name}", "POST")
    assert refused.status == 405 and refused.headers["Allow"] == "GET, HEAD"
