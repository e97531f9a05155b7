"""Connection state recovery and rooms (SOCKETIO §14): whoever comes back, on whatever node, is in its rooms and gets
what was broadcast meanwhile."""

import json
import threading

from processes import wait_for
from raw import SOCKET_IO, Wire, open_packet, websocket

OPTIONS = ["--loops", "2", "--recovery", "120", "--ping-interval", "25000", "--ping-timeout", "20000"]


class Member:
    """A client that keeps private ID and offset as the official one does. Its events are without the offset."""

    def __init__(self, user):
        self.user = user
        self.sid = self.pid = self.offset = self.wire = None
        self.events = []
        self.acks = {}
        self._next = 0

    def connect(self, node):
        """Whether the connection was recovered."""
        node.ping = (25000, 20000)
        self.wire = Wire(node)
        self.wire.upgrade_request(websocket(SOCKET_IO)).upgraded()
        open_packet(node, self.wire.receive())
        auth = {"user": self.user, "client": "phone"}
        if self.pid and self.offset:
            auth |= {"pid": self.pid, "offset": self.offset}
        self.wire.send_text("40" + json.dumps(auth))
        before = (self.sid, self.pid)
        while not self._take(self.wire.receive()):
            pass
        return (self.sid, self.pid) == before

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
        if event[0] != "auth":
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

    def cut(self):
        """The network takes the connection away; nobody says goodbye."""
        self.wire.reset()


def emit(sender, event, *arguments, **order):
    """A broadcast with a receipt that must be positive."""
    (receipt,) = sender.ask("room:emit", order | {"event": event, "arguments": list(arguments)})
    assert receipt["isComplete"], receipt


def test_rooms_and_broadcasts_come_back_on_another_node(mongo, nodes):
    """§14.1.5, §14.2: alice is cut off one node and comes back to the other."""
    first, second = nodes.start(2, mongo=mongo, options=OPTIONS)
    alice, bob = Member("alice"), Member("bob")
    alice.connect(first)
    bob.connect(second)
    assert alice.ask("room:join", ["lobby", "vip"]) == [[alice.sid, "lobby", "vip"]]
    assert bob.ask("room:join", ["staff"]) == [[bob.sid, "staff"]]
    emit(bob, "e", 1, rooms=["lobby"])
    alice.until("e", 1)
    alice.cut()
    emit(bob, "e", 2, rooms=["lobby"])
    emit(bob, "e", 3)
    emit(bob, "no", rooms=["elsewhere"])
    emit(bob, "no", rooms=["lobby"], **{"except": ["vip"]})
    emit(bob, "e", 4, rooms=["staff", "vip"])
    emit(bob, "e", 5, rooms=[alice.sid])
    assert alice.connect(second), "alice was not recovered"
    assert alice.events == [["e", number] for number in range(1, 6)]
    assert sorted(alice.ask("room:join", [])[0]) == sorted([alice.sid, "lobby", "vip"])
    emit(bob, "e", 6, rooms=["lobby"])
    alice.until("e", 6)
    alice.ask("room:leave", ["lobby"])
    alice.cut()
    emit(bob, "no", rooms=["lobby"])
    emit(bob, "e", 7, rooms=["vip"])
    assert alice.connect(first)
    assert alice.events == [["e", number] for number in range(1, 8)]
    assert sorted(alice.ask("room:join", [])[0]) == sorted([alice.sid, "vip"])


def test_rooms_outlive_their_node(mongo, nodes):
    """§14.3: what a join has confirmed survives kill -9; so do joins that another node asks for."""
    first, second = nodes.start(2, mongo=mongo, options=OPTIONS)
    alice, bob = Member("alice"), Member("bob")
    alice.connect(first)
    bob.connect(second)
    alice.ask("room:join", ["lobby"])
    bob.ask("room:sockets-join", {"rooms": ["lobby"], "names": ["more"]})
    wait_for("alice to be in both rooms", lambda: len(alice.ask("room:join", [])[0]) == 3)
    emit(bob, "e", 1, rooms=["more"])
    alice.until("e", 1)
    first.kill()
    emit(bob, "e", 2, rooms=["more"])
    emit(bob, "e", 3, rooms=["lobby"])
    assert alice.connect(second), "alice was not recovered"
    assert alice.events == [["e", 1], ["e", 2], ["e", 3]]


def test_in_replay_or_live_never_both_nor_none(mongo, nodes):
    """§14.3: broadcasts from both nodes while alice is cut off and comes back again and again."""
    two = nodes.start(2, mongo=mongo, options=OPTIONS)
    count = 300
    alice = Member("alice")
    alice.connect(two[0])
    alice.ask("room:join", ["lobby"])
    senders = [Member("bob"), Member("carol")]
    for sender, node in zip(senders, two):
        sender.connect(node)

    def send(sender):
        for number in range(count):
            emit(sender, sender.user, number, rooms=["lobby"] if number % 3 else [])

    threads = [threading.Thread(target=send, args=(sender,)) for sender in senders]
    for thread in threads:
        thread.start()
    returns = 0
    while any(thread.is_alive() for thread in threads):
        seen = len(alice.events)
        while len(alice.events) < seen + 7 and any(thread.is_alive() for thread in threads):
            alice.ask("room:join", [])
        alice.cut()
        returns += 1
        assert alice.connect(two[returns % 2]), f"return {returns}"
    for thread in threads:
        thread.join()
    for sender in senders:
        alice.until(sender.user, count - 1)
        numbers = [event[1] for event in alice.events if event[0] == sender.user]
        assert numbers == list(range(count)), f"{sender.user} after {returns} returns"
    assert returns > 5
