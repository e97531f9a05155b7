"""Hostile pages in a real browser, through nginx with TLS, and against a node in development mode (SPEC TR-1, TR-5,
ID-2 to ID-5, ID-10, ID-18). Each attempt has no effect at the server, and moves the counter that
docs/security-cases.md names; what browsers themselves refuse is tried by a client of no browser, too. The victim is
logged in, in the same browser."""

import asyncio
import json
import secrets

import pytest
from hostile_scripts import ATTACKS, POLLING, WEBSOCKET, in_sandbox, script
from hostile_web import APP, ATTACKER, OTHER_PORT, PLAIN, SIBLING, Attempt, Stage, TLSNginx, eventually

LOGIN = 'submergence_errors_total{code="LOGIN"}'
DOMESTIC = 'submergence_errors_total{code="DOMESTIC"}'
FOREIGN = 'submergence_errors_total{code="FOREIGN"}'
URL = 'submergence_errors_total{code="URL"}'
PREFLIGHT = 'submergence_http_requests_refused_total{reason="preflight"}'
UNKNOWN_DOMAIN = 'submergence_http_requests_refused_total{reason="domain"}'
FOREIGN_PAGE = 'submergence_http_requests_refused_total{reason="foreign"}'
WRONG_PROOF = 'submergence_session_proofs_refused_total{reason="wrong"}'
FOREIGN_PROOF = 'submergence_session_proofs_refused_total{reason="foreign"}'
MALFORMED_COOKIE = "submergence_session_cookies_malformed_total"
FOREIGN_SOCKET = 'submergence_live_connects_refused_total{code="FOREIGN"}'
GUEST_SOCKET = 'submergence_live_connects_refused_total{code="LOGIN"}'
FOREIGN_HANDSHAKE = "submergence_engine_handshakes_foreign_total"
OF_ANOTHER = 'submergence_engine_requests_refused_total{reason="sessionOfAnother"}'
FORBIDDEN = 'submergence_engine_requests_refused_total{reason="forbidden"}'
NO_SUCH_HOST = 'submergence_engine_requests_refused_total{reason="unknownDomain"}'


class Play:
    """The stage, and the victim with a window at each hostile place, which tests share that change nothing."""

    def __init__(self, runner, stage):
        self._runner, self.stage = runner, stage
        self.bank = stage.bank
        self._windows = {}
        self.victim = None

    def run(self, scenario):
        return self._runner.run(scenario)

    async def window(self, address):
        self.victim = self.victim or await self.stage.person()
        if address == APP:
            return self.victim.home
        if address not in self._windows:
            self._windows[address] = await self.victim.open(address + "/")
        return self._windows[address]


@pytest.fixture(scope="module")
def play(tmp_path_factory):
    with asyncio.Runner() as runner:
        stage = runner.run(Stage.up(tmp_path_factory.mktemp("hostile")))
        try:
            yield Play(runner, stage)
        finally:
            runner.run(stage.down())


def refusal(address, attack):
    """What counts an attack from there. A sibling is the same site, so the cookie comes with its requests."""
    if attack == "fetch, JSON":
        return PREFLIGHT
    return DOMESTIC if address == SIBLING else LOGIN


# ---- requests that a page can make of its own


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("address", [ATTACKER, SIBLING])
def test_requests_of_foreign_pages(play, address, attack):
    """ID-5, AC-4: whatever a foreign page sends, in whatever form, does nothing in the victim's name."""
    expression, _ = ATTACKS[attack]

    async def scenario():
        window = await play.window(address)
        async with Attempt(play.bank, refusal(address, attack)):
            await window.run(script(expression, APP))
        # A guess is as good as none.
        guess = secrets.token_urlsafe(32)
        async with Attempt(play.bank, refusal(address, attack)):
            await window.run(script(expression, APP, guess))

    play.run(scenario())


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_same_requests_of_the_own_page(play, attack):
    """ID-5: from the application's own page, with its proof, the very same scripts work."""
    expression, kind = ATTACKS[attack]

    async def scenario():
        window = await play.window(APP)
        async with Attempt(play.bank, None, effects=[(kind, "mallory")]):
            await window.run(script(expression, APP, play.victim.proof))
        if attack == "fetch, JSON":
            return
        async with Attempt(play.bank, DOMESTIC):  # without the proof: the same site is not the same origin
            await window.run(script(expression, APP))

    play.run(scenario())


@pytest.mark.parametrize(("address", "counter"), [(ATTACKER, LOGIN), (SIBLING, DOMESTIC)])
def test_top_level_navigation(play, address, counter):
    """ID-3, ID-4: SameSite=Lax lets the cookie come with a link, not with another site's form; neither has the
    proof."""

    async def scenario():
        victim = await play.stage.person()
        window = await victim.open(address + "/")
        async with Attempt(play.bank, DOMESTIC):
            await window.follow(f"location = '{APP}/gift?to=mallory'")
        await window.go(address + "/")
        async with Attempt(play.bank, counter):
            await window.follow(
                f"""document.body.innerHTML = '<form method=post action="{APP}/transfer"><input name=to value=mallory>';
                document.forms[0].submit()"""
            )
        assert (await victim.seen_as())["user"] == victim.user

    play.run(scenario())


