"""Actions over sockets (SPEC §5, §8): the same pipeline as over HTTP, and one answer for every packet. With official
clients, and to the byte. The application is Tests/Applications/Actions."""

import asyncio
import json

import pytest
from callers import Browser, Caller
from processes import Example
from raw import BINARY, SOCKET_IO, TEXT, Wire, conformance_server, frame, open_socket, websocket

LOOPS = {"1": "one-loop", "4": "four-loops"}


@pytest.fixture(scope="module", params=LOOPS, ids=LOOPS.values())
def app(request, tmp_path_factory):
    with Example(tmp_path_factory.mktemp("actions"), "ActionsApplication", {"SUBMERGENCE_LOOPS": request.param}) as app:
        yield app


@pytest.fixture
def small(tmp_path):
    """An application of its own with small limits: small(SUBMERGENCE_ACTIONS="2")."""
    started = []

    def start(**environment):
        started.append(Example(tmp_path, "ActionsApplication", environment))
        return started[-1].__enter__()

    yield start
    for app in started:
        app.__exit__()


def opened(app, auth='{"user":"alice","client":"raw"}'):
    """A plain client on `/`, by the byte."""
    wire = Wire(app)
    wire.upgrade_request(websocket(SOCKET_IO)).upgraded()
    assert wire.receive()[0] == "0"
    wire.send_text("40" + auth)
    assert wire.receive().startswith('40{"sid":')
    return wire


def replied(text):
    """The object of a `reply` event."""
    assert text.startswith('42["reply",'), text
    return json.loads(text[2:])[1]


async def entered(caller, gate, count=1):
    """Waits until so many handlers have come to a gate; all that have come to any."""
    while True:
        known = (await caller.call("POST", "/release/nobody"))["content"]["entered"]
        if known.count(gate) >= count:
            return known


# One pipeline


@pytest.mark.parametrize("transports", [["websocket"], ["polling"]], ids=lambda value: value[0])
def test_the_same_as_over_http(app, transports):
    """AC-1, AC-3, AC-8, §8: method, path, params, query and body come as over HTTP; only the transport differs."""

    async def run():
        browser = Browser()
        target = "/echo/a%20b?x=1&y=2"
        status, content, _ = await browser.request("PUT", app.url, target, {"text": "ü"})
        assert (status, content["transport"]) == (200, "http")
        async with Caller(app.url, "alice", transports=transports) as caller:
            reply = await caller.call("PUT", target, body={"text": "ü"})
            assert reply == {"status": 200, "content": content | {"transport": "socket"}}
            # WS-1: the event has the same object as the acknowledgement.
            await caller.until(lambda caller: caller.replies == [reply])

    asyncio.run(run())


def test_query_is_merged(app):
    """§8, ID-4: the query of `url` and `query` are one; what occurs in both is that of `query`; `_domestic` is
    nobody's."""

    async def run():
        async with Caller(app.url, "alice") as caller:
            query = {"b": "3", "n": 4, "t": True, "_domestic": "y"}
            reply = await caller.call("GET", "/echo/1?a=1&b=2&_domestic=x", query=query)
            assert reply["content"]["query"] == {"a": "1", "b": "3", "n": "4", "t": "true"}

    asyncio.run(run())


def test_agent(app):
    """AC-4, ID-4: the connection's user is the agent, domestic as it was proved at CONNECT; requirements hold as over
    HTTP."""

    async def run():
        browser = await Browser().log_in(app.url, "dora")
        async with Caller(app.url, browser=browser) as caller:
            reply = await caller.call("GET", "/agent")
            assert reply["content"] == {
                "standing": "active",
                "user": "dora",
                "client": "laptop",
                "domestic": True,
                "transport": "socket",
            }
            assert (await caller.call("GET", "/private"))["content"] == {"secret": 1}
        del browser.cookies["domestic"]
        async with Caller(app.url, browser=browser) as caller:
            reply = await caller.call("GET", "/private")
            assert (reply["status"], reply["content"]) == (403, {"error": "DOMESTIC"})
            # No proof by query can be made up for it.
            assert (await caller.call("GET", "/private?_domestic=x"))["status"] == 403

    asyncio.run(run())


