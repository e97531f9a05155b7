"""Sessions, revocation and domains over several nodes (SPEC ID-2, ID-6, ID-8, ID-9, ID-12, ID-13, ID-14, ID-16, ID-18,
TR-1)."""

import asyncio
import base64
import os
import re
import secrets
import signal

import aiohttp
import pytest
import socketio
from people import PATIENT, Tab
from processes import wait_for
from test_sessions import Browser, CookieTab


def write_keys(path, *keys):
    """A signing key file; the first signs, all verify."""
    lines = [base64.urlsafe_b64encode(key).decode().rstrip("=") + "\n" for key in keys]
    fresh = path.with_suffix(".new")
    fresh.write_text("".join(lines))
    os.chmod(fresh, 0o600)
    fresh.rename(path)


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "signing-keys"
    write_keys(path, secrets.token_bytes(32))
    return path


def options(key_file, *more):
    return ["--signing-keys", str(key_file), *PATIENT, *map(str, more)]


async def ask(http, node, cookies, path="/agent", method="GET", headers=None):
    """One request with exactly these cookies: status, content, and the cookies that the answer sets."""
    fields = {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()), **(headers or {})}
    async with http.request(method, node.url + path, headers=fields) as answer:
        lines = answer.headers.getall("set-cookie", [])
        made = dict(line.split(";")[0].split("=", 1) for line in lines if "Max-Age=0" not in line)
        return answer.status, (await answer.json())["content"], made


def plain():
    return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=0))


async def until(what, condition, *arguments, seconds=60):
    """Polls an asynchronous condition of these arguments until it is true; returns its value."""

    async def look():
        while True:
            value = await condition(*arguments)
            if value:
                return value
            await asyncio.sleep(0.05)

    try:
        return await asyncio.wait_for(look(), seconds)
    except TimeoutError:
        raise TimeoutError(f"waited {seconds} s for {what}") from None


def node_id(node):
    """What the node calls itself in its first incarnation."""
    return re.search(r"^node (\S+)", node.log(), re.MULTILINE)[1]


async def set_session(http, node, cookies):
    """The session cookie that an answer sets; None where it sets none."""
    return (await ask(http, node, cookies))[2].get("session")


async def is_guest(http, node, cookies):
    return (await ask(http, node, cookies))[1]["standing"] == "guest"


async def is_over(http, node, cookies):
    return (await ask(http, node, cookies))[1]["standing"] != "active"


async def is_idle(node, browser):
    return (await browser.get(node, "/agent"))[1]["standing"] == "idle"


class ProductTab(CookieTab):
    """A tab of a client that speaks the product's own events."""

    def __init__(self, url, cookies, auth=None):
        super().__init__(url, cookies)
        self.auth = {"v": 1, **(auth or {})}

    async def connect(self):
        self.client = socketio.AsyncClient(reconnection=False)
        self.client.on("*", self._on_event)
        headers = {"cookie": self.cookies} if self.cookies else {}
        await self.client.connect(
            self.url, headers=headers, auth=self.auth, transports=self.transports, wait_timeout=20
        )
        return self

    def events(self, name):
        return [arguments[0] for event, arguments in self.received if event == name]


class PollingTab(Tab):
    """A tab that polls, and sends its cookies with every request, as a browser does."""

    def __init__(self, url, cookies):
        super().__init__(url, None)
        self.cookies = cookies

    async def connect(self, namespaces=None):
        jar = aiohttp.CookieJar(unsafe=True)  # for a host without a name
        self._http = aiohttp.ClientSession(cookie_jar=jar, cookies=self.cookies)
        self.client = socketio.AsyncClient(reconnection=False, http_session=self._http)
        self.client.on("*", self._on_event)
        await self.client.connect(self.url, transports=["polling"], namespaces=namespaces, wait_timeout=20)
        return self


