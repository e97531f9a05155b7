"""The dashboard, as an operator uses it, and what keeps others out of it (DESIGN §7, SPEC RM-1)."""

import asyncio
import http.client
import json
import os
import re
import urllib.parse

import pytest
import requests
from chromium import Chromium
from processes import wait_for
from test_control import Control, command
from test_identity import ProductTab

# Where pictures of the windows are left, for people to look at.
SCREENSHOTS = os.environ.get("SUBMERGENCE_SCREENSHOTS")
EVERYTHING = ("send", "presence", "kick", "links", "sessions", "status", "audit", "metrics")


def make_key(file, name, *scopes, domain=None):
    options = [option for scope in scopes for option in ("--scope", scope)]
    options += ["--domain", domain] if domain else []
    status, secret, errors = command("keys", "create", name, "--file", file, *options)
    assert status == 0, errors
    return secret.strip()


@pytest.fixture
def keyed(tmp_path):
    """A key file, and the secret of a key that may do everything."""
    file = tmp_path / "control-keys"
    return file, make_key(file, "operator", *EVERYTHING)


def options(file):
    return ["--control-keys", file, "--signing-key-refresh", "0.1"]


async def sign_in(window, secret):
    await window.type("#key", secret)
    await window.follow("document.querySelector('form').requestSubmit()")


def tile(name):
    return f"document.querySelector('[data-tile={name}] b')?.textContent"


def figure(node, name):
    return f'document.querySelector(\'[data-node="{node}"] [data-figure="{name}"] dd\')?.textContent'


async def picture(window, name):
    if SCREENSHOTS:
        await window.screenshot(f"{SCREENSHOTS}/{name}.png")


FITS = "document.documentElement.scrollWidth <= innerWidth"
DOOR = "document.querySelector('#key')?.type === 'password'"


async def shown_the_door(window):
    """The page finds out by itself that its session is over, and goes."""
    while True:
        try:
            if await window.run(DOOR):
                return
        except RuntimeError:  # on its way
            pass
        await asyncio.sleep(0.1)


def test_operator_sees_what_clients_do(mongo, nodes, keyed):
    """The page's figures are those of the clients; a kick and an event from the page reach them."""
    file, secret = keyed
    two = nodes.start(2, command="serve", mongo=mongo, options=options(file))
    control = Control(two[0], secret)

    def totals():
        status, figures = control.get("cluster")
        assert status == 200 and figures["silent"] == [], figures
        assert [node["name"] for node in figures["nodes"]] == [node.name for node in two]
        sums = {}
        for node in figures["nodes"]:
            for name, value in node["domains"]["localhost"].items():
                if name != "perSecond":
                    sums[name] = sums.get(name, 0) + value
        return sums

    async def scenario():
        tabs = [
            ProductTab(two[node].url, None, {"user": user, "client": client})
            for node, user, client in ((0, "alice", "laptop"), (1, "alice", "phone"), (1, "bob", "desk"))
        ]
        async with Chromium() as browser, tabs[0] as laptop, tabs[1] as phone, tabs[2] as desk:
            for tab in tabs:
                await tab.until(lambda tab: tab.events("ready"))
            window = await browser.open(f"http://127.0.0.1:{two[0].control_port}/dashboard/")
            assert await window.run("document.querySelector('#key').type") == "password"
            assert await window.run(FITS)
            await picture(window, "dashboard-sign-in")
            await sign_in(window, secret)
            assert secret not in await window.run("location.href + document.documentElement.outerHTML")
            await window.until("document.querySelector('#status').dataset.state === 'live'")
            await window.until(f"{tile('nodes')} === '2 / 2' && {tile('connections')} === '3'")
            await window.until(f"{figure(two[0].name, 'connections')} === '1'")
            await window.until(f"{figure(two[1].name, 'users')} === '2'")

            before = await asyncio.to_thread(totals)
            assert (before["connections"], before["users"]) == (3, 3)
            for number in range(20):
                await asyncio.to_thread(control.post, "event", user="alice", event=["msg", number])
            for number in range(7):
                await desk.client.emit("nobody listens", number)
            for tab in (laptop, phone):
                await tab.until(lambda tab: tab.events("msg") == list(range(20)))

            def counted():
                after = totals()
                return (after["eventsOut"] - before["eventsOut"], after["eventsIn"] - before["eventsIn"]) == (40, 7)

            await asyncio.to_thread(wait_for, "the events to be counted", counted)
            after = await asyncio.to_thread(totals)
            assert after["bytesOut"] - before["bytesOut"] == 2 * sum(len(f'2["msg",{n}]') for n in range(20))
            counter = "document.querySelector('[data-tile=events-out] small').textContent"
            await window.until(f"{counter} === '{after['eventsOut']} since start'")
            name = 'submergence_domain_events_out_total{domain="localhost"}'
            await asyncio.to_thread(
                wait_for, "the metrics", lambda: sum(node.metric(name) for node in two) == after["eventsOut"]
            )

            # Somebody is looked up, sent to, and kicked.
            await window.type("#user", "alice")
            await window.run("document.querySelector('#look-up').requestSubmit()")
            await window.until("document.querySelectorAll('.device').length === 2")
            seen = await window.run(
                """[...document.querySelectorAll(".device")].map(device =>
                    [device.dataset.client, device.querySelector(".tabs span").textContent])"""
            )
            assert seen == [["laptop", two[0].name], ["phone", two[1].name]]
            await window.run("document.querySelector('#send').requestSubmit()")
            await window.until("document.querySelector('#send-result').textContent === 'Written to 2 tabs.'")
            for tab in (laptop, phone):
                await tab.until(lambda tab: tab.events("message") == [{"text": "hello"}])
            await picture(window, "dashboard-wide")
            kick = '[data-client="phone"] .danger'
            await window.click(kick)
            assert phone.client.connected
            await window.click(kick)
            await phone.gone()
            await window.until("document.querySelectorAll('.device').length === 1")
            await window.until(f"{tile('connections')} === '2'")
            await window.until("document.querySelector('#audit b')?.textContent === 'kick alice on phone'")
            assert laptop.client.connected
            status, answer = await asyncio.to_thread(Control(two[1], secret).get, "audit", limit=3)
            assert status == 200 and answer["nodes"] == sorted(node.name for node in two)
            newest = answer["entries"][0]
            assert (newest["key"], newest["action"], newest["user"], newest["client"], newest["isByDashboard"]) == (
                "operator",
                "kick",
                "alice",
                "phone",
                True,
            )

            narrow = await browser.open(
                f"http://127.0.0.1:{two[0].control_port}/dashboard/", width=400, dark=True, beside=window
            )
            await narrow.until(f"{tile('nodes')} === '2 / 2'")
            assert await narrow.run(FITS)
            await picture(narrow, "dashboard-narrow")
            assert window.problems == [] and narrow.problems == []

            narrow.keep_failures_apart()
            await window.follow("document.querySelector('#sign-out').click()")
            assert await window.run(DOOR)
            await asyncio.wait_for(shown_the_door(narrow), 30)
            await sign_in(narrow, "smk_wrong")
            assert "not a control key" in await narrow.run("document.querySelector('.complaint').textContent")
            assert await narrow.run(FITS)

    asyncio.run(scenario())


