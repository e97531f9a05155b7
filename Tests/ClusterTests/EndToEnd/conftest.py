"""Fixtures of the end-to-end tests. Every one ends what it started, also when the test fails."""

import pytest
from processes import Mongo, Nginx, Nodes


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