def test_renewal_races_over_three_nodes(mongo, nodes, key_file):
    """ID-9: many requests on three nodes come to one successor; the old cookie is good until that is presented, and for
    the grace; after a logout no token of the chain is good on any node."""

    async def run():
        three = nodes.start(3, mongo=mongo, options=options(key_file, "--session-lifespan", 3, "--renewal-grace", 2))
        for attempt in range(3):
            browser = await Browser().log_in(three[0], f"judy{attempt}", "laptop")
            old = dict(browser.cookies)
            async with plain() as http:
                first = await until("the token to be replaced", set_session, http, three[1], old)
                answers = await asyncio.gather(*(ask(http, three[index % 3], old) for index in range(60)))
                assert {content["standing"] for _, content, _ in answers} == {"active"}
                assert {made["session"] for _, _, made in answers if made} == {first}
                # The proof of domesticity is constant along the chain.
                assert {made["domestic"] for _, _, made in answers if made} == {old["domestic"]}
                assert first != old["session"]

                new = {**old, "session": first}
                assert (await ask(http, three[2], new))[1]["standing"] == "active"
                # Presented: the old one goes, on every node, and nobody is logged out by it.
                for node in three:
                    await until("the old token's end", is_guest, http, node, old)
                third = {**new, "session": await until("the third token", set_session, http, three[0], new)}
                assert (await ask(http, three[1], third, "/logout", "POST"))[0] == 200
                for cookies in (old, new, third):
                    for node in three:
                        await until("the end of every token", is_over, http, node, cookies)
        assert sum(node.metric("submergence_session_superseded_total") for node in three) > 0

    asyncio.run(run())


def test_renewals_race_with_a_logout(mongo, nodes, key_file):
    """ID-9, ID-13: whatever renewals are under way when somebody logs out, nothing that they hand out is good then."""

    async def run():
        three = nodes.start(
            3, mongo=mongo, options=options(key_file, "--session-lifespan", 1, "--session-renewal-timeout", 400)
        )
        for attempt in range(8):
            user = f"ken{attempt}"
            browser = await Browser().log_in(three[0], user, "laptop")
            other = await Browser().log_in(three[1], user, "phone")
            old = dict(browser.cookies)
            async with plain() as http:
                await until("the token to be replaced", set_session, http, three[2], old)
                racers = [asyncio.create_task(ask(http, three[index % 3], old)) for index in range(40)]
                leaving = asyncio.create_task(ask(http, three[attempt % 3], other.cookies, "/logout", "POST"))
                racers += [asyncio.create_task(ask(http, three[index % 3], old)) for index in range(40)]
                answers = await asyncio.gather(*racers)
                assert (await leaving)[0] == 200
                told = {made["session"] for _, _, made in answers if "session" in made} | {old["session"]}
                for session in told:
                    for node in three:
                        await until("the end of every token", is_over, http, node, {"session": session})

    asyncio.run(run())


@pytest.mark.parametrize("is_claimed", [False, True], ids=["briefly", "until it is claimed"])
def test_logout_while_a_node_is_paused(mongo, nodes, key_file, is_claimed):
    """ID-13: a node that was stopped while somebody logged out cuts their sockets when it wakes, and its cache does not
    serve their session; the deciding node measures how long it took."""

    async def run():
        first, second, paused = nodes.start(3, mongo=mongo, options=options(key_file))
        laptop = await Browser().log_in(first, "leo", "laptop")
        phone = await Browser().log_in(second, "leo", "phone")
        other = await Browser().log_in(second, "mia", "laptop")
        tabs = [await laptop.open(first), await phone.open(second), await laptop.open(paused), await phone.open(paused)]
        polling = PollingTab(paused.url, laptop.cookies)
        tabs.append(await polling.connect())
        for tab in tabs:
            assert await tab.echo(1) == 1
        bystander = await other.open(first)
        for browser in (laptop, phone):
            assert (await browser.get(paused, "/agent"))[1]["standing"] == "active"
        stolen = dict(laptop.cookies)

        # Nodes of tests before this one may be reaped meanwhile.
        def reaped():
            return f"node={node_id(paused)}" in first.log() + second.log()

        paused.process.send_signal(signal.SIGSTOP)
        try:
            assert (await laptop.post(first, "/logout"))[0] == 200
            for tab in tabs[:2]:
                await tab.gone()
            await asyncio.sleep(3)  # it is stopped for longer than probes of the bus may be old
            if is_claimed:
                await asyncio.to_thread(wait_for, "a survivor to claim the node", reaped, 60)
        finally:
            paused.process.send_signal(signal.SIGCONT)
        async with plain() as http:
            # The very first request that it serves, and every one after it.
            for _ in range(20):
                status, content, _ = await ask(http, paused, stolen)
                assert status == 503 or content["standing"] != "active"
        for tab in tabs[2:]:
            await tab.gone(40)
        assert await bystander.echo("still here") == "still here"
        if not is_claimed:
            await asyncio.to_thread(
                wait_for,
                "the last report",
                lambda: first.metric("submergence_revocation_seconds_count") >= 1,
            )
            assert first.metric("submergence_revocation_sockets_cut_total") == 5
        await bystander.close()

    asyncio.run(run())


