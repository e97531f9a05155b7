"""The browser module's actions and identity (CLIENT.md C-5 to C-14), in real pages on a stub."""

import asyncio

import pytest
from aiohttp import web
from plays import Theatre

OUTCOME = "(promise => promise.then(({status, content}) => [status, content], error => error.code))"
SESSION = "/.well-known/submergence/session"


@pytest.fixture(scope="module")
def theatre():
    theatre = Theatre()
    yield theatre
    theatre.close()


def answer(content, events=(), status=200, headers=None):
    return web.json_response({"content": content, "events": list(events)}, status=status, headers=headers)


def describing(stub, method, path):
    """An HTTP action that says what it was asked."""

    async def describe(request):
        body = await request.text()
        kind = request.headers.get("content-type", "").split(";")[0]
        return answer({"via": "http", "query": dict(request.query), "kind": kind, "body": body})

    stub.http[method, path] = describe


def test_the_transport_is_chosen_for_each_call(theatre):
    """C-5: the socket where it is live and the body fits, else HTTP; the result has the same form."""

    async def scenario(play):
        stub = play.stub

        async def over_socket(line, packet):
            content = {"via": "socket", "url": packet["url"], "length": len(packet.get("body") or "")}
            await line.send("reply", {"_id": packet["_id"], "status": 200, "content": content, "events": []})

        stub.on["action"] = over_socket
        for method in ("GET", "POST", "PUT"):
            describing(stub, method, "/a")
        page = await play.open(live=False)
        ask = f"{OUTCOME}(server.action(%s))"
        query = "'GET', '/a?x=1&y=2', {query: {y: 3, z: true, no: undefined}}"
        status, content = await page.run(ask % query)
        assert (status, content["via"], content["query"]) == (200, "http", {"x": "1", "y": "3", "z": "true"})
        await page.run("server.goLive()")
        status, content = await page.run(ask % query)
        assert (status, content["via"], content["url"]) == (200, "socket", "/a?x=1&y=3&z=true")
        # Over the socket: JSON and bytes up to 512 KiB. The rest, and all that has a type of its own, over HTTP.
        for body, via in [
            ("'x'.repeat(524286)", "socket"),
            ("'x'.repeat(524287)", "http"),
            ("new Uint8Array(524288)", "socket"),
            ("new Uint8Array(524289)", "http"),
            ("new Blob(['x'], {type: 'text/plain'})", "http"),
            ("new URLSearchParams('a=1')", "http"),
            ("new Blob(['x']).stream()", "http"),
            ("null", "socket"),
        ]:
            status, content = await page.run(ask % f"'PUT', '/a', {{body: {body}}}")
            assert (status, content["via"]) == (200, via), body

    theatre.play(scenario)


def test_what_goes_wrong_with_an_action(theatre):
    """C-5: statuses are results; TIMEOUT, ABORTED, NETWORK and INVALID are thrown."""

    async def scenario(play):
        stub = play.stub
        never = asyncio.Event()

        async def hang(_request):
            await never.wait()

        async def page_of_proxy(_request):
            return web.Response(status=502, text="<h1>Bad Gateway", content_type="text/html")

        async def broken(_request):
            return web.Response(text='{"content":', content_type="application/json")

        async def cut(request):
            request.transport.close()

        async def teapot(_request):
            return answer({"error": "TEA"}, status=418)

        for path, handler in [
            ("/hang", hang),
            ("/page", page_of_proxy),
            ("/broken", broken),
            ("/cut", cut),
            ("/tea", teapot),
        ]:
            stub.http["GET", path] = handler

        async def moved(_request):
            return web.Response(status=302, headers={"location": f"http://127.0.0.1:{stub.port}/elsewhere"})

        stub.http["GET", "/moved"] = moved
        page = await play.open(live=False)
        page.keep_failures_apart()
        ask = f"{OUTCOME}(server.action(%s))"
        assert await page.run(ask % "'GET', '/moved'") == [302, {}]
        assert not [path for _, path, _ in stub.requests if path == "/elsewhere"]
        assert await page.run(ask % "'GET', '/tea'") == [418, {"error": "TEA"}]
        assert await page.run(ask % "'GET', '/hang', {timeout: 100}") == "TIMEOUT"
        assert await page.run(ask % "'GET', '/hang', {signal: AbortSignal.timeout(100)}") == "ABORTED"
        assert await page.run(ask % "'GET', '/hang', {signal: AbortSignal.abort()}") == "ABORTED"
        assert await page.run(ask % "'GET', '/cut'") == "NETWORK"
        assert await page.run(ask % "'GET', '/page'") == "INVALID"
        assert await page.run(ask % "'GET', '/broken'") == "INVALID"
        assert await page.run(ask % "'GET', '/tea', {body: 1}") == "INVALID"
        assert await page.run(ask % "'POST', '/tea', {body: 1n}") == "INVALID"
        for path in ("//evil.example/x", "http://evil.example/x", "relative", "/\\\\evil.example"):
            assert await page.run(ask % f"'GET', '{path}'") == "INVALID", path
        await page.run("server.goLive()")
        assert await page.run(ask % "'GET', '/hang', {timeout: 100}") == "TIMEOUT"
        assert await page.run(ask % "'POST', '/hang', {signal: AbortSignal.timeout(100)}") == "ABORTED"
        never.set()

    theatre.play(scenario)