@pytest.mark.parametrize("address", [ATTACKER, SIBLING])
@pytest.mark.parametrize("frame", ["sandbox", "sandbox with forms", "data"])
def test_null_origins(play, address, frame):
    """ID-5: a sandboxed frame and a data: address have the origin `null`, which is nobody's."""
    attributes = {
        "sandbox": "{sandbox: 'allow-scripts', srcdoc: page}",
        "sandbox with forms": "{sandbox: 'allow-scripts allow-forms', srcdoc: page}",
        "data": "{src: 'data:text/html,' + encodeURIComponent(page)}",
    }[frame]

    async def scenario():
        window = await play.window(address)
        attacks = ["fetch, JSON as text", "XHR"] + ([] if frame == "sandbox" else ["form"])
        for attack in attacks:
            async with Attempt(play.bank, LOGIN):
                await window.run(in_sandbox(attributes, script(ATTACKS[attack][0], APP)))
        async with Attempt(play.bank, FOREIGN_SOCKET):
            assert "FOREIGN" in await window.run(in_sandbox(attributes, script(WEBSOCKET, APP)))
        async with Attempt(play.bank, FOREIGN_HANDSHAKE):
            assert await window.run(in_sandbox(attributes, script(POLLING, APP))) == "refused"

    play.run(scenario())


def test_answers_are_not_for_other_origins(play):
    """TR-5: no page of another origin reads an answer, however it asks; nor does it become a script there."""

    async def scenario():
        for address in (ATTACKER, SIBLING):
            window = await play.window(address)
            for mode in ("cors", "no-cors"):
                seen = await window.run(
                    f"fetch('{APP}/secret', {{credentials: 'include', mode: '{mode}'}})"
                    ".then(answer => answer.text(), () => 'refused')"
                )
                assert seen == ("refused" if mode == "cors" else "")
            assert (
                await window.run(
                    f"""new Promise(resolve => {{
                    const script = Object.assign(document.createElement('script'), {{src: '{APP}/secret'}});
                    script.onload = () => resolve('ran');
                    script.onerror = () => resolve('refused');
                    document.body.append(script);
                }})"""
                )
                == "refused"
            )
            # With a header of its own a browser asks first, with credentials or without.
            async with Attempt(play.bank, PREFLIGHT):
                seen = await window.run(
                    f"fetch('{APP}/secret', {{credentials: 'include', method: 'PUT', headers: {{'x-domestic': 'x'}}}})"
                    ".then(answer => answer.text(), () => 'refused')"
                )
                assert seen == "refused"
        own = await play.window(APP)
        assert "the secret of" in await own.run("fetch('/secret').then(answer => answer.text())")

    play.run(scenario())


@pytest.mark.parametrize("origin", [ATTACKER, SIBLING, PLAIN, OTHER_PORT, "null"])
def test_preflights_get_no_permission(play, origin):
    """TR-5: 204 before routing, and nothing in it that a browser could take for a yes."""
    asks = [
        ("origin", origin),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "x-domestic"),
    ]

    async def scenario():
        for target in ("/transfer", "/nowhere", "/"):
            async with Attempt(play.bank, PREFLIGHT):
                answer, body = play.bank.request("OPTIONS", target, asks)
                assert (answer.status, body) == (204, b"")
                assert not [name for name in answer.headers if name.lower().startswith("access-control")]
                assert "Origin" in answer.headers["vary"]

    play.run(scenario())


# ---- frames


def test_clickjacking(play):
    """DESIGN §7: no page of the application is shown in a frame, not even in one of its own."""

    async def scenario():
        for address in (ATTACKER, SIBLING, APP):
            window = await play.window(address)
            window.problems.clear()
            await window.run(script("loads('iframe', {src: base + '/', style: 'opacity: 0'})", APP))
            await eventually("the frame to be refused", lambda: any("frame" in text for text in window.problems))

    play.run(scenario())


# ---- sockets


@pytest.mark.parametrize("address", [ATTACKER, SIBLING, PLAIN, OTHER_PORT])
def test_websocket_from_elsewhere(play, address):
    """ID-18: browsers let any page open a WebSocket, with the cookie where it is the same site: it joins nothing."""

    async def scenario():
        window = await play.window(address)
        async with Attempt(play.bank, FOREIGN_SOCKET):
            assert await window.run(script(WEBSOCKET, APP)) == '44{"message":"FOREIGN"}'
        async with Attempt(play.bank, FOREIGN_SOCKET):  # a right proof does not help
            auth = json.dumps({"v": 1, "domestic": play.victim.proof})
            assert "FOREIGN" in await window.run(script(WEBSOCKET, APP, auth=auth))

    play.run(scenario())


