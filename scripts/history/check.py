"""All checks of one history."""

import collections

from delivery import Deliveries, check_arrivals, check_delivered, check_receipts
from detection import tell_detection
from explained import check_explained
from incarnations import Incarnations, check_incarnations
from presence import check_presence
from record import History, Unreadable
from truth import check_truth
from verdict import Verdict


def check(folder):
    """Returns a verdict. Raises Unreadable where there is no whole history."""
    history = History(folder)
    if not history.truths():
        raise Unreadable(f"{folder} tells no truth: the run did not come to its end")
    incarnations = Incarnations(history)
    deliveries = Deliveries(history, incarnations)
    verdict = Verdict()
    _tell(history, verdict)
    check_incarnations(history, incarnations, verdict)
    check_presence(history, incarnations, verdict)
    check_explained(history, incarnations, verdict)
    check_arrivals(history, verdict)
    check_receipts(history, incarnations, deliveries, verdict)
    check_delivered(history, incarnations, deliveries, verdict)
    check_truth(history, incarnations, verdict)
    tell_detection(history, incarnations, verdict)
    return verdict


def _tell(history, verdict):
    faults = collections.Counter(line["fault"] for line in history.faults if line["phase"] == "begin")
    receipts = [send.receipt for send in history.sends.values() if send.receipt]
    complete = sum(receipt["isComplete"] for receipt in receipts)
    events = sum(len(connection.events) for connection in history.connections.values())
    verdict.fact(
        f"history: {history.end - history.begin:.0f} s, seed {history.run.get('seed')},"
        f" {len(history.opened)} connections, {len(history.presence)} announcements,"
        f" {len(history.sends)} sends ({complete} complete receipts), {events} deliveries"
    )
    verdict.fact("faults: " + (", ".join(f"{count} x {name}" for name, count in sorted(faults.items())) or "none"))
