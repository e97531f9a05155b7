"""Actions and hooks over HTTP, for backends in any language (SPEC RM-2, RM-3; docs/webhooks.md)."""

import asyncio
import base64
import subprocess
import threading

import pytest
import requests
from callers import Browser, Caller
from certificates import Certificate
from linkers import Linker
from people import Tab
from processes import Node, executable, wait_for
from receiver import OTHER, SECRET, Backend, Receiver, is_signed, key_id, signatures


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    """Its breaker never opens: what fails here does so on purpose."""
    folder = tmp_path_factory.mktemp("webhooks")
    with Backend(folder, "--webhook-timeout", "2", "--webhook-breaker-threshold", "0") as started:
        yield started
        assert started.receiver.unsigned == []


@pytest.fixture
def asked(backend):
    """Forgets what earlier tests have asked."""
    backend.receiver.answers.clear()
    backend.receiver.requests.clear()
    return backend


def test_actions_have_one_reply_over_http_and_sockets(asked):
    def answer(request):
        call = request.body
        events = [["posted", call["params"]["id"]]]
        return {"status": 201, "content": {"got": call["body"], "query": call["query"]}, "events": events}

    asked.receiver.answers["action"] = answer

    async def scenario():
        browser = Browser()
        status, content, _ = await browser.request("POST", asked.node.url, "/posts/7%20x?a=b", {"text": "é"})
        assert (status, content) == (201, {"got": {"text": "é"}, "query": {"a": "b"}})
        (request,) = asked.receiver.of("action")
        assert request["version"] == "1" and request["domain"] == "localhost"
        assert request["action"] == "/posts/:id" and request["method"] == "POST"
        assert request["user"] is None and request["active"] == "false" and request["attempt"] == "1"
        assert request.body["params"] == {"id": "7 x"} and request.body["transport"] == "http"
        assert len(request["request"]) == 22
        assert is_signed(request.headers, request.raw, SECRET)
        assert not is_signed(request.headers, request.raw + b" ", SECRET)
        assert not is_signed({**request.headers, "x-submergence-user": "root"}, request.raw, SECRET)
        assert not is_signed(request.headers, request.raw, OTHER)

        async with Caller(asked.node.url, "jürgen", v=1) as caller:
            reply = await caller.call("POST", "/posts/8", body=[1])
            assert reply["status"] == 201 and reply["content"] == {"got": [1], "query": {}}
            assert reply["events"] == [["posted", "8"]]
            request = asked.receiver.of("action")[-1]
            assert (request["user"], request["client"], request["active"]) == ("jürgen", "laptop", "true")
            assert request.body["transport"] == "socket"

        # What is not forwarded is not asked; an application error is an answer like any other.
        asked.receiver.answers["action"] = lambda _: {"status": 403, "content": {"error": "OWNER"}}
        count = len(asked.receiver.of("action"))
        assert (await browser.request("GET", asked.node.url, "/posts/7"))[:2] == (405, {"error": "METHOD"})
        assert (await browser.request("GET", asked.node.url, "/other"))[:2] == (404, {"error": "NOT_FOUND"})
        assert len(asked.receiver.of("action")) == count
        assert (await browser.request("GET", asked.node.url, "/p/12"))[:2] == (403, {"error": "OWNER"})
        asked.receiver.answers["action"] = lambda _: None
        assert (await browser.request("PUT", asked.node.url, "/any/thing"))[:2] == (200, {})
        assert asked.receiver.of("action")[-1]["method"] == "PUT"

    asyncio.run(scenario())


def test_head_asks_what_get_asks(asked):
    """AC-2: HEAD runs GET without its body; who has registered GET hears of nothing else."""
    asked.receiver.answers["action"] = lambda _: {"content": "four"}
    got = requests.get(f"{asked.node.url}/me", timeout=10)
    head = requests.head(f"{asked.node.url}/me", timeout=10)
    assert (head.status_code, head.content) == (200, b"") and got.content
    assert head.headers["content-length"] == got.headers["content-length"]
    for request in asked.receiver.of("action"):
        assert (request["method"], request.body["method"]) == ("GET", "GET")
    # What is registered for every method is told which one it was.
    assert requests.head(f"{asked.node.url}/any/thing", timeout=10).status_code == 200
    assert asked.receiver.of("action")[-1]["method"] == "HEAD"


PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"


def test_a_trace_goes_on_at_the_backend(asked):
    """W3C Trace Context: the trace that an action came with, as a span of the node's own."""
    asked.receiver.answers["action"] = lambda _: None

    async def scenario():
        for flags in ("01", "00"):
            fields = {"traceparent": f"{PARENT}-{flags}", "tracestate": "vendor=a b, other=1"}
            await Browser().request("GET", asked.node.url, "/me", headers=fields)
            sent = asked.receiver.requests[-1].headers
            version, trace, span, ours = sent["traceparent"].split("-")
            assert (version, trace, ours) == ("00", PARENT.split("-")[1], flags)
            assert len(span) == 16 and span != PARENT.split("-")[2]
            assert sent["tracestate"] == "vendor=a b,other=1"
            # The line of the request has the span between the two.
            assert f"parent_span_id={PARENT.split('-')[2]}" in asked.node.log()
        for fields in ({}, {"traceparent": f"{PARENT}-1"}, {"tracestate": "a=1"}):
            await Browser().request("GET", asked.node.url, "/me", headers=fields)
            assert {"traceparent", "tracestate"}.isdisjoint(asked.receiver.requests[-1].headers)

    asyncio.run(scenario())


def test_a_share_of_requests_begins_a_trace(tmp_path, mongo):
    """`--trace`: what came with none begins one, by the ID of the request: all attempts of a delivery are in it."""
    with Backend(tmp_path, "--trace", "1", "--webhook-breaker-threshold", "0", mongo=mongo) as backend:
        failed = []

        def fail_once(request):
            if request["request"] in failed:
                return None
            failed.append(request["request"])
            return 503, None, {}

        backend.receiver.answers["presence"] = fail_once

        async def scenario():
            async with Tab(backend.node.url, "dora"):
                await asyncio.to_thread(backend.receiver.until, lambda receiver: len(receiver.of("presence")) >= 4)

        asyncio.run(scenario())
        (greeting,) = backend.receiver.of("liveConnection")
        assert greeting.headers["traceparent"].endswith("-01")
        first, second = backend.receiver.of("presence")[:2]
        assert first["request"] == second["request"] and (first["attempt"], second["attempt"]) == ("1", "2")
        traces = [request.headers["traceparent"].split("-") for request in (first, second)]
        name = base64.urlsafe_b64decode(first["request"] + "==").hex()
        assert [trace[1] for trace in traces] == [name, name] and traces[0][2] != traces[1][2]
        # Who reads the log finds it there, too.
        assert f"trace_id={name}" in backend.node.log()


def test_a_target_with_a_certificate_of_a_private_authority(tmp_path):
    """`--outbound-ca`: without it the target is not believed, and nothing is sent."""
    certificate = Certificate(tmp_path, ["localhost"])
    for number, more in enumerate(([], ["--outbound-ca", certificate.authority])):
        folder = tmp_path / str(number)
        folder.mkdir()
        with Backend(folder, *more, receiver=Receiver(certificate=certificate)) as backend:
            backend.receiver.answers["action"] = lambda _: {"content": "over tls"}
            status, content, _ = asyncio.run(Browser().request("GET", backend.node.url, "/me"))
            if more:
                assert (status, content) == (200, "over tls")
                assert backend.receiver.unsigned == []
            else:
                assert (status, content["error"]) == (502, "WEBHOOK")
                assert backend.results("action", "transport") == 1 and backend.receiver.requests == []
                assert "CERTIFICATE_VERIFY_FAILED" in backend.node.log()


