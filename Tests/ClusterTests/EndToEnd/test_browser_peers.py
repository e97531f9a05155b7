"""The browser module's peers, negotiation and media (CLIENT.md C-22 to C-37), in real pages on a stub."""

import asyncio

import pytest
from plays import Theatre
from test_browser_events import MEMBERS, declared

REFUSED = "(work => { try { work(); return 'done'; } catch (error) { return `${error.name} ${error.code}`; } })"


@pytest.fixture(scope="module")
def theatre():
    theatre = Theatre()
    yield theatre
    theatre.close()


async def couple(play, **options):
    """Two people with a Link between them: alice has asked for it."""
    alice, bob = await play.open("alice", **options), await play.open("bob", **options)
    assert await alice.run("connect({user: 'bob'})") == "open"
    await bob.until("incoming.length === 1 && incoming[0].connected")
    return alice, bob


async def settled(*pages):
    for page in pages:
        await page.until("openConnections().every(one => one.connectionState === 'connected')")
        await page.until("openConnections().every(one => one.signalingState === 'stable')")


def test_events_between_peers(theatre):
    """C-22, C-23: they wait for the first endpoint if `connect` was called; the module's names are nobody else's."""

    async def scenario(play):
        alice, bob = await play.open("alice"), await play.open("bob")
        assert await alice.run(
            "server.getPeer({user: 'bob', a: [{b: 2, c: 3}]}) === server.getPeer({a: [{c: 3, b: 2}], user: 'bob'})"
        )
        assert await alice.run("server.getPeer({user: 'bob'}) !== server.getPeer({user: 'carol'})")
        peer = "peerOf({user: 'bob'})"
        assert await alice.run(f"{REFUSED}(() => {peer}.emit('message', 1))") == "PeerError OFFLINE"
        play.stub.hold_links = asyncio.Event()
        await alice.run("window.opening = connect({user: 'bob'}), 0")
        assert await alice.run(f"[{peer}.state, {peer}.emit('message', 1), {peer}.emit('constructor', 2)]") == [
            "requesting",
            0,
            0,
        ]
        assert await alice.run(f"{REFUSED}(() => {peer}.emit('message', 'x'.repeat(65536)))") == "PeerError INVALID"
        assert await alice.run(f"{REFUSED}(() => {peer}.emit('message', 'x'.repeat(65500)))") == "PeerError OVERFLOW"
        for name in ("connect", "error", "bytes"):
            assert await alice.run(f"{REFUSED}(() => {peer}.emit('{name}'))") == "PeerError INVALID"
        await bob.run("server.on('peer', peer => peer.on('constructor', value => said.push(value)), window.said = [])")
        play.stub.hold_links.set()
        assert await alice.run("opening") == "open"
        await bob.until("peers[0].messages.length === 1 && said.length === 1")
        assert await alice.run(f"{peer}.emit('message', {{n: 2}}, 'more')") == 1
        await bob.until("peers[0].messages.length === 2")
        assert await bob.run("peers[0].messages") == [1, {"n": 2}]
        # Who has sent it, an answer to that one, and an event that no listener was there for.
        await bob.run("incoming[0].on('ask', () => incoming[0].emitTo(incoming[0].sender, 'late', 7))")
        await alice.run(f"{peer}.emit('ask')")
        await alice.until(f"(window.late ??= new Promise(resolve => {peer}.once('late', resolve)))")
        assert await alice.run("late") == 7
        assert await alice.run(f"{peer}.emitTo('nobody', 'message')") is False
        endpoint = await bob.run("server.endpoint")
        assert await alice.run(f"[...{peer}.endpoints.keys()]") == [endpoint]
        # What an evil page sends under a name of the module's is an error.
        await alice.run(f"{peer}.endpoints.get('{endpoint}').channel.send(JSON.stringify({{e: ['close', {{}}]}}))")
        await alice.run(f"{peer}.endpoints.get('{endpoint}').channel.send('nonsense')")
        await alice.run(f"{peer}.endpoints.get('{endpoint}').channel.send('')")
        await bob.until(
            "peers[0].said.filter(([name, detail]) => name === 'error' && detail.code === 'PROTOCOL').length === 3"
        )
        assert await bob.run("peers[0].connected")

    theatre.play(scenario)


