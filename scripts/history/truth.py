"""What is announced and stored once everything has settled is what is so (SPEC LC-3, §11 items 1 and 2)."""

from presence import State, by_route, first_lines


def check_truth(history, incarnations, verdict):
    for truth in history.truths():
        _check_announced(history, truth, verdict)
        _check_routes(history, truth, incarnations, verdict)
        for line in truth.get("unsettled", []):
            verdict.violation("unsettled", f"after all faults were healed: {line}", truth)


def _check_announced(history, truth, verdict):
    connected = {}
    for conn in truth["connected"]:
        connection = history.connections[conn]
        connected.setdefault(connection.device, connection)
    users = {device[:2] for device in connected}
    lines = history.presence[: truth["presence"]]
    announced = set()
    for (domain, user), found in by_route(lines).items():
        state = State()
        for line in first_lines(found):
            state.apply(line)
        if state.user and (domain, user) not in users:
            verdict.violation("final-state", f"{domain}/{user} is announced on line, and is not", state.user, truth)
        if not state.user and (domain, user) in users:
            verdict.violation("final-state", f"{domain}/{user} is on line, and announced off line", found[-1], truth)
        for client, line in state.clients.items():
            announced.add((domain, user, client))
            if (domain, user, client) not in connected:
                verdict.violation(
                    "final-state", f"{domain}/{user}/{client} is announced on line, and is not", line, truth
                )
    for device, connection in connected.items():
        if device not in announced:
            verdict.violation(
                "final-state", f"{'/'.join(device)} is on line, and not announced", connection.opened, truth
            )


def _check_routes(history, truth, incarnations, verdict):
    """The routes hold exactly the connections that are there, and what was announced."""
    routes = [line for line in history.truth if line["e"] == "route" and line["truth"] == truth["truth"]]
    if not truth.get("routes", False):
        return
    by_sid = {history.connections[conn].opened["sid"]: history.connections[conn] for conn in truth["connected"]}
    found = {}
    announced = {}
    for key, lines in by_route(history.presence[: truth["presence"]]).items():
        state = announced[key] = State()
        for line in first_lines(lines):
            state.apply(line)
    for line in routes:
        key = (line["domain"], line["user"])
        for entry in line["live"]:
            connection = by_sid.get(entry["s"])
            if entry["s"] in found:
                verdict.violation("route-state", f"{entry['s']} is in two routes", found[entry["s"]], line)
            found[entry["s"]] = line
            if incarnations.of(entry["n"]).is_dead:
                verdict.violation("route-state", f"{'/'.join(key)} has a connection of a dead node", line)
            elif connection is None or connection.key != key:
                verdict.violation("route-state", f"{'/'.join(key)} has a connection that is not there", line)
        state = announced.get(key, State())
        if line["announced"] != sorted(state.clients) or line["isAnnounced"] != (state.user is not None):
            verdict.violation("route-state", f"{'/'.join(key)}: stored as announced is what was not", line, state.user)
        if line["out"]:
            verdict.violation("route-state", f"{'/'.join(key)} has transitions that nobody acknowledged", line)
    for sid, connection in by_sid.items():
        if sid not in found:
            verdict.violation(
                "route-state", f"{'/'.join(connection.device)} is connected, and in no route", connection.opened
            )