@pytest.mark.parametrize("address", [ATTACKER, SIBLING, PLAIN, OTHER_PORT])
def test_long_polling_from_elsewhere(play, address):
    """ID-18, TR-5: the answer with the session's ID is not for a foreign page."""

    async def scenario():
        window = await play.window(address)
        async with Attempt(play.bank, FOREIGN_HANDSHAKE):
            assert await window.run(script(POLLING, APP)) == "refused"

    play.run(scenario())


def test_sockets_of_the_own_page(play):
    """LC-5: the same scripts work from the application's own page."""

    async def scenario():
        window = await play.window(APP)
        async with Attempt(play.bank, None, effects=[("socket", "mallory")]):
            assert await window.run(script(WEBSOCKET, APP)) == "431[true]"
        async with Attempt(play.bank, None, effects=[("socket", "mallory")]):
            assert await window.run(script(POLLING, APP)) == "done"
        stranger = await play.stage.person(logged_in=False)
        async with Attempt(play.bank, GUEST_SOCKET):
            assert await stranger.home.run(script(WEBSOCKET, APP)) == '44{"message":"LOGIN"}'

    play.run(scenario())


def test_sockets_of_no_browser(play):
    """ID-18: with the victim's cookie, proof and all, an origin that is not the domain's is refused: browsers are not
    asked to be the only guard."""

    async def scenario():
        cookies = play.bank.log_in("raw")
        for origin in (ATTACKER, SIBLING, PLAIN, OTHER_PORT, "null", "https://app.example.attacker.example"):
            fields = [("cookie", f"__Host-session={cookies['__Host-session']}"), ("origin", origin)]
            async with Attempt(play.bank, FOREIGN_SOCKET):
                text = polled(play.bank, fields, json.dumps({"v": 1, "domestic": cookies["__Host-domestic"]}))
                assert '44{"message":"FOREIGN"}' in text
        fields = [("cookie", f"__Host-session={cookies['__Host-session']}"), ("origin", APP)]
        assert '"domestic":true' in polled(
            play.bank, fields, json.dumps({"v": 1, "domestic": cookies["__Host-domestic"]})
        )
        async with Attempt(play.bank, WRONG_PROOF):
            assert '"domestic":false' in polled(play.bank, fields, json.dumps({"v": 1, "domestic": "A" * 43}))

    play.run(scenario())


def opened(bank, fields, **options):
    """The ID of a polling session of no browser."""
    answer, body = bank.request("GET", "/socket.io/?EIO=4&transport=polling", fields, **options)
    assert answer.status == 200, body
    return json.loads(body[1:])["sid"]


def polled(bank, fields, auth=""):
    """What a polling client gets to read for its CONNECT, up to `ready` or a refusal."""
    target = f"/socket.io/?EIO=4&transport=polling&sid={opened(bank, fields)}"
    answer, _ = bank.request("POST", target, fields, b"40" + auth.encode())
    assert answer.status == 200
    text = ""
    while '"ready"' not in text and "44{" not in text:
        text += bank.request("GET", target, fields)[1].decode()
    return text


# ---- a session's ID that somebody saw


# Polls of a page, which knows the session's ID.
BEGIN = """(async () => {
    const url = base + '/socket.io/?EIO=4&transport=polling';
    const sid = JSON.parse((await (await fetch(url)).text()).slice(1)).sid;
    await fetch(`${url}&sid=${sid}`, {method: 'POST', body: '40'});
    for (let text = ''; !text.includes('40{');) text = await (await fetch(`${url}&sid=${sid}`)).text();
    return sid;
})()"""
READ = """fetch(`${base}/socket.io/?EIO=4&transport=polling&sid=${sid}`, {credentials: 'include'})
    .then(answer => answer.text().then(text => answer.status + text), () => 'refused')"""
WRITE = """fetch(`${base}/socket.io/?EIO=4&transport=polling&sid=${sid}`,
    {method: 'POST', credentials: 'include', mode, body: '421["transfer","mallory"]'})
    .then(answer => answer.status, () => 'refused')"""


def test_a_polling_session_outlives_its_cookie(play):
    """ID-10: another login of the same person on the same device keeps its sockets, those that poll too."""

    async def scenario():
        person = await play.stage.person()
        sid = await person.home.run(script(BEGIN, APP))
        for _ in range(2):
            await person.log_in()
            async with Attempt(play.bank, None, effects=[("socket", "mallory")]):
                assert await person.home.run(script(WRITE, APP, sid=sid, mode="cors")) == 200
            assert "431[true]" in await person.home.run(script(READ, APP, sid=sid))

    play.run(scenario())


