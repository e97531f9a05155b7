"""Links over the wire, on one node and on two over a cluster of two shards (SPEC §7)."""

import asyncio

import pytest
from callers import Browser
from forging import Forger, forge
from linkers import ANSWER, CANDIDATE, OFFER, Linker, Returning, applications, linked


@pytest.fixture
def single(tmp_path):
    """One node, with its state in memory."""
    with applications(tmp_path) as [node]:
        yield node


@pytest.fixture
def pair(mongo, tmp_path):
    """Two nodes over two shards."""
    with applications(tmp_path, 2, mongo) as nodes:
        yield nodes


@pytest.fixture(params=["single", "pair"])
def two(request):
    """Two addresses: of one node, and of two."""
    found = request.getfixturevalue(request.param)
    return found if isinstance(found, list) else [found, found]


def test_request_rosters_and_signals(two):
    """LK-4, LK-6, LK-7, LK-9: a request is answered once; each side is told of the other under its own label; what they
    signal arrives stamped, in order, without what nobody knows."""
    first, second = two

    async def run():
        async with Linker(first.url, "alice") as alice, Linker(second.url, "bob") as bob:
            query = {"user": "bob", "info": {"who": "a friend"}}
            answer = await alice.link(query)
            assert set(answer) == {"_id", "token", "gen", "query"}
            assert answer["query"] == query
            token, gen = answer["token"], answer["gen"]
            assert await alice.told_of(bob) == {
                "token": token,
                "gen": gen,
                "init": True,
                "from": bob.sid,
                "ep": bob.endpoint,
                "query": query,
            }
            assert (await bob.told_of(alice))["query"] == {"who": "a friend"}
            await alice.signal(token, bob.sid, sdp=OFFER, extra={"never": "seen"}, user="mallory")
            assert await bob.got("sdp", alice) == {
                "token": token,
                "gen": gen,
                "from": alice.sid,
                "ep": alice.endpoint,
                "query": {"who": "a friend"},
                "sdp": OFFER,
            }
            await bob.signal(token, alice.sid, sdp=ANSWER)
            assert (await alice.got("sdp", bob))["query"] == query
            for number in range(200):
                await alice.signal(token, bob.sid, ICE={**CANDIDATE, "sdpMLineIndex": number})
            await alice.signal(token, bob.sid, ICE=None)
            await bob.got("ICE", alice, count=201)
            candidates = [packet["ICE"] for packet in bob.peers("ICE")]
            assert [c["sdpMLineIndex"] for c in candidates[:200]] == list(range(200))
            assert candidates[200] is None
            await bob.signal(token, alice.sid, bye=True)
            await alice.got("bye", bob)
            assert alice.peers("error") == bob.peers("error") == []
            assert len(alice.peers("init")) == len(bob.peers("init")) == 1

    asyncio.run(run())


def test_close_by_a_party(two):
    """LK-14, LK-16: any connection of a party closes the Link; every connection of both is told, and later messages are
    answered CLOSED; LK-5: it is opened again with another token and the next generation."""
    first, second = two

    async def run():
        async with Linker(first.url, "alice") as alice, Linker(second.url, "bob") as bob:
            async with Linker(second.url, "alice", "phone") as phone:
                answer = await linked(alice, bob)
                token = answer["token"]
                await bob.told_of(phone)
                assert (await bob.close_link(token))["closed"] is True
                for tab in (alice, bob, phone):
                    await tab.closed(token, "CLOSED")
                await alice.signal(token, bob.sid, sdp=OFFER)
                assert await alice.refused("CLOSED") == {"token": token, "to": bob.sid, "error": "CLOSED"}
                assert (await alice.close_link(token))["error"] == "CLOSED"
                again = await alice.link({"user": "bob"})
                assert again["gen"] == answer["gen"] + 1
                assert again["token"] != token
                assert again["token"][:22] == token[:22]
                assert bob.peers("sdp") == []

    asyncio.run(run())


