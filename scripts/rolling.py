#!/usr/bin/env python3
"""A rolling restart under load (SPEC ND-12, ND-15).

Drives the nodes with `submergence load deliver --recover --roam`, and restarts one after the other: SIGTERM, wait for
its end, start it again under the same name and on the same ports, wait until everybody is back. Reports what the load
client counted, the users that were announced off line and on line again meanwhile, and how many new sockets each node
took in its fastest second.

Run it with scripts/rolling-restart.sh, which builds a release and has the Python packages.
"""

import argparse
import collections
import json
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Tests/ClusterTests/EndToEnd"))

from people import PATIENT  # noqa: E402
from processes import Mongo, Nodes, executable  # noqa: E402

OPENED = "submergence_engine_sessions_opened_total"
REFUSED = 'submergence_limits_hit_total{limit="accept_rate"}'
CONNECTIONS = "submergence_live_connections"
RETURNS = "submergence_recovery_connections_total"
INTERVAL = 0.25
PATIENCE = 60
# Events are sent until the last node is back, and no longer than this, seconds.
LONGEST = 3600


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=3, help="nodes (3)")
    parser.add_argument("--connections", type=int, default=6000, help="clients, each a user of its own (6000)")
    parser.add_argument("--rate", type=float, default=0.1, help="events a second for each of them (0.1)")
    parser.add_argument("--publishers", type=int, default=6, help="connections that publish (6)")
    parser.add_argument("--accept-rate", type=int, default=500, help="new sockets a second that a node takes (500)")
    parser.add_argument("--recovery", type=int, default=120, help="window of connection state recovery, seconds (120)")
    parser.add_argument("--presence-grace", type=int, default=30, help="presence grace, if the build has it (30)")
    parser.add_argument("--max-drain", type=int, default=180, help="seconds that a drain may take (180)")
    parser.add_argument("--pause", type=float, default=3, help="between two restarts, seconds (3)")
    parser.add_argument("--shards", type=int, default=2, help="shards (2)")
    parser.add_argument("--replicas", type=int, default=1, help="members of each shard (1)")
    parser.add_argument("--url", action="append", default=[], help="a node that is there; with --control and --restart")
    parser.add_argument("--control", action="append", default=[], help="its control listener, in the same order")
    parser.add_argument("--restart", help="command that restarts node {n}, and returns when it is ready")
    parser.add_argument("--presence-log", action="append", default=[], help="a file that nodes append presence to")
    options = parser.parse_args()
    if options.url and not (options.restart and len(options.control) == len(options.url)):
        parser.error("--url needs --restart, and one --control for each")
    return options


def has_flag(name):
    text = subprocess.run([executable(), "conformance", "--help"], check=True, capture_output=True, text=True).stdout
    return name in text


class OwnNodes:
    """Nodes that this script has started."""

    def __init__(self, options, mongo, folder):
        flags = [*PATIENT, "--recovery", str(options.recovery), "--accept-rate", str(options.accept_rate)]
        # Which conformance mode has off, as all limits.
        flags += ["--connect-target", "1", "--max-drain", str(options.max_drain)]
        self._longest_stop = options.max_drain + 60
        if options.has_grace:
            flags += ["--presence-grace", str(options.presence_grace)]
        self._nodes = Nodes(folder)
        self._all = self._nodes.start(options.nodes, mongo=mongo, options=flags)
        self.urls = [node.url for node in self._all]
        self.controls = [f"http://127.0.0.1:{node.control_port}" for node in self._all]
        self.names = [node.name for node in self._all]

    def restart(self, number):
        """How it went wrong; nothing if it did not."""
        node = self._all[number]
        status = node.stop(self._longest_stop)
        node.start()
        node.wait_until_ready()
        return [] if status == 0 else [f"{node.name} ended with status {status}"]

    def presence(self):
        return [line for node in self._all for line in node.presence()]

    def end(self):
        self._nodes.end()