def test_refusals_reach_who_asked(theatre):
    """C-24: no loop, no peer that nobody asked for."""

    async def scenario(play):
        alice = await play.open("alice")
        assert await alice.run("connect({user: 'nobody'})") == "OFFLINE"
        assert await alice.run("connect({})") == "FORBIDDEN"
        assert await alice.run("server.getPeer({}).state") == "idle"
        play.stub.hold_links = asyncio.Event()
        assert await alice.run("connect({user: 'bob'}, {timeout: 100})") == "TIMEOUT"
        play.stub.hold_links.set()
        await alice.line.send("peer", {"token": "t" * 44, "error": "FORBIDDEN"})
        await alice.until("errors.length === 1")
        assert await alice.run("[errors[0].code, incoming.length]") == ["FORBIDDEN", 0]
        await play.open("bob")
        assert await alice.run("connect({user: 'bob'})") == "open"
        token = await alice.run("peerOf({user: 'bob'}).token")
        await alice.line.send("peer", {"token": token, "error": "INVALID"})
        await alice.until("peerOf({user: 'bob'}).said.some(([name, detail]) => detail?.code === 'INVALID')")
        # Closed while it is being opened: then it is closed once it is.
        await play.open("carol")
        play.stub.hold_links = asyncio.Event()
        await alice.run("window.opening = connect({user: 'carol'}), 0")
        await alice.line.until("link", lambda packet: packet.get("query") == {"user": "carol"})
        await alice.run("peerOf({user: 'carol'}).close()")
        assert await alice.run("opening") == "CLOSED"
        play.stub.hold_links.set()
        await alice.line.until("link", lambda packet: packet.get("close"))
        await alice.until("peerOf({user: 'carol'}).state === 'closed'")
        await alice.run("server.goOffline()")
        assert await alice.run("connect({user: 'carol'})") == "OFFLINE"

    theatre.play(scenario)


def test_closing_and_leaving(theatre):
    """§7: `close` ends it for both, `disconnect` for this page until it calls `connect` again; later it is new."""

    async def scenario(play):
        alice, bob = await couple(play)
        token = await alice.run("peers[0].token")
        await alice.run("peers[0].disconnect()")
        await bob.until("!peers[0].connected")
        # A roster says that it is still there: it is told `bye`.
        await play.stub._announce(play.stub.links[0], bob.line)
        await alice.line.until("peer", lambda packet: packet.get("bye"), count=2)
        assert await alice.run("openConnections().length") == 0 and await bob.run("peers[0].state") == "open"
        assert await alice.run("connect({user: 'bob'})") == "open"
        assert await alice.run("peers[0].token") == token
        await bob.until("peers[0].connected")
        await alice.run("peers[0].close()")
        await bob.until("peers[0].state === 'closed'")
        for page in (alice, bob):
            assert ["close", {"reason": "CLOSED"}] in await page.run("peers[0].said")
            assert await page.run("[peers[0].token, openConnections().length]") == [None, 0]
        assert await alice.run("connect({user: 'bob'})") == "open"
        assert await alice.run("peers[0].token") != token
        await bob.until("peers[0].connected && incoming.length === 2 && incoming[0] === incoming[1]")
        await play.stub.close_link(play.stub.links[0], "KICK")
        await alice.until("peers[0].said.at(-1)[0] === 'close' && peers[0].said.at(-1)[1].reason === 'KICK'")

    theatre.play(scenario)


def test_who_offers(theatre):
    """C-25: the smaller endpoint, once; where it does not, the other one; never twice for a repeated roster."""

    async def scenario(play):
        for _ in range(2):
            alice, bob = await couple(play)
            await settled(alice, bob)
            small, large = (alice, bob) if alice.line.auth["endpoint"] < bob.line.auth["endpoint"] else (bob, alice)
            assert await small.run("made.offers.length") == 1 and await large.run("made.offers.length") == 0
            await play.stub._announce(play.stub.links[0], alice.line)
            await alice.line.send("done")
            await alice.run("new Promise(resolve => submergence.once('done', resolve))")
            assert await alice.run("made.connections.length") == 1
            for page in (alice, bob):
                await page.run("server.goOffline()")
            await play.stub.close_link(play.stub.links[0], "CLOSED")
        # An offer that is lost on the way.
        lost = []
        relay = play.stub.on["peer"]

        async def losing(line, packet):
            if packet.get("sdp", {}).get("type") == "offer" and not lost:
                lost.append(line)
            else:
                await relay(line, packet)

        play.stub.on["peer"] = losing
        carol, dave = await play.open("carol"), await play.open("dave")
        assert await carol.run("connect({user: 'dave'})") == "open" and len(lost) == 1
        await settled(carol, dave)
        # The other side took over: it is not the one whose offer was lost.
        other = dave if lost[0] is carol.line else carol
        assert await other.run("made.offers.length") >= 1

    theatre.play(scenario)