def test_events_of_a_reply_come_before_its_promise(theatre):
    """C-6: over both transports; and of one that comes too late, too (C-7)."""

    async def scenario(play):
        stub = play.stub
        late = []

        async def over_http(_request):
            return answer({"n": 1}, [["told", "http"]])

        async def over_socket(line, packet):
            reply = {"_id": packet["_id"], "status": 200, "content": {"n": 1}, "events": [["told", packet["url"]]]}
            if packet["url"] == "/late":
                late.append(reply)
            else:
                await line.send("reply", reply)

        stub.http["GET", "/told"] = over_http
        stub.on["action"] = over_socket
        page = await play.open(live=False)
        await page.run("submergence.on('told', by => said.push(by), window.said = [])")
        await page.run("server.action('GET', '/told').then(() => said.push('then'))")
        await page.run("server.goLive()")
        await page.run("server.action('GET', '/told').then(() => said.push('then'))")
        assert await page.run("said") == ["http", "then", "/told", "then"]
        assert await page.run(f"{OUTCOME}(server.action('POST', '/late', {{timeout: 50}}))") == "TIMEOUT"
        await (await stub.line()).send("reply", late[0])
        await page.until("said.at(-1) === '/late'")

    theatre.play(scenario)


def test_bodies(theatre):
    """C-6: values are JSON on both transports; forms, files, bytes and streams keep their kind."""

    async def scenario(play):
        describing(play.stub, "POST", "/b")

        async def over_socket(line, packet):
            body = packet.get("body")
            kind = "bytes" if isinstance(body, bytes) else "json"
            content = {"kind": kind, "body": list(body) if kind == "bytes" else body}
            await line.send("reply", {"_id": packet["_id"], "status": 200, "content": content, "events": []})

        play.stub.on["action"] = over_socket
        page = await play.open(live=False)
        ask = f"{OUTCOME}(server.action('POST', '/b', {{body: %s}}))"
        for body, kind, text in [
            ("{a: new Date(0), b: undefined}", "application/json", '{"a":"1970-01-01T00:00:00.000Z"}'),
            ("'text'", "application/json", '"text"'),
            ("new Blob(['plain'], {type: 'text/plain'})", "text/plain", "plain"),
            ("new Blob(['raw'])", "application/octet-stream", "raw"),
            ("new Uint8Array([65, 66]).subarray(1)", "application/octet-stream", "B"),
            ("new Blob(['flow']).stream()", "application/octet-stream", "flow"),
            ("new URLSearchParams({a: 'b'})", "application/x-www-form-urlencoded", "a=b"),
        ]:
            _, content = await page.run(ask % body)
            assert (content["kind"], content["body"]) == (kind, text)
        form = """(() => {
            const form = document.createElement("form");
            form.append(Object.assign(document.createElement("input"), {name: "field", value: "kept"}));
            return form;
        })()"""
        _, content = await page.run(ask % form)
        assert content["kind"] == "multipart/form-data" and 'name="field"\r\n\r\nkept' in content["body"]
        await page.run("server.goLive()")
        assert (await page.run(ask % "{a: new Date(0)}"))[1]["body"] == {"a": "1970-01-01T00:00:00.000Z"}
        assert (await page.run(ask % "new Uint8Array([65, 66]).subarray(1)"))[1] == {"kind": "bytes", "body": [66]}

    theatre.play(scenario)


