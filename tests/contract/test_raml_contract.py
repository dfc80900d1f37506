"""The contract and the gateways say the same: routes, parameters, bodies, types, examples (R32-R35)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from documents import registry
from gateways import bodies as common
from gateways.agr import bodies as agr
from gateways.agr import routes as agr_routes
from gateways.dso import bodies as dso
from gateways.dso import routes as dso_routes
from gateways.rest import Route
from raml.conformance import bodies_of, example_problems
from raml.reader import Api, Operation, read
from raml.schemas import REFERENCE, Schema

XML = "application/xml"
OPEN = {"/ping", "/openapi.json", "/api.raml", "/docs"}
ROUTES: Mapping[str, Sequence[Route]] = {"agr": agr_routes.ROUTES, "dso": dso_routes.ROUTES}
MODULES = {"agr": (common, agr), "dso": (common, dso)}
APIS = {name: read(f"{name}.raml") for name in ROUTES}
CALLS = [(name, route) for name, routes in ROUTES.items() for route in routes]


def structs(name: str) -> Iterator[type[Struct]]:
    """The bodies of a gateway, its own and the shared ones."""
    for module in MODULES[name]:
        for value in vars(module).values():
            is_body = isinstance(value, type) and issubclass(value, common.Body) and value is not common.Body
            if is_body and value.__module__ == module.__name__:
                yield value


def type_name(struct: type[Struct] | str) -> str:
    """A struct's type in the contract: `PeriodBody` is Period there."""
    return (struct if isinstance(struct, str) else struct.__name__).removesuffix("Body")


STRUCTS = [(name, struct) for name in ROUTES for struct in structs(name)]