def test_an_action_changes_the_session(asked):
    replies = {
        "/login": {"agent": {"set": "active", "user": "alice", "client": "laptop", "remember": True}},
        "/logout": {"agent": {"set": "logout"}},
        "/me": {},
    }
    asked.receiver.answers["action"] = lambda request: replies[request["action"]]

    async def scenario():
        browser = Browser()
        status, _, names = await browser.request("POST", asked.node.url, "/login", {})
        assert status == 200 and "session" in names
        await browser.request("GET", asked.node.url, "/me")
        request = asked.receiver.requests[-1]
        assert (request["user"], request["client"]) == ("alice", "laptop")
        assert (request["active"], request["domestic"]) == ("true", "true")
        assert (await browser.request("POST", asked.node.url, "/logout", {}))[0] == 200
        await browser.request("GET", asked.node.url, "/me")
        assert asked.receiver.requests[-1]["active"] == "false"
        # A page of another site logs nobody in, whatever the backend says.
        stranger = {"origin": "https://evil.example"}
        assert (await Browser().request("POST", asked.node.url, "/login", {}, stranger))[:2] == (
            403,
            {"error": "FOREIGN"},
        )
        replies["/login"] = {"agent": {"set": "active"}}
        assert (await Browser().request("POST", asked.node.url, "/login", {}))[:2] == (400, {"error": "IDENTITY"})

    asyncio.run(scenario())


def test_what_is_no_answer_is_502(asked):
    with Receiver() as elsewhere:
        moved = (302, None, {"location": elsewhere.url})
        answers = {
            "status": [(500, {}, {}), (404, {}, {}), moved],
            "malformed": [b"<html>", {"stauts": 200}, {"events": [["x"], "y"]}],
            "length": [{"content": "x" * 1_100_000}],
        }

        async def scenario():
            for result, bodies in answers.items():
                before = asked.results("action", result)
                for body in bodies:
                    asked.receiver.answers["action"] = lambda _, body=body: body
                    status, content, _ = await Browser().request("GET", asked.node.url, "/me")
                    assert (status, content["error"]) == (502, "WEBHOOK")
                    # Whoever reads the log finds the reason under that id.
                    assert content["id"] == asked.receiver.requests[-1]["request"]
                    assert content["id"] in asked.node.log()
                assert asked.results("action", result) == before + len(bodies)
            held = threading.Event()
            asked.receiver.answers["action"] = lambda _: held.wait(30)
            assert (await Browser().request("GET", asked.node.url, "/me"))[0] == 502
            held.set()
            assert asked.results("action", "timeout") == 1
            assert elsewhere.requests == []

        asyncio.run(scenario())


def test_a_new_connection_is_greeted(asked):
    asked.receiver.answers["liveConnection"] = lambda request: {"events": [["welcome", request["user"]]]}

    async def scenario():
        async with Tab(asked.node.url, "alice") as tab:
            await tab.until(lambda tab: ("welcome", ["alice"]) in tab.received)
            (request,) = asked.receiver.of("liveConnection")
            assert request["client"] == "laptop" and request.body["address"] == "127.0.0.1"
        # A hook that fails harms nothing else.
        asked.receiver.answers["liveConnection"] = lambda _: (500, None, {})
        asked.receiver.answers["action"] = lambda _: {"content": "still here"}
        async with Caller(asked.node.url, "bob", v=1) as caller:
            assert (await caller.call("GET", "/me"))["content"] == "still here"
            assert "welcome" not in caller.names
            asked.receiver.until(lambda receiver: len(receiver.of("liveConnection")) == 2)

    asyncio.run(scenario())


def test_a_request_for_a_link_is_judged(asked):
    def judge(request):
        to = request.body["query"]["to"]
        return {"allow": True, "user": to, "info": {"from": request["user"]}} if to == "bob" else {"allow": False}

    asked.receiver.answers["peerRequest"] = judge

    async def scenario():
        async with Linker(asked.node.url, "alice") as alice, Linker(asked.node.url, "bob") as bob:
            assert "token" in await alice.link({"to": "bob"})
            assert (await bob.told_of(alice))["query"] == {"from": "alice"}
            assert (await alice.link({"to": "carol"}))["error"] == "FORBIDDEN"
            for failure in ((500, None, {}), {"allow": True}, b"no"):
                asked.receiver.answers["peerRequest"] = lambda _, failure=failure: failure
                assert (await alice.link({"to": "bob", "again": str(failure)}))["error"] == "FORBIDDEN"
            assert len(asked.receiver.of("peerRequest")) == 5

    asyncio.run(scenario())