def test_revocation_reaches_every_namespace_and_transport(mongo, nodes, key_file):
    """ID-13, ID-14: a socket that has joined no `/`, and one that polls, are cut like any other."""

    async def run():
        first, second = nodes.start(2, mongo=mongo, options=options(key_file))
        for act in ("logout", "kick"):
            browser = await Browser().log_in(first, f"nora-{act}", "laptop")
            streaming = socketio.AsyncClient(reconnection=False)
            await streaming.connect(
                second.url,
                headers={"cookie": browser.header},
                transports=["websocket"],
                namespaces=["/custom"],
                wait_timeout=20,
            )
            polling = await PollingTab(second.url, browser.cookies).connect(["/custom"])
            clients = [streaming, polling.client]
            if act == "logout":
                assert (await browser.post(first, "/logout"))[0] == 200
            else:
                async with Tab(first.url, "admin") as admin:
                    assert await admin.client.call("kick", ("nora-kick",), timeout=20) is True
            for client in clients:
                await until("the end of its namespace", is_out, client)
            await streaming.disconnect()
            await polling.close()

    async def is_out(client):
        return "/custom" not in client.namespaces

    asyncio.run(run())


def test_a_socket_outlives_its_session_and_not_its_login(nodes, key_file):
    """ID-16: passing sessionLifespan asks the client and does not cut it; at loginLifespan it ends, and is told why.
    ID-8: the open connection is activity."""

    async def run():
        (node,) = nodes.start(
            1,
            options=options(
                key_file,
                *("--session-lifespan", 2, "--session-renewal-timeout", 3, "--login-lifespan", 9),
                *("--activity-resolution", 1),
            ),
        )
        browser = await Browser().log_in(node, "olga", "laptop")
        product = await ProductTab(node.url, browser.header, {"domestic": browser.cookies["domestic"]}).connect()
        plain_tab = await browser.open(node)
        await product.until(lambda tab: tab.events("session"))
        assert product.events("session") == [{"renew": True}]
        assert await product.echo("not cut") == "not cut"
        # The client does as it was asked.
        await until("the renewal", renewed, node, browser)
        await product.until(lambda tab: tab.events("logout"))
        assert product.events("logout")[-1] == {"reason": "expired", "reconnect": False}
        for tab in (product, plain_tab):
            await tab.gone()
        assert not plain_tab.received or all(name in ("auth", "logout") for name, _ in plain_tab.received)
        assert (await browser.get(node, "/agent"))[1]["standing"] != "active"

    async def renewed(node, browser):
        before = browser.cookies["session"]
        await browser.get(node, "/agent")
        return browser.cookies["session"] != before

    asyncio.run(run())


