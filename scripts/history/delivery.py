"""What was sent, what the receipts say, and what arrived (SPEC EV-1 to EV-3, ND-7, ND-8)."""

import bisect
import collections

# What a server may hold for live beyond its client's end, and a claim and its scans beyond a node's (ND-4).
LINGERING = 90
# A gap (ND-9) that is counted at g may have swallowed what was sent from g - GAP_BEFORE on: holes are waited for 5 s,
# a sender repeats for 10 s, and what is older than 60 s is dropped (ND-8).
GAP_BEFORE = 75
GAP_AFTER = 15
# Events of more than 60 s are dropped by who gets them (ND-8); to a second or so of two clocks.
OLD = 55


class Deliveries:
    """The sends of a history by whom they are for, and who got them."""

    def __init__(self, history, incarnations):
        self.history, self.incarnations = history, incarnations
        # Of each user, in the order of their beginnings: (begin, when none can be live any more, connection).
        self._spans = collections.defaultdict(list)
        for connection in sorted(history.connections.values(), key=lambda connection: connection.start):
            span = (connection.start, _may_be_live_until(connection, incarnations), connection)
            self._spans[connection.key].append(span)
        self.got = {connection.id: {} for connection in history.opened}
        for connection in history.opened:
            for line in connection.events:
                self.got[connection.id].setdefault((line["from"], line["n"]), line)

    def may_be_live(self, send):
        """The connections that a send is for and that can have been live at some moment until its receipt."""
        found, last = [], send.receipt["at"]
        for start, until, connection in self._spans[send.key]:
            if start > last:
                break
            if until >= send.at and send.is_for(connection):
                found.append(connection)
        return found

    def is_excused_by_gap(self, send, connection):
        """The node of the receiver counted a gap of the sender's node at about that time (ND-9)."""
        sender = send.sender.node
        return any(
            gap["peer"] == sender and gap["at"] - GAP_BEFORE <= send.at <= gap["at"] + GAP_AFTER
            for gap in self.incarnations.of(connection.node).gaps
        )

    def is_excused_by_election(self, send, connection):
        """A deposed primary may have answered the sender with a route that is older than this connection (EV-1)."""
        return any(
            connection.open_at >= fault.begin - 1
            for fault in self.incarnations.deposing(send.at, send.receipt["at"] if send.receipt else send.at)
        )

    def is_excused_by_age(self, send, connection):
        """The node of the receiver stood still so long that the event was 60 s old (ND-8)."""
        faults = self.incarnations.own_faults(self.incarnations.of(connection.node), send.at - OLD, send.at + OLD)
        return any(fault.end - max(fault.begin, send.at - OLD) > OLD for fault in faults)

    def is_certain(self, send, connection):
        """The connection was live when the event was sent, as far as its client and the history can tell."""
        return (
            connection.opened
            and connection.open_at < send.at
            and self.incarnations.certain_until(connection) > send.receipt["at"]
        )


def check_arrivals(history, verdict):
    """Everything that arrived was sent, to this identity, and once; in the order in which it was sent."""
    for connection in history.opened:
        seen, newest = {}, {}
        for line in connection.events:
            send = history.sends.get((line["from"], line["n"]))
            where = f"{connection.id} of {'/'.join(connection.device)}"
            if send is None:
                verdict.violation("event-unsent", f"{where} got what nobody sent", connection.opened, line)
                continue
            if send.sender.domain != connection.domain:
                verdict.violation(
                    "cross-domain", f"{where} got an event of another domain", connection.opened, send.line, line
                )
            elif not send.is_for(connection):
                verdict.violation(
                    "cross-user", f"{where} got an event for somebody else", connection.opened, send.line, line
                )
            earlier = seen.setdefault((line["from"], line["n"]), line)
            if earlier is not line:
                verdict.violation("at-most-once", f"{where} got an event twice", send.line, earlier, line)
                continue
            last = newest.get(line["from"])
            if last is not None and line["n"] < last["n"]:
                verdict.violation("order", f"{where} got {line['n']} of {line['from']} after {last['n']}", last, line)
            else:
                newest[line["from"]] = line
    for line in history.odd:
        verdict.violation("odd", "a client saw what it cannot explain", line)


def check_receipts(history, incarnations, deliveries, verdict):
    for send in history.sends.values():
        if len(send.receipts) > 1:
            verdict.violation("one-receipt", "a send was answered twice", send.line, *send.receipts)
        if not send.receipts:
            if send.sender.left_at == float("inf") and not incarnations.of(send.sender.node).is_dead:
                verdict.violation("one-receipt", "a send was never answered", send.sender.opened, send.line)
            continue
        if send.receipt:
            _check_claims(send, deliveries, verdict)


