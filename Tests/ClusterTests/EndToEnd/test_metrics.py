"""The control listener: health, and metrics that the operations page names, all of them (OP-2)."""

import asyncio
import re

from people import PATIENT, Tab
from processes import PROJECT

PAGE = PROJECT / "docs/operations.md"


def documented():
    """The names in the first column of the page's table."""
    lines = PAGE.read_text(encoding="utf8").split("\n")
    return {
        name
        for line in lines
        if line.startswith("| `submergence_")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }


def in_sources():
    """The names that the sources have, whole, or as the prefix and the rest."""
    found = set()
    for path in (PROJECT / "Sources").rglob("*.swift"):
        text = path.read_text(encoding="utf8")
        found |= set(re.findall(r"\bsubmergence_\w+", text))
        prefix = re.search(r'prefix = "(submergence_\w+_)"', text)
        if prefix:
            found |= {prefix.group(1) + rest for rest in re.findall(r'"([a-z_]+)"', text)}
    return found


def exposed(text):
    """Metric names as the text form declares them, and its values by name."""
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    values = {}
    for name, value in re.findall(r"^([a-zA-Z_:][\w:]*)(?:\{[^}]*\})? (\S+)", text, re.MULTILINE):
        values[name] = values.get(name, 0) + float(value)
    return kinds, values


def test_metrics_are_documented(mongo, nodes):
    two = nodes.start(2, mongo=mongo, options=PATIENT)

    async def scenario():
        async with Tab(two[0].url, "alice") as alice, Tab(two[1].url, "bob") as bob:
            for number in range(10):
                await bob.publish("alice", number)
            await alice.until(lambda tab: len(tab.messages()) == 10)

    asyncio.run(scenario())
    kinds, values = exposed(two[0].control("/metrics"))
    ours = {name for name in kinds if name.startswith("submergence_")}
    assert ours, "no metrics"
    assert ours <= documented(), f"not in docs/operations.md: {sorted(ours - documented())}"
    assert values["submergence_bus_messages_in_total"] >= 10
    assert values["submergence_bus_gaps_total"] == 0


def test_documented_metrics_exist():
    assert documented() <= in_sources(), f"only in docs/operations.md: {sorted(documented() - in_sources())}"


def test_health(mongo, nodes):
    (node,) = nodes.start(1, mongo=mongo)
    assert node.control_status("/.well-known/submergence/live") == 200
    assert node.control_status("/.well-known/submergence/ready") == 200
    assert node.control_status("/elsewhere") == 404