def test_stolen_polling_session(play):
    """ID-18, LC-6: who has seen the ID of a polling session, in an address, but has not its cookie, can neither read,
    nor write, nor take it over; and the victim does not notice."""
    unknown = '400{"code":1,"message":"Session ID unknown"}'

    async def scenario():
        victim = await play.stage.person()
        sid = await victim.home.run(script(BEGIN, APP))
        mallory, stranger = await play.stage.person(), await play.stage.person(logged_in=False)
        for thief in (mallory, stranger):  # another browser: logged in as somebody else, and not at all
            async with Attempt(play.bank, OF_ANOTHER):
                assert await thief.home.run(script(READ, APP, sid=sid)) == unknown
            async with Attempt(play.bank, OF_ANOTHER):
                assert await thief.home.run(script(WRITE, APP, sid=sid, mode="cors")) == 400
            async with Attempt(play.bank, OF_ANOTHER):
                assert await thief.home.run(script(WEBSOCKET, APP, sid=f"&sid={sid}")) == "closed"
        for address in (SIBLING, ATTACKER):  # the victim's own browser, on a foreign page
            window = await victim.open(address + "/")
            async with Attempt(play.bank, OF_ANOTHER):
                await window.run(script(WRITE, APP, sid=sid, mode="no-cors"))
            async with Attempt(play.bank, OF_ANOTHER):
                assert await window.run(script(WEBSOCKET, APP, sid=f"&sid={sid}")) == "closed"
            async with Attempt(play.bank, OF_ANOTHER):
                assert await window.run(script(READ, APP, sid=sid)) == "refused"
        target = f"/socket.io/?EIO=4&transport=polling&sid={sid}"
        for fields in ([], [("cookie", "__Host-session=v1." + "A" * 43)], [("x-forwarded-for", "192.0.2.1")]):
            async with Attempt(play.bank, OF_ANOTHER, times=2):
                assert play.bank.request("GET", target, fields, source="127.0.0.2")[0].status == 400
                assert play.bank.request("POST", target, fields, b'42["transfer","mallory"]')[0].status == 400
        async with Attempt(play.bank, None, effects=[("socket", "mallory")]):
            assert await victim.home.run(script(WRITE, APP, sid=sid, mode="cors")) == 200
        assert "431[true]" in await victim.home.run(script(READ, APP, sid=sid))

    play.run(scenario())


# ---- tokens


def test_tokens_that_prove_nothing(play):
    """ID-2, ID-4, ID-5: forged, cut, stale, of another user, of another domain: not domestic, whichever way it is
    sent."""

    async def scenario():
        victim = await play.stage.person()
        stale = victim.proof
        await victim.log_in()
        mallory = await play.stage.person()
        elsewhere = play.bank.log_in(victim.user, host="other.example")["__Host-domestic"]
        flipped = victim.proof[:-2] + ("AA" if victim.proof[-2:] != "AA" else "BA")
        tokens = {
            "empty": "",
            "forged": secrets.token_urlsafe(32),
            "cut": victim.proof[:-1],
            "longer": victim.proof + "A",
            "one changed": flipped,
            "stale": stale,
            "of another user": mallory.proof,
            "of another domain": elsewhere,
        }
        assert len({*tokens.values(), victim.proof}) == len(tokens) + 1
        ways = {
            "header": """answers(fetch(base + '/transfer', {method: 'POST', body: '{"to":"mallory"}',
                headers: {'content-type': 'application/json', 'x-domestic': token}}))""",
            "form": "submits('/transfer', 'application/x-www-form-urlencoded', {to: 'mallory', _domestic: token})",
            "query": "answers(fetch(base + '/gift?to=mallory&_domestic=' + token))",
        }
        for token in tokens.values():
            for way in ways.values():
                async with Attempt(play.bank, DOMESTIC):
                    async with Attempt(play.bank, WRONG_PROOF):
                        await victim.home.run(script(way, APP, token=token))
        for way, kind in (("header", "transfer"), ("form", "transfer"), ("query", "gift")):
            async with Attempt(play.bank, None, effects=[(kind, "mallory")]):
                await victim.home.run(script(ways[way], APP, token=victim.proof))

    play.run(scenario())


@pytest.mark.parametrize("address", [SIBLING, OTHER_PORT])
@pytest.mark.parametrize("referrer", ["unsafe-url", "no-referrer"])
def test_a_right_token_of_a_foreign_page(play, address, referrer):
    """ID-5: even who has read the token proves nothing from another origin, port or scheme; nor without a referrer,
    which makes the origin of a form `null`."""

    async def scenario():
        victim = await play.stage.person()
        window = await victim.open(f"{address}/?referrer={referrer}")
        if address == OTHER_PORT:  # cookies know no ports: the page of another service on that host has the token
            assert victim.proof in await window.run("document.cookie")
        for attack in (name for name in ATTACKS if name != "fetch, JSON"):
            async with Attempt(play.bank, FOREIGN_PROOF):
                await window.run(script(ATTACKS[attack][0], APP, victim.proof))

    play.run(scenario())


