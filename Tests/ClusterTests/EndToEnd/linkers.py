"""Clients of Links: official ones that speak the product's own events, and the application that they are linked by
(Tests/Applications/Links)."""

import asyncio
import base64
import json
import os
import secrets
from contextlib import ExitStack, contextmanager

import aiohttp
from callers import Caller
from processes import Example

OFFER = {"type": "offer", "sdp": "v=0\r\n"}
ANSWER = {"type": "answer", "sdp": "v=0\r\n"}
CANDIDATE = {"candidate": "candidate:1 1 udp 2122260223 127.0.0.1 40000 typ host", "sdpMid": "0", "sdpMLineIndex": 0}


@contextmanager
def applications(folder, count=1, mongo=None, **environment):
    """So many nodes of the application, with one signing key (SPEC OP-1)."""
    keys = folder / "signing-keys"
    keys.write_text(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=") + "\n")
    os.chmod(keys, 0o600)
    environment = {"SUBMERGENCE_SIGNING_KEYS": str(keys), **environment}
    if mongo:
        # Links outlive their nodes: what one test leaves is nothing to the next.
        environment["SUBMERGENCE_MONGODB"] = mongo.uri
        environment["SUBMERGENCE_DATABASE"] = f"links-{secrets.token_hex(4)}"
    with ExitStack() as stack:
        nodes = []
        for number in range(count):
            place = folder / f"application-{number}"
            place.mkdir()
            name = {"SUBMERGENCE_NAME": f"links-{number}"}
            nodes.append(stack.enter_context(Example(place, "LinksApplication", {**environment, **name})))
        yield nodes


class Linker(Caller):
    """An official client with an endpoint of its own, or that of an earlier one."""

    def __init__(self, url, user, client="laptop", endpoint=None, v=1, browser=None, **options):
        """With a `browser` its session counts, without one development mode believes what is said."""
        super().__init__(url, user=None if browser else user, v=v, browser=browser, **options)
        self.user = user
        self.endpoint = endpoint or secrets.token_urlsafe(16)
        self._auth |= {"endpoint": self.endpoint}
        if not browser:
            self._auth |= {"client": client}
        self._count = 0

    async def __aenter__(self):
        await super().__aenter__()
        if self._auth.get("v"):
            await self.until(lambda me: me.of("ready"))
        return self

    async def link(self, query, **more):
        """The answer to a request, which the event and the acknowledgement both have."""
        self._count += 1
        packet = {"_id": self._count, "query": query, **more}
        acknowledged = await self.client.call("link", packet, timeout=30)
        answers = [a for a in self.of("link") if a.get("_id") == self._count]
        assert answers == [acknowledged], (answers, acknowledged)
        return acknowledged

    async def close_link(self, token):
        self._count += 1
        return await self.client.call("link", {"_id": self._count, "close": token}, timeout=30)

    async def signal(self, token, to, **content):
        await self.client.emit("peer", {"token": token, "to": to, **content})

    def of(self, name):
        return [arguments[0] for event, arguments in self.received if event == name]

    def peers(self, kind):
        """The `peer` events that have this member."""
        return [packet for packet in self.of("peer") if kind in packet]

    @property
    def sid(self):
        return self.of("ready")[0]["sid"]

    async def told_of(self, other):
        """The roster entry about another client."""
        return await self.until(
            lambda me: next((p for p in me.peers("init") if p["ep"] == other.endpoint and p["from"] == other.sid), None)
        )

    async def got(self, kind, other, count=1):
        """The last of so many signals of this kind from another client."""
        return await self.until(
            lambda me: len(found := [p for p in me.peers(kind) if p.get("from") == other.sid]) >= count and found[-1]
        )

    async def refused(self, error, count=1):
        """The last of so many refusals of this kind."""
        return await self.until(
            lambda me: len(found := [p for p in me.peers("error") if p["error"] == error]) >= count and found[-1]
        )

    async def closed(self, token, reason):
        packet = await self.until(lambda me: next((p for p in me.peers("closed") if p["token"] == token), None))
        assert packet == {"token": token, "closed": True, "reason": reason}

    async def settled(self):
        """Whatever was sent to this client before is there: its own node answers in order."""
        await self.client.call("action", {"method": "GET", "url": "/none"}, timeout=30)


class Returning(Linker):
    """The same to the byte, with connection state recovery: it can be cut off, and come back as it was."""

    def __init__(self, url, user, **options):
        super().__init__(url, user, **options)
        self.client = self
        self._url = url
        self._ids = {}
        self._offset = None

    async def __aenter__(self):
        await self._open(self._url)
        # From its first event on it has an offset.
        await self.until(lambda me: me._offset)
        return self

    async def __aexit__(self, *_):
        await self._socket.close()
        await self._reader
        await self._http.close()

    async def _open(self, url):
        self._http = aiohttp.ClientSession()
        self._socket = await self._http.ws_connect(f"{url}/socket.io/?EIO=4&transport=websocket", autoping=False)
        await self._socket.receive_str(timeout=30)
        back = {"pid": self._ids["pid"], "offset": self._offset} if self._offset else {}
        await self._socket.send_str("40" + json.dumps({**self._auth, **back}))
        self._reader = asyncio.create_task(self._read(self._socket))

    async def _read(self, socket):
        async for message in socket:
            if message.type != aiohttp.WSMsgType.TEXT:
                break
            if message.data == "2":
                await socket.send_str("3")
            elif message.data.startswith("40{"):
                self._ids = json.loads(message.data[2:])
            elif message.data.startswith("42["):
                name, *arguments = json.loads(message.data[2:])
                if len(arguments) > 1 and isinstance(arguments[-1], str):
                    self._offset = arguments.pop()
                self.note(name, *arguments)

    async def emit(self, name, packet):
        await self._socket.send_str("42" + json.dumps([name, packet]))

    async def come_back(self, url):
        """The network takes the connection away; it is back, elsewhere, as the one that it was."""
        count = len(self.of("ready"))
        self._socket._response.connection.transport.abort()
        await self._reader
        await self._http.close()
        await self._open(url)
        await self.until(lambda me: len(me.of("ready")) > count)

    @property
    def sid(self):
        return self._ids["sid"]


async def linked(one, other, **more):
    """Both clients, linked by the first one's request, know of each other; returns the answer."""
    answer = await one.link({"user": other.user, **more})
    assert "error" not in answer, answer
    await asyncio.gather(one.told_of(other), other.told_of(one))
    return answer
