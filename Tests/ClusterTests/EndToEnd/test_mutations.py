"""AC-12: requests that are wrong in every way, each with one answer, and the node's memory where it was behind them.
The long run is scripts/mutate.sh."""

import pytest
from memory import settled
from mutations import run_http, run_socket
from processes import Example
from raw import conformance_server

MiB = 1 << 20


@pytest.fixture
def node(request, tmp_path):
    if request.getfixturevalue("run") is run_http:
        with conformance_server(tmp_path, 2) as node:
            yield node
    else:
        with Example(tmp_path, "ActionsApplication", {"SUBMERGENCE_RATES": "off"}) as node:
            yield node


@pytest.mark.parametrize("run", [run_http, run_socket])
def test_one_answer_for_each(run, node):
    run(node, 300, seed=1)
    base = settled(node.process.pid)
    run(node, 1_000, seed=2)
    assert node.process.poll() is None
    assert settled(node.process.pid, base + 32 * MiB) - base < 32 * MiB
