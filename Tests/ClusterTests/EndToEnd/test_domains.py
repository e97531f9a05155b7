"""Configurations of domains, stored for all nodes and changed while they run (SPEC RM-4; docs/webhooks.md)."""

import asyncio
import json

import pymongo
import pytest
import requests
from callers import Browser, Caller
from processes import Node, wait_for
from receiver import OTHER, SECRET, Receiver, is_signed
from test_control import command

PRIVATE = ["--webhook-private-target", "127.0.0.0/8"]
ENVIRONMENT = {"SUBMERGENCE_WEBHOOK_SECRET": SECRET}


class Config:
    """A domain's configuration, through one node."""

    def __init__(self, node, domain="localhost", secret=None):
        self.url = f"http://127.0.0.1:{node.control_port}/v1/config/{domain}"
        self._headers = {"authorization": f"Bearer {secret}"} if secret else {}

    def get(self):
        return requests.get(self.url, headers=self._headers, timeout=30)

    def put(self, configuration, version=None, **headers):
        body = {"configuration": configuration} | ({} if version is None else {"version": version})
        return requests.put(self.url, json=body, headers=self._headers | headers, timeout=30)


def answer(response):
    return response.status_code, response.json()


@pytest.fixture
def started(tmp_path):
    """Starts nodes with a secret for their webhooks, and ends them."""
    running = []

    def start(mongo, *options, environment=ENVIRONMENT):
        node = Node(tmp_path, f"node-{len(running) + 1}", "serve", mongo, [*PRIVATE, *options], environment)
        running.append(node)
        return node.wait_until_ready()

    yield start
    for node in running:
        node.stop()


def ask(node, method, path, body=None, headers=None):
    return asyncio.run(Browser().request(method, node.url, path, body, headers))[:2]


def test_what_one_node_stores_all_go_by(mongo, started):
    with Receiver() as old, Receiver() as new:
        # This one's own configuration says something else.
        flags = ["--webhook", old.url, "--webhook-action", "POST /old"]
        first, second = started(mongo), started(mongo, *flags)
        shown = Config(second).get().json()
        assert (shown["version"], shown["source"]) == (0, "node")
        assert shown["configuration"] == {"target": old.url, "actions": ["POST /old"]}
        assert ask(second, "POST", "/old", {})[0] == 200

        schema = {"type": "object", "properties": {"text": {"type": "string", "pattern": "^(a+)+$"}}}
        document = {
            "target": new.url,
            "hooks": ["liveConnection"],
            "actions": ["* /any/*", {"action": "POST /posts/:id", "body": schema}],
        }
        response = Config(first).put(document, 0)
        assert answer(response) == (200, {"domain": "localhost", "version": 1})
        assert response.headers["ETag"] == '"1"'
        wait_for("the other node to be told", lambda: Config(second).get().json()["applied"] == 1)
        new.answers["action"] = lambda request: {"content": request.body["params"]}
        for node in (first, second):
            assert ask(node, "POST", "/posts/7", {"text": "aaa"}) == (200, {"id": "7"})
        request = new.of("action")[-1]
        assert is_signed(request.headers, request.raw, SECRET) and request["domain"] == "localhost"
        # The schema counts, and its patterns cannot hang a node; what was there before is gone.
        status, content = ask(second, "POST", "/posts/7", {"text": "a" * 40 + "!"})
        assert (status, content["error"], content["path"]) == (400, "SCHEMA", "/text")
        assert ask(second, "POST", "/old", {}) == (404, {"error": "NOT_FOUND"})
        assert len(old.requests) == 1

        new.answers["liveConnection"] = lambda request: {"events": [["welcome", request["user"]]]}

        async def greeted():
            async with Caller(second.url, "alice", v=1) as caller:
                await caller.until(lambda caller: ("welcome", ["alice"]) in caller.received)

        asyncio.run(greeted())

        # What is stored is told as it was, and by whom.
        shown = Config(second).get()
        assert shown.headers["ETag"] == '"1"'
        shown = shown.json()
        assert (shown["source"], shown["configuration"], shown["author"]) == ("stored", document, "development")

        # A node that starts afterwards has it, whatever its flags say.
        third = started(mongo, *flags)
        assert ask(third, "PUT", "/any/thing")[0] == 200
        assert Config(third).get().json()["applied"] == 1

        # Without target and actions nothing is forwarded any more.
        fourth = started(mongo, "--signing-key-refresh", "0.2")
        gauge = 'submergence_domain_configuration_version{domain="localhost"}'
        assert fourth.metric(gauge) == 1
        assert Config(first).put({}, **{"if-match": '"1"'}).json()["version"] == 2
        for node in (first, second, third, fourth):
            wait_for("the configuration to end", lambda node=node: node.metric(gauge) == 2)
            assert ask(node, "PUT", "/any/thing")[0] == 404
        assert first.metric("submergence_domain_configurations_refused_total") == 0

        # A message may be lost: here nobody sends one.
        with pymongo.MongoClient(mongo.uri) as client:
            change = {"v": 3, "b": json.dumps(document).encode()}
            client.submergence.Domains.update_one({"_id": "localhost", "v": 2}, {"$set": change})
        wait_for("the change to be found", lambda: fourth.metric(gauge) == 3)
        assert ask(fourth, "PUT", "/any/thing")[0] == 200


