"""Connection state recovery and rooms (SOCKETIO §14): whoever comes back, on whatever node, is in its rooms and gets
what was broadcast meanwhile."""

import threading

import pytest
from processes import wait_for
from returning import OPTIONS, Member


def emit(sender, event, *arguments, **order):
    """A broadcast with a receipt that must be positive."""
    (receipt,) = sender.ask("room:emit", order | {"event": event, "arguments": list(arguments)})
    assert receipt["isComplete"], receipt


@pytest.fixture
def pair(mongo, nodes, request):
    """Two nodes on a database of their own: to one that comes for the first time, what another test broadcast in the
    second before counts as missed (ADR 0013)."""
    return nodes.start(2, mongo=mongo, options=[*OPTIONS, "--database", request.node.name[-42:]])


def test_rooms_and_broadcasts_come_back_on_another_node(pair):
    """§14.1.5, §14.2: alice is cut off one node and comes back to the other."""
    first, second = pair
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


def test_rooms_outlive_their_node(pair):
    """§14.3: what a join has confirmed survives kill -9; so do joins that another node asks for."""
    first, second = pair
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


def test_in_replay_or_live_never_both_nor_none(pair):
    """§14.3: broadcasts from both nodes while alice is cut off and comes back again and again."""
    count = 300
    alice = Member("alice")
    alice.connect(pair[0])
    alice.ask("room:join", ["lobby"])
    senders = [Member("bob"), Member("carol")]
    for sender, node in zip(senders, pair):
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
        assert alice.connect(pair[returns % 2]), f"return {returns}"
    for thread in threads:
        thread.join()
    for sender in senders:
        alice.until(sender.user, count - 1)
        numbers = [event[1] for event in alice.events if event[0] == sender.user]
        assert numbers == list(range(count)), f"{sender.user} after {returns} returns"
    assert returns > 5
