"""The checker of histories (scripts/check-history): clean ones pass, and for every rule one that breaks it is found."""

import copy
import json
import subprocess
import sys

import pytest
from processes import SCRIPTS

sys.path.insert(0, str(SCRIPTS / "history"))

from check import check  # noqa: E402

A, B, C = "node-a-0000000001", "node-b-0000000002", "node-c-0000000003"


class Story:
    """A history in the making. `at` moves on by a second with each line, unless it is given."""

    def __init__(self, grace=0):
        self.run = {"version": 1, "seed": 0, "grace": grace}
        self.files = {name: [] for name in ("presence", "faults", "nodes", "truth", "clients-0")}
        self.at = 0.0
        self.seqs = {}
        self.opens = {}
        for name, node in (("node-1", A), ("node-2", B), ("node-3", C)):
            self.add("nodes", e="serves", name=name, node=node)

    def add(self, file, **fields):
        self.at = fields.pop("at", self.at + 1)
        line = {"at": self.at, **fields}
        self.files[file].append(line)
        return line

    def client(self, kind, conn, **fields):
        return self.add("clients-0", k=kind, conn=conn, **fields)

    def open(self, conn, node=A, user="alice", client="phone", domain="a.example"):
        self.client("try", conn, domain=domain, user=user, client=client)
        self.opens[conn] = {"sid": f"{node}.{conn}", "node": node, "key": (domain, user), "client": client}
        return self.client("open", conn, sid=f"{node}.{conn}", node=node)

    def fail(self, conn, user="alice", client="phone", domain="a.example"):
        self.client("try", conn, domain=domain, user=user, client=client)
        self.client("fail", conn, why="refused")

    def close(self, conn):
        self.client("close", conn)
        self.client("end", conn, by="client", code=1000)
        self.opens.pop(conn)

    def cut(self, conn):
        self.opens.pop(conn)
        return self.client("end", conn, by="server", code=1006)

    def say(self, change, node=A, user="alice", client="phone", domain="a.example", seq=None, at=None):
        """One announcement; with the next `seq`, unless it is given."""
        key = (domain, user)
        if seq is None:
            seq = self.seqs[key] = self.seqs.get(key, 100) + 1
        fields = {"t": change, "domain": domain, "user": user, "seq": seq, "node": node}
        if change.startswith("client"):
            fields["client"] = client
        return self.add("presence", **fields, **({} if at is None else {"at": at}))

    def online(self, **who):
        self.say("userOnline", **{k: v for k, v in who.items()})
        self.say("clientOnline", **who)

    def offline(self, **who):
        self.say("clientOffline", **who)
        self.say("userOffline", **who)

    def send(self, conn, n, user="bob", client=None, local=0, nodes=0, complete=True):
        self.client("send", conn, n=n, user=user, **({"client": client} if client else {}))
        return self.receipt(conn, n, local, nodes, complete)

    def receipt(self, conn, n, local=0, nodes=0, complete=True):
        counts = {"didReceive": local + nodes > 0, "local": local, "nodes": nodes, "isComplete": complete}
        return self.client("receipt", conn, n=n, stored=False, **counts)

    def arrive(self, conn, sender, n):
        return self.client("event", conn, **{"from": sender, "n": n})

    def fault(self, fault, on=None, seconds=5, **details):
        number = len(self.files["faults"]) + 1
        begin = self.add("faults", phase="begin", id=number, fault=fault, on=on, **details)
        self.files["faults"].append({"at": begin["at"] + seconds, "phase": "end", "id": number, "fault": fault})
        return begin

    def tell(self, node="node-3", **fields):
        return self.add("nodes", name=node, **fields)

    def settle(self, connected=None, routes=None):
        """The truth, as the clients know it."""
        opens = {c: self.opens[c] for c in (self.opens if connected is None else connected)}
        if routes is None:
            routes = {}
            for one in opens.values():
                domain, user = one["key"]
                route = routes.setdefault(one["key"], {"domain": domain, "user": user, "live": [], "out": 0})
                route["live"].append({"s": one["sid"], "n": one["node"], "c": one["client"]})
                route["announced"] = sorted({*route.get("announced", []), one["client"]})
                route["isAnnounced"] = True
            routes = list(routes.values())
        for route in routes:
            self.add("truth", e="route", truth=1, **route)
        presence = len(self.files["presence"])
        return self.add("truth", e="truth", truth=1, connected=list(opens), presence=presence, routes=True)

    def write(self, folder):
        folder.mkdir(exist_ok=True)
        (folder / "run.json").write_text(json.dumps(self.run))
        for name, lines in self.files.items():
            text = "".join(json.dumps(line) + "\n" for line in lines)
            (folder / f"{name}.jsonl").write_text(text)
        return folder

    def rules(self, folder):
        verdict = check(self.write(folder))
        for _, text, lines in verdict.violations:
            assert text and lines, "every violation is proven by lines"
            assert all(str(line).split(":")[0].endswith(".jsonl") for line in lines)
        return verdict.rules()


