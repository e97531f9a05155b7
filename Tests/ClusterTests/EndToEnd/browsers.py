"""People in browsers in front of a cluster: contexts are users, tabs are pages on `submergence.js` (CLIENT.md §11)."""

import asyncio
import contextlib
import copy
import json
import os
import pathlib
import secrets
import signal
import subprocess
from urllib.parse import quote

import pytest
from bundle import bundle
from chromium import MEDIA, Chromium, ChromiumWindow
from firefox import Firefox, FirefoxWindow
from processes import PROJECT, Node, executable, free_port, wait_for

MODULE = PROJECT / "Client/submergence.js"
PAGES = pathlib.Path(__file__).parent / "pages"

CONFIGURATION = """
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log warn;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path tmp/body;
    proxy_temp_path tmp/proxy;
    fastcgi_temp_path tmp/fastcgi;
    uwsgi_temp_path tmp/uwsgi;
    scgi_temp_path tmp/scgi;
    types { text/html html; text/javascript js; }
    map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
%s
}
"""

UPSTREAM = "    upstream prefer_%d {\n%s\n    }\n"

POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:"

SERVER = """
    server {
        listen 127.0.0.1:%(port)d;
        location /page/ {
            alias %(pages)s/;
            add_header Content-Security-Policy "%(policy)s";
            add_header Cache-Control no-cache;
        }
        location = /page/socket.io.min.js { alias %(bundle)s; }
        location = /submergence.js {
            alias %(module)s;
            add_header Cache-Control no-cache;
        }
        location / {
            proxy_pass http://prefer_%(port)d;
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_buffering off;
            proxy_request_buffering off;
            proxy_connect_timeout 2s;
            proxy_next_upstream error timeout http_503;
            proxy_read_timeout 1h;
            proxy_send_timeout 1h;
        }
    }
"""


