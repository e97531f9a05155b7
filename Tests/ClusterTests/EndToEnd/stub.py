"""A server that does what a test of the browser module wants: SPEC §8 in Python, without cluster, limits or mercy.

It serves the pages of the tests and the module as it is in the repository, shakes hands as a node does, and brings
people together by Links; a test may say anything in its place.
"""

import asyncio
import contextlib
import json
import pathlib

from aiohttp import WSMsgType, web
from processes import PROJECT, free_port

PAGES = pathlib.Path(__file__).parent / "pages"
POLICY = "default-src 'none'; script-src 'self'; connect-src 'self' ws: http:; img-src data:; form-action 'self'"


class Line:
    """One connection of a page, as the server has it. `events` are those that the page has sent: [name, argument]."""

    def __init__(self, stub, socket):
        self.stub, self.socket = stub, socket
        self.auth = None
        self.sid = f"n.{len(stub.lines)}"
        self.events = []
        self.texts = []
        self.is_open = True
        self._arrival = asyncio.Event()
        self._partial = None

    @property
    def user(self):
        return self.auth.get("user")

    async def raw(self, data):
        """A message as it is, text or bytes."""
        if self.is_open:
            with contextlib.suppress(ConnectionError):
                await (self.socket.send_str(data) if isinstance(data, str) else self.socket.send_bytes(data))

    async def send(self, name, *arguments):
        await self.raw("42" + json.dumps([name, *arguments]))

    async def send_bytes(self, name, packet, data):
        """An event of one object, whose member `data` is an attachment."""
        body = {**packet, "data": {"_placeholder": True, "num": 0}}
        await self.raw("451-" + json.dumps([name, body]))
        await self.raw(data)

    async def close(self):
        await self.socket.close()

    def cut(self):
        """As a network that is gone: nothing is said, nothing arrives."""
        self.is_open = False

    async def until(self, name, condition=lambda packet: True, count=1, seconds=15):
        """The first `count` arguments of events of that name that the condition is true of: one, or a list."""

        def found():
            return [event[1] for event in self.events if event[0] == name and condition(event[1])]

        async def look():
            while len(found()) < count:
                self._arrival.clear()
                await self._arrival.wait()
            return found()[0] if count == 1 else found()[:count]

        return await asyncio.wait_for(look(), seconds)

    async def serve(self):
        await self.raw("0" + json.dumps(self.stub.handshake(self)))
        async for message in self.socket:
            if not self.is_open:
                continue
            if message.type == WSMsgType.BINARY:
                event, self._partial = self._partial, None
                if event:
                    await self._take([event[0], {**event[1], "body": message.data}])
            elif message.type == WSMsgType.TEXT:
                await self._take_text(message.data)
        self.is_open = False

    async def _take_text(self, text):
        self.texts.append(text)
        if text.startswith("40"):
            self.auth = json.loads(text[2:])
            await self.stub.connect(self)
        elif text.startswith("451-"):
            self._partial = json.loads(text[4:])
        elif text.startswith("42"):
            await self._take(json.loads(text[2:]))

    async def _take(self, event):
        self.events.append(event)
        self._arrival.set()
        handler = self.stub.on.get(event[0])
        if handler:
            await handler(self, *event[1:])


