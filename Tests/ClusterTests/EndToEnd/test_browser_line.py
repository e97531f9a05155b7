"""The browser module's live connection (CLIENT.md C-15 to C-21, and T-24), in real pages on a stub."""

import asyncio
import json

import pytest
from bundle import bundle
from plays import Theatre

LIVE = "server.goLive().then(() => 'live', error => error.name + ' ' + error.code)"


@pytest.fixture(scope="module")
def theatre():
    theatre = Theatre()
    yield theatre
    theatre.close()


def test_all_who_wait_go_live_together(theatre):
    """§6: goLive resolves with `ready`, for every caller; states are said once each; one connection is made."""

    async def scenario(play):
        page = await play.open(live=False)
        await page.run("server.on('state', state => states.push(state), window.states = [])")
        assert await page.run(f"Promise.all([{LIVE}, {LIVE}, {LIVE}])") == ["live"] * 3
        assert await page.run(LIVE) == "live"
        assert await page.run("[states, server.user, server.client, server.isDomestic]") == [
            ["connecting", "live"],
            "alice",
            "laptop",
            True,
        ]
        await page.run("server.goOffline()")
        assert await page.run("states.at(-1)") == "offline" and len(play.stub.lines) == 1
        ending = f"(() => {{ const end = {LIVE}; server.goOffline(); return end; }})()"
        assert await page.run(ending) == "LiveError ABORTED"

    theatre.play(scenario)


def test_final_refusals_end_it_and_others_do_not(theatre):
    """§6: LOGIN, FOREIGN, DOMAIN and VERSION; BUSY and UNAVAILABLE are tried again."""

    async def scenario(play):
        page = await play.open(live=False)
        for code in ("LOGIN", "FOREIGN", "DOMAIN", "VERSION"):
            play.stub.refusal = code
            assert await page.run(LIVE) == f"LiveError {code}"
            assert await page.run("server.state") == "offline"
        await page.run("Math.random = () => 0")
        for code in ("BUSY", "UNAVAILABLE"):
            play.stub.refusal = code
            count = len(play.stub.lines)
            await page.run(f"window.live = {LIVE}, 0")
            while len(play.stub.lines) < count + 2:
                await asyncio.sleep(0.01)
            play.stub.refusal = None
            assert await page.run("live") == "live"
            await page.run("server.goOffline()")

    theatre.play(scenario)


def test_pauses_grow_and_chance_has_a_part_in_them(theatre):
    """C-15: half a second doubled up to half a minute, with full jitter; a network that is back is tried at once,
    once a second at most."""

    async def scenario(play):
        page = await play.open(live=False)
        page.keep_failures_apart()
        # Sockets fail at once, and timers run at once and are noted; chance is always 0.9.
        await page.run(
            """(() => {
                window.pauses = [];
                window.Socket = WebSocket;
                window.WebSocket = class {
                    constructor() { queueMicrotask(() => this.onclose()); }
                    close() {}
                };
                const timer = window.setTimeout;
                Math.random = () => 0.9;
                window.setTimeout = (work, delay, ...args) => {
                    const isPause = server.state === "connecting" && delay < 30_000 && delay !== 20_000;
                    if (isPause) pauses.push(delay);
                    return timer(work, isPause && pauses.length < 10 ? 0 : delay, ...args);
                };
                server.goLive().catch(() => {});
            })()"""
        )
        await page.until("pauses.length === 10 && server.state === 'waiting'")
        assert await page.run("pauses") == [min(30_000, 500 * 2**n) * 0.9 for n in range(10)]
        await page.run("window.WebSocket = Socket, 0")
        begin = await page.run("Date.now()")
        await page.run("dispatchEvent(new Event('online'))")
        await page.until("server.state === 'live'")
        assert await page.run("Date.now()") - begin < 15_000
        tries = """new Promise(resolve => {
            const begin = Date.now();
            const times = [];
            server.on("state", state => {
                if (state === "connecting") times.push(Date.now() - begin);
                if (state === "waiting") dispatchEvent(new Event("online"));
                if (times.length === 2) resolve(times);
            });
        })"""
        await page.run(f"window.times = {tries}, 0")
        for count in (2, 3):
            await (await play.stub.line(-1)).close()
            while len(play.stub.lines) < count:
                await asyncio.sleep(0.01)
            await page.until("server.state === 'live'")
        first, second = await page.run("times")
        assert second - first >= 990

    theatre.play(scenario)