def test_devices_and_own_tabs(two):
    """LK-1: a Link of devices is between those only, and never mixed with one of users; own tabs may be linked, and no
    endpoint to itself."""
    first, second = two

    async def run():
        async with (
            Linker(first.url, "alice", "laptop") as laptop,
            Linker(second.url, "alice", "phone") as phone,
            Linker(second.url, "bob", "laptop") as bob,
            Linker(first.url, "bob", "phone") as other,
        ):
            devices = await linked(laptop, bob, client="laptop")
            await linked(phone, bob)
            await asyncio.gather(*(one.told_of(two) for one in (laptop, phone) for two in (bob, other)))
            assert [p["from"] for p in laptop.peers("init") if p["token"] == devices["token"]] == [bob.sid]
            assert [p for p in phone.peers("init") if p["token"] == devices["token"]] == []
            # The other device is no party of it, whatever it knows.
            await other.signal(devices["token"], laptop.sid, sdp=OFFER)
            assert (await other.refused("FORBIDDEN"))["token"] == devices["token"]
            await laptop.signal(devices["token"], other.sid, sdp=OFFER)
            await laptop.refused("OFFLINE")

            own = await linked(laptop, phone)
            assert [p["from"] for p in laptop.peers("init") if p["token"] == own["token"]] == [phone.sid]
            assert own["query"] == (await phone.told_of(laptop))["query"] == {"user": "alice"}
            await laptop.signal(own["token"], phone.sid, sdp=OFFER)
            await phone.got("sdp", laptop)
            await laptop.signal(own["token"], laptop.sid, sdp=OFFER)
            await laptop.refused("OFFLINE", count=2)

    asyncio.run(run())


def test_simultaneous_requests_meet_in_one_link(two):
    """LK-2, LK-5: mutual requests at once, again and again: one token; who asks later reuses it under new labels."""
    first, second = two

    async def run():
        for number in range(10):
            async with Linker(first.url, f"a{number}") as one, Linker(second.url, f"b{number}") as other:
                mine, theirs = await asyncio.gather(
                    one.link({"user": other.user, "info": "mine"}), other.link({"user": one.user, "info": "theirs"})
                )
                assert mine["token"] == theirs["token"] and mine["gen"] == theirs["gen"]
                await asyncio.gather(one.told_of(other), other.told_of(one))
                again = await one.link({"user": other.user, "info": "again"})
                assert again["token"] == mine["token"]
                await other.until(lambda tab: any(p["query"] == "again" for p in tab.peers("init")))
                await one.signal(again["token"], other.sid, sdp=OFFER)
                assert (await other.got("sdp", one))["query"] == "again"

    asyncio.run(run())


def test_joining_and_leaving(two):
    """LK-11, LK-12, LC-5: a tab that comes later is told behind `ready` and the hook's events, and the others of it;
    one that leaves is gone for the others."""
    first, second = two

    async def run():
        async with Linker(first.url, "alice") as alice, Linker(second.url, "bob") as bob:
            token = (await linked(alice, bob))["token"]
            async with Linker(first.url, "bob", "phone") as phone:
                await asyncio.gather(alice.told_of(phone), phone.told_of(alice))
                assert phone.names == ["ready", "hello", "peer"]
                assert phone.peers("init")[0]["token"] == token
                sid = phone.sid
            gone = await alice.until(lambda tab: tab.peers("gone"))
            assert gone == [
                {"token": token, "gen": bob.peers("init")[0]["gen"], "from": sid, "ep": phone.endpoint, "gone": True}
            ]
            # The page comes back under another SID, and nothing is said of its going.
            async with Linker(second.url, "bob", "phone", endpoint=phone.endpoint) as again:
                await asyncio.gather(alice.told_of(again), again.told_of(alice))
                await alice.signal(token, sid, sdp=OFFER)
                assert await alice.refused("OFFLINE") == {"token": token, "to": sid, "error": "OFFLINE"}
                await alice.signal(token, again.sid, sdp=OFFER)
                await again.got("sdp", alice)
            assert bob.peers("gone") == []

    asyncio.run(run())