def test_a_socket_that_drops_under_an_action(theatre):
    """C-7: what may be repeated is asked over HTTP, once; of the rest nobody knows."""

    async def scenario(play):
        asked = []

        async def over_http(request):
            asked.append(request.method)
            return answer({"via": "http"})

        for method in ("GET", "HEAD", "OPTIONS", "POST"):
            play.stub.http[method, "/slow"] = over_http
        page = await play.open()
        methods = ["GET", "HEAD", "OPTIONS", "POST", "DELETE"]
        await page.run(f"window.calls = {methods}.map(method => {OUTCOME}(server.action(method, '/slow'))), 0")
        await page.line.until("action", count=5)
        await page.line.close()
        assert await page.run("Promise.all(calls)") == [
            [200, {"via": "http"}],
            [200, None],
            [200, {"via": "http"}],
            "NETWORK",
            "NETWORK",
        ]
        assert sorted(asked) == ["GET", "HEAD", "OPTIONS"]

    theatre.play(scenario)


def test_streamed_answers(theatre):
    """C-8: chunks are acknowledged as they are read; a reader may cancel, a source may fail, a socket may drop."""

    async def scenario(play):
        async def over_http(_request):
            return web.Response(body=b"over http", content_type="application/octet-stream")

        play.stub.http["GET", "/s"] = over_http
        page = await play.open(live=False)
        text = "await new Response((await server.action('GET', '/s')).content).text()"
        assert await page.run(f"(async () => {text})()") == "over http"
        await page.run("server.goLive()")
        line = await play.stub.line()

        async def begin():
            count = sum(event[0] == "action" for event in line.events)
            await page.run("window.answer = server.action('GET', '/s'), 0")
            packet = (await line.until("action", count=count + 1))[-1] if count else await line.until("action")
            await line.send("reply", {"_id": packet["_id"], "status": 200, "stream": True, "type": "x/y"})
            assert (
                await page.run(
                    "answer.then(async ({status, content}) => (window.reader = content.getReader(), status))"
                )
                == 200
            )
            return packet["_id"]

        number = await begin()
        for n in range(4):
            await line.send_bytes("chunk", {"_id": number, "n": n}, b"chunk %d" % n)
        await line.send("chunk", {"_id": number, "n": 4, "end": True})
        # Nothing is acknowledged that nobody has asked for.
        await page.run("server.action('GET', '/s', {timeout: 50}).catch(() => {})")
        assert not [event for event in line.events if event[0] == "chunk"]
        read = (
            "reader.read().then(({value, done}) => done ? 'end' : new TextDecoder().decode(value), error => error.code)"
        )
        for n in range(4):
            assert await page.run(read) == f"chunk {n}"
            assert await line.until("chunk", lambda packet, n=n: packet.get("ack") == n) == {"_id": number, "ack": n}
        assert await page.run(read) == "end"

        number = await begin()
        await page.run("reader.cancel()")
        await line.until("chunk", lambda packet: packet == {"_id": number, "cancel": True})
        number = await begin()
        await line.send("chunk", {"_id": number, "n": 0, "error": "FAILED"})
        assert await page.run(read) == "NETWORK"
        number = await begin()
        await line.send("chunk", {"_id": number, "n": 7, "end": True})
        assert await page.run(read) == "INVALID"
        await line.until("chunk", lambda packet: packet == {"_id": number, "cancel": True})
        await begin()
        await line.close()
        assert await page.run(read) == "NETWORK"

    theatre.play(scenario)


def test_navigation(theatre):
    """C-9: the proof of domesticity travels in POST, and in no address."""

    async def scenario(play):
        page = await play.open(live=False)
        await page.run("document.cookie = 'domestic=secret'")
        forms = []

        async def landed(request):
            forms.append((request.method, request.path_qs, dict(await request.post())))
            return web.Response(text="<!doctype html><link rel=icon href=data:,>", content_type="text/html")

        for method in ("GET", "POST"):
            play.stub.http[method, "/there"] = landed
        await page.follow("server.navigate('POST', '/there', {query: {q: 1}, body: {a: 'b', submit: ''}})")
        await page.go(play.stub.url + "/page/")
        await page.until("window.isReady")
        await page.follow("server.navigate('GET', '/there?p=0', {query: {q: 1}})")
        assert forms == [
            ("POST", "/there?q=1", {"a": "b", "submit": "", "_domestic": "secret"}),
            ("GET", "/there?p=0&q=1", {}),
        ]

    theatre.play(scenario)


