"""What is derived from the contract says the same as the contract: OpenAPI, the one RAML file, the page."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from click.testing import CliRunner
from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # has no types

from raml.flat import flat
from raml.openapi import openapi
from raml.page import page
from raml.reader import METHODS, Api, read
from raml.site import routes
from raml.source import Folder
from raml.verbs import raml

NAMES = ("agr", "dso")
APIS = {name: read(f"{name}.raml") for name in NAMES}


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def api(name: str) -> Api:
    return APIS[name]


def walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item)


def test_openapi_has_every_operation_and_no_other(api: Api) -> None:
    document = openapi(api)
    found = {(method.upper(), path) for path, item in document["paths"].items() for method in item}

    assert document["openapi"] == "3.1.0"
    assert found == {(operation.method, operation.path) for operation in api.operations}


def test_openapi_says_of_each_operation_what_the_contract_says(api: Api) -> None:
    paths = openapi(api)["paths"]
    for operation in api.operations:
        found = paths[operation.path][operation.method.lower()]
        parameters = {(p["name"], p["in"], p["required"]) for p in found["parameters"]}
        declared = {(p.name, "path", True) for p in operation.path_parameters}
        declared |= {(p.name, "query", p.required) for p in operation.query}
        declared |= {(p.name, "header", p.required) for p in operation.headers}
        assert parameters == declared
        assert set(found.get("requestBody", {}).get("content", {})) == set(operation.bodies)
        assert {int(s): set(r.get("content", {})) for s, r in found["responses"].items()} == {
            status: set(response.bodies) for status, response in operation.responses.items()
        }
        assert bool(found["security"]) is operation.secured


def test_every_placeholder_of_a_path_is_a_parameter_and_the_reverse(api: Api) -> None:
    for path, item in openapi(api)["paths"].items():
        assert set(item) <= set(METHODS)
        for found in item.values():
            named = {p["name"] for p in found["parameters"] if p["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path))


def test_operation_ids_are_unique_names(api: Api) -> None:
    names = [operation.name for operation in api.operations]

    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z][A-Za-z]+", name) for name in names)


def test_every_reference_of_openapi_leads_somewhere(api: Api) -> None:
    document = openapi(api)
    targets = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    references = {block["$ref"] for block in walk(document) if isinstance(block.get("$ref"), str)}

    assert references
    assert references <= targets


def test_every_schema_of_openapi_is_a_json_schema(api: Api) -> None:
    document = openapi(api)
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for block in walk(document["paths"]):
        if isinstance(block.get("schema"), dict):
            Draft202012Validator.check_schema(block["schema"])


def test_every_operation_parameter_and_answer_is_described(api: Api) -> None:
    for operation in api.operations:
        assert len(operation.description) > 20, operation.name
        for parameter in (*operation.path_parameters, *operation.query, *operation.headers):
            assert parameter.schema.get("description"), f"{operation.name} {parameter.name}"
        assert all(response.description for response in operation.responses.values()), operation.name


def test_every_type_of_the_contract_is_used(api: Api) -> None:
    used = {block["$ref"].rpartition("/")[2] for block in walk(openapi(api)) if isinstance(block.get("$ref"), str)}

    assert set(api.schemas) - used - {"AssetContent", "ConnectionPointContent"} == set()


def test_the_contract_in_one_file_is_the_contract(name: str, api: Api, tmp_path: Path) -> None:
    (tmp_path / "one.raml").write_text(flat(f"{name}.raml"), "utf-8")

    assert read("one.raml", Folder(tmp_path)) == api


class Links(HTMLParser):
    """Collects what a page links to, what it names, and which elements it has."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for key, value in attrs:
            if key in ("href", "src"):
                self.links.append(value or "")
            if key == "id":
                self.ids.append(value or "")
            assert not key.startswith("on"), f"{tag} has a handler"
            assert key != "style", f"{tag} has a style of its own, which the policy would block"


def test_the_page_loads_nothing_from_elsewhere_and_its_links_work(api: Api) -> None:
    found = Links()
    found.feed(page(api))

    assert found.tags.isdisjoint({"script", "img", "link", "iframe", "form", "object"})
    assert len(found.ids) == len(set(found.ids))
    inside = {link[1:] for link in found.links if link.startswith("#")}
    assert inside <= set(found.ids)
    assert {link for link in found.links if not link.startswith("#")} == {"openapi.json", "api.raml"}


def test_the_page_tells_every_operation_and_type(api: Api) -> None:
    text = page(api)

    assert all(f'id="{operation.name.lower()}"' in text for operation in api.operations)
    assert all(f'id="type-{name}"' in text for name in api.schemas)


async def test_the_contract_is_served_with_a_policy_that_lets_only_its_own_style_in(name: str) -> None:
    app = web.Application()
    app.add_routes(routes(name))
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with ClientSession() as session:
            async with session.get(f"{base}/openapi.json") as answer:
                served = await answer.json()
            async with session.get(f"{base}/api.raml") as answer:
                raml_kind, raml_text = answer.content_type, await answer.text()
            async with session.get(f"{base}/docs") as answer:
                policy, html = answer.headers["Content-Security-Policy"], await answer.text()
    finally:
        await runner.cleanup()

    assert served == json.loads(json.dumps(openapi(APIS[name])))
    assert (raml_kind, raml_text) == ("application/raml+yaml", flat(f"{name}.raml"))
    assert html == page(APIS[name])
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert re.search(r"style-src 'sha256-[A-Za-z0-9+/]{43}='", policy)


@pytest.mark.slow
def test_the_commands_write_what_the_gateways_serve(name: str) -> None:
    run = CliRunner().invoke

    assert json.loads(run(raml, ["openapi", name]).output) == json.loads(json.dumps(openapi(APIS[name])))
    assert run(raml, ["html", name]).output == page(APIS[name]) + "\n"
    assert run(raml, ["flat", name]).output == flat(f"{name}.raml") + "\n"


def test_check_finds_the_contracts_of_the_package_right() -> None:
    result = CliRunner().invoke(raml, ["check"])

    assert result.exit_code == 0
    assert "agr.raml: " in result.output
    assert "dso.raml: " in result.output


def test_check_tells_where_a_contract_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "bad.raml").write_text("#%RAML 1.0\ntitle: T\nversion: v1\ntypes:\n  A:\n    typo: string\n", "utf-8")

    result = CliRunner().invoke(raml, ["check", str(tmp_path / "bad.raml")])

    assert result.exit_code == 1
    assert "bad.raml:6: a type has no facet typo" in result.output


def test_check_tells_which_example_is_not_of_its_type(tmp_path: Path) -> None:
    text = "#%RAML 1.0\ntitle: T\nversion: v1\ntypes:\n  A:\n    type: integer\n    example: many\n"
    (tmp_path / "bad.raml").write_text(text, "utf-8")

    result = CliRunner().invoke(raml, ["check", str(tmp_path / "bad.raml")])

    assert result.exit_code == 1
    assert "type A: $: 'many' is not of type 'integer'" in result.output
