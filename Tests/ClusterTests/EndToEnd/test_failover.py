"""A shard's primary steps down while events flow (SPEC ND-7, ND-8, ND-14)."""

import asyncio
import contextlib
import time

from people import PATIENT, LeanTab, Sender, by_sender

RATE = 1_000  # events/s, of all senders together
SECONDS = 20
STEP_DOWN_AT = {4: 1, 11: 2}  # second -> shard


def test_step_down_under_load(replicated_mongo, nodes):
    three = nodes.start(3, mongo=replicated_mongo, options=PATIENT)
    asyncio.run(scenario(three, replicated_mongo))
    for node in three:
        assert node.is_running, node.log()[-4000:]


async def scenario(three, mongo):
    async with contextlib.AsyncExitStack() as stack:

        async def open_tab(node, user):
            return await stack.enter_async_context(LeanTab(node.url, user, f"on-{node.name}"))

        alice = [await open_tab(node, "alice") for node in three]
        senders = [Sender(node.name, await open_tab(node, f"sender-{node.name}"), in_flight=20_000) for node in three]

        async def send_evenly(sender):
            start = asyncio.get_running_loop().time()
            per_second = RATE / len(senders)
            for number in range(int(per_second * SECONDS)):
                await asyncio.sleep(max(0, start + number / per_second - asyncio.get_running_loop().time()))
                await sender.send("alice", number)
            await sender.settle()

        async def step_down():
            start = time.monotonic()
            for second, shard in STEP_DOWN_AT.items():
                await asyncio.sleep(max(0, start + second - time.monotonic()))
                print((await asyncio.to_thread(mongo.command, "stop-primary", shard)).strip())

        await asyncio.gather(step_down(), *(send_evenly(sender) for sender in senders))

        # What follows all others of its sender shows that all others have arrived, or never will.
        for sender in senders:
            await send_end(sender)
        for tab in alice:
            assert tab.disconnects == []
            await tab.until(lambda tab: {("end", sender.name) for sender in senders} <= ends(tab))

        sent = int(RATE / len(senders) * SECONDS)
        for sender in senders:
            positive = sender.positive()
            print(f"{sender.name}: {sent} sent, {len(positive)} positive receipts")
            assert len(sender.receipts) == sent
            for tab in alice:
                arrived = by_sender(tab)[sender.name]
                assert all(a < b for a, b in zip(arrived, arrived[1:])), "an event came twice or out of order"
                missing = sorted(set(positive) - set(arrived))
                assert not missing, f"lost in spite of a positive receipt: {missing[:10]} of {len(missing)}"


async def send_end(sender):
    """Sends the last event until its receipt is positive: the cluster may still be electing."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        receipt = await sender.tab.publish("alice", {"end": sender.name})
        if receipt.get("didReceive") and receipt.get("isComplete", True):
            return
    raise TimeoutError(f"{sender.name} gets no positive receipt any more")


def ends(tab):
    return {("end", payload["end"]) for payload in tab.messages() if isinstance(payload, dict)}
