"""A history as it was written: one directory, JSON lines, every line with its place (docs/chaos.md has the format)."""

import json
import pathlib


class Unreadable(Exception):
    """The history is not there, or not whole."""


class Line(dict):
    """One line: its fields, and where it stands. Two lines are never the same, whatever they say."""

    __slots__ = ("place",)
    __hash__ = object.__hash__

    def __eq__(self, other):
        return self is other

    def __str__(self):
        return f"{self.place}: {json.dumps(self, ensure_ascii=False)}"


def read_lines(path):
    """The lines of a file. The last one of a process that was killed may be half a line: it is left out."""
    lines = []
    with open(path, encoding="utf8") as file:
        for number, text in enumerate(file, 1):
            if not text.endswith("\n"):
                break
            try:
                line = Line(json.loads(text))
            except ValueError as error:
                raise Unreadable(f"{path}:{number}: {error}") from None
            line.place = f"{path.name}:{number}"
            lines.append(line)
    return lines


class Connection:
    """One attempt to connect, and what became of it."""

    def __init__(self, attempt):
        self.attempt = attempt
        self.id = attempt["conn"]
        self.domain, self.user, self.client = attempt["domain"], attempt["user"], attempt["client"]
        self.opened = self.failed = self.closing = self.ended = None
        self.alive = []
        self.events = []

    @property
    def key(self):
        return (self.domain, self.user)

    @property
    def device(self):
        return (self.domain, self.user, self.client)

    @property
    def node(self):
        """The incarnation that answered; None for an attempt that failed."""
        return self.opened["node"] if self.opened else None

    @property
    def start(self):
        return self.attempt["at"]

    @property
    def open_at(self):
        return self.opened["at"]

    @property
    def left_at(self):
        """When the client began to leave, or saw that it was cut; for ever, if neither."""
        times = [line["at"] for line in (self.closing, self.ended) if line]
        return min(times, default=float("inf"))

    @property
    def lines(self):
        found = (self.attempt, self.opened, self.failed, self.closing, self.ended)
        return [line for line in found if line]


class Send:
    def __init__(self, line, sender):
        self.line, self.sender = line, sender
        self.number = line["n"]
        self.at = line["at"]
        self.user, self.client = line["user"], line.get("client")
        self.receipts = []

    @property
    def key(self):
        return (self.sender.domain, self.user)

    @property
    def receipt(self):
        """The answer; None without one, or for one that is an error."""
        return next((line for line in self.receipts if "didReceive" in line), None)

    @property
    def is_complete(self):
        return bool(self.receipt and self.receipt["isComplete"])

    def is_for(self, connection):
        return connection.key == self.key and self.client in (None, connection.client)


class History:
    """Everything of one run."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        try:
            with open(self.folder / "run.json", encoding="utf8") as file:
                self.run = json.load(file)
            self.presence = read_lines(self.folder / "presence.jsonl")
            self.faults = read_lines(self.folder / "faults.jsonl")
            self.nodes = read_lines(self.folder / "nodes.jsonl")
            self.truth = read_lines(self.folder / "truth.jsonl")
            logs = [read_lines(path) for path in sorted(self.folder.glob("clients-*.jsonl"))]
        except (OSError, ValueError) as error:
            raise Unreadable(str(error)) from None
        if not logs:
            raise Unreadable(f"{folder} has no clients-*.jsonl")
        self.grace = self.run.get("grace", 0)
        self.connections = {}
        self.sends = {}
        self.odd = []
        for lines in logs:
            for line in lines:
                self._take(line)
        everything = [*self.presence, *self.faults, *self.nodes, *self.truth, *(line for log in logs for line in log)]
        self.begin = min(line["at"] for line in everything)
        self.end = max(line["at"] for line in everything)

    def _take(self, line):
        kind, name = line.get("k"), line.get("conn")
        if kind == "try":
            self.connections[name] = Connection(line)
            return
        connection = self.connections.get(name)
        if connection is None:
            raise Unreadable(f"{line.place}: nobody tried to open {name}")
        if kind == "open":
            connection.opened = line
        elif kind == "fail":
            connection.failed = line
        elif kind == "close":
            connection.closing = line
        elif kind == "end":
            connection.ended = line
        elif kind == "alive":
            connection.alive.append(line)
        elif kind == "event":
            connection.events.append(line)
        elif kind == "odd":
            self.odd.append(line)
        elif kind == "send":
            self.sends[name, line["n"]] = Send(line, connection)
        elif kind == "receipt":
            send = self.sends.get((name, line["n"]))
            if send is None:
                self.odd.append(line)
            else:
                send.receipts.append(line)
        else:
            raise Unreadable(f"{line.place}: what is {kind!r}?")

    @property
    def opened(self):
        return [connection for connection in self.connections.values() if connection.opened]

    def truths(self):
        return [line for line in self.truth if line["e"] == "truth"]
