"""One MongoDB cluster on loopback: its configuration, its processes and the steps that make them a cluster."""

import fcntl
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

import programs
from mongowire import MAJORITY, CommandError, command, find, hello

# Offsets from the base port; member k of shard i listens on base + 100 * i + k.
QUERY_ROUTER_OFFSET = 20
CONFIG_OFFSET = 40
SHARD_STEP = 100

# For `--base-port 0`: below the range that Linux takes outgoing ports from.
FREE_PORT_RANGE = (20000, 31000)


def die(message):
    sys.exit(f"mongo-cluster: {message}")


def say(message):
    print(message, file=sys.stderr, flush=True)


class Cluster:
    """The cluster of one folder. Its options are kept there in cluster.json, its process ids in <name>.pid."""

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        self.file = self.path("cluster.json")
        self.config = None
        self._ports_lock = None
        if os.path.exists(self.file):
            with open(self.file, encoding="utf8") as stored:
                self.config = json.load(stored)

    # ------------------------------------------------------------ configuration

    def create(self, **options):
        """Fixes the options of a new cluster: mode, shards, replicas, routers, base (0: find one) and the rest."""
        self.config = {**options, "mongod": programs.find_mongod(), "mongos": None}
        if self.is_sharded:
            self.config["mongos"] = programs.find_mongos()
        if not self.config["base"]:
            self._find_free_ports()
        os.makedirs(self.folder, exist_ok=True)
        with open(self.file + ".new", "w", encoding="utf8") as new:
            json.dump(self.config, new, indent=1)
        os.rename(self.file + ".new", self.file)

    def require(self):
        if not self.config:
            die(f"no cluster in {self.folder} (use `up` or `replset`)")

    def _find_free_ports(self):
        # Until everything listens: two that look at once would find the same ports free.
        os.makedirs(programs.CACHE, exist_ok=True)
        self._ports_lock = open(os.path.join(programs.CACHE, "ports.lock"), "w")
        fcntl.flock(self._ports_lock, fcntl.LOCK_EX)
        for _ in range(200):
            self.config["base"] = random.randrange(*FREE_PORT_RANGE, SHARD_STEP)
            if all(_is_free(port) for port in self.processes().values()):
                return
        die("no free block of ports found; choose one with --base-port")

    @property
    def is_sharded(self):
        return self.config["mode"] == "sharded"

    @property
    def uses_standin(self):
        return self.is_sharded and not self.config["mongos"]

    @property
    def shard_numbers(self):
        return range(1, self.config["shards"] + 1)

    @property
    def router_numbers(self):
        return range(self.config["routers"])

    @property
    def config_port(self):
        return self.config["base"] + CONFIG_OFFSET

    def router_port(self, number):
        return self.config["base"] + number

    def query_router_port(self, number):
        return self.config["base"] + QUERY_ROUTER_OFFSET + number

    def shard_ports(self, shard):
        first = self.config["base"] + SHARD_STEP * shard
        return [first + member for member in range(self.config["replicas"])]

    def shard_name(self, shard):
        return f"shard{shard}" if self.is_sharded else "rs"

    def member_name(self, shard, member):
        return f"{self.shard_name(shard)}-{member}"

    def path(self, name):
        return os.path.join(self.folder, name)

    def processes(self):
        """Everything that ought to run, in starting order: name -> port."""
        ports = {}
        if self.is_sharded:
            ports["cfg0"] = self.config_port
        for shard in self.shard_numbers:
            for member, port in enumerate(self.shard_ports(shard)):
                ports[self.member_name(shard, member)] = port
        for number in self.router_numbers:
            if self.uses_standin:
                ports[f"qr{number}"] = self.query_router_port(number)
            ports[f"router{number}"] = self.router_port(number)
        return ports

    def uri(self):
        if self.is_sharded:
            hosts = _hosts(self.router_port(number) for number in self.router_numbers)
            return f"mongodb://{hosts}/?directConnection=false"  # libmongoc calls one host "Single" without it
        return f"mongodb://{_hosts(self.shard_ports(1))}/?replicaSet=rs"

    # ------------------------------------------------------------ processes

    def pid(self, name):
        """The running process of that name, or None. Only one that was started for this folder counts: its command
        line names the folder, so a number that was given to another process since is never taken for ours."""
        try:
            with open(self.path(name + ".pid"), encoding="ascii") as file:
                pid = int(file.read())
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                arguments = file.read().decode("utf8", "replace")
            with open(f"/proc/{pid}/stat", encoding="utf8") as file:
                state = file.read().rpartition(")")[2].split()[0]
        except (OSError, ValueError):
            return None
        is_ours = self.path(name + ".pid") in arguments or self.path(name) + "\0" in arguments
        return pid if is_ours and state != "Z" else None

    def _spawn(self, name, port, arguments, environment=None):
        """In a session of its own, so that Ctrl-C in the terminal ends the script and not the cluster."""
        # A process that was ended holds its port a moment longer than its name: until its last thread is gone.
        deadline = time.monotonic() + 10
        while not _is_free(port) and time.monotonic() < deadline:
            time.sleep(0.05)
        if not _is_free(port):  # without this, another server's answers would be taken for this one's
            die(f"port {port} for {name} is in use by another process; choose another --base-port")
        with open(self.path(name + ".out"), "ab") as log:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=environment,
            )
        with open(self.path(name + ".pid"), "w", encoding="ascii") as file:
            file.write(f"{process.pid}\n")

    def _start_mongod(self, name, port, replica_set, role=None, environment=None):
        if self.pid(name):
            return
        os.makedirs(self.path(name), exist_ok=True)
        arguments = [self.config["mongod"]]
        arguments += ["--port", str(port), "--bind_ip", "127.0.0.1", "--nounixsocket"]
        arguments += ["--dbpath", self.path(name), "--logpath", self.path(name + ".log"), "--logappend"]
        arguments += ["--replSet", replica_set, "--oplogSize", str(self.config.get("oplog", 512))]
        arguments += ["--wiredTigerCacheSizeGB", "0.25"]
        arguments += ["--slowms", "5000"]
        parameters = {
            "diagnosticDataCollectionEnabled": "false",
            "periodicNoopIntervalSecs": self.config["noop"],
            "ttlMonitorSleepSecs": 1,
            "shutdownTimeoutMillisForSignaledShutdown": 100,
            "minSnapshotHistoryWindowInSeconds": 30,
        }
        parameters.update(dict(pair.split("=", 1) for pair in self.config["set"]))
        for key, value in parameters.items():
            arguments += ["--setParameter", f"{key}={value}"]
        if role:
            arguments.append(role)
        self._spawn(name, port, arguments + self.config["mongod_args"], environment)

    def stop(self, name, first_signal=signal.SIGTERM, seconds=20):
        """Ends a process and waits for it; a paused one is woken, one that does not end in time is killed."""
        pid = self.pid(name)
        if not pid:
            return
        for number, limit in ((first_signal, seconds), (signal.SIGKILL, 5)):
            try:
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, number)
            except ProcessLookupError:
                return
            deadline = time.monotonic() + limit
            while time.monotonic() < deadline:
                _reap(pid)
                if not self.pid(name):
                    return
                time.sleep(0.05)

    def signal(self, name, number):
        pid = self.pid(name)
        if pid:
            os.kill(pid, number)
        return pid

    # ------------------------------------------------------------ starting

    def start(self):
        """Brings up what is down. Every step finds out first whether it was done before."""
        try:
            self._bring_up()
        finally:
            if self._ports_lock:
                self._ports_lock.close()
                self._ports_lock = None

    def _bring_up(self):
        self._start_processes()
        self._initiate_replica_sets()
        for shard in self.shard_numbers:
            self._wait_for_members(shard)
        if not self.is_sharded:
            return
        self._wait_for("the config server", lambda: self.primary([self.config_port]))
        self._add_shards()
        if self.uses_standin:
            self._identify_query_routers()
        for number in self.router_numbers:
            self._start_router(number)
        self._set_balancer()

    def _start_processes(self):
        if self.is_sharded:
            self._start_mongod("cfg0", self.config_port, "cfg", "--configsvr")
        role = "--shardsvr" if self.is_sharded else None
        for shard in self.shard_numbers:
            for member, port in enumerate(self.shard_ports(shard)):
                self._start_mongod(self.member_name(shard, member), port, self.shard_name(shard), role)
        if self.uses_standin:
            shim = os.path.join(programs.build_standin(), "mongod-router-shim.so")
            for number in self.router_numbers:
                port = self.query_router_port(number)
                self._start_mongod(f"qr{number}", port, f"qr{number}", "--shardsvr", {**os.environ, "LD_PRELOAD": shim})

    def _initiate_replica_sets(self):
        journal = {} if self.config["majority_journal"] else {"writeConcernMajorityJournalDefault": False}
        if self.is_sharded:
            self._initiate("cfg", [self.config_port], {"configsvr": True})
        for shard in self.shard_numbers:
            self._initiate(self.shard_name(shard), self.shard_ports(shard), journal)
        if self.uses_standin:
            for number in self.router_numbers:
                self._initiate(f"qr{number}", [self.query_router_port(number)], {})

    def _initiate(self, name, ports, extra):
        # All of them: a set cannot be made while a member does not answer.
        answers = self._wait_for(name, lambda: all(found := [hello(port) for port in ports]) and found)
        if answers[0].get("setName"):
            return
        members = [
            {"_id": index, "host": f"127.0.0.1:{port}", "priority": 2 if index == 0 else 1}
            for index, port in enumerate(ports)
        ]
        # Short elections: tests wait for them.
        settings = {"electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500}
        try:
            set_up = {"_id": name, "members": members, "settings": settings, **extra}
            command(ports[0], "admin", {"replSetInitiate": set_up})
        except CommandError as error:
            if "already initialized" not in str(error):
                raise

    def _wait_for_members(self, shard):
        ports, name = self.shard_ports(shard), self.shard_name(shard)

        def all_ready():
            answers = [hello(port) for port in ports]
            return all(answer and (answer.get("isWritablePrimary") or answer.get("secondary")) for answer in answers)

        self._wait_for(f"a primary of {name}", lambda: self.primary(ports))
        self._wait_for(f"all members of {name}", all_ready)

    def _add_shards(self):
        known = {shard["_id"] for shard in find(self.config_port, "config", "shards")}
        for shard in self.shard_numbers:
            name = self.shard_name(shard)
            if name not in known:
                request = {"_configsvrAddShard": f"{name}/{_hosts(self.shard_ports(shard))}", "name": name, **MAJORITY}
                self._wait_for(f"addShard {name}", lambda: command(self.config_port, "admin", request))

    def _identify_query_routers(self):
        """Makes each query router believe that it is a shard of this cluster (README.md, "How it works", 2)."""
        for number in self.router_numbers:
            port = self.query_router_port(number)
            self._wait_for(f"query router {number}", lambda: self.primary([port]))
            if find(port, "admin", "system.version", {"_id": "shardIdentity"}):
                continue
            identity = {
                "_id": "shardIdentity",
                "shardName": f"standin-router-{number}",
                "clusterId": find(self.config_port, "config", "version")[0]["clusterId"],
                "configsvrConnectionString": f"cfg/127.0.0.1:{self.config_port}",
            }
            command(port, "admin", {"insert": "system.version", "documents": [identity], **MAJORITY})

    def _start_router(self, number):
        name, port = f"router{number}", self.router_port(number)
        if not self.pid(name):
            common = ["--configdb", f"cfg/127.0.0.1:{self.config_port}", "--port", str(port)]
            common += ["--pidfilepath", self.path(name + ".pid")]
            if self.config["mongos"]:
                log = ["--logpath", self.path(name + ".log"), "--logappend"]
                self._spawn(
                    name, port, [self.config["mongos"], *common, "--bind_ip", "127.0.0.1", "--nounixsocket", *log]
                )
            else:
                program = os.path.join(programs.build_standin(), "mongos-standin")
                query_router = f"127.0.0.1:{self.query_router_port(number)}"
                self._spawn(name, port, [program, *common, "--router", query_router, "-v"])
        self._wait_for(
            f"router {number}", lambda: command(port, "admin", {"ping": 1}) and find(port, "config", "shards")
        )

    def _set_balancer(self):
        verb = "Start" if self.config["balancer"] else "Stop"
        try:
            command(self.config_port, "admin", {f"_configsvrBalancer{verb}": 1})
        except CommandError as error:
            say(f"mongo-cluster: {error}")

    def _wait_for(self, what, attempt, seconds=60):
        deadline = time.monotonic() + seconds
        reason = "no answer"
        while time.monotonic() < deadline:
            try:
                result = attempt()
                if result:
                    return result
            except (OSError, CommandError) as error:
                reason = str(error)
            time.sleep(0.1)
        die(f"timed out waiting for {what} ({reason}); see the logs in {self.folder}")

    # ------------------------------------------------------------ looking and breaking

    def primary(self, ports):
        """The port of the primary among these, or None."""
        for port in ports:
            answer = hello(port)
            if answer and answer.get("isWritablePrimary"):
                return port
        return None

    def wait_for_primary(self, shard):
        return self._wait_for("a primary", lambda: self.primary(self.shard_ports(shard)))

    def members(self, shard, member=None, everyone=False):
        """The process names that a command is about: one member, all of them, or the primary."""
        if shard not in self.shard_numbers:
            die(f"no shard {shard}")
        count = self.config["replicas"]
        if everyone:
            chosen = range(count)
        elif member is not None:
            if not 0 <= member < count:
                die(f"no member {member}")
            chosen = [member]
        else:
            chosen = [self.shard_ports(shard).index(self.wait_for_primary(shard))]
        return [self.member_name(shard, index) for index in chosen]

    def step_down(self, shard):
        """Deposes the primary for 10 s and waits for the next one. Returns both ports."""
        self.members(shard, everyone=True)
        ports = self.shard_ports(shard)
        old = self.wait_for_primary(shard)
        try:
            command(old, "admin", {"replSetStepDown": 10, "force": True})
        except OSError:
            pass  # some versions close the connection in place of an answer

        def next_primary():
            port = self.primary(ports)
            return port if port and (port != old or len(ports) == 1) else None

        return old, self._wait_for("another primary", next_primary)

    def down(self, wipe):
        if not self.config:
            return
        names = list(reversed(self.processes()))
        for name in names:  # routers first: they would report every shard that goes
            if name.startswith("router"):
                self.stop(name)
        for name in names:  # all at once, then wait for each
            self.signal(name, signal.SIGCONT)
            self.signal(name, signal.SIGTERM)
        for name in names:
            self.stop(name)
        if wipe:
            shutil.rmtree(self.folder, ignore_errors=True)

    def print_status(self):
        router = f", router: {self.config['mongos'] or 'stand-in'}" if self.is_sharded else ""
        print(f"{self.config['mode']} in {self.folder}{router}")
        for name, port in self.processes().items():
            pid = self.pid(name)
            print(f"  {name:10} port {port} pid {pid or '-':<8} {_state(port) if pid else 'down'}")
        for shard in self.shard_numbers:
            name = self.shard_name(shard)
            print(f"  uri of {name}: mongodb://{_hosts(self.shard_ports(shard))}/?replicaSet={name}")


def _hosts(ports):
    return ",".join(f"127.0.0.1:{port}" for port in ports)


def _state(port):
    answer = hello(port)
    if not answer:
        return "no answer"
    if answer.get("msg") == "isdbgrid":
        return "router"
    if answer.get("isWritablePrimary"):
        return "primary"
    return "secondary" if answer.get("secondary") else "other"


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _reap(pid):
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass  # not started by this run of the script