def test_options(theatre):
    """C-10."""

    async def scenario(play):
        async def options(_request):
            return answer({"PUT": True, "GET": {"query": {}}})

        play.stub.http["OPTIONS", "/p"] = options
        page = await play.open(live=False)
        assert await page.run("server.options('/p')") == {"PUT": True, "GET": {"query": {}}}

    theatre.play(scenario)


def test_the_proof_is_read_anew_and_told_to_nobody_else(theatre):
    """C-11, and C-12: one silent repetition where another tab has renewed it."""

    async def scenario(play):
        proofs = []

        async def guarded(request):
            proofs.append(request.headers.get("x-domestic"))
            if proofs[-1] == "new":
                return answer({"in": True})
            return answer({"error": "DOMESTIC"}, status=403, headers={"set-cookie": "domestic=new; path=/"})

        async def closed(request):
            proofs.append(request.headers.get("x-domestic"))
            allowed = {
                "access-control-allow-origin": request.headers.get("origin", "null"),
                "access-control-allow-credentials": "true",
            }
            return answer({"error": "DOMESTIC"}, status=403, headers=allowed)

        play.stub.http["GET", "/guarded"] = guarded
        play.stub.http["GET", "/closed"] = closed
        page = await play.open(live=False)
        page.keep_failures_apart()
        ask = f"{OUTCOME}(server.action('GET', '%s'))"
        await page.run("document.cookie = 'domestic=old; path=/'")
        assert await page.run(ask % "/guarded") == [200, {"in": True}]
        assert proofs == ["old", "new"]
        assert (await page.run(ask % "/closed"))[0] == 403 and proofs[2:] == ["new"]
        await page.run("server.goLive()")
        line = await play.stub.line()
        assert line.auth["domestic"] == "new" and line.auth["v"] == 1
        # Over the socket the proof is that of its CONNECT: where that is old, HTTP is asked.
        await page.run(f"window.call = {ask % '/guarded'}, 0")
        packet = await line.until("action")
        await page.run("document.cookie = 'domestic=stale; path=/'")
        await line.send("reply", {"_id": packet["_id"], "status": 403, "content": {"error": "DOMESTIC"}, "events": []})
        assert await page.run("call") == [200, {"in": True}]
        assert proofs[3:] == ["stale", "new"]
        other = f"http://127.0.0.1:{play.stub.port}"
        await page.run(f"submergence.getServer('{other}').action('GET', '/closed').catch(() => {{}})")
        await page.run(f"submergence.getServer('{other}').goLive()")
        assert "domestic" not in (await play.stub.line(1)).auth
        assert [
            request[2].get("x-domestic") for request in play.stub.requests if request[2]["host"].startswith("127")
        ] == [None]

    theatre.play(scenario)


def test_a_ticket_is_redeemed_before_the_promise(theatre):
    """C-13: over HTTP, then `session`; where somebody else is logged in, the socket is made anew."""

    async def scenario(play):
        bodies = []

        async def redeem(request):
            bodies.append(await request.json())
            user = bodies[-1]["ticket"]
            return answer({"user": user, "client": "laptop", "isLoggedIn": True, "standing": "active"})

        async def log_in(line, packet):
            reply = {
                "_id": packet["_id"],
                "status": 200,
                "content": {},
                "events": [],
                "session": {"ticket": packet["body"]},
            }
            await line.send("reply", reply)

        play.stub.http["POST", SESSION] = redeem
        play.stub.on["action"] = log_in
        page = await play.open()
        await page.run("server.on('session', session => said.push(session), window.said = [])")
        await page.run("server.action('POST', '/login', {body: 'alice'}).then(() => said.push('then'))")
        alice = {"user": "alice", "client": "laptop", "isLoggedIn": True}
        assert await page.run("said") == [alice, "then"]
        assert bodies == [{"ticket": "alice", "sid": page.line.sid}] and page.line.is_open
        await page.run("server.action('POST', '/login', {body: 'bob'})")
        assert await page.run("said.at(-1)") == {**alice, "user": "bob"}
        again = await play.stub.line(1)
        assert again.auth["endpoint"] == page.line.auth["endpoint"]
        await page.until("server.state === 'live'")
        assert page.line.texts[-1] == "41"

    theatre.play(scenario)