def test_reply_events_of_a_plain_client(app):
    """EV-5, §8: a plain client gets the events of a reply as any events, before the reply, and once."""

    async def run():
        async with Caller(app.url, "alice") as caller:
            reply = await caller.call("GET", "/events")
            assert reply == {"status": 200, "content": {"count": 2}}
            await caller.until(lambda caller: caller.replies)
            assert caller.received == [("first", [1]), ("second", [{"a": "b"}]), ("reply", [reply])]

    asyncio.run(run())


def test_reply_events_of_a_product_client(app):
    """§8: a client with `v` gets them in the reply, and nowhere else."""

    async def run():
        async with Caller(app.url, "alice", v=1) as caller:
            reply = await caller.call("GET", "/events")
            events = [["first", 1], ["second", {"a": "b"}]]
            assert reply == {"status": 200, "content": {"count": 2}, "events": events}
            await caller.until(lambda caller: caller.replies)
            assert caller.names == ["ready", "reply"]

    asyncio.run(run())


def test_redirect(app):
    """AC-7: 302, and the event."""

    async def run():
        async with Caller(app.url, "alice", v=1) as caller:
            reply = await caller.call("GET", "/redirect")
            assert (reply["status"], reply["events"]) == (302, [["redirect", "/elsewhere"]])

    asyncio.run(run())


def test_options_and_head(app):
    """AC-2, AC-11: OPTIONS as over HTTP, hidden actions left out; HEAD runs GET and has no content."""

    async def run():
        async with Caller(app.url, "alice") as caller:
            reply = await caller.call("OPTIONS", "/only-put")
            assert (reply["status"], reply["content"]) == (200, {"PUT": True})
            assert reply["allow"] == ["PUT", "OPTIONS"]
            assert (await caller.call("OPTIONS", "/hidden"))["status"] == 404
            assert (await caller.call("OPTIONS", "/nowhere"))["status"] == 404
            assert await caller.call("HEAD", "/agent") == {"status": 200}

    asyncio.run(run())


def test_statuses(app):
    """AC-12: the same errors as over HTTP."""

    async def run():
        async with Caller(app.url, "alice") as caller:

            async def answer(*arguments, **more):
                reply = await caller.call(*arguments, **more)
                return reply["status"], reply["content"].get("error")

            assert await answer("GET", "/nowhere") == (404, "NOT_FOUND")
            assert await answer("GET", "/only-put") == (405, "METHOD")
            assert await answer("POST", "/teapot") == (418, "TEAPOT")
            assert await answer("POST", "/throws") == (500, "INTERNAL")
            assert await answer("POST", "/never") == (504, "TIMEOUT")
            assert await answer("PUT", "/echo/1", body="x" * 50_000) == (413, "TOO_LARGE")
            assert await answer("GET", "/echo/%zz") == (400, "MALFORMED")
            assert await answer("GET", "/large") == (500, "REPLY_TOO_LARGE")
            assert await answer("GET", "/" + "x" * 9_000) == (414, "TARGET")
            # A body of another type than JSON is refused by whoever takes none.
            assert await answer("PUT", "/echo/1", body=b"bytes") == (415, "MEDIA_TYPE")

    asyncio.run(run())


def test_one_log_line_each(app):
    """AC-13: domain, transport, method, path without query, action and status of every action, also of those refused
    early."""
    with opened(app) as wire:
        for url in ("/echo/logged?secret=1", "/logged-nowhere"):
            wire.send_text(f'42["action",{{"_id":1,"method":"GET","url":"{url}"}}]')
            wire.receive()
        wire.send_text('42["action",{"_id":1,"method":"GET","url":"logged"}]')
        assert replied(wire.receive())["status"] == 400
    lines = [line for line in app.log().split("\n") if "transport=socket" in line]
    (known,) = [line for line in lines if "path=/echo/logged" in line]
    assert "action=* /echo/:id" in known and "status=200" in known and "domain=localhost" in known
    assert "secret" not in app.log()
    assert "ms.run=" in known
    (unknown,) = [line for line in lines if "path=/logged-nowhere" in line]
    assert "status=404" in unknown
    assert any("status=400" in line and "method= " in line for line in lines)


