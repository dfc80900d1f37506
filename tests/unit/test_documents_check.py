"""`tps documents check`: what a file is, whether it is valid, where not and why, and whether the hub would take it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hub.cli import tps
from hub.verbs.documents import documents
from tests.unit.test_hostile_xml import POINT, schedule


@pytest.fixture
def examples(shared: Path) -> Path:
    return shared / "standards" / "mapping-examples"


def check(*arguments: str | Path, content: bytes | str = b"") -> Result:
    return CliRunner().invoke(documents, ["check", *map(str, arguments)], input=content)


def test_a_valid_document_is_named_and_the_exit_code_is_0() -> None:
    result = check("-", content=schedule())

    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "-: valid",
        "  GL_MarketDocument 3:1, type A67, process A01, mRID 1, revision 1",
        "  45X-AGR-ONE-DEMO (A27) -> 45X-TPS-HUB-DEM8 (A32), 1 series",
        "  hub:   would take it as: submit schedules",
        "1 document: 1 valid, 0 not valid; the hub would take 1.",
    ]


def test_an_invalid_document_is_told_where_why_and_what_would_mend_it() -> None:
    result = check("-", content=schedule().replace(">A67<", ">Q99<"))

    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "-: not valid",
        "  GL_MarketDocument 3:1",
        "  found: Element 'type': [facet 'enumeration'] The value 'Q99' is not an element of its code list",
        "  where: line 4, element type",
        "  mend:  Use a code of the code list",
        "  hub:   would refuse it",
        "1 document: 0 valid, 1 not valid; the hub would take 0.",
    ]


def test_an_unknown_document_is_called_so() -> None:
    result = check("-", content="<Other_MarketDocument/>")

    assert result.exit_code == 1
    assert result.output.startswith("-: unknown document\n")
    assert "Other_MarketDocument in no namespace" in result.output


def test_what_is_no_xml_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(b"\0\1\2")

    result = check(tmp_path / "a.xml")

    assert result.exit_code == 1
    assert f"{tmp_path / 'a.xml'}: not well-formed" in result.output
    assert "where: byte 0" in result.output


def test_as_hub_the_exit_code_is_whether_the_hub_would_take_it() -> None:
    from_hub = schedule().replace("A27<", "A32<")

    assert check("-", content=from_hub).exit_code == 0
    refused = check("--as", "hub", "-", content=from_hub)
    assert refused.exit_code == 1
    assert "hub:   would refuse it\n         A78 " in refused.output
    assert check("-", "--as", "hub", content=schedule()).exit_code == 0


def test_a_series_with_a_fault_is_told_though_the_document_is_valid() -> None:
    result = check("-", content=schedule(POINT.replace("<quantity>1", "<quantity>0.0001")))

    assert result.exit_code == 0
    assert "         A42 " in result.output


def test_all_files_are_checked_and_summed_up(examples: Path, shared: Path) -> None:
    files = sorted(examples.glob("*.xml"))
    configuration = shared / "standards/samples/configuration_hexagon.xml"

    result = check(*files, configuration)

    assert result.exit_code == 1
    assert result.output.count(": valid\n") == 16
    assert "17 documents: 16 valid, 1 not valid" in result.output.splitlines()[-1]


def test_json_is_one_object_per_line(examples: Path) -> None:
    result = check("--json", examples / "06_foreseen_limit_dso.xml", "-", content="<a/>")

    valid, unknown = map(json.loads, result.output.splitlines())
    assert valid | {"file": ""} == {
        "file": "",
        "verdict": "valid",
        "valid": True,
        "document": "Unavailability_MarketDocument",
        "version": "4:0",
        "type": "A53",
        "process": "A26",
        "mrid": "a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6",
        "revision": 1,
        "sender": "5790000000005 (A50)",
        "receiver": "45X-TPS-HUB-DEM8 (A32)",
        "series": 1,
        "hub_takes": True,
        "hub_takes_as": "AnnounceLimit",
    }
    assert (unknown["verdict"], unknown["valid"], unknown["hub_takes"]) == ("unknown document", False, False)


def test_control_characters_of_a_document_do_not_reach_the_terminal() -> None:
    result = check("-", content=schedule().replace("<mRID>1<", "<mRID>1\u009b31m\n<", 1))

    assert result.exit_code == 0
    assert "\u009b" not in result.output
    assert "mRID 1 31m," in result.output


def test_a_file_that_cannot_be_read_is_wrong_usage(tmp_path: Path) -> None:
    result = check(tmp_path / "none.xml")

    assert result.exit_code == 2
    assert "none.xml cannot be read: No such file or directory." in result.output


def test_no_file_is_wrong_usage() -> None:
    assert check().exit_code == 2


def test_a_file_without_end_is_refused_by_its_size(tmp_path: Path) -> None:
    with (tmp_path / "long.xml").open("wb") as file:
        file.truncate(200 * 2**20)

    result = check(tmp_path / "long.xml")

    assert result.exit_code == 1
    assert "has 16777217 bytes, at most 16777216 are taken" in result.output


def test_the_command_is_found_by_tps() -> None:
    result = CliRunner().invoke(tps, ["documents", "check", "-"], input=schedule())

    assert result.exit_code == 0
    assert result.output.startswith("-: valid")
