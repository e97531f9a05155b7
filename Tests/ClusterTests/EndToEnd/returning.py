"""Clients that come back with a private ID and an offset, as the official one does, to the byte (SOCKETIO §14.1)."""

import json

from people import PATIENT
from raw import PATIENT as HEARTBEAT
from raw import SOCKET_IO, Wire, open_packet, websocket

OPTIONS = ["--loops", "2", "--recovery", "120", *PATIENT]


def open_wire(node):
    """A WebSocket to a node with these options, behind its handshake."""
    node.ping = HEARTBEAT
    wire = Wire(node)
    wire.upgrade_request(websocket(SOCKET_IO)).upgraded()
    open_packet(node, wire.receive())
    return wire


class Member:
    """One client. Its events are kept without the offset."""

    def __init__(self, user):
        self.user = user
        self.sid = self.pid = self.offset = self.wire = None
        self.events = []
        self.acks = {}
        self._next = 0
        self._is_greeted = False

    def connect(self, node):
        """Whether the connection was recovered. Returns once the client has an event, and with that an offset."""
        self.wire = open_wire(node)
        auth = {"user": self.user, "client": "phone"}
        if self.pid and self.offset:
            auth |= {"pid": self.pid, "offset": self.offset}
        self.wire.send_text("40" + json.dumps(auth))
        before = (self.sid, self.pid)
        while not self._take(self.wire.receive()):
            pass
        self._is_greeted = False
        while not self._is_greeted:
            self._take(self.wire.receive())
        return (self.sid, self.pid) == before

    def twin(self):
        """Somebody who knows what this client knows."""
        twin = Member(self.user)
        twin.sid, twin.pid, twin.offset = self.sid, self.pid, self.offset
        return twin

    def _take(self, text):
        """Whether it was the answer to CONNECT."""
        if text.startswith("40"):
            answer = json.loads(text[2:])
            self.sid, self.pid = answer["sid"], answer["pid"]
            return True
        if text.startswith("43"):
            bracket = text.index("[")
            self.acks[int(text[2:bracket])] = json.loads(text[bracket:])
            return False
        assert text.startswith("42["), text
        *event, self.offset = json.loads(text[2:])
        if event[0] == "auth":
            self._is_greeted = True
        else:
            self.events.append(event)
        return False

    def ask(self, name, *arguments):
        """Sends an event, and waits for its acknowledgement."""
        self._next += 1
        self.wire.send_text(f"42{self._next}" + json.dumps([name, *arguments]))
        while self._next not in self.acks:
            self._take(self.wire.receive())
        return self.acks.pop(self._next)

    def until(self, *event):
        while list(event) not in self.events:
            self._take(self.wire.receive())

    def publish(self, user, *payloads):
        """Sends `msg` with each of these to a user, who can come back: the receipts say so."""
        for payload in payloads:
            (receipt,) = self.ask("pub", user, payload)
            assert receipt["isComplete"] and receipt["stored"], receipt

    def cut(self):
        """The network takes the connection away; nobody says goodbye."""
        self.wire.reset()
