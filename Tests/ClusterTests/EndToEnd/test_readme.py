"""The README's first program is the example that is built with the project, and does what the README says."""

import asyncio
import os
import pathlib
import re
import signal
import subprocess

import aiohttp
import socketio
from processes import PROJECT, executable, free_port, wait_for

EXAMPLE = PROJECT / "Examples/Hello/main.swift"


def test_readme_shows_the_example():
    readme = (PROJECT / "README.md").read_text(encoding="utf8")
    first = re.search(r"```swift\n(.*?)```", readme, re.DOTALL).group(1)
    assert first == EXAMPLE.read_text(encoding="utf8")


def test_example_runs(tmp_path):
    """Log in over HTTP, go live with the session's cookies, hear of a friend who comes on line (AC-1, ID-10, EV-7)."""
    program = pathlib.Path(executable()).with_name("Hello")
    port, control_port = free_port(), free_port()
    environment = {**os.environ, "SUBMERGENCE_PORT": str(port), "SUBMERGENCE_CONTROL_PORT": str(control_port)}
    with open(tmp_path / "hello.log", "wb") as log:
        process = subprocess.Popen([program], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
    try:
        asyncio.run(scenario(f"http://127.0.0.1:{port}", process, tmp_path / "hello.log"))
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


async def scenario(address, process, log):
    def is_listening():
        assert process.poll() is None, log.read_text(errors="replace")
        try:
            import urllib.request

            urllib.request.urlopen(f"{address}/.well-known/submergence/live", timeout=2).close()
        except OSError as error:
            return hasattr(error, "code")  # an answer of any kind
        return True

    await asyncio.to_thread(wait_for, "the example to listen", is_listening)
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
