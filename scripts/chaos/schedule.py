"""Which faults come when: a list that the seed alone decides."""

import random

# kind -> how often it is chosen, of the faults of nodes and of the database
NODE_FAULTS = {"kill": 5, "pause": 5, "partition": 3, "drain": 2, "add": 1, "clock": 1, "oplog-roll": 1}
DATABASE_FAULTS = {
    "step-down": 5,
    "shard-kill": 4,
    "shard-hang": 2,
    "router-kill": 2,
    "config-kill": 2,
    "chunk-move": 3,
    "disk-full": 1,
}
ALL_FAULTS = [*NODE_FAULTS, *DATABASE_FAULTS]


class Planned:
    """One fault: when it begins, after the begin of the run, and what it needs to know."""

    def __init__(self, at, kind, chance, nodes, shards):
        self.at = at
        self.kind = kind
        self.node = chance.randrange(nodes)
        self.shard = chance.randrange(shards) + 1
        self.choice = chance.random()
        self.mode = chance.choice(["hang", "cut"])
        self.seconds = round(chance.uniform(*DURATIONS.get(kind, (1, 6))), 1)
        self.jump = chance.choice([-86400, -3600, -30, 30, 3600, 86400])

    def __str__(self):
        where = {"partition": f" ({self.mode})", "clock": f" ({self.jump:+d} s)"}.get(self.kind, "")
        on = f"node-{self.node + 1}" if self.kind in NODE_FAULTS else f"shard{self.shard}"
        return f"{self.at:6.1f} s  {self.kind}{where} {on}, {self.seconds} s"


# How long each lasts, in seconds. A pause is at most 20 s, a partition longer than the isolation of 30 s now and then.
DURATIONS = {
    "kill": (0, 15), "pause": (3, 20), "partition": (3, 40), "clock": (5, 15), "oplog-roll": (4, 8),
    "shard-kill": (2, 10), "shard-hang": (3, 10), "router-kill": (1, 6), "config-kill": (2, 8),
}  # fmt: skip


def lane(seed, name, weights, seconds, pause, nodes, shards):
    """The faults of one lane: every kind once in some order, then at random."""
    chance = random.Random(f"{seed}/{name}")
    kinds = sorted(weights)
    chance.shuffle(kinds)
    planned, at = [], chance.uniform(6, 10)
    while at < seconds and weights:
        kind = kinds.pop() if kinds else chance.choices(sorted(weights), [weights[k] for k in sorted(weights)])[0]
        one = Planned(at, kind, chance, nodes, shards)
        planned.append(one)
        at += one.seconds + chance.uniform(*pause)
    return planned


def schedule(seed, seconds, wanted, nodes=3, shards=2):
    """(faults of nodes, faults of the database)."""
    node_faults = {kind: weight for kind, weight in NODE_FAULTS.items() if kind in wanted}
    database_faults = {kind: weight for kind, weight in DATABASE_FAULTS.items() if kind in wanted}
    return (
        lane(seed, "nodes", node_faults, seconds, (3, 12), nodes, shards),
        lane(seed, "database", database_faults, seconds, (4, 14), nodes, shards),
    )
