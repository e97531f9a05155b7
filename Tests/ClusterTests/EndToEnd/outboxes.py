"""Transactions that publish through the outbox, people who listen, nodes that are killed meanwhile (docs/outbox.md)."""

import collections
import json
import random
import threading
import time

import pymongo
from people import PATIENT
from raw import PATIENT as HEARTBEAT
from raw import SOCKET_IO, Wire, open_packet, websocket

DATABASE = "submergence"
OPTIONS = ["--loops", "2", "--outbox", "--recovery", "120", *PATIENT]
WAITING = {"state": {"$in": [None, "sending"]}}


class Listener(threading.Thread):
    """A client of one user that stays connected: when its node dies it goes to another one, as the same connection."""

    def __init__(self, user, client, nodes):
        super().__init__(daemon=True)
        self.user = user
        self.client = client
        self.nodes = nodes
        self.received = []
        self.recoveries = 0
        # Connections that were not recovered: each may have missed something, which nobody has promised to repeat.
        self.strangers = 0
        self.failure = None
        self.connected = threading.Event()
        self._sid = self._pid = self._offset = self._wire = None
        self._ends = False

    def run(self):
        try:
            while not self._ends:
                try:
                    self._connect(random.choice(self.nodes))
                    while True:
                        self._take(self._wire.receive())
                except (OSError, EOFError, AssertionError):
                    # Gone, refused for the moment, or not up again.
                    time.sleep(0.1)
        except Exception as failure:  # noqa: BLE001  (told by whoever looks at the listeners)
            self.failure = failure

    def end(self):
        self._ends = True
        if self._wire:
            self._wire.close()
        self.join(10)

    def _connect(self, node):
        node.ping = HEARTBEAT
        self._wire = wire = Wire(node)
        wire.socket.settimeout(60)
        wire.upgrade_request(websocket(SOCKET_IO)).upgraded()
        open_packet(node, wire.receive())
        auth = {"user": self.user, "client": self.client}
        if self._pid:
            auth |= {"pid": self._pid}
            if self._offset:
                auth |= {"offset": self._offset}
        wire.send_text("40" + json.dumps(auth))
        while not (text := wire.receive()).startswith("40{"):
            self._take(text)
        answer = json.loads(text[2:])
        if self._sid is not None:
            if answer["sid"] == self._sid:
                self.recoveries += 1
            else:
                self.strangers += 1
        self._sid, self._pid = answer["sid"], answer["pid"]
        self.connected.set()

    def _take(self, text):
        if text == "2":
            self._wire.send_text("3")
        elif text.startswith("42["):
            *event, self._offset = json.loads(text[2:])
            if event[0] == "order":
                self.received.append(event[1]["number"])


class Abort(Exception):
    """Ends a transaction with everything that it has inserted."""


class Publisher(threading.Thread):
    """Saves orders and publishes them, each in one transaction; every third is aborted."""

    def __init__(self, mongo, numbers, users, progress):
        super().__init__(daemon=True)
        self._mongo = mongo
        self._numbers = numbers
        self._users = users
        self._progress = progress
        self.committed = collections.defaultdict(list)
        self.aborted = set()
        self.failure = None

    def run(self):
        try:
            with pymongo.MongoClient(self._mongo.uri) as client:
                for number in self._numbers:
                    self._order(client, number)
                    self._progress()
        except Exception as failure:  # noqa: BLE001  (told by whoever waits for the publishers)
            self.failure = failure

    def _order(self, client, number):
        user = random.choice(self._users)

        def place(session):
            client.shop.orders.insert_one({"_id": number, "user": user}, session=session)
            event = {"domain": "localhost", "user": user, "event": "order", "args": [{"number": number}]}
            client[DATABASE].Outbox.insert_one(event, session=session)
            if number % 3 == 0:
                raise Abort

        with client.start_session() as session:
            try:
                # Begun anew where the first of them get into each other's way as they make a collection.
                session.with_transaction(place)
                self.committed[user].append(number)
            except Abort:
                self.aborted.add(number)