class Browser:
    """Requests as a browser's, with headers that a page cannot choose."""

    def __init__(self, node, secret=None, **headers):
        self.port = node.control_port
        self.origin = f"http://127.0.0.1:{self.port}"
        self.headers = headers
        self.cookie = None
        self.csrf = None
        if secret:
            answer, _ = self.form(secret)
            assert answer.status == 303, answer.status
            self.cookie = answer.headers["Set-Cookie"].split(";")[0]
            self.csrf = json.loads(self.send("GET", "/dashboard/session")[1])["csrf"]

    def send(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        fields = {**self.headers, **({"cookie": self.cookie} if self.cookie else {})}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, fields)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer, text

    def form(self, secret, origin=None, **headers):
        kind = "application/x-www-form-urlencoded"
        body = urllib.parse.urlencode({"key": secret})
        return self.send("POST", "/dashboard/session", body, content_type=kind, origin=origin or self.origin, **headers)

    def kick(self, **headers):
        body = json.dumps({"user": "nobody"})
        fields = {"content_type": "application/json", "origin": self.origin, "x_submergence_csrf": self.csrf, **headers}
        return self.send("POST", "/v1/kick", body, **{name: value for name, value in fields.items() if value})


def test_other_pages_are_kept_out(nodes, keyed):
    """Headers of every page, cookie flags, origins, CSRF tokens, wrong keys, the end of a key."""
    file, secret = keyed
    (node,) = nodes.start(1, command="serve", options=[*options(file), "--control-name", "control.example"])
    anybody = Browser(node)
    for path in ("/dashboard/", "/dashboard/dashboard.css"):
        answer, page = anybody.send("GET", path)
        assert answer.status == 200
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert answer.headers["X-Frame-Options"] == "DENY" and answer.headers["X-Content-Type-Options"] == "nosniff"
        assert not re.findall(r"https?://(?!www\.w3\.org/)", page) and " style=" not in page
    assert anybody.send("GET", "/dashboard")[0].headers["Location"] == "/dashboard/"
    assert anybody.send("GET", "/dashboard/dashboard.js")[0].status == 404
    assert anybody.send("GET", "/dashboard/session")[0].status == 401
    assert anybody.send("GET", "/v1/cluster")[0].status == 401

    for origin in (
        "http://evil.example",
        f"http://localhost:{node.control_port}",
        f"http://127.0.0.1:{node.port}",
        "null",
    ):
        answer, page = anybody.form(secret, origin=origin)
        assert answer.status == 403 and "Set-Cookie" not in answer.headers and "did not come from this page" in page
    answer, _ = anybody.form(secret)
    cookie = answer.headers["Set-Cookie"]
    assert answer.status == 303 and answer.headers["Location"] == "/dashboard/"
    name, *flags = cookie.split("; ")
    assert set(flags) == {"Path=/", "HttpOnly", "SameSite=Strict"} and secret not in cookie
    # Behind TLS, by a name of its own.
    secure = {"host": "control.example", "x_forwarded_proto": "https"}
    answer, _ = anybody.form(secret, origin="https://control.example", **secure)
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-") and set(cookie.split("; ")[1:]) == {
        "Path=/",
        "Secure",
        "HttpOnly",
        "SameSite=Strict",
    }
    assert anybody.form(secret, origin="http://control.example", **secure)[0].status == 403
    assert anybody.send("GET", "/dashboard/", host="evil.example")[0].status == 421
    assert anybody.send("GET", "/metrics")[0].status == 200
    assert anybody.send("GET", "/metrics", host="control.example")[0].status == 401

    page = Browser(node, secret)
    assert page.send("GET", "/dashboard/dashboard.js")[0].status == 200
    assert page.kick()[0].status == 200
    for wrong in ({"origin": "http://evil.example"}, {"origin": None}, {"sec_fetch_site": "same-site"}):
        answer, text = page.kick(**wrong)
        assert (answer.status, json.loads(text)) == (403, {"error": "FOREIGN"}), wrong
    for token in (None, "x" * 43, ""):
        answer, text = page.kick(x_submergence_csrf=token)
        assert (answer.status, json.loads(text)) == (403, {"error": "CSRF"})
    answer, _ = page.send("GET", "/v1/cluster", origin="http://evil.example")
    assert answer.status == 403 and "Access-Control-Allow-Origin" not in answer.headers
    assert page.send("GET", "/v1/cluster", sec_fetch_site="cross-site")[0].status == 403
    assert page.send("POST", "/dashboard/sign-out", origin=page.origin)[0].status == 403

    # A session is of its key: it ends with that. Its stream, too.
    second = make_key(file, "second", "status", domain="localhost")
    wait_for("the key to be known", lambda: Control(node, second).get("cluster")[0] == 200)
    other = Browser(node, second)
    figures = json.loads(other.send("GET", "/v1/cluster")[1])
    assert figures["domain"] == "localhost" and set(figures["nodes"][0]["domains"]) == {"localhost"}
    assert "problems" not in figures["nodes"][0] and "connections" not in figures["nodes"][0]["loops"][0]
    assert json.loads(other.send("GET", "/v1/audit")[1]) == {"error": "SCOPE", "scope": "audit"}
    stream = requests.get(
        f"{other.origin}/v1/stream?every=1", headers={"cookie": other.cookie}, stream=True, timeout=30
    )
    assert stream.headers["Content-Type"] == "text/event-stream"
    lines = stream.iter_lines(decode_unicode=True)
    assert next(line for line in lines if line.startswith("event: ")) == "event: cluster"
    assert command("keys", "revoke", "second", "--file", file)[0] == 0
    assert [line for line in lines if line.startswith("event: unavailable")] == []  # to its end
    assert other.send("GET", "/v1/cluster")[0].status == 401
    assert page.send("GET", "/v1/cluster")[0].status == 200

    answer, _ = page.send("POST", "/dashboard/sign-out", origin=page.origin, x_submergence_csrf=page.csrf)
    assert answer.status == 204 and "Max-Age=0" in answer.headers["Set-Cookie"]
    assert page.send("GET", "/v1/cluster")[0].status == 401

    for _ in range(5):
        assert anybody.form("smk_wrong")[0].status == 403
    answer, page = anybody.form(secret)
    assert answer.status == 429 and 0 < int(answer.headers["Retry-After"]) <= 12 and "Too many" in page
    assert node.metric('submergence_dashboard_sign_ins_total{result="refused"}') == 5
    assert node.metric('submergence_dashboard_sign_ins_total{result="limited"}') == 1
    entries = Control(node, secret).get("audit")[1]["entries"]
    assert [entry["action"] for entry in entries[:6]] == ["signInRefused"] * 5 + ["signOut"]
    assert secret not in node.log() and "smk_" not in json.dumps(entries)


def test_development_mode_asks_for_no_key(nodes):
    (node,) = nodes.start(1, command="serve")

    async def scenario():
        async with Chromium() as browser:
            window = await browser.open(f"http://127.0.0.1:{node.control_port}/dashboard/")
            await window.until(f"{tile('nodes')} === '1 / 1'")
            assert "no key is asked for" in await window.run("document.querySelector('#key').textContent")
            assert await window.run("document.querySelector('#sign-out').hidden")
            assert window.problems == []

    asyncio.run(scenario())