def test_plain_clients_have_no_links(single):
    """SPEC §8: a client without `v` gets no roster, is in nobody's roster, and is forbidden to ask; LK-16: it is
    answered all the same."""

    async def run():
        async with Linker(single.url, "alice") as alice, Linker(single.url, "bob") as bob:
            async with Linker(single.url, "bob", "old", v=None) as plain:
                token = (await linked(alice, bob))["token"]
                assert (await plain.client.call("link", {"_id": 1, "query": {"user": "alice"}}))["error"] == "FORBIDDEN"
                await alice.signal(token, plain.client.get_sid(), sdp=OFFER)
                await alice.refused("OFFLINE")
                await alice.close_link(token)
                await bob.closed(token, "CLOSED")
                assert plain.of("peer") == []
                assert len(alice.peers("init")) == 1

    asyncio.run(run())


def test_refusals(single):
    """LK-4, LK-16, WS-1, WS-3: each request has its one answer, and says why."""

    async def run():
        async with Linker(single.url, "alice") as alice, Linker(single.url, "bob"):
            assert (await alice.link({}))["error"] == "FORBIDDEN"
            assert (await alice.link({"throw": True}))["error"] == "FORBIDDEN"
            assert (await alice.link({"user": "nobody"}))["error"] == "OFFLINE"
            assert (await alice.link({"user": "bob", "client": "tablet"}))["error"] == "OFFLINE"
            assert (await alice.link({"user": ""}))["error"] == "FORBIDDEN"
            assert (await alice.link({"user": "bob", "info": "x" * 17_000}))["error"] == "INVALID"
            assert (await alice.link({"user": "bob", "hang": True}))["error"] == "TIMEOUT"
            for packet in (
                {},
                {"query": {}, "close": "x"},
                {"_id": [], "query": {}},
                {"close": 3},
                {"query": {"constructor": {"prototype": 1}}},
                {"query": {"__proto__": 1}},
            ):
                answer = await alice.client.call("link", packet, timeout=30)
                assert answer["error"] == "INVALID", packet
            assert (await alice.client.call("link", [], timeout=30))["error"] == "INVALID"
            assert (await alice.client.call("link", timeout=30))["error"] == "INVALID"
            assert (await alice.client.call("link", {"query": b"bytes"}, timeout=30))["error"] == "INVALID"
            assert (await alice.close_link("no token"))["error"] == "FORBIDDEN"
            assert (await alice.close_link("A" * 44))["error"] == "FORBIDDEN"

    asyncio.run(run())


def test_mesh_limit(single):
    """LK-8: of more than 32 connections of a party the oldest take part; when one leaves, the next in age does."""

    async def run():
        async with Linker(single.url, "alice") as alice:
            tabs = [Linker(single.url, "bob", f"device-{number}") for number in range(33)]
            try:
                for tab in tabs:
                    await tab.__aenter__()
                await alice.link({"user": "bob"})
                await asyncio.gather(*(tab.told_of(alice) for tab in tabs[:32]))
                await alice.until(lambda tab: len(tab.peers("init")) == 32)
                assert tabs[32].of("peer") == []
                await tabs[5].client.disconnect()
                await asyncio.gather(tabs[32].told_of(alice), alice.told_of(tabs[32]))
                assert single.metric("submergence_link_members_excess_total") >= 1
            finally:
                for tab in tabs:
                    await tab.client.disconnect()

    asyncio.run(run())


@pytest.fixture(params=[0, 3])
def grace(request):
    return request.param