def test_right_tokens_of_no_browser(play):
    """ID-5: the origin decides, not the browser: cookie and proof are right, and the origin is none of ours."""
    origins = [
        *(ATTACKER, SIBLING, PLAIN, OTHER_PORT, "null", "", "https://app.example:444", "https://app.example.evil"),
        *("https://APP.example.", "https://app.example/path", "app.example", "https://other.example", "file://"),
    ]

    async def scenario():
        cookies = play.bank.log_in("raw")
        session, proof = cookies["__Host-session"], cookies["__Host-domestic"]
        fields = [("cookie", f"__Host-session={session}"), ("content-type", "application/json"), ("x-domestic", proof)]
        for origin in origins:
            if origin == "https://APP.example.":  # the same host, written otherwise
                continue
            async with Attempt(play.bank, FOREIGN_PROOF):
                answer, _ = play.bank.request("POST", "/transfer", [*fields, ("origin", origin)], b'{"to":"mallory"}')
                assert answer.status == 403, origin
        async with Attempt(play.bank, FOREIGN_PROOF):
            twice = [*fields, ("origin", APP), ("origin", ATTACKER)]
            assert play.bank.request("POST", "/transfer", twice, b'{"to":"mallory"}')[0].status == 403
        for right in (
            [("origin", APP)],
            [("origin", "https://APP.example.")],
            [("origin", "https://app.example:443")],
            [],
        ):
            async with Attempt(play.bank, None, effects=[("transfer", "mallory")]):
                answer, _ = play.bank.request("POST", "/transfer", [*fields, *right], b'{"to":"mallory"}')
                assert answer.status == 200, right

    play.run(scenario())


# ---- other schemes, ports and names


@pytest.mark.parametrize("address", [PLAIN, OTHER_PORT])
def test_other_scheme_and_port(play, address):
    """ID-5: `http://app.example`, which anybody on the network can be, and another service on the same host."""
    counter = LOGIN if address == PLAIN else DOMESTIC  # another scheme is another site; another port is not

    async def scenario():
        window = await play.window(address)
        for attack in ("form", "XHR", "image", "fetch, JSON as text"):
            async with Attempt(play.bank, counter):
                await window.run(script(ATTACKS[attack][0], APP))
        async with Attempt(play.bank, PREFLIGHT):
            await window.run(script(ATTACKS["fetch, JSON"][0], APP, "guess"))

    play.run(scenario())


def test_dns_rebinding(play):
    """TR-1, TR-3: a name of the attacker's that leads to us. The proxy answers no such name; the node itself says
    421."""
    name = "rebind.example"

    async def scenario():
        browser = play.stage.browser
        window = await browser.open("about:blank")
        for address in (f"https://{name}/secret", f"http://{name}/secret"):
            with pytest.raises(RuntimeError, match="net::ERR"):
                await window.go(address)
        for bank in (play.bank, play.stage.development):
            host = f"{name}:{bank.port}"
            page = await browser.open("about:blank")
            async with Attempt(bank, UNKNOWN_DOMAIN):
                await page.go(f"http://{host}/secret")
            assert "DOMAIN" in await page.run("document.body.innerText")
            # Rebound, page and target are one origin for the browser: the host alone tells.
            async with Attempt(bank, UNKNOWN_DOMAIN):
                await page.run(script(ATTACKS["XHR"][0], f"http://{host}"))
            for sneaky in (
                name,
                f"app.example@{name}",
                f"{name}.",
                "app.example.attacker.example",
                "127.0.0.1.attacker.example",
            ):
                answer, _ = bank.request("GET", "/me", [("x-forwarded-host", "app.example")], host=sneaky)
                assert answer.status in (400, 421)
            async with Attempt(bank, NO_SUCH_HOST):
                assert await page.run(script(WEBSOCKET, f"http://{host}")) == "closed"
            async with Attempt(bank, NO_SUCH_HOST):
                polling = "answers(fetch(base + '/socket.io/?EIO=4&transport=polling'))"
                assert await page.run(script(polling, f"http://{host}")) == 421

    play.run(scenario())


def test_dns_rebinding_of_a_known_session(play):
    """TR-1: nor does a session that polls answer to another name."""

    async def scenario():
        cookies = play.bank.log_in("raw")
        fields = [("cookie", f"__Host-session={cookies['__Host-session']}")]
        target = f"/socket.io/?EIO=4&transport=polling&sid={opened(play.bank, fields)}"
        async with Attempt(play.bank, NO_SUCH_HOST):
            assert play.bank.request("GET", target, fields, host="rebind.example")[0].status == 421
        async with Attempt(play.bank, OF_ANOTHER):
            assert play.bank.request("GET", target, fields, host="other.example")[0].status == 400
        assert play.bank.request("POST", target, fields, b"40")[0].status == 200

    play.run(scenario())