def normal(schema: Any, named: Mapping[str, Schema]) -> Any:
    """A schema without words, in one spelling: scalar types written out, sets in order."""
    if isinstance(schema, list):
        return [normal(item, named) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = type_name(schema["$ref"].removeprefix(REFERENCE))
        siblings = {key: value for key, value in schema.items() if key != "$ref"}
        target = named.get(name)
        if target is not None and "properties" not in target:
            return normal(target | siblings, named)
        return normal(siblings, named) | {"$ref": name}
    result = {
        key: {name: normal(item, named) for name, item in value.items()}
        if key == "properties"
        else normal(value, named)
        for key, value in schema.items()
        if key not in ("title", "description", "examples")
    }
    if "enum" in result:
        result = {**result, "enum": sorted(result["enum"])}
        result.pop("type", None)
    if "anyOf" in result:
        result["anyOf"] = sorted(result["anyOf"], key=json.dumps)
    if "required" in result:
        result["required"] = sorted(result["required"])
        if not result["required"]:
            del result["required"]
    return result


def differences(ours: Any, theirs: Any, at: str = "$") -> Iterator[str]:
    """Where two schemas differ, for a reader of the failure."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            yield from differences(ours.get(key, "(absent)"), theirs.get(key, "(absent)"), f"{at}.{key}")
    elif ours != theirs:
        yield f"{at}: contract {ours!r}, code {theirs!r}"


def of_code(structs: Sequence[type[Struct]]) -> dict[str, Schema]:
    """Schemas of structs by type name, through JSON, where a tuple is a list."""
    _, components = msgspec.json.schema_components(structs, ref_template=REFERENCE + "{name}")
    return {type_name(name): schema for name, schema in json.loads(json.dumps(components)).items()}


@pytest.mark.parametrize("name", ROUTES)
def test_the_contract_and_the_router_have_the_same_operations(name: str) -> None:
    declared = {(operation.method, operation.path) for operation in APIS[name].operations}
    routed = {(route.method, route.path) for route in ROUTES[name]} | {("GET", path) for path in OPEN}

    assert declared - routed == set(), "in the contract only"
    assert routed - declared == set(), "in the gateway only"


@pytest.mark.parametrize("name", ROUTES)
def test_r34_only_the_contract_and_the_sign_of_life_need_no_token(name: str) -> None:
    assert {operation.path for operation in APIS[name].operations if not operation.secured} == OPEN


@pytest.mark.parametrize("name", ROUTES)
def test_the_contract_and_the_code_have_the_same_types(name: str) -> None:
    ours = {kind for kind, schema in APIS[name].schemas.items() if "properties" in schema}
    theirs = {type_name(struct) for struct in structs(name)}

    assert ours - theirs == set(), "in the contract only"
    assert theirs - ours == set(), "in the code only"


@pytest.mark.parametrize(("name", "struct"), STRUCTS, ids=lambda value: getattr(value, "__name__", value))
def test_each_type_of_the_contract_is_its_struct(name: str, struct: type[Struct]) -> None:
    schemas = APIS[name].schemas
    theirs = of_code([struct])

    found = differences(normal(schemas[type_name(struct)], schemas), normal(theirs[type_name(struct)], theirs))

    assert list(found) == []


@pytest.mark.parametrize(("name", "struct"), STRUCTS, ids=lambda value: getattr(value, "__name__", value))
def test_the_example_of_each_type_is_read_and_written_back_by_its_struct(name: str, struct: type[Struct]) -> None:
    example = APIS[name].examples[type_name(struct)]

    value = msgspec.json.decode(json.dumps(example), type=struct)

    assert msgspec.json.decode(msgspec.json.encode(value), type=struct) == value


@pytest.mark.parametrize("name", ROUTES)
def test_every_type_and_every_body_has_an_example_that_is_valid(name: str) -> None:
    assert list(example_problems(APIS[name])) == []


@pytest.mark.parametrize("name", ROUTES)
def test_every_xml_example_is_a_document_that_the_registry_reads(name: str) -> None:
    examples = {str(media.example) for place, media in all_bodies(APIS[name]) if place.endswith(XML)}

    assert examples
    for example in examples:
        assert registry.render(registry.read(example.encode())), example


@pytest.mark.parametrize(("name", "route"), CALLS, ids=lambda v: v if isinstance(v, str) else f"{v.method} {v.path}")
def test_the_parameters_that_are_declared_are_those_that_are_read(name: str, route: Route) -> None:
    operation = operation_of(name, route)
    schemas = APIS[name].schemas
    declared = {p.name: (p.required, normal(p.schema, schemas)) for p in operation.query}
    struct = of_code([route.query])[route.query.__name__]
    read_there = {
        key: (key in struct["required"], without_none(normal(value, {}))) for key, value in struct["properties"].items()
    }

    assert declared == read_there


@pytest.mark.parametrize(("name", "route"), CALLS, ids=lambda v: v if isinstance(v, str) else f"{v.method} {v.path}")
def test_the_bodies_that_are_declared_are_those_that_are_read(name: str, route: Route) -> None:
    operation = operation_of(name, route)
    expected = {"application/json": type_name(route.body)} if route.body else {}
    kinds = {kind: media.type_name for kind, media in operation.bodies.items() if kind != XML}

    assert kinds == expected
    assert (XML in operation.bodies) is route.xml


@pytest.mark.parametrize("name", ROUTES)
def test_every_operation_that_needs_a_token_declares_what_the_door_can_answer(name: str) -> None:
    for operation in APIS[name].operations:
        if operation.secured:
            assert {400, 401, 429, 503} <= operation.responses.keys(), operation.name


@pytest.mark.parametrize("name", ROUTES)
def test_r35_every_write_declares_its_verdicts_and_may_be_repeated(name: str) -> None:
    for operation in APIS[name].operations:
        if operation.method != "GET":
            assert {200, 202, 409, 422, 502} <= operation.responses.keys(), operation.name
            assert {"Idempotency-Key", "Prefer"} == {header.name for header in operation.headers}, operation.name
            assert {413, 415} <= operation.responses.keys() or not operation.bodies, operation.name


@pytest.mark.parametrize("name", ROUTES)
def test_r33_every_feed_takes_a_cursor_and_waits_30_seconds_unless_told_0_to_300(name: str) -> None:
    feeds = [operation for operation in APIS[name].operations if operation.path.endswith("/changes")]

    assert len(feeds) == {"agr": 1, "dso": 2}[name]
    for operation in feeds:
        query = {parameter.name: parameter for parameter in operation.query}
        timeout = query["timeout"].schema
        assert (timeout["minimum"], timeout["maximum"], timeout["default"]) == (0, 300, 30)
        assert not query["after"].required
        answered = APIS[name].schemas[str(operation.responses[200].bodies["application/json"].type_name)]
        assert "next" in answered["required"]


@pytest.mark.parametrize(
    ("name", "foreign"),
    [
        ("agr", {"dso", "sender", "total", "capacity", "operator"}),
        ("dso", {"agr", "operator", "owner", "brp", "share"}),
    ],
)
def test_no_type_has_a_place_for_what_belongs_to_another_participant(name: str, foreign: set[str]) -> None:
    words = {word for schema in APIS[name].schemas.values() for word in schema.get("properties", {})}

    assert words
    assert words.isdisjoint(foreign)


@pytest.mark.parametrize("name", ROUTES)
def test_every_error_is_a_problem(name: str) -> None:
    for operation in APIS[name].operations:
        for status, response in operation.responses.items():
            if status >= 400:
                assert {kind: media.type_name for kind, media in response.bodies.items()} == {
                    "application/problem+json": "Problem"
                }, operation.name
                assert response.bodies["application/problem+json"].example["status"] == status


def all_bodies(api: Api) -> Iterator[tuple[str, Any]]:
    for operation in api.operations:
        yield from bodies_of(operation)


def operation_of(name: str, route: Route) -> Operation:
    operation = APIS[name].operation(route.method, route.path)
    assert operation is not None, f"{route.method} {route.path} is not in the contract"
    return operation


def without_none(schema: Any) -> Any:
    """In a query nothing is null: what is absent is absent. An empty list and none given are the same."""
    result = {key: value for key, value in schema.items() if key != "default" or value not in (None, [])}
    if "anyOf" in result:
        (only,) = (part for part in result.pop("anyOf") if part != {"type": "null"})
        result |= only
    return result
