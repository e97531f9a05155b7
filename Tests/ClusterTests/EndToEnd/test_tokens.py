"""Tokens of another identity provider: over HTTP and sockets, their expiry, their keys (docs/identity.md, "Tokens")."""

import asyncio
import json
import os
import re

import openapi_spec_validator
import pytest
import requests
import socketio
from certificates import Certificate
from issuer import AUDIENCE, ISSUER, KeyServer, RSAKey, SharedSecret, claims, token
from people import PATIENT, Tab
from test_identity import ProductTab, plain


def options(keys, *more):
    named = ["--token-issuer", ISSUER, "--token-audience", AUDIENCE, "--token-keys", str(keys)]
    return [*named, *PATIENT, *map(str, more)]


@pytest.fixture
def shared(tmp_path):
    key = SharedSecret()
    key.path = tmp_path / "token-keys.json"
    key.path.write_text(json.dumps({"keys": [key.jwk]}))
    os.chmod(key.path, 0o600)
    return key


async def agent(http, node, bearer, **headers):
    fields = {"authorization": f"Bearer {bearer}", **headers} if bearer else headers
    async with http.get(node.url + "/agent", headers=fields) as answer:
        assert "set-cookie" not in answer.headers
        return answer.status, (await answer.json())["content"], answer.headers.get("www-authenticate")


class TokenTab(ProductTab):
    """A tab whose client speaks the product's events and has a token."""

    def __init__(self, node, bearer):
        super().__init__(node.url, None, {"token": bearer})


def refused(node):
    lines = node.control("/metrics").split("\n")
    found = (re.match(r'submergence_tokens_refused_total\{reason="(\w+)"\} (\S+)', line) for line in lines)
    return {match[1]: float(match[2]) for match in found if match and float(match[2])}


def test_openapi_says_that_tokens_are_taken(nodes, shared):
    """AC-11: as one of two ways to be known, with the answer for those that are not taken."""
    (node,) = nodes.start(1, options=options(shared.path))
    document = requests.get(node.url + "/.well-known/submergence/openapi.json", timeout=30).json()
    openapi_spec_validator.validate(document)
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    create = document["paths"]["/items"]["post"]
    assert create["security"] == [{"session": [], "domestic": []}, {"token": []}]
    assert create["responses"]["401"] == {"$ref": "#/components/responses/Error401"}
    assert "security" not in document["paths"]["/items"]["get"]


def test_bearer_over_http(nodes, shared):
    """Active, without cookies, domestic unless a foreign page sent it; what is not taken is 401, and counted."""

    async def run():
        (node,) = nodes.start(1, options=options(shared.path))
        async with plain() as http:
            expected = {"standing": "active", "user": "alice", "client": "token", "domestic": True}
            assert (await agent(http, node, token(shared)))[:2] == (200, expected)
            foreign = await agent(http, node, token(shared), origin="https://evil.example")
            assert foreign[:2] == (200, {**expected, "domestic": False})
            assert (await agent(http, node, None))[1]["standing"] == "guest"
            other = SharedSecret()
            bad = {
                "expired": token(shared, claims(lifetime=-60)),
                "audience": token(shared, claims(aud="other")),
                "issuer": token(shared, claims(iss="https://evil.example")),
                "signature": token(other),
                "algorithm": token(shared, alg="none"),
                "unknown_key": token(shared, kid="another"),
                "lifetime": token(shared, claims(lifetime=90_000)),
                "early": token(shared, claims(nbf=claims()["iat"] + 100)),
                "identity": token(shared, claims(user="")),
                "malformed": "x.y",
                "too_large": token(shared, claims(note="x" * 8_192)),
            }
            for reason, text in bad.items():
                status, content, challenge = await agent(http, node, text)
                assert (status, content) == (401, {"error": "TOKEN"}), reason
                assert challenge == 'Bearer error="invalid_token"'
            assert refused(node) == {reason: 1 for reason in bad}

    asyncio.run(run())


def test_a_socket_lives_as_long_as_its_token(nodes, shared):
    """It is asked before the expiry; with a newer token of the same person it goes on, without one it ends."""

    async def run():
        (node,) = nodes.start(1, options=options(shared.path, "--token-clock-skew", 0, "--token-ask-before", 2))
        stays = await TokenTab(node, token(shared, claims(lifetime=5))).connect()
        goes = await TokenTab(node, token(shared, claims(lifetime=5))).connect()
        quiet = Tab(node.url, None)
        quiet.auth = {"token": token(shared, claims(lifetime=5))}
        await quiet.connect()
        ready = stays.events("ready")[0]
        assert (ready["user"], ready["client"], ready["domestic"]) == ("alice", "token", True)
        assert (await quiet.publish("alice", "hello"))["didReceive"]
        await stays.until(lambda tab: tab.messages())
        for tab in (stays, goes):
            await tab.until(lambda tab: tab.events("session"))
            assert tab.events("session") == [{"renew": True}]

        async def renew(tab, payload):
            return await tab.client.call("auth", payload, timeout=20)

        assert await renew(stays, {"_id": 1}) == {"_id": 1, "error": "INVALID"}
        somebody = token(shared, claims(user="bob"))
        assert await renew(stays, {"_id": 2, "token": somebody}) == {"_id": 2, "error": "FORBIDDEN"}
        assert await renew(stays, {"_id": 3, "token": "x"}) == {"_id": 3, "error": "FORBIDDEN"}
        fresh = claims(lifetime=600)
        answer = await renew(stays, {"_id": 4, "token": token(shared, fresh)})
        assert answer == {"_id": 4, "renewed": True, "expires": int(fresh["exp"] * 1000)}
        await stays.until(lambda tab: tab.events("session")[-1] == answer)

        await goes.gone()
        assert goes.events("logout") == [{"reason": "expired", "reconnect": False}]
        await quiet.gone()
        assert await stays.echo("still here") == "still here"
        await stays.close()

    asyncio.run(run())


