"""Fixtures of the end-to-end tests. Every one ends what it started, also when the test fails."""

import os
import pathlib

import pytest
from browsers import Cluster
from processes import Mongo, Nginx, Nodes
from raw import SUITE, conformance_server

# The MongoDB driver shares its counters in a file that is named by process ID, and which a killed node leaves. Who gets
# that ID later would be warned of it, on standard error.
os.environ["MONGOC_DISABLE_SHM"] = "1"

# Files whose tests mostly wait for pages.
BROWSERS = ("test_browser", "test_dashboard", "test_demo", "test_flask")

LOOPS = {"1": "one-loop", "4": "four-loops"}


def pytest_addoption(parser):
    group = parser.getgroup("submergence", "the server of the conformance tests")
    group.addoption("--through", choices=["direct", "nginx", "both"], default="both", help="how it is reached")
    group.addoption("--loops", default="1,4", help="event loops: a number, or several with commas; default 1,4")
    group.addoption("--polling-seconds", type=int, default=30, help="how long test_polling.py polls; default 30")


def pytest_configure(config):
    config.addinivalue_line("markers", "through_nginx: talks to the server directly, and again through nginx")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """For `-n 2 --dist loadscope`: the tests of a file share what its fixtures start, and so run one after the other in
    one process. Browsers keep a core busy by themselves: one at a time."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = pathlib.PurePath(nodeid.split("::")[0]).stem
            return "browsers" if file.startswith(BROWSERS) else file

    return ByFile(config, log)


def pytest_generate_tests(metafunc):
    """Tests with `server` or `suite` run on one event loop and on four, where a request may land on another loop than
    its session; those that are marked so, once more behind nginx."""
    if "served" not in metafunc.fixturenames:
        return
    wanted = metafunc.config.getoption("--through")
    ways = ["direct"]
    if metafunc.definition.get_closest_marker("through_nginx"):
        ways.append("nginx")
    served = [
        pytest.param((way, loops), id=f"{way}-{LOOPS.get(loops, loops + '-loops')}")
        for way in ways
        for loops in metafunc.config.getoption("--loops").split(",")
        if wanted in (way, "both")
    ]
    metafunc.parametrize("served", served, indirect=True, scope="module")


@pytest.fixture(scope="module")
def served(request):
    """How the server is reached, and how many event loops it has."""
    return request.param


@pytest.fixture(scope="module")
def server(served, tmp_path_factory):
    """With a patient heartbeat, for everything that is not about it."""
    through, loops = served
    with conformance_server(tmp_path_factory.mktemp("server"), loops, through=through) as node:
        yield node


@pytest.fixture(scope="module")
def suite(served, tmp_path_factory):
    """With the short heartbeat of the official suites."""
    through, loops = served
    with conformance_server(tmp_path_factory.mktemp("suite"), loops, SUITE, through) as node:
        yield node


@pytest.fixture(scope="module")
def mongo():
    """A two-shard cluster, shared by the tests of one file."""
    cluster = Mongo(shards=2, replicas=1)
    yield cluster
    cluster.down()


@pytest.fixture(scope="module")
def replicated_mongo():
    """A two-shard cluster with three members a shard: it survives the loss of a primary."""
    cluster = Mongo(shards=2, replicas=3)
    yield cluster
    cluster.down()


@pytest.fixture(scope="module")
def cluster(mongo, tmp_path_factory):
    """Two nodes of Examples/Duet on two shards behind an nginx that pins by port, shared by the tests of one file."""
    started = Cluster(tmp_path_factory.mktemp("cluster"), mongo)
    yield started
    started.end()


@pytest.fixture
def nodes(tmp_path):
    """Starts node processes: nodes.start(3, mongo=mongo)."""
    started = Nodes(tmp_path)
    yield started
    started.end()


@pytest.fixture
def nginx(tmp_path):
    """Starts an nginx in front of nodes: nginx(nodes)."""
    started = []

    def start(nodes):
        started.append(Nginx(tmp_path, nodes))
        return started[-1]

    yield start
    for proxy in started:
        proxy.end()