def test_last_tab_gone(mongo, tmp_path, grace):
    """LK-13, LK-15: the Link closes once a party had no connection for `linkGrace`; a reload in time keeps it."""
    with applications(tmp_path, 2, mongo, SUBMERGENCE_LINK_GRACE=str(grace)) as (first, second):

        async def run():
            async with Linker(first.url, "alice") as alice:
                async with Linker(second.url, "bob") as bob:
                    answer = await linked(alice, bob)
                if grace:
                    async with Linker(first.url, "bob", endpoint=bob.endpoint) as back:
                        await asyncio.gather(alice.told_of(back), back.told_of(alice))
                        await alice.signal(answer["token"], back.sid, sdp=OFFER)
                        await back.got("sdp", alice)
                await alice.closed(answer["token"], "OFFLINE")
                assert (await alice.link({"user": "bob"}))["error"] == "OFFLINE"
                async with Linker(second.url, "bob") as bob:
                    again = await linked(bob, alice)
                    assert again["gen"] == answer["gen"] + 1

        asyncio.run(run())


def test_crash_of_a_node_closes_its_links(mongo, tmp_path):
    """LK-13, LK-15, ND-4: the parties that a dead node had are gone with it, and what they had open is closed."""
    with applications(tmp_path, 3, mongo) as (first, second, third):

        async def run():
            async with Linker(first.url, "alice") as alice, Linker(third.url, "carol") as carol:
                bob = Linker(second.url, "bob")
                await bob.__aenter__()
                token = (await linked(alice, bob))["token"]
                kept = (await linked(alice, carol))["token"]
                second.process.kill()
                await alice.closed(token, "OFFLINE")
                await alice.signal(kept, carol.sid, sdp=OFFER)
                await carol.got("sdp", alice)

        asyncio.run(run())


@pytest.mark.parametrize(("order", "reason"), [("kick", "KICK"), ("logout", "LOGOUT")])
def test_kick_and_logout_close_without_grace(pair, order, reason):
    """LK-13, LK-14, ID-13, ID-14: who is kicked or logged out is not waited for, wherever it was connected; what
    another device still holds stays."""
    first, second = pair

    async def run():
        async with Linker(first.url, "alice") as alice, Linker(first.url, "operator") as operator:
            browser = await Browser().log_in(second.url, "bob", "phone")
            async with Linker(second.url, "bob", "phone", browser=browser) as phone:
                async with Linker(first.url, "bob", "laptop") as laptop:
                    users = (await linked(alice, phone))["token"]
                    device = (await linked(alice, phone, client="phone"))["token"]
                    await laptop.told_of(alice)
                    await operator.client.call(order, ("bob", "phone"), timeout=30)
                    await alice.closed(device, reason)
                    await phone.until(lambda tab: tab.disconnects)
                    await alice.signal(users, laptop.sid, sdp=OFFER)
                    await laptop.got("sdp", alice)
                    assert [p["token"] for p in alice.peers("closed")] == [device]
                    await operator.client.call("kick", "bob", timeout=30)
                    await alice.closed(users, "KICK")

    asyncio.run(run())


def test_application_closes_links(pair):
    """LK-14: `closeLinks` of a user, or of one of its devices, from any node."""
    first, second = pair

    async def run():
        async with (
            Linker(first.url, "alice") as alice,
            Linker(second.url, "bob", "phone") as phone,
            Linker(first.url, "bob", "laptop") as laptop,
        ):
            users = (await linked(alice, phone))["token"]
            device = (await linked(alice, phone, client="phone"))["token"]
            await laptop.told_of(alice)
            assert await laptop.client.call("closeLinks", ("bob", "phone"), timeout=30) == 1
            for tab in (alice, phone):
                await tab.closed(device, "CLOSED")
            assert await phone.client.call("closeLinks", "bob", timeout=30) == 1
            for tab in (alice, phone, laptop):
                await tab.closed(users, "CLOSED")
            assert await alice.client.call("closeLinks", "bob", timeout=30) == 0
            assert [p["token"] for p in laptop.peers("closed")] == [users]

    asyncio.run(run())


