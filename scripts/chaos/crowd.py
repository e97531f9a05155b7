#!/usr/bin/env python3
"""One process of clients in a chaos run: users who come and go, and send. Started and told what to do by run.py.

Reads one JSON object a line from standard input: the settings first, then orders; answers each order with one line.
"""

import asyncio
import json
import pathlib
import random
import sys

from journal import Journal
from tab import Tab
from watch import Announced, Tail

PATIENCE = 90


class Slot:
    """One tab of a user, opened again and again."""

    def __init__(self, crowd, who, source, is_patient):
        self.crowd, self.who, self.source = crowd, who, source
        self.is_patient = is_patient
        self.tab = None
        self.stays = crowd.random.random() < 0.7

    async def run(self):
        crowd, chance = self.crowd, self.crowd.random
        await crowd.rest(chance.uniform(0, 10))
        while not crowd.is_settling or self.stays:
            if not await self._open():
                await crowd.rest(chance.uniform(0.3, 2), even_at_end=True)
                continue
            if not crowd.is_settling:
                if self.is_patient:
                    await crowd.until_announced(self.who, True, self.tab)
                await crowd.first(self.tab.ended.wait(), crowd.rest(chance.expovariate(1 / 20)))
            if crowd.is_settling and self.stays:
                if await crowd.until_over(self.tab):
                    return await self.tab.close()
                continue
            was_cut = not self.tab.is_open
            await self.tab.close()
            if self.is_patient:
                await crowd.until_announced(self.who, False)
            await crowd.rest(chance.uniform(0, 2) if was_cut else chance.choice([0.05, 1, 8, 20]) * chance.random())

    async def _open(self):
        self.tab = Tab(self.crowd.journal, self.crowd.name(), self.who, self.crowd.port, self.source)
        return await self.tab.open()


