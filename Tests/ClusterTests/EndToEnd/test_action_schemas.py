"""Schemas of actions as clients see them: OPTIONS and OpenAPI (SPEC AC-11), and what is let pass (SPEC AC-6), held
against another implementation of JSON Schema."""

import json
import random

import jsonschema
import openapi_spec_validator
import pytest
import referencing
import requests
from processes import Nodes

OPENAPI = "/.well-known/submergence/openapi.json"


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    nodes = Nodes(tmp_path_factory.mktemp("schemas"))
    try:
        (node,) = nodes.start(1)
        yield node
        assert node.is_running, node.log()[-4000:]
    finally:
        nodes.end()


@pytest.fixture(scope="module")
def document(node):
    answer = requests.get(node.url + OPENAPI, timeout=30)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def resolver(document):
    resource = referencing.Resource(contents=document, specification=referencing.jsonschema.DRAFT202012)
    return referencing.Registry().with_resource("urn:openapi", resource)


def validator(document, schema):
    """For a schema of the document; its references are to the document."""
    schema = json.loads(json.dumps(schema).replace('"$ref": "#/', '"$ref": "urn:openapi#/'))
    absolute = json.loads(json.dumps(document).replace('"$ref": "#/', '"$ref": "urn:openapi#/'))
    return jsonschema.Draft202012Validator(
        schema, registry=resolver(absolute), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


def test_ac_11_the_document_is_openapi_3_1(document):
    openapi_spec_validator.validate(document)
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    assert set(document["paths"]) >= {"/items", "/items/{id}", "/files/{path}", "/any", "/raw", "/shy", "/login"}
    assert "/secret" not in document["paths"]
    assert set(document["paths"]["/any"]) == {"get", "post", "put", "patch", "delete"}
    elsewhere = {
        (other["method"], other.get("pattern") or other["path"]) for other in document["x-submergence-actions"]
    }
    assert {("PURGE", "/items"), ("GET", "/years/(?<year>[0-9]{4})(?:/([a-z]+))?")} <= elsewhere
    create = document["paths"]["/items"]["post"]
    assert create["security"] == [{"session": [], "domestic": []}]
    assert "login" in create["description"]
    assert "security" not in document["paths"]["/items"]["get"]
    assert set(create["responses"]) >= {"400", "403", "429", "503"}
    assert "401" not in create["responses"], "no token is taken here"
    shy = document["paths"]["/shy"]["post"]
    assert shy["requestBody"]["content"]["application/json"]["schema"] is True


def test_ac_11_the_document_is_read_only_and_can_be_cached(node):
    first = requests.get(node.url + OPENAPI, timeout=30)
    again = requests.get(node.url + OPENAPI, headers={"if-none-match": first.headers["etag"]}, timeout=30)
    assert again.status_code == 304
    assert requests.post(node.url + OPENAPI, json={}, timeout=30).status_code == 405
    assert requests.get(node.url + "/.well-known/submergence", allow_redirects=False, timeout=30).status_code == 404
    assert requests.get(node.url + "/.well-known/submergence/other.json", timeout=30).status_code == 404


@pytest.mark.parametrize(
    ("path", "methods", "allow"),
    [
        ("/items", {"GET", "POST", "PURGE"}, "GET, HEAD, POST, PURGE, OPTIONS"),
        ("/items/7", {"PUT", "PATCH"}, "PUT, PATCH, OPTIONS"),
        ("/any", {"*"}, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        ("/years/2026", {"GET"}, "GET, HEAD, OPTIONS"),
    ],
)
def test_ac_11_options(node, path, methods, allow):
    answer = requests.options(node.url + path, timeout=30)
    assert answer.status_code == 200
    assert answer.headers["allow"] == allow
    assert set(answer.json()["content"]) == methods
    other = requests.request("TRACE" if path == "/any" else "DELETE", node.url + path, timeout=30)
    assert other.status_code == (200 if path == "/any" else 405)


def test_ac_11_options_of_what_is_hidden(node):
    assert requests.options(node.url + "/secret", timeout=30).status_code == 404
    assert requests.options(node.url + "/nowhere", timeout=30).status_code == 404
    assert requests.options(node.url + "/shy", timeout=30).json()["content"] == {"POST": True}


def test_ac_11_options_and_openapi_agree(node, document):
    published = requests.options(node.url + "/items/7", timeout=30).json()["content"]["PUT"]["body"]
    in_document = document["components"]["schemas"]["putItemsByIdBody"]
    moved = json.dumps(published, sort_keys=True).replace('"#/', '"#/components/schemas/putItemsByIdBody/')
    assert json.loads(moved) == in_document


WORDS = ["", "a", "thing", "place", "2026-11-26T07:00:00Z", "x1", "é"]


def any_json(chance, depth=3):
    kind = chance.randrange(9 if depth else 6)
    if kind == 0:
        return None
    if kind == 1:
        return chance.choice([True, False])
    if kind == 2:
        return chance.choice([0, 1, -1, 3.5, 1.0, 2**53 + 1, 1e300])
    if kind in (3, 4, 5):
        return chance.choice(WORDS)
    if kind in (6, 7):
        return [any_json(chance, depth - 1) for _ in range(chance.randrange(5))]
    names = ["name", "kind", "price", "made", "tags", "parts", "words", "other"]
    return {name: any_json(chance, depth - 1) for name in names if chance.random() < 0.4}


def item(chance, depth=2):
    """Mostly an item."""
    made = {
        "name": chance.choice(WORDS),
        "kind": chance.choice(["thing", "place", "place", "plan"]),
        "tags": [chance.choice(WORDS) for _ in range(chance.randrange(3))],
        "price": chance.choice([1, 2.5, None, 1e9]),
        "made": chance.choice(["2026-11-26T07:00:00Z", "2026-02-28T07:00:00.25+01:00", None, "2026-02-30T07:00:00Z"]),
    }
    for name in list(made):
        if chance.random() < 0.1:
            del made[name]
        elif chance.random() < 0.1:
            made[name] = any_json(chance, 1)
    if depth and chance.random() < 0.5:
        made["parts"] = [item(chance, depth - 1) for _ in range(chance.randrange(3))]
    return made


@pytest.mark.parametrize(("method", "path", "target"), [("put", "/items/{id}", "/items/7"), ("post", "/raw", "/raw")])
def test_ac_6_what_passes_is_what_the_published_schema_allows(node, document, method, path, target):
    operation = document["paths"][path][method]
    reference = validator(document, operation["requestBody"]["content"]["application/json"]["schema"])
    chance = random.Random(20261126)
    passed = 0
    with requests.Session() as session:
        for number in range(400):
            body = item(chance) if number % 2 else any_json(chance)
            if path == "/raw" and number % 2:
                body = {"words": [chance.choice(WORDS) for _ in range(chance.randrange(5))]}
            answer = session.request(method, node.url + target, json=body, timeout=30)
            assert (answer.status_code == 200) == reference.is_valid(body), (body, answer.text)
            validator(document, document["components"]["schemas"]["Answer"]).validate(answer.json())
            if answer.status_code == 200:
                passed += 1
            else:
                content = answer.json()["content"]
                assert (answer.status_code, content["error"], content["at"]) == (400, "SCHEMA", "body")
                validator(document, document["components"]["schemas"]["Error"]).validate(answer.json())
    assert 20 < passed < 380


@pytest.mark.parametrize(
    ("query", "status", "content"),
    [
        ("limit=3&kind=thing&isSold=true", 200, {"limit": 3, "kind": "thing", "isSold": True}),
        ("limit=3.0", 200, {"limit": 3}),
        ("kind=thing", 400, {"error": "SCHEMA", "at": "query", "path": "/limit", "message": "is required"}),
        ("limit=x", 400, {"error": "SCHEMA", "at": "query", "path": "/limit", "message": "must be an integer"}),
        ("limit=3&kind=plan", 400, None),
    ],
)
def test_ac_6_queries_are_taken_for_what_the_schema_says(node, query, status, content):
    answer = requests.get(f"{node.url}/items?{query}", timeout=30)
    assert answer.status_code == status
    if content:
        assert answer.json()["content"] == content


def test_ac_2_a_pattern_that_ruins_backtracking_does_not_hold_up_the_node(node):
    for tail in ["", "/" + "a" * 4_000, "/" + "a" * 4_000 + "!"]:
        answer = requests.get(node.url + "/years/2026" + tail, timeout=30)
        assert answer.status_code == (404 if tail.endswith("!") else 200)