def _check_claims(send, deliveries, verdict):
    """A receipt never claims more than was there (EV-2), and a complete one nothing less."""
    receipt = send.receipt
    possible = deliveries.may_be_live(send)
    here = [connection for connection in possible if connection.node in (None, send.sender.node)]
    unknown = sum(connection.node is None for connection in possible)
    elsewhere = {connection.node for connection in possible} - {None, send.sender.node}
    if receipt["local"] > len(here):
        _claim(
            verdict, f"{receipt['local']} connections of the sender's node, where {len(here)} can have been", send, here
        )
    if receipt["nodes"] > len(elsewhere) + unknown:
        _claim(
            verdict, f"{receipt['nodes']} other nodes, where {len(elsewhere) + unknown} can have been", send, possible
        )
    if receipt["didReceive"] != (receipt["local"] + receipt["nodes"] > 0):
        _claim(verdict, "that somebody was there, and counts nobody, or the other way round", send, [])
    if not receipt["isComplete"]:
        return
    certain = [connection for connection in possible if deliveries.is_certain(send, connection)]
    local = [connection for connection in certain if connection.node == send.sender.node]
    if receipt["local"] < len(local):
        verdict.violation(
            "receipt-misses",
            f"a complete receipt counts {receipt['local']} connections of the sender's node, where {len(local)} were",
            send.line,
            receipt,
            *(connection.opened for connection in local),
        )
    remote = {}
    for connection in certain:
        if connection.node != send.sender.node and not deliveries.is_excused_by_election(send, connection):
            remote.setdefault(connection.node, connection)
    if receipt["nodes"] < len(remote):
        verdict.violation(
            "receipt-misses",
            f"a complete receipt counts {receipt['nodes']} other nodes, where connections were on {len(remote)}",
            send.line,
            receipt,
            *(connection.opened for connection in remote.values()),
        )


def _claim(verdict, text, send, connections):
    lines = [line for connection in connections for line in connection.lines]
    verdict.violation("receipt-claims", f"a receipt claims {text}", send.line, send.receipt, *lines)


def _may_be_live_until(connection, incarnations):
    if connection.failed:
        return connection.failed["at"] + LINGERING
    if connection.ended is None:
        return float("inf")
    last = connection.ended["at"]
    if connection.node and incarnations.of(connection.node).is_dead:
        last = max(last, incarnations.of(connection.node).died_at)
    return last + LINGERING


def check_delivered(history, incarnations, deliveries, verdict):
    """What a complete receipt says has arrived at every connection that was live, and is proven to have gone by:

    - something that was sent to this user later, by the same client or node, has arrived there (ND-7: in sending
      order), or
    - the connection lived until everything had settled, when every node had sent something to everybody.
    """
    senders = collections.defaultdict(list)
    for send in sorted(history.sends.values(), key=lambda send: send.at):
        senders[send.key].append(send)
    begun = {key: [send.at for send in sends] for key, sends in senders.items()}
    truths = history.truths()
    settled = truths[0]["at"] if truths else float("inf")
    for connection in history.opened:
        passed = Passed(history, connection)
        got = deliveries.got[connection.id]
        certain = incarnations.certain_until(connection)
        # Of what was sent before it was open, or later than all that it got, nothing is proven.
        first = bisect.bisect_right(begun.get(connection.key, []), connection.open_at)
        for send in senders[connection.key][first:]:
            if send.at > passed.latest and certain < settled:
                break
            if not send.is_complete or not send.is_for(connection):
                continue
            if (send.sender.id, send.number) in got:
                continue
            proof = passed.after(send)
            if proof is None and not certain >= settled > send.receipt["at"]:
                continue
            evidence = (connection.opened, send.line, send.receipt, proof)
            if deliveries.is_excused_by_gap(send, connection):
                verdict.allow("event lost in a gap that its node counted (ND-8, ND-9)", *evidence)
            elif deliveries.is_excused_by_election(send, connection):
                verdict.allow("event not sent to a connection that was opened during an election (EV-1)", *evidence)
            elif deliveries.is_excused_by_age(send, connection):
                verdict.allow("event that its node found too old (ND-8)", *evidence)
            else:
                verdict.violation("lost", _lost(send, connection), *evidence)


def _lost(send, connection):
    return f"{connection.id} of {'/'.join(connection.device)} never got {send.number} of {send.sender.id}"


class Passed:
    """Of every sender and every sending node the latest event that has arrived at a connection."""

    def __init__(self, history, connection):
        self._of_node, self._of_sender = {}, {}
        self.latest = float("-inf")
        for line in connection.events:
            send = history.sends.get((line["from"], line["n"]))
            if send is not None and send.key == connection.key:
                self.latest = max(self.latest, send.at)
                self._note(self._of_node, send.sender.node, send.at, line)
                self._note(self._of_sender, send.sender.id, send.number, line)

    @staticmethod
    def _note(latest, who, rank, line):
        if who not in latest or rank > latest[who][0]:
            latest[who] = (rank, line)

    def after(self, send):
        """An event that arrived, and was sent later: by the same client, or by its node after the receipt."""
        rank, line = self._of_sender.get(send.sender.id, (-1, None))
        if rank > send.number:
            return line
        at, line = self._of_node.get(send.sender.node, (-1, None))
        return line if at > send.receipt["at"] else None