class Killer(threading.Thread):
    """Kills one node after the other with -9, and starts it again."""

    def __init__(self, nodes, pause, say):
        super().__init__(daemon=True)
        self._nodes = nodes
        self._pause = pause
        self._say = say
        self._end = threading.Event()
        self.kills = 0
        self.failure = None

    def run(self):
        try:
            while not self._end.wait(self._pause):
                node = random.choice(self._nodes)
                node.kill()
                self.kills += 1
                self._say(f"killed {node.name}")
                self._end.wait(1)
                node.start()
                node.wait_until_ready()
        except Exception as failure:  # noqa: BLE001  (told by whoever ends it)
            self.failure = failure

    def end(self):
        self._end.set()
        self.join(90)


def run(mongo, nodes, transactions, *, pause, users=12, publishers=4, pace=0.0, say=print):
    """Returns what is wrong, as lines; none where exactly the committed ones came, once each, to every client."""
    users = [f"user{number}" for number in range(users)]
    listeners = [Listener(user, client, nodes) for user in users for client in ("phone", "laptop")]
    for listener in listeners:
        listener.start()
    for listener in listeners:
        assert listener.connected.wait(60), f"{listener.user} is not connected: {listener.failure}"
    done = [0]
    told = [time.monotonic()]

    def progress():
        done[0] += 1
        if time.monotonic() - told[0] > 2:
            told[0] = time.monotonic()
            say(f"{done[0]} of {transactions} transactions")
        time.sleep(pace)

    numbers = range(1, transactions + 1)
    threads = [Publisher(mongo, numbers[part::publishers], users, progress) for part in range(publishers)]
    killer = Killer(nodes, pause, say)
    killer.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    killer.end()
    say(f"{transactions} transactions, {killer.kills} nodes killed; waiting for the outbox")
    complaints = [f"{thread}: {thread.failure!r}" for thread in [killer, *threads] if thread.failure]
    complaints += _settle(mongo, listeners, threads, say)
    for listener in listeners:
        listener.end()
    return complaints + _judge(listeners, threads, say)


def _settle(mongo, listeners, threads, say):
    """Until nothing waits in the outbox and nothing more comes."""
    deadline = time.monotonic() + 120
    with pymongo.MongoClient(mongo.uri) as client:
        outbox = client[DATABASE].Outbox
        while left := outbox.count_documents(WAITING):
            if time.monotonic() > deadline:
                return [f"{left} documents still wait in the outbox after 120 s"]
            time.sleep(0.5)
        refused = list(outbox.find({"state": "refused"}, {"error": 1}).limit(3))
    expected = sum(len(numbers) for thread in threads for numbers in thread.committed.values()) * 2
    before, quiet_since = -1, time.monotonic()
    while time.monotonic() < deadline:
        count = sum(len(listener.received) for listener in listeners)
        if count != before:
            before, quiet_since = count, time.monotonic()
        # What comes twice would come now; what is missing gets longer.
        if time.monotonic() - quiet_since > (3 if count >= expected else 20):
            break
        time.sleep(0.2)
    say(f"{before} of {expected} deliveries")
    return [f"refused: {document}" for document in refused]


def _judge(listeners, threads, say):
    complaints = []
    aborted = set().union(*(thread.aborted for thread in threads))
    for listener in listeners:
        name = f"{listener.user}/{listener.client}"
        if listener.failure:
            complaints.append(f"{name}: {listener.failure!r}")
        if listener.strangers:
            complaints.append(f"{name}: {listener.strangers} connections were not recovered")
        counts = collections.Counter(listener.received)
        wanted = {number for thread in threads for number in thread.committed[listener.user]}
        for what, numbers in (
            ("missing", wanted - counts.keys()),
            ("more than once", {number for number, count in counts.items() if count > 1}),
            ("of an aborted transaction", counts.keys() & aborted),
            ("of somebody else", counts.keys() - wanted - aborted),
        ):
            if numbers:
                complaints.append(f"{name}: {len(numbers)} {what}: {sorted(numbers)[:10]}")
        for thread in threads:
            # One transaction of a publisher is committed before the next begins: their order is promised.
            mine = set(thread.committed[listener.user])
            order = [number for number in listener.received if number in mine]
            if order != sorted(order):
                complaints.append(f"{name}: not in the order of the commits: {order}")
    recoveries = sum(listener.recoveries for listener in listeners)
    committed = sum(len(numbers) for thread in threads for numbers in thread.committed.values())
    say(f"{committed} committed, {len(aborted)} aborted, {len(listeners)} clients, {recoveries} reconnections")
    return complaints
