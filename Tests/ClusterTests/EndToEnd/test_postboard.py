"""Examples/Postboard on three nodes behind nginx with TLS and ip_hash, with MongoDB, in three browsers (issue 4)."""

import asyncio
import base64
import contextlib
import json
import os
import pathlib
import secrets
import signal
import subprocess
import urllib.error
import urllib.request

import aiohttp
import pytest
from bundle import bundle
from certificates import Certificate
from chromium import Chromium
from hostile_web import NAMES, TLSNginx
from processes import SLOT_MIB, executable, free_port, wait_for
from spread import Relay

HOME = "https://board.example/"
PASSWORD = "correct horse battery"

# Where a window's picture is left, for people to look at.
SCREENSHOTS = os.environ.get("SUBMERGENCE_SCREENSHOTS")


class BoardNode:
    """One process of the example, in production mode."""

    def __init__(self, folder, name, mongo, keys):
        self.name, self.port, self.control_port = name, free_port(), free_port()
        self._log = folder / f"{name}.log"
        arguments = [pathlib.Path(executable()).with_name("Postboard"), "--domain", "board.example", "--name", name]
        arguments += ["--port", str(self.port), "--control-port", str(self.control_port), "--mongodb", mongo.uri]
        arguments += ["--slot-size", str(SLOT_MIB), "--signing-keys", keys, "--client", bundle()]
        arguments += ["--journal", folder / "journal"]
        with open(self._log, "wb") as log:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait_until_ready(self):
        def is_ready():
            assert self.process.poll() is None, self._log.read_text(errors="replace")[-4000:]
            address = f"http://127.0.0.1:{self.control_port}/.well-known/submergence/ready"
            try:
                with urllib.request.urlopen(address, timeout=5) as response:
                    return response.status == 200
            except (urllib.error.HTTPError, OSError):
                return False

        wait_for(f"{self.name} to be ready", is_ready, 60)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()
                raise


