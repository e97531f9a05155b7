"""Where an event went (`submergence why`): every hop of a traced event, over two nodes."""

import asyncio
import datetime
import json
import subprocess

import pymongo
import pytest
import requests
from people import PATIENT, LeanTab
from processes import executable, wait_for

EXPIRED = 66


def why(mongo, event, *options):
    command = [executable(), "why", event, "--mongodb", mongo.uri, *options]
    return subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


def steps(mongo, event, last):
    """What is told of the event, once that many steps of the kind `last` are there: nodes write behind the event."""
    kind, count = last

    def told():
        done = why(mongo, event, "--json")
        if done.returncode == EXPIRED:
            return None
        assert done.returncode == 0, done.stderr
        found = [json.loads(line) for line in done.stdout.splitlines()]
        return found if sum(step["step"] == kind for step in found) >= count else None

    return wait_for(f"{count} {kind} of {event}", told)


class Sender(LeanTab):
    async def publish(self, user, payload, options=None, seconds=30):
        self._count += 1
        answer = self._receipts[self._count] = asyncio.get_running_loop().create_future()
        await self._socket.send_str(f"42{self._count}" + json.dumps(["pub", user, payload, options or {}]))
        return await asyncio.wait_for(answer, seconds)


@pytest.mark.parametrize("confirm", [False, True])
def test_two_nodes(mongo, nodes, confirm):
    first, second = nodes.start(2, mongo=mongo, options=PATIENT)
    # Who is not in the directory yet is told by its ID.
    wait_for("the second node to know the first", lambda: second.metric("submergence_cluster_nodes") == 2)

    async def send():
        async with (
            Sender(first.url, "sender") as sender,
            LeanTab(first.url, "alice", "laptop") as near,
            LeanTab(second.url, "alice", "phone") as far,
            LeanTab(second.url, "alice", "phone") as farther,
        ):
            receipt = await sender.publish("alice", "hello", {"trace": True, "confirm": confirm})
            untraced = await sender.publish("alice", "again")
            for tab in (near, far, farther):
                await tab.until(lambda tab: {"hello", "again"} <= tab.texts)
            return receipt, untraced

    receipt, untraced = asyncio.run(send())
    assert receipt["didReceive"] and receipt["isComplete"]
    assert "event" not in untraced
    found = steps(mongo, receipt["event"], ("delivered", 2))
    told = {(step["node"], step["step"]): step for step in found}
    assert found[0]["step"] == "accepted"
    for name in (first.name, second.name):
        times = [step["time"] for step in found if step["node"] == name]
        assert times == sorted(times)
    here, there = first.name, second.name
    assert set(told) == {
        (here, "accepted"),
        (here, "routes"),
        (here, "stored"),
        (here, "delivered"),
        (there, "read"),
        (there, "delivered"),
    }
    assert told[here, "accepted"]["details"]["to"] == "localhost/alice"
    assert told[here, "routes"]["details"] == {"connections": "3", "nodes": there}
    assert told[here, "stored"]["details"]["for"] == there
    assert told[here, "stored"]["details"]["home"].startswith("shard")
    assert told[there, "read"]["details"] == {"from": here}
    assert told[here, "delivered"]["details"] == {"client": "laptop", "written": "1", "pending": "0"}
    assert told[there, "delivered"]["details"] == {"client": "phone", "written": "2", "pending": "0"}

    text = why(mongo, receipt["event"])
    assert text.returncode == 0
    lines = text.stdout.splitlines()
    assert len(lines) == len(found) and "accepted for localhost/alice" in lines[0]
    assert any(there in line and "written to 2 sockets of phone" in line for line in lines), text.stdout


PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"
TRACE, CALLER = PARENT.split("-")[1:]


def lines(node, message):
    """Lines of its log that have this message and belong to the trace."""
    found = [json.loads(line) for line in node.log().split("\n")[:-1] if line.startswith("{")]
    return [line for line in found if line["message"] == message and line.get("trace_id") == TRACE]


