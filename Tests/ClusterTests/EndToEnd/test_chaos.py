"""A short chaos run (scripts/chaos.sh): faults of nodes and MongoDB while clients come and go, and a clean history."""

import select
import socket
import socketserver
import subprocess
import sys
import threading

import pytest
from processes import SCRIPTS

sys.path.insert(0, str(SCRIPTS / "chaos"))

from schedule import ALL_FAULTS, DATABASE_FAULTS, NODE_FAULTS, schedule  # noqa: E402
from station import Relays  # noqa: E402

# Two minutes with few users: killed and paused nodes, elections, members, routers and config servers that die and come
# back. Nothing here is timed: the run waits for conditions, and the checker concludes from what was seen.
SHORT = ["--minutes", "2", "--users", "20", "--rate", "15", "--seed", "6"]
FAULTS = ["kill", "pause", "step-down", "shard-kill", "router-kill", "config-kill"]


def test_short_run():
    done = subprocess.run(
        [sys.executable, "-B", SCRIPTS / "chaos/run.py", *SHORT, "--faults", ",".join(FAULTS)],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "seed 6\n" in done.stdout and "verdict: clean\n" in done.stdout
    for fault in FAULTS:
        assert f"x {fault}" in done.stdout, done.stdout


def test_wrong_arguments():
    run = [sys.executable, "-B", SCRIPTS / "chaos/run.py", "--faults", "earthquake"]
    done = subprocess.run(run, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2 and "no such fault: earthquake" in done.stderr


def test_seed_decides_the_schedule():
    def planned(seed, wanted=ALL_FAULTS):
        return [[str(fault) for fault in lane] for lane in schedule(seed, 600, wanted)]

    assert planned(7) == planned(7) != planned(8)
    nodes, database = schedule(7, 600, ALL_FAULTS)
    assert {fault.kind for fault in nodes} == set(NODE_FAULTS)
    assert {fault.kind for fault in database} == set(DATABASE_FAULTS)
    assert all(one.at + one.seconds < other.at for lane in (nodes, database) for one, other in zip(lane, lane[1:]))
    assert planned(7, ["kill"])[1] == [] and {fault.kind for fault in schedule(7, 600, ["kill"])[0]} == {"kill"}


class Echo(socketserver.ThreadingTCPServer):
    """Sends back what comes."""

    daemon_threads = True

    class RequestHandlerClass(socketserver.BaseRequestHandler):
        def handle(self):
            while data := self.request.recv(1024):
                self.request.sendall(data)

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.RequestHandlerClass)


def test_relay_passes_hangs_and_cuts():
    """The way of one node can be closed, in both manners, and opened again; the other's is left alone."""
    with Echo() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        relays = Relays(2, server.server_address[1])
        try:

            def dial(number=0):
                connection = socket.create_connection(("127.0.0.1", relays.ports[number]))
                connection.settimeout(20)
                return connection

            def ask(connection, text):
                connection.sendall(text)
                return connection.recv(100)

            with dial() as near, dial(1) as other:
                assert ask(near, b"one") == b"one" and ask(other, b"one") == b"one"
                relays.set(0, "hang")
                near.sendall(b"two")
                with dial() as late:
                    late.sendall(b"three")
                    assert ask(other, b"two") == b"two"
                    # Nothing has come through, nobody was told; once the way is open it all comes.
                    assert select.select([near, late], [], [], 0)[0] == []
                    relays.set(0, "pass")
                    assert near.recv(100) == b"two" and late.recv(100) == b"three"
                relays.set(0, "cut")
                with pytest.raises(ConnectionError):
                    near.recv(100)
                with pytest.raises(ConnectionError), dial() as late:
                    ask(late, b"four")
                assert ask(other, b"four") == b"four"
                relays.set(0, "pass")
                with dial() as again:
                    assert ask(again, b"five") == b"five"
        finally:
            relays.end()
            server.shutdown()
