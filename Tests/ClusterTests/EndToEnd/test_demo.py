"""The demo page, as a person uses it: through nginx, in a browser (DESIGN §9, TR-3)."""

import asyncio
import http.client
import json
import os
import secrets

from browsers import PinningNginx
from chromium import MEDIA, Chromium

# Where pictures of the windows are left, for people to look at.
SCREENSHOTS = os.environ.get("SUBMERGENCE_SCREENSHOTS")

HERE = "document.querySelector('#here').textContent"


def sign_in(window, user, device):
    return window.run(
        f"""(() => {{
            document.querySelector("#name").value = {json.dumps(user)};
            document.querySelector("#device").value = {json.dumps(device)};
            document.querySelector("#signin").requestSubmit();
        }})()"""
    )


def is_listed(person, state):
    selector = json.dumps(f'[data-person="{person}"] small')
    return f"document.querySelector({selector})?.textContent === {json.dumps(state)}"


def has_bubble(text, mine):
    kind = "bubble mine" if mine else "bubble"
    return f"""[...document.querySelectorAll(".bubble")].some(bubble =>
        bubble.className === {json.dumps(kind)} && bubble.querySelector("p").textContent === {json.dumps(text)})"""


async def say(window, to, text):
    await window.click(f'[data-person="{to}"]')
    await window.type("#text", text)
    await window.run('document.querySelector("#composer").requestSubmit()')


def test_two_windows_through_nginx(mongo, nodes, nginx):
    three = nodes.start(3, command="serve", mongo=mongo)
    proxy = nginx(three)

    async def scenario():
        async with Chromium() as browser:
            alice = await browser.open(f"{proxy.url}/demo/")
            bob = await browser.open(f"{proxy.url}/demo/", width=400)
            await sign_in(alice, "alice", "laptop")
            await alice.until("document.querySelector('#status').dataset.state === 'live'")
            await sign_in(bob, "bob", "phone")
            await alice.until(is_listed("bob", "on line"))
            await bob.until(is_listed("alice", "on line"))

            # The page says where it is, and its links reach the other nodes as the same person.
            here = await alice.until(f"{HERE} !== '…' && {HERE}")
            links = await alice.run("[...document.querySelectorAll('#nodes a')].map(a => [a.dataset.node, a.href])")
            assert {name for name, _ in links} | {here} == {node.name for node in three}

            # Two more tabs of alice, on the two other nodes.
            tabs = [alice]
            for name, address in links:
                tab = await browser.open(address)
                await tab.until(f"{HERE} === {json.dumps(name)}")
                tabs.append(tab)

            await say(bob, "alice", "hello, all of you")
            await bob.until(has_bubble("hello, all of you", mine=True))
            await bob.until("document.querySelector('.bubble.mine .good') !== null")
            for tab in tabs:
                await tab.click('[data-person="bob"]')
                await tab.until(has_bubble("hello, all of you", mine=False))
                assert await tab.run("document.querySelectorAll('.bubble').length") == 1

            await say(alice, "bob", "hello yourself")
            await bob.until(has_bubble("hello yourself", mine=False))

            # A tab of three goes: alice stays. Bob's only one goes: he is seen leaving, in every tab.
            await tabs.pop().close()
            await bob.close()
            for tab in tabs:
                await tab.until(is_listed("bob", "away"))
            for window in tabs:
                assert window.problems == []

    asyncio.run(scenario())


async def picture(window, name):
    if SCREENSHOTS:
        await window.screenshot(f"{SCREENSHOTS}/{name}.png")


# Whether the other one's picture is there, and moves.
SEEN = """(() => {
    const videos = [...document.querySelectorAll(".tile:not(.own) video")];
    return videos.length === 1 && videos[0].videoWidth > 0 && !videos[0].paused;
})()"""
MOVES = """new Promise(resolve => {
    const video = document.querySelector(".tile:not(.own) video");
    video.requestVideoFrameCallback(() => video.requestVideoFrameCallback(() => resolve(true)));
})"""
IN_CALL = "document.querySelector('#call').dataset.state === 'open'"


def test_call_lives_through_what_happens(mongo, nodes, tmp_path):
    """A reload, a second tab, the death of the node; then it is over in all tabs of both."""
    keys = tmp_path / "keys"
    keys.write_text(secrets.token_urlsafe(32) + "\n", encoding="utf8")
    keys.chmod(0o600)
    two = nodes.start(2, command="serve", mongo=mongo, options=["--signing-keys", keys])
    proxy = PinningNginx(tmp_path, two)

    async def scenario():
        async with Chromium(MEDIA) as browser:
            alice = await browser.open(f"{proxy.urls[0]}/demo/#user=alice&client=laptop")
            bob = await browser.open(f"{proxy.urls[1]}/demo/#user=bob&client=phone", width=400, dark=True)
            await alice.until(is_listed("bob", "on line"))
            await alice.click('[data-person="bob"]')
            await alice.click("#start-call")
            await bob.until("document.querySelector('#answer').checkVisibility()")
            await picture(bob, "ringing")
            await bob.click("#answer")
            for window in (alice, bob):
                await window.until(f"{IN_CALL} && {SEEN}")

            await bob.reload()
            for window in (alice, bob):
                await window.until(f"{IN_CALL} && {SEEN}")

            second = await browser.open(f"{proxy.urls[1]}/demo/#user=alice&client=tablet", width=400, window=True)
            await second.until(f"{IN_CALL} && {SEEN}")
            assert not await second.run("document.querySelector('.tile.own') !== null")
            await say(alice, "bob", "Can you see me?")
            await bob.until(has_bubble("Can you see me?", mine=False))
            await picture(alice, "call")
            await picture(bob, "call-narrow")

            for window in (alice, bob, second):
                window.keep_failures_apart()
            two[0].kill()
            assert await alice.run(MOVES) and await bob.run(MOVES)
            await alice.until(f"document.querySelector('#status').dataset.state === 'live' && {HERE} === 'node-2'", 60)
            for window in (alice, bob, second):
                await window.until(f"{IN_CALL} && {SEEN}")

            await alice.click("#hang-up")
            await alice.until("document.querySelector('#call').hidden")
            for window in (bob, second):
                await window.until("document.querySelector('#call').dataset.state === 'over'")
            for window in (alice, bob, second):
                assert await window.run("document.querySelectorAll('.tile').length") == 0
                assert window.problems == []

    try:
        asyncio.run(asyncio.wait_for(scenario(), 180))
    finally:
        proxy.end()


def test_one_node_without_mongodb(nodes):
    (node,) = nodes.start(1, command="serve")

    async def scenario():
        async with Chromium() as browser:
            window = await browser.open(f"{node.url}/demo/#user=alice&client=laptop")
            await window.until("document.querySelector('#status').dataset.state === 'live'")
            await say(window, "alice", "to myself")
            await window.until(has_bubble("to myself", mine=False))
            assert window.problems == []

    asyncio.run(scenario())


def test_page_is_strict_and_complete(nodes):
    """A strict policy, no framing, and everything that the page names is served by the node."""
    (node,) = nodes.start(1, command="serve")

    def get(path):
        connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=10)
        connection.request("GET", path)
        response = connection.getresponse()
        return response, response.read().decode()

    response, page = get("/demo/")
    assert response.status == 200
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in policy or response.headers["X-Frame-Options"] == "DENY"
    assert "http://" not in page.replace("http://www.w3.org/", "") and "https://" not in page
    for name, kind in (("demo.js", "javascript"), ("call.js", "javascript"), ("demo.css", "css")):
        response, _ = get(f"/demo/{name}")
        assert response.status == 200 and kind in response.headers["Content-Type"]