def busy():
    """Alice on two nodes, bob on two, two events each way; all are there at the end."""
    story = Story()
    story.open("a1", A)
    story.online()
    story.open("a2", B)
    story.open("b1", A, user="bob")
    story.online(user="bob")
    story.open("b2", C, user="bob", client="desk")
    story.say("clientOnline", user="bob", client="desk", node=C)
    for n in (1, 2):
        story.send("a1", n, local=1, nodes=1)
        story.arrive("b1", "a1", n)
        story.arrive("b2", "a1", n)
    return story


@pytest.fixture
def rules(tmp_path):
    return lambda story: story.rules(tmp_path / "history")


# ------------------------------------------------------------ clean histories


def test_clean(rules):
    story = busy()
    story.settle()
    assert rules(story) == set()


def test_everybody_leaves(rules):
    story = busy()
    for conn in ("a1", "a2", "b1", "b2"):
        story.close(conn)
    story.offline()
    story.say("clientOffline", user="bob")
    story.say("clientOffline", user="bob", client="desk", node=C)
    story.say("userOffline", user="bob", node=C)
    story.settle()
    assert rules(story) == set()


def test_killed_node(rules):
    """Its users are announced by a survivor; what was repeated was the dead node's."""
    story = Story()
    story.open("a1", A)
    story.online()
    story.fault("kill", "node-1", seconds=30)
    story.cut("a1")
    story.add("nodes", e="reaping", name="node-3", node=A, at=story.at + 10)
    story.say("clientOnline", node=C, seq=102)
    story.offline(node=C)
    story.settle()
    assert rules(story) == set()


def test_grace_bridges_a_short_absence(rules):
    story = Story(grace=5)
    story.open("a1")
    story.online()
    story.close("a1")
    story.open("a2")
    story.settle()
    assert rules(story) == set()


def test_late_announcements_are_explained(rules):
    """Handlers may run long after the commit: Offline of the first stay, Online of the second, both in the second."""
    story = Story()
    story.open("a1")
    story.online()
    story.close("a1")
    story.open("a2")
    story.offline()
    story.online()
    story.settle()
    assert rules(story) == set()


def test_failed_attempt_may_be_announced(rules):
    story = Story()
    story.fail("a1")
    story.online()
    story.offline()
    story.settle()
    assert rules(story) == set()


def test_allowed_losses(rules):
    """Incomplete receipts, connections that ended meanwhile, and those of a node that was given up."""
    story = busy()
    story.send("a1", 3, local=1, complete=False)
    story.send("a1", 4, local=1, nodes=1)
    story.arrive("b1", "a1", 4)
    story.arrive("b2", "a1", 4)  # 3 is missing everywhere: its receipt says so
    story.send("a1", 5, local=1, nodes=1)
    story.close("b1")  # 5 was on its way
    story.arrive("b2", "a1", 5)
    story.say("clientOffline", user="bob")
    story.fault("pause", "node-3", seconds=15)
    story.send("a1", 6, nodes=1)
    story.at += 10
    story.add("nodes", e="reaping", name="node-2", node=C)
    story.say("clientOffline", user="bob", client="desk", node=B)
    story.say("userOffline", user="bob", node=B)
    story.cut("b2")
    story.settle()
    assert rules(story) == set()


