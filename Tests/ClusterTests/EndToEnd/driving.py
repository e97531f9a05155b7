"""What driving a browser takes, whichever it is: its process, its profile, and one WebSocket that it is told by."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile

import aiohttp


class Browser:
    """The browser process. `async with Chromium() as browser`; it takes its whole process group along when it ends."""

    name = ""
    programs = ()

    @classmethod
    def find(cls):
        """The program's path."""
        for name in cls.programs:
            path = shutil.which(name)
            if path:
                return path
        raise FileNotFoundError(f"no {cls.name} in the PATH: apt-get install {cls.programs[0]}")

    async def __aenter__(self):
        self._replies, self._windows, self._count = {}, {}, 0
        async with contextlib.AsyncExitStack() as stack:
            prefix = f"{self.name.lower()}-"
            profile = tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)
            self._profile = stack.enter_context(profile)
            await self._prepare(stack)
            self._log = os.path.join(self._profile, "log")
            log = stack.enter_context(open(self._log, "wb"))  # noqa: SIM115
            self._process = subprocess.Popen(
                [self.find(), *self._arguments()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **self._environment()},
            )
            stack.callback(self._end_process)
            address = await asyncio.wait_for(self._listening(), 60)
            http = await stack.enter_async_context(aiohttp.ClientSession())
            self._socket = await http.ws_connect(address, max_msg_size=0, heartbeat=None)
            stack.push_async_callback(self._socket.close)
            stack.callback(asyncio.create_task(self._read()).cancel)
            await self._begin()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_):
        await self._stack.aclose()

    def _end_process(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    async def _listening(self):
        """The address that it can be driven at, once it has chosen a port."""
        while True:
            if self._process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with status {self._process.returncode}")
            address = self._address()
            if address:
                return address
            await asyncio.sleep(0.05)

    async def _read(self):
        async for message in self._socket:
            if message.type != aiohttp.WSMsgType.TEXT:
                break
            message = json.loads(message.data)
            future = self._replies.pop(message.get("id"), None)
            if future and not future.done():
                future.set_result(message)
            elif "method" in message:
                self._told(message)
        for future in self._replies.values():
            if not future.done():
                future.set_exception(ConnectionError(f"{self.name} is gone"))

    async def _ask(self, method, parameters, patience, **more):
        """The whole answer to a command."""
        self._count += 1
        reply = self._replies[self._count] = asyncio.get_running_loop().create_future()
        await self._socket.send_str(json.dumps({"id": self._count, "method": method, "params": parameters, **more}))
        return await asyncio.wait_for(reply, patience)

    # What is each one's own.

    async def _prepare(self, stack):
        """Before it starts; what is begun here ends with the stack."""

    def _arguments(self):
        raise NotImplementedError

    def _environment(self):
        return {}

    def _address(self):
        """Where it can be driven; None: not yet."""
        raise NotImplementedError

    async def _begin(self):
        """Once it can be driven."""

    def _told(self, message):
        """An event."""
        raise NotImplementedError


class Window:
    """One page. `problems` collects what the page complains about: exceptions, console errors, refused resources.

    What the network has failed at is in `failures` once a test has said that it cuts it, by `keep_failures_apart()`.
    """

    def __init__(self, browser, target, context):
        self.context = context
        self.problems = []
        self.failures = None
        self._browser = browser
        self._target = target

    def keep_failures_apart(self):
        """From now on the network may fail: that is no problem of the page."""
        self.failures = []

    def _complained(self, text, is_failure=False):
        (self.problems if self.failures is None or not is_failure else self.failures).append(text)

    async def run(self, script, patience=60):
        """Evaluates an expression, awaits it when it is a promise, and returns its JSON value."""
        raise NotImplementedError

    async def until(self, condition, seconds=30):
        """Waits until the expression is true, looking at it every 20 ms; returns its value."""
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

    async def click(self, selector):
        await self.run(f"document.querySelector({json.dumps(selector)}).click()")
