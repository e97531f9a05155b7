"""A node that dies without a word: its users are announced off line once, by a survivor (SPEC ND-4, LC-4 to LC-6)."""

import asyncio
import contextlib
import time
from collections import Counter

from people import AT_ONCE, PATIENT, Tab
from processes import wait_for

# What is promised (LC-7): 10 s of silence, 3 s, 1 s per 10,000 routes, so less than 15 s here. The limit of the test is
# for what never comes, as a slow machine may need longer; what was measured is printed.
PROMISED = 15
REAPED_WITHIN = 30


def test_killed_node(mongo, nodes):
    victim, survivor, third = nodes.start(3, mongo=mongo, options=[*PATIENT, *AT_ONCE])
    asyncio.run(scenario(victim, survivor, third))


def offline(*nodes):
    """How often which user was announced off line, by these nodes together."""
    return Counter(entry["user"] for node in nodes for entry in node.presence() if entry["t"] == "userOffline")


async def scenario(victim, survivor, third):
    lost = [f"lost-{index}" for index in range(10)]
    async with contextlib.AsyncExitStack() as stack:

        async def open_tab(node, user):
            return await stack.enter_async_context(Tab(node.url, user))

        for user in lost + ["returning", "everywhere"]:
            await open_tab(victim, user)
        others = [await open_tab(survivor, "everywhere"), await open_tab(third, "elsewhere")]

        victim.kill()
        killed = time.monotonic()
        others.append(await open_tab(third, "returning"))

        gone = await asyncio.to_thread(
            wait_for,
            "the userOffline of everybody who was there only",
            lambda: set(lost) <= set(offline(survivor, third)) and time.monotonic() - killed,
            REAPED_WITHIN,
        )
        print(f"userOffline of {len(lost)} users {gone:.1f} s after kill -9; at most {PROMISED} s are promised")

        # Those who are still there have not been announced off line; when they go, it happens once.
        assert offline(victim, survivor, third) == Counter(lost)
        for tab in others:
            await tab.close()
        remaining = {"everywhere", "elsewhere", "returning"}
        await asyncio.to_thread(
            wait_for,
            "the userOffline of the others when they leave",
            lambda: remaining <= set(offline(survivor, third)),
        )
        assert offline(victim, survivor, third) == Counter(lost) + Counter(remaining)