class GivenNodes:
    """Nodes that somebody else has started."""

    def __init__(self, options):
        self.urls = options.url
        self.controls = options.control
        self.names = options.url
        self._restart = options.restart
        self._logs = [pathlib.Path(path) for path in options.presence_log]

    def restart(self, number):
        command = self._restart.replace("{n}", str(number + 1))
        status = subprocess.run(["/bin/sh", "-c", command], check=False).returncode
        return [] if status == 0 else [f"{shlex.quote(command)} ended with status {status}"]

    def presence(self):
        return [json.loads(line) for path in self._logs for line in path.read_text(encoding="utf8").splitlines()]

    def end(self):
        pass


class Watch:
    """Looks at what every node counts, four times a second."""

    def __init__(self, controls):
        self._controls = controls
        self._samples = [[] for _ in controls]
        self._refused = [0.0] * len(controls)
        self._last = [0.0] * len(controls)
        self._connections = [0.0] * len(controls)
        self._returns = [{} for _ in controls]
        self.returns = collections.Counter()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.wait(INTERVAL):
            for number, control in enumerate(self._controls):
                try:
                    with urllib.request.urlopen(f"{control}/metrics", timeout=2) as answer:
                        text = answer.read().decode()
                except OSError:
                    self._samples[number].append((time.monotonic(), None))
                    self._last[number] = 0.0
                    self._connections[number] = 0.0
                    self._returns[number] = {}
                    continue
                returns = re.findall(rf'^{RETURNS}\{{outcome="(\w+)"\}} (\S+)$', text, re.M)
                for outcome, value in returns:
                    self.returns[outcome] += max(float(value) - self._returns[number].get(outcome, 0), 0)
                self._returns[number] = {outcome: float(value) for outcome, value in returns}
                live = re.search(rf"^{CONNECTIONS} (\S+)$", text, re.M)
                self._connections[number] = float(live[1]) if live else 0.0
                opened = sum(float(value) for value in re.findall(rf"^{OPENED}\{{[^}}]*\}} (\S+)$", text, re.M))
                self._samples[number].append((time.monotonic(), opened))
                refused = sum(float(value) for value in re.findall(rf"^{re.escape(REFUSED)} (\S+)$", text, re.M))
                self._refused[number] += max(refused - self._last[number], 0)
                self._last[number] = refused

    def connections(self):
        """Live connections of all nodes together."""
        return sum(self._connections)

    def wait_for(self, count):
        """Until so many connections are live again; false if a minute was not enough. Whoever restarts the next node
        before that sends some clients away twice."""
        deadline = time.monotonic() + PATIENCE
        while self.connections() < count:
            if time.monotonic() > deadline:
                return False
            time.sleep(INTERVAL)
        return True

    def peak(self, number, since):
        """New sockets in the fastest second, over windows of a second and a little: (a second's worth, in a window, its
        length)."""
        best = (0.0, 0.0, 1.0)
        samples = [sample for sample in self._samples[number] if sample[0] >= since]
        start = 0
        for end, (time_end, opened) in enumerate(samples):
            if opened is None:
                start = end + 1
                continue
            while start < end and (samples[start][1] > opened or time_end - samples[start + 1][0] >= 1):
                start += 1
            length = time_end - samples[start][0]
            if length >= 1:
                count = opened - samples[start][1]
                best = max(best, (count / length, count, length))
        return best

    def refused(self, number):
        return self._refused[number]


def flaps(lines):
    """Pairs of off line and on line of one user or client, each counted once, whichever node announced it."""
    by_subject = {}
    for line in lines:
        subject = (line["user"], line.get("client"))
        by_subject.setdefault(subject, {})[line["seq"]] = line["t"]
    count = 0
    for changes in by_subject.values():
        was_offline = False
        for _, change in sorted(changes.items()):
            if change.endswith("Online"):
                count += was_offline
            was_offline = change.endswith("Offline")
    return count