def test_a_silent_server_is_a_lost_one(theatre):
    """C-16: no ping for interval and time-out."""

    async def scenario(play):
        play.stub.ping, play.stub.patience = 300, 200
        page = await play.open()
        await page.run("Math.random = () => 0")
        page.line.cut()
        again = await play.stub.line(1)
        assert again.auth["endpoint"] == page.line.auth["endpoint"]
        # One that speaks is not.
        await page.until("server.state === 'live'")
        for number in range(8):
            await again.raw(f"2{number}")
            await page.run("new Promise(resolve => setTimeout(resolve, 150))")
        assert again.is_open and [text for text in again.texts if text[0] == "3"] == [f"3{n}" for n in range(8)]

    theatre.play(scenario)


def test_an_endpoint_is_a_page(theatre):
    """C-17: 128 bits, kept over reconnects, not shared with a copy of the module or of the tab."""

    async def scenario(play):
        page = await play.open()
        endpoint = page.line.auth["endpoint"]
        assert len(endpoint) == 22 and endpoint == await page.run("server.endpoint")
        await page.run("Math.random = () => 0")
        await page.line.close()
        assert (await play.stub.line(1)).auth["endpoint"] == endpoint
        assert await page.run("import('/submergence.js?copy').then(copy => copy.getServer().endpoint)") != endpoint
        assert await page.run("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]

    theatre.play(scenario)


def test_packets_of_every_kind(theatre):
    """C-18: attachments both ways, acknowledgements, no upgrade, WebSocket alone."""

    async def scenario(play):
        page = await play.open()
        assert [method for method, path, _ in play.stub.requests if "socket.io" in path] == []
        await page.run("submergence.on('blob', (...args) => seen.push(args), window.seen = [])")
        blob = {"_placeholder": True, "num": 1}
        await page.line.raw("452-" + json.dumps(["blob", {"deep": [blob, {"_placeholder": True, "num": 0}]}, "end"]))
        await page.line.raw(b"\x01")
        await page.line.raw("2")
        await page.line.raw(b"\x02\x03")
        await page.until("seen.length === 1")
        bytes_of = "[...new Uint8Array(seen[0][0].deep[%d])]"
        assert await page.run(f"[{bytes_of % 0}, {bytes_of % 1}, seen[0][1]]") == [[2, 3], [1], "end"]
        await page.run("submergence.once('ask', (question, give) => give(question, new Uint8Array([9])))")
        await page.line.raw('4217["ask","why"]')
        await page.until("true")
        await page.run(
            "server.action('POST', '/x', {body: new Uint8Array([1, 2]).subarray(1), timeout: 50}).catch(() => 0)"
        )
        assert '461-17["why",{"_placeholder":true,"num":0}]' in page.line.texts
        # An ordinary event may look as if it had an attachment.
        await page.line.raw('42["blob",{"_placeholder":true,"num":0}]')
        await page.until("seen.length === 2 && seen[1][0].num === 0")

    theatre.play(scenario)


RECOVERING = """(() => {
    window.seen = [];
    for (const name of ["n", "text", "ask"]) {
        submergence.on(name, (...args) => seen.push(args.map(arg => typeof arg === "function" ? "ack" : arg)));
    }
})()"""


@pytest.mark.parametrize("client", ["own", "official"])
def test_recovery(theatre, client):
    """C-18: the position is kept, presented and never seen; what was missed comes before CONNECT, and once."""

    async def scenario(play):
        stub = play.stub
        stub.pid = "secret"
        page = await play.open(live=False)
        if client == "official":
            await use_official_client(page)
        await page.run(RECOVERING)
        await page.run("server.goLive()")
        line = await stub.line()
        assert "pid" not in line.auth
        await line.send("n", 1, "o1")
        await line.send("text", "said", "o2")
        await line.raw('425["ask","no offset"]')
        await page.until("seen.length === 3")
        await page.run("Math.random = () => 0")

        async def recover(line):
            await line.send("n", 2, "o3")
            await line.send("n", 3, "o4")
            await connect(line)

        connect, stub.connect = stub.connect, recover
        await line.close()
        again = await stub.line(1)
        assert (again.auth["pid"], again.auth["offset"]) == ("secret", "o2")
        await page.until("seen.length === 5")
        assert await page.run("seen") == [[1], ["said"], ["no offset", "ack"], [2], [3]]
        stub.connect, stub.pid = connect, None
        await again.close()
        third = await stub.line(2)
        assert third.auth["offset"] == "o4"
        await third.send("text", "without recovery")
        await page.until("seen.length === 6")
        assert await page.run("seen[5]") == ["without recovery"]

    theatre.play(scenario)


async def use_official_client(page):
    """Hands the official browser client to the module; the page has its script from the stub."""
    with open(bundle(), encoding="utf8") as file:
        script = file.read()
    await page.run(f"{script}; 0")
    await page.run(
        """(() => {
            window.given = [];
            const transport = (origin, options) => {
                given.push({...options, auth: typeof options.auth});
                return io(origin, {...options, transports: ["websocket"]});
            };
            submergence.getServer(undefined, {transport});
        })()"""
    )


def test_an_official_client(theatre):
    """C-19: made once, with the module's options; its handlers are attached once; the module reconnects."""

    async def scenario(play):
        page = await play.open(live=False)
        await use_official_client(page)
        await page.run("submergence.on('n', n => seen.push(n), window.seen = [])")
        await page.run("Math.random = () => 0")
        await page.run("server.goLive()")
        for count in range(1, 4):
            line = await play.stub.line(count - 1)
            assert line.auth["v"] == 1 and line.auth["endpoint"] == await page.run("server.endpoint")
            await page.until("server.state === 'live'")
            await line.send("n", count)
            await page.until(f"seen.length === {count}")
            await line.close()
        await play.stub.line(3)
        await page.until("server.state === 'live'")
        assert await page.run("given") == [
            {"auth": "function", "path": "/socket.io/", "autoConnect": False, "reconnection": False, "forceNew": True}
        ]
        assert await page.run("seen") == [1, 2, 3]
        await page.run("server.goOffline()")
        play.stub.refusal = "LOGIN"
        assert await page.run(LIVE) == "LiveError LOGIN"
        play.stub.refusal = None
        await page.run("server.goLive()")
        line = await play.stub.line(-1)
        await line.raw("41")
        await page.until("server.state === 'offline'")
        await page.run("server.goLive()")

    theatre.play(scenario)


def test_a_page_that_sleeps_holds_nothing_open(theatre):
    """C-20: `bye` to each peer, connections and socket closed; afterwards all is back, under the same endpoint."""

    async def scenario(play):
        alice, bob = await play.open("alice"), await play.open("bob")
        assert await alice.run("connect({user: 'bob'})") == "open"
        await bob.until("incoming[0].connected")
        await alice.run("document.dispatchEvent(new Event('freeze'))")
        await bob.until("peers[0].said.some(([name]) => name === 'endpointclose')")
        assert await alice.run("openConnections().length") == 0
        assert await alice.run("made.sockets.every(socket => socket.readyState > 1)")
        await alice.line.until("peer", lambda packet: packet.get("bye"))
        assert alice.line.texts[-1] != "41"
        await alice.run("document.dispatchEvent(new Event('visibilitychange'))")
        assert await alice.run("server.state") == "waiting"
        await alice.run("document.dispatchEvent(new Event('resume'))")
        assert (await play.stub.line(2)).auth["endpoint"] == alice.line.auth["endpoint"]
        await alice.until("peers[0].connected")
        await bob.until("incoming[0].connected")
        assert await bob.run("incoming.length") == 1
        await alice.run("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: false}))")
        line = await play.stub.line(2)
        while line.texts[-1] != "41":
            await asyncio.sleep(0.01)

    theatre.play(scenario)


def test_what_no_roster_names_is_over(theatre):
    """C-21: after `ready`, and a grace."""

    async def scenario(play):
        alice = await play.open("alice", options={"rosterGrace": 300})
        bob = await play.open("bob")
        assert await alice.run("connect({user: 'bob'})") == "open"
        await alice.run("Math.random = () => 0")

        async def forget(link, line):
            pass

        announce, play.stub._announce = play.stub._announce, forget
        await alice.line.close()
        await alice.until("peers[0].state === 'closed'")
        assert ["close", {"reason": "OFFLINE"}] in await alice.run("peers[0].said")
        play.stub._announce = announce
        await bob.until("!incoming[0].connected")

    theatre.play(scenario)


HOSTILE = [
    "",
    "7",
    "4",
    "4abc",
    "47",
    "0{}",
    "42",
    "42{}",
    "42[]",
    "42[null]",
    '42[{"toString":1}]',
    '42["a"',
    '42["a"]x',
    "452-[]",
    "45-[1]",
    '4599-["a"]',
    '451["a"]',
    b"\x00",
    '451-["a",{"_placeholder":true,"num":7}]',
    '451-["a",{"_placeholder":true,"num":"length"}]',
    "42" + "[" * 100_000,
    '42/other,["a"]',
    "40{}",
    "3probe",
]

WRONG = [
    '["ready"]',
    '["ready",null]',
    '["reply",[]]',
    '["reply",{"_id":1,"events":{"a":1}}]',
    '["reply",{"_id":1,"events":[1,[],[null]]}]',
    '["chunk",{"_id":1,"n":-1}]',
    '["chunk",5]',
    '["action",{}]',
    '["link",{}]',
    '["link",{"_id":"no","token":5}]',
    '["peer",{}]',
    '["peer",{"token":"x","error":"FORBIDDEN"}]',
    '["peer",{"token":5,"error":{"a":1}}]',
    '["peer",{"token":"' + "t" * 300 + '","init":true}]',
    '["peer",{"token":"tt","init":true,"from":"a","ep":5}]',
    '["peer",{"token":"tt","init":true,"from":"a","ep":"b","gen":"c"}]',
    '["peer",{"token":"tt","gen":1,"from":"a","ep":"b","sdp":{"type":"rollback","sdp":"x"}}]',
    '["peer",{"token":"tt","gen":1,"from":"a","ep":"b","sdp":{"type":"offer","sdp":{}}}]',
    '["peer",{"token":"tt","gen":1,"from":"a","ep":"b","ICE":"x"}]',
    '["peer",{"token":"tt","gone":true,"from":1,"ep":2}]',
    '["session",{"error":{"a":1}}]',
    '["' + "n" * 200_000 + '"]',
    '["__proto__",{"__proto__":{"polluted":true}}]',
]


def test_hostile_input(theatre):
    """T-24: whatever a server sends, there is an error at most, and no peer."""

    async def scenario(play):
        page = await play.open()
        await page.run("Math.random = () => 0")
        for number, text in enumerate(HOSTILE):
            line = await play.stub.line(number)
            await page.until("server.state === 'live'")
            before = await page.run("errors.length")
            await line.raw(text)
            if isinstance(text, str) and text.startswith("451-"):
                await line.raw(b"\x01")
            elif text == "452-[]":
                await line.raw('42["text in place of an attachment"]')
            await play.stub.line(number + 1)
            assert await page.run("errors.length") == before + 1, text
        await page.until("server.state === 'live'")
        line = await play.stub.line(len(HOSTILE))
        for text in WRONG:
            await line.raw("42" + text)
        await line.send("done")
        await page.run("new Promise(resolve => submergence.once('done', resolve))")
        assert line.is_open and await page.run("server.state") == "live"
        assert await page.run("({}).polluted") is None
        assert await page.run("[peers.length, incoming.length]") == [0, 0]
        codes = set(await page.run("errors.map(({ code }) => code)"))
        assert codes <= {"PROTOCOL", "FORBIDDEN", "[object Object]"}, codes

    theatre.play(scenario)