def test_counted_gap_is_allowed(tmp_path):
    story = busy()
    story.send("a1", 3, local=1, nodes=1)
    story.send("a1", 4, local=1, nodes=1)
    story.arrive("b1", "a1", 3)
    story.arrive("b1", "a1", 4)
    story.arrive("b2", "a1", 4)
    without = copy.deepcopy(story)
    story.tell("node-3", e="gap", peer=A, count="1")
    story.settle()
    verdict = check(story.write(tmp_path / "with"))
    assert verdict.is_clean and [len(cases) for cases in verdict.allowed.values()] == [1]
    without.tell("node-3", e="gap", peer=B, count="1")  # of another sender
    without.settle()
    assert without.rules(tmp_path / "without") == {"lost"}


def test_election_excuses_new_connections_only(rules):
    """A deposed primary may answer with the route as it was before (EV-1): only who is new since can be missed."""
    story = busy()
    story.fault("step-down", "shard1", seconds=3)
    story.open("b3", B, user="bob", client="desk")
    story.send("a1", 3, local=1, nodes=1)
    story.arrive("b1", "a1", 3)
    story.arrive("b2", "a1", 3)
    story.send("a1", 4, local=1, nodes=2)
    for conn in ("b1", "b2", "b3"):
        story.arrive(conn, "a1", 4)
    story.settle()
    assert rules(story) == set()


def test_connect_that_was_seen_late(rules):
    """The node is drained, and has announced all of it, before the client reads that it is connected."""
    story = Story()
    story.client("try", "a1", domain="a.example", user="alice", client="phone")
    story.fault("drain", "node-1", seconds=20)
    story.online()
    story.offline()
    story.client("open", "a1", sid=f"{A}.a1", node=A)
    story.client("end", "a1", by="server", code=1006)
    story.settle()
    assert rules(story) == set()
    story.online()  # it explains one Online, and no more
    story.offline()
    story.settle()
    assert rules(story) == {"presence-explained"}


# ------------------------------------------------------------ presence


def test_online_twice(rules):
    story = busy()
    story.say("clientOnline")
    story.settle()
    assert "client-alternates" in rules(story)


def test_user_online_twice(rules):
    story = busy()
    story.say("userOnline")
    story.settle()
    assert "user-alternates" in rules(story)


def test_client_before_its_user(rules):
    story = Story()
    story.open("a1")
    story.say("clientOnline")
    story.say("userOnline")
    story.settle()
    assert "user-encloses-clients" in rules(story)


def test_user_offline_before_its_client(rules):
    story = Story()
    story.open("a1")
    story.online()
    story.close("a1")
    story.say("userOffline")
    story.say("clientOffline")
    story.settle()
    assert "user-encloses-clients" in rules(story)


def test_missing_seq(rules):
    story = busy()
    story.seqs["a.example", "alice"] += 1
    story.close("a1")
    story.close("a2")
    story.offline()
    story.settle()
    assert rules(story) == {"seq-consecutive"}


def test_handlers_out_of_order(rules):
    story = Story()
    story.open("a1")
    story.say("clientOnline", seq=102)
    story.say("userOnline", seq=101)
    story.settle()
    assert rules(story) == {"seq-order"}


def test_repeat_without_a_crash(rules):
    story = busy()
    story.say("clientOnline", node=B, seq=102)
    story.settle()
    assert rules(story) == {"repeat-without-crash"}


def test_repeat_after_a_pause_that_cost_no_lease(rules):
    story = busy()
    story.fault("pause", "node-1", seconds=3)
    story.say("clientOnline", node=B, seq=102)
    story.settle()
    assert rules(story) == {"repeat-without-crash"}


def drained(*after):
    story = busy()
    story.fault("drain", "node-3", seconds=20)
    story.cut("b2")
    story.say("clientOffline", user="bob", client="desk", node=C)
    for fields in after:
        story.add("nodes", name="node-3", **fields)
    story.say("clientOffline", user="bob", client="desk", node=B, seq=story.seqs["a.example", "bob"])
    story.settle()
    return story


