"""Everything that a test runs beside itself: MongoDB clusters, nodes, nginx. Each ends what it started."""

import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

PROJECT = pathlib.Path(__file__).resolve().parents[3]
SCRIPTS = PROJECT / "scripts"

# Inbox slots of the tests: a fraction of the default of 256 MiB, so that a slot wraps during a test.
SLOT_MIB = 4


def executable():
    """The submergence executable: $SUBMERGENCE_BIN, else the debug build."""
    path = pathlib.Path(os.environ.get("SUBMERGENCE_BIN", PROJECT / ".build/debug/submergence"))
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: swift build --product submergence, or set SUBMERGENCE_BIN")
    return str(path)


def _own_ports():
    """Below the range of outgoing connections; of several pytest processes (`-n`) each has ports of its own."""
    first, last = 12000, 19900
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    share = (last - first) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return range(first + share * worker, first + share * (worker + 1))


_ports = _own_ports()
_given = set()


def free_port():
    """A port that nobody listens on and that no other test was given."""
    while True:
        port = random.choice(_ports)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port


def wait_for(what, condition, seconds=60, interval=0.05):
    """Polls a condition of another process until it is true; returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(interval)


def peers_read(port):
    """The ports of the peers from whom the process that listens here has read everything that they sent, and more than
    nothing."""
    found = subprocess.run(
        ["ss", "-Htin", "state", "established", f"( sport = :{port} )"],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    lines = found.stdout.split("\n")
    # Two lines a connection: its queues and addresses, then what is known of it.
    pairs = [(lines[index].split(), lines[index + 1]) for index in range(0, len(lines) - 1, 2)]
    return {fields[3] for fields, details in pairs if fields[0] == "0" and "bytes_received:" in details}


class Mongo:
    """A sharded MongoDB cluster of its own, in a temporary folder, on free ports."""

    def __init__(self, shards=2, replicas=1):
        self._folder = tempfile.TemporaryDirectory(prefix="submergence-mongo-", ignore_cleanup_errors=True)
        self.shards = shards
        up = [str(SCRIPTS / "mongo-sharded-up.sh"), "--dir", self._folder.name, "--base-port", "0"]
        up += ["--shards", str(shards), "--replicas", str(replicas)]
        try:
            done = subprocess.run(up, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        except BaseException:
            self.down()
            raise
        self.uri = done.stdout.strip().split("\n")[-1]
        assert self.uri.startswith("mongodb://"), done.stdout
        with open(os.path.join(self._folder.name, "cluster.json"), encoding="utf8") as file:
            self._base = json.load(file)["base"]

    def command(self, *arguments):
        """Runs scripts/mongo/mongo-cluster on this cluster: stop-primary, kill-shard, pause-shard ..."""
        program = [str(SCRIPTS / "mongo/mongo-cluster"), *map(str, arguments), "--dir", self._folder.name]
        done = subprocess.run(program, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        return done.stdout

    def shard_uri(self, shard):
        """Directly to the first member of a shard, past the router."""
        return f"mongodb://127.0.0.1:{self._base + 100 * shard}/?directConnection=true&readPreference=primaryPreferred"

    def down(self):
        down = [str(SCRIPTS / "mongo-sharded-up.sh"), "--down", "--dir", self._folder.name]
        subprocess.run(down, check=False, stdin=subprocess.DEVNULL)
        self._folder.cleanup()


class ReplicaSet(Mongo):
    """One replica set without a router, on free ports: it has transactions, which the stand-in for a router has not."""

    def __init__(self, replicas=1):
        self._folder = tempfile.TemporaryDirectory(prefix="submergence-mongo-", ignore_cleanup_errors=True)
        try:
            # Without the parameter a server takes 15 s to end.
            patience = ["--set", "shutdownTimeoutMillisForSignaledShutdown=0"]
            up = self.command("replset", "--replicas", replicas, "--base-port", 0, *patience)
        except BaseException:
            self.down()
            raise
        self.uri = up.strip().split("\n")[-1]
        assert self.uri.startswith("mongodb://"), up


class Watched:
    """A process with a control listener and a log."""

    def control(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.control_port}{path}", timeout=30) as response:
            return response.read().decode()

    def metric(self, name):
        """The sum of a metric over its labels, or the one whose labels are given as well: `name{label="value"}`."""
        lines = self.control("/metrics").split("\n")
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((name + "{", name + " ")))

    def log(self):
        return self._log_path.read_text(encoding="utf8", errors="replace")


class Node(Watched):
    """One node process, which may be started again under the same name and on the same ports. `{port}` in an option is
    its port; `environment` is added to ours."""

    def __init__(self, folder, name, command="conformance", mongo=None, options=(), environment=None):
        self.name = name
        self.port = free_port()
        self.control_port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log_path = pathlib.Path(folder) / f"{name}-{self.port}.log"
        self._presence_path = pathlib.Path(folder) / f"{name}-{self.port}.presence"
        arguments = [*self._program(command), "--name", name]
        arguments += ["--port", str(self.port), "--control-port", str(self.control_port)]
        if mongo:
            arguments += ["--mongodb", mongo.uri, "--slot-size", str(SLOT_MIB)]
        arguments += [str(option).replace("{port}", str(self.port)) for option in options]
        self._arguments = arguments
        self.start(environment=environment)

    def _program(self, command):
        """What is run, and the options that only it has."""
        own = [executable(), command, "--log-presence", str(self._presence_path)]
        return own + (["--dev", "--address", self.url] if command == "serve" else [])

    def start(self, options=(), environment=None):
        """Starts it, or starts it again with further options; `environment` is added to ours."""
        with open(self._log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self._arguments, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
            )

    def wait_until_ready(self, seconds=60):
        def is_ready():
            assert self.is_running, f"{self.name} ended with {self.process.returncode}:\n{self.log()[-4000:]}"
            return self.control_status("/.well-known/submergence/ready") == 200

        wait_for(f"{self.name} to be ready", is_ready, seconds)
        return self

    @property
    def is_running(self):
        return self.process.poll() is None

    def presence(self):
        """What this node announced, in order: [{"t", "user", "client"?, "seq", "node"}]. A line that is still being
        written is left for the next call."""
        if not self._presence_path.exists():
            return []
        lines = self._presence_path.read_text(encoding="utf8").split("\n")
        return [json.loads(line) for line in lines[:-1]]

    @property
    def sessions_opened(self):
        return self.metric("submergence_engine_sessions_opened_total")

    def control_status(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.control_port}{path}", timeout=5) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def kill(self):
        """As a crash: no goodbye to anybody."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=60):
        """As an operator would. Returns the exit status; negative for a node that had to be killed."""
        if self.is_running:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode


