"""ICE servers in `ready` and on demand (SPEC LK-18), and what a real coturn does with them (docs/turn.md)."""

import asyncio
import base64
import hashlib
import hmac
import os
import subprocess
import sys
import time

import pytest
import socketio
from browsers import DuetNode
from processes import PROJECT, SCRIPTS, Node, executable, wait_for
from relay import Relay, TurnClient

sys.path.insert(0, str(SCRIPTS))
from turn_cut import user_hash  # noqa: E402

SECRET = "a secret of more than 16 bytes"
STUN = "stun:stun.app.example:3478"


def credential(secret, username):
    return base64.b64encode(hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()).decode()


class Client:
    """A client that speaks the product's events."""

    def __init__(self, url, user="alice", version=1):
        self._url, self._user, self._version = url, user, version
        self._events = asyncio.Queue()

    async def __aenter__(self):
        self._client = socketio.AsyncClient(reconnection=False)
        self._client.on("*", self._keep)
        auth = {"user": self._user, "client": "laptop"}
        if self._version:
            auth["v"] = self._version
        await self._client.connect(self._url, auth=auth, transports=["websocket"])
        return self

    async def __aexit__(self, *_):
        await self._client.disconnect()

    async def _keep(self, name, *arguments):
        await self._events.put((name, *arguments))

    async def next(self, name):
        while True:
            found, *arguments = await asyncio.wait_for(self._events.get(), 30)
            if found == name:
                return arguments[0]

    async def emit(self, *event):
        await self._client.emit(*event)

    async def call(self, *event):
        return await self._client.call(*event, timeout=30)


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    folder = tmp_path_factory.mktemp("turn")
    options = ["--ice-server", STUN, "--turn-url", "turn:turn.app.example:3478", "--turn-lifetime", "600"]
    started = Node(folder, "node-1", "serve", options=options, environment={"SUBMERGENCE_TURN_SECRET": SECRET})
    started.wait_until_ready()
    yield started
    started.stop()


def test_ready_and_ice_have_fresh_credentials_of_the_user(node):
    async def scenario():
        async with Client(node.url) as alice, Client(node.url, "bob") as bob:
            ready = await alice.next("ready")
            assert ready["iceServers"][0] == {"urls": [STUN]}
            relay = ready["iceServers"][1]
            assert relay["urls"] == ["turn:turn.app.example:3478"]
            expiry, name = relay["username"].split(":")
            assert relay["credential"] == credential(SECRET, relay["username"])
            assert ready["iceExpires"] == int(expiry) * 1000
            assert abs(int(expiry) - time.time() - 600) < 60
            assert "alice" not in name

            # Answered with the id, and acknowledged with the same object (WS-1).
            await alice.emit("ice", {"_id": 7})
            answer = await alice.next("ice")
            assert answer["_id"] == 7 and answer["iceServers"][1]["username"].endswith(":" + name)
            acknowledged = await alice.call("ice", {"_id": "x"})
            assert acknowledged["_id"] == "x" and acknowledged == await alice.next("ice")

            other = (await bob.next("ready"))["iceServers"][1]["username"].split(":")[1]
            assert other != name

    asyncio.run(scenario())


def test_every_request_is_answered(node):
    """Also what is malformed, and what is over the rate: `link`'s, 5 a second with a burst of 20."""

    async def scenario():
        async with Client(node.url) as alice:
            for wrong in ("text", ["list"], {"_id": {}}, {"_id": 1.5}, None):
                assert (await alice.call("ice", wrong))["error"] == "INVALID"
            answers = await asyncio.gather(*(alice.call("ice", {"_id": number}) for number in range(40)))
            assert {answer["_id"] for answer in answers} == set(range(40))
            refused = [answer for answer in answers if answer.get("error") == "BUSY"]
            assert 0 < len(refused) < 40
        assert node.metric('submergence_ice_requests_total{outcome="busy"}') == len(refused)
        assert node.metric('submergence_ice_requests_total{outcome="invalid"}') == 5
        assert node.metric('submergence_limits_hit_total{limit="links"}') == len(refused)
        assert node.metric("submergence_turn_credentials_total") > 0

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "options, words",
    [
        (["--turn-url", "turn:turn.app.example"], "relays need a secret"),
        (["--ice-server", "https://app.example"], "begins with stun: or stuns:"),
        (["--turn-url", "turn:t", "--turn-secret-file", "/dev/null"], "mode 0600"),
    ],
)
def test_what_cannot_work_stops_the_start(options, words):
    environment = {name: value for name, value in os.environ.items() if name != "SUBMERGENCE_TURN_SECRET"}
    done = subprocess.run(
        [executable(), "serve", "--dev", "--port", "0", *options],
        check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, timeout=60,
    )  # fmt: skip
    assert done.returncode == 69 and words in done.stderr, done.stderr
    assert SECRET not in done.stderr


