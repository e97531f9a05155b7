"""compose/: what is in its files is what the executable takes, and its scripts do what they say (on real servers).

There is no container engine here, so no image is built and no container is run. docker-compose reads the file; the
nodes' options, the proxy's configuration and the secrets run as processes in test_deployment.py; the scripts that set
MongoDB up, below.
"""

import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time

import pymongo
import pymongo.errors
import pytest
import yaml
from bson import json_util
from composed import COMPOSE, flags, known_flags, project
from processes import PROJECT, Mongo, free_port, wait_for
from relay import TurnClient, answers
from secured_mongo import init_db

sys.path.insert(0, str(PROJECT / "scripts/mongo"))
import programs  # noqa: E402  (found by the line before)

NODES = ("node1", "node2", "node3")
DOCKERFILE = (COMPOSE / "Dockerfile").read_text(encoding="utf8")
# "submergence keys create prometheus --file ...": words of the command, then what is named, then options.
USE = re.compile(r"submergence ((?:serve|init-db|keys create))\b([^>\n]*(?:\\\n[^>\n]*)*)")


@pytest.fixture(scope="module")
def services():
    return project()["services"]


def texts(service):
    """All that a service runs, as text."""
    parts = []
    for key in ("entrypoint", "command"):
        value = service.get(key) or []
        parts += [value] if isinstance(value, str) else value
    return " ".join(parts)


def test_every_option_is_one_of_the_executable(services):
    serve = known_flags("serve")
    for node in NODES:
        given = {name for name, _ in flags(node)}
        assert given and given <= serve, given - serve
    uses = [use for service in services.values() for use in USE.findall(texts(service))]
    assert {command for command, _ in uses} == {"serve", "init-db", "keys create"}
    for command, arguments in uses:
        given = set(re.findall(r"--[a-z][a-z-]+", arguments))
        assert given <= known_flags(*command.split()), (command, arguments)


def test_nodes_differ_in_name_and_label_only(services):
    commands = [dict(flags(node)) for node in NODES]
    assert [command["--name"] for command in commands] == list(NODES)
    labels = [command.pop("--session-label") for command in commands]
    for command in commands:
        command.pop("--name")
    assert commands[0] == commands[1] == commands[2]
    # The proxy sends a session that polls to the node whose label is in its id.
    nginx = (COMPOSE / "nginx.conf").read_text(encoding="utf8")
    for node, label in zip(NODES, labels, strict=True):
        assert f"upstream node_{label} {{ server {node}:{dict(flags(node))['--port']} max_fails=0; }}" in nginx


def test_ports_fit(services):
    options = dict(flags("node1"))
    assert f"EXPOSE {options['--port']} {options['--control-port']}" in DOCKERFILE
    control = options["--control-port"]
    health = " ".join(services["node1"]["healthcheck"]["test"])
    assert f"/dev/tcp/127.0.0.1/{control}" in health
    (scrape,) = yaml.safe_load((COMPOSE / "prometheus/prometheus.yml").read_text(encoding="utf8"))["scrape_configs"]
    assert scrape["static_configs"][0]["targets"] == [f"{node}:{control}" for node in NODES]
    assert services["test"]["environment"]["DEPLOYMENT_NODES"].split() == [f"http://{node}:{control}" for node in NODES]
    listened = re.search(r"listen (\d+) ssl", (COMPOSE / "nginx.conf").read_text(encoding="utf8")).group(1)
    assert services["nginx"]["ports"] == [f"127.0.0.1:443:{listened}/tcp"]
    assert project(8443)["services"]["nginx"]["ports"] == [f"127.0.0.1:8443:{listened}/tcp"]
    assert dict(flags("node1", 8443))["--public-port"] == "8443"
    subnet = project()["networks"]["front"]["ipam"]["config"][0]["subnet"]
    assert options["--trusted-proxy"] == subnet


def test_what_is_asked_for_health_and_metrics_is_there(services, nodes):
    (node,) = nodes.start(1)
    health = " ".join(services["node1"]["healthcheck"]["test"])
    (path,) = re.findall(r"GET (\S+) HTTP", health)
    assert node.control_status(path) == 200
    # Prometheus asks for /metrics where it is not told otherwise.
    assert "submergence_cluster_ready 1" in node.control("/metrics")


def make_secrets(folder):
    environment = {**os.environ, "CONFIGURATION": str(COMPOSE / "coturn.conf")}
    subprocess.run([COMPOSE / "secrets.sh", folder], check=True, env=environment, stdin=subprocess.DEVNULL)