def test_signing_keys_rotate_while_nodes_run(mongo, nodes, key_file):
    """ID-2: the first key signs, all verify; a removed key makes its tokens wrong, and leaves the identity as it is."""

    async def run():
        first, second = nodes.start(2, mongo=mongo, options=options(key_file, "--signing-key-refresh", "0.2"))
        old, new = secrets.token_bytes(32), secrets.token_bytes(32)
        changes = "submergence_signing_key_changes_total"

        async def rotate(*keys):
            before = [node.metric(changes) for node in (first, second)]
            write_keys(key_file, *keys)
            for node, count in zip((first, second), before):
                await asyncio.to_thread(wait_for, "new keys", lambda n=node, c=count: n.metric(changes) > c)

        await rotate(old)
        browser = await Browser().log_in(first, "pia", "laptop")

        async def is_domestic(node):
            agent = (await browser.get(node, "/agent"))[1]
            assert agent["standing"] == "active"
            return agent["domestic"]

        await rotate(new, old)
        assert await is_domestic(first) and await is_domestic(second)
        fresh = await Browser().log_in(second, "quin", "laptop")
        await rotate(new)
        assert not await is_domestic(first) and not await is_domestic(second)
        assert (await fresh.get(first, "/agent"))[1]["domestic"]

    asyncio.run(run())


class DomainTab(Tab):
    """A tab that asks for a domain, whatever the address is that it comes to."""

    def __init__(self, node, domain, user, client="laptop", cookies=None):
        super().__init__(node.url, user, client)
        self.headers = {"host": f"{domain}:{node.port}"}
        if cookies is not None:
            self.headers["cookie"] = cookies
            self.auth = None

    async def connect(self):
        self.client = socketio.AsyncClient(reconnection=False)
        self.client.on("*", self._on_event)
        await self.client.connect(
            self.url, headers=self.headers, auth=self.auth, transports=["websocket"], wait_timeout=20
        )
        return self