class Cluster:
    """Three nodes, nginx in front, and three browsers that it sends to three nodes."""

    @classmethod
    @contextlib.asynccontextmanager
    async def up(cls, folder, mongo):
        cluster = cls()
        keys = folder / "keys"
        keys.write_text(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=") + "\n")
        keys.chmod(0o600)
        certificate = Certificate(folder, NAMES)
        async with contextlib.AsyncExitStack() as stack:
            cluster.nodes = {}
            for name in ("node-1", "node-2", "node-3"):
                cluster.nodes[name] = node = BoardNode(folder, name, mongo, keys)
                stack.callback(node.end)
            for node in cluster.nodes.values():
                node.wait_until_ready()
            ports = [node.port for node in cluster.nodes.values()]
            proxy = TLSNginx(folder, ports, certificate, [("server_name app.example", "server_name board.example")])
            stack.callback(proxy.end)
            cluster.browsers = {}
            for source in (f"127.0.{net}.1" for net in range(1, 200)):
                name = await node_of(proxy.port, source)
                if name in cluster.browsers:
                    continue
                relay = await stack.enter_async_context(Relay(proxy.port, source))
                options = [
                    f"--host-resolver-rules=MAP board.example:443 127.0.0.1:{relay.port}",
                    f"--ignore-certificate-errors-spki-list={certificate.fingerprint}",
                ]
                cluster.browsers[name] = await stack.enter_async_context(Chromium(options))
                if len(cluster.browsers) == len(cluster.nodes):
                    break
            yield cluster


async def node_of(port, source):
    """The node that nginx sends a client of that address to."""
    connector = aiohttp.TCPConnector(local_addr=(source, 0), ssl=False)
    async with aiohttp.ClientSession(connector=connector) as http:
        address, headers = f"https://127.0.0.1:{port}/me", {"host": "board.example"}
        async with http.get(address, headers=headers, server_hostname="board.example") as answer:
            return (await answer.json())["content"]["node"]


@pytest.fixture(scope="module")
def cluster(mongo, tmp_path_factory):
    """Calls a scenario with the cluster."""
    with asyncio.Runner() as runner:
        context = Cluster.up(tmp_path_factory.mktemp("postboard"), mongo)
        up = runner.run(context.__aenter__())
        try:
            yield lambda scenario: runner.run(scenario(up))
        finally:
            runner.run(context.__aexit__(None, None, None))


# ---- what a person does, and sees


async def enter(window, how, name, device, password=PASSWORD):
    fields = json.dumps({"name": name, "password": password, "device": device})
    await window.until("!document.querySelector('#door').hidden")
    await window.run(
        f"""(() => {{
            for (const [id, value] of Object.entries({fields})) document.getElementById(id).value = value;
            document.querySelector('#login').requestSubmit(document.querySelector('#login button[value={how}]'));
        }})()"""
    )


async def is_in(window):
    """Returns the name of the node. A password takes seconds where everything is built for debugging."""
    await window.until("document.querySelector('#state').dataset.state === 'live'", 120)
    await window.until("!document.querySelector('#board').hidden")
    return (await window.run("document.querySelector('#state-text').textContent")).removeprefix("live on ")


async def is_out(window):
    await window.until("!document.querySelector('#door').hidden && document.querySelector('#board').hidden", 60)


async def post(window, text):
    await window.type("#text", text)
    await window.run("document.querySelector('#write').requestSubmit()")


def shows(text):
    return f"[...document.querySelectorAll('#posts p')].filter(p => p.textContent === {json.dumps(text)}).length === 1"


def friend(name, state):
    selector = json.dumps(f"#friends [data-name='{name}'] small")
    return f"document.querySelector({selector})?.textContent === {json.dumps(state)}"


async def press(window, selector, text):
    """Presses the button of that text inside what the selector finds."""
    found = f"[...document.querySelectorAll({json.dumps(selector + ' button')})].find(b => b.textContent === '{text}')"
    await window.until(found + " !== undefined")
    await window.run(found + ".click()")


async def befriend(one, one_name, other, other_name):
    await one.type("#friend", other_name)
    await one.run("document.querySelector('#ask').requestSubmit()")
    await one.until(friend(other_name, "asked"))
    await press(other, f"#friends [data-name='{one_name}']", "Accept")
    await one.until(friend(other_name, "here"))
    await other.until(friend(one_name, "here"))


async def picture(window, name):
    if SCREENSHOTS:
        await window.screenshot(pathlib.Path(SCREENSHOTS) / f"{name}.png")


def refusals(window):
    """How often the page's log says that a request was refused; takes them out."""
    found = [text for text in window.problems if "status of 403" in text]
    window.problems[:] = [text for text in window.problems if "status of 403" not in text]
    return len(found)


def test_three_windows(cluster):
    """Register, log in, befriend, post: what happens in one window shows in all, each on a node of its own."""

    async def scenario(cluster):
        first, second, third = cluster.browsers.values()
        ann = await first.open(HOME)
        await is_out(ann)
        await picture(ann, "door")
        await enter(ann, "register", "ann", "laptop")
        assert await is_in(ann) in cluster.nodes
        tab = await first.open(HOME, beside=ann)
        bob = await second.open(HOME, width=400)
        await is_out(bob)
        await picture(bob, "door-400")
        await enter(bob, "register", "bob", "desk")
        phone = await third.open(HOME, width=400, dark=True)
        await enter(phone, "register", "ann", "phone")
        await phone.until("document.querySelector('#problem').textContent === 'That name is taken.'")
        assert phone.problems.pop().count("409") == 1
        await enter(phone, "login", "ann", "phone", "not the password")
        await phone.until("document.querySelector('#problem').textContent === 'That is not the password.'", 120)
        assert refusals(phone) == 1
        await enter(phone, "login", "ann", "phone")
        windows = [ann, tab, bob, phone]
        assert {await is_in(window) for window in windows} == set(cluster.nodes)
        for window in (ann, tab):
            await window.until("document.querySelectorAll('#devices li').length === 2")

        await post(ann, "before bob")
        for window in (ann, tab, phone):
            await window.until(shows("before bob"))
        await befriend(ann, "ann", bob, "bob")
        for window in (tab, phone):
            await window.until(friend("bob", "here"))
        await bob.until(shows("before bob"))

        await post(bob, "<b>hello</b>\nto all of you")
        for window in windows:
            await window.until(shows("<b>hello</b>\nto all of you"))
        await post(phone, "hello bob")
        for window in windows:
            await window.until(shows("hello bob"))
        await picture(ann, "board")
        await picture(phone, "board-400-dark")
        assert await bob.run("document.documentElement.scrollWidth") <= 400
        await press(phone, "#posts li.mine:first-child", "Withdraw")
        for window in windows:
            await window.until(f"!({shows('hello bob')})")
        # Another's post cannot be withdrawn, whatever the page shows.
        theirs = await ann.run("document.querySelector('#posts li:not(.mine)').dataset.id")
        assert await ann.run(f"ask('DELETE', '/posts/{theirs}').catch(error => error.message)") == "OWNER"
        assert refusals(ann) == 1

        await bob.close()
        for window in (ann, tab, phone):
            await window.until(friend("bob", "away"))
            assert window.problems == []

    cluster(scenario)


def test_a_kicked_device_and_logout_everywhere(cluster):
    """ID-12, ID-13: on whatever node a device is, its windows show the door, and its session is worth nothing."""

    async def scenario(cluster):
        first, second, third = cluster.browsers.values()
        laptop, phone, desk = await first.open(HOME), await second.open(HOME), await third.open(HOME)
        await enter(laptop, "register", "cara", "laptop")
        await is_in(laptop)
        await enter(phone, "login", "cara", "phone")
        await is_in(phone)
        await enter(desk, "login", "cara", "desk")
        await is_in(desk)
        tab = await third.open(HOME, beside=desk)
        await is_in(tab)
        cookies = (await phone.command("Network.getCookies", urls=[HOME]))["cookies"]
        assert {cookie["name"] for cookie in cookies} >= {"__Host-session", "__Host-domestic"}

        await press(laptop, "#devices [data-name=phone]", "Kick")
        await is_out(phone)
        for window in (laptop, desk, tab):
            await window.until("document.querySelectorAll('#devices li').length === 2")
            await is_in(window)
        # The cookie is still there, and no longer good.
        assert await phone.run("ask('GET', '/board').catch(error => error.message)") == "LOGIN"
        assert refusals(phone) == 1

        await post(desk, "still here")
        for window in (laptop, desk, tab):
            await window.until(shows("still here"))
        await laptop.click("#leave")
        for window in (laptop, desk, tab):
            await is_out(window)
        assert await desk.run("ask('GET', '/board').catch(error => error.message)") == "LOGIN"
        assert refusals(desk) == 1
        await enter(phone, "login", "cara", "phone")
        await is_in(phone)
        await phone.until(shows("still here"))
        for window in (laptop, phone, desk, tab):
            assert window.problems == []

    cluster(scenario)


def test_a_node_dies(cluster):
    """One node of three is killed: its windows come back on another one, still logged in, and miss nothing that is
    there."""

    async def scenario(cluster):
        (name, first), (_, second), _ = cluster.browsers.items()
        dora, finn = await first.open(HOME), await second.open(HOME)
        tab = None
        await enter(dora, "register", "dora", "laptop")
        assert await is_in(dora) == name
        tab = await first.open(HOME, beside=dora)
        await is_in(tab)
        await enter(finn, "register", "finn", "desk")
        await is_in(finn)
        await befriend(dora, "dora", finn, "finn")

        cluster.nodes[name].kill()
        await post(finn, "while you were away")
        for window in (dora, tab):
            await window.until(f"document.querySelector('#state-text').textContent !== 'live on {name}'", 60)
            assert await is_in(window) != name
            await window.until(shows("while you were away"), 60)
        await post(dora, "back again")
        for window in (dora, tab, finn):
            await window.until(shows("back again"))
        await finn.until(friend("dora", "here"))
        # What a browser says about a server that is gone, and nothing else.
        for window in (dora, tab):
            assert all(text.startswith(("Failed to load resource", "WebSocket connection")) for text in window.problems)
        assert finn.problems == []

    cluster(scenario)
