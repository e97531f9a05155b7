"""Autobahn's WebSocket test suite, case by case, against the bare echo of the conformance server: its own definitions,
with a client of ours (autobahn_cases.py, autobahn_peer.py). All cases of sections 1 to 7, 9 and 10; of 12 and 13,
compression, all parameters and sizes with fewer repetitions, unless AUTOBAHN_FULL is set."""

import asyncio
import os

import autobahn_cases
import pytest
from autobahn_peer import play
from processes import Nodes

# Bytes that one case of sections 12 and 13 sends, at most; the originals send a thousand messages of each size.
VOLUME = 512 * 1024

FINE = {"OK", "INFORMATIONAL"}
# Refused behind the frame instead of within it: the suite calls that not strict, and passes it.
LATE = {"6.4.3", "6.4.4"}


@pytest.fixture(scope="module")
def cases():
    return autobahn_cases.load()


@pytest.fixture(scope="module")
def echo(tmp_path_factory):
    nodes = Nodes(tmp_path_factory.mktemp("autobahn"))
    options = ["--loops", "2", "--max-payload", str(16 << 20), "--max-fragments", "100000", "--compress-messages"]
    try:
        (node,) = nodes.start(1, options=options)
        yield node
        assert node.is_running, node.log()[-4000:]
    finally:
        nodes.end()


def check(echo, cases, sections, at_once=16):
    chosen = {number: case for number, case in cases.items() if number.split(".")[0] in sections}
    results = asyncio.run(play(echo.port, chosen, at_once))
    failures = []
    for number, (behaviour, close, said) in results.items():
        allowed = FINE | {"NON-STRICT"} if number in LATE else FINE
        if behaviour not in allowed or close not in FINE:
            failures.append(f"{number}: {behaviour}, {close}: {said}")
    assert not failures, "\n".join(failures)
    return len(results)


@pytest.mark.parametrize(
    ("sections", "count"), [("1", 16), ("2", 11), ("3", 7), ("4", 10), ("5", 20), ("6", 145), ("7", 37)]
)
def test_framing_utf8_and_close(echo, cases, sections, count):
    assert check(echo, cases, [sections]) == count


def test_limits(echo, cases):
    assert check(echo, cases, ["9"], at_once=4) == 54


def test_fragmentation(echo, cases):
    assert check(echo, cases, ["10"]) == 1


@pytest.mark.parametrize(("section", "count"), [("12", 90), ("13", 126)])
def test_compression(echo, cases, section, count):
    if not os.environ.get("AUTOBAHN_FULL"):
        for number, case in cases.items():
            if number.split(".")[0] == section:
                case.COUNT = max(2, min(case.COUNT, VOLUME // case.LEN))
    assert check(echo, cases, [section], at_once=4) == count