def test_closed_elsewhere_is_closed_in_caches(pair):
    """LK-10, LK-14: once a Link is closed by one node, another that has it in its cache passes nothing on any more."""
    first, second = pair

    async def run():
        async with Linker(first.url, "alice") as alice, Linker(second.url, "bob") as bob:
            token = (await linked(alice, bob))["token"]
            for tab, other in ((alice, bob), (bob, alice)):
                for number in range(50):
                    await tab.signal(token, other.sid, ICE={"candidate": str(number)})
                await other.got("ICE", tab, count=50)
            for node in pair:
                assert node.metric('submergence_link_cache_total{outcome="hit"}') >= 49
                assert node.metric('submergence_link_cache_total{outcome="miss"}') <= 2
            await bob.close_link(token)
            await alice.closed(token, "CLOSED")
            await alice.signal(token, bob.sid, sdp=OFFER)
            await alice.refused("CLOSED")
            await bob.settled()
            assert bob.peers("sdp") == []

    asyncio.run(run())


def test_rates(single):
    """LK-16, LK-17: what is over the rate of a socket is answered BUSY, and nothing else happens to it."""

    async def run():
        async with Linker(single.url, "alice") as alice, Linker(single.url, "bob") as bob:
            token = (await linked(alice, bob))["token"]
            answers = await asyncio.gather(
                *(alice.client.call("link", {"_id": n, "query": {}}, timeout=30) for n in range(40))
            )
            errors = [answer["error"] for answer in answers]
            assert errors.count("FORBIDDEN") >= 15 and errors.count("BUSY") >= 5
            assert [answer["_id"] for answer in answers] == list(range(40))
            for number in range(800):
                await alice.signal(token, bob.sid, ICE={"candidate": str(number)})
            await alice.until(lambda tab: len(tab.peers("error")) + len(bob.peers("ICE")) >= 800)
            refused = alice.peers("error")
            assert all(packet == {"token": token, "to": bob.sid, "error": "BUSY"} for packet in refused)
            assert len(refused) + len(bob.peers("ICE")) == 800
            assert 100 < len(refused) <= 400
            numbers = [int(packet["ICE"]["candidate"]) for packet in bob.peers("ICE")]
            assert numbers == sorted(numbers)

    asyncio.run(run())


def test_recovered_connections_are_reached_elsewhere(mongo, tmp_path):
    """LK-10, SOCKETIO §14: a connection that came back on another node keeps its SID, and signals find it there."""
    with applications(tmp_path, 2, mongo, SUBMERGENCE_RECOVERY="60") as (first, second):

        async def run():
            async with Linker(first.url, "alice") as alice, Returning(first.url, "bob") as bob:
                token = (await linked(alice, bob))["token"]
                sid = bob.sid
                await bob.come_back(second.url)
                assert bob.sid == sid
                await alice.signal(token, sid, sdp=OFFER)
                await bob.got("sdp", alice)
                await bob.signal(token, alice.sid, sdp=ANSWER)
                await alice.got("sdp", bob)

        asyncio.run(run())


def test_forged_signalling(mongo, tmp_path):
    """LK-3, LK-9, LK-16: of thousands of forged messages none is delivered, and each is answered once."""
    with applications(tmp_path, 2, mongo, SUBMERGENCE_RATES="off") as (first, second):

        async def run():
            async with Linker(second.url, "bob") as bob, Linker(first.url, "alice", "phone") as phone:
                async with (
                    Forger(first.url, "alice") as party,
                    Forger(first.url, "mallory") as mallory,
                    Forger(second.url, "eve") as eve,
                    Forger(second.url, "bob", v=None) as plain,
                ):
                    token = (await linked(phone, bob))["token"]
                    answers = await forge(party, [mallory, eve, plain], token, bob.sid, phone.sid, 6_000)
                    assert answers["FORBIDDEN"] >= 2_000
                    for tab in (bob, phone):
                        await tab.settled()
                        assert [p for p in tab.of("peer") if {"sdp", "ICE", "bye"} & set(p)] == []
                    await phone.signal(token, bob.sid, sdp=OFFER)
                    await bob.got("sdp", phone)

        asyncio.run(run())
