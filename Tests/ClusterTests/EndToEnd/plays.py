"""Scenarios of pages with the browser module: one browser for a file of tests, one stub (stub.py) for each test."""

import asyncio
import json

from chromium import MEDIA, Chromium
from stub import Stub


class Play:
    """What a scenario is given. `open` opens pages; at the end none may have complained of anything."""

    def __init__(self, browser, stub):
        self.browser, self.stub = browser, stub
        self.pages = []

    async def open(self, user="alice", live=True, beside=None, options=None, path="/page/", url=None):
        """A page of that person, live unless told otherwise; `beside`: a page whose cookies it has."""
        page = await self.browser.open((url or self.stub.url) + path, beside=beside, window=True)
        self.pages.append(page)
        await page.until("window.isReady")
        given = json.dumps({"auth": {"user": user}, **(options or {})})
        await page.run(f"submergence.getServer(undefined, {given}) && undefined")
        if live:
            count = len(self.stub.lines)
            await page.run("server.goLive()")
            page.line = await self.stub.line(count)
        return page


class Theatre:
    """Keeps the browser between scenarios."""

    def __init__(self):
        self._runner = asyncio.Runner()
        self._chromium = Chromium(MEDIA)
        self._browser = self._runner.run(self._chromium.__aenter__())

    def play(self, scenario, patience=120):
        """Runs `await scenario(play)`."""
        self._runner.run(asyncio.wait_for(self._play(scenario), patience))

    async def _play(self, scenario):
        async with Stub() as stub:
            play = Play(self._browser, stub)
            try:
                await scenario(play)
                for page in play.pages:
                    assert page.problems == [], page.problems
            finally:
                for page in play.pages:
                    await page.close()

    def close(self):
        self._runner.run(self._chromium.__aexit__())
        self._runner.close()
