"""The RAML reader: what it understands, and how it refuses the rest with its place."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml.errors import RamlError
from raml.flat import flat
from raml.reader import Api, read
from raml.schemas import REFERENCE
from raml.source import Folder

LIBRARY = """#%RAML 1.0 Library
types:
  Watts:
    type: integer
    minimum: 0
  Named:
    type: object
    properties:
      id: string
      note?: string
    additionalProperties: false
traits:
  refusing:
    queryParameters:
      limit?: integer
    responses:
      404:
        description: Not there.
        headers:
          Retry-After: integer
        body:
          application/problem+json: Named
securitySchemes:
  bearer:
    type: Pass Through
    description: A token.
    describedBy:
      headers:
        Authorization: string
      responses:
        401:
          description: No token.
"""
CONTRACT = """#%RAML 1.0
title: Test
version: v1
mediaType: application/json
uses:
  lib: lib.raml
securedBy: [lib.bearer]
types:
  Pump:
    type: lib.Named
    properties:
      power: lib.Watts
      nick?:
        type: string | nil
        default: null
      tags: (string | integer)[]
/pumps/{id}:
  uriParameters:
    id: string
  get:
    displayName: getPump
    is: [lib.refusing]
    responses:
      200:
        body: Pump
      404:
        description: No such pump.
  /ping:
    get:
      securedBy: [null]
"""


def written(folder: Path, contract: str = CONTRACT, **others: str) -> Folder:
    files = {"api.raml": contract, "lib.raml": LIBRARY} | {f"{name}.raml": text for name, text in others.items()}
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return Folder(folder)


def api(folder: Path, contract: str = CONTRACT) -> Api:
    return read("api.raml", written(folder, contract))


def refusal(folder: Path, old: str, new: str) -> RamlError:
    assert old in CONTRACT
    with pytest.raises(RamlError) as caught:
        api(folder, CONTRACT.replace(old, new, 1))
    return caught.value


def test_an_inherited_type_is_flattened_into_one_object(tmp_path: Path) -> None:
    assert api(tmp_path).schemas["Pump"] == {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "note": {"type": "string"},
            "power": {"$ref": REFERENCE + "Watts"},
            "nick": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
            "tags": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
        },
        "required": ["id", "power", "tags"],
        "additionalProperties": False,
    }


def test_a_trait_lies_under_what_the_method_says_itself(tmp_path: Path) -> None:
    operation = api(tmp_path).operation("GET", "/pumps/{id}")

    assert operation is not None
    assert [parameter.name for parameter in operation.query] == ["limit"]
    assert not operation.query[0].required
    assert operation.responses[404].description == "No such pump."
    assert operation.responses[404].bodies["application/problem+json"].type_name == "Named"
    assert [header.name for header in operation.responses[404].headers] == ["Retry-After"]


def test_the_security_scheme_adds_its_answers_where_it_applies(tmp_path: Path) -> None:
    contract = api(tmp_path)
    secured, free = contract.operation("GET", "/pumps/{id}"), contract.operation("GET", "/pumps/{id}/ping")

    assert secured is not None
    assert free is not None
    assert secured.secured
    assert secured.responses[401].description == "No token."
    assert not free.secured
    assert 401 not in free.responses
    assert contract.bearer == "A token."


def test_a_path_parameter_reaches_the_resources_below(tmp_path: Path) -> None:
    below = api(tmp_path).operation("GET", "/pumps/{id}/ping")

    assert below is not None
    assert [parameter.name for parameter in below.path_parameters] == ["id"]


def test_a_contract_in_one_file_reads_the_same(tmp_path: Path) -> None:
    folder = written(tmp_path)
    text = flat("api.raml", folder)

    assert "uses:" not in text
    (tmp_path / "one.raml").write_text(text, "utf-8")
    assert read("one.raml", folder) == read("api.raml", folder)


def test_an_unknown_type_is_refused_with_its_line_and_those_that_are_known(tmp_path: Path) -> None:
    error = refusal(tmp_path, "power: lib.Watts", "power: lib.Volts")

    assert error.place == "api.raml:10"
    assert "'lib.Volts'" in str(error)
    assert "lib.Watts" in str(error)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("displayName: getPump", "displayname: getPump", "has no key displayname"),
        ("      power: lib.Watts", "      power: {type: integer, minimun: 0}", "no facet minimun"),
        ("version: v1", "version: v1\nversion: v2", "stands twice"),
        ("is: [lib.refusing]", "is: [lib.refused]", "no 'lib.refused'"),
        ("      404:\n        description", "      40x:\n        description", "the status is '40x'"),
        ("uses:\n  lib: lib.raml", "uses:\n  lib: ../lib.raml", "leads out of the folder"),
        ("uses:\n  lib: lib.raml", "uses:\n  lib: /lib.raml", "leads out of the folder"),
        ("uses:\n  lib: lib.raml", "uses:\n  lib: gone.raml", "cannot read 'gone.raml'"),
        ("uses:\n  lib: lib.raml", "uses:\n  lib: api.raml", "first line"),
        ("title: Test", "title: !include ../secret.txt", "leads out of the folder"),
        ("title: Test", "title: !include gone.json", "cannot read 'gone.json'"),
        ("title: Test", "title: [", "api.raml:"),
        ("#%RAML 1.0", "#%RAML 0.8", "expected '#%RAML 1.0'"),
        ("types:\n  Pump:", "types:\n  Watts: integer\n  Pump:", "declared twice"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(tmp_path: Path, old: str, new: str, problem: str) -> None:
    error = refusal(tmp_path, old, new)

    assert problem in str(error)
    assert error.place.partition(":")[0] in ("api.raml", "lib.raml")


def test_a_link_that_leads_out_of_the_folder_by_detours_is_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, "title: Test", "title: !include examples/../../secret.txt")

    assert "leads out of the folder" in str(error)


def test_an_included_json_file_that_is_none_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{", "utf-8")

    error = refusal(tmp_path, "title: Test", "title: !include bad.json")

    assert error.place == "bad.json"


def test_instants_and_codes_stay_text(tmp_path: Path) -> None:
    contract = CONTRACT.replace("power: lib.Watts", "power: {type: string, default: 2026-11-30T23:00:00Z}")

    assert api(tmp_path, contract).schemas["Pump"]["properties"]["power"]["default"] == "2026-11-30T23:00:00Z"


ATOMS = st.sampled_from(["string", "integer", "boolean", "nil", "Pump", "lib.Watts"])
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        inner.map(lambda t: f"({t})[]"), st.tuples(inner, inner).map(lambda p: f"({p[0]} | {p[1]})")
    ),
)


@given(EXPRESSIONS)
def test_every_type_expression_keeps_its_shape(tmp_path_factory: pytest.TempPathFactory, expression: str) -> None:
    folder = tmp_path_factory.mktemp("raml")
    contract = CONTRACT.replace("power: lib.Watts", f"power: {expression!r}")

    found = str(api(folder, contract).schemas["Pump"]["properties"]["power"])

    assert found.count("'array'") == expression.count("[]")
    assert found.count("'anyOf'") == expression.count("|")
    assert found.count("$ref") == expression.count("Pump") + expression.count("Watts")