async def glare(alice, bob):
    """Both sides add a stream in the same moment, again and again; both arrive, and nothing goes wrong."""
    for page in (alice, bob):
        await page.run("navigator.mediaDevices.getUserMedia({video: true}).then(stream => { window.camera = stream; })")
    for round_ in range(10):
        for page in (alice, bob):
            await page.run("peers[0].addStream(window.copy = camera.clone())")
        for page in (alice, bob):
            await page.until(f"peers[0].said.filter(([name]) => name === 'stream').length === {round_ + 1}")
        for page in (alice, bob):
            await page.run("peers[0].removeStream(copy)")
        for page in (alice, bob):
            await page.until(f"peers[0].said.filter(([name]) => name === 'streamend').length === {round_ + 1}")
    await settled(alice, bob)
    for page in (alice, bob):
        assert await page.run("peers[0].said.filter(([name]) => name === 'error')") == []
        assert await page.run("made.connections.length") == 1


def test_glare(theatre):
    """C-26: offers that cross each other."""

    async def scenario(play):
        await glare(*await couple(play))

    theatre.play(scenario)


def test_descriptions_that_are_told_again(theatre):
    """C-26, C-28: a description that may not have arrived is told again. Where it had, what has begun since goes on,
    and no answer meets another offer than its own."""

    async def scenario(play):
        alice, bob = await couple(play)
        await settled(alice, bob)
        relay, told = play.stub.on["peer"], {}

        async def repeating(line, packet):
            await relay(line, packet)
            if packet.get("sdp"):
                before = told.get((line.sid, packet["to"]), packet)
                told[line.sid, packet["to"]] = packet
                await relay(line, packet)
                await relay(line, before)

        play.stub.on["peer"] = repeating
        await glare(alice, bob)

    theatre.play(scenario)


def test_signalling_that_was_away(theatre):
    """C-28: what somebody has missed is told as it is, under the SID that a new roster names."""

    async def scenario(play):
        alice, bob = await play.open("alice"), await play.open("bob")
        await bob.run("Math.random = () => 0")
        # Bob's line is cut before anything reaches him; alice is answered OFFLINE.
        relay = play.stub.on["peer"]

        async def first(line, packet):
            play.stub.on["peer"] = relay
            await bob.line.close()
            await relay(line, packet)

        async def nothing(_line):
            pass

        play.stub.on["peer"] = first
        play.stub._left = nothing
        assert await alice.run("connect({user: 'bob'})") == "open"
        await settled(alice, bob)
        assert await alice.run("made.connections.length") == 1
        assert await alice.run("peers[0].said.filter(([name]) => name === 'error')") == []

    theatre.play(scenario)


def test_roster_that_comes_late(theatre):
    """C-28: it was written before the endpoint came back under another SID, and arrives behind the one that says so."""

    async def scenario(play):
        alice, bob = await couple(play)
        await settled(alice, bob)
        await bob.run("Math.random = () => 0")
        late = {**play.stub._stamp(play.stub.links[0], bob.line, alice.line), "init": True}
        await bob.line.close()
        await play.stub.line(2)
        await bob.until("server.state === 'live'")
        await alice.line.send("peer", late)
        await alice.line.send("done")
        await alice.run("new Promise(resolve => submergence.once('done', resolve))")
        await alice.run("submergence.getUserMedia({video: true}).then(stream => peers[0].addStream(stream))")
        await bob.until("peers[0].streams.length === 1")
        assert await alice.run("peers[0].said.filter(([name]) => name === 'error')") == []

    theatre.play(scenario)


