#!/usr/bin/env python3
"""Measures a node against two controls in the same run, one core for the server and another for the clients.

The controls are python-socketio under uvicorn with uvloop (Benchmarks/peers), between two nodes one MongoDB document
for each event with pymongo (the same folder), and an echo of bare SwiftNIO (Benchmarks/Sources/BareEcho), which tells
what this machine gives at this minute. Every round runs all of them one after the other, so that a slow minute hits all
alike; figures are medians over the rounds, ratios ratios of medians.

Run it with scripts/bench.sh, which builds what it needs.
"""

import argparse
import contextlib
import json
import os
import pathlib
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

PROJECT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT / "Tests/ClusterTests/EndToEnd"))

from processes import Mongo, executable, free_port, wait_for  # noqa: E402

SERVER_CORE, CLIENT_CORE = "0", "1"
PEER = "Python peer"
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")

# What the official server (4.8.3, node 20) gave on a machine of this kind, and python-socketio beside it in the same
# minutes: (official, python-socketio). A figure of ours divided by python-socketio's of the same run, times this pair's
# ratio, estimates the ratio to the official server.
OFFICIAL = {
    "connects": (3190, 870),
    "storm": (2.1, 9.4),
    "memory": (15650, 42190),
    "echo 1": (56500, 12700),
    "echo 16": (77300, 12600),
    "fanout 100": (138800, 43200),
    "fanout 1000": (109000, 16000),
}