def test_who_may_not_connect(nodes, shared):
    """A token that is not taken is nobody's, also where guests may connect."""

    async def run():
        (node,) = nodes.start(1, options=options(shared.path))
        for bad in (token(shared, claims(lifetime=-60)), token(SharedSecret()), "x"):
            with pytest.raises(socketio.exceptions.ConnectionError):
                await TokenTab(node, bad).connect()
        assert node.metric("submergence_live_connects_refused_total") == 3
        browser = await TokenTab(node, token(shared)).connect()
        # Who is here by a token cannot be somebody else by the next.
        answer = await browser.client.call("auth", {"token": token(shared, claims(user="bob"))}, timeout=20)
        assert answer == {"error": "FORBIDDEN"}
        await browser.close()
        believed = await ProductTab(node.url, None, {"user": "carol", "client": "laptop"}).connect()
        answer = await believed.client.call("auth", {"token": token(shared)}, timeout=20)
        assert answer == {"error": "FORBIDDEN"}
        await believed.close()

    asyncio.run(run())


def test_kick_and_logout_reach_tokens_on_every_node(mongo, nodes, shared):
    """ID-13, ID-14: connections end; a token that is still good opens new ones, as nothing but its issuer ends it."""

    async def run():
        first, second = nodes.start(2, mongo=mongo, options=options(shared.path))
        good = token(shared)
        async with Tab(first.url, "admin") as admin:
            for _ in range(2):
                tabs = [await TokenTab(node, good).connect() for node in (first, second)]
                assert await admin.client.call("kick", ("alice", "token"), timeout=20) is True
                for tab in tabs:
                    await tab.gone()
                    assert tab.events("logout") == [{"reason": "kick", "reconnect": False}]

    asyncio.run(run())


def test_keys_at_an_address_rotate(nodes, tmp_path):
    """A new key is found when its first token comes; a removed one is gone with the next reading; no request per
    request, and the last good set is kept while the issuer is broken."""

    async def run():
        old, new = RSAKey(tmp_path, "old"), RSAKey(tmp_path, "new")
        with KeyServer(old) as server:
            (node,) = nodes.start(
                1, options=options(server.url, "--token-keys-may-be-private", "--token-key-refresh", 2)
            )
            async with plain() as http:

                async def status(key):
                    return (await agent(http, node, token(key)))[0]

                assert await status(old) == 200
                assert await status(new) == 401
                server.keys = [new, old]

                async def until_status(key, wanted):
                    while await status(key) != wanted:
                        await asyncio.sleep(0.1)

                await asyncio.wait_for(until_status(new, 200), 30)
                assert await status(old) == 200
                server.keys = [new]
                await asyncio.wait_for(until_status(old, 401), 30)
                server.is_broken = True
                seen = server.requests
                while server.requests == seen:
                    await asyncio.sleep(0.1)
                assert await status(new) == 200
                before = server.requests
                bad = token(new, kid="nobody")
                await asyncio.gather(*(agent(http, node, bad) for _ in range(200)))
                assert server.requests - before <= 3

    asyncio.run(run())


def test_keys_of_an_issuer_with_a_certificate_of_a_private_authority(nodes, tmp_path):
    """`--outbound-ca`: without it nobody can know whose keys they are."""
    certificate = Certificate(tmp_path, ["localhost"])
    key = RSAKey(tmp_path, "signer")
    with KeyServer(key, certificate=certificate) as server:
        asked = options(server.url, "--token-keys-may-be-private")
        (plain_node,) = nodes.start(1, options=asked)
        (trusting,) = nodes.start(1, options=[*asked, "--outbound-ca", certificate.authority])

        async def run():
            async with plain() as http:
                assert (await agent(http, trusting, token(key)))[0] == 200
                assert (await agent(http, plain_node, token(key)))[0] == 503

        asyncio.run(run())
        assert "token keys could not be read" in plain_node.log() and "token keys" not in trusting.log()


def test_keys_are_not_fetched_from_private_addresses(nodes, tmp_path):
    """The node starts, takes no token, and asks nobody."""

    async def run():
        key = RSAKey(tmp_path, "signer")
        with KeyServer(key) as server:
            address = server.url.replace("http://127.0.0.1", "https://localhost")
            (node,) = nodes.start(1, options=options(address))
            async with plain() as http:
                assert (await agent(http, node, token(key)))[0] == 503
            assert server.requests == 0
            assert "not public" in node.log()

    asyncio.run(run())
