"""Which incarnations of nodes there were, how each ended, and which fault excuses that (SPEC ND-3 to ND-5, LC-7)."""

# After a fault a node may need so long until it finds that it was claimed, or is claimed: the lease, the isolation of
# 30 s, and what a slow machine adds.
AFTERMATH = 50
# Between two faults of a node that are further apart it has renewed its lease (10 s), or is found dead.
LEASE = 15

# Faults of the database that can leave nodes without renewals (ND-3: isolation), though none may be claimed (ND-4).
REGISTRY = {
    "router-kill",
    "config-kill",
    "step-down",
    "shard-kill",
    "shard-hang",
    "disk-full",
    "chunk-move",
    "oplog-roll",
}
# Those that depose a primary: for the time of an election it may answer with an older state (EV-1).
DEPOSING = {"step-down", "shard-kill", "shard-hang", "disk-full"}
ELECTION = 15
# Those that end an incarnation at once, or begin one.
ENDING = {"kill", "drain", "add"}
# What a process wrote right before it was killed is read, and dated, a little later. None is started again so fast.
READ_LATE = 0.5
# A stall of the whole machine (the driver's own clock stood still) excuses what a fault of every node would.
STALL = "stall"


class Fault:
    def __init__(self, begin, end):
        self.line, self.end_line = begin, end
        self.kind, self.on = begin["fault"], begin.get("on")
        self.begin = begin["at"]
        self.end = end["at"] if end else float("inf")

    def overlaps(self, first, last):
        return self.begin <= last and self.end >= first

    def hits(self, name):
        return self.on == name or self.kind == STALL


def _first_of_chain(faults):
    """Of the latest fault, and those right before it, the first: a node is claimed for a silence that may have begun in
    an earlier one."""
    chain = None
    for fault in sorted(faults, key=lambda fault: fault.begin, reverse=True):
        if chain is None or fault.end + LEASE >= chain.begin:
            chain = fault
    return chain


class Incarnation:
    def __init__(self, node, name, line):
        self.node, self.name, self.line = node, name, line
        self.served_at = line["at"] if line else float("-inf")
        self.deaths = []  # lines that say so
        self.died_at = None  # by the earliest of them
        self.gaps = []
        self.cause = None

    def die(self, line):
        self.deaths.append(line)
        self.died_at = line["at"] if self.died_at is None else min(self.died_at, line["at"])

    @property
    def is_dead(self):
        return bool(self.deaths)

    @property
    def is_lost(self):
        """It went without finishing what it had begun: others may repeat what it announced (LC-3). A drained node
        leaves nothing (ND-12), though the newcomer of its name looks after it, unless it said that it could not."""
        return any(
            line.get("e") in ("over", "exit", "left")
            or line.get("fault") == "kill"
            or (line.get("e") == "reaping" and (line["name"] != self.name or not self.is_drained))
            for line in self.deaths
        )

    @property
    def is_drained(self):
        return any(line.get("fault") == "drain" for line in self.deaths)

    @property
    def trusted_until(self):
        """Up to here what clients of it see is what the cluster knows; for ever, if it lives."""
        if not self.is_dead:
            return float("inf")
        return min(self.cause.begin if self.cause else self.died_at, self.died_at)


