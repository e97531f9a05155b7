"""Links over the wire, on one node and on two over a cluster of two shards (SPEC §7)."""

import asyncio

import pytest
from linkers import ANSWER, CANDIDATE, OFFER, Linker, applications, linked


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
