"""The control API and the commands that use it, over two nodes (SPEC RM-1)."""

import asyncio
import json
import subprocess

import openapi_spec_validator
import pytest
import requests
from people import PATIENT, Tab
from processes import executable, wait_for
from test_identity import ProductTab, plain


class Control:
    """A backend of an application: asks one node's control listener."""

    def __init__(self, node, secret=None):
        self.url = f"http://127.0.0.1:{node.control_port}"
        self._headers = {"authorization": f"Bearer {secret}"} if secret else {}

    def post(self, path, **body):
        answer = requests.post(f"{self.url}/v1/{path}", json=body, headers=self._headers, timeout=30)
        return answer.status_code, answer.json()

    def get(self, path, **query):
        answer = requests.get(f"{self.url}/v1/{path}", params=query, headers=self._headers, timeout=30)
        return answer.status_code, answer.json()


def command(*arguments, environment=None):
    done = subprocess.run(
        [executable(), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def two(mongo, nodes):
    return nodes.start(2, mongo=mongo, options=PATIENT)


def test_events_reach_people_on_every_node(two):
    asyncio.run(events(*two))


async def events(first, second):
    control = Control(first)
    async with Tab(first.url, "alice", "laptop") as laptop, Tab(second.url, "alice", "phone") as phone:
        async with Tab(second.url, "bob") as bob:
            status, answer = await asyncio.to_thread(
                control.post, "event", user="alice", event=["msg", {"n": [1, 2.5, None, "é"]}], confirm=10
            )
            assert status == 200
            (recipient,) = answer["receipts"]
            assert recipient["user"] == "alice"
            assert recipient["receipt"]["confirmation"]["written"] == {"laptop": 1, "phone": 1}
            for tab in (laptop, phone):
                await tab.until(lambda tab: tab.messages() == [{"n": [1, 2.5, None, "é"]}])

            batch = [{"users": ["alice", "bob"], "event": ["msg", number]} for number in range(20)]
            batch.insert(10, {"user": "alice", "event": ["ready", 1]})
            batch.insert(11, {"user": "nobody", "event": ["msg", "lost"]})
            status, answer = await asyncio.to_thread(control.post, "events", events=batch)
            assert status == 200
            results = answer["events"]
            assert results[10]["error"]["error"] == "RESERVED"
            assert results[11]["receipts"][0]["receipt"]["didReceive"] is False
            assert all(
                receipt["receipt"]["didReceive"]
                for result in results[:10] + results[12:]
                for receipt in result["receipts"]
            )
            for tab in (laptop, phone, bob):
                await tab.until(lambda tab: tab.messages()[-20:] == list(range(20)))

            status, _ = await asyncio.to_thread(
                control.post, "event", user="alice", client="phone", event=["msg", "to the phone"]
            )
            assert status == 200
            await phone.until(lambda tab: tab.messages()[-1] == "to the phone")
            assert "to the phone" not in laptop.messages()


def test_presence_and_kick(two):
    asyncio.run(presence(*two))


async def presence(first, second):
    control = Control(second)
    async with Tab(first.url, "alice", "laptop") as laptop, Tab(second.url, "alice", "phone") as phone:
        status, answer = await asyncio.to_thread(control.post, "active", users=["alice", "carol"])
        alice, carol = answer["users"]
        assert status == 200 and alice["active"] and carol == {"user": "carol", "active": False, "devices": []}
        assert [(device["client"], device["connections"]) for device in alice["devices"]] == [
            ("laptop", 1),
            ("phone", 1),
        ]
        assert [device["nodes"] for device in alice["devices"]] == [[first.name], [second.name]]
        status, answer = await asyncio.to_thread(control.get, "active", user="alice", client="laptop")
        assert status == 200 and [device["client"] for device in answer["users"][0]["devices"]] == ["laptop"]

        assert (await asyncio.to_thread(control.post, "kick", user="alice", client="laptop"))[0] == 200
        await laptop.gone()
        assert phone.client.connected


def test_session_for_a_browser_and_for_a_program(two):
    """The cookies are those of a login; the token is taken by HTTP and by sockets, on every node, until a logout."""
    asyncio.run(session(*two))


async def session(first, second):
    control = Control(first)
    status, answer = await asyncio.to_thread(control.post, "sessions", user="dora", client="script")
    assert status == 200 and answer["loginEnds"] > 0
    bearer = {"authorization": f"Bearer {answer['token']}"}
    cookie = {"cookie": answer["cookies"][0].split(";")[0]}
    expected = {"standing": "active", "user": "dora", "client": "script"}
    async with plain() as http:

        async def agent(headers):
            async with http.get(second.url + "/agent", headers=headers) as reply:
                return reply.status, (await reply.json())["content"]

        assert await agent(bearer) == (200, {**expected, "domestic": True})
        assert await agent({**bearer, "origin": "https://evil.example"}) == (200, {**expected, "domestic": False})
        assert await agent(cookie) == (200, {**expected, "domestic": False})
        assert (await agent({"authorization": "Bearer v1." + "A" * 43}))[0] == 401
        async with ProductTab(second.url, None, {"token": answer["token"]}) as tab:
            (ready,) = await tab.until(lambda tab: tab.events("ready"))
            assert ready["user"] == "dora" and ready["client"] == "script"
            assert (await asyncio.to_thread(control.post, "logout", user="dora"))[0] == 200
            await tab.gone()
        assert (await agent(bearer))[0] == 401


def test_links_are_closed(nodes):
    (node,) = nodes.start(1, command="serve")
    asyncio.run(links(node))


async def links(node):
    control = Control(node)
    tabs = [ProductTab(node.url, None, {"user": user, "client": "laptop"}) for user in ("alice", "bob")]
    async with tabs[0] as alice, tabs[1] as bob:
        for tab in tabs:
            await tab.until(lambda tab: tab.events("ready"))
        opened = await alice.client.call("link", {"_id": 1, "query": {"user": "bob"}}, timeout=30)
        assert opened["token"]
        status, answer = await asyncio.to_thread(control.post, "links/close", user="bob")
        assert (status, answer) == (200, {"closed": 1})
        closed = {"token": opened["token"], "closed": True, "reason": "CLOSED"}
        for tab in (alice, bob):
            await tab.until(lambda tab: closed in tab.events("peer"))
        assert await asyncio.to_thread(control.post, "links/close", user="bob") == (200, {"closed": 0})


def test_mistakes_are_named(two):
    control = Control(two[0])
    assert control.post("event", user="alice", event=[])[1]["error"] == "SCHEMA"
    assert control.post("event", user="alice", event=[1])[1]["path"] == "/event/0"
    assert control.post("event", event=["msg"])[1]["path"] == "/user"
    assert control.post("event", user="a\0b", event=["msg"]) == (400, {"error": "IDENTITY"})
    assert control.post("event", user="alice", event=["msg"], domain="other.example") == (404, {"error": "DOMAIN"})
    assert control.post("event", user="alice", event=["msg"], delivery="latest")[1]["path"] == "/key"
    assert control.post("event", user="alice", event=["msg"], colour="red")[0] == 400
    assert control.get("nothing") == (404, {"error": "NOT_FOUND"})
    assert requests.get(control.url + "/v1/event", timeout=30).status_code == 405
    page = {"origin": "https://evil.example"}
    body = '{"user":"alice","event":["msg"]}'
    for headers in ({"content-type": "text/plain"}, {"content-type": "application/json", **page}):
        answer = requests.post(control.url + "/v1/event", data=body, headers=headers, timeout=30)
        assert (answer.status_code, answer.json()) == (403, {"error": "FOREIGN"})
    openapi_spec_validator.validate(control.get("openapi.json")[1])


def test_repeated_requests_are_carried_out_once(two):
    asyncio.run(repeated(*two))


async def repeated(first, second):
    """The same key and body, on any node and at once: one event, one answer."""
    async with Tab(second.url, "alice") as tab:

        def ask(node, key, number, path="event"):
            body = {"user": "alice", "event": ["msg", number]}
            return requests.post(
                f"http://127.0.0.1:{node.control_port}/v1/{path}",
                json=body if path == "event" else {"events": [body]},
                headers={"idempotency-key": key},
                timeout=30,
            )

        answers = await asyncio.gather(
            *(asyncio.to_thread(ask, node, "one", 1) for node in (first, second) for _ in range(8))
        )
        assert {answer.status_code for answer in answers} <= {200, 409}
        done = [answer.text for answer in answers if answer.status_code == 200]
        assert len(set(done)) == 1 and json.loads(done[0])["receipts"][0]["receipt"]["didReceive"]
        for node in (first, second):
            again = await asyncio.to_thread(ask, node, "one", 1)
            assert (again.status_code, again.text) == (200, done[0])
            for number, path in ((2, "event"), (1, "events")):
                other = await asyncio.to_thread(ask, node, "one", number, path)
                assert (other.status_code, other.json()["error"]) == (422, "IDEMPOTENCY_KEY")
        assert (await asyncio.to_thread(ask, first, "not a key", 1)).status_code == 400
        assert (await asyncio.to_thread(ask, first, "last", "end")).status_code == 200
        await tab.until(lambda tab: "end" in tab.texts)
        assert tab.messages() == [1, "end"]
    name = 'submergence_control_idempotent_requests_total{outcome="first"}'
    assert first.metric(name) + second.metric(name) == 2


def test_a_key_has_a_rate(nodes, tmp_path):
    file = tmp_path / "control-keys"
    secrets = [
        command("keys", "create", name, "--file", file, "--scope", "status")[1].strip() for name in ("fast", "slow")
    ]
    (node,) = nodes.start(1, command="serve", options=["--control-keys", str(file), "--control-rate", "1"])
    headers = {"authorization": f"Bearer {secrets[0]}"}
    with requests.Session() as session:
        for _ in range(1_100):
            answer = session.get(f"http://127.0.0.1:{node.control_port}/v1/status", headers=headers, timeout=30)
            if answer.status_code != 200:
                break
    assert (answer.status_code, answer.json()) == (429, {"error": "RATE"}) and answer.headers["Retry-After"] == "1"
    assert node.metric("submergence_control_rate_limited_total") == 1
    assert Control(node, secrets[1]).get("status")[0] == 200


def test_keys_are_made_used_and_revoked(nodes, tmp_path):
    file = tmp_path / "control-keys"
    made = [
        "keys",
        "create",
        "backend",
        "--file",
        file,
        "--domain",
        "localhost",
        "--scope",
        "send",
        "--scope",
        "status",
    ]
    status, secret, _ = command(*made)
    assert status == 0 and secret.startswith("smk_")
    assert secret.strip() not in file.read_text()
    assert command(*made)[0] == 1
    assert command("keys", "list", "--file", file)[1].split() == ["backend", "localhost", "send,status"]
    options = ["--control-keys", str(file), "--signing-key-refresh", "0.1"]
    (node,) = nodes.start(1, command="serve", options=options)
    control = Control(node, secret.strip())
    assert Control(node).get("status") == (401, {"error": "KEY"})
    assert control.post("event", user="alice", event=["msg"])[0] == 200
    assert control.post("kick", user="alice") == (403, {"error": "SCOPE", "scope": "kick"})

    url = ["--url", control.url]
    key_file = tmp_path / "secret"
    key_file.write_text(secret)
    status, text, _ = command("status", *url, "--key-file", key_file)
    assert status == 0 and node.name in text
    status, _, errors = command("status", *url)
    assert status == 1 and "--key-file" in errors
    assert command("send", "alice", "msg", '{"a":1}', *url, "--key-file", key_file)[0] == 0
    status, _, errors = command("kick", "alice", *url, "--key-file", key_file)
    assert status == 1 and "SCOPE" in errors

    assert command("keys", "revoke", "backend", "--file", file)[0] == 0
    assert command("keys", "revoke", "backend", "--file", file)[0] == 1
    wait_for("the key to be forgotten", lambda: control.get("status")[0] == 401)


def test_commands_name_what_is_wrong(nodes, tmp_path):
    status, _, errors = command("status", "--url", "http://127.0.0.1:1")
    assert status == 69 and "no node answers" in errors
    broken = tmp_path / "keys"
    broken.write_text("backend * sned AAAA\n")
    status, _, errors = command("keys", "list", "--file", broken)
    assert status == 69 and "line 1" in errors and '"sned" is no scope' in errors
    status, _, errors = command("serve", "--dev", "--port", "0", "--control-keys", broken)
    assert status == 69 and "cannot use the control keys" in errors and "line 1" in errors
    status, _, errors = command("keys", "create", "a b", "--file", tmp_path / "new", "--scope", "send")
    assert status == 64 and not (tmp_path / "new").exists()