class Server:
    """A server process on its core."""

    def __init__(self, arguments, port, folder, name, core=SERVER_CORE):
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._log = pathlib.Path(folder) / f"{name}-{port}.log"
        with open(self._log, "wb") as log:
            self.process = subprocess.Popen(
                ["taskset", "-c", core, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.pid = self.process.pid
        try:
            wait_for(f"{name} to listen", self._listens, 60)
        except BaseException:
            self.end()
            raise

    def _listens(self):
        if self.process.poll() is not None:
            raise RuntimeError(self._log.read_text(errors="replace")[-2000:])
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def cpu(self):
        """Seconds of processor time until now."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident(self):
        return int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * PAGE

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


class Bench:
    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.figures = {}  # (scenario, contestant): [figure]
        self.details = {}  # (scenario, contestant): [text]
        self.failures = []

    # Contestants

    def submergence(self, *extra, core=SERVER_CORE):
        port = free_port()
        arguments = [executable(), "conformance", "--port", port, "--control-port", free_port(), "--loops", 1]
        arguments += ["--ping-interval", 25000, "--ping-timeout", 20000, "--log-level", "warning", *extra]
        return Server(arguments, port, self.folder, "submergence", core)

    def python_socketio(self):
        port = free_port()
        program = PROJECT / "Benchmarks/peers/python_socketio_server.py"
        return Server([self.options.peer_python, program, port], port, self.folder, "python-socketio")

    def contestants(self):
        yield "submergence", self.submergence
        if not self.options.no_peer:
            yield PEER, self.python_socketio

    # Tools

    def load(self, *arguments):
        command = ["taskset", "-c", CLIENT_CORE, executable(), "load", *map(str, arguments), "--json", "-"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if not done.stdout:
            raise RuntimeError(f"{' '.join(command)}\n{done.stderr[-2000:]}")
        report = json.loads(done.stdout)
        if report["broken"]:
            self.failures.append(f"{' '.join(map(str, arguments))}: {'; '.join(report['broken'])}")
        return report

    def note(self, scenario, who, figure, detail=""):
        self.figures.setdefault((scenario, who), []).append(figure)
        self.details.setdefault((scenario, who), []).append(detail)
        print(f"  {scenario:12} {who:16} {figure:14,.3f}  {detail}", file=sys.stderr, flush=True)

    # Scenarios

    def connects(self, scenario="connects", *extra):
        """Connects per second, and what an idle connection costs."""
        count = self.options.connections
        for who, start in self.contestants():
            if extra and who != "submergence":
                continue
            with start(*extra) if who == "submergence" else start() as server:
                self.load("connect", "--url", server.url, "--connections", 200, "--hold", 0.5)
                before, cpu = server.resident(), server.cpu()
                holding = ["connect", "--url", server.url, "--connections", count, "--concurrency", 256]
                holding += ["--hold", 3, "--pid", server.pid, "--ramp-timeout", 120, "--prefix", "idle"]
                report = self.load(*holding)
                rate = report["connections"]["connectsPerSecond"]
                cost = 1e6 * (server.cpu() - cpu) / count
                self.note(scenario, who, rate, f"{cost:.0f} us of the server each")
                if not extra:
                    self.note("memory", who, (report["memory"]["lastKiB"] * 1024 - before) / count)

    def connects_mongo(self):
        with contextlib.closing(Closing(Mongo(shards=2))) as held:
            self.connects("connects+db", "--mongodb", held.inner.uri, "--slot-size", 16)

    def storm(self):
        for who, start in self.contestants():
            with start() as server:
                arguments = ["storm", "--url", server.url, "--connections", self.options.storm]
                report = self.load(
                    *arguments, "--concurrency", self.options.storm, "--rounds", 3, "--ramp-timeout", 120
                )
                self.note("storm", who, report["storm"]["median"], str(report["storm"]["rounds"]))

    def echo(self, in_flight):
        for who, start in self.contestants():
            with start() as server:
                arguments = ["echo", "--url", server.url, "--connections", 100, "--in-flight", in_flight]
                self.load(*arguments, "--duration", 1)
                cpu = server.cpu()
                report = self.load(*arguments, "--duration", self.options.seconds)["echo"]
                used = server.cpu() - cpu
                detail = f"{1e6 * used / report['acknowledged']:.2f} us of the server each, "
                detail += f"{100 * used / self.options.seconds:.0f} % busy, p99 {report['roundTrip']['p99']} ms"
                self.note(f"echo {in_flight}", who, report["perSecond"], detail)
        if self.options.bare:
            port = free_port()
            with Server([self.options.bare, "serve", port], port, self.folder, "bare"):
                command = ["taskset", "-c", CLIENT_CORE, self.options.bare, "load", port, 100, in_flight]
                command = [*map(str, command), str(int(self.options.seconds))]
                done = subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True)
                self.note(f"echo {in_flight}", "bare NIO", float(done.stdout))

    def fanout(self, tabs):
        for who, start in self.contestants():
            with start() as server:
                arguments = ["fanout", "--url", server.url, "--connections", tabs, "--in-flight", 16]
                self.load(*arguments, "--duration", 1)
                cpu = server.cpu()
                report = self.load(*arguments, "--duration", self.options.seconds)["delivery"]
                used = server.cpu() - cpu
                detail = f"{1e6 * used / report['received']:.3f} us of the server each, "
                detail += f"{100 * used / self.options.seconds:.0f} % busy, p99 {report['latency']['p99']} ms"
                self.note(f"fanout {tabs}", who, report["receivedPerSecond"], detail)

    def cross(self):
        """Two nodes over MongoDB; both on the server's core, MongoDB where the system puts it."""
        with contextlib.closing(Closing(Mongo(shards=2))) as held:
            extra = ("--mongodb", held.inner.uri, "--slot-size", 16)
            with self.submergence(*extra) as first, self.submergence(*extra) as second:
                urls = ["cross", "--url", first.url, "--url", second.url, "--connections", 100]
                self.load(*urls, "--in-flight", 64, "--duration", 2)
                for publishers in (1, 16):
                    flood = [*urls, "--publishers", publishers, "--in-flight", 64, "--duration", self.options.seconds]
                    report = self.load(*flood)["delivery"]
                    name = f"cross {publishers}x64"
                    self.note(name, "submergence", report["receivedPerSecond"], f"p99 {report['latency']['p99']} ms")
                report = self.load(*urls, "--rate", 5, "--duration", self.options.seconds)["delivery"]
                latency = report["latency"]
                self.note("cross p50", "submergence", latency["p50"], f"ms at 500/s; reordered {report['reordered']}")
                self.note("cross p99", "submergence", latency["p99"], f"ms at 500/s; max {latency['max']} ms")
            if not self.options.no_peer:
                self.cross_peer(held.inner)

    def cross_peer(self, mongo):
        """The same with a document for each event, between two processes on the server's core."""
        program = PROJECT / "Benchmarks/peers/mongo_adapter.py"
        command = ["taskset", "-c", SERVER_CORE, self.options.peer_python, program, mongo.shard_uri(0)]
        command += ["--seconds", self.options.seconds]

        def run(*arguments):
            done = subprocess.run(
                [*map(str, command), *arguments], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
            )
            return json.loads(done.stdout)

        report = run("--in-flight", "64")
        detail = f"a document an event, 64 inserts under way; p99 {report['p99']:.1f} ms"
        for publishers in (1, 16):
            self.note(f"cross {publishers}x64", PEER, report["perSecond"], detail)
        report = run("--rate", "500")
        self.note("cross p50", PEER, report["p50"], f"ms at 500/s; reordered {report['reordered']}")
        self.note("cross p99", PEER, report["p99"], "ms at 500/s")

    # The whole

    def scenarios(self):
        return {
            "connects": self.connects,
            "connects+db": self.connects_mongo,
            "storm": self.storm,
            "echo1": lambda: self.echo(1),
            "echo16": lambda: self.echo(16),
            "fanout100": lambda: self.fanout(100),
            "fanout1000": lambda: self.fanout(1000),
            "cross": self.cross,
        }

    def table(self):
        """The figures as a Markdown table, and the same for programs."""
        lines = ["| figure | submergence | Python peer | ratio | official server, estimated | bare NIO |"]
        lines.append("|---|---|---|---|---|---|")
        rows = []
        for scenario in dict.fromkeys(scenario for scenario, _ in self.figures):
            own, peer, bare = (
                statistics.median(self.figures[scenario, who]) if (scenario, who) in self.figures else None
                for who in ("submergence", PEER, "bare NIO")
            )
            ratio = own / peer if own is not None and peer else None
            official = None
            if ratio is not None and scenario in OFFICIAL:
                theirs, python = OFFICIAL[scenario]
                official = ratio * python / theirs
            of_bare = own / bare if own is not None and bare else None
            cells = [shown(own), shown(peer), shown(ratio, "x"), shown(official, "x"), shown(of_bare, "x")]
            lines.append(f"| {scenario} | " + " | ".join(cells) + " |")
            rows.append({"figure": scenario, "own": own, "peer": peer, "ratio": ratio, "official": official})
        return "\n".join(lines), rows


class Closing:
    """A MongoDB cluster for `contextlib.closing`."""

    def __init__(self, inner):
        self.inner = inner

    def close(self):
        self.inner.down()


def shown(value, unit=""):
    if value is None:
        return "-"
    if unit:
        return f"{value:.2f}{unit}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", help="a scenario; may be repeated (all)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; figures are medians (3)")
    parser.add_argument("--seconds", type=float, default=5, help="seconds of each throughput run (5)")
    parser.add_argument("--connections", type=int, default=10_000, help="for connects and memory (10000)")
    parser.add_argument("--storm", type=int, default=5_000, help="connections of the storm (5000)")
    parser.add_argument("--no-peer", action="store_true", help="leave python-socketio out")
    parser.add_argument("--json", help="write the figures to this file, too")
    parser.add_argument("--peer-python", default=sys.executable, help=argparse.SUPPRESS)
    parser.add_argument("--bare", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    options = parse_arguments()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="submergence-bench-") as folder:
        bench = Bench(options, folder)
        known = bench.scenarios()
        for name in options.only or []:
            if name not in known:
                sys.exit(f"error: there is no scenario {name}; there are: {', '.join(known)}")
        began = time.monotonic()
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
            for name in options.only or known:
                known[name]()
        table, rows = bench.table()
    print(table)
    print(f"\n{options.rounds} rounds, {time.monotonic() - began:.0f} s")
    if options.json:
        document = {"rounds": options.rounds, "figures": rows, "failures": bench.failures}
        pathlib.Path(options.json).write_text(json.dumps(document, indent=2) + "\n", encoding="utf8")
    for failure in bench.failures:
        print(f"broken: {failure}")
    sys.exit(1 if bench.failures else 0)


if __name__ == "__main__":
    main()