def test_every_secret_that_is_read_is_made(services, tmp_path):
    make_secrets(tmp_path)
    first = (tmp_path / "node/signing-keys").read_text(encoding="ascii")
    make_secrets(tmp_path)
    assert (tmp_path / "node/signing-keys").read_text(encoding="ascii") == first
    made = {f"{file.parent.name}/{file.name}" for file in tmp_path.rglob("*") if file.is_file()}
    made |= {
        "node/control-keys",
        "metrics/metrics-key",
        "operator/key",
        "set-up/roles.js",
    }  # by submergence keys and init-db
    volumes = {}
    for mount in services["secrets"]["volumes"]:
        volume, path = mount.split(":")[:2]
        if path.startswith("/secrets/"):
            volumes[volume] = path.removeprefix("/secrets/")
    assert len(volumes) == 7
    used = set()
    readers = dict(services)
    readers.pop("secrets")
    for name, service in readers.items():
        text = texts(service) + " ".join(map(str, (service.get("environment") or {}).values()))
        if name == "nginx":
            text += (COMPOSE / "nginx.conf").read_text(encoding="utf8")
        if name == "prometheus":
            text += (COMPOSE / "prometheus/prometheus.yml").read_text(encoding="utf8")
        for mount in service.get("volumes") or []:
            volume, path = mount.split(":")[:2]
            if volume in volumes:
                used |= {f"{volumes[volume]}/{file}" for file in re.findall(rf"{path}/([\w.-]+)", text)}
    missing = {name for name in used if not name.endswith("/new")} - made
    assert "node/mongodb" in used and not missing, missing
    relay = (tmp_path / "turn/turnserver.conf").read_text(encoding="utf8")
    secret = (tmp_path / "node/turn-secret").read_text(encoding="utf8").strip()
    assert relay.endswith(f"static-auth-secret={secret}\n")