# ---- cookies


def tossed(value):
    """Lines by which a sibling, or who is between, plants a session: in the parent's name, or by look-alikes."""
    wide = "; Domain=app.example; Path=/; Secure"
    return [
        *(f"session={value}{wide}", f"domestic={value}{wide}", f"__Host-session={value}{wide}"),
        *(f"__host-session={value}{wide}", f"__HOST-SESSION={value}{wide}", f"=__Host-session={value}{wide}"),
        *(
            f"__Host-session ={value}{wide}",
            f" __Host-session={value}{wide}",
            f"__Host-session={value}; Domain=app.example",
        ),
        *(f"__Secure-session={value}{wide}", f"%5F_Host-session={value}{wide}", f"x=__Host-session={value}{wide}"),
        *(
            f"=__Host-session={value}; Domain=app.example; Path=/me; Secure",
            f"session={value}; Domain=app.example; Path=/me",
        ),
    ]


@pytest.mark.parametrize("address", [SIBLING, PLAIN])
@pytest.mark.parametrize("is_logged_in", [True, False], ids=["logged in", "guest"])
def test_cookie_tossing(play, address, is_logged_in):
    """ID-3: nobody but the host itself sets a `__Host-` cookie, and only that one counts: the victim neither becomes
    mallory nor is logged out."""

    async def scenario():
        planted = play.bank.log_in("mallory")["__Host-session"]
        victim = await play.stage.person(logged_in=is_logged_in)
        window = await victim.open(address + "/")
        for line in tossed(planted):
            await window.run(f"document.cookie = {json.dumps(line)}")
            await window.run(f"fetch('/?cookie=' + encodeURIComponent({json.dumps(line)}))")
        sent = await victim.home.command("Network.getCookies", urls=[APP + "/me"])
        assert {cookie["name"] for cookie in sent["cookies"]} >= {"session"}, "nothing was planted"
        seen = await victim.seen_as()
        if is_logged_in:
            assert (seen["standing"], seen["user"]) == ("active", victim.user)
            async with Attempt(play.bank, None, effects=[("transfer", "mallory")]):
                await victim.home.run(script(ATTACKS["fetch, JSON"][0], APP, victim.proof))
        else:
            assert seen["standing"] == "guest"
            async with Attempt(play.bank, LOGIN):
                await victim.home.run(script(ATTACKS["fetch, JSON as text"][0], APP))

    play.run(scenario())


def test_ambiguous_cookies(play):
    """ID-1: two session cookies are none, and counted: nothing says which of them is whose."""

    async def scenario():
        mine, theirs = (play.bank.log_in(user)["__Host-session"] for user in ("raw", "mallory"))
        pair = f"__Host-session={mine}; __Host-session={theirs}"
        for fields in (
            [("cookie", pair)],
            [("cookie", f"__Host-session={theirs}"), ("cookie", f"__Host-session={mine}")],
            [("cookie", "__Host-session=v1.short")],
        ):
            async with Attempt(play.bank, MALFORMED_COOKIE):
                _, body = play.bank.request("GET", "/me", fields)
                assert json.loads(body)["content"]["standing"] == "guest"
        # In development mode there is no prefix: another service on this machine can plant one, and makes nobody
        # mallory.
        bank = play.stage.development
        planted = bank.log_in("mallory")["session"]
        page = await play.stage.person(f"http://localhost:{bank.port}")
        assert (await page.seen_as())["user"] == page.user
        other = await page.open(f"http://localhost:{play.stage.attacker.plain_port}/")
        await other.run(f"document.cookie = 'session={planted}; path=/me'")
        async with Attempt(bank, MALFORMED_COOKIE):
            assert (await page.seen_as())["standing"] == "guest"

    play.run(scenario())


def test_session_fixation(play):
    """ID-10: a session that was planted before the login is not the one after it, and ends."""

    async def scenario():
        planted = play.bank.log_in("mallory")
        victim = await play.stage.person(logged_in=False)
        # As somebody who had the machine before, or a fault of the browser.
        await victim.home.command(
            "Network.setCookie", name="__Host-session", value=planted["__Host-session"], url=APP, path="/", secure=True
        )
        assert (await victim.seen_as())["user"] == "mallory"
        await victim.log_in()
        assert (await victim.seen_as())["user"] == victim.user
        fields = [("cookie", f"__Host-session={planted['__Host-session']}"), ("x-domestic", planted["__Host-domestic"])]
        async with Attempt(play.bank, LOGIN):
            assert play.bank.request("GET", "/gift?to=mallory", fields)[0].status == 403
        # Nor does the old proof go with the new session.
        async with Attempt(play.bank, WRONG_PROOF):
            await victim.home.run(script(ATTACKS["XHR"][0], APP, planted["__Host-domestic"]))

    play.run(scenario())


