"""A headless Firefox, driven over WebDriver BiDi, as far as tests of pages need it: the same calls as chromium.py."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

import aiohttp
from chromium import Window

# Calls between pages of one machine: candidates on loopback under their addresses, devices that are not there, and
# nobody to press a button. And no look at anything on the network that a test did not ask for.
PREFERENCES = {
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.sessionstore.resume_from_crash": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "media.autoplay.default": 0,
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "remote.active-protocols": 1,
    "toolkit.telemetry.enabled": False,
}


class Firefox:
    """The browser process. `async with Firefox() as browser`; it takes its whole process group along when it ends."""

    async def __aenter__(self):
        program = shutil.which("firefox-esr") or shutil.which("firefox")
        if not program:
            raise FileNotFoundError("no Firefox in the PATH: apt-get install firefox-esr")
        self._profile = tempfile.TemporaryDirectory(prefix="firefox-", ignore_cleanup_errors=True)
        with open(os.path.join(self._profile.name, "user.js"), "w", encoding="utf8") as file:
            for name, value in PREFERENCES.items():
                file.write(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n")
        arguments = [program, "--headless", "--no-remote", "--profile", self._profile.name]
        self._log = open(os.path.join(self._profile.name, "log"), "w+", encoding="utf8")  # noqa: SIM115
        self._process = subprocess.Popen(
            [*arguments, "--remote-debugging-port", "0", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            start_new_session=True,
            env={**os.environ, "MOZ_DISABLE_CONTENT_SANDBOX": "1", "HOME": self._profile.name},
        )
        try:
            address = await asyncio.wait_for(self._address(), 60)
            self._http = aiohttp.ClientSession()
            self._socket = await self._http.ws_connect(f"{address}/session", max_msg_size=0, heartbeat=None)
        except BaseException:
            self._end_process()
            raise
        self._replies, self._windows, self._count = {}, {}, 0
        self._reader = asyncio.create_task(self._read())
        await self.command("session.new", capabilities={})
        await self.command("session.subscribe", events=["log.entryAdded"])
        return self

    async def __aexit__(self, *_):
        self._reader.cancel()
        await self._socket.close()
        await self._http.close()
        self._end_process()

    def _end_process(self):
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        self._log.close()
        self._profile.cleanup()

    async def _address(self):
        """Firefox says the port that it chose."""
        while True:
            if self._process.poll() is not None:
                raise RuntimeError(f"Firefox ended with status {self._process.returncode}")
            with open(self._log.name, encoding="utf8", errors="replace") as file:
                found = re.search(r"WebDriver BiDi listening on (ws://\S+)", file.read())
            if found:
                return found[1]
            await asyncio.sleep(0.05)

    async def _read(self):
        async for message in self._socket:
            if message.type != aiohttp.WSMsgType.TEXT:
                break
            message = json.loads(message.data)
            future = self._replies.pop(message.get("id"), None)
            if future and not future.done():
                future.set_result(message)
            elif message.get("method") == "log.entryAdded":
                window = self._windows.get(message["params"]["source"].get("context"))
                if window:
                    window.logged(message["params"])
        for future in self._replies.values():
            if not future.done():
                future.set_exception(ConnectionError("Firefox is gone"))

    async def command(self, method, patience=60, **parameters):
        self._count += 1
        reply = self._replies[self._count] = asyncio.get_running_loop().create_future()
        await self._socket.send_str(json.dumps({"id": self._count, "method": method, "params": parameters}))
        answer = await asyncio.wait_for(reply, patience)
        if answer["type"] == "error":
            raise RuntimeError(f"{method}: {answer['error']}: {answer['message']}")
        return answer["result"]

    async def context(self):
        """Cookies and storage of their own: another person's browser."""
        return (await self.command("browser.createUserContext"))["userContext"]

    async def open(self, url, context=None, window=False, kind=None):
        """Opens a tab, or a window of its own, in the context of a person."""
        context = context or await self.context()
        place = {"type": "window" if window else "tab", "userContext": context}
        target = (await self.command("browsingContext.create", **place))["context"]
        opened = (kind or FirefoxWindow)(self, None, target, context)
        self._windows[target] = opened
        await opened.go(url)
        return opened


class FirefoxWindow(Window):
    """One page; `problems` as of a window of Chromium."""

    def logged(self, entry):
        if entry["level"] != "error":
            return
        text = entry.get("text") or ""
        # Firefox says that of each connection that breaks.
        is_failure = "can’t establish a connection" in text or "was interrupted" in text
        (self.problems if self.failures is None or not is_failure else self.failures).append(text)

    def _command(self, method, **parameters):
        return self._browser.command(method, context=self._target, **parameters)

    async def go(self, url):
        await self._command("browsingContext.navigate", url=url, wait="complete")

    async def reload(self):
        await self._command("browsingContext.reload", wait="complete")

    async def back(self):
        await self._command("browsingContext.traverseHistory", delta=-1)

    async def show(self):
        await self._command("browsingContext.activate")

    async def run(self, script, patience=60):
        """Evaluates an expression, awaits it when it is a promise, and returns its JSON value."""
        result = await self._browser.command(
            "script.evaluate",
            patience=patience,
            expression=f"(async () => JSON.stringify((await ({script.rstrip().rstrip(';')})) ?? null))()",
            target={"context": self._target},
            awaitPromise=True,
        )
        if result["type"] == "exception":
            raise RuntimeError(result["exceptionDetails"]["text"])
        return json.loads(result["result"]["value"])

    async def close(self):
        await self._command("browsingContext.close")