def test_repeat_after_a_drain(rules):
    """A drained node leaves nothing to repeat (ND-12), also where the newcomer of its name looks after it."""
    assert rules(drained()) == {"repeat-without-crash"}
    serves = {"e": "serves", "node": "node-c-0000000004"}
    assert rules(drained(serves, {"e": "reaping", "node": C})) == {"repeat-without-crash"}


def test_repeat_after_a_drain_that_could_not_be_finished(rules):
    assert rules(drained({"e": "left"})) == set()


def test_repeat_by_the_owner_itself(rules):
    story = busy()
    story.say("clientOnline", node=A, seq=102)
    story.settle()
    assert rules(story) == {"repeat-by-owner"}


def test_repeat_with_other_content(rules):
    story = Story()
    story.open("a1", A)
    story.online()
    story.fault("kill", "node-1")
    story.cut("a1")
    story.say("clientOnline", node=C, seq=102, client="other")
    story.offline(node=C)
    story.settle()
    assert "seq-content" in rules(story)


def test_announced_offline_while_connected(rules):
    """And on line again with the next connection, so that the end is right: only what clients saw tells it."""
    story = Story()
    story.open("a1")
    story.online()
    story.offline()
    story.close("a1")
    story.open("a2")
    story.online()
    story.settle()
    assert rules(story) == {"presence-explained"}


def test_announced_offline_while_another_tab_is_connected(rules):
    story = Story()
    story.open("a1", A)
    story.online()
    story.open("a2", B)
    story.close("a1")
    story.offline()
    story.close("a2")
    story.settle()
    assert rules(story) == {"presence-explained"}


def test_connected_and_never_announced(rules):
    story = Story()
    story.open("a1")
    story.close("a1")
    story.settle()
    assert rules(story) == {"presence-explained"}


def test_announced_and_never_there(rules):
    story = Story()
    story.open("a1")
    story.online()
    story.close("a1")
    story.offline()
    story.online()
    story.offline()
    story.settle()
    assert rules(story) == {"presence-explained"}


def test_long_absence_never_announced(rules):
    story = Story(grace=5)
    story.open("a1")
    story.online()
    story.close("a1")
    story.at += 100
    story.open("a2")
    story.settle()
    assert rules(story) == {"presence-explained"}


# ------------------------------------------------------------ the end


def test_left_online(rules):
    story = Story()
    story.open("a1")
    story.online()
    story.close("a1")
    story.settle()
    assert "final-state" in rules(story)


def test_left_offline(rules):
    story = Story()
    story.open("a1")
    story.online()
    story.offline()
    story.settle()
    assert {"final-state", "presence-explained"} <= rules(story)


def route(live, announced=("phone",), out=0, user="alice"):
    fields = {"domain": "a.example", "user": user, "live": live, "announced": list(announced), "out": out}
    return {**fields, "isAnnounced": bool(announced)}


@pytest.mark.parametrize(
    "routes",
    [
        [],
        [route([])],
        [route([{"s": f"{A}.a1", "n": A, "c": "phone"}, {"s": f"{B}.x", "n": B, "c": "phone"}])],
        [route([{"s": f"{A}.a1", "n": A, "c": "phone"}], announced=())],
        [route([{"s": f"{A}.a1", "n": A, "c": "phone"}], out=1)],
        [
            route([{"s": f"{A}.a1", "n": A, "c": "phone"}]),
            route([{"s": f"{A}.a1", "n": A, "c": "phone"}], announced=(), user="bob"),
        ],
    ],
    ids=["none", "empty", "one too many", "announced", "outbox", "two routes"],
)
def test_wrong_routes(rules, routes):
    story = Story()
    story.open("a1")
    story.online()
    story.settle(routes=routes)
    assert rules(story) == {"route-state"}


def test_route_of_a_dead_node(rules):
    story = Story()
    story.open("a1")
    story.online()
    story.fault("kill", "node-1")
    story.cut("a1")
    story.offline(node=C)
    story.settle(routes=[route([{"s": f"{A}.a1", "n": A, "c": "phone"}], announced=())])
    assert rules(story) == {"route-state"}