def judge(options, report, pairs, peaks, broken):
    delivery, recovery = report["delivery"], report["recovery"]
    lost = {name: delivery[name] for name in ("lost", "duplicated", "reordered", "missedAtRecovered")}
    forgotten = recovery["notRecovered"] - recovery["notRecoveredWithoutOffset"]
    print(
        f"events: {delivery['published']} published, {delivery['received']} received, {delivery['replayed']} replayed,"
    )
    print("        " + ", ".join(f"{name} {count}" for name, count in lost.items()))
    print(f"clients: {recovery['recovered']} returns recovered, {recovery['notRecovered']} not", end="")
    print(f" ({recovery['notRecoveredWithoutOffset']} of them had no event yet), away at the end ", end="")
    print(report["connections"]["awayAtEnd"])
    for reason, count in sorted(report["connections"]["failures"].items(), key=lambda item: -item[1]):
        print(f"        {count} connects failed: {reason}")
    print(f"presence: {pairs} off line and on line again", end="")
    print("" if options.has_grace else " (this build has no --presence-grace: not judged)")
    broken += [f"{count} events {name}" for name, count in lost.items() if count]
    if forgotten:
        broken.append(f"{forgotten} returns were not recovered")
    if report["connections"]["awayAtEnd"]:
        broken.append(f"{report['connections']['awayAtEnd']} clients did not come back")
    if pairs and options.has_grace:
        broken.append(f"{pairs} users or clients were announced off line and on line again")
    burst = max(options.accept_rate // 10, 10)
    for name, (second, count, length), refused in peaks:
        print(f"{name}: {second:.0f} new sockets in its fastest second of {options.accept_rate}, {refused:.0f} refused")
        if count > options.accept_rate * length + burst:
            broken.append(f"{name} took {count:.0f} new sockets in {length:.2f} s")


def run(options, nodes, folder):
    broken = []
    file = pathlib.Path(folder) / "load.json"
    command = [executable(), "load", "deliver", "--recover", "--roam", "--json", str(file), "--settle", "60"]
    for url in nodes.urls:
        command += ["--url", url]
    for name in ("connections", "rate", "publishers"):
        command += [f"--{name}", f"{getattr(options, name):g}"]
    # Every client comes back for itself, as in life: none waits until others have.
    command += ["--concurrency", f"{options.connections}"]
    # A node that refuses is asked again: the ramp takes as long as the nodes need for it.
    command += ["--duration", f"{LONGEST:g}", "--ramp-timeout", "300"]
    with Watch(nodes.controls) as watch:
        load = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            time.sleep(options.connections / options.accept_rate / len(nodes.urls) + 5)
            watch.wait_for(options.connections)
            since = time.monotonic()
            everybody = watch.connections()
            for number, name in enumerate(nodes.names):
                began = time.monotonic()
                broken += nodes.restart(number)
                print(f"restarted {name} in {time.monotonic() - began:.1f} s", flush=True)
                if not watch.wait_for(everybody):
                    broken.append(f"a minute after {name} was restarted its clients are not all back")
                print(f"everybody is back {time.monotonic() - began:.1f} s after it was told to go", flush=True)
                time.sleep(options.pause)
            load.send_signal(signal.SIGINT)
            load.wait()
        finally:
            if load.poll() is None:
                load.kill()
                load.wait()
    if not file.exists():
        broken.append(f"the load ended with status {load.returncode}, without a report")
        return broken
    report = json.loads(file.read_text(encoding="utf8"))
    peaks = [(name, watch.peak(number, since), watch.refused(number)) for number, name in enumerate(nodes.names)]
    judge(options, report, flaps(nodes.presence()), peaks, broken)
    print("the nodes on returns: " + ", ".join(f"{count:g} {outcome}" for outcome, count in watch.returns.items()))
    return broken


def main():
    options = parse_arguments()
    options.has_grace = has_flag("--presence-grace")
    count = len(options.url) or options.nodes
    print(f"{options.connections} clients, {options.rate:g} events/s each; {count} nodes", flush=True)
    with tempfile.TemporaryDirectory(prefix="submergence-rolling-") as folder:
        if options.url:
            broken = run(options, GivenNodes(options), folder)
        else:
            mongo = Mongo(shards=options.shards, replicas=options.replicas)
            try:
                nodes = OwnNodes(options, mongo, folder)
                try:
                    broken = run(options, nodes, folder)
                finally:
                    nodes.end()
            finally:
                mongo.down()
    for what in broken:
        print(f"BROKEN: {what}")
    print("held" if not broken else f"{len(broken)} promises broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
