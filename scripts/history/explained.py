"""Whether what was announced can be explained by what the clients saw (SPEC LC-3, LC-5, LC-7, LC-8).

A client that has its answer to CONNECT is in the route (LC-5), until it leaves, or its node is lost. So every such
stretch must lie between an Online and the Offline that follows it. Online is committed while somebody connects; Offline
at no moment of such a stretch; each before it was announced. When exactly nobody knows, so that all ways are tried:
only what cannot have been is a violation.
"""

import bisect
import collections

from presence import by_route, first_lines, is_online

# A failed attempt may be committed so much later: a connect that was given up (5 s), on a node that was paused.
LATE_COMMIT = 60
# An absence of this length, and the grace, has to be announced.
ABSENCE = 60
# And so much longer where the node died: until it is reaped, with repeated scans (ND-4).
REAPING = 75


class Stretch:
    """A time during which somebody was on line for certain: from the first CONNECT on, over tabs that overlap."""

    def __init__(self, first, until, connection, gone_by):
        self.first, self.until, self.gone_by = first, until, gone_by
        self.connections = [connection]


def is_certain(connection, incarnations):
    """Not of a connection whose node was lost before its client saw the answer to CONNECT: it was live, nobody knows
    when. It may explain an announcement and needs none, as an attempt that failed."""
    return connection.opened and incarnations.certain_until(connection) > connection.open_at


def stretches(connections, incarnations):
    found = []
    certain = [connection for connection in connections if is_certain(connection, incarnations)]
    for connection in sorted(certain, key=lambda connection: connection.open_at):
        until = incarnations.certain_until(connection)
        incarnation = incarnations.of(connection.node)
        gone_by = max(until, connection.ended["at"] if connection.ended else until)
        if incarnation.is_dead:
            gone_by = max(gone_by, incarnation.died_at) + REAPING
        if found and connection.open_at <= found[-1].until:
            last = found[-1]
            last.until, last.gone_by = max(last.until, until), max(last.gone_by, gone_by)
            last.connections.append(connection)
        else:
            found.append(Stretch(connection.open_at, until, connection, gone_by))
    return found


class Windows:
    """When an Online can have been committed: while somebody connects."""

    def __init__(self, connections):
        spans = []
        for connection in connections:
            if connection.opened:
                spans.append((connection.start, connection.open_at))
            else:
                last = connection.failed["at"] if connection.failed else connection.start
                spans.append((connection.start, last + LATE_COMMIT))
        self.spans = []
        for first, last in sorted(spans):
            if self.spans and first <= self.spans[-1][1]:
                self.spans[-1] = (self.spans[-1][0], max(last, self.spans[-1][1]))
            else:
                self.spans.append((first, last))
        self._lasts = [last for _, last in self.spans]

    def earliest(self, moment):
        """The first moment from this one on that lies in a window; None if there is none."""
        index = bisect.bisect_left(self._lasts, moment)
        return max(moment, self.spans[index][0]) if index < len(self.spans) else None


def explain(lines, connections, incarnations, grace):
    """None where the lines (Online, Offline, Online ... of one user or client) can be explained; else (text, lines)."""
    parts = stretches(connections, incarnations)
    windows = Windows(connections)
    pairs = [(lines[index], lines[index + 1] if index + 1 < len(lines) else None) for index in range(0, len(lines), 2)]
    failed = [connection for connection in connections if not is_certain(connection, incarnations)]
    attempts = sorted(connection.start for connection in failed)
    vain = Windows(failed)
    # (i, n) -> the earliest moment at which the pairs so far can have ended: they cover the stretches before i, and n
    # of them cover none. Those come of attempts that failed, and each attempt is good for one.
    reached = {(0, 0): float("-inf")}
    for online, offline in pairs:
        following = {}

        def reach(state, moment):
            following[state] = min(moment, following.get(state, float("inf")))

        for (index, used), moment in reached.items():
            begin = vain.earliest(moment)
            known = bisect.bisect_right(attempts, online["at"])
            if begin is not None and begin <= online["at"] and used < known and (offline or index == len(parts)):
                reach((index, used + 1), begin)
            for beyond, end in _covered(parts, windows, index, moment, online, offline, grace):
                reach((beyond, used), end)
        if not following:
            return _complaint(online, offline, parts, reached)
        reached = following
    covered = max(index for index, _ in reached)
    if covered == len(parts):
        return None
    return "was connected, and nothing was announced", parts[covered].connections[0].lines


def _covered(parts, windows, index, moment, online, offline, grace):
    """Which stretches from `index` on one pair can cover, as (the next one, when it was Offline at the earliest)."""
    begin = windows.earliest(moment)
    if index == len(parts) or begin is None or begin > min(online["at"], parts[index].first):
        return
    end = begin
    for beyond in range(index, len(parts)):
        part = parts[beyond]
        if beyond > index and part.connections[0].start - parts[beyond - 1].gone_by > ABSENCE + grace:
            return
        end = max(end, part.until)
        if offline is not None and end > offline["at"]:
            return
        if offline is not None or beyond + 1 == len(parts):
            yield beyond + 1, end


def _complaint(online, offline, parts, reached):
    during = [
        connection
        for part in parts
        for connection in part.connections
        if offline is not None and part.first <= offline["at"] <= part.until
    ]
    if during:
        return "was announced off line while connected", [online, offline, *during[0].lines]
    index = max(index for index, _ in reached)
    lines = parts[index].connections[0].lines if index < len(parts) else []
    return "this was announced, and no connection explains it", [online, *([offline] if offline else []), *lines]


def check_explained(history, incarnations, verdict):
    connections = collections.defaultdict(list)
    for connection in history.connections.values():
        connections[connection.key].append(connection)
        connections[connection.device].append(connection)
    announced = collections.defaultdict(list)
    for key, lines in by_route(history.presence).items():
        for line in first_lines(lines):
            announced[(*key, line["client"]) if line.get("client") is not None else key].append(line)
    for who in sorted({*connections, *announced}):
        lines = announced[who]
        if [is_online(line) for line in lines] != [index % 2 == 0 for index in range(len(lines))]:
            continue  # does not alternate: said elsewhere
        wrong = explain(lines, connections[who], incarnations, history.grace)
        if wrong:
            verdict.violation("presence-explained", f"{'/'.join(who)}: {wrong[0]}", *wrong[1])
