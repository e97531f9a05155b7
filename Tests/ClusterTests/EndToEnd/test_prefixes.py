"""Two installations on one MongoDB cluster, apart by database or by collection prefix (docs/configuration.md)."""

import asyncio

from people import PATIENT, Tab
from test_control import Control


def test_installations_on_one_cluster_never_meet(mongo, nodes):
    """Same domain, same user, same device: by prefixes in one database, and by databases, they are strangers."""
    ways = [
        ("--database", "shared", "--collection-prefix", "red_"),
        ("--database", "shared", "--collection-prefix", "blue_"),
        ("--database", "apart"),
    ]
    groups = [nodes.start(2, "serve", mongo=mongo, options=(*PATIENT, *way)) for way in ways]
    asyncio.run(strangers(groups))


async def strangers(groups):
    (red, second_red), *others = groups
    async with Tab(red.url, "alice", "laptop") as alice:
        for node in (red, second_red):
            assert await devices(node) == ["laptop"]
        for group in others:
            for node in group:
                assert await devices(node) == []
                status, answer = await asyncio.to_thread(
                    Control(node).post, "event", user="alice", event=["msg", "astray"], confirm=5
                )
                assert status == 200 and answer["receipts"][0]["receipt"]["didReceive"] is False
        async with Tab(others[0][0].url, "alice", "laptop") as stranger:
            status, _ = await asyncio.to_thread(
                Control(second_red).post, "event", user="alice", event=["msg", "home"], confirm=5
            )
            assert status == 200
            await alice.until(lambda tab: tab.messages() == ["home"])
            assert (await asyncio.to_thread(Control(second_red).post, "kick", user="alice"))[0] == 200
            await alice.gone()
            assert stranger.messages() == [] and stranger.client.connected
    for group in groups:
        status, answer = await asyncio.to_thread(Control(group[0]).get, "status")
        assert status == 200
        assert sorted(node["name"] for node in answer["nodes"]) == sorted(node.name for node in group)


async def devices(node):
    status, answer = await asyncio.to_thread(Control(node).post, "active", users=["alice"])
    assert status == 200
    return [device["client"] for device in answer["users"][0]["devices"]]
