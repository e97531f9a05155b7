"""A headless Chromium, driven over the DevTools protocol: windows, scripts that run in them, the network to cut."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import tempfile

import aiohttp


def find_chromium():
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        path = shutil.which(name)
        if path:
            return path
    raise FileNotFoundError("no Chromium in the PATH: apt-get install chromium")


# Calls between pages of one machine: host candidates on loopback under their addresses, devices that are not there, and
# nobody to press a button.
MEDIA = (
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)


class Chromium:
    """The browser process. `async with Chromium() as browser`; it takes its whole process group along when it ends."""

    def __init__(self, options=(), throttled=False):
        """`options`: further ones of the command line, `--host-resolver-rules` for one. `throttled`: the timers of
        windows that nobody looks at are, as in a browser of a person's."""
        self._options = list(options)
        self._throttled = throttled

    async def __aenter__(self):
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        arguments = [find_chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        arguments += ["--no-first-run", "--disable-background-networking", "--disable-component-update"]
        if not self._throttled:
            # Windows that nobody looks at must run as if somebody did.
            arguments += ["--disable-background-timer-throttling", "--disable-renderer-backgrounding"]
            arguments += ["--disable-backgrounding-occluded-windows"]
        arguments += self._options
        arguments += [f"--user-data-dir={self._profile.name}", "--remote-debugging-port=0", "about:blank"]
        self._process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            address = await asyncio.wait_for(self._devtools_address(), 60)
            self._http = aiohttp.ClientSession()
            self._socket = await self._http.ws_connect(address, max_msg_size=0, heartbeat=None)
        except BaseException:
            self._end_process()
            raise
        self._replies = {}
        self._windows = {}
        self._count = 0
        self._reader = asyncio.create_task(self._read())
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
        self._profile.cleanup()

    async def _devtools_address(self):
        """Chromium writes the port that it chose into its profile."""
        path = os.path.join(self._profile.name, "DevToolsActivePort")
        while True:
            if self._process.poll() is not None:
                raise RuntimeError(f"Chromium ended with status {self._process.returncode}")
            if os.path.exists(path):
                with open(path, encoding="ascii") as file:
                    lines = file.read().split("\n")
                if len(lines) >= 2 and lines[1]:
                    return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            await asyncio.sleep(0.05)

    async def _read(self):
        async for message in self._socket:
            if message.type != aiohttp.WSMsgType.TEXT:
                break
            message = json.loads(message.data)
            future = self._replies.pop(message.get("id"), None)
            if future and not future.done():
                future.set_result(message)
            elif "method" in message and message.get("sessionId") in self._windows:
                self._windows[message["sessionId"]]._event(message["method"], message["params"])
        for future in self._replies.values():
            if not future.done():
                future.set_exception(ConnectionError("Chromium is gone"))

    async def command(self, method, session=None, patience=60, **parameters):
        self._count += 1
        request = {"id": self._count, "method": method, "params": parameters}
        if session:
            request["sessionId"] = session
        reply = self._replies[self._count] = asyncio.get_running_loop().create_future()
        await self._socket.send_str(json.dumps(request))
        answer = await asyncio.wait_for(reply, patience)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    async def context(self):
        """Cookies and storage of their own: another person's browser."""
        return (await self.command("Target.createBrowserContext"))["browserContextId"]

    async def open(self, url, width=1280, height=900, dark=False, beside=None, context=None, window=False, kind=None):
        """Opens a tab, with cookies and storage of its own, or with those of the window `beside`, or of the context.

        `window`: in a window of its own, so that it stays visible beside others of its context. `kind`: a subclass of
        Window.
        """
        if beside:
            context = beside.context
        elif not context:
            context = await self.context()
        place = {"browserContextId": context, **({"newWindow": True} if window else {})}
        target = await self.command("Target.createTarget", url="about:blank", **place)
        attached = await self.command("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        window = (kind or Window)(self, attached["sessionId"], target["targetId"], context)
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


class Window:
    """One page. `problems` collects what the page complains about: exceptions, console errors, refused resources.

    What the network has failed at is in `failures` once a test has said that it cuts it, by `keep_failures_apart()`.
    """

    def __init__(self, browser, session, target, context):
        self.context = context
        self.failures = None
        self._browser = browser
        self._session = session
        self._target = target
        self._loaded = asyncio.Event()
        self._crashed = asyncio.Event()
        self.problems = []

    def _event(self, method, parameters):
        if method == "Page.loadEventFired":
            self._loaded.set()
        elif method == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "assert"):
            self.problems.append(" ".join(str(part.get("value", part)) for part in parameters["args"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            entry = parameters["entry"]
            is_failure = entry["source"] == "network" or "WebSocket connection" in entry["text"]
            (self.problems if self.failures is None or not is_failure else self.failures).append(entry["text"])
        elif method == "Inspector.targetCrashed":
            self._crashed.set()

    def keep_failures_apart(self):
        """From now on the network may fail: that is no problem of the page."""
        self.failures = []

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

    async def until(self, condition, seconds=30):
        """Waits until the expression is true, looking at it after every frame or change; returns its value."""
        script = f"""new Promise((resolve, reject) => {{
            const end = Date.now() + {int(seconds * 1000)};
            const look = () => {{
                const value = ({condition});
                if (value) resolve(value);
                else if (Date.now() > end) reject(new Error("still not true: " + {json.dumps(condition)}));
                else setTimeout(look, 20);
            }};
            look();
        }})"""
        return await self.run(script, patience=seconds + 30)

    async def type(self, selector, text):
        """Fills an input field the way a person's typing would."""
        await self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        await self.command("Input.insertText", text=text)

    async def click(self, selector):
        await self.run(f"document.querySelector({json.dumps(selector)}).click()")

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
