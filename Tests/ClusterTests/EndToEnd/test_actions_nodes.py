"""Sessions that are changed over a socket, on two nodes over MongoDB (SPEC ID-10, ID-12, ID-17). The application is
Tests/Applications/Actions."""

import asyncio
import base64
import os
import secrets

import pytest
from callers import Browser, Caller
from processes import Example


@pytest.fixture
def pair(mongo, tmp_path):
    """Two nodes of one cluster, with one signing key (SPEC OP-1)."""
    keys = tmp_path / "signing-keys"
    keys.write_text(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=") + "\n")
    os.chmod(keys, 0o600)
    environment = {"SUBMERGENCE_MONGODB": mongo.uri, "SUBMERGENCE_SIGNING_KEYS": str(keys)}
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    with (
        Example(folders[0], "ActionsApplication", environment) as first,
        Example(folders[1], "ActionsApplication", environment) as second,
    ):
        yield first, second


def test_ticket_of_another_node(pair):
    """ID-17: a ticket that one node has made is redeemed at another one, once on all of them; ID-10: sockets of the
    login stay wherever they are, with the authority of the new session."""
    first, second = pair

    async def run():
        browser = await Browser().log_in(first.url, "olga")
        async with Caller(first.url, v=1, browser=browser) as caller, Caller(second.url, v=1, browser=browser) as tab:
            reply = await caller.call("POST", "/again")
            old = dict(browser.cookies)
            status, content, _ = await browser.redeem(second.url, reply["session"]["ticket"], caller.sid)
            assert (status, content["isLoggedIn"]) == (200, True)
            renewed, browser.cookies = browser.cookies, old
            for node in pair:
                refused = await browser.redeem(node.url, reply["session"]["ticket"], caller.sid)
                assert refused == (403, {"error": "TICKET_USED"}, [])
            browser.cookies = renewed
            for node in pair:
                _, content, _ = await browser.request("GET", node.url, "/agent")
                assert (content["standing"], content["user"]) == ("active", "olga")
            for socket in (caller, tab):
                assert (await socket.call("GET", "/agent"))["content"]["standing"] == "active"
                assert socket.disconnects == []
            # ID-12: the one that logs out has its reply first; both are told.
            reply = await tab.call("POST", "/logout")
            assert reply["status"] == 200
            for socket in (caller, tab):
                await socket.until(lambda socket: socket.disconnects)
                assert socket.received[-1] == ("logout", [{"reason": "logout", "reconnect": False}])
            assert tab.names[-2:] == ["reply", "logout"]

    asyncio.run(run())