def test_a_stale_version_is_refused_everywhere(mongo, started):
    options = ["--collection-prefix", "stale_"]
    with Receiver() as receiver:
        first, second = started(mongo, *options), started(mongo, *options)

        def document(number):
            return {"target": receiver.url, "actions": [f"GET /v{number}"]}

        assert answer(Config(first).put(document(1), 1))[0] == 412
        assert Config(first).put(document(1), 0).status_code == 200
        for attempt in ({"version": 0}, {"version": 2}, {"if-match": '"0"'}):
            status, content = answer(Config(second).put(document(9), **attempt))
            assert (status, content["error"], content["version"]) == (412, "VERSION", 1)
            assert "version 1 is stored" in content["message"]
        # Of many at once on two nodes one wins.
        configs = [Config(node) for node in (first, second) for _ in range(6)]

        async def race():
            return await asyncio.gather(
                *(asyncio.to_thread(config.put, document(number), 1) for number, config in enumerate(configs))
            )

        answers = asyncio.run(race())
        assert sorted(each.status_code for each in answers) == [200] + [412] * 11
        winner = [each.status_code for each in answers].index(200)
        for node in (first, second):
            wait_for("all to go by the winner", lambda node=node: Config(node).get().json()["applied"] == 2)
            assert ask(node, "GET", f"/v{winner}")[0] == 200

        # The commands: what get prints, put takes.
        url = ["--url", f"http://127.0.0.1:{second.control_port}"]
        status, text, _ = command("config", "get", "localhost", *url)
        assert status == 0 and json.loads(text)["configuration"] == document(winner)


def test_the_commands_change_it(started, tmp_path):
    """On one node without a database, where it lasts as long as the node."""
    node = started(None)
    url = ["--url", f"http://127.0.0.1:{node.control_port}"]
    file = tmp_path / "app.json"
    status, text, _ = command("config", "get", "localhost", *url)
    assert status == 0 and json.loads(text)["version"] == 0
    file.write_text(text)
    assert command("config", "put", "localhost", file, *url)[:2] == (0, "1\n")
    status, _, errors = command("config", "put", "localhost", file, *url)
    assert status == 1 and "VERSION" in errors and "get it again" in errors
    file.write_text('{"version": 1, "configuration": {"colour": 1}}')
    status, _, errors = command("config", "put", "localhost", file, *url)
    assert status == 1 and "/colour" in errors
    file.write_text("[]")
    assert command("config", "put", "localhost", file, *url)[0] == 69
    assert command("config", "put", "localhost", tmp_path / "none", *url)[0] == 69
    assert command("config", "get", "other.example", *url)[0] == 1