# One answer for each packet


# Members of an object that has a valid id beside them.
MALFORMED_MEMBERS = [
    "",
    '"method":"GET"',
    '"method":1,"url":"/agent"',
    '"method":"GET","url":"agent"',
    '"method":"GET","url":"/agent","query":[]',
    '"method":"GET","url":"/agent","query":{"a":{}}',
    '"method":"GET","url":"/agent","__proto__":{}',
    '"method":"GET","url":"/agent","constructor":{"prototype":1}',
    '"method":"GET","url":"/agent","url":"/agent"',
    '"method":"GET","url":"/agent","x":"\\ud800"',
    # A body that is no better.
    '"method":"PUT","url":"/echo/1","body":{"a":1,"a":2}',
    '"method":"PUT","url":"/echo/1","body":{"__proto__":1}',
    '"method":"PUT","url":"/echo/1","body":"\\udc00"',
]
# What has no id that could be told.
MALFORMED = [
    "",
    ",1",
    ",null",
    ",[]",
    ',"GET"',
    ",{}",
    ',1,{"_id":1,"method":"GET","url":"/agent"}',
    ',{"_id":1,"_id":2,"method":"GET","url":"/agent"}',
    # No JSON at all, or too deep for Socket.IO.
    ',{"_id":1,"method":"GET","url":"/agent","x":NaN}',
    ',{"_id":1,"method":"GET","url":"/agent"',
    ',{"_id":1,"x":' + "[" * 100 + "]" * 100 + "}",
]


def test_malformed_packets(app):
    """AC-12, WS-3: each gets one answer, with its id where it has a valid one, and an acknowledgement where it asks for
    one; the next packet is served."""
    packets = [(packet, None) for packet in MALFORMED]
    for members in MALFORMED_MEMBERS:
        packets.append((',{"_id":"m"' + (members and "," + members) + "}", "m"))
    with opened(app) as wire:
        for packet, number in packets:
            wire.send_text(f'42["action"{packet}]')
            reply = replied(wire.receive())
            assert (reply["status"], reply.get("_id")) == (400, number), packet
            wire.send_text(f'4217["action"{packet}]')
            assert replied(wire.receive()) == reply
            text = wire.receive()
            assert text.startswith("4317[") and json.loads(text[4:]) == [reply], packet
        wire.send_text('42["action",{"_id":1,"method":"GET","url":"/agent"}]')
        assert replied(wire.receive())["status"] == 200


@pytest.mark.parametrize("number", ["7", "-1", '"a"', '"\\u0061\\/"', '"ü"', '"' + "x" * 64 + '"'])
def test_id_comes_back_byte_for_byte(app, number):
    """WS-1."""
    with opened(app) as wire:
        wire.send_text(f'42["action",{{"_id":{number},"method":"GET","url":"/nowhere"}}]')
        assert wire.receive().startswith(f'42["reply",{{"_id":{number},"status":404,')


@pytest.mark.parametrize("number", ["1.0", "1e2", "true", "null", "[]", '"' + "x" * 65 + '"'])
def test_no_id(app, number):
    """WS-1, AC-12: 400 without an id."""
    with opened(app) as wire:
        wire.send_text(f'42["action",{{"_id":{number},"method":"GET","url":"/nowhere"}}]')
        assert replied(wire.receive()) == {"status": 400, "content": {"error": "MALFORMED"}}


def test_binary_that_is_no_body(app):
    """AC-12: attachments anywhere else than as the body."""
    with opened(app) as wire:
        wire.send_text('451-["action",{"_placeholder":true,"num":0}]')
        wire.send(frame(BINARY, b"abc"))
        assert replied(wire.receive())["status"] == 400
        wire.send_text('451-["action",{"_id":1,"method":"PUT","url":"/echo/1","body":[{"_placeholder":true,"num":0}]}]')
        wire.send(frame(BINARY, b"abc"))
        assert replied(wire.receive()) == {"_id": 1, "status": 400, "content": {"error": "MALFORMED"}}