def test_presence_comes_in_order_and_again_with_the_same_number(asked):
    failures = {}

    def of_dora(receiver):
        """Who was here in tests before may still be leaving."""
        return [request for request in receiver.of("presence") if request["user"] == "dora"]

    def fail_twice(request):
        if request["user"] != "dora":
            return None
        count = failures[request["sequence"]] = failures.get(request["sequence"], 0) + 1
        return (503, None, {}) if count <= 2 else None

    asked.receiver.answers["presence"] = fail_twice
    lost = asked.node.metric("submergence_webhook_presence_lost_total")
    retries = asked.node.metric("submergence_webhook_presence_retries_total")

    async def scenario():
        async with Tab(asked.node.url, "dora", "phone"):
            pass
        await asyncio.to_thread(asked.receiver.until, lambda receiver: len(of_dora(receiver)) == 12)

    asyncio.run(scenario())
    requests = of_dora(asked.receiver)
    assert [request["action"] for request in requests[::3]] == [
        "userOnline",
        "clientOnline",
        "clientOffline",
        "userOffline",
    ]
    first = int(requests[0]["sequence"])
    assert [int(request["sequence"]) - first for request in requests] == [n for n in range(4) for _ in range(3)]
    assert [request["attempt"] for request in requests] == ["1", "2", "3"] * 4
    for group in range(0, 12, 3):
        assert len({request["request"] for request in requests[group : group + 3]}) == 1
    assert requests[0].body == {"change": "userOnline", "user": "dora", "sequence": first}
    assert requests[3].body["client"] == requests[3]["client"] == "phone"
    wait_for(
        "the repetitions to be counted",
        lambda: asked.node.metric("submergence_webhook_presence_retries_total") == retries + 8,
    )
    assert asked.node.metric("submergence_webhook_presence_lost_total") == lost


def test_a_target_that_fails_is_left_alone_and_found_again(tmp_path):
    more = ["--webhook-breaker-threshold", "3", "--webhook-breaker-pause", "0.5"]
    gauge = 'submergence_webhook_breaker_open{domain="localhost"}'
    with Backend(tmp_path, *more, hooks=[]) as backend:
        backend.receiver.answers["action"] = lambda _: (500, None, {})

        async def ask():
            return (await Browser().request("GET", backend.node.url, "/me"))[0]

        async def scenario():
            assert [await ask() for _ in range(3)] == [502] * 3
            assert backend.node.metric(gauge) == 1
            assert backend.node.metric("submergence_webhook_breaker_opened_total") == 1
            assert await ask() == 502
            assert backend.results("action", "open") >= 1
            backend.receiver.answers["action"] = lambda _: {}
            while await ask() != 200:
                await asyncio.sleep(0.05)
            assert backend.node.metric(gauge) == 0
            assert await ask() == 200

        asyncio.run(asyncio.wait_for(scenario(), 60))
        # Three that failed, then only probes: nobody hammers at a target that is down.
        assert len(backend.receiver.requests) < 12