def test_domains_do_not_meet(mongo, nodes, key_file):
    """TR-1, ID-1: the same user in two domains of one cluster, one of them under an alias: no event, session, presence,
    room or cache entry crosses; nor do logout and kick."""

    async def run():
        names = ["--domain", "a.localhost", "--domain", "b.localhost", "--alias", "www.a.localhost=a.localhost"]
        # Who is kicked is off line at once, whatever grace there is.
        names += ["--live-requires", "active", "--presence-grace", "600"]
        first, second = nodes.start(2, mongo=mongo, options=options(key_file, *names))
        async with plain() as http:

            async def log_in(node, domain):
                host = {"host": f"{domain}:{node.port}", "content-type": "application/json"}
                body = '{"user":"alice","client":"laptop"}'
                async with http.post(node.url + "/login", headers=host, data=body) as answer:
                    assert answer.status == 200, await answer.text()
                    lines = answer.headers.getall("set-cookie")
                    return dict(line.split(";")[0].split("=", 1) for line in lines if "Max-Age=0" not in line)

            async def standing(node, domain, cookies):
                headers = {"host": f"{domain}:{node.port}", "x-domestic": cookies["domestic"]}
                content = (await ask(http, node, cookies, headers=headers))[1]
                return content["standing"], content["domestic"]

            a, b = await log_in(first, "a.localhost"), await log_in(second, "b.localhost")
            for node in (first, second):
                # Twice: once read, once from the cache, in either order of the domains.
                for _ in range(2):
                    for domain in ("a.localhost", "www.a.localhost", "A.LOCALHOST."):
                        assert await standing(node, domain, a) == ("active", True)
                    assert await standing(node, "b.localhost", a) == ("guest", False)
                    assert await standing(node, "a.localhost", b) == ("guest", False)
                    assert await standing(node, "b.localhost", b) == ("active", True)
            async with http.get(first.url + "/agent", headers={"host": f"c.localhost:{first.port}"}) as answer:
                assert answer.status == 421

            def header(cookies):
                return "; ".join(f"{name}={value}" for name, value in cookies.items())

            tabs = {
                "a": [
                    await DomainTab(first, "a.localhost", "alice", cookies=header(a)).connect(),
                    await DomainTab(second, "www.a.localhost", "alice", cookies=header(a)).connect(),
                ],
                "b": [
                    await DomainTab(first, "b.localhost", "alice", cookies=header(b)).connect(),
                    await DomainTab(second, "b.localhost", "alice", cookies=header(b)).connect(),
                ],
            }
            # A session of one domain opens no connection in another.
            with pytest.raises(socketio.exceptions.ConnectionError):
                await DomainTab(first, "b.localhost", "alice", cookies=header(a)).connect()

            for name in ("a", "b"):
                receipt = await tabs[name][0].publish("alice", f"for {name}")
                assert receipt["didReceive"] and receipt["isComplete"]
                for tab in tabs[name]:
                    await tab.until(lambda tab: tab.messages())
            for name in ("a", "b"):
                for tab in tabs[name]:
                    assert tab.messages() == [f"for {name}"]

            # Rooms of one name, and whoever is in the namespace.
            for name in ("a", "b"):
                for tab in tabs[name]:
                    await tab.client.call("room:join", (["lobby"],), timeout=20)
            for name in ("a", "b"):
                order = {"rooms": ["lobby"], "event": "msg", "arguments": [f"room {name}"]}
                await tabs[name][1].client.call("room:emit", order, timeout=20)
                for tab in tabs[name]:
                    await tab.until(lambda tab: len(tab.messages()) > 1)
            for name in ("a", "b"):
                for tab in tabs[name]:
                    assert tab.messages() == [f"for {name}", f"room {name}"]

            def announced():
                entries = first.presence() + second.presence()
                alice = [entry for entry in entries if entry["user"] == "alice" and entry["t"].startswith("user")]
                return sorted((entry["domain"], entry["t"]) for entry in alice)

            await asyncio.to_thread(
                wait_for,
                "both to be announced",
                lambda: announced() == [("a.localhost", "userOnline"), ("b.localhost", "userOnline")],
            )

            async with DomainTab(first, "a.localhost", "admin") as admin:
                await admin.client.call("kick", ("alice",), timeout=20)
            for tab in tabs["a"]:
                await tab.gone()
            for tab in tabs["b"]:
                assert await tab.echo("here") == "here"
            assert await standing(second, "a.localhost", a) == ("active", True)
            host = {"host": f"a.localhost:{second.port}"}
            assert (await ask(http, second, a, "/logout", "POST", host))[0] == 200

            async def is_logged_out():
                return (await standing(first, "a.localhost", a))[0] == "idle"

            await until("the logout to arrive", is_logged_out)
            assert await standing(first, "b.localhost", b) == ("active", True)
            await asyncio.to_thread(
                wait_for,
                "one to be announced off line",
                lambda: (
                    announced()
                    == [("a.localhost", "userOffline"), ("a.localhost", "userOnline"), ("b.localhost", "userOnline")]
                ),
            )
            for tab in tabs["b"]:
                assert await tab.echo("here") == "here"
                await tab.close()

    asyncio.run(run())


def test_who_may_be_live(nodes, key_file):
    """ID-18: guests and idle agents cannot open live connections; by option they can, as nobody."""

    async def run():
        for requirement, guests, idle in [
            ("active", False, False),
            ("identified", False, True),
            ("nothing", True, True),
        ]:
            (node,) = nodes.start(1, options=options(key_file, "--live-requires", requirement, "--login-lifespan", 1))
            browser = Browser()
            body = {"user": "rosa", "client": "laptop", "remember": True}
            assert (await browser.post(node, "/login", body))[0] == 200
            await until("the end of the login", is_idle, node, browser)
            for cookies, is_admitted in [("", guests), (browser.header, idle)]:
                tab = CookieTab(node.url, cookies)
                if is_admitted:
                    await tab.connect()
                    assert (await tab.publish("rosa", "hello"))["didReceive"] is False, "it is nobody's connection"
                    await tab.close()
                else:
                    with pytest.raises(socketio.exceptions.ConnectionError):
                        await tab.connect()
                    assert node.metric("submergence_live_connects_refused_total") > 0

    asyncio.run(run())
