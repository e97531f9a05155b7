"""MongoDB with TLS and authentication, and users with no right more than `init-db --print-roles` prints."""

import asyncio

import pymongo
import pytest
from people import PATIENT, Tab, is_positive
from secured_mongo import SecuredMongo, init_db

RECOVERY = [*PATIENT, "--recovery", "60"]


@pytest.fixture(scope="module")
def secured():
    mongo = SecuredMongo()
    yield mongo
    mongo.down()


@pytest.fixture(scope="module")
def roles(secured):
    status, script, errors = init_db("--print-roles", "--mongodb", secured.uri("root"))
    assert status == 0, errors
    secured.run_script(script)


def test_a_wrong_password_is_named(secured):
    status, _, errors = init_db("--mongodb", secured.uri("root", "wrong"))
    assert status == 69
    assert "Authentication failed" in errors and "wrong@" not in errors


def test_an_unknown_authority_is_named(secured):
    status, _, errors = init_db("--mongodb", secured.uri("root").replace(f"&tlsCAFile={secured.authority}", ""))
    assert status == 69
    assert "certificate verify failed" in errors


def test_the_user_of_nodes_makes_nothing(secured, roles):
    status, _, errors = init_db("--database", "another", "--mongodb", secured.uri("submergence"))
    assert status == 69
    assert "not authorized on another" in errors and "--print-roles" in errors


def test_two_nodes_with_the_least_rights(secured, roles, nodes):
    status, _, errors = init_db("--recovery-log", "--slot-size", "16", "--mongodb", secured.uri("submergenceSetUp"))
    assert status == 0, errors
    two = nodes.start(2, options=[*RECOVERY, "--mongodb", secured.uri("submergence")])
    asyncio.run(scenario(*two))
    for node in two:
        assert "change stream on" in node.log()
        assert "secret" not in node.log()


def test_an_application_may_insert_into_the_outbox_and_nothing_else(secured, roles):
    status, _, errors = init_db("--slot-size", "16", "--mongodb", secured.uri("submergenceSetUp"))
    assert status == 0, errors
    with pymongo.MongoClient(secured.uri("root")) as client:
        for role in ("submergencePublisher", "submergenceReceipts"):
            client.admin.command("createUser", role, pwd="secret", roles=[role])
    with pymongo.MongoClient(secured.uri("submergencePublisher")) as client:
        outbox = client.submergence.Outbox
        with client.start_session() as session, session.start_transaction():
            outbox.insert_one({"_id": 1, "user": "alice", "event": "x"}, session=session)
        for attempt in (
            lambda: outbox.find_one(),
            lambda: outbox.delete_one({"_id": 1}),
            lambda: outbox.update_one({"_id": 1}, {"$set": {"user": "bob"}}),
            lambda: client.submergence.Sessions.insert_one({}),
        ):
            with pytest.raises(pymongo.errors.OperationFailure, match="not authorized"):
                attempt()
    with pymongo.MongoClient(secured.uri("submergenceReceipts")) as client:
        assert client.submergence.Outbox.find_one()["user"] == "alice"


async def scenario(first, second):
    async with Tab(first.url, "alice", "laptop") as alice, Tab(second.url, "bob") as bob:
        for number in range(20):
            assert is_positive(await alice.publish("bob", number))
            assert is_positive(await bob.publish("alice", number))
        for tab in (alice, bob):
            await tab.until(lambda tab: len(tab.messages()) == 20)
            assert tab.messages() == list(range(20))