class Incarnations:
    def __init__(self, history):
        self.faults = self._faults(history)
        self._on = {}
        self.all = {}
        self._current = {}
        self._certain = {}
        self.crashes = []
        for line in sorted([*history.nodes, *history.faults], key=lambda line: line["at"]):
            self._take(line)
        for incarnation in self.all.values():
            self._explain(incarnation)

    @staticmethod
    def _faults(history):
        ends = {line["id"]: line for line in history.faults if line["phase"] == "end"}
        return [Fault(line, ends.get(line["id"])) for line in history.faults if line["phase"] == "begin"]

    def _take(self, line):
        kind = line.get("e") or line.get("fault")
        if kind == "serves":
            self.all[line["node"]] = self._current[line["name"]] = Incarnation(line["node"], line["name"], line)
        elif kind in ("over", "left"):
            self._die(self._current.get(line["name"]), line)
        elif kind in ("kill", "drain") and line["phase"] == "begin":
            self._die(self._current.get(line["on"]), line)
        elif kind == "reaping":
            self._die(self.all.get(line["node"]), line)
        elif kind == "exit":
            self.crashes.append(line)
            self._die(self._current.get(line["name"]), line)
        elif kind == "gap":
            serving = self._current.get(line["name"])
            if serving:
                serving.gaps.append(line)

    @staticmethod
    def _die(incarnation, line):
        if incarnation is not None:
            incarnation.die(line)

    def _explain(self, incarnation):
        if not incarnation.is_dead:
            return
        died = incarnation.died_at
        first = max(died - AFTERMATH, incarnation.served_at)
        incarnation.cause = _first_of_chain(self.own_faults(incarnation, first, died))
        silent = all(line.get("e") == "over" and line.get("reason") == "silent" for line in incarnation.deaths)
        if incarnation.cause is None and silent:
            shared = [fault for fault in self.faults if fault.kind in REGISTRY and fault.overlaps(died - 60, died)]
            incarnation.cause = min(shared, key=lambda fault: fault.begin, default=None)

    def own_faults(self, incarnation, first, last):
        """Those that hit this incarnation, also before it began: a process that was cut off while it started."""
        name = incarnation.name
        if name not in self._on:
            self._on[name] = [fault for fault in self.faults if fault.hits(name)]
        return [
            fault
            for fault in self._on[name]
            if fault.overlaps(first, last)
            # These end an incarnation; the next one has nothing of them.
            and not (fault.kind in ENDING and fault.begin + self._late(fault) < incarnation.served_at)
        ]

    @staticmethod
    def _late(fault):
        return READ_LATE if fault.kind == "kill" else 0

    def of(self, node):
        """The incarnation; one that no log tells of lives, and was never hit."""
        return self.all.get(node) or self.all.setdefault(node, Incarnation(node, None, None))

    def deposing(self, first, last):
        return [
            fault
            for fault in self.faults
            if fault.kind in DEPOSING and fault.begin <= last and fault.end + ELECTION >= first
        ]

    def certain_until(self, connection):
        """Up to when the cluster has to hold this connection for live, as far as its client can tell."""
        if connection.id not in self._certain:
            self._certain[connection.id] = self._until(connection)
        return self._certain[connection.id]

    def _until(self, connection):
        incarnation = self.of(connection.node)
        until = min(connection.left_at, incarnation.trusted_until)
        if connection.ended and not connection.closing:
            ended = connection.ended["at"]
            cause = _first_of_chain(self.own_faults(incarnation, ended - AFTERMATH, ended))
            until = min(until, cause.begin) if cause else until
        return max(until, connection.open_at)


def check_incarnations(history, incarnations, verdict):
    """No node ends, is given up, or gives itself up, without a reason."""
    for line in incarnations.crashes:
        verdict.violation("node-crashed", f"{line['name']} ended by itself, with status {line['status']}", line)
    for fault in incarnations.faults:
        status = fault.end_line.get("status") if fault.end_line else None
        if fault.kind == "drain" and status not in (0, None):
            verdict.violation(
                "node-crashed", f"{fault.on} ended with status {status} when drained", fault.line, fault.end_line
            )
    for incarnation in incarnations.all.values():
        if incarnation.is_dead and incarnation.cause is None:
            kind = "claimed" if any(line.get("e") == "reaping" for line in incarnation.deaths) else "given up"
            verdict.violation(
                "node-without-cause",
                f"{incarnation.name} ({incarnation.node}) was {kind} without a fault of its own",
                incarnation.line,
                *incarnation.deaths,
            )
    for connection in history.opened:
        ended = connection.ended
        if not ended or connection.closing:
            continue
        incarnation = incarnations.of(connection.node)
        if incarnation.is_dead and incarnation.died_at <= ended["at"] + AFTERMATH:
            continue
        if not incarnations.own_faults(incarnation, ended["at"] - AFTERMATH, ended["at"]):
            verdict.violation(
                "connection-without-cause",
                f"the server ended {connection.id} of {'/'.join(connection.device)} on {incarnation.name},"
                " which had no fault of its own",
                connection.opened,
                ended,
            )
