"""The browser module against real nodes: Examples/Duet on two shards (CLIENT.md §11: T-1 to T-6, T-21 to T-26)."""

import asyncio
import base64
import json
import os
import pathlib
import secrets
import time

import pytest
from browsers import CLIENTS, MODULE, Cluster, browser_among, only_chromium, play
from bundle import bundle
from certificates import Certificate
from hostile_web import APP, NAMES, SIBLING, AttackServer, Bank, TLSNginx
from spread import Relay

# T-23 as it is meant: SUBMERGENCE_LINK_CYCLES=500. Short in the suite.
CYCLES = int(os.environ.get("SUBMERGENCE_LINK_CYCLES", "12"))


def keys(folder):
    path = folder / "keys"
    path.write_text(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=") + "\n")
    path.chmod(0o600)
    return ["--signing-keys", path]


@pytest.fixture(scope="module")
def cluster(mongo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("duet")
    cluster = Cluster(folder, mongo, options=keys(folder))
    yield cluster
    cluster.end()


ASK = "server.action(%s).then(({status, content}) => [status, content], error => error.code)"


def test_events_before_their_listener(cluster):
    """T-1, T-22."""

    async def scenario(stage):
        alice = await stage.person(stage.alice)
        tab = await alice.tab()
        tab.keep_failures_apart()
        assert await tab.run(ASK % "'POST', '/encore', {body: {count: 5}}") == [200, {"sent": 5}]
        # An event that was sent after them has come.
        await tab.run(
            "new Promise(resolve => { submergence.once('clapped', resolve); server.action('POST', '/claps'); })"
        )
        await tab.run("submergence.on('encore', (...args) => seen.push(args), window.seen = [])")
        await tab.until("seen.length === 5")
        assert await tab.run("seen") == [[number] for number in range(5)]
        for count in range(3):
            await tab.run("window.lost = new Promise(resolve => server.once('state', resolve)), 0")
            await tab.cut_signalling()
            await tab.run("lost")
            await tab.until("server.state === 'live'")
            assert await tab.run(ASK % "'POST', '/encore', {body: {count: 2}}") == [200, {"sent": 2}]
            await tab.until(f"seen.length === {7 + 2 * count}")
        assert await tab.run("seen.length") == 11 and await tab.run("seen.slice(5)") == [[0], [1]] * 3

    play(cluster, scenario, clients=CLIENTS)


def test_one_call_over_everything(cluster):
    """T-2, T-22: before, during and after goLive."""

    async def scenario(stage):
        alice = await stage.person(stage.alice)
        tab = await alice.tab(live=False)
        await tab.run("submergence.on('clapped', count => heard.push(count), window.heard = [])")
        before = await tab.run(ASK % "'POST', '/claps'")
        during = await tab.run(f"(window.opening = server.goLive(), {ASK})" % "'POST', '/claps'")
        await tab.run("opening")
        after = await tab.run(ASK % "'POST', '/claps'")
        assert [before, during, after] == [[200, {"claps": count}] for count in (1, 2, 3)]
        assert await tab.run("heard") == [1, 2, 3]
        calls = [await tab.run(ASK % "'GET', '/claps'"), await tab.run(ASK % "'GET', '/diary'")]
        missing = await tab.run(ASK % "'GET', '/nowhere'")
        listed = await tab.run("server.options('/claps')")
        await tab.run("server.goOffline()")
        tab.keep_failures_apart()
        assert calls == [await tab.run(ASK % "'GET', '/claps'"), await tab.run(ASK % "'GET', '/diary'")]
        assert missing == await tab.run(ASK % "'GET', '/nowhere'") and missing[0] == 404
        assert listed == await tab.run("server.options('/claps')") and set(listed) == {"GET", "POST"}

    play(cluster, scenario, clients=CLIENTS)


def test_a_socket_cut_in_flight(cluster):
    """T-3, T-22."""

    async def scenario(stage):
        alice = await stage.person(stage.alice)
        tab = await alice.tab()
        tab.keep_failures_apart()
        for method in ("GET", "POST"):
            call = ASK % f"'{method}', '/claps', {{query: {{after: 1}}}}"
            await tab.run(f"window.{method.lower()} = {call}, 0")
        await tab.run(ASK % "'GET', '/me'")
        await tab.cut_signalling()
        assert await tab.run("post") == "NETWORK"
        status, content = await tab.run("get")
        assert status == 200 and set(content) == {"claps"}
        await tab.until("server.state === 'live'")
        assert (await tab.run(ASK % "'GET', '/me'"))[0] == 200

    play(cluster, scenario, clients=CLIENTS)


class DroppingRelay(Relay):
    """Passes everything on to a port, but for the answer to the first request that has `marker` in its head."""

    def __init__(self, target, marker):
        super().__init__(target)
        self._marker = marker
        self.dropped = 0

    async def _join(self, near, far):
        is_doomed = False

        def asks(data):
            nonlocal is_doomed
            if self._marker in data and not self.dropped:
                self.dropped += 1
                is_doomed = True
            return True

        await asyncio.gather(self._pass(near[0], far[1], asks), self._pass(far[0], near[1], lambda _: not is_doomed))


def test_renewal(mongo, tmp_path):
    """T-4, T-22: two tabs over three renewals, with one answer that is lost, stay logged in and domestic."""
    cluster = Cluster(tmp_path, mongo, options=[*keys(tmp_path), "--session-lifespan", "2"], prefix="renewing")

    async def scenario(stage):
        alice = await stage.person(stage.alice)
        async with DroppingRelay(cluster.nginx.ports[0], b"POST /.well-known/submergence/session") as relay:
            tabs = [await alice.tab(node=1), await alice.tab(url=f"http://localhost:{relay.port}")]
            for tab in tabs:
                tab.keep_failures_apart()
                await tab.run("server.on('session', session => said.push(session), window.said = [])")
                await tab.run("server.on('logout', logout => said.push(logout))")
            # A renewed cookie counts from when it is presented: the pages ask for something now and then.
            sessions = set()
            while len(sessions) < 4:
                for tab in tabs:
                    await tab.run("fetch('/me').then(answer => answer.text())")
                    sessions.add((await stage.browser.cookies(alice.context))["session"])
                    await tab.run("new Promise(resolve => setTimeout(resolve, 100))")
            await tabs[1].until("said.length > 0")
            for tab in tabs:
                assert await tab.run(f"said.every(({{ user, isLoggedIn }}) => user === '{stage.alice}' && isLoggedIn)")
                assert await tab.run("[server.state, errors]") == ["live", []]
                for live in (True, False):
                    if not live:
                        await tab.run("server.goOffline()")
                    status, content = await tab.run(ASK % "'GET', '/me'")
                    assert (status, content) == (200, {"user": stage.alice, "standing": "active", "domestic": "yes"})
            assert relay.dropped == 1

    try:
        play(cluster, scenario, clients=CLIENTS)
    finally:
        cluster.end()


FOREIGN = {"refused": {}, "allowed": {"BANK_ALLOWS_FOREIGN_SOCKETS": "1"}, "listed": {"BANK_SHARES_WITH": SIBLING}}


@pytest.mark.parametrize("standing", FOREIGN)
def test_a_page_of_another_origin(tmp_path, standing):
    """T-5, T-22: of the same site, so cookies flow. Sockets are refused; where they are allowed, none is domestic."""
    certificate = Certificate(tmp_path, NAMES)

    async def scenario(browser, client):
        home = await browser.open(APP + "/")
        who = json.dumps({"user": "alice", "device": "laptop"})
        login = f"{{method: 'POST', headers: {{'content-type': 'application/json'}}, body: {json.dumps(who)}}}"
        assert await home.run(f"fetch('/login', {login}).then(({{ status }}) => status)") == 200
        page = await browser.open(SIBLING + "/", beside=home)
        if client:
            await page.run(f"(() => {{ {pathlib.Path(bundle()).read_text(encoding='utf8')}\n }})()")
        module = json.dumps(MODULE.read_text(encoding="utf8"))
        transport = f"(origin, more) => io(origin, {{...more, transports: ['{client}'], withCredentials: true}})"
        await page.run(
            f"""import(URL.createObjectURL(new Blob([{module}], {{type: "text/javascript"}}))).then(module => {{
                const transport = {transport if client else '"auto"'};
                window.server = module.getServer("{APP}", {{ transport }});
            }})"""
        )
        if client == "polling" and standing != "listed":
            # What is no WebSocket is CORS's: the page hears nothing, and tries again.
            await page.run("server.goLive(), 0")
            await page.until("server.state === 'waiting'")
            assert any("cross-origin" in text.lower() or "CORS" in text for text in page.problems), page.problems
            return
        outcome = await page.run("server.goLive().then(() => 'live', error => error.name + ' ' + error.code)")
        if standing == "refused":
            assert outcome == "LiveError FOREIGN"
            return
        assert outcome == "live"
        assert await page.run("[server.user, server.isDomestic]") == ["alice", False]
        transfer = "'POST', '/transfer', {body: {to: 'mallory'}}"
        assert await page.run(ASK % transfer) == [403, {"error": "DOMESTIC"}]
        assert (await page.run(ASK % "'GET', '/secret'"))[0] == 200
        assert page.problems == []

    async def run(nginx, attacker):
        hosts = {"app.example:443": nginx.port, "evil.app.example:443": attacker.port}
        async with browser_among(hosts, certificate) as browser:
            for client in CLIENTS:
                await scenario(browser, client)

    async def stage():
        bank = Bank(tmp_path, ["app.example"], FOREIGN[standing])
        try:
            nginx = TLSNginx(tmp_path, [bank.port], certificate)
            try:
                attacker = await AttackServer().start(certificate)
                try:
                    await run(nginx, attacker)
                finally:
                    await attacker.end()
            finally:
                nginx.end()
        finally:
            bank.end()

    asyncio.run(stage())


def test_logout_everywhere(cluster):
    """T-6, T-22: three tabs over two nodes; none comes back, and the cookie is worth nothing."""

    async def scenario(stage):
        alice = await stage.person(stage.alice)
        tabs = [await alice.tab(node=number % 2) for number in range(3)]
        for tab in tabs:
            tab.keep_failures_apart()
            await tab.run("server.on('logout', ({ reason }) => said.push(reason), window.said = [])")
            await tab.run("server.on('state', state => said.push(state))")
        status, _ = await tabs[0].run(ASK % "'POST', '/logout'")
        assert status == 200
        for tab in tabs:
            await tab.until("said.length === 2")
            assert await tab.run("said") == ["offline", "logout"]
            content = (await tab.run(ASK % "'GET', '/me'"))[1]
            assert content == {"user": "", "standing": "guest", "domestic": "no"}
            await tab.run("dispatchEvent(new Event('online'))")
            assert await tab.run("server.state") == "offline"
            assert await tab.run("server.goLive().catch(error => error.code)") == "LOGIN"

    play(cluster, scenario, clients=CLIENTS)


@only_chromium
def test_a_duplicated_tab(cluster):
    """T-21: a copy, storage and all, has an endpoint of its own; both work, and none supersedes the other."""

    async def scenario(stage):
        alice = await stage.person("alice-twice")
        tab = await alice.tab()
        await tab.run("sessionStorage.setItem('kept', 'yes')")
        await tab.command("Runtime.evaluate", expression="window.copy = open(location.href), 0", userGesture=True)
        await tab.until("copy.isReady")
        assert await tab.run("[copy.sessionStorage.getItem('kept'), copy.server.endpoint !== server.endpoint]") == [
            "yes",
            True,
        ]
        await tab.run("copy.server.goLive()")
        listen = "submergence.on('encore', number => seen.push(number), window.seen = [])"
        await tab.run(listen)
        await tab.run(f"copy.seen = [], copy.{listen.split(', window')[0].replace('seen.push', 'copy.seen.push')})")
        await tab.run(ASK % "'POST', '/encore', {body: {count: 3}}")
        await tab.until("seen.length === 3 && copy.seen.length === 3")
        assert await tab.run("[server.state, copy.server.state, made.sockets.length, copy.made.sockets.length]") == [
            "live",
            "live",
            1,
            1,
        ]
        await tab.run("copy.close()")

    play(cluster, scenario)


@only_chromium
def test_nothing_is_left_of_links(cluster):
    """T-23: after many of them, and a line that broke, as many connections, timers and listeners as before."""

    async def scenario(stage):
        alice = await (await stage.person("alice-often")).tab(node=0)
        bob = await (await stage.person("bob-often")).tab(node=1)

        async def cycle():
            # Requests have a rate (SPEC LK-17).
            while (outcome := await alice.connect({"to": "bob-often"})) == "BUSY":
                await asyncio.sleep(1)
            assert outcome == "open"
            await bob.until("incoming.at(-1)?.connected")
            await alice.run("peers[0].close()")
            await bob.until("incoming.at(-1).state === 'closed'")
            await bob.run("incoming.length = 0")

        async def left(tab):
            counts = await tab.run("[openConnections().length, made.timers.size]")
            # It is the recorder that keeps the sockets of lines that broke, and their listeners.
            await tab.run("for (const list of [made.connections, made.offers]) list.length = 0")
            await tab.run("made.sockets.splice(0, made.sockets.length - 1) && 0")
            for _ in range(3):
                await tab.command("HeapProfiler.collectGarbage")
            await tab.command("Performance.enable")
            metrics = {item["name"]: item["value"] for item in (await tab.command("Performance.getMetrics"))["metrics"]}
            return (*counts, metrics["JSEventListeners"])

        await cycle()
        before = [await left(tab) for tab in (alice, bob)]
        for _ in range(CYCLES):
            await cycle()
        for tab in (alice, bob):
            count = await tab.run("made.sockets.length")
            await tab.cut_signalling()
            await tab.until(f"made.sockets.length > {count} && server.state === 'live'")
        for tab, then in zip((alice, bob), before):
            # Timers run out, and what was closed is collected, when the browser comes to it.
            end, now = time.monotonic() + 60, await left(tab)
            while any(count > base for count, base in zip(now, then, strict=True)):
                assert time.monotonic() < end, f"connections, timers and listeners: {now}, and before {then}"
                await asyncio.sleep(0.2)
                now = await left(tab)

    play(cluster, scenario, seconds=180 + 3 * CYCLES)


@pytest.mark.parametrize("client", [None, "websocket"], ids=["own", "official"])
def test_recovery(mongo, tmp_path, client):
    """T-26: the socket is cut, then its node dies; 200 events that were sent meanwhile come once each, in order."""
    cluster = Cluster(tmp_path, mongo, options=[*keys(tmp_path), "--recovery", "60"], prefix=f"recovering-{client}")

    async def scenario(stage):
        alice = await stage.person(stage.alice)
        tab = await alice.tab(node=0)
        sender = await alice.tab(node=1, live=False)
        tab.keep_failures_apart()
        await tab.run("submergence.on('encore', (...args) => seen.push(args), window.seen = [])")
        send = ASK % "'POST', '/encore', {body: {count: 100}}"
        assert await sender.run(ASK % "'POST', '/encore', {body: {count: 1}}") == [200, {"sent": 1}]
        await tab.until("seen.length === 1")
        # Whoever is cut off comes back when everything is sent.
        for work in (tab.cut_signalling, None):
            await tab.run("Math.random = () => 0.999")
            await tab.run("window.lost = new Promise(resolve => server.once('state', resolve)), 0")
            if work:
                await work()
            else:
                cluster.nodes[0].kill()
            await tab.run("lost")
            assert await sender.run(send) == [200, {"sent": 100}]
            await tab.until("server.state === 'live'", seconds=60)
        await tab.until("seen.length >= 201")
        assert await tab.run("seen") == [
            [0],
            *[[number] for number in range(100)],
            *[[number] for number in range(100)],
        ]

    try:
        play(cluster, scenario, clients=[client])
    finally:
        cluster.end()
