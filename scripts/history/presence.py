"""What was announced, by itself: order, repeats, alternation, nesting (SPEC LC-2, LC-3)."""

import collections


def is_online(line):
    return line["t"].endswith("Online")


def content(line):
    return (line["t"], line.get("client"))


def by_route(lines):
    routes = collections.defaultdict(list)
    for line in lines:
        routes[line["domain"], line["user"]].append(line)
    return routes


def first_lines(lines):
    """Of each `seq` the first line, in the order of `seq`."""
    first = {}
    for line in lines:
        first.setdefault(line["seq"], line)
    return [first[seq] for seq in sorted(first)]


class State:
    """Who is on line, as announced."""

    def __init__(self):
        self.user = None  # the line that announced it
        self.clients = {}

    def apply(self, line):
        """Returns (rule, text, earlier line) where the line does not fit, and takes it nevertheless."""
        client = line.get("client")
        if line["t"].startswith("user"):
            return self._apply_user(line)
        wrong = None
        if (client in self.clients) == is_online(line):
            wrong = ("client-alternates", f"{line['t']} twice in a row", self.clients.get(client))
        elif self.user is None:
            wrong = ("user-encloses-clients", f"{line['t']} of a user who is off line", None)
        if is_online(line):
            self.clients[client] = line
        else:
            self.clients.pop(client, None)
        return wrong

    def _apply_user(self, line):
        wrong = None
        if (self.user is not None) == is_online(line):
            wrong = ("user-alternates", f"{line['t']} twice in a row", self.user)
        elif self.clients:
            wrong = (
                "user-encloses-clients",
                f"{line['t']} while a client is on line",
                next(iter(self.clients.values())),
            )
        self.user = line if is_online(line) else None
        return wrong


def check_presence(history, incarnations, verdict):
    for (domain, user), lines in by_route(history.presence).items():
        who = f"{domain}/{user}"
        _check_order(who, lines, incarnations, verdict)
        state, previous = State(), None
        for line in first_lines(lines):
            if previous and line["seq"] != previous["seq"] + 1:
                verdict.violation(
                    "seq-consecutive", f"{who}: {previous['seq']} is followed by {line['seq']}", previous, line
                )
            wrong = state.apply(line)
            if wrong:
                rule, text, earlier = wrong
                verdict.violation(rule, f"{who}: {text}", earlier or previous, line)
            previous = line


def _check_order(who, lines, incarnations, verdict):
    """In the order in which the handlers ran, over all nodes: each `seq` once, rising, but for what LC-3 allows."""
    seen = {}
    newest = None
    for line in lines:
        earlier = seen.setdefault(line["seq"], [])
        if not earlier:
            if newest and line["seq"] < newest["seq"]:
                verdict.violation(
                    "seq-order", f"{who}: {line['seq']} was announced after {newest['seq']}", newest, line
                )
            else:
                newest = line
        else:
            _check_repeat(who, earlier, line, incarnations, verdict)
        earlier.append(line)


def _check_repeat(who, earlier, line, incarnations, verdict):
    first = earlier[0]
    if content(first) != content(line):
        verdict.violation("seq-content", f"{who}: {line['seq']} announces something else the second time", first, line)
    if line["node"] in [other["node"] for other in earlier]:
        verdict.violation("repeat-by-owner", f"{who}: {line['seq']} was announced twice by one node", first, line)
        return
    # All but one of those who announced it must have been given up: crashed, or paused beyond the lease (LC-3).
    living = [other for other in [*earlier, line] if not incarnations.of(other["node"]).is_lost]
    if len(living) > 1:
        verdict.violation("repeat-without-crash", f"{who}: {line['seq']} was announced by two living nodes", *living)
    else:
        verdict.allow("repeat of a `seq` after its owner was given up (LC-3)", first, line)