@pytest.mark.parametrize("address", [ATTACKER, SIBLING, PLAIN, OTHER_PORT])
@pytest.mark.parametrize("is_logged_in", [True, False], ids=["logged in", "guest"])
def test_login_csrf(play, address, is_logged_in):
    """ID-10: no page of another origin logs its visitor in as somebody else; a sandboxed frame neither."""
    fields = {"user": "mallory", "device": "trap"}

    async def scenario():
        victim = await play.stage.person(logged_in=is_logged_in)
        before = await victim.seen_as()
        window = await victim.open(address + "/")
        hidden = f"submits('/login', 'application/x-www-form-urlencoded', {json.dumps(fields)})"
        async with Attempt(play.bank, FOREIGN):
            await window.run(script(hidden, APP))
        attributes = "{sandbox: 'allow-scripts allow-forms', srcdoc: page}"
        async with Attempt(play.bank, FOREIGN):
            await window.run(in_sandbox(attributes, script(hidden, APP)))
        async with Attempt(play.bank, FOREIGN):  # a window of its own may set cookies, whatever their SameSite
            inputs = "".join(f"<input name={name} value={value}>" for name, value in fields.items())
            await window.follow(
                f"""document.body.innerHTML = '<form method=post action="{APP}/login">{inputs}';
                document.forms[0].submit()"""
            )
        assert await victim.seen_as() == before
        async with Attempt(play.bank, None, effects=[("login", "trap")]):
            await victim.home.run(script(hidden.replace("mallory", victim.user), APP))
        assert (await victim.seen_as())["user"] == victim.user

    play.run(scenario())


# ---- answers


def test_a_cache_between(play):
    """AC-8, TR-5: a proxy that caches hands nobody an answer made for another; one that is made to ignore what we say
    about caching would."""
    caching = [
        ("    upstream nodes {", "    proxy_cache_path cache keys_zone=cache:1m;\n    upstream nodes {"),
        ("proxy_buffering off;", "proxy_buffering on; proxy_cache cache; proxy_cache_valid any 10m;"),
        ("proxy_request_buffering off;", "add_header X-Cache $upstream_cache_status always;"),
    ]
    deaf = (
        "add_header X-Cache $upstream_cache_status always; proxy_ignore_headers Cache-Control Expires Vary Set-Cookie;"
    )

    async def scenario():
        bank, stage = play.bank, play.stage
        cookies = bank.log_in("cached")
        mine = {"cookie": f"__Host-session={cookies['__Host-session']}"}
        for changes, is_safe in ((caching, True), ([*caching[:2], (caching[2][0], deaf)], False)):
            proxy = TLSNginx(stage.folder, [bank.port], stage.certificate, changes)
            try:
                results = []
                for target in ("/me", "/secret", "/secret?a.css", "/go?next=/me", "/nowhere"):
                    # The attacker fills the cache, and afterwards looks what the victim has left in it.
                    for headers in ({"origin": ATTACKER, "accept": "text/html"}, mine, {"origin": ATTACKER}):
                        status, fields, body = await fetched(proxy.port, target, headers)
                        results.append((target, headers is mine, status, fields.get("X-Cache"), body))
                assert all(cache != "HIT" for *_, cache, _ in results) == is_safe
                leaked = [body for _, is_mine, _, _, body in results if not is_mine and "cached" in body]
                if is_safe:
                    assert not leaked
                    seen = [body for target, is_mine, *_, body in results if target == "/me" and is_mine]
                    assert json.loads(seen[0])["content"]["user"] == "cached"
            finally:
                proxy.end()

    play.run(scenario())


async def fetched(port, target, headers):
    """Status, header fields and body, through the TLS proxy, by a client of no browser."""
    import aiohttp

    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        options = {"ssl": False, "server_hostname": "app.example", "allow_redirects": False}
        fields = {"host": "app.example", **headers}
        async with http.get(f"https://127.0.0.1:{port}{target}", headers=fields, **options) as answer:
            return answer.status, answer.headers, await answer.text()