def test_connections_outlive_signalling(theatre):
    """C-30: `gone` does not end what is healthy; `bye` does; what breaks afterwards is over."""

    async def scenario(play):
        alice, bob = await couple(play)
        await settled(alice, bob)
        await bob.run("Math.random = () => 0")
        await bob.line.close()
        await play.stub.line(2)
        await bob.until("server.state === 'live'")
        assert await alice.run("peers[0].emit('message', 'still')") == 1
        await bob.until("peers[0].messages.length === 1")
        assert await alice.run("made.connections.length") == 1
        # Its page is closed without a word: `gone` comes, and the channel closes.
        await bob.run("made.connections[0].close(); server.goOffline()")
        await alice.until("!peers[0].connected")
        await alice.until("peers[0].endpoints.size === 0")
        names = [name for name, _ in await alice.run("peers[0].said")]
        assert names.count("endpoint") == 1 and names.count("endpointclose") == 1

    theatre.play(scenario)


@pytest.mark.parametrize("closes", [False, True], ids=["kept", "closed"])
def test_offer_whose_answer_was_lost(theatre, closes):
    """C-26, C-28, C-30: it is answered again by the connection that has begun DTLS with it. Where that one is closed,
    no other can take its place: both sides build anew."""

    async def scenario(play):
        pages = {page.line.auth["endpoint"]: page for page in [await play.open("alice"), await play.open("bob")]}
        small, large = (pages[endpoint] for endpoint in sorted(pages))
        await small.run("Math.random = () => 0")
        relay = play.stub.on["peer"]

        async def losing(line, packet):
            if packet["to"] != small.line.sid:
                await relay(line, packet)

        # All that is said to the one that offers is lost with its line, but the other one has begun DTLS with it.
        play.stub.on["peer"] = losing
        await small.run(f"window.opening = connect({{user: '{large.line.user}'}}), 0")
        await large.until("made.connections.length === 1")
        await large.run(
            """setInterval(async () => {
                const reports = [...(await made.connections[0].getStats()).values()];
                window.hasBegun ||= reports.some(({ type, dtlsState, bytesSent }) =>
                    type === "transport" && dtlsState === "connecting" && bytesSent > 0);
            }, 20) && 0"""
        )
        await large.until("made.connections[0].iceConnectionState === 'connected' && window.hasBegun")
        if closes:
            stamp = play.stub._stamp(play.stub.links[0], small.line, large.line)
            await large.line.send("peer", {**stamp, "bye": True})
            await large.until("peers[0].endpoints.size === 0")
        await small.line.close()
        assert await small.run("opening") == "open"
        await settled(small, large)
        counts = [await page.run("made.connections.length") for page in (small, large)]
        assert counts == ([2, 3] if closes else [1, 1])
        for page in (small, large):
            assert await page.run("peers[0].said.filter(([name]) => name === 'error')") == []

    theatre.play(scenario)


def test_what_broke_is_built_anew(theatre):
    """C-29, C-34: while the roster names it; streams keep their wrappers, and elements are switched over."""

    async def scenario(play):
        alice, bob = await couple(play)
        await alice.run(
            "submergence.getUserMedia({video: true}).then(stream => peers[0].addStream(stream, {name: 'camera'}))"
        )
        await bob.until("peers[0].streams.length === 1")
        await bob.run(
            """(async () => {
                window.video = document.body.appendChild(document.createElement("video"));
                window.remote = peers[0].streams[0].remote;
                window.swaps = [];
                remote.on("swap", stream => swaps.push(stream));
                return remote.attach(video);
            })()"""
        )
        assert await bob.run("[remote.name, video.srcObject === remote.stream, video.paused]") == [
            "camera",
            True,
            False,
        ]
        await alice.run("made.connections[0].close()")
        await bob.until("made.connections.length === 2 && swaps.length === 1 && peers[0].connected", seconds=60)
        assert await bob.run("video.srcObject === swaps[0] && peers[0].streams.length === 1")
        frames = "video.getVideoPlaybackQuality().totalVideoFrames"
        count = await bob.run(frames)
        await bob.until(f"{frames} > {count}")
        assert await bob.run("peers[0].said.filter(([name]) => name === 'streamend')") == []

    theatre.play(scenario)