def test_over_the_rate(app):
    """LK-17, AC-12: what is over the rate is answered with 429, by its id, and every packet exactly once."""
    before = app.metric('submergence_limits_hit_total{limit="actions"}')
    with opened(app) as wire:
        packets = [f'42["action",{{"_id":{n},"method":"GET","url":"/nowhere"}}]' for n in range(400)]
        wire.send(b"".join(frame(TEXT, packet.encode()) for packet in packets))
        statuses = {}
        while len(statuses) < 400:
            reply = replied(wire.receive())
            assert reply["_id"] not in statuses
            statuses[reply["_id"]] = reply["status"]
        assert set(statuses.values()) == {404, 429}
        refused = list(statuses.values()).count(429)
        assert refused <= 200, "a full bucket has 200"
    assert app.metric('submergence_limits_hit_total{limit="actions"}') == before + refused


def test_concurrent(app):
    """§5: actions of one socket run side by side, and are answered as they end."""

    async def run():
        async with Caller(app.url, "alice") as caller:
            await caller.send({"_id": "held", "method": "GET", "url": "/gate/concurrent"})
            await caller.send({"_id": "quick", "method": "GET", "url": "/agent"})
            await caller.reply("quick")
            assert [reply["_id"] for reply in caller.replies] == ["quick"]
            await caller.call("POST", "/release/concurrent")
            assert (await caller.reply("held"))["content"] == {"passed": "concurrent"}

    asyncio.run(run())


def test_bounded(small):
    """§5, AC-12: so many run, as many wait, and the next ones are refused; each is answered once."""

    async def run():
        app = small(SUBMERGENCE_ACTIONS="2")
        async with Caller(app.url, "alice") as caller, Caller(app.url, "bob") as other:
            for number in range(6):
                await caller.send({"_id": number, "method": "GET", "url": "/gate/bounded"})
            for number in (4, 5):
                refused = await caller.reply(number)
                assert (refused["status"], refused["content"]) == (429, {"error": "BUSY"})
            await entered(other, "bounded", 2)
            assert (await entered(other, "bounded", 2)).count("bounded") == 2
            await other.call("POST", "/release/bounded")
            for number in range(4):
                assert (await caller.reply(number))["status"] == 200
            assert len(caller.replies) == 6
        assert app.metric("submergence_socket_actions_waited_total") == 2

    asyncio.run(run())


def test_full_node(small):
    """AC-12: 503 where the node runs as many handlers as it may."""

    async def run():
        app = small(SUBMERGENCE_HANDLERS="3")
        async with Caller(app.url, "alice") as caller:
            for number in range(4):
                await caller.send({"_id": number, "method": "GET", "url": "/gate/full"})
            refused = await caller.until(lambda caller: caller.replies and caller.replies[0])
            assert (refused["status"], refused["content"]) == (503, {"error": "BUSY"})
        # The handlers wait for a gate that nobody can open any more: they end with the application.

    asyncio.run(run())


def test_gone_before_the_answer(app):
    """An action whose client has gone ends by itself, and others are served."""

    async def run():
        async with Caller(app.url, "alice") as caller:
            await caller.send({"_id": 1, "method": "GET", "url": "/gate/gone"})
            await entered(caller, "gone")
        async with Caller(app.url, "bob") as other:
            await other.call("POST", "/release/gone")
            assert (await other.call("GET", "/agent"))["status"] == 200

    asyncio.run(run())


def test_in_process(app):
    """AC-14: an action that runs another one as the same agent."""

    async def run():
        async with Caller(app.url, "alice") as caller:
            reply = await caller.call("GET", "/in-process/1")
            assert reply["content"]["status"] == 200
            assert reply["content"]["content"]["user"] == "alice"
            assert reply["content"]["content"]["transport"] == "process"

    asyncio.run(run())


# Sessions


