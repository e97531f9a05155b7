"""Follows what nodes write while they run: announcements and logs. Every line gets the time at which it was seen."""

import json
import re
import threading
import time

from journal import Journal, now

# What the logs of nodes tell of the cluster: message -> (what the history calls it, the fields that it takes).
TOLD = {
    "an incarnation serves": ("serves", {"node": "node"}),
    "this incarnation is over": ("over", {"reason": "reason"}),
    "left without a word: this node will be reaped": ("left", {}),
    "reaping a dead node": ("reaping", {"node": "node"}),
    "envelopes are missing: a gap": ("gap", {"peer": "peer", "count": "count"}),
    "the history of an inbox is lost": ("history-lost", {}),
}
INTERVAL = 0.05
STALL = 3


class Tail:
    """The whole lines that were added to a file since the last look."""

    def __init__(self, path):
        self._path = path
        self._file = None
        self._rest = b""

    def lines(self):
        if self._file is None:
            if not self._path.exists():
                return []
            self._file = open(self._path, "rb")
        data = self._rest + self._file.read()
        *lines, self._rest = data.split(b"\n")
        return [line.decode("utf8", "replace") for line in lines]

    def close(self):
        if self._file:
            self._file.close()


class Announced:
    """Who is on line as announced, by the newest `seq` of each."""

    def __init__(self):
        self.newest = {}
        self.clients = set()
        self.users = set()

    def take(self, entry):
        key = (entry["domain"], entry["user"])
        if entry["seq"] <= self.newest.get(key, -1):
            return
        self.newest[key] = entry["seq"]
        who, among = key, self.users
        if entry.get("client") is not None:
            who, among = (*key, entry["client"]), self.clients
        if entry["t"].endswith("Online"):
            among.add(who)
        else:
            among.discard(who)


class Watch:
    """Copies announcements and node logs into the history, from a thread of its own."""

    def __init__(self, folder, presence, faults):
        self.announced = Announced()
        self.presence = Journal(folder, "presence.jsonl")
        self.nodes = Journal(folder, "nodes.jsonl")
        self._faults = faults
        self._presence = Tail(presence)
        self._logs = {}
        self._stations = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.counts = {}
        self._thread.start()

    def add(self, station):
        with self._lock:
            self._stations.append(station)
            self._logs[station.name] = Tail(station.log_path)

    def _run(self):
        last = time.monotonic()
        while not self._stop.is_set():
            self.look()
            moment = time.monotonic()
            if moment - last > STALL:
                # Nothing of this machine ran, so that nothing can be said about anybody.
                self._faults.end(self._faults.begin("stall", seconds=round(moment - last, 1)), "stall")
            last = moment
            self._stop.wait(INTERVAL)

    def look(self):
        with self._lock:
            for text in self._presence.lines():
                entry = json.loads(text)
                self.presence.write(**entry)
                self.announced.take(entry)
            for name, tail in self._logs.items():
                for text in tail.lines():
                    self._tell(name, text)
            for station in self._stations:
                if station.is_wanted and not station.is_running:
                    station.is_wanted = False
                    self.nodes.write(e="exit", name=station.name, status=station.process.returncode)

    def _tell(self, name, text):
        for message, (event, fields) in TOLD.items():
            if message in text:
                found = dict(re.findall(r"(\w+)=(\S+)", text))
                told = {key: found.get(key) for key in fields.values()}
                self.counts[event] = self.counts.get(event, 0) + 1
                self.nodes.write(at=now(), e=event, name=name, **told)

    def flush(self):
        self.look()
        self.presence.flush()
        self.nodes.flush()

    def end(self):
        self._stop.set()
        self._thread.join()
        self.look()
        self.presence.close()
        self.nodes.close()
        for tail in [self._presence, *self._logs.values()]:
            tail.close()
