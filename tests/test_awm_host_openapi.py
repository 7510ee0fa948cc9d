"""From an OpenAPI document to tools, and from a call back to a request."""

import asyncio

import pytest

from awm_gym.formats.awm import openapi
from awm_gym.formats.awm.asgi import Response, respond
from awm_gym.formats.awm.openapi import Collision, Request


def document(operation, *, path="/a/{id}", method="post", schemas=None):
    found = {"operationId": "act", "summary": "Act", **operation}
    return {"paths": {path: {method: found}}, "components": {"schemas": schemas or {}}}


def only(*args, **kwargs):
    (found,) = openapi.operations(document(*args, **kwargs))
    return found


def body(schema, **rest):
    return {"requestBody": {"content": {"application/json": {"schema": schema}}, **rest}}


def named(name, method, path):
    return openapi.Operation(name, method, path, "", {}, {}, False, False)


def test_a_document_without_paths_has_no_operations():
    assert list(openapi.operations({})) == []


def test_an_operation_without_words_is_described_by_its_route():
    assert only({"summary": ""}).description == "POST /a/{id}"
    assert only({"description": "Now."}).description == "Act\n\nNow."


def test_an_operation_without_parameters_has_an_empty_schema():
    found = only({})
    assert found.schema == {"type": "object", "properties": {}}
    assert openapi.request(found, {"id": 1}) == Request(
        "POST", "/a/{id}", {}, b"", [(b"host", b"app"), (b"content-type", b"application/json")], b""
    )


def test_cookies_are_no_arguments():
    parameters = [{"in": "cookie", "name": "taste"}, {"in": "query", "name": "q"}]
    assert only({"parameters": parameters}).schema["properties"] == {"q": {}}


def test_names_that_collide_are_kept_apart_however_many_there_are():
    parameters = [{"in": place, "name": "id", "schema": {}} for place in ("header", "query", "path")]
    schema = {"type": "object", "properties": {"id": {}, "body_id": {}, "query_id": {}}}
    found = only({"parameters": parameters, **body(schema)})
    assert list(found.schema["properties"]) == [
        "id",
        "query_id",
        "header_id",
        "body_id",
        "body_body_id",
        "body_query_id",
    ]
    request = openapi.request(found, dict(zip(found.schema["properties"], "abcdef", strict=True)))
    assert (request.path, request.path_parameters, request.query) == ("/a/a", {"id": "a"}, b"id=b")
    assert request.headers[-1] == (b"id", b"c")
    assert request.body == b'{"id": "d", "body_id": "e", "query_id": "f"}'


def test_values_are_spelled_as_json_but_for_text():
    parameters = [{"in": "query", "name": name} for name in "abcd"]
    request = openapi.request(only({"parameters": parameters}), {"a": True, "b": [1.5, "x y"], "c": None, "d": "é&"})
    assert request.query == b"a=true&b=1.5&b=x+y&d=%C3%A9%26"


def test_text_that_no_header_holds_is_replaced():
    request = openapi.request(only({"parameters": [{"in": "header", "name": "X-Dog"}]}), {"X-Dog": "犬"})
    assert request.headers[-1] == (b"x-dog", b"?")


@pytest.mark.parametrize(
    "wrapped", [{"allOf": [{"$ref": "#/components/schemas/In"}]}, {"$ref": "#/components/schemas/In"}]
)
def test_references_and_wrappings_are_opened(wrapped):
    schemas = {"In": {"title": "In", "type": "object", "properties": {"title": {"title": "Title", "type": "string"}}}}
    found = only(body({"anyOf": [wrapped, {"type": "null"}]}), schemas=schemas)
    assert found.schema == {"type": "object", "properties": {"title": {"type": "string"}}}
    assert openapi.request(found, {}).body == b""
    assert openapi.request(found, {"title": None, "more": 1}).body == b'{"title": null, "more": 1}'


def test_a_required_body_is_sent_even_if_it_is_empty():
    schema = {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["b"]}
    found = only(body(schema, required=True))
    assert found.schema["required"] == ["b"]
    assert openapi.request(found, {}).body == b"{}"
    assert "required" not in only(body(schema)).schema


def test_a_body_that_is_no_object_is_one_argument():
    found = only(body({"anyOf": [{"type": "integer"}, {"type": "string"}]}, required=True))
    assert found.schema["required"] == ["body"]
    assert openapi.request(found, {"body": 3, "more": 1}).body == b"3"


def test_values_in_a_schema_are_left_alone():
    schema = {"enum": [{"title": "a"}], "default": {"$ref": "no"}, "items": [{"title": "Item"}], "discriminator": {}}
    assert openapi.inlined(schema, {}) == {"enum": [{"title": "a"}], "default": {"$ref": "no"}, "items": [{}]}


def test_references_say_more_beside_and_may_be_escaped():
    schemas = {"a/b~c": {"type": "string", "description": "old"}}
    reference = {"$ref": "#/components/schemas/a~1b~0c", "description": "new"}
    found = openapi.inlined(reference, {"components": {"schemas": schemas}})
    assert found == {"type": "string", "description": "new"}


def test_a_schema_may_be_used_twice_but_not_within_itself():
    pair = {"properties": {"left": {"$ref": "#/N"}, "right": {"$ref": "#/N"}}}
    assert openapi.inlined({"$ref": "#/N"}, {"N": pair}) == {"properties": {"left": {}, "right": {}}}
    leaf = {"a": {"$ref": "#/L"}, "b": {"$ref": "#/L"}}
    assert openapi.inlined({"properties": leaf}, {"L": {"type": "null"}})["properties"]["b"] == {"type": "null"}


def test_names_that_were_there_before_get_a_number():
    found = openapi.distinct([named(name, "GET", "/") for name in ("a", "a_2", "a", "a")])
    assert [operation.name for operation in found] == ["a", "a_2", "a_3", "a_4"]


def test_collisions_are_those_of_a_server():
    found = [
        named("one", "GET", "/a/b"),
        named("any", "GET", "/a/{x}"),
        named("post", "POST", "/a/b"),
        named("late", "GET", "/a/c"),
        named("again", "GET", "/a/b"),
        named("deep", "GET", "/a/b/c"),
        named("dot", "GET", "/a.b"),
        named("last", "GET", "/axb"),
    ]
    assert list(openapi.collisions(found, ["one", "any", "post", "late", "again", "deep", "dot", "one"])) == [
        Collision("shadow", "GET", "/a/c", "any", "late"),
        Collision("route", "GET", "/a/b", "one", "again"),
        Collision("name", "GET", "/axb", "one", "last"),
    ]


def test_an_application_that_says_nothing_is_a_500():
    async def silent(scope, receive, send):
        assert (await receive())["body"] == b"x"
        assert scope["extra"] == 1
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(receive(), 0.001)
        await send({"type": "http.response.body", "body": b"late"})

    response = Response()
    asyncio.run(respond(silent, Request("GET", "/", {}, b"", [], b"x"), response, extra=1))
    assert (response.status, response.body) == (500, b"late")