def test_unsettled(rules):
    story = busy()
    truth = story.settle()
    truth["unsettled"] = ["not every client could connect"]
    assert rules(story) == {"unsettled"}


# ------------------------------------------------------------ events


def test_lost(rules):
    """Never there, though the connection stayed to the end."""
    story = busy()
    story.send("a1", 3, local=1, nodes=1)
    story.arrive("b1", "a1", 3)
    story.settle()
    assert rules(story) == {"lost"}


def test_lost_before_a_later_one(rules):
    """The connection is closed before the end, but what was sent later has arrived."""
    story = busy()
    story.send("a1", 3, local=1, nodes=1)
    story.send("a1", 4, local=1, nodes=1)
    story.arrive("b1", "a1", 3)
    story.arrive("b1", "a1", 4)
    story.arrive("b2", "a1", 4)
    story.close("b2")
    story.say("clientOffline", user="bob", client="desk", node=C)
    story.settle()
    assert rules(story) == {"lost"}


def test_lost_before_a_later_one_of_the_same_node(rules):
    story = busy()
    story.open("c1", A, user="carol")
    story.online(user="carol")
    story.send("a1", 3, local=1, nodes=1)
    story.send("c1", 1, local=1, nodes=1)
    story.arrive("b1", "a1", 3)
    story.arrive("b1", "c1", 1)
    story.arrive("b2", "c1", 1)
    story.close("b2")
    story.say("clientOffline", user="bob", client="desk", node=C)
    story.settle()
    assert rules(story) == {"lost"}


def test_lost_during_a_pause_that_cost_no_lease(rules):
    story = busy()
    story.fault("pause", "node-3", seconds=4)
    story.send("a1", 3, local=1, nodes=1)
    story.arrive("b1", "a1", 3)
    story.settle()
    assert rules(story) == {"lost"}


def test_on_its_way_when_the_connection_ended(rules):
    story = busy()
    story.send("a1", 3, local=1, nodes=1)
    story.arrive("b1", "a1", 3)
    story.close("b2")
    story.say("clientOffline", user="bob", client="desk", node=C)
    story.settle()
    assert rules(story) == set()


def test_twice(rules):
    story = busy()
    story.arrive("b2", "a1", 2)
    story.settle()
    assert rules(story) == {"at-most-once"}


def test_out_of_order(rules):
    story = busy()
    for n in (3, 4):
        story.send("a1", n, local=1, nodes=1)
    story.arrive("b1", "a1", 3)
    story.arrive("b1", "a1", 4)
    story.arrive("b2", "a1", 4)
    story.arrive("b2", "a1", 3)
    story.settle()
    assert rules(story) == {"order"}


def test_event_of_another_domain(rules):
    story = busy()
    story.open("x1", A, user="bob", domain="b.example")
    story.online(user="bob", domain="b.example")
    story.arrive("x1", "a1", 2)
    story.settle()
    assert rules(story) == {"cross-domain"}


def test_event_for_somebody_else(rules):
    story = busy()
    story.arrive("a2", "a1", 2)
    story.settle()
    assert rules(story) == {"cross-user"}


def test_event_for_another_device(rules):
    story = busy()
    story.send("a1", 3, client="phone", local=1)
    story.arrive("b1", "a1", 3)
    story.arrive("b2", "a1", 3)
    story.settle()
    assert rules(story) == {"cross-user"}


def test_event_that_nobody_sent(rules):
    story = busy()
    story.arrive("b1", "a1", 77)
    story.settle()
    assert rules(story) == {"event-unsent"}


def test_receipt_that_claims_somebody(rules):
    story = busy()
    story.send("a1", 3, user="nobody", nodes=1)
    story.settle()
    assert rules(story) == {"receipt-claims"}


def test_receipt_that_claims_more_connections_here(rules):
    story = busy()
    story.send("a1", 3, local=2, nodes=1)
    story.arrive("b1", "a1", 3)
    story.arrive("b2", "a1", 3)
    story.settle()
    assert rules(story) == {"receipt-claims"}