class Stub:
    """`async with Stub() as stub`. `lines` are all connections so far; `on` what is done with an event of a name;
    `http` what answers a request `(method, path)`."""

    ping = 10_000
    patience = 10_000

    def __init__(self):
        self.lines = []
        self.requests = []
        self.on = {"link": self._link, "peer": self._peer}
        self.http = {}
        self.pid = None
        self.refusal = None
        self.ready_more = {}
        self.hold_links = None
        self._links = {}
        self._arrival = asyncio.Event()

    async def __aenter__(self):
        application = web.Application(client_max_size=1 << 26)
        application.router.add_get("/socket.io/", self._socket)
        application.router.add_route("*", "/{path:.*}", self._file)
        self._runner = web.AppRunner(application, shutdown_timeout=1)
        await self._runner.setup()
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        await self.listen()
        return self

    async def __aexit__(self, *_):
        await self._runner.cleanup()

    async def listen(self):
        self._site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await self._site.start()

    async def hang_up(self):
        """Nobody answers at the port any more, and every line is cut."""
        await self._site.stop()
        for line in self.live:
            await line.close()

    @property
    def live(self):
        return [line for line in self.lines if line.is_open]

    async def line(self, number=-1, seconds=15):
        """The connection of that number, once its page is connected."""

        async def look():
            while True:
                connected = [line for line in self.lines if line.auth is not None]
                if len(connected) > number >= 0 or (number < 0 and connected):
                    return connected[number]
                self._arrival.clear()
                await self._arrival.wait()

        return await asyncio.wait_for(look(), seconds)

    async def _socket(self, request):
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        line = Line(self, socket)
        self.lines.append(line)
        with contextlib.suppress(ConnectionError):
            await line.serve()
        await self._left(line)
        return socket

    async def _file(self, request):
        path = request.path
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.method, request.path_qs, headers))
        answer = self.http.get((request.method, path))
        if answer:
            return await answer(request)
        file = {"/": PAGES / "index.html", "/submergence.js": PROJECT / "Client/submergence.js"}.get(path)
        if not file and path.startswith("/page/"):
            file = PAGES / (path.removeprefix("/page/") or "index.html")
        if not file or not file.is_file():
            return web.json_response({"content": {"error": "NOT_FOUND"}, "events": []}, status=404)
        kind = {".js": "text/javascript", ".html": "text/html"}[file.suffix]
        headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
        return web.Response(text=file.read_text(encoding="utf8"), content_type=kind, headers=headers)

    # What a node does

    def handshake(self, _line):
        return {
            "sid": "engine",
            "upgrades": [],
            "pingInterval": self.ping,
            "pingTimeout": self.patience,
            "maxPayload": 1_000_000,
        }

    async def connect(self, line):
        if self.refusal:
            await line.raw("44" + json.dumps({"message": self.refusal}))
            return
        reply = {"sid": line.sid, **({"pid": self.pid} if self.pid else {})}
        await line.raw("40" + json.dumps(reply))
        await line.send("ready", self.ready(line))
        for link in self._links.values():
            await self._announce(link, line)
        self._arrival.set()

    def ready(self, line):
        return {
            "sid": line.sid,
            "endpoint": line.auth["endpoint"],
            "user": line.user,
            "client": "laptop",
            "domestic": True,
            "iceServers": [],
            "iceExpires": 0,
            "ping": self.ping,
            **self.ready_more,
        }

    # Links: a query {"user": other} is granted; the other side sees {"from": user}.

    async def _link(self, line, packet):
        if "close" in packet:
            for link in [link for link in self._links.values() if link["token"] == packet["close"]]:
                await self.close_link(link, "CLOSED")
            await line.send("link", {"_id": packet["_id"], "closed": True})
            return
        if self.hold_links:
            await self.hold_links.wait()
        query = packet["query"]
        other = query.get("user") if isinstance(query, dict) else None
        if not any(known.user == other for known in self.live):
            error = "OFFLINE" if other else "FORBIDDEN"
            await line.send("link", {"_id": packet["_id"], "error": error})
            return
        key = tuple(sorted((line.user, other)))
        link = self._links.get(key)
        if not link:
            number = len(self._links)
            token = f"{number:022d}" + f"{self.generation(key):022d}"
            link = self._links[key] = {"key": key, "token": token, "gen": self.generation(key), "labels": {}}
        link["labels"][line.user] = query
        link["labels"].setdefault(other, {"from": line.user})
        answer = {"_id": packet["_id"], "token": link["token"], "gen": link["gen"], "query": query}
        await line.send("link", answer)
        for member in [member for member in self.live if member.auth and member.user in key]:
            await self._announce(link, member)

    generations = None

    def generation(self, key):
        self.generations = self.generations or {}
        return self.generations.setdefault(key, 1)

    async def _announce(self, link, line):
        if line.user not in link["key"]:
            return
        for other in self.live:
            if other is line or not other.auth or other.user not in link["key"] or other.user == line.user:
                continue
            for one, two in ((line, other), (other, line)):
                await one.send("peer", {**self._stamp(link, two, one), "init": True})

    def _stamp(self, link, sender, receiver):
        label = link["labels"][receiver.user]
        return {
            "token": link["token"],
            "gen": link["gen"],
            "from": sender.sid,
            "ep": sender.auth["endpoint"],
            "query": label,
        }

    async def _peer(self, line, packet):
        token, to = packet["token"], packet["to"]
        link = next((link for link in self._links.values() if link["token"] == token), None)
        target = next((other for other in self.live if other.sid == to), None)
        if not link or not target:
            error = "OFFLINE" if link else "FORBIDDEN"
            await line.send("peer", {"token": token, "to": to, "error": error})
            return
        body = {name: packet[name] for name in ("sdp", "ICE", "bye") if name in packet}
        await target.send("peer", {**self._stamp(link, line, target), **body})

    async def _left(self, line):
        for link in self._links.values():
            if not line.auth or line.user not in link["key"]:
                continue
            for other in self.live:
                if other.auth and other.user in link["key"] and other.user != line.user:
                    gone = {"token": link["token"], "from": line.sid, "ep": line.auth["endpoint"], "gone": True}
                    await other.send("peer", gone)

    async def close_link(self, link, reason):
        del self._links[link["key"]]
        self.generations[link["key"]] += 1
        for line in self.live:
            if line.auth and line.user in link["key"]:
                await line.send("peer", {"token": link["token"], "closed": True, "reason": reason})

    @property
    def links(self):
        return list(self._links.values())
