"""A cluster in production mode from outside: through its proxy with TLS, and by the control API of each node.

By itself it starts one: three nodes with the very options of compose/docker-compose.yml, the secrets of
compose/secrets.sh and compose/nginx.conf, on a sharded cluster. With DEPLOYMENT_PROXY in the environment it takes the
one that runs there: that is the profile `test` of the compose project.
"""

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import socket
import ssl
import subprocess

import aiohttp
import aiohttp.abc
import pytest
import socketio
from people import leave
from processes import PROJECT, Node, executable, free_port, wait_for

EVENTS = 30


@dataclasses.dataclass
class Deployment:
    proxy: tuple[str, int]
    controls: list[str]
    domain: str
    key: str
    authority: str

    @property
    def url(self):
        return f"https://{self.domain}:{self.proxy[1]}"


@pytest.fixture
def deployment(tmp_path):
    address = os.environ.get("DEPLOYMENT_PROXY")
    if address:
        host, port = address.rsplit(":", 1)
        yield Deployment(
            proxy=(host, int(port)),
            controls=os.environ["DEPLOYMENT_NODES"].split(),
            domain=os.environ["DEPLOYMENT_DOMAIN"],
            key=pathlib.Path(os.environ["DEPLOYMENT_KEY_FILE"]).read_text(encoding="ascii").strip(),
            authority=os.environ["DEPLOYMENT_AUTHORITY"],
        )
    else:
        with contextlib.ExitStack() as stack:
            yield start(tmp_path, stack)


class ComposedNode(Node):
    """A node as in a container, but for where its files and ports are."""

    def _program(self, command):
        return [executable(), command]


