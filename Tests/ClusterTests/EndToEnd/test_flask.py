"""Examples/Flask: a backend in Python behind a node, with two people in browsers (docs/webhooks.md)."""

import asyncio
import json
import os
import socket
import subprocess
import sys

import pytest
import requests
from chromium import MEDIA, Chromium
from processes import PROJECT, Node, free_port, wait_for
from receiver import SECRET

EXAMPLE = PROJECT / "Examples/Flask"
# Where pictures of the pages are left, for people to look at.
SCREENSHOTS = os.environ.get("SUBMERGENCE_SCREENSHOTS")
ACTIONS = ["GET /", "GET /call/:user", "POST /messages", "POST /logout"]
HOOKS = ["presence", "liveConnection", "peerRequest"]


class Site:
    def __init__(self, folder):
        port = free_port()
        self.login = f"http://localhost:{port}/login"
        flags = ["--webhook", f"http://127.0.0.1:{port}/hooks", "--webhook-private-target", "127.0.0.0/8"]
        flags += [part for action in ACTIONS for part in ("--webhook-action", action)]
        flags += [part for hook in HOOKS for part in ("--webhook-hook", hook)]
        flags += ["--presence-grace", "0"]
        self.hooks = f"http://127.0.0.1:{port}/hooks"
        self.node = Node(folder, "node-1", "serve", None, flags, {"SUBMERGENCE_WEBHOOK_SECRET": SECRET})
        self.url = f"http://localhost:{self.node.port}/"
        environment = {
            **os.environ,
            "SUBMERGENCE_WEBHOOK_SECRET": SECRET,
            "SUBMERGENCE_CONTROL": f"http://127.0.0.1:{self.node.control_port}",
            "SITE": self.url,
            "LOGIN": self.login,
        }
        self._log = folder / "flask.log"
        with open(self._log, "wb") as log:
            self._flask = subprocess.Popen(
                [sys.executable, "-B", "-m", "flask", "--app", EXAMPLE / "app.py", "run", "--port", str(port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )

        def is_listening():
            assert self._flask.poll() is None, self._log.read_text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        try:
            self.node.wait_until_ready()
            wait_for("Flask to listen", is_listening)
        except BaseException:
            self.end()
            raise

    def end(self):
        self._flask.terminate()
        self._flask.wait(30)
        self.node.stop()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    started = Site(tmp_path_factory.mktemp("flask"))
    yield started
    started.end()


async def sign_in(browser, site, name, **options):
    # Whoever is nobody yet is sent to the form, where he can become somebody.
    page = await browser.open(site.url, context=await browser.context(), **options)
    await enter(page, site, name)
    return page


async def enter(page, site, name):
    assert await page.run("location.href") == site.login
    await page.run(
        f"""document.querySelector("[name=name]").value = {json.dumps(name)};
            document.querySelector("[name=password]").value = {json.dumps(name + "-secret")};"""
    )
    await page.follow('document.querySelector("form").requestSubmit()')
    await page.until("document.querySelector('#state')?.textContent === 'live'")
    assert await page.run("location.href") == site.url


def is_here(person, here=True):
    return f"document.querySelector('[data-person={person}]')?.classList.contains('here') === {json.dumps(here)}"


def has_message(sender, text):
    return f"""[...document.querySelectorAll("#messages li")].some(item =>
        item.textContent === {json.dumps(sender + text)})"""


async def picture(window, name):
    if SCREENSHOTS:
        await window.screenshot(f"{SCREENSHOTS}/{name}.png")


SEES = (
    "document.querySelector('#theirs').videoWidth > 0 && document.querySelector('#state').textContent === 'connected'"
)


def test_two_people_chat_and_call(site):
    async def scenario():
        async with Chromium(MEDIA) as browser:
            alice = await sign_in(browser, site, "alice", width=760, height=640)
            bob = await sign_in(browser, site, "bob", width=760, height=640)
            for page in (alice, bob):
                await page.until(f"{is_here('alice')} && {is_here('bob')} && {is_here('carol', False)}")

            async def say(page, text):
                await page.type("[name=text]", text)
                await page.run('document.querySelector("#composer").requestSubmit()')

            await say(alice, "Hello <b>Bob</b>")
            await bob.until(has_message("alice", "Hello <b>Bob</b>"))
            await say(bob, "Hello Alice, shall we talk?")
            await alice.until(has_message("bob", "Hello Alice, shall we talk?"))

            await alice.follow("document.querySelector('[data-person=bob] a').click()")
            await bob.until("!document.querySelector('#ringing').hidden")
            await picture(bob, "flask-chat")
            await bob.follow("document.querySelector('#ringing a').click()")
            for page in (alice, bob):
                await page.until(SEES, 60)
            await picture(alice, "flask-call")

            # Both are on line all the while, and what was said is there for whoever comes back.
            await bob.follow("document.querySelector('#hang-up').click()")
            await alice.until("document.querySelector('#state').textContent === 'over'")
            await bob.until(f"{has_message('alice', 'Hello <b>Bob</b>')} && {is_here('alice')}")

            # Signing out is an action that changes the session; the other one sees it.
            await alice.go(site.url)
            await alice.until(is_here("bob"))
            await bob.follow("document.querySelector('#logout').click()")
            await bob.until("location.pathname === '/login'")
            await alice.until(is_here("bob", False))
            await enter(bob, site, "bob")
            await alice.until(is_here("bob"))
            assert alice.problems == []

    asyncio.run(asyncio.wait_for(scenario(), 180))


def test_only_signed_requests_and_right_passwords(site):
    forged = {"X-Submergence-Kind": "presence", "X-Submergence-Active": "true", "X-Submergence-Domestic": "true"}
    assert requests.post(site.hooks, json={"change": "userOnline"}, headers=forged, timeout=10).status_code == 403
    old = {**forged, "X-Submergence-Timestamp": "1", "X-Submergence-Signature": "00000000=00"}
    assert requests.post(site.hooks, json={"change": "userOnline"}, headers=old, timeout=10).status_code == 403

    def log_in(headers=None, **form):
        return requests.post(site.login, data=form, headers=headers, timeout=10, allow_redirects=False)

    assert log_in(name="alice", password="bob-secret").status_code == 403
    assert log_in(name="mallory", password="alice-secret").status_code == 403
    assert log_in({"origin": "https://evil.example"}, name="alice", password="alice-secret").status_code == 403
    answer = log_in(name="alice", password="alice-secret")
    assert answer.status_code == 303 and "session=" in answer.headers["set-cookie"]
    # Nobody speaks for whoever is not signed in.
    answer = requests.post(f"{site.url}messages", json={"text": "x"}, timeout=10)
    assert (answer.status_code, answer.json()["content"]) == (403, {"error": "DOMESTIC"})