class Nodes:
    """Starts nodes and remembers them, so that none outlives its test."""

    def __init__(self, folder):
        self._folder = folder
        self._all = []

    def start(self, count=1, command="conformance", mongo=None, options=()):
        """Starts nodes and waits until all are ready."""
        started = []
        for _ in range(count):
            node = Node(self._folder, f"node-{len(self._all) + 1}", command, mongo, options)
            self._all.append(node)
            started.append(node)
        for node in started:
            node.wait_until_ready()
        return started

    def all_running(self):
        return all(node.is_running for node in self._all)

    def end(self):
        for node in self._all:
            if node.is_running:
                node.process.send_signal(signal.SIGTERM)
        for node in self._all:
            node.stop()


class Example(Watched):
    """A program of Examples/ or Tests/Applications, which runs in development mode.

    `environment` is added to ours.
    """

    def __init__(self, folder, name, environment=None):
        self.port = free_port()
        self.control_port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log_path = pathlib.Path(folder) / f"{name}.log"
        ports = {"SUBMERGENCE_PORT": str(self.port), "SUBMERGENCE_CONTROL_PORT": str(self.control_port)}
        with open(self._log_path, "wb") as log:
            self.process = subprocess.Popen(
                [pathlib.Path(executable()).with_name(name)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **ports, **(environment or {})},
            )

        def is_listening():
            assert self.process.poll() is None, self._log_path.read_text(errors="replace")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        try:
            wait_for(f"{name} to listen", is_listening)
        except BaseException:
            self.process.kill()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


class Nginx:
    """nginx in front of nodes, with the configuration of scripts/up.sh, in a folder of its own."""

    def __init__(self, folder, nodes, body_size=None):
        """`body_size` replaces the configuration's `client_max_body_size`; "0" is any."""
        self.nodes = nodes
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self._folder = pathlib.Path(folder) / f"nginx-{self.port}"
        (self._folder / "tmp").mkdir(parents=True)
        config = [str(SCRIPTS / "nginx-config.sh"), str(self.port), *(str(node.port) for node in nodes)]
        done = subprocess.run(config, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        text = done.stdout
        if body_size is not None:
            text = text.replace("client_max_body_size 16m", f"client_max_body_size {body_size}")
        (self._folder / "nginx.conf").write_text(text, encoding="utf8")
        environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
        with open(self._folder / "start.log", "wb") as log:
            self.process = subprocess.Popen(
                ["nginx", "-p", f"{self._folder}/", "-c", "nginx.conf"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )

        def is_listening():
            assert self.process.poll() is None, (self._folder / "start.log").read_text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        wait_for("nginx to listen", is_listening)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