def test_new_login_of_the_same_person(app):
    """ID-10, ID-17: the socket stays, and a ticket brings the cookies; it is good once."""

    async def run():
        browser = await Browser().log_in(app.url, "erin")
        old = dict(browser.cookies)
        async with Caller(app.url, v=1, browser=browser) as caller:
            reply = await caller.call("POST", "/again")
            assert reply["status"] == 200
            ticket = reply["session"]["ticket"]
            assert len(ticket) == 22
            # The old session is over; the socket's authority is that of the new one.
            status, content, _ = await browser.request("GET", app.url, "/agent")
            assert content["standing"] == "idle"
            assert (await caller.call("GET", "/agent"))["content"]["standing"] == "active"
            status, content, names = await browser.redeem(app.url, ticket, caller.sid)
            assert status == 200
            assert content == {"user": "erin", "client": "laptop", "isLoggedIn": True, "standing": "active"}
            assert {"session", "domestic"} <= set(names)
            assert browser.cookies["session"] != old["session"]
            _, content, _ = await browser.request("GET", app.url, "/agent")
            assert (content["standing"], content["user"], content["domestic"]) == ("active", "erin", True)
            browser.cookies = old
            status, content, names = await browser.redeem(app.url, ticket, caller.sid)
            assert (status, content, names) == (403, {"error": "TICKET_USED"}, [])
            assert caller.disconnects == []

    asyncio.run(run())


def test_tickets_are_bound(app, small):
    """ID-17: another socket, another session, no session, forgery and expiry are refused by name, counted, and spoil
    nothing."""

    async def run():
        browser = await Browser().log_in(app.url, "fay")
        stranger = await Browser().log_in(app.url, "guy")
        async with Caller(app.url, browser=browser) as caller:
            ticket = (await caller.call("POST", "/again"))["session"]["ticket"]
            sid = caller.sid
            refusals = [
                (stranger, ticket, sid, "TICKET_SESSION"),
                (Browser(), ticket, sid, "TICKET_SESSION"),
                (browser, ticket, "x", "TICKET_SOCKET"),
                (browser, "A" * 22, sid, "TICKET_UNKNOWN"),
                (browser, "x", sid, "TICKET_UNKNOWN"),
            ]
            for who, what, where, error in refusals:
                series = f'submergence_session_tickets_refused_total{{reason="{error}"}}'
                before = app.metric(series)
                assert await who.redeem(app.url, what, where) == (403, {"error": error}, [])
                assert app.metric(series) == before + 1
            status, content, _ = await browser.redeem(app.url, ticket, sid, headers={"origin": "https://evil.example"})
            assert (status, content) == (403, {"error": "FOREIGN"})
            # Without the proof of domesticity: the ticket is proof enough.
            assert (await browser.redeem(app.url, ticket, sid, proves=False))[0] == 200
            # A socket cannot set cookies, so it redeems nothing.
            redeemed = await caller.call(
                "POST", "/.well-known/submergence/session", body={"ticket": ticket, "sid": sid}
            )
            assert (redeemed["status"], redeemed["content"]) == (400, {"error": "TRANSPORT"})

        brief = small(SUBMERGENCE_TICKETS="0.001")
        browser = await Browser().log_in(brief.url, "fay")
        async with Caller(brief.url, browser=browser) as caller:
            ticket = (await caller.call("POST", "/again"))["session"]["ticket"]
            refused = await browser.redeem(brief.url, ticket, caller.sid)
            assert refused == (403, {"error": "TICKET_EXPIRED"}, [])
        assert brief.metric("submergence_session_tickets_refused_total") == 1

    asyncio.run(run())


def test_another_person_takes_over(app):
    """ID-10: the reply comes first, with the ticket; then the socket is disconnected with reason `session`."""

    async def run():
        browser = await Browser().log_in(app.url, "hal")
        async with Caller(app.url, v=1, browser=browser) as caller:
            sid = caller.sid
            reply = await caller.call("POST", "/login", body={"user": "ida", "client": "laptop"})
            assert reply["status"] == 200
            await caller.until(lambda caller: caller.disconnects)
            assert caller.names[-2:] == ["reply", "logout"]
            assert caller.received[-1][1] == [{"reason": "session", "reconnect": False}]
            status, content, _ = await browser.redeem(app.url, reply["session"]["ticket"], sid)
            assert (status, content["user"]) == (200, "ida")
        async with Caller(app.url, browser=browser) as caller:
            assert (await caller.call("GET", "/agent"))["content"]["user"] == "ida"

    asyncio.run(run())


