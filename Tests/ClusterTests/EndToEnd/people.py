"""People on line: tabs through the official Python client, and what they saw."""

import asyncio
import json

import aiohttp
import socketio

# Engine.IO defaults, in place of the conformance suites' 300 and 200 ms: a test process under load answers no ping
# in a fifth of a second.
PATIENT = ["--ping-interval", "25000", "--ping-timeout", "20000"]

# For tests of what is announced, and not of when.
AT_ONCE = ["--presence-grace", "0", "--moving-grace", "0"]


async def leave(client):
    """Disconnects an official client. Its `disconnect` says nothing to the server while one of its POSTs is under way:
    they are waited for, or the server would take the client for connected until its next ping is not answered."""
    if client.eio.state == "connected" and client.transport() == "polling":
        await asyncio.wait_for(client.eio.queue.join(), 30)
    await client.disconnect()


class Tab:
    """One connection of a user. `received` keeps every event in the order of arrival: (name, arguments).

    `texts` are the payloads of `msg` that are strings: conditions are looked at on every arrival, and must be cheap.
    """

    def __init__(self, node_url, user, client="laptop", transports=("websocket",), source=None):
        self.url = node_url
        self.auth = {"user": user, "client": client}
        self.user = user
        self.transports = list(transports)
        self.received = []
        self.texts = set()
        self.disconnects = []
        self._source = source
        self._http = None
        self._arrival = asyncio.Event()

    async def __aenter__(self):
        await self.connect()
        return self

    async def __aexit__(self, *_):
        await self.close()

    async def connect(self):
        if self._source:  # nginx's ip_hash looks at the address that we come from
            self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=(self._source, 0)))
        self.client = socketio.AsyncClient(reconnection=False, http_session=self._http)
        self.client.on("*", self._on_event)
        self.client.on("disconnect", lambda reason: self.disconnects.append(reason))
        await self.client.connect(self.url, auth=self.auth, transports=self.transports, wait_timeout=20)
        return self

    async def _on_event(self, name, *arguments):
        self.received.append((name, list(arguments)))
        if name == "msg" and isinstance(arguments[0], str):
            self.texts.add(arguments[0])
        self._arrival.set()

    async def close(self):
        await leave(self.client)
        if self._http:
            await self._http.close()

    async def until(self, condition, seconds=60):
        """Waits for events until the condition, which is given this tab, is true; returns its value."""

        async def look():
            while True:
                value = condition(self)
                if value:
                    return value
                self._arrival.clear()
                await self._arrival.wait()

        try:
            return await asyncio.wait_for(look(), seconds)
        except asyncio.TimeoutError:
            last = self.received[-3:]
            raise TimeoutError(f"{self.auth}: {len(self.received)} events in {seconds} s, the last {last}") from None

    async def gone(self, seconds=60):
        """Waits until the server has ended the connection."""

        async def look():
            while self.client.connected:
                await asyncio.sleep(0.02)

        await asyncio.wait_for(look(), seconds)

    async def echo(self, *arguments, seconds=30):
        """What `echo` acknowledges with: its arguments."""
        answer = await self.client.call("echo", arguments, timeout=seconds)
        return list(answer) if isinstance(answer, tuple) else answer

    async def publish(self, user, payload, client=None, seconds=30):
        """Sends `["msg", payload]` to an identity; returns the receipt."""
        arguments = (user, payload) if client is None else (user, payload, client)
        return await self.client.call("pub", arguments, timeout=seconds)

    async def publish_soon(self, user, payload):
        """Returns as soon as the event is written, with a future of the receipt."""
        receipt = asyncio.get_running_loop().create_future()

        def on_ack(*arguments):
            if not receipt.done():
                receipt.set_result(arguments[0] if arguments else {})

        await self.client.emit("pub", (user, payload), callback=on_ack)
        return receipt

    def messages(self):
        """The payloads of the `msg` events so far."""
        return [arguments[0] for name, arguments in self.received if name == "msg"]


class LeanTab(Tab):
    """A tab for load: Socket.IO over one WebSocket, text only, a tenth of the official client's work."""

    async def connect(self):
        self._http = aiohttp.ClientSession()
        address = f"{self.url}/socket.io/?EIO=4&transport=websocket"
        self._socket = await self._http.ws_connect(address, max_msg_size=0, autoping=False)
        self._receipts = {}
        self._count = 0
        assert (await self._socket.receive_str(timeout=20)).startswith("0{")
        await self._socket.send_str("40" + json.dumps(self.auth))
        answer = await self._socket.receive_str(timeout=20)
        assert answer.startswith("40{"), answer
        self._reader = asyncio.create_task(self._read())
        return self

    async def _read(self):
        async for message in self._socket:
            if message.type != aiohttp.WSMsgType.TEXT:
                break
            text = message.data
            if text.startswith("42["):
                name, *arguments = json.loads(text[2:])
                await self._on_event(name, *arguments)
            elif text.startswith("43"):
                number, _, arguments = text[2:].partition("[")
                receipt = self._receipts.pop(int(number))
                if not receipt.done():
                    receipt.set_result(json.loads("[" + arguments)[0])
            elif text == "2":
                await self._socket.send_str("3")
        self.disconnects.append(self._socket.close_code)

    async def publish_soon(self, user, payload):
        self._count += 1
        receipt = self._receipts[self._count] = asyncio.get_running_loop().create_future()
        await self._socket.send_str(f"42{self._count}" + json.dumps(["pub", user, payload]))
        return receipt

    async def publish(self, user, payload, client=None, seconds=30):
        return await asyncio.wait_for(await self.publish_soon(user, payload), seconds)

    async def close(self):
        await self._socket.close()
        await self._reader
        await self._http.close()


def is_positive(receipt):
    """Somebody was there, and nobody may have missed it."""
    return bool(receipt.get("didReceive")) and receipt.get("isComplete", True)


class Sender:
    """Publishes numbered payloads `[name, n]` from one tab, with many on their way at once but in order."""

    def __init__(self, name, tab, in_flight=200):
        self.name = name
        self.tab = tab
        self.receipts = {}  # n -> receipt, or the exception in its place
        self._slots = asyncio.Semaphore(in_flight)
        self._tasks = set()

    async def send(self, user, number, seconds=60):
        """Returns as soon as the event is written; the receipt is kept when it comes."""
        await self._slots.acquire()
        answered = await self.tab.publish_soon(user, [self.name, number])
        task = asyncio.create_task(self._keep(number, answered, seconds))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep(self, number, answered, seconds):
        try:
            self.receipts[number] = await asyncio.wait_for(answered, seconds)
        except asyncio.TimeoutError as error:
            self.receipts[number] = error
        finally:
            self._slots.release()

    async def settle(self):
        """Waits for the receipts of everything sent."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def positive(self):
        """The numbers whose receipt was positive, in order."""
        return sorted(n for n, receipt in self.receipts.items() if isinstance(receipt, dict) and is_positive(receipt))


def by_sender(tab):
    """What the senders' payloads say, sender by sender, in the order of arrival."""
    found = {}
    for payload in tab.messages():
        if isinstance(payload, list) and len(payload) == 2:
            found.setdefault(payload[0], []).append(payload[1])
    return found
