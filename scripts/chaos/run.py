#!/usr/bin/env python3
"""A cluster under fire: nodes, MongoDB, nginx and many clients, with faults at random, and a history that is checked.

Run it with scripts/chaos.sh, which has the options; docs/chaos.md tells what is done and what is checked.
"""

import argparse
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "history"), str(HERE.parents[1] / "Tests/ClusterTests/EndToEnd")]

from check import check  # noqa: E402
from database import Broken, Database  # noqa: E402
from faults import Injector  # noqa: E402
from journal import Faults, Journal, now  # noqa: E402
from people import PATIENT  # noqa: E402
from processes import Nginx, wait_for  # noqa: E402
from record import Unreadable  # noqa: E402
from schedule import ALL_FAULTS, schedule  # noqa: E402
from station import FAKETIME, Relays, Station, knows_grace  # noqa: E402
from watch import Watch  # noqa: E402

DOMAINS = ["a.localhost", "b.localhost"]
NODES = 3
PROGRESS = 5


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--minutes", type=float, default=5, metavar="M", help="how long faults go on (5)")
    add("--seed", type=int, metavar="S", help="decides the schedule of faults, and the settings below (one at random)")
    add("--users", type=int, default=300, metavar="N", help="in each of the two domains (300)")
    add("--keep", metavar="DIR", help="keep history and logs in this folder, which must not be there")
    add("--faults", default="all", metavar="LIST", help=f"only these: {', '.join(ALL_FAULTS)} (all)")
    add("--rate", type=float, default=60, help="sends a second (60)")
    add("--replicas", type=int, default=3, help="members of each of the two shards (3)")
    add("--grace", type=float, metavar="SECONDS", help="presence grace (0 or 5, as the seed says)")
    add("--tail", choices=["auto", "stream", "cursor"], help="how inboxes are read (auto or cursor, as the seed says)")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.randrange(1, 1_000_000)
    chance = random.Random(f"{options.seed}/settings")
    grace, tail = chance.choice([0, 5]), chance.choice(["auto", "cursor"])
    options.grace = grace if options.grace is None else options.grace
    options.tail = options.tail or tail
    options.faults = ALL_FAULTS if options.faults == "all" else [f for f in options.faults.split(",") if f != "none"]
    unknown = set(options.faults) - set(ALL_FAULTS)
    if unknown:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    return options


