"""A headless Firefox, driven over WebDriver BiDi, as far as tests of pages need it: the same calls as chromium.py."""

import asyncio
import json
import os
import re

from driving import Browser, Window
from spread import Relay

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


class Detours(Relay):
    """A proxy that leads names to ports of this machine, for TLS alone: Firefox has no rules for its resolver."""

    def __init__(self, hosts):
        super().__init__(None)
        self._hosts = hosts

    async def _reach(self, reader, writer):
        method, host, *_ = (await reader.readuntil(b"\r\n\r\n")).decode("latin1").split()
        if method != "CONNECT" or host not in self._hosts:
            raise ConnectionRefusedError(f"{method} {host}")
        streams = await asyncio.open_connection("127.0.0.1", self._hosts[host])
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        return streams


class Firefox(Browser):
    name = "Firefox"
    programs = ("firefox-esr", "firefox")

    def __init__(self, hosts=None):
        """`hosts`: names that lead to ports of this machine, by "name:port"; then any certificate is trusted."""
        self._hosts = hosts
        # A tab that closes while another one is being opened takes that one's context along.
        self.tabs = asyncio.Lock()

    async def _prepare(self, stack):
        preferences = dict(PREFERENCES)
        if self._hosts:
            proxy = await stack.enter_async_context(Detours(self._hosts))
            preferences |= {
                "network.proxy.type": 1,
                "network.proxy.ssl": "127.0.0.1",
                "network.proxy.ssl_port": proxy.port,
            }
        with open(os.path.join(self._profile, "user.js"), "w", encoding="utf8") as file:
            for name, value in preferences.items():
                file.write(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n")

    def _arguments(self):
        arguments = ["--headless", "--no-remote", "--profile", self._profile]
        return [*arguments, "--remote-debugging-port", "0", "about:blank"]

    def _environment(self):
        return {"MOZ_DISABLE_CONTENT_SANDBOX": "1", "HOME": self._profile}

    def _address(self):
        """Firefox says the port that it chose."""
        with open(self._log, encoding="utf8", errors="replace") as file:
            found = re.search(r"WebDriver BiDi listening on (ws://\S+)", file.read())
        return found and f"{found[1]}/session"

    async def _begin(self):
        capabilities = {"alwaysMatch": {"acceptInsecureCerts": True}} if self._hosts else {}
        await self.command("session.new", capabilities=capabilities)
        await self.command("session.subscribe", events=["log.entryAdded"])

    def _told(self, message):
        if message["method"] != "log.entryAdded":
            return
        window = self._windows.get(message["params"]["source"].get("context"))
        if window:
            window.logged(message["params"])

    async def command(self, method, patience=60, **parameters):
        answer = await self._ask(method, parameters, patience)
        if answer["type"] == "error":
            raise RuntimeError(f"{method}: {answer['error']}: {answer['message']}")
        return answer["result"]

    async def context(self):
        """Cookies and storage of their own: another person's browser."""
        return (await self.command("browser.createUserContext"))["userContext"]

    async def cookies(self, context):
        """Values by name, also of what scripts do not see."""
        partition = {"type": "storageKey", "userContext": context}
        found = (await self.command("storage.getCookies", partition=partition))["cookies"]
        return {cookie["name"]: cookie["value"]["value"] for cookie in found}

    async def open(self, url, beside=None, context=None, window=False, kind=None):
        """Opens a tab, or a window of its own, in the context of a person, or that of the window `beside`."""
        context = beside.context if beside else context or await self.context()
        place = {"type": "window" if window else "tab", "userContext": context}
        async with self.tabs:
            target = (await self.command("browsingContext.create", **place))["context"]
        opened = (kind or FirefoxWindow)(self, target, context)
        self._windows[target] = opened
        await opened.go(url)
        return opened


class FirefoxWindow(Window):
    """One page of Firefox."""

    def logged(self, entry):
        if entry["level"] != "error":
            return
        text = entry.get("text") or ""
        # Firefox says that of each connection that breaks.
        self._complained(text, "can’t establish a connection" in text or "was interrupted" in text)

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
            expression=f"(async () => JSON.stringify(await ({script.rstrip().rstrip(';')})) ?? 'null')()",
            target={"context": self._target},
            awaitPromise=True,
        )
        if result["type"] == "exception":
            raise RuntimeError(result["exceptionDetails"]["text"])
        return json.loads(result["result"]["value"])

    async def close(self):
        async with self._browser.tabs:
            await self._command("browsingContext.close")