def test_relay_takes_them_and_only_the_cut_ends_an_allocation(tmp_path):
    """What docs/turn.md says of kicked users: measured, not believed."""
    with Relay(tmp_path) as relay:
        options = ["--turn-url", relay.url, "--turn-secret-file", relay.secret_file, "--turn-lifetime", "10"]
        node = DuetNode(tmp_path, "node-1", "Duet", options=options)
        try:
            node.wait_until_ready()

            async def ready():
                async with Client(node.url) as alice:
                    return await alice.next("ready")

            (server,) = asyncio.run(ready())["iceServers"]
        finally:
            node.stop()
        client = TurnClient(relay.port, server["username"], server["credential"])
        assert client.allocate() > 0
        # Credentials that have run out open nothing …
        expiry = int(server["username"].split(":")[0])
        time.sleep(max(0, expiry + 1.5 - time.time()))
        late = TurnClient(relay.port, server["username"], server["credential"])
        assert late.allocate() == -401
        # … but what is open can be kept open for ever …
        assert client.refresh() > 0

        # … until somebody cuts it.
        def cut(*options):
            command = [SCRIPTS / "turn_cut.py", "--cli", f"127.0.0.1:{relay.cli_port}", "--domain", "localhost"]
            command += ["--user", "alice", "--secret-file", relay.secret_file, *options]
            environment = {**os.environ, "TURN_CLI_PASSWORD": relay.password}
            done = subprocess.run(command, check=True, env=environment, capture_output=True, text=True, timeout=60)
            return int(done.stdout)

        assert cut() == 1
        assert client.refresh() == -401
        assert cut() == 0
        for one in (client, late):
            one.close()


def test_cut_goes_on_while_credentials_are_good(tmp_path):
    """With --for: whatever the user opens meanwhile is ended, too; nobody else's is."""
    with Relay(tmp_path) as relay:
        command = [SCRIPTS / "turn_cut.py", "--cli", f"127.0.0.1:{relay.cli_port}", "--domain", "localhost"]
        command += ["--user", "alice", "--secret-file", relay.secret_file, "--for", "6", "--every", "0.5"]
        environment = {**os.environ, "TURN_CLI_PASSWORD": relay.password}
        cutting = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        other = TurnClient(relay.port, *relay.credentials(60, user_hash(relay.secret, "localhost", "bob")))
        assert other.allocate() > 0
        for _ in range(2):
            client = TurnClient(relay.port, *relay.credentials(60, user_hash(relay.secret, "localhost", "alice")))
            assert client.allocate() > 0
            wait_for("the cut", lambda client=client: client.refresh() < 0, 30)
            client.close()
        assert int(cutting.communicate(timeout=60)[0]) == 2
        assert other.refresh() > 0
        other.close()


def test_shipped_configuration_keeps_users_out_of_the_network(tmp_path):
    with Relay(tmp_path, PROJECT / "compose/coturn.conf") as relay:
        client = TurnClient(relay.port, *relay.credentials(60))
        assert client.allocate() == 600
        inside = [
            "127.0.0.1",
            "127.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
        ]
        inside += ["100.64.0.1", "224.0.0.1", "255.255.255.255", "0.0.0.0"]
        assert {address: client.permit(address) for address in inside} == dict.fromkeys(inside, -403)
        assert client.permit("8.8.8.8") == 0
        client.close()


def test_secret_rotates_while_the_node_runs(tmp_path):
    path = tmp_path / "secret"
    path.write_text("the first secret of all\n")
    path.chmod(0o600)
    options = ["--turn-url", "turn:turn.app.example", "--turn-secret-file", path, "--signing-key-refresh", "0.2"]
    node = Node(tmp_path, "node-1", "serve", options=options)
    try:
        node.wait_until_ready()

        async def scenario():
            async with Client(node.url) as alice:
                relay = (await alice.next("ready"))["iceServers"][0]
                assert relay["credential"] == credential("the first secret of all", relay["username"])
                # What cannot be used changes nothing, and is counted.
                path.chmod(0o644)
                while node.metric("submergence_turn_secret_reads_failed_total") == 0:
                    await asyncio.sleep(0.1)
                relay = (await alice.call("ice", {}))["iceServers"][0]
                assert relay["credential"] == credential("the first secret of all", relay["username"])
                path.write_text("the second secret is this\n")
                path.chmod(0o600)
                while "the secret of the relays has changed" not in node.log():
                    await asyncio.sleep(0.1)
                relay = (await alice.call("ice", {}))["iceServers"][0]
                assert relay["credential"] == credential("the second secret is this", relay["username"])

        asyncio.run(asyncio.wait_for(scenario(), 60))
    finally:
        node.stop()