@pytest.mark.parametrize("v", [None, 1], ids=["plain", "product"])
def test_logout(app, v):
    """ID-12: the reply first, then `logout`; the ticket takes the cookies away."""

    async def run():
        browser = await Browser().log_in(app.url, "jan")
        async with Caller(app.url, v=v, browser=browser) as caller:
            sid = caller.sid
            reply = await caller.call("POST", "/logout")
            assert (reply["status"], reply["content"]) == (200, {"standing": "guest"})
            await caller.until(lambda caller: caller.disconnects)
            assert caller.names[-2:] == ["reply", "logout"]
            assert caller.received[-1][1] == [{"reason": "logout", "reconnect": False}]
        status, content, names = await browser.redeem(app.url, reply["session"]["ticket"], sid)
        assert (status, content["standing"]) == (200, "guest")
        assert set(names) == {"session", "domestic", "loggedOut"}
        assert set(browser.cookies) == {"loggedOut"}

    asyncio.run(run())


def test_setting_idle(app):
    """ID-11: the reply, then the disconnection of this client; the cookies are those of an idle session."""

    async def run():
        browser = await Browser().log_in(app.url, "kim")
        async with Caller(app.url, v=1, browser=browser) as caller:
            sid = caller.sid
            reply = await caller.call("POST", "/idle")
            assert reply["content"] == {"standing": "idle"}
            await caller.until(lambda caller: caller.disconnects)
            assert caller.names[-2:] == ["reply", "logout"]
        status, content, _ = await browser.redeem(app.url, reply["session"]["ticket"], sid)
        assert (status, content["isLoggedIn"], content["user"]) == (200, False, "kim")
        _, content, _ = await browser.request("GET", app.url, "/agent")
        assert (content["standing"], content["user"]) == ("idle", "kim")

    asyncio.run(run())


def test_disconnection_does_not_wait_for_ever(app):
    """ID-13: a session that has ended ends its socket, also where the action that ended it is slow to answer."""

    async def run():
        browser = await Browser().log_in(app.url, "lea")
        async with Caller(app.url, v=1, browser=browser) as caller, Caller(app.url, "other") as other:
            await caller.send({"_id": 1, "method": "POST", "url": "/logout-slowly/for-ever"})
            await caller.until(lambda caller: caller.disconnects)
            assert caller.names[-1] == "logout"
            await other.call("POST", "/release/for-ever")

    asyncio.run(run())


def test_ended_session_is_refused(app):
    """AC-1, ID-13: a logout elsewhere ends the authority of the socket's actions, as it ends the socket."""

    async def run():
        browser = await Browser().log_in(app.url, "mia")
        async with Caller(app.url, browser=browser) as caller:
            assert (await caller.call("GET", "/private"))["status"] == 200
            await browser.request("POST", app.url, "/logout")
            await caller.until(lambda caller: caller.disconnects)

    asyncio.run(run())


def test_renewal_over_http(app):
    """ID-16: without a ticket the same path tells a domestic page its state, and nobody else."""

    async def run():
        path = "/.well-known/submergence/session"
        browser = await Browser().log_in(app.url, "nia")
        status, content, _ = await browser.request("POST", app.url, path)
        assert status == 200
        assert content == {"user": "nia", "client": "laptop", "isLoggedIn": True, "standing": "active"}
        assert (await browser.request("POST", app.url, path, proves=False))[:2] == (403, {"error": "DOMESTIC"})
        assert (await Browser().request("POST", app.url, path))[:2] == (403, {"error": "DOMESTIC"})
        foreign = await browser.request("POST", app.url, path, headers={"origin": "https://evil.example"})
        assert foreign[:2] == (403, {"error": "FOREIGN"})
        assert (await browser.request("GET", app.url, path))[0] == 405

    asyncio.run(run())


def test_nothing_of_this_in_conformance_mode(tmp_path):
    """DESIGN §9: there `action` is an event like any other, and what is no JSON ends the session."""
    with conformance_server(tmp_path, 1) as node:
        with open_socket(node) as wire:
            wire.send_text('4217["action",{"_id":1,"method":"GET","url":"/agent"}]')
            wire.send_text('4218["echo",1]')
            assert wire.receive() == "4318[1]"
            wire.send_text('42["action",{]')
            assert wire.is_ended()