def test_wrong_documents_are_named(started):
    node = started(None)
    config = Config(node)
    status, content = answer(
        config.put(
            {
                "target": "https://b.example/",
                "secret": SECRET,
                "hooks": ["all"],
                "actions": ["GET ~/(a", {"action": "GET /a", "body": {"type": "colour"}}, "GET ~/(?=a)"],
            },
            0,
        )
    )
    assert (status, content["error"]) == (400, "CONFIGURATION")
    places = {mistake["path"]: mistake["message"] for mistake in content["mistakes"]}
    assert sorted(places) == ["/actions/0", "/actions/1/body/type", "/actions/2", "/hooks/0", "/secret"]
    assert "stay with the nodes" in places["/secret"] and "look-ahead" in places["/actions/2"]
    # The rules of flags hold: no request to where the operator has not allowed one.
    for target in ("https://169.254.169.254/latest", "https://[::1]/", "http://10.0.0.1/"):
        content = config.put({"target": target}, 0).json()
        assert [mistake["path"] for mistake in content["mistakes"]] == ["/target"], target
    assert config.put({}, None).json()["path"] == "/version"
    assert config.put([], 0).json()["path"] == "/configuration"
    assert config.put({}, -1).json()["path"] == "/version"
    assert config.put({}, 0, **{"if-match": "*"}).json()["error"] == "IF_MATCH"
    assert config.put({"target": "x" * 300_000}, 0).status_code == 413
    assert config.get().json()["version"] == 0
    assert Config(node, "other.example").get().json() == {"error": "DOMAIN"}
    paths = requests.get(f"http://127.0.0.1:{node.control_port}/v1/openapi.json", timeout=30).json()["paths"]
    described = paths["/v1/config/{domain}"]
    assert sorted(described) == ["get", "put"]
    assert [part["name"] for part in described["put"]["parameters"]] == ["domain", "If-Match"]
    assert "412" in described["put"]["responses"]


def test_keys_and_secrets_are_of_one_domain(mongo, started, tmp_path):
    """Every domain has its own configuration, secret and keys; one without a secret forwards nothing."""
    keys = tmp_path / "control-keys"

    def key(name, *more):
        return command("keys", "create", name, "--file", keys, *more)[1].strip()

    shop = key("shop", "--domain", "shop.example", "--scope", "config")
    other = key("other", "--domain", "app.example", "--scope", "config")
    sender = key("sender", "--scope", "send")
    everything = key("deploy", "--scope", "config", "--scope", "audit")
    signing = tmp_path / "signing-keys"
    signing.write_text("A" * 43 + "\n")
    secrets = tmp_path / "shop-secret"
    secrets.write_text(OTHER + "\n")
    for path in (signing, secrets):
        path.chmod(0o600)
    flags = ["--control-keys", keys, "--signing-keys", signing, "--collection-prefix", "keys_"]
    for domain in ("app.example", "shop.example", "bare.example"):
        flags += ["--domain", domain]
    flags += ["--webhook-domain-secret", f"shop.example={secrets}"]

    class Production(Node):
        def _program(self, command):
            return [arguments for arguments in super()._program(command) if arguments != "--dev"]

    node = Production(tmp_path, "production", "serve", mongo, [*PRIVATE, *flags], ENVIRONMENT)
    try:
        node.wait_until_ready()
        with Receiver(OTHER) as receiver:
            document = {"target": receiver.url, "actions": ["GET /me"]}
            assert Config(node, "shop.example", shop).put(document, 0).status_code == 200
            for secret in (other, sender):
                config = Config(node, "shop.example", secret)
                for response in (config.get(), config.put(document, 1)):
                    assert response.status_code == 403 and response.json()["error"] in ("DOMAIN", "SCOPE")
            assert Config(node, "shop.example").get().status_code == 401
            status, content = answer(Config(node, "bare.example", everything).put(document, 0))
            assert (status, content["error"]) == (409, "SECRET") and "none for this domain" in content["message"]

            def me(host):
                return requests.get(
                    node.url + "/me", headers={"host": host, "x-forwarded-proto": "https"}, timeout=30
                ).status_code

            assert [me(host) for host in ("shop.example", "app.example")] == [200, 404]
            assert receiver.unsigned == [] and receiver.requests[0]["domain"] == "shop.example"
            url = f"http://127.0.0.1:{node.control_port}/v1/audit"
            audit = requests.get(url, headers={"authorization": f"Bearer {everything}"}, timeout=30).json()
            (entry,) = [entry for entry in audit["entries"] if entry["action"] == "config"]
            assert (entry["key"], entry["domain"]) == ("shop", "shop.example")
    finally:
        node.stop()
