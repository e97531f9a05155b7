"""The README's first program is the example that is built with the project, and does what the README says."""

import asyncio
import re

import aiohttp
import socketio
from processes import PROJECT, Example

EXAMPLE = PROJECT / "Examples/Hello/main.swift"


def test_readme_shows_the_example():
    readme = (PROJECT / "README.md").read_text(encoding="utf8")
    first = re.search(r"```swift\n(.*?)```", readme, re.DOTALL).group(1)
    assert first == EXAMPLE.read_text(encoding="utf8")


def test_example_runs(tmp_path):
    """Log in over HTTP, go live with the session's cookies, hear of a friend who comes on line (AC-1, ID-10, EV-7)."""
    with Example(tmp_path, "Hello") as example:
        asyncio.run(scenario(example.url))


async def scenario(address):
    async with browser() as alice_http, browser() as bob_http:
        alice = await log_in(alice_http, address, "alice")
        came = asyncio.get_running_loop().create_future()
        alice.on("online", lambda user: came.done() or came.set_result(user))
        bob = await log_in(bob_http, address, "bob")
        assert await asyncio.wait_for(came, 20) == "bob"
        await bob.disconnect()
        await alice.disconnect()


def browser():
    """Keeps cookies as a browser does, for an address without a name too."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))


async def log_in(http, address, user):
    async with http.post(f"{address}/login", json={"user": user, "device": "laptop"}) as response:
        assert response.status == 200, await response.text()
        assert await response.json() == {"content": {"hello": user}, "events": []}
    cookies = {cookie.key: cookie.value for cookie in http.cookie_jar}
    assert {"session", "domestic"} <= set(cookies)
    client = socketio.AsyncClient(reconnection=False, http_session=http)
    await client.connect(address, auth={"domestic": cookies["domestic"]}, transports=["websocket"], wait_timeout=20)
    return client
