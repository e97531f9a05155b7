"""One tab of a user: Socket.IO over a WebSocket through nginx, writing down everything that it does and sees."""

import asyncio
import json

import aiohttp

OPENING = 15


class Tab:
    def __init__(self, journal, name, who, port, source):
        self.journal = journal
        self.name = name
        self.domain, self.user, self.client = who
        self.node = None
        self.count = 0
        self.waiting = {}  # n -> future of the receipt
        self.seen = set()
        self.arrival = asyncio.Event()
        self.ended = asyncio.Event()
        self._port, self._source = port, source
        self._session = self._socket = self._reader = None
        self._is_closing = False

    @property
    def is_open(self):
        return self.node is not None and not self.ended.is_set() and not self._is_closing

    async def open(self):
        """Returns whether CONNECT was answered."""
        self.journal.write(
            k="try", conn=self.name, domain=self.domain, user=self.user, client=self.client, source=self._source
        )
        try:
            await asyncio.wait_for(self._connect(), OPENING)
        except (OSError, aiohttp.ClientError, asyncio.TimeoutError, ConnectionError, ValueError) as error:
            self.journal.write(k="fail", conn=self.name, why=f"{type(error).__name__} {error}"[:120])
            await self._release()
            return False
        self._reader = asyncio.create_task(self._read())
        return True

    async def _connect(self):
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=(self._source, 0)))
        self._socket = await self._session.ws_connect(
            f"http://127.0.0.1:{self._port}/socket.io/?EIO=4&transport=websocket",
            headers={"Host": self.domain},
            max_msg_size=0,
            autoping=False,
        )
        await self._expect("0{")
        await self._socket.send_str("40" + json.dumps({"user": self.user, "client": self.client}))
        answer = await self._expect("40{")
        sid = json.loads(answer[2:])["sid"]
        self.node = sid.split(".")[0]
        self.journal.write(k="open", conn=self.name, sid=sid, node=self.node)

    async def _expect(self, start):
        while True:
            message = await self._socket.receive()
            if message.type != aiohttp.WSMsgType.TEXT:
                raise ConnectionError(f"closed: {message.type.name} {message.data}")
            if message.data.startswith(start):
                return message.data
            if message.data != "2":
                raise ValueError(message.data[:80])
            await self._socket.send_str("3")

    async def _read(self):
        code = None
        try:
            async for message in self._socket:
                if message.type != aiohttp.WSMsgType.TEXT:
                    break
                await self._take(message.data)
        except (OSError, aiohttp.ClientError) as error:
            code = type(error).__name__
        self.journal.write(
            k="end", conn=self.name, by="client" if self._is_closing else "server", code=code or self._socket.close_code
        )
        self.ended.set()
        self.arrival.set()
        for future in self.waiting.values():
            future.cancel()
        await self._release()

    async def _take(self, text):
        if text.startswith("42["):
            name, *arguments = json.loads(text[2:])
            if name == "msg":
                self._take_message(arguments[0])
        elif text.startswith("43"):
            number, _, arguments = text[2:].partition("[")
            self._take_receipt(int(number), json.loads("[" + arguments)[0])
        elif text == "2":
            await self._socket.send_str("3")

    def _take_message(self, said):
        sender, number = said["f"], said["n"]
        self.journal.write(k="event", conn=self.name, **{"from": sender, "n": number})
        self.seen.add((sender, number))
        self.arrival.set()

    def _take_receipt(self, number, receipt):
        if isinstance(receipt, dict):
            self.journal.write(k="receipt", conn=self.name, n=number, **receipt)
        future = self.waiting.pop(number, None)
        if future is None:
            self.journal.write(k="odd", conn=self.name, why=f"an acknowledgement of {number}, which waits for none")
        elif not future.done():
            future.set_result(receipt)

    async def _ask(self, *arguments):
        """Returns the number of the call, and the future of its answer."""
        self.count += 1
        number = self.count
        future = self.waiting[number] = asyncio.get_running_loop().create_future()
        if arguments[0] == "pub":
            user, client = arguments[1], arguments[2]
            said = {"f": self.name, "n": number, "d": self.domain, "u": user}
            self.journal.write(k="send", conn=self.name, n=number, user=user, **({"client": client} if client else {}))
            arguments = ("pub", user, said, client) if client else ("pub", user, said)
        try:
            await self._socket.send_str(f"42{number}" + json.dumps(arguments))
        except (OSError, aiohttp.ClientError):
            future.cancel()  # it is going; the reader says so
        return number, future

    async def send(self, user, client=None):
        return await self._ask("pub", user, client)

    async def echo(self, seconds=30):
        """Whether the server still answers here."""
        if not self.is_open:
            return False
        _, answer = await self._ask("echo", self.name)
        try:
            return await asyncio.wait_for(answer, seconds) == self.name
        except (asyncio.TimeoutError, asyncio.CancelledError):
            return False

    async def close(self):
        if self.is_open:
            self._is_closing = True
            self.journal.write(k="close", conn=self.name)
            await self._socket.close()
        if self._reader:
            await self._reader

    async def _release(self):
        if self._socket is not None and not self._socket.closed:
            await self._socket.close()
        if self._session is not None:
            await self._session.close()