def test_a_trace_of_the_applications(mongo, nodes):
    """W3C Trace Context, from a request to the control API of one node to the log of another one."""
    first, second = nodes.start(2, mongo=mongo, options=[*PATIENT, "--log-format", "json"])
    wait_for("the nodes to know each other", lambda: second.metric("submergence_cluster_nodes") == 2)

    def ask(path, body, **fields):
        address = f"http://127.0.0.1:{first.control_port}/v1/{path}"
        answer = requests.post(address, json=body, headers=fields, timeout=30)
        assert answer.status_code == 200
        return answer.json()

    async def send():
        async with LeanTab(second.url, "alice", "phone") as tab:
            event = {"user": "alice", "event": ["msg", "traced"]}
            sent = await asyncio.to_thread(ask, "event", event, traceparent=f"{PARENT}-01", tracestate="a=1")
            more = {"events": [event, event]}
            many = await asyncio.to_thread(ask, "events", more, traceparent=f"{PARENT}-01")
            # A trace that its caller does not record, one that is none, none at all: nothing is written down.
            for fields in ({"traceparent": f"{PARENT}-00"}, {"traceparent": f"ff{PARENT[2:]}-01"}, {}):
                last = {"user": "alice", "event": ["msg", f"not traced {fields}"]}
                untraced = await asyncio.to_thread(ask, "event", last, **fields)
                assert "event" not in untraced["receipts"][0]["receipt"]
                await tab.until(lambda tab, text=last["event"][1]: text in tab.texts)
            answers = [sent, *many["events"]]
            return [answer["receipts"][0]["receipt"]["event"] for answer in answers]

    events = asyncio.run(send())
    found = steps(mongo, events[0], ("delivered", 1))
    assert {(step["node"], step["step"]) for step in found} >= {(first.name, "parent"), (second.name, "delivered")}
    (told,) = [step for step in found if step["step"] == "parent"]
    assert told["details"] == {"traceparent": f"{PARENT}-01"}
    text = why(mongo, events[0]).stdout
    assert f"in the trace {PARENT}-01" in text

    asked = lines(first, "action")
    assert [line["action"] for line in asked] == ["POST /v1/event", "POST /v1/events", "POST /v1/event"]
    assert {line["parent_span_id"] for line in asked} == {CALLER}
    assert [line["trace_flags"] for line in asked] == ["01", "01", "00"]
    spans = [line["span_id"] for line in asked]
    assert len({CALLER, *spans}) == 4 and lines(first, "event delivered") == []
    wait_for("three deliveries", lambda: len(lines(second, "event delivered")) == 3)
    delivered = lines(second, "event delivered")
    assert [line["event"] for line in delivered] == events
    assert [line["parent_span_id"] for line in delivered] == [spans[0], spans[1], spans[1]]
    assert len({CALLER, *spans, *(line["span_id"] for line in delivered)}) == 7
    assert {(line["written"], line["pending"]) for line in delivered} == {("1", "0")}


def test_nobody_and_recovery(mongo, nodes):
    """What is not delivered is told, too: nobody is there; somebody may come back."""
    (node,) = nodes.start(1, mongo=mongo, options=[*PATIENT, "--recovery", "60"])

    async def send():
        async with Sender(node.url, "sender") as sender, LeanTab(node.url, "bob"):
            absent = await sender.publish("nobody", "hello", {"trace": True})
            return absent, await sender.publish("bob", "hello", {"trace": True})

    absent, present = asyncio.run(send())
    assert not absent["didReceive"]
    found = steps(mongo, absent["event"], ("routes", 1))
    assert [step["step"] for step in found] == ["accepted", "routes"]
    assert found[1]["details"]["connections"] == "0"
    kinds = [step["step"] for step in steps(mongo, present["event"], ("delivered", 1))]
    assert kinds[0] == "accepted" and set(kinds) >= {"logged", "routes", "delivered"}


def test_rate_and_expiry(mongo, nodes):
    """`--trace 1` names every event in its receipt; a trace goes after `--trace-keep`."""
    (node,) = nodes.start(1, mongo=mongo, options=[*PATIENT, "--trace", "1", "--trace-keep", "60"])

    async def send():
        async with Sender(node.url, "sender") as sender:
            return await sender.publish("sender", "hello")

    event = asyncio.run(send())["event"]
    found = steps(mongo, event, ("delivered", 1))
    with pymongo.MongoClient(mongo.uri) as client:
        traces = client["submergence"]["Traces"]
        kept = traces.find_one({"_id": event})
        assert kept["x"].replace(tzinfo=datetime.timezone.utc).timestamp() == found[-1]["time"] / 1000 + 60
        (index,) = [index for index in traces.list_indexes() if "expireAfterSeconds" in index]
        assert dict(index["key"]) == {"x": 1}
        traces.delete_one({"_id": event})
    done = why(mongo, event)
    assert done.returncode == EXPIRED and "expired" in done.stderr
    assert node.metric("submergence_trace_steps_total") >= len(found)
    assert node.metric("submergence_trace_steps_dropped_total") == 0


def test_wrong_calls(mongo):
    assert why(mongo, "no-such-event").returncode == EXPIRED
    lost = subprocess.run(
        [executable(), "why", "A" * 22, "--mongodb", "mongodb://127.0.0.1:1/?directConnection=false"],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert lost.returncode == 69, lost.stderr
    without = subprocess.run([executable(), "why", "A" * 22], check=False, capture_output=True, text=True)
    assert without.returncode == 64 and "--mongodb" in without.stderr
    told = subprocess.run([executable(), "why", "--help"], check=True, capture_output=True, text=True).stdout
    assert "EXAMPLE" in told and "submergence why " in told
