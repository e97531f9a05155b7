"""Links know no other domain: names, tokens and connections of one are nothing in another (SPEC LK-3, §11.7)."""

import asyncio
import contextlib

from callers import Browser
from linkers import CANDIDATE, OFFER, Linker, applications, linked

HERE, THERE = "here.example", "there.example"


async def resident(stack, node, domain, user):
    """Somebody who is logged in at that domain, connected to that node."""
    headers = {"host": domain, "x-forwarded-proto": "https"}
    browser = Browser()
    who = {"user": user, "client": "laptop"}
    status, content, _ = await browser.request("POST", node.url, "/login", who, headers)
    assert (status, content) == (200, who)
    return await stack.enter_async_context(Linker(node.url, user, browser=browser, headers=headers))


def test_another_domain_is_another_world(mongo, tmp_path):
    """The same names on the same two nodes: who is asked for, told, and heard is of the domain."""

    async def run(first, second):
        async with contextlib.AsyncExitStack() as stack:
            alice, bob = [await resident(stack, node, HERE, name) for node, name in ((first, "alice"), (second, "bob"))]
            # Their namesakes, and one whom nobody knows here; on both nodes.
            twins = [await resident(stack, node, THERE, "alice") for node in (first, second)]
            namesake = await resident(stack, second, THERE, "bob")
            await resident(stack, first, THERE, "carol")

            assert (await alice.link({"user": "carol"}))["error"] == "OFFLINE"
            answer = await linked(alice, bob)
            token = answer["token"]
            for other in (*twins, namesake):
                await other.settled()
                assert other.of("peer") == []

            # The token of a Link, told to who has the same name elsewhere.
            for number, other in enumerate((*twins, namesake)):
                to = alice.sid if other is namesake else bob.sid
                await other.signal(token, to, sdp=OFFER)
                await other.signal(token, to, ICE=CANDIDATE)
                await other.refused("FORBIDDEN", count=2)
                assert (await other.close_link(token))["error"] == "FORBIDDEN", number
            # A connection over there is nobody whom this Link leads to.
            await alice.signal(token, namesake.sid, sdp=OFFER)
            assert await alice.refused("OFFLINE") == {"token": token, "to": namesake.sid, "error": "OFFLINE"}

            # The two over there have a Link of their own: another key, which is the token's first half.
            elsewhere = await linked(twins[0], namesake)
            half = len(token) // 2
            assert elsewhere["token"][:half] != token[:half]
            await namesake.told_of(twins[1])
            await twins[0].close_link(elsewhere["token"])
            await namesake.closed(elsewhere["token"], "CLOSED")

            # Nothing of all that has reached the Link here, which goes on.
            await alice.signal(token, bob.sid, sdp=OFFER)
            await bob.got("sdp", alice)
            for one, other in ((alice, bob), (bob, alice)):
                await one.settled()
                assert [packet["ep"] for packet in one.peers("init")] == [other.endpoint]
                assert one.peers("closed") == one.peers("gone") == one.peers("ICE") == []
            assert len(bob.peers("sdp")) == 1 and alice.peers("sdp") == [] and namesake.peers("sdp") == []

    with applications(tmp_path, 2, mongo, SUBMERGENCE_DOMAINS=f"{HERE},{THERE}") as nodes:
        asyncio.run(run(*nodes))
