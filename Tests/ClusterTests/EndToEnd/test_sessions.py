"""Sessions over HTTP and sockets, on several nodes (SPEC ID-1, ID-3, ID-5, ID-10, ID-12, ID-13, ID-14)."""

import asyncio
import base64
import os
import secrets

import aiohttp
import pytest
import socketio
from people import PATIENT, Tab


@pytest.fixture
def keys(tmp_path):
    """One signing key file for all nodes (SPEC OP-1)."""
    path = tmp_path / "signing-keys"
    path.write_text(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=") + "\n")
    os.chmod(path, 0o600)
    return ["--signing-keys", str(path), *PATIENT]


class Browser:
    """What a browser keeps: the cookies of one device."""

    def __init__(self):
        self.cookies = {}

    async def post(self, node, path, body=None):
        return await self._request("POST", node, path, json=body)

    async def get(self, node, path):
        return await self._request("GET", node, path)

    async def _request(self, method, node, path, **options):
        headers = {"cookie": self.header} if self.cookies else {}
        if "domestic" in self.cookies:
            headers["x-domestic"] = self.cookies["domestic"]
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            async with http.request(method, node.url + path, headers=headers, **options) as answer:
                for line in answer.headers.getall("set-cookie", []):
                    name, _, value = line.split(";")[0].partition("=")
                    self.cookies[name] = value
                    if "Max-Age=0" in line:
                        del self.cookies[name]
                return answer.status, (await answer.json())["content"]

    @property
    def header(self):
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    async def log_in(self, node, user, client):
        status, content = await self.post(node, "/login", {"user": user, "client": client})
        assert (status, content) == (200, {"user": user, "client": client})
        return self

    async def open(self, node):
        """A live connection by the session cookie alone: nothing in the CONNECT payload names anybody."""
        tab = CookieTab(node.url, self.header)
        return await tab.connect()


class CookieTab(Tab):
    def __init__(self, url, cookies):
        super().__init__(url, user=None)
        self.cookies = cookies

    async def connect(self):
        self.client = socketio.AsyncClient(reconnection=False)
        self.client.on("*", self._on_event)
        await self.client.connect(self.url, headers={"cookie": self.cookies}, transports=["websocket"], wait_timeout=20)
        return self


def test_session_of_one_node_is_known_on_all(mongo, nodes, keys):
    """ID-1, ID-2, ID-5, ID-6: the session and its domestic token hold on a node that did not make them."""

    async def run():
        first, second = nodes.start(2, mongo=mongo, options=keys)
        browser = await Browser().log_in(first, "carol", "laptop")
        assert set(browser.cookies) == {"session", "domestic"}
        status, agent = await browser.get(second, "/agent")
        assert status == 200
        assert agent == {"standing": "active", "user": "carol", "client": "laptop", "domestic": True}
        browser.cookies["session"] = "v1." + "A" * 43
        _, agent = await browser.get(second, "/agent")
        assert agent["standing"] == "guest"

    asyncio.run(run())


def test_logout_reaches_sockets_and_caches_of_every_node(mongo, nodes, keys):
    """ID-12, ID-13: all devices of the user, on whichever node; nobody else."""

    async def run():
        first, second = nodes.start(2, mongo=mongo, options=keys)
        laptop = await Browser().log_in(first, "dave", "laptop")
        phone = await Browser().log_in(second, "dave", "phone")
        other = await Browser().log_in(second, "erin", "laptop")
        tabs = [await laptop.open(first), await laptop.open(second), await phone.open(second)]
        bystander = await other.open(second)
        receipt = await bystander.publish("dave", "hello")
        assert receipt["didReceive"]
        for tab in tabs:
            await tab.until(lambda tab: "hello" in tab.messages())
        # In every node's cache before it is revoked.
        for browser in (laptop, phone):
            for node in (first, second):
                assert (await browser.get(node, "/agent"))[1]["standing"] == "active"
        stolen = dict(phone.cookies)
        status, content = await laptop.post(first, "/logout")
        assert (status, content) == (200, {"standing": "guest"})
        assert "session" not in laptop.cookies
        for tab in tabs:
            await tab.gone()
        phone.cookies = stolen
        for node in (first, second):
            assert (await phone.get(node, "/agent"))[1]["standing"] == "idle"
        # A tab is told first, and its route removed behind that.
        async with asyncio.timeout(60):
            while (await bystander.publish("dave", "anybody?"))["didReceive"]:
                pass
        assert await bystander.echo("still here") == "still here"
        await bystander.close()

    asyncio.run(run())


def test_logout_of_one_client_leaves_the_others(mongo, nodes, keys):
    """ID-12: with a client, that client's sessions only."""

    async def run():
        first, second = nodes.start(2, mongo=mongo, options=keys)
        laptop = await Browser().log_in(first, "frank", "laptop")
        phone = await Browser().log_in(second, "frank", "phone")
        tabs = [await laptop.open(second), await phone.open(first)]
        status, content = await laptop.post(first, "/logout?client=phone")
        assert (status, content) == (200, {"standing": "active"})
        await tabs[1].gone()
        assert await tabs[0].echo(1) == 1
        assert (await phone.get(first, "/agent"))[1]["standing"] == "idle"
        await tabs[0].close()

    asyncio.run(run())


def test_login_retires_the_presented_session(mongo, nodes, keys):
    """ID-10: no fixation; sockets of the same person stay, those of a former one go."""

    async def run():
        first, second = nodes.start(2, mongo=mongo, options=keys)
        browser = await Browser().log_in(first, "grace", "laptop")
        old = dict(browser.cookies)
        tab = await browser.open(second)
        await browser.log_in(first, "grace", "laptop")
        assert browser.cookies["session"] != old["session"]
        thief = Browser()
        thief.cookies = old
        for node in (first, second):
            assert (await thief.get(node, "/agent"))[1]["standing"] == "idle"
        assert await tab.echo("same person") == "same person"
        await browser.log_in(first, "heidi", "laptop")
        await tab.gone()

    asyncio.run(run())


def test_kick_leaves_sessions(mongo, nodes, keys):
    """ID-14: connections end on every node, the session stays good and may come back at once."""

    async def run():
        first, second = nodes.start(2, mongo=mongo, options=keys)
        browser = await Browser().log_in(first, "ivan", "laptop")
        tabs = [await browser.open(first), await browser.open(second)]
        async with Tab(second.url, "admin") as admin:
            assert await admin.client.call("kick", ("ivan",), timeout=20) is True
            for tab in tabs:
                await tab.gone()
            again = await browser.open(second)
            assert (await admin.publish("ivan", "back"))["didReceive"]
            await again.until(lambda tab: "back" in tab.messages())
            await again.close()

    asyncio.run(run())
