"""Forged signalling (SPEC LK-3, LK-9, LK-16): messages that nobody may get, and that are answered all the same."""

import asyncio
import json
import secrets

import aiohttp

OFFER = {"type": "offer", "sdp": "v=0\r\n"}
LARGE_EVERY = 97


class Forger:
    """A client on one WebSocket that counts its answers by code."""

    def __init__(self, url, user, client="forger", v=1):
        self._address = f"{url}/socket.io/?EIO=4&transport=websocket"
        self._auth = {"user": user, "client": client}
        if v:
            self._auth["v"] = v
        self.sent = 0
        self.answers = {}
        self.delivered = []
        self.sid = None
        self._arrival = asyncio.Event()

    async def __aenter__(self):
        self._http = aiohttp.ClientSession()
        self._socket = await self._http.ws_connect(self._address, max_msg_size=0, autoping=False)
        assert (await self._socket.receive_str(timeout=30)).startswith("0{")
        await self._socket.send_str("40" + json.dumps(self._auth))
        answer = await self._socket.receive_str(timeout=30)
        assert answer.startswith("40{"), answer
        self.sid = json.loads(answer[2:])["sid"]
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_):
        await self._socket.close()
        await self._reader
        await self._http.close()

    async def _read(self):
        async for message in self._socket:
            if message.type != aiohttp.WSMsgType.TEXT:
                break
            if message.data == "2":
                await self._socket.send_str("3")
            elif message.data.startswith('42["peer",'):
                packet = json.loads(message.data[2:])[1]
                if "error" in packet:
                    self.answers[packet["error"]] = self.answers.get(packet["error"], 0) + 1
                elif {"sdp", "ICE", "bye"} & set(packet):
                    self.delivered.append(packet)
                self._arrival.set()
        self._arrival.set()

    async def send(self, text, binary=None):
        self.sent += 1
        await self._socket.send_str(text)
        if binary is not None:
            await self._socket.send_bytes(binary)

    async def answered(self, seconds=120):
        async def look():
            while sum(self.answers.values()) < self.sent:
                assert not self._socket.closed, f"closed with {self._socket.close_code}"
                self._arrival.clear()
                await self._arrival.wait()

        await asyncio.wait_for(look(), seconds)


def dead(sid):
    """A SID of the same node that nobody has."""
    return sid.partition(".")[0] + "." + "A" * 22


def forgeries(token, victim, sibling):
    """Texts that a party of the Link of this token may send in vain, each with the codes it may be answered with.

    `victim` is a SID of the other party, `sibling` one of its own."""
    wrong = token[:22] + "B" * 21 + "A"
    unknown = "C" * 43 + "A"

    def event(packet):
        return "42" + json.dumps(["peer", packet])

    offer = {"sdp": OFFER}
    cases = [
        (event({"token": wrong, "to": victim, **offer}), {"CLOSED", "FORBIDDEN"}),
        (event({"token": unknown, "to": victim, **offer}), {"FORBIDDEN"}),
        (event({"token": "x", "to": victim, **offer}), {"FORBIDDEN"}),
        (event({"token": token + "A", "to": victim, **offer}), {"FORBIDDEN"}),
        (event({"token": 7, "to": victim, **offer}), {"INVALID"}),
        (event({"to": victim, **offer}), {"INVALID"}),
        (event({"token": token, **offer}), {"INVALID"}),
        (event({"token": token, "to": None, **offer}), {"INVALID"}),
        (event({"token": token, "to": [victim], **offer}), {"INVALID"}),
        (event({"token": token, "to": "somebody", **offer}), {"INVALID"}),
        (event({"token": token, "to": sibling, **offer}), {"OFFLINE"}),
        (event({"token": token, "to": dead(victim), **offer}), {"OFFLINE"}),
        (event({"token": token, "to": "A" * 16 + victim[16:], **offer}), {"OFFLINE"}),
        (event({"token": token, "to": victim}), {"INVALID"}),
        (event({"token": token, "to": victim, "offer": OFFER, "from": sibling}), {"INVALID"}),
        (event({"token": token, "to": victim, **offer, "ICE": None}), {"INVALID"}),
        (event({"token": token, "to": victim, "sdp": "v=0"}), {"INVALID"}),
        (event({"token": token, "to": victim, "sdp": {"type": "pranswer", "sdp": ""}}), {"INVALID"}),
        (event({"token": token, "to": victim, "sdp": {"type": "offer"}}), {"INVALID"}),
        (event({"token": token, "to": victim, "ICE": "candidate"}), {"INVALID"}),
        (event({"token": token, "to": victim, "ICE": {"candidate": "x" * 8_192}}), {"INVALID"}),
        (event({"token": token, "to": victim, "bye": False}), {"INVALID"}),
        (event({"token": token, "to": victim, **offer, "__proto__": {}}), {"INVALID"}),
        (event({"token": token, "to": victim, **offer})[:-2] + ',"token":"x"}]', {"INVALID"}),
        ('42["peer"]', {"INVALID"}),
        ('42["peer",[]]', {"INVALID"}),
        (event({"token": token, "to": victim, **offer})[:-1] + ",{}]", {"INVALID"}),
    ]
    large = event({"token": token, "to": victim, "sdp": {"type": "offer", "sdp": "x" * 204_801}})
    return cases, (large, {"INVALID"})


def binary_forgery(token, victim):
    """An event with an attachment."""
    text = json.dumps(["peer", {"token": token, "to": victim, "ICE": {"_placeholder": True, "num": 0}}])
    return "451-" + text, secrets.token_bytes(8)


async def forge(party, strangers, token, victim, sibling, count):
    """Sends so many forged messages: the party's own attempts, and the Link's real token from strangers to it.

    Returns the codes of all answers."""
    cases, large = forgeries(token, victim, sibling)
    expected = {}
    turn = 0
    binary = binary_forgery(token, victim)
    right = "42" + json.dumps(["peer", {"token": token, "to": victim, "sdp": OFFER}])
    for number in range(count):
        if number % 3 == 0:
            stranger = strangers[number % len(strangers)]
            await stranger.send(right)
            codes = {"FORBIDDEN"}
        elif number % LARGE_EVERY == 1:
            await party.send(large[0])
            codes = large[1]
        elif number % LARGE_EVERY == 2:
            await party.send(*binary)
            codes = {"INVALID"}
        else:
            text, codes = cases[turn % len(cases)]
            turn += 1
            await party.send(text)
        for code in codes:
            expected[code] = expected.get(code, 0) + 1
        if number % 500 == 499:
            # No faster than it is answered: what is not read is nobody's.
            for client in (party, *strangers):
                await client.answered()
    for client in (party, *strangers):
        await client.answered()
    answers = {}
    for client in (party, *strangers):
        assert client.delivered == [], client.delivered[:1]
        for code, number in client.answers.items():
            answers[code] = answers.get(code, 0) + number
    assert sum(answers.values()) == count, answers
    assert turn >= len(cases), "not every kind was sent"
    assert answers.get("INVALID", 0) == expected["INVALID"], (answers, expected)
    assert answers.get("OFFLINE", 0) == expected["OFFLINE"], (answers, expected)
    return answers