def test_renewal_is_one_tab_at_a_time_and_survives_a_lost_answer(theatre):
    """C-13."""

    async def scenario(play):
        running, most, count = 0, 0, 0

        async def renew(request):
            nonlocal running, most, count
            running, count = running + 1, count + 1
            most = max(most, running)
            if count == 1:
                response = web.StreamResponse(headers={"content-type": "application/json", "content-length": "99"})
                await response.prepare(request)
                await response.write(b'{"content":')
                running -= 1
                request.transport.close()
                return response
            await play.both.wait()
            running -= 1
            return answer({"user": "alice", "client": "laptop", "isLoggedIn": True})

        play.both = asyncio.Event()
        play.stub.http["POST", SESSION] = renew
        one = await play.open(options={"actionTimeout": 1_000})
        two = await play.open(beside=one)
        for page in (one, two):
            page.keep_failures_apart()
            await page.run("server.on('session', session => said.push(session), window.said = [])")
            await page.line.send("session", {"renew": True})
            await page.line.send("session", {"renew": True})
        await one.run("server.action('GET', '/').catch(() => {})")
        play.both.set()
        for page in (one, two):
            await page.until("said.length === 1")
            assert await page.run("errors") == [] and page.line.is_open
        assert (most, count) == (1, 3)

    theatre.play(scenario)


def test_a_token_is_renewed_in_place(theatre):
    """docs/identity.md, "Tokens": the option `auth` has it, for the socket and for HTTP."""

    async def scenario(play):
        describing(play.stub, "GET", "/a")
        page = await play.open(options={"auth": {"user": "alice", "token": "one"}})
        assert page.line.auth["token"] == "one"
        await page.run("submergence.getServer(undefined, {auth: async () => ({token: 'two'})}), 0")
        await page.line.send("session", {"renew": True})
        assert await page.line.until("auth") == {"token": "two"}
        await page.line.send("session", {"renewed": True, "expires": 1})
        await page.line.send("session", {"error": "INVALID"})
        await page.until("errors.length === 1 && errors[0].code === 'INVALID'")
        await page.run("server.goOffline()")
        await page.run("server.action('GET', '/a')")
        assert play.stub.requests[-1][2]["authorization"] == "Bearer two"

    theatre.play(scenario)


def test_logout(theatre):
    """C-14: offline, said in every tab of the device, and nobody comes back by itself."""

    async def scenario(play):
        one = await play.open()
        two = await play.open(beside=one)
        bob = await play.open("bob", beside=one)
        for page in (one, two, bob):
            await page.run("server.on('logout', ({reason}) => said.push([reason, server.state]), window.said = [])")
        await one.line.send("logout", {"reason": "kick", "reconnect": False})
        for page in (one, two):
            await page.until("said.length === 1")
            assert await page.run("said") == [["kick", "offline"]]
        assert await bob.run("server.state") == "live"
        # A tab that was told by another one is not told again.
        await two.line.send("logout", {"reason": "kick", "reconnect": False})
        await bob.line.send("logout", {"reason": "drain", "reconnect": True, "after": 50})
        await play.stub.line(3)
        await bob.until("server.state === 'live'")
        assert await bob.run("said") == [["drain", "offline"]]
        assert await two.run("said.length") == 1 and len(play.stub.lines) == 4

    theatre.play(scenario)


def test_a_cookie_of_a_logout_stops_what_comes_back_by_itself(theatre):
    """C-14: but not who asks for it."""

    async def scenario(play):
        page = await play.open()
        await page.run("document.cookie = 'loggedOut=1'")
        await page.line.close()
        await page.until("server.state === 'offline'")
        assert len(play.stub.lines) == 1
        other = await play.open(live=False, beside=page)
        await other.run("submergence.getServer(undefined, {autoLive: true}), 0")
        assert await other.run("server.state") == "offline"
        await other.run("server.goLive()")
        await page.run("document.cookie = 'loggedOut=; max-age=0'")
        automatic = await play.open("carol", live=False, beside=page, options={"autoLive": True})
        await automatic.until("server.state === 'live'")

    theatre.play(scenario)