def start(folder, stack):
    from composed import SECRETS, flags  # docker-compose is here, and not in the container of the test
    from processes import SLOT_MIB, Mongo

    secrets = folder / "secrets"
    port = free_port()
    configuration = {**os.environ, "CONFIGURATION": str(PROJECT / "compose/coturn.conf")}
    subprocess.run([PROJECT / "compose/secrets.sh", secrets], check=True, env=configuration, stdin=subprocess.DEVNULL)
    key = make_key(secrets)
    mongo = Mongo(shards=2)
    stack.callback(mongo.down)
    (secrets / "node/mongodb").write_text(mongo.uri + "\n", encoding="ascii")
    replaced = {"--host", "--port", "--control-host", "--control-port", "--name"}
    nodes = []
    for number in (1, 2, 3):
        options = ["--trusted-proxy=127.0.0.0/8", f"--slot-size={SLOT_MIB}"]  # where the proxy is here
        for name, value in flags(f"node{number}", port):
            if name not in replaced and name != "--trusted-proxy":
                options.append(f"{name}={value.replace(SECRETS, f'{secrets}/node/')}")
        node = ComposedNode(folder, f"node{number}", "serve", options=options)
        stack.callback(node.kill)
        nodes.append(node)
    for node in nodes:
        node.wait_until_ready()
    stack.callback(proxy(folder, port, nodes, secrets).terminate)
    wait_for("nginx to listen", lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
    controls = [f"http://127.0.0.1:{node.control_port}" for node in nodes]
    return Deployment(("127.0.0.1", port), controls, "localhost", key, str(secrets / "tls/certificate.pem"))


def make_key(secrets):
    """As the service `keys` does."""
    scopes = [part for scope in ("send", "presence", "kick", "sessions", "status") for part in ("--scope", scope)]
    command = [executable(), "keys", "create", "operator", "--file", secrets / "node/control-keys", *scopes]
    done = subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return done.stdout.strip()


def proxy(folder, port, nodes, secrets):
    text = (PROJECT / "compose/nginx.conf").read_text(encoding="utf8")
    # The worker must be able to write below the folder of the test.
    head = "daemon off;\n" + (f"user {user()};\n" if os.geteuid() == 0 else "")
    paths = "".join(
        f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    replacements = [
        ("worker_processes auto;", head + "worker_processes 1;"),
        ("worker_connections 16384", "worker_connections 1024"),
        ("/tmp/nginx.pid", f"{folder}/nginx.pid"),
        ("http {\n", "http {\n" + paths),
        ("listen 8443", f"listen 127.0.0.1:{port}"),
        ("/secrets/", f"{secrets}/tls/"),
    ]
    replacements += [(f"node{number}:8080", f"127.0.0.1:{node.port}") for number, node in enumerate(nodes, 1)]
    for old, new in replacements:
        assert old in text, f"compose/nginx.conf no longer has: {old}"
        text = text.replace(old, new)
    (folder / "nginx.conf").write_text(text, encoding="utf8")
    environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
    command = ["nginx", "-p", f"{folder}/", "-c", "nginx.conf", "-e", "stderr"]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment)


def user():
    import grp
    import pwd

    return f"{pwd.getpwuid(os.getuid()).pw_name} {grp.getgrgid(os.getgid()).gr_name}"


class Resolver(aiohttp.abc.AbstractResolver):
    """Takes every name to the proxy: its certificate and its rules are about the domain."""

    def __init__(self, host):
        self._host = host

    async def resolve(self, host, port=0, family=socket.AF_INET):
        found = await asyncio.get_running_loop().getaddrinfo(self._host, port, type=socket.SOCK_STREAM)
        return [
            {"hostname": host, "host": info[4][0], "port": port, "family": info[0], "proto": info[2], "flags": 0}
            for info in found
        ]

    async def close(self):
        pass


class Page:
    """One connection of somebody, through the proxy."""

    def __init__(self, deployment, token, transport):
        self._deployment, self._token, self._transport = deployment, token, transport
        self.messages = []
        self._arrival = asyncio.Event()
        self.gone = asyncio.Event()

    async def __aenter__(self):
        trust = ssl.create_default_context(cafile=self._deployment.authority)
        connector = aiohttp.TCPConnector(resolver=Resolver(self._deployment.proxy[0]), ssl=trust)
        self._http = aiohttp.ClientSession(connector=connector)
        self._client = socketio.AsyncClient(reconnection=False, http_session=self._http)
        self._client.on("msg", self._on_message)
        self._client.on("disconnect", lambda reason: self.gone.set())
        auth = {"token": self._token}
        await self._client.connect(self._deployment.url, auth=auth, transports=[self._transport], wait_timeout=30)
        return self

    async def __aexit__(self, *_):
        await leave(self._client)
        await self._http.close()

    async def _on_message(self, *message):
        self.messages.append(message)
        self._arrival.set()

    async def until(self, count):
        while len(self.messages) < count:
            self._arrival.clear()
            await asyncio.wait_for(self._arrival.wait(), 60)


def test_a_cluster_in_production(deployment):
    asyncio.run(scenario(deployment))


async def scenario(deployment):
    headers = {"authorization": f"Bearer {deployment.key}"}
    async with aiohttp.ClientSession(headers=headers) as backend:

        async def ask(node, path, **body):
            address = f"{deployment.controls[node]}/v1/{path}"
            call = backend.post(address, json=body) if body else backend.get(address)
            async with call as answer:
                assert answer.status == 200, (path, await answer.text())
                return await answer.json()

        async def connections(node, who):
            answer = await ask(node, "active", users=[who])
            return sum(device["connections"] for device in answer["users"][0]["devices"])

        for node in range(3):
            await ask(node, "status")
        alice = (await ask(0, "sessions", user="alice", client="phone"))["token"]
        bob = (await ask(1, "sessions", user="bob", client="laptop"))["token"]
        async with (
            Page(deployment, alice, "websocket") as first,
            Page(deployment, alice, "polling") as second,
            Page(deployment, bob, "websocket") as other,
        ):
            assert [await connections(node, "alice") for node in range(3)] == [2, 2, 2]
            # Each node sends to people that it mostly does not have; what one node sends keeps its order.
            for number in range(EVENTS):
                for node in range(3):
                    answer = await ask(node, "event", user="alice", event=["msg", node, number])
                    assert answer["receipts"][0]["receipt"]["didReceive"]
            for page in (first, second):
                await page.until(3 * EVENTS)
                for node in range(3):
                    assert [number for sender, number in page.messages if sender == node] == list(range(EVENTS))
            await ask(2, "kick", user="alice")
            for page in (first, second):
                await asyncio.wait_for(page.gone.wait(), 30)
            # The pages have gone; their nodes take them off their routes a moment later.
            async with asyncio.timeout(30):
                while any([await connections(node, "alice") for node in range(3)]):
                    await asyncio.sleep(0.05)
            assert [await connections(node, "bob") for node in range(3)] == [1, 1, 1]
            assert other.messages == []