class Worker:
    """One process of clients (crowd.py)."""

    def __init__(self, settings):
        self._process = subprocess.Popen(
            [sys.executable, "-B", HERE / "crowd.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._write(settings)

    def _write(self, value):
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()

    def ask(self, **order):
        self._write(order)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a process of clients has ended; its message is above")
        return json.loads(line)

    def end(self):
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


class Crowds:
    """All clients, in two processes."""

    def __init__(self, options, folder, presence, port):
        chance = random.Random(f"{options.seed}/users")
        everybody, all_users = [], []
        for index in range(options.users):
            user = f"user-{index}"
            clients = [f"device-{chance.randrange(2)}" for _ in range(chance.choice([1, 1, 2, 3]))]
            all_users.append([user, sorted(set(clients))])
            for domain in DOMAINS:
                is_patient = chance.random() < 0.3
                # nginx's ip_hash looks at the first three bytes: a network for all tabs of a user, or one for each.
                networks = [f"127.{1 + chance.randrange(250)}.{chance.randrange(250)}.1" for _ in clients]
                if chance.random() < 0.5:
                    networks = networks[:1] * len(clients)
                tabs = list(zip(clients, networks))
                everybody.append([domain, user, tabs[:1] if is_patient else tabs, is_patient])
        common = {"folder": str(folder), "presence": str(presence), "port": port, "seed": options.seed}
        common |= {"rate": options.rate / 2, "all_users": all_users}
        self._workers = [Worker({**common, "number": number, "users": everybody[number::2]}) for number in range(2)]

    def ask(self, do, **order):
        """The answers of all, who work at the same time."""
        answers = [None] * len(self._workers)
        errors = []

        def ask(number, worker):
            try:
                answers[number] = worker.ask(do=do, **order)
            except (RuntimeError, OSError, ValueError) as error:
                errors.append(error)

        threads = [threading.Thread(target=ask, args=pair) for pair in enumerate(self._workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        return answers

    def end(self):
        for worker in self._workers:
            worker.end()


class Run:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.faults = Faults(folder)
        self.truth = Journal(folder, "truth.jsonl")
        self.presence = folder / "presence.raw"
        self.began = time.monotonic()
        self.stations = []
        self.parts = []  # what is to be ended, the last one first
        self.has_grace = knows_grace()
        self.grace = options.grace if self.has_grace else 0

    def say(self, text):
        print(f"{time.monotonic() - self.began:6.1f} s  {text}", flush=True)

    # ------------------------------------------------------------ the cluster

    def open(self):
        options = self.options
        described = {"version": 1, "seed": options.seed, "grace": self.grace, "domains": DOMAINS, "tail": options.tail}
        described |= {"minutes": options.minutes, "users": options.users, "faults": options.faults}
        (self.folder / "run.json").write_text(json.dumps(described, indent=1), encoding="utf8")
        self.say("starting MongoDB: two shards")
        self.database = Database(self.folder, replicas=options.replicas)
        self.parts.append(self.database.down)
        relays = Relays(NODES + 1, self.database.router_port)
        self.parts.append(relays.end)
        self.watch = Watch(self.folder, self.presence, self.faults)
        self.parts.append(self.watch.end)
        flags = [*PATIENT, "--tail", options.tail]
        for domain in DOMAINS:
            flags += ["--domain", domain]
        if self.has_grace:
            flags += ["--presence-grace", f"{self.grace:g}"]
        for number in range(NODES + 1):
            # One node's clock can be set apart; the last node is the one that is added.
            can_jump = number == NODES - 1 and "clock" in options.faults and FAKETIME.is_file()
            station = Station(self.folder, number, relays, self.presence, flags, can_jump)
            self.stations.append(station)
            self.watch.add(station)
        self.parts.append(self.end_nodes)
        self.say(f"starting {NODES} nodes, tail {options.tail}, presence grace {self.grace:g} s")
        for station in self.stations[:NODES]:
            station.come_up()
        nginx = Nginx(self.folder, self.stations)
        self.parts.append(nginx.end)
        self.crowds = Crowds(options, self.folder, self.presence, nginx.port)
        self.parts.append(self.crowds.end)

    def end_nodes(self):
        for station in self.stations:
            station.ask_to_end()
        for station in self.stations:
            station.end()

    def close(self):
        for end in reversed(self.parts):
            try:
                end()
            except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
                print(f"could not end everything: {error}", file=sys.stderr)
        self.faults.close()
        self.truth.close()

    # ------------------------------------------------------------ the faults

    def fire(self):
        seconds = self.options.minutes * 60
        lanes = schedule(self.options.seed, seconds, self.options.faults, NODES, self.database.shards)
        for planned in sorted((planned for lane in lanes for planned in lane), key=lambda planned: planned.at):
            print(f"  planned: {planned}", flush=True)
        injector = Injector(self.faults, self.stations[:NODES], self.database, lambda: self.stations[NODES])
        begin = time.monotonic()
        injector.start(lanes, begin)
        while injector.is_busy or (time.monotonic() - begin < seconds and not injector.error):
            time.sleep(PROGRESS)
            self.progress()
        injector.finish()
        for kind, why in injector.skipped.items():
            self.say(f"skipped: {kind}: {why}")

    def progress(self):
        is_open = sum(answer["open"] for answer in self.crowds.ask("status"))
        counts = self.watch.counts
        under_way = ", ".join(self.faults.under_way.values()) or "no fault"
        self.say(
            f"{is_open} tabs open, {len(self.watch.announced.clients)} devices announced,"
            f" {self.watch.presence.count} announcements, {counts.get('reaping', 0)} reapings,"
            f" {counts.get('gap', 0)} gaps; {under_way}"
        )

    # ------------------------------------------------------------ the truth

    def settle(self):
        """All faults are healed. Whatever does not come to rest is part of the truth."""
        unsettled = []
        self.database.heal()
        for station in self.stations[:NODES]:
            if station.is_running:
                station.wait_until_ready()
            else:
                station.come_up()
        self.say("healed; the clients settle")
        answers = self.crowds.ask("settle")
        if not all(answer["settled"] for answer in answers):
            unsettled.append("not every client could connect")
        tabs = [tab for answer in answers for tab in answer["tabs"]]
        self.say(f"{len(tabs)} tabs stay")
        self.send_to_all(tabs)
        checked = self.crowds.ask("verify")
        connected = [name for answer in checked for name in answer["connected"]]
        dead = [name for answer in checked for name in answer["dead"]]
        if dead:
            unsettled.append(f"{len(dead)} connections do not answer: {dead[:5]}")
        names = {name: (domain, user, client) for name, _, domain, user, client in tabs}
        self.tell_truth(1, {names[name] for name in connected if name in names}, connected, unsettled)
        self.say("everybody leaves")
        self.crowds.ask("close")
        self.tell_truth(2, set(), [], [])

    def send_to_all(self, tabs):
        """From every node something to everybody, so that all that was sent before has arrived, or never will."""
        senders = {}
        for name, node, domain, _, _ in tabs:
            senders.setdefault((node, domain), name)
        users = {domain: sorted({tab[3] for tab in tabs if tab[2] == domain}) for domain in DOMAINS}
        order = [[name, users[domain]] for (_, domain), name in senders.items()]
        sent = [one for answer in self.crowds.ask("barrier", **{"from": order}) for one in answer["sent"]]
        lacking = sum(answer["lacking"] for answer in self.crowds.ask("arrive", sent=sent, seconds=60))
        self.say(f"{len(sent)} last events from {len(senders)} nodes and domains; {lacking} tabs lack some")

    def tell_truth(self, number, devices, connected, unsettled):
        def is_announced():
            return self.watch.announced.clients == devices and self.watch.announced.users == {d[:2] for d in devices}

        def are_stored():
            routes = self.database.routes()
            live = sum(len(route["live"]) for route in routes)
            return live == len(connected) and not any(route["out"] for route in routes) and routes

        for what, condition in (("what is announced to be so", is_announced), ("the routes to be so", are_stored)):
            try:
                wait_for(what, condition, 150, interval=0.3)
            except TimeoutError:
                self.say(f"this did not come about: {what}")
        routes = self.database.routes()
        self.watch.flush()
        for route in routes:
            self.truth.write(e="route", truth=number, **route)
        count = self.watch.presence.count
        self.truth.write(
            e="truth", truth=number, connected=connected, presence=count, routes=True, unsettled=unsettled, when=now()
        )
        self.truth.flush()


def main():
    options = parse_arguments()
    print(f"seed {options.seed}", flush=True)
    if options.keep:
        folder = pathlib.Path(options.keep).resolve()
        folder.mkdir(parents=True)
    else:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="submergence-chaos-"))
    status = 2
    try:
        run = Run(options, folder)
        try:
            run.open()
            run.fire()
            run.settle()
        finally:
            run.close()
        run.say("checking the history")
        verdict = check(folder)
        print(verdict.text(), flush=True)
        status = 0 if verdict.is_clean else 1
    except (
        Broken,
        Unreadable,
        OSError,
        RuntimeError,
        TimeoutError,
        AssertionError,
        subprocess.SubprocessError,
    ) as error:
        print(f"chaos: could not run: {type(error).__name__}: {error}", file=sys.stderr)
    finally:
        if options.keep or status == 1:
            shutil.rmtree(folder / "mongo", ignore_errors=True)
            print(
                f"the history is in {folder}; scripts/chaos.sh --seed {options.seed} has the same schedule", flush=True
            )
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