@pytest.mark.parametrize(
    "destination",
    [
        *(
            "//attacker.example",
            "/\\attacker.example",
            "https://attacker.example/",
            "\\\\attacker.example",
            "javascript:alert(1)",
        ),
        *(
            "/\r\nSet-Cookie: __Host-session=planted; Path=/; Secure",
            "/\r\n\r\n<script>alert(1)</script>",
            "/\tx",
            "/\x00",
        ),
        *("/\u0085x", "/ x", "/\u2028".replace("\u2028", "\x1f")),
    ],
)
def test_redirects_stay_here(play, destination):
    """AC-7: a destination that came with the request leads to this host or nowhere, and into no header."""

    async def scenario():
        victim = await play.stage.person(logged_in=False)
        async with Attempt(play.bank, URL):
            where = await victim.home.run(
                f"fetch('/go?next=' + encodeURIComponent({json.dumps(destination)}), {{redirect: 'manual'}})"
                ".then(answer => answer.type + answer.status)"
            )
            assert where == "basic400"
        assert (
            await victim.home.run("fetch('/go?next=/me').then(answer => answer.redirected && answer.url)")
            == APP + "/me"
        )
        assert (await victim.home.command("Network.getCookies", urls=[APP]))["cookies"] == []

    play.run(scenario())


def test_no_answer_is_sniffed(play):
    """DESIGN §7: every answer, refusals of both transports among them, says what it is and that it is nothing else."""

    async def scenario():
        cookies = play.bank.log_in("raw")
        fields = [("cookie", f"__Host-session={cookies['__Host-session']}")]
        polling = "/socket.io/?EIO=4&transport=polling"
        sid = opened(play.bank, fields)
        upgrade = [("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13")]
        upgrade += [("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==")]
        requests = [
            *(
                ("GET", "/me", fields),
                ("GET", "/", [("accept", "text/html")]),
                ("GET", "/nowhere", []),
                ("PUT", "/me", []),
            ),
            *(("OPTIONS", "/me", []), ("GET", "/go?next=/", []), ("GET", "/go?next=//x", []), ("HEAD", "/me", fields)),
            *(("GET", polling, fields), ("GET", f"{polling}&sid=unknown", []), ("GET", f"{polling}&sid={sid}", [])),
            *(
                ("GET", "/socket.io/?EIO=4&transport=<script>", []),
                ("GET", "/socket.io/", []),
                ("PUT", f"{polling}&sid={sid}", fields),
            ),
            *(
                ("GET", "/socket.io/?EIO=4&transport=websocket&sid=unknown", upgrade),
                ("GET", "/socket.io/?EIO=3&transport=websocket", upgrade),
            ),
        ]
        for method, target, headers in requests:
            answer, _ = play.bank.request(method, target, headers)
            assert answer.headers["x-content-type-options"] == "nosniff", (method, target)
        answer, body = play.bank.request("GET", "/me", host="rebind.example")
        assert (answer.status, answer.headers["x-content-type-options"]) == (421, "nosniff"), body

    play.run(scenario())


# ---- development mode


def test_development_mode(play):
    """DESIGN §9: a developer's node believes whom it is told to be talking to, so no page of the web gets that far."""
    believed = json.dumps({"user": "victim", "client": "laptop"})

    async def scenario():
        bank = play.stage.development
        base = f"http://localhost:{bank.port}"
        victim = await play.stage.person(base)
        for address in ("http://attacker.example", ATTACKER):
            window = await victim.open(address + "/")
            for attack in (
                "fetch, JSON",
                "fetch, JSON as text",
                "XHR",
                "form",
                "form, multipart",
                "form, JSON as text",
            ):
                async with Attempt(bank, FOREIGN_PAGE):
                    await window.run(script(ATTACKS[attack][0], base, victim.proof))
            for attack in ("image", "frame"):  # no origin is sent with these, and no cookie
                async with Attempt(bank, LOGIN):
                    await window.run(script(ATTACKS[attack][0], base, victim.proof))
            hidden = "submits('/login', 'application/x-www-form-urlencoded', {user: 'mallory', device: 'trap'})"
            async with Attempt(bank, FOREIGN_PAGE):
                await window.run(script(hidden, base))
            async with Attempt(bank, FORBIDDEN):
                assert await window.run(script(WEBSOCKET, base, auth=believed)) == "closed"
            async with Attempt(bank, FORBIDDEN):
                assert await window.run(script(POLLING, base)) == "refused"
            attributes = "{sandbox: 'allow-scripts allow-forms', srcdoc: page}"
            for attack in ("XHR", "form"):
                async with Attempt(bank, FOREIGN_PAGE):
                    await window.run(in_sandbox(attributes, script(ATTACKS[attack][0], base, victim.proof)))
            async with Attempt(bank, FORBIDDEN):
                assert await window.run(in_sandbox(attributes, script(WEBSOCKET, base, auth=believed))) == "closed"
            async with Attempt(bank, DOMESTIC):
                await window.follow(f"location = '{base}/gift?to=mallory'")
        assert (await victim.seen_as())["user"] == victim.user
        async with Attempt(bank, None, effects=[("transfer", "mallory")]):
            await victim.home.run(script(ATTACKS["XHR"][0], base, victim.proof))
        async with Attempt(bank, None, effects=[("socket", "mallory")]):
            assert await victim.home.run(script(WEBSOCKET, base, auth=believed)) == "431[true]"

    play.run(scenario())
