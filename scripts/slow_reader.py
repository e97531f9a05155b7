#!/usr/bin/env python3
"""One client reads slowly among fast ones (SPEC EV-4): what that costs the node's memory and the others' latency.

Run it with scripts/slow-reader.sh, which builds a release and has the Python packages.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Tests/ClusterTests/EndToEnd"))

from people import PATIENT  # noqa: E402
from processes import Nodes, executable  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="pairs of runs (3)")
    parser.add_argument("--seconds", type=int, default=60, help="time for which events are sent, in each (60)")
    parser.add_argument("--connections", type=int, default=101, help="clients, the slow one among them (101)")
    parser.add_argument("--slow-rate", type=int, default=1_024, help="bytes a second that the slow one reads (1024)")
    parser.add_argument("--rate", type=int, default=200, help="events a second for each client (200)")
    parser.add_argument("--bytes", type=int, default=1_024, help="bytes of an event (1024)")
    parser.add_argument("--memory", type=float, default=8, help="MiB that the node may grow by (8)")
    parser.add_argument("--ratio", type=float, default=1.5, help="bound of the others' p99, slow over fast (1.5)")
    return parser.parse_args()


def load(options, folder, slow):
    """One run against a node of its own; the report of the load client."""
    nodes = Nodes(folder)
    try:
        (node,) = nodes.start(1, options=PATIENT)
        file = pathlib.Path(folder) / "report.json"
        command = [executable(), "load", "slow" if slow else "fanout", "--url", node.url]
        command += ["--pid", str(node.process.pid), "--connections", str(options.connections), "--json", str(file)]
        command += ["--metrics", f"http://127.0.0.1:{node.control_port}/metrics"]
        command += ["--duration", str(options.seconds)]
        if slow:
            command += ["--slow", "1", "--slow-rate", str(options.slow_rate)]
        for name in ("rate", "bytes"):
            command += [f"--{name}", str(getattr(options, name))]
        status = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
        if not file.exists():
            sys.exit(f"the load ended with status {status}, without a report: {' '.join(command)}")
        report = json.loads(file.read_text(encoding="utf8"))
        if status or report["broken"]:
            sys.exit(f"the load ended with status {status}: {report['broken']}")
        return report
    finally:
        nodes.end()


def main():
    options = parse_arguments()
    print(f"{options.connections} clients of one user, {options.rate} events/s of {options.bytes} bytes to each")
    print(f"{'':14}{'p50 ms':>10}{'p99 ms':>10}{'start MiB':>11}{'most MiB':>10}  closed as too slow", flush=True)
    p99 = {True: [], False: []}
    growth = 0.0
    for _ in range(options.rounds):
        for slow in (True, False):
            with tempfile.TemporaryDirectory(prefix="submergence-slow-") as folder:
                report = load(options, folder, slow)
            latency, memory = report["delivery"]["latency"], report["memory"]
            p99[slow].append(latency["p99"])
            closed = sum(
                count
                for name, count in report["nodeCounted"].items()
                if name.startswith("submergence_live_slow_consumers_total")
            )
            first, most = memory["firstKiB"] / 1024, memory["maxKiB"] / 1024
            if slow:
                growth = max(growth, most - first)
            print(
                f"{'one is slow' if slow else 'all are fast':14}{latency['p50']:10.2f}{latency['p99']:10.2f}"
                f"{first:11.1f}{most:10.1f}  {closed:g}",
                flush=True,
            )
    ratio = statistics.median(p99[True]) / statistics.median(p99[False])
    print(f"the others' p99, slow over fast, by the medians: {ratio:.2f}; the node grew by {growth:.1f} MiB at most")
    broken = []
    if growth > options.memory:
        broken.append(f"the node grew by more than {options.memory:g} MiB")
    if ratio > options.ratio:
        broken.append(f"the others' p99 is more than {options.ratio:g} times what it is without a slow reader")
    for what in broken:
        print(f"BROKEN: {what}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