@pytest.mark.parametrize("local, nodes", [(0, 1), (1, 0), (0, 0)])
def test_complete_receipt_that_misses_somebody(rules, local, nodes):
    story = busy()
    story.send("a1", 3, local=local, nodes=nodes)
    story.arrive("b1", "a1", 3)
    story.arrive("b2", "a1", 3)
    story.settle()
    assert rules(story) == {"receipt-misses"}


def test_two_receipts(rules):
    story = busy()
    story.receipt("a1", 2, local=1, nodes=1)
    story.settle()
    assert rules(story) == {"one-receipt"}


def test_no_receipt(rules):
    story = busy()
    story.client("send", "a1", n=3, user="nobody")
    story.settle()
    assert rules(story) == {"one-receipt"}


# ------------------------------------------------------------ nodes and connections


def test_claimed_without_a_fault(rules):
    """An election costs no node (LC-7)."""
    story = busy()
    story.fault("step-down", "shard1")
    story.at += 10
    story.add("nodes", e="reaping", name="node-2", node=C)
    story.cut("b2")
    story.say("clientOffline", user="bob", client="desk", node=B)
    story.settle()
    assert rules(story) == {"node-without-cause"}


@pytest.mark.parametrize("late, found", [(0.1, set()), (2, {"node-without-cause"})])
def test_killed_right_after_its_start(rules, late, found):
    """What a node wrote before it was killed is read a moment later, and the kill excuses it no less; a node that
    began well after the kill is another process."""
    story = busy()
    kill = story.fault("kill", "node-4", seconds=20)
    story.add("nodes", name="node-4", e="serves", node="DDDDDDDDDDDDDDDD", at=kill["at"] + late)
    story.at += 10
    story.add("nodes", name="node-3", e="reaping", node="DDDDDDDDDDDDDDDD")
    story.settle()
    assert rules(story) == found


def test_isolated_for_an_outage_of_the_registry(rules):
    story = busy()
    story.fault("router-kill", "router0", seconds=40)
    story.at += 30
    story.tell("node-3", e="over", reason="silent")
    story.cut("b2")
    story.say("clientOffline", user="bob", client="desk", node=B)
    story.settle()
    assert rules(story) == set()


def test_connection_cut_without_a_fault(rules):
    story = busy()
    story.fault("pause", "node-2")  # of another node
    story.cut("b2")
    story.say("clientOffline", user="bob", client="desk", node=C)
    story.settle()
    assert rules(story) == {"connection-without-cause"}


def test_node_that_crashed(rules):
    story = busy()
    story.tell("node-3", e="exit", status=-6)
    story.cut("b2")
    story.say("clientOffline", user="bob", client="desk", node=B)
    story.settle()
    assert "node-crashed" in rules(story)


def test_drain_that_failed(rules):
    story = busy()
    begin = story.fault("drain", "node-3")
    next(line for line in story.files["faults"] if line["phase"] == "end")["status"] = 1
    story.at = begin["at"]
    story.cut("b2")
    story.say("clientOffline", user="bob", client="desk", node=B)
    story.settle()
    assert rules(story) == {"node-crashed"}


# ------------------------------------------------------------ the program


def run(folder):
    return subprocess.run(
        [SCRIPTS / "check-history", folder], check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def test_program(tmp_path):
    story = busy()
    broken = copy.deepcopy(story)
    story.settle()
    done = run(story.write(tmp_path / "clean"))
    assert done.returncode == 0 and done.stdout.endswith("verdict: clean\n"), done
    broken.arrive("b2", "a1", 2)
    broken.settle()
    done = run(broken.write(tmp_path / "broken"))
    assert done.returncode == 1, done
    assert "VIOLATION at-most-once" in done.stdout and "clients-0.jsonl:" in done.stdout
    assert done.stdout.endswith("verdict: 1 violations (1 x at-most-once)\n")


def test_no_history(tmp_path):
    assert run(tmp_path / "nowhere").returncode == 2
    story = busy()  # the run did not come to its end
    assert run(story.write(tmp_path / "half")).returncode == 2
    assert run("--help").returncode == 0