def test_no_more_than_the_target_may_have(tmp_path):
    """One at a time and one that waits, more are answered at once; and the queue is seen."""
    with Backend(tmp_path, "--webhook-concurrency", "1", "--webhook-waiting", "1", hooks=[]) as backend:
        held = threading.Event()
        backend.receiver.answers["action"] = lambda _: held.wait(30) and None

        async def ask():
            return (await Browser().request("GET", backend.node.url, "/me"))[:2]

        async def scenario():
            first = asyncio.create_task(ask())
            await asyncio.to_thread(backend.receiver.until, lambda receiver: receiver.requests)
            second = asyncio.create_task(ask())
            third = asyncio.create_task(ask())
            done, _ = await asyncio.wait([second, third], return_when=asyncio.FIRST_COMPLETED, timeout=30)
            (refused,) = done
            assert refused.result() == (503, {"error": "BUSY"})
            await asyncio.to_thread(
                wait_for,
                "the queue to be seen",
                lambda: (
                    backend.node.metric("submergence_webhook_waiting") == 1
                    and backend.node.metric("submergence_webhook_running") == 1
                ),
            )
            held.set()
            waited = third if refused is second else second
            assert (await first, await waited) == ((200, {}), (200, {}))
            assert len(backend.receiver.requests) == 2
            assert backend.results("action", "full") == 1

        asyncio.run(asyncio.wait_for(scenario(), 60))


def test_secrets_are_replaced_while_the_node_runs(tmp_path):
    path = tmp_path / "secrets"
    path.write_text(SECRET + "\n", encoding="utf8")
    path.chmod(0o600)
    more = ["--webhook-secret-file", path, "--signing-key-refresh", "0.2"]
    with Backend(tmp_path, *more, hooks=[]) as backend:

        def keys():
            asyncio.run(Browser().request("GET", backend.node.url, "/me"))
            return list(signatures(backend.receiver.requests[-1].headers))

        assert keys() == [key_id(SECRET)]
        path.write_text(f"{OTHER}\n{SECRET}\n", encoding="utf8")
        wait_for("both to sign", lambda: keys() == [key_id(OTHER), key_id(SECRET)])
        path.write_text("too short\n", encoding="utf8")
        wait_for("the complaint", lambda: backend.node.metric("submergence_webhook_secret_reads_failed_total") > 1)
        assert keys() == [key_id(OTHER), key_id(SECRET)]
        path.write_text(f"{OTHER}\n", encoding="utf8")
        wait_for("the old one to end", lambda: keys() == [key_id(OTHER)])
        # The receiver has only the old one.
        last = backend.receiver.requests[-1]
        assert not is_signed(last.headers, last.raw, SECRET) and is_signed(last.headers, last.raw, OTHER)


def test_private_addresses_are_not_asked(tmp_path):
    """Whoever configures a target must not look into the node's own network."""
    with Receiver() as receiver:
        flags = ["--webhook", f"https://localhost:{receiver.port}/", "--webhook-action", "GET /me"]
        environment = {"SUBMERGENCE_WEBHOOK_SECRET": SECRET}
        node = Node(tmp_path, "node-1", "serve", None, flags, environment)
        try:
            node.wait_until_ready()
            status, content, _ = asyncio.run(Browser().request("GET", node.url, "/me"))
            assert (status, content["error"]) == (502, "WEBHOOK")
            assert "not public" in node.log()
            assert node.metric('submergence_webhook_requests_total{kind="action",result="address"}') == 1
            assert receiver.requests == []
        finally:
            node.stop()


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--webhook", "http://backend.example/"], "not https"),
        (["--webhook", "ftp://backend.example/", "--webhook-timeout", "0"], "webhook.timeout"),
        (["--webhook", "https://backend.example/", "--webhook-secret-file", "/nowhere"], "cannot be read"),
        (["--webhook-private-target", "10.0.0.0/99"], "no CIDR block"),
        (["--webhook-action", "GET /x"], "need --webhook"),
        (["--webhook", "https://b.example/", "--webhook-hook", "nothing"], "peerRequest, liveConnection, presence"),
    ],
)
def test_mistakes_are_named_at_start(flags, words):
    arguments = [executable(), "serve", "--dev", "--port", "0", "--webhook-action", "GET /me", *flags]
    if "--webhook" not in flags:
        arguments = [executable(), "serve", "--dev", "--port", "0", *flags]
    done = subprocess.run(
        arguments,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"SUBMERGENCE_WEBHOOK_SECRET": SECRET},
    )
    assert done.returncode != 0 and words in done.stdout + done.stderr