class PinningNginx:
    """nginx with one port for each node, which goes to that node while it is there, and else to another one.

    All browsers here have one address, so that `ip_hash` would send them to one node. Serves the pages of the tests,
    too, at `/page/`, under a strict policy, and the module as it is in the repository: it is tried without a build.
    """

    def __init__(self, folder, nodes):
        self.ports = [free_port() for _ in nodes]
        self.urls = [f"http://localhost:{port}" for port in self.ports]
        self._folder = pathlib.Path(folder) / f"nginx-{self.ports[0]}"
        (self._folder / "tmp").mkdir(parents=True)
        parts = []
        for index, port in enumerate(self.ports):
            roles = ["" if other == index else " backup" for other in range(len(nodes))]
            servers = [
                f"        server 127.0.0.1:{node.port} max_fails=1 fail_timeout=1s{role};"
                for node, role in zip(nodes, roles, strict=True)
            ]
            given = {"port": port, "pages": PAGES, "policy": POLICY, "module": MODULE, "bundle": bundle()}
            parts += [UPSTREAM % (port, "\n".join(servers)), SERVER % given]
        user = "user root root;" if os.geteuid() == 0 else ""
        (self._folder / "nginx.conf").write_text(user + CONFIGURATION % "".join(parts), encoding="utf8")
        self._process = subprocess.Popen(
            ["nginx", "-p", f"{self._folder}/", "-c", "nginx.conf"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"},
        )

        def is_listening():
            assert self._process.poll() is None, (self._folder / "error.log").read_text()
            return (self._folder / "nginx.pid").exists()

        wait_for("nginx to listen", is_listening)

    def end(self):
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()


class DuetNode(Node):
    """One process of Examples/Duet, the application of these tests."""

    def _program(self, command):
        return [str(pathlib.Path(executable()).with_name(command))]


class Cluster:
    """Two nodes of the example on two shards, behind an nginx that pins by port."""

    def __init__(self, folder, mongo=None, count=2, options=(), prefix="node"):
        """`prefix`: of the nodes' names, which are one cluster's only once (SPEC ND-5)."""
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            # One key for all: the proof of a page, and the key of a Link, are the same at every node.
            keys = pathlib.Path(folder) / "signing-keys"
            keys.write_text(secrets.token_urlsafe(32) + "\n", encoding="utf8")
            keys.chmod(0o600)
            self.nodes = []
            for index in range(count):
                node = DuetNode(folder, f"{prefix}-{index + 1}", "Duet", mongo, ["--signing-keys", keys, *options])
                self.nodes.append(node)
                stack.callback(node.stop)
            for node in self.nodes:
                node.wait_until_ready()
            self.nginx = PinningNginx(folder, self.nodes)
            stack.callback(self.nginx.end)
            self._stack = stack.pop_all()

    def url(self, node):
        """Where a browser reaches the node of that number; another one when it is gone."""
        return self.nginx.urls[node]

    def metric(self, name):
        """The sum over the nodes that run."""
        return sum(node.metric(name) for node in self.nodes if node.is_running)

    def end(self):
        self._stack.close()


# What carries the module's events (CLIENT.md §11, T-22): its own WebSocket, or the official client, by each transport.
CLIENTS = (None, "websocket", "polling")

IS_FIREFOX = os.environ.get("SUBMERGENCE_BROWSER") == "firefox"

# What needs the DevTools protocol, or of what Firefox does otherwise.
only_chromium = pytest.mark.skipif(IS_FIREFOX, reason="not in Firefox")


def browser_among(hosts, certificate):
    """The browser of these tests, for which names lead to ports of this machine: `hosts` by "name:port"."""
    return Firefox(hosts) if IS_FIREFOX else Chromium.among(hosts, certificate.fingerprint)


class Page:
    """What a page with the module can do. Its functions are in pages/page.js."""

    node = client = None

    async def ready(self):
        await self.until("window.isReady")
        return self

    async def live(self):
        await self.run("server.goLive()")
        return self

    async def connect(self, query, **options):
        """What `connect` of that peer came to: "open", or the code of its refusal."""
        return await self.run(f"connect({json.dumps(query)}, {json.dumps(options)})")

    async def cut_signalling(self):
        """As a connection that broke; the module comes back by itself."""
        # Polls have no socket to close.
        is_polling = self.client == "polling"
        await self.run("server._line.lost(), 0" if is_polling else "made.sockets.forEach(socket => socket.close())")


class Tab(Page, ChromiumWindow):
    """In Chromium."""


class FirefoxTab(Page, FirefoxWindow):
    """In Firefox."""


class Person:
    """A browser context, logged in."""

    def __init__(self, stage, name, device, context):
        self.stage, self.name, self.device, self.context = stage, name, device, context

    async def tab(self, node=0, live=True, watch=True, window=True, options=None, url=None):
        """Opens a page on that node's port, or at another URL; `window`: visible beside the person's others."""
        client = self.stage.client
        options = {**({"client": client} if client else {}), **(options or {})}
        url = (url or self.stage.cluster.url(node)) + "/page/" + (f"#{quote(json.dumps(options))}" if options else "")
        tab = await self.stage.browser.open(url, context=self.context, window=window, kind=self.stage.kind)
        tab.node, tab.client = node, client
        if watch:
            self.stage.tabs.append(tab)
        await tab.ready()
        if live:
            await tab.live()
        return tab


class Stage:
    """`async with Stage(cluster) as stage`: one browser. At the end no page may have complained of anything."""

    count = 0

    def __init__(self, cluster, options=(), throttled=False):
        self.cluster = cluster
        self.tabs = []
        self.kind = FirefoxTab if IS_FIREFOX else Tab
        self._browser = Firefox() if IS_FIREFOX else Chromium([*MEDIA, *options], throttled)
        self._cast(None)

    def _cast(self, client):
        # Two people whom no other test knows, as a Link outlives its last tab for a while.
        Stage.count += 1
        self.alice, self.bob = f"alice-{Stage.count}", f"bob-{Stage.count}"
        self.client = client

    def with_client(self, client):
        """The same browser with another two people, whose pages use that client, one of CLIENTS."""
        stage = copy.copy(self)
        stage._cast(client)
        return stage

    async def __aenter__(self):
        self.browser = await self._browser.__aenter__()
        return self

    async def __aexit__(self, kind, *rest):
        try:
            if kind is None:
                for tab in self.tabs:
                    assert tab.problems == [], tab.problems
        finally:
            await self._browser.__aexit__(kind, *rest)

    def forget(self, tab):
        """It is about to be closed: what it says from here on is not asked for."""
        self.tabs.remove(tab)

    async def pair(self):
        """A tab of Alice on the first node and one of Bob on the second, linked."""
        alice = await (await self.person(self.alice)).tab(node=0)
        bob = await (await self.person(self.bob)).tab(node=1)
        assert await alice.connect({"to": self.bob}) == "open"
        await bob.until("incoming.length === 1 && reached(incoming[0]) === 1")
        return alice, bob

    async def person(self, name, device="laptop", node=0):
        """A context of its own in which that user is logged in."""
        context = await self.browser.context()
        page = await self.browser.open(self.cluster.url(node) + "/page/", context=context, kind=self.kind)
        body = json.dumps(json.dumps({"user": name, "device": device}))
        request = f'{{method: "POST", headers: {{"content-type": "application/json"}}, body: {body}}}'
        login = f'fetch("/login", {request})'
        assert await page.run(f"{login}.then(answer => answer.status)") == 200
        await page.close()
        return Person(self, name, device, context)


def play(cluster, scenario, seconds=180, clients=(None,), **options):
    """Runs a scenario, which is given a stage, with each client: at once, as they mostly wait, in one browser."""

    async def act(stage):
        try:
            await scenario(stage)
        except Exception as error:
            error.add_note(f"with the client: {stage.client or 'own'}")
            raise

    async def run():
        async with Stage(cluster, **options) as stage, asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(act(stage.with_client(client)))

    asyncio.run(run())