def test_the_relay_takes_what_the_nodes_sign(services, tmp_path):
    """coturn as in its container, with the secrets that are made: it knows the nodes', and no private network."""
    make_secrets(tmp_path)
    service = services["coturn"]
    program, *options = [*service["entrypoint"], *service["command"]]
    program = shutil.which(program, path=os.environ["PATH"] + ":/usr/bin:/usr/sbin")
    options = [option.replace("/secrets/", f"{tmp_path}/turn/") for option in options]
    port = free_port()
    options += ["--listening-ip=127.0.0.1", f"--listening-port={port}"]
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen([program, *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:

        def is_listening():
            assert process.poll() is None, (tmp_path / "log").read_text(encoding="utf8")
            return answers(port)

        wait_for("the relay to listen", is_listening)
        username = f"{int(time.time()) + 60}:somebody"
        secret = (tmp_path / "node/turn-secret").read_bytes().strip()
        code = base64.b64encode(hmac.new(secret, username.encode(), hashlib.sha1).digest()).decode()
        client = TurnClient(port, username, code)
        assert client.allocate() > 0
        assert client.permit("10.0.0.1") == -403 and client.permit("169.254.169.254") == -403
        client.close()
    finally:
        process.terminate()
        process.wait()
    ends = [next(o.split("=")[1] for o in options if o.startswith(f"--{end}-port")) for end in ("min", "max")]
    published = {str(mapping).split(":")[2] for mapping in service["ports"]}
    assert published == {"3478/tcp", "3478/udp"} | {f"{port}/udp" for port in range(int(ends[0]), int(ends[1]) + 1)}


def test_only_the_proxy_and_the_relay_can_be_reached(services):
    published = {name for name, service in services.items() if service.get("ports")}
    assert published == {"nginx", "coturn", "prometheus", "grafana"}
    for service in services.values():
        assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports") or [])
    assert project()["networks"]["data"]["internal"] is True


def test_containers_run_as_nobody_special(services):
    assert re.search(r"^USER (?!0\b|root\b)\S+", DOCKERFILE, re.MULTILINE)
    for node in NODES:
        assert services[node]["cap_drop"] == ["ALL"] and services[node]["read_only"] is True
    # A drain is --max-drain, 60 s, and some seconds; what kills a container waits longer.
    assert services["node1"]["stop_grace_period"] == "90s"


class Servers:
    """The config server and the shards of the compose project, with its key file, as processes. A router with
    authentication is not to be had: the config server, which has the cluster's users and shards, stands for it."""

    def __init__(self, folder, secrets):
        self._processes = []
        self._key = (secrets / "key-file").read_text(encoding="ascii")
        self.ports = {}
        for name, role in (("config", "--configsvr"), ("shard1", "--shardsvr"), ("shard2", "--shardsvr")):
            self.ports[name] = port = free_port()
            data = folder / name
            data.mkdir()
            command = [programs.find_mongod(), role, "--replSet", name, "--port", str(port), "--bind_ip", "127.0.0.1"]
            command += ["--keyFile", str(secrets / "key-file"), "--dbpath", str(data), "--nounixsocket"]
            command += ["--wiredTigerCacheSizeGB", "0.25", "--logpath", str(folder / f"{name}.log")]
            self._processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
        self.ports["router"] = self.ports["config"]

    def client(self, host, user=None, password=None, source="admin"):
        options = {"username": user, "password": password, "authSource": source} if user else {}
        return pymongo.MongoClient(
            "127.0.0.1", self.ports[host], directConnection=True, serverSelectionTimeoutMS=5000, **options
        )

    def run(self, request):
        """A command of mongosh_double.js, by the user and on the server that it names."""
        host, document = request["host"].split(":")[0], request["document"]
        name, *more = document
        given = [request.get("username"), request.get("password"), request["authenticationDatabase"]]
        with self.client(host, *given) as client:
            if name == "replSetInitiate":
                document[name]["members"][0]["host"] = f"127.0.0.1:{self.ports[host]}"
            if name == "listShards":
                return {"shards": list(client.config.shards.find())}
            if name == "addShard":
                assert (
                    client.admin.command("connectionStatus")["authInfo"]["authenticatedUserRoles"][0]["role"] == "root"
                )
                return self._add(*document[name].split("/"))
            return client.admin.command(name, document[name], **{key: document[key] for key in more})

    def _add(self, name, host):
        """What a router has the config server do, as itself."""
        address = f"{name}/127.0.0.1:{self.ports[host.split(':')[0]]}"
        with self.client("config", "__system", self._key, "local") as client:
            return client.admin.command("_configsvrAddShard", address, name=name, writeConcern={"w": "majority"})

    def end(self):
        for process in self._processes:  # told to end they would look for another primary first
            process.kill()
            process.wait()


@contextlib.contextmanager
def listening(servers):
    """Takes the commands of mongosh_double.js; gives the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            try:
                answer = servers.run(request)
            except pymongo.errors.PyMongoError as error:
                answer = {"failure": str(error)}
            body = json_util.dumps(answer, json_options=json_util.RELAXED_JSON_OPTIONS).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def test_the_scripts_that_set_mongodb_up(tmp_path):
    """Twice, as a container that is started again does it: one cluster with two shards, users with the least rights."""
    make_secrets(tmp_path / "made")
    secrets = tmp_path / "made/mongo"
    if os.geteuid() == 0:  # a key file must be its server's own
        for file in secrets.iterdir():
            os.chown(file, 0, 0)
    printed = tmp_path / "roles.js"
    plain = Mongo(shards=2)
    try:
        status, script, errors = init_db("--print-roles", "--mongodb", plain.uri)
        assert status == 0, errors
        printed.write_text(script, encoding="utf8")
    finally:
        for shard in (1, 2):  # told to end they would look for another primary first
            plain.command("kill-shard", shard, "--all")
        plain.down()
    tools = tmp_path / "tools"
    tools.mkdir()
    here = PROJECT / "Tests/ClusterTests/EndToEnd"
    (tools / "mongosh").symlink_to(here / "mongosh_double.js")
    servers = Servers(tmp_path, secrets)
    try:
        with listening(servers) as address:
            environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "DOUBLE_URL": address}

            def run(script, *arguments):
                done = subprocess.run(
                    [COMPOSE / "mongo" / script, secrets, *arguments],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    check=False,
                    env=environment,
                )
                assert done.returncode == 0, done.stdout + done.stderr
                return done.stdout

            for _ in range(2):
                assert "the cluster has two shards" in run("cluster.sh")
                assert run("users.sh", printed).count("are there") == 3
        password = {user: (secrets / user).read_text(encoding="ascii") for user in ("admin", "submergence")}
        with servers.client("config", "admin", password["admin"]) as client:
            assert sorted(shard["_id"] for shard in client.config.shards.find()) == ["shard1", "shard2"]
            names = {user["user"]: user["roles"][0]["role"] for user in client.admin.command("usersInfo", 1)["users"]}
            assert names == {"admin": "root", "submergence": "submergenceNode", "submergenceSetUp": "submergenceSetUp"}
        for shard in ("shard1", "shard2"):
            with servers.client(shard, "submergence", password["submergence"]) as client:
                inboxes = client[f"submergence_bus_{shard}"]
                assert inboxes.slot0.find_one() is None
                with pytest.raises(pymongo.errors.OperationFailure, match="not authorized"):
                    inboxes.slot0.insert_one({})
                with pytest.raises(pymongo.errors.OperationFailure, match="not authorized"):
                    client.submergence.Sessions.find_one()
    finally:
        servers.end()