def test_what_is_asked_of_a_closed_connection_holds_up_nothing(theatre):
    """C-26, C-29: the platform never answers it; what is built anew does not wait for that."""

    async def scenario(play):
        alice, bob = await couple(play)
        await settled(alice, bob)
        await alice.run("made.connections[0].addIceCandidate = () => new Promise(() => { window.isAsked = true; }), 0")
        stamp = play.stub._stamp(play.stub.links[0], bob.line, alice.line)
        await alice.line.send("peer", {**stamp, "ICE": {"candidate": "", "sdpMid": "0"}})
        await alice.until("window.isAsked")
        await bob.run("made.connections[0].close()")
        await alice.until("made.connections.length > 1 && peers[0].connected", seconds=60)
        await settled(alice, bob)

    theatre.play(scenario)


def test_one_in_each_others_words(theatre):
    """SPEC LK-2: both ask for each other, again and again: one token, one connection, and no peer twice."""

    async def scenario(play):
        alice, bob = await play.open("alice"), await play.open("bob")
        for _ in range(5):
            await alice.run("window.opening = connect({user: 'bob'}), 0")
            await bob.run("window.opening = connect({user: 'alice'}), 0")
            assert await alice.run("opening") == "open" and await bob.run("opening") == "open"
            assert await alice.run("server.getPeer({user: 'bob'}).token") == await bob.run(
                "server.getPeer({user: 'alice'}).token"
            )
            for page in (alice, bob):
                await page.until("openConnections().length === 1")
            await alice.run("server.getPeer({user: 'bob'}).emit('message', 1)")
            await bob.until("peerOf({user: 'alice'}).messages.length === 1")
            await alice.run("server.getPeer({user: 'bob'}).close()")
            await bob.until("server.getPeer({user: 'alice'}).state === 'closed'")
            await bob.run("server.getPeer({user: 'alice'}).messages = []; peerOf({user: 'alice'}).messages.length = 0")

    theatre.play(scenario)


def test_answered_in_own_words(theatre):
    """A peer that came in, and is asked for by this page as well, is the same from then on."""

    async def scenario(play):
        alice, bob = await couple(play)
        assert await bob.run("connect({user: 'alice'})") == "open"
        assert await bob.run(
            "peerOf({user: 'alice'}).token === incoming[0].token && peerOf({user: 'alice'}) !== incoming[0]"
        )
        await alice.run("peers[0].emit('message', 'both')")
        await bob.until("peers.every(peer => peer.messages.length === 1)")
        assert await bob.run("[peerOf({user: 'alice'}).emit('message', 1), openConnections().length]") == [1, 1]
        await alice.until("peers[0].messages.length === 1")

    theatre.play(scenario)


def test_bytes(theatre):
    """T-25: 20 MB arrive as they are; little of them waits in the channel."""

    async def scenario(play):
        alice, bob = await couple(play)
        await bob.run("incoming[0].on('bytes', (bytes, endpoint) => got.push([bytes, endpoint]), window.got = [])")
        most = await alice.run(
            """(async () => {
                const bytes = new Uint8Array(20_000_000);
                for (let at = 0; at < bytes.length; at += 65_536) {
                    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
                }
                window.digest = [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))];
                const [{ channel }] = peers[0].endpoints.values();
                let most = 0;
                const send = channel.send;
                channel.send = data => { send.call(channel, data); most = Math.max(most, channel.bufferedAmount); };
                const all = [bytes, new Uint8Array(0), new Uint8Array([1, 2]).subarray(1)];
                await Promise.all(all.map(part => peers[0].send(part)));
                return most;
            })()"""
        )
        assert 16_384 < most < 1 << 20
        await bob.until("got.length === 3", seconds=60)
        digest = await bob.run("crypto.subtle.digest('SHA-256', got[0][0]).then(digest => [...new Uint8Array(digest)])")
        assert digest == await alice.run("digest")
        assert await bob.run("[got[0][0].length, got[1][0].length, [...got[2][0]]]") == [20_000_000, 0, [2]]
        assert await bob.run("got[0][1]") == alice.line.auth["endpoint"]
        # Pieces of the wrong size end it.
        await alice.run("[...peers[0].endpoints.values()][0].channel.send(new Uint8Array([0, 1]))")
        await bob.until("peers[0].said.some(([name, detail]) => name === 'error' && detail.code === 'PROTOCOL')")

    theatre.play(scenario)


