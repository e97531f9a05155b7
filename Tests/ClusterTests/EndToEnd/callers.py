"""Clients of actions over sockets: official ones, plain or speaking the product's own events, and browsers' cookies."""

import asyncio

import aiohttp
import socketio
from people import leave
from raw import PATIENCE

DOMESTIC = "domestic"


class Caller:
    """An official client on `/`. `received` keeps (event, arguments) in the order of arrival.

    `v` makes it a client that speaks the product's own events; with a `browser` its session counts.
    """

    def __init__(self, url, user=None, v=None, browser=None, transports=("websocket",), headers=None):
        self._url = url
        self._transports = list(transports)
        self._headers = {**(headers or {}), **({"cookie": browser.header} if browser else {})}
        self._auth = {}
        if user:
            self._auth |= {"user": user, "client": "laptop"}
        if v:
            self._auth["v"] = v
        if browser and DOMESTIC in browser.cookies:
            self._auth[DOMESTIC] = browser.cookies[DOMESTIC]
        self.received = []
        self.disconnects = []
        self._arrival = asyncio.Event()
        self.client = socketio.AsyncClient(reconnection=False)
        self.client.on("*", self.note)
        self.client.on("disconnect", self._left)

    def note(self, name, *arguments):
        self.received.append((name, list(arguments)))
        self._arrival.set()

    def _left(self, reason):
        self.disconnects.append(reason)
        self._arrival.set()

    async def __aenter__(self):
        await self.client.connect(
            self._url, auth=self._auth, headers=self._headers, transports=self._transports, wait_timeout=20
        )
        return self

    async def __aexit__(self, *_):
        await leave(self.client)

    @property
    def sid(self):
        return self.client.get_sid()

    async def until(self, condition):
        """Waits until the condition, which is given this client, is true; returns its value."""

        async def look():
            while not (value := condition(self)):
                self._arrival.clear()
                await self._arrival.wait()
            return value

        try:
            return await asyncio.wait_for(look(), PATIENCE)
        except asyncio.TimeoutError:
            raise TimeoutError(f"there was only {self.received}, {self.disconnects}") from None

    async def send(self, packet):
        """An action without acknowledgement."""
        await self.client.emit("action", packet)

    async def call(self, method, url, **more):
        """What an action is acknowledged with."""
        return await self.client.call("action", {"method": method, "url": url, **more}, timeout=PATIENCE)

    async def reply(self, _id):
        """The `reply` event of this id."""
        return await self.until(lambda caller: next((r for r in caller.replies if r.get("_id") == _id), None))

    @property
    def replies(self):
        return [arguments[0] for name, arguments in self.received if name == "reply"]

    @property
    def names(self):
        return [name for name, _ in self.received]


class Browser:
    """What a browser keeps of one device, and says with each request."""

    def __init__(self):
        self.cookies = {}

    async def request(self, method, url, path, body=None, headers=None, proves=True):
        """Status, content, and the names of the cookies that were set."""
        fields = dict(headers or {})
        if self.cookies:
            fields["cookie"] = self.header
        if proves and DOMESTIC in self.cookies:
            fields["x-domestic"] = self.cookies[DOMESTIC]
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            async with http.request(method, url + path, headers=fields, json=body) as answer:
                names = []
                for line in answer.headers.getall("set-cookie", []):
                    name, _, value = line.split(";")[0].partition("=")
                    names.append(name)
                    self.cookies[name] = value
                    if "Max-Age=0" in line:
                        del self.cookies[name]
                return answer.status, (await answer.json())["content"], names

    @property
    def header(self):
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    async def log_in(self, url, user, client="laptop"):
        status, content, names = await self.request("POST", url, "/login", {"user": user, "client": client})
        assert (status, content) == (200, {"user": user, "client": client})
        assert "session" in names
        return self

    async def redeem(self, url, ticket, sid, **options):
        return await self.request(
            "POST", url, "/.well-known/submergence/session", {"ticket": ticket, "sid": sid}, **options
        )
