"""How long it took until those who were on a killed node only were announced off line. Told, not judged."""

import collections

from presence import by_route, first_lines


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def detection_times(history, incarnations):
    """Seconds from the kill to the first announcement, of devices that had no other connection and did not return."""
    by_device = collections.defaultdict(list)
    for connection in history.connections.values():
        by_device[connection.device].append(connection)
    offline = collections.defaultdict(list)
    for key, lines in by_route(history.presence).items():
        for line in first_lines(lines):
            if line["t"] == "clientOffline":
                offline[(*key, line["client"])].append(line["at"])
    times = []
    for incarnation in incarnations.all.values():
        kill = next((line["at"] for line in incarnation.deaths if line.get("fault") == "kill"), None)
        if kill is None or (incarnation.cause and incarnation.cause.kind != "kill"):
            continue  # it was silent before
        for device, connections in by_device.items():
            there = [one for one in connections if one.opened and one.open_at < kill < _end(one)]
            if not there or any(one.node != incarnation.node or one.closing for one in there):
                continue
            announced = next((at for at in offline[device] if at > kill), None)
            if announced is None or any(kill - 10 < one.start < announced and one not in there for one in connections):
                continue
            times.append(announced - kill)
    return times


def _end(connection):
    return connection.ended["at"] if connection.ended else float("inf")


def tell_detection(history, incarnations, verdict):
    times = detection_times(history, incarnations)
    if times:
        verdict.fact(
            f"killed nodes: {len(times)} devices were announced off line after p50 {percentile(times, 0.5):.1f} s,"
            f" p99 {percentile(times, 0.99):.1f} s, max {max(times):.1f} s"
        )