def test_further_channels(theatre):
    """C-27: of a label there is one object, whoever opened it; each message comes once."""

    async def scenario(play):
        alice, bob = await couple(play)
        await alice.run("window.game = peers[0].channel('game', {ordered: false, maxRetransmits: 0}), 0")
        await alice.until("game.send('early') === 1")
        got = "window.%s.on('message', (data, endpoint) => got.push([data, endpoint]), window.got = [])"
        await bob.run("window.game = peers[0].channel('game'), 0")
        await bob.run(got % "game")
        await bob.until("got.length === 1")
        assert await bob.run("got") == [["early", alice.line.auth["endpoint"]]]
        # Both at once.
        for page in (alice, bob):
            await page.run("window.both = peers[0].channel('both'), 0")
        for page in (alice, bob):
            await page.run(got % "both")
            await page.until("both.send('hello') === 1")
        for page in (alice, bob):
            await page.until("got.some(([data]) => data === 'hello')")
            await page.until("both.send(new Uint8Array([1])) === 1")
        for page in (alice, bob):
            await page.until("got.some(([data]) => data instanceof ArrayBuffer)")
            assert await page.run("got.filter(([data]) => data === 'hello').length") == 1
        # And to who comes later.
        late = await play.open("bob", beside=bob)
        await late.until("incoming.length === 1 && incoming[0].connected")
        await late.run("window.game = peers[0].channel('game'), 0")
        await late.run(got % "game")
        await alice.until("game.send('all') === 2")
        await late.until("got.length > 0")
        assert await bob.run(f"{REFUSED}(() => peers[0].channel('events'))") == "PeerError INVALID"

    theatre.play(scenario)


def test_media(theatre):
    """C-33, C-35, C-36: present and future endpoints; tracks that end or are replaced; hooks."""

    async def scenario(play):
        alice, bob = await couple(play)
        await alice.run(
            """submergence.getUserMedia({video: true, audio: true}).then(stream => {
                window.stream = stream;
                window.shown = [];
                peers[0].onTransceiver = ({ sender }, endpoint) => shown.push([sender.track?.kind, endpoint]);
                peers[0].addStream(stream, {name: "camera"});
            })"""
        )
        late = await play.open("bob", beside=bob)
        for page in (bob, late):
            await page.until("peers[0]?.streams.length === 1")
            assert await page.run("[peers[0].streams[0].remote.name, peers[0].streams[0].endpoint]") == [
                "camera",
                alice.line.auth["endpoint"],
            ]
            await page.until("peers[0].streams[0].remote.stream.getTracks().length === 2")
        assert await bob.run(f"{MEMBERS}(peers[0].streams[0].remote)") == declared()[1]["RemoteStream"]
        kinds = sorted(await alice.run("shown.map(([kind]) => kind)"))
        assert kinds == ["audio", "audio", "video", "video"]
        offers = await alice.run("made.offers.length") + await bob.run("made.offers.length")
        await alice.run("navigator.mediaDevices.getUserMedia({video: true}).then(({ id, getVideoTracks }) => 0)")
        await alice.run(
            """navigator.mediaDevices.getUserMedia({video: {width: 320}}).then(other => {
                window.track = other.getVideoTracks()[0];
                return peers[0].replaceTrack(stream.getVideoTracks()[0], track);
            })"""
        )
        assert await alice.run("made.offers.length") + await bob.run("made.offers.length") == offers
        senders = "openConnections().map(one => one.getSenders().some(sender => sender.track === track))"
        assert await alice.run(senders) == [True, True]
        # One track ends, then the other: the stream goes with the last one.
        await alice.run("track.stop(); track.dispatchEvent(new Event('ended'))")
        await bob.until("peers[0].streams[0].remote.stream.getVideoTracks().every(track => track.muted)")
        await alice.run("stream.getAudioTracks()[0].dispatchEvent(new Event('ended'))")
        for page in (bob, late):
            await page.until("peers[0].said.some(([name]) => name === 'streamend')")
        # The next one uses what is left of it.
        await alice.run("submergence.getUserMedia({video: true}).then(stream => peers[0].addStream(stream))")
        for page in (bob, late):
            await page.until("peers[0].streams.length === 2")
        await settled(alice, bob, late)
        assert await alice.run("made.connections.length") == 2

    theatre.play(scenario)


