"""A headless Chromium, driven over the DevTools protocol: windows, scripts that run in them, the network to cut."""

import asyncio
import json
import os

from driving import Browser, Window

# Calls between pages of one machine: host candidates on loopback under their addresses, devices that are not there, and
# nobody to press a button.
MEDIA = (
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)


class Chromium(Browser):
    name = "Chromium"
    programs = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

    def __init__(self, options=(), throttled=False):
        """`options`: further ones of the command line, `--host-resolver-rules` for one. `throttled`: the timers of
        windows that nobody looks at are, as in a browser of a person's."""
        self._options = list(options)
        self._throttled = throttled

    @classmethod
    def among(cls, hosts, fingerprint):
        """One for which names lead to ports of this machine: `hosts` by "name:port". It trusts the certificate of
        that fingerprint."""
        rules = ",".join(f"MAP {host} 127.0.0.1:{port}" for host, port in hosts.items())
        certificates = f"--ignore-certificate-errors-spki-list={fingerprint}"
        return cls([f"--host-resolver-rules={rules}", certificates, "--disable-features=HttpsUpgrades"])

    def _arguments(self):
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        arguments += ["--no-first-run", "--disable-background-networking", "--disable-component-update"]
        if not self._throttled:
            # Windows that nobody looks at must run as if somebody did.
            arguments += ["--disable-background-timer-throttling", "--disable-renderer-backgrounding"]
            arguments += ["--disable-backgrounding-occluded-windows"]
        arguments += self._options
        return [*arguments, f"--user-data-dir={self._profile}", "--remote-debugging-port=0", "about:blank"]

    def _address(self):
        """Chromium writes the port that it chose into its profile."""
        path = os.path.join(self._profile, "DevToolsActivePort")
        if not os.path.exists(path):
            return None
        with open(path, encoding="ascii") as file:
            lines = file.read().split("\n")
        return f"ws://127.0.0.1:{lines[0]}{lines[1]}" if len(lines) >= 2 and lines[1] else None

    def _told(self, message):
        window = self._windows.get(message.get("sessionId"))
        if window:
            window._event(message["method"], message["params"])

    async def command(self, method, session=None, patience=60, **parameters):
        answer = await self._ask(method, parameters, patience, **({"sessionId": session} if session else {}))
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    async def context(self):
        """Cookies and storage of their own: another person's browser."""
        return (await self.command("Target.createBrowserContext"))["browserContextId"]

    async def cookies(self, context):
        """Values by name, also of what scripts do not see."""
        found = (await self.command("Storage.getCookies", browserContextId=context))["cookies"]
        return {cookie["name"]: cookie["value"] for cookie in found}

    async def open(self, url, width=1280, height=900, dark=False, beside=None, context=None, window=False, kind=None):
        """Opens a tab, with cookies and storage of its own, or with those of the window `beside`, or of the context.

        `window`: in a window of its own, so that it stays visible beside others of its context. `kind`: a subclass of
        ChromiumWindow.
        """
        if beside:
            context = beside.context
        elif not context:
            context = await self.context()
        place = {"browserContextId": context, **({"newWindow": True} if window else {})}
        target = await self.command("Target.createTarget", url="about:blank", **place)
        attached = await self.command("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        window = (kind or ChromiumWindow)(self, target["targetId"], context, attached["sessionId"])
        self._windows[attached["sessionId"]] = window
        for domain in ("Page", "Runtime", "Log"):
            await window.command(f"{domain}.enable")
        await window.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        scheme = "dark" if dark else "light"
        await window.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        await window.go(url)
        return window


class ChromiumWindow(Window):
    """One page of Chromium."""

    def __init__(self, browser, target, context, session):
        super().__init__(browser, target, context)
        self._session = session
        self._loaded = asyncio.Event()
        self._crashed = asyncio.Event()

    def _event(self, method, parameters):
        if method == "Page.loadEventFired":
            self._loaded.set()
        elif method == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self._complained(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "assert"):
            self._complained(" ".join(str(part.get("value", part)) for part in parameters["args"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            entry = parameters["entry"]
            self._complained(entry["text"], entry["source"] == "network" or "WebSocket connection" in entry["text"])
        elif method == "Inspector.targetCrashed":
            self._crashed.set()

    def command(self, method, **parameters):
        return self._browser.command(method, self._session, **parameters)

    async def go(self, url):
        self._loaded.clear()
        result = await self.command("Page.navigate", url=url)
        if "errorText" in result:
            raise RuntimeError(f"{url}: {result['errorText']}")
        await asyncio.wait_for(self._loaded.wait(), 60)

    async def follow(self, script):
        """Runs a script that makes the page go elsewhere, and waits until it is there."""
        self._loaded.clear()
        await self.command("Runtime.evaluate", expression=script)
        await asyncio.wait_for(self._loaded.wait(), 60)

    async def run(self, script, patience=60):
        """Evaluates an expression, awaits it when it is a promise, and returns its JSON value."""
        options = {"awaitPromise": True, "returnByValue": True, "patience": patience}
        result = await self.command("Runtime.evaluate", expression=script, **options)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
        return result["result"].get("value")

    async def type(self, selector, text):
        """Fills an input field the way a person's typing would."""
        await self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        await self.command("Input.insertText", text=text)

    async def screenshot(self, path):
        import base64

        image = await self.command("Page.captureScreenshot", format="png")
        with open(path, "wb") as file:
            file.write(base64.b64decode(image["data"]))

    async def reload(self):
        self._loaded.clear()
        await self.command("Page.reload")
        await asyncio.wait_for(self._loaded.wait(), 60)

    async def back(self):
        """Back in its history; from the back/forward cache there is no load to wait for."""
        history = await self.command("Page.getNavigationHistory")
        entry = history["entries"][history["currentIndex"] - 1]
        await self.command("Page.navigateToHistoryEntry", entryId=entry["id"])

    async def show(self):
        """Brings it to the front of its window, before whichever other tab was there: that one is hidden now."""
        await self._browser.command("Target.activateTarget", targetId=self._target)

    async def lose_packets(self, percent):
        """Of what its peer connections send; 100 cuts them, 0 mends it. Connections that were made before the first
        call are not touched."""
        await self.command("Network.enable")
        rule = {"urlPattern": "", "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        rule["packetLoss"] = percent
        await self.command("Network.emulateNetworkConditionsByRule", offline=False, matchedNetworkConditions=[rule])

    async def crash(self):
        """Ends the renderer as a crash would: the page says goodbye to nobody."""
        await self.command("Inspector.enable")
        crash = asyncio.ensure_future(self.command("Page.crash"))
        await asyncio.wait_for(self._crashed.wait(), 60)
        crash.cancel()

    async def close(self):
        await self._browser.command("Target.closeTarget", targetId=self._target)