class Crowd:
    def __init__(self, settings):
        folder = pathlib.Path(settings["folder"])
        self.number = settings["number"]
        self.random = random.Random(f"{settings['seed']}/{self.number}")
        self.port = settings["port"]
        self.rate = settings["rate"]
        self.users = settings["all_users"]
        self.journal = Journal(folder, f"clients-{self.number}.jsonl")
        self.is_settling = self.is_over = False
        self.announced = Announced()
        self._presence = Tail(pathlib.Path(settings["presence"]))
        self._news = asyncio.Condition()
        self._settling = asyncio.Event()
        self._over = asyncio.Event()
        self._count = 0
        self.slots = []
        for domain, user, tabs, is_patient in settings["users"]:
            for client, source in tabs:
                self.slots.append(Slot(self, (domain, user, client), source, is_patient))

    def name(self):
        self._count += 1
        return f"{self.number}-{self._count}"

    # ------------------------------------------------------------ waiting

    async def first(self, *waits):
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def rest(self, seconds, even_at_end=False):
        """Waits, but no longer than until the crowd settles."""
        if even_at_end:
            await asyncio.sleep(seconds)
            return
        try:
            await asyncio.wait_for(self._settling.wait(), seconds)
        except asyncio.TimeoutError:
            pass

    async def until_over(self, tab):
        """Returns True at the end of the run, False when the tab was cut."""
        await self.first(tab.ended.wait(), self._over.wait())
        return self.is_over

    async def until_announced(self, who, is_online, tab=None):
        """Until this device is announced so; gives up after a while, and when the tab is cut."""

        async def look():
            async with self._news:
                await self._news.wait_for(
                    lambda: (who in self.announced.clients) == is_online or (tab is not None and not tab.is_open)
                )

        try:
            await asyncio.wait_for(look(), PATIENCE)
        except asyncio.TimeoutError:
            pass

    async def follow(self):
        """Reads what is announced."""
        while True:
            for line in self._presence.lines():
                self.announced.take(json.loads(line))
            async with self._news:
                self._news.notify_all()
            self.journal.flush()
            await asyncio.sleep(0.1)

    # ------------------------------------------------------------ sending

    async def send(self):
        """Steadily, from tabs to users of the same domain; now and then many at once, for the order."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not self.is_settling:
            due = max(due + self.random.expovariate(self.rate), loop.time() - 1)
            await asyncio.sleep(max(0, due - loop.time()))
            tabs = [slot.tab for slot in self.slots if slot.tab is not None and slot.tab.is_open]
            if not tabs:
                continue
            tab = self.random.choice(tabs)
            # Half of it goes to a few: the more follows an event to the same user, the sooner its loss is proven.
            some = self.users[: 1 + len(self.users) // 12] if self.random.random() < 0.5 else self.users
            user, clients = self.random.choice(some)
            client = self.random.choice(clients) if self.random.random() < 0.15 else None
            for _ in range(8 if self.random.random() < 0.04 else 1):
                if tab.is_open:
                    await tab.send(user, client)

    # ------------------------------------------------------------ orders

    def open_tabs(self):
        return [slot.tab for slot in self.slots if slot.tab is not None and slot.tab.is_open]

    async def status(self, _):
        return {"open": len(self.open_tabs())}

    async def settle(self, _):
        """Those who stay are connected, the others gone, and all receipts are there."""
        self.is_settling = True
        self._settling.set()

        def is_settled():
            for slot, task in self.tasks:
                if slot.stays and not (slot.tab is not None and slot.tab.is_open):
                    return False
                if not slot.stays and not task.done():
                    return False
            return True

        for _ in range(1200):
            if is_settled():
                break
            await asyncio.sleep(0.1)
        return {"settled": is_settled(), "tabs": self._described()}

    def _described(self):
        return [[tab.name, tab.node, tab.domain, tab.user, tab.client] for tab in self.open_tabs()]

    async def barrier(self, order):
        """Sends something to each of these users, from this tab, until a receipt is complete."""
        tabs = {tab.name: tab for tab in self.open_tabs()}
        limit = asyncio.Semaphore(40)
        sent = []

        async def send(tab, user):
            async with limit:
                for _ in range(60):
                    if not tab.is_open:
                        return
                    number, answer = await tab.send(user)
                    try:
                        receipt = await asyncio.wait_for(answer, 30)
                    except (asyncio.TimeoutError, asyncio.CancelledError):
                        continue
                    if receipt.get("isComplete"):
                        sent.append([tab.name, number, tab.domain, user])
                        return
                    await asyncio.sleep(1)

        await asyncio.gather(
            *(send(tabs[name], user) for name, users in order["from"] if name in tabs for user in users)
        )
        return {"sent": sent}

    async def arrive(self, order):
        """Waits until every open tab has what was sent to its user; returns how many lack something."""
        expected = {}
        for name, number, domain, user in order["sent"]:
            expected.setdefault((domain, user), set()).add((name, number))

        async def wait(tab):
            while tab.is_open and not expected.get((tab.domain, tab.user), set()) <= tab.seen:
                tab.arrival.clear()
                await tab.arrival.wait()

        waits = [asyncio.ensure_future(wait(tab)) for tab in self.open_tabs()]
        if not waits:
            return {"lacking": 0}
        _, late = await asyncio.wait(waits, timeout=order["seconds"])
        for task in late:
            task.cancel()
        return {"lacking": len(late)}

    async def verify(self, _):
        """Every connection answers, and every send was answered."""
        tabs = self.open_tabs()
        answers = await asyncio.gather(*(tab.echo() for tab in tabs))
        for tab, is_alive in zip(tabs, answers):
            if is_alive:
                self.journal.write(k="alive", conn=tab.name)
        self.journal.flush()
        dead = [tab.name for tab, is_alive in zip(tabs, answers) if not is_alive]
        return {"connected": [tab.name for tab, is_alive in zip(tabs, answers) if is_alive], "dead": dead}

    async def close(self, _):
        self.is_over = True
        self._over.set()
        await asyncio.gather(*(tab.close() for tab in self.open_tabs()))
        self.journal.flush()
        return {"closed": True}

    async def serve(self):
        loop = asyncio.get_running_loop()
        self.tasks = [(slot, asyncio.create_task(slot.run())) for slot in self.slots]
        others = [asyncio.create_task(self.follow()), asyncio.create_task(self.send())]
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            for task in others + [task for _, task in self.tasks]:
                if task.done() and not task.cancelled() and task.exception():
                    raise task.exception()
            order = json.loads(line)
            answer = await getattr(self, order["do"])(order)
            print(json.dumps(answer), flush=True)
        for task in others + [task for _, task in self.tasks]:
            task.cancel()
        await asyncio.gather(*(slot.tab.close() for slot in self.slots if slot.tab is not None))
        self.journal.close()


async def main():
    await Crowd(json.loads(sys.stdin.readline())).serve()


if __name__ == "__main__":
    asyncio.run(main())