def test_simulcast_and_autoplay(theatre):
    """C-36, C-37."""

    async def scenario(play):
        alice, bob = await couple(play)
        await alice.run(
            """submergence.getUserMedia({video: true}).then(stream =>
                peers[0].addStream(stream, {sendEncodings: [{rid: "a"}, {rid: "b", scaleResolutionDownBy: 2}]}))"""
        )
        await bob.until("peers[0].streams.length === 1")
        assert "a=simulcast" in await alice.run("made.connections[0].localDescription.sdp")
        play_ = """(async name => {
            const element = document.createElement("video");
            element.play = () => Promise.reject(new DOMException("no", name));
            const outcome = await peers[0].streams[0].remote.attach(element);
            return [outcome, peers[0].said.at(-1)[1]?.code];
        })"""
        assert await bob.run(f"{play_}('NotAllowedError')") == [False, "AUTOPLAY"]
        assert await bob.run(f"{play_}('NotSupportedError')") == [False, "MEDIA"]

    theatre.play(scenario)


def test_ice_servers(theatre):
    """C-31: of `ready`, asked for anew before they expire; the page's own come first; nothing else is contacted."""

    async def scenario(play):
        import time

        servers = [{"urls": "turn:127.0.0.1:9", "username": "u", "credential": "c"}]
        play.stub.ready_more = {"iceServers": servers, "iceExpires": int(time.time() * 1000) + 3_600_000}
        fresh = [{**servers[0], "username": "fresh"}]

        async def ice(line, packet):
            await line.send("ice", {"_id": packet["_id"], "iceServers": fresh, "iceExpires": 0})

        play.stub.on["ice"] = ice
        alice = await play.open("alice", live=False)
        await alice.run("""
            (() => {
                const timer = window.setTimeout;
                window.far = [];
                window.setTimeout = (work, delay, ...args) => {
                    if (delay > 600_000) far.push({ work, delay });
                    return timer(work, delay, ...args);
                };
            })()
        """)
        await alice.run("server.goLive()")
        bob = await play.open("bob")
        assert await alice.run("connect({user: 'bob'})") == "open"
        await bob.until("incoming.length === 1 && incoming[0].connected")
        of = "openConnections()[0].getConfiguration().iceServers.map(({ username }) => username)"
        assert await alice.run(of) == ["u"]
        assert await alice.run("far.length") == 1
        assert 600_000 < await alice.run("far[0].delay") < 3_600_000
        await alice.run("far[0].work()")
        await alice.until(f"{of}[0] === 'fresh'")
        await alice.run("submergence.getServer(undefined, {iceServers: [], iceTransportPolicy: 'all'}), 0")
        await alice.run("peers[0].disconnect()")
        assert await alice.run("connect({user: 'bob'})") == "open"
        assert await alice.run(of) == []
        play.stub.ready_more = {"iceServers": [{"urls": "nonsense:"}], "iceExpires": 0}
        await bob.run("Math.random = () => 0")
        await bob.line.close()
        await bob.until("peers[0].said.some(([name, detail]) => detail?.code === 'ICE')")

    theatre.play(scenario)


def test_not_too_many_endpoints(theatre):
    """C-32: 32 of them; the oldest stay."""

    async def scenario(play):
        alice = await play.open("alice")
        for number in range(34):
            packet = {
                "token": "t" * 44,
                "gen": 1,
                "init": True,
                "from": f"n.{number}x",
                "ep": f"ep{number:02d}",
                "query": {},
            }
            await alice.line.send("peer", packet)
        await alice.until("peers[0]?.said.filter(([, detail]) => detail?.code === 'OVERFLOW').length === 2")
        assert await alice.run("[...peers[0].endpoints.keys()]") == [f"ep{number:02d}" for number in range(32)]
        await alice.line.send("peer", {"token": "t" * 44, "closed": True, "reason": "OFFLINE"})
        await alice.until("peers[0].state === 'closed'")
        assert await alice.run("openConnections().length") == 0

    theatre.play(scenario)
