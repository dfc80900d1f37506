"""A finding says where it is, what was found, and what would mend it; the schemas are whole and our own."""

import re
import threading

import pytest
from lxml import etree

from documents import content_model, registry
from documents.errors import SchemaInvalid
from documents.versions import VERSIONS
from tests.unit.test_hostile_xml import POINT, schedule

POINTS = POINT * 3
NAMES = [f"{version.root} {version.number}" for version in VERSIONS]


@pytest.mark.parametrize("version", VERSIONS, ids=NAMES)
def test_the_schema_of_each_version_is_one_complete_document(version: object) -> None:
    text = content_model.schema_text(version)  # type: ignore[arg-type] # parametrised

    assert b"$" not in text
    assert b"xs:include" not in text
    assert etree.XMLSchema(etree.fromstring(text)) is not None


def test_every_column_that_differs_is_used_by_the_schema_of_its_family() -> None:
    for family in {version.family for version in VERSIONS}:
        rows = [version for version in VERSIONS if version.family == family]
        schemas = {content_model.schema_text(version) for version in rows}
        assert len(schemas) == len(rows), family


def test_the_schemas_hold_no_text_of_the_official_ones() -> None:
    for version in VERSIONS:
        text = content_model.schema_text(version).decode()
        assert not re.search("xs:annotation|xs:documentation|sawsdl|ESMP|_String", text)


@pytest.mark.parametrize(
    ("old", "new", "where", "found", "mend"),
    [
        ("<type>A67", "<type>Q99", "line 4, element type", "'Q99' is not an element of its code list", "Use a code"),
        ("<mRID>1<", f"<mRID>{'a' * 36}<", "line 2, element mRID", "has a length of '36'", "Shorten the value"),
        (
            "  <revisionNumber>1</revisionNumber>\n",
            "",
            "line 3, element type",
            "Expected is ( revisionNumber )",
            "order",
        ),
        (
            "KWT</",
            "KWT<x/></",
            "line 17, element TimeSeries/quantity_Measure_Unit.name",
            "not allowed",
            "inside it out",
        ),
        (' codingScheme="NDK"', "", "line 16, element TimeSeries/registeredResource.mRID", "is required", "Add the"),
        ("<TimeSeries>", '<TimeSeries a="">', "line 12, element TimeSeries", "'a' is not allowed", "attribute out"),
        ("<Period>", "text<Period>", "line 12, element TimeSeries", "other than whitespace", "text between"),
        ("8:00:00Z", "8:00:00", "line 10, element createdDateTime", "pattern", "UTC with Z"),
        ("T22:00Z</e", "T22:00:00Z</e", "line 11, element time_Period.timeInterval/end", "pattern", "UTC with Z"),
        (">PT15M", ">15M", "line 21, element TimeSeries/Period/resolution", "xs:duration", "form of its type"),
    ],
)
def test_a_finding_is_located_explained_and_can_be_mended(
    old: str, new: str, where: str, found: str, mend: str
) -> None:
    for text in (schedule(POINTS), schedule(POINTS * 1_000)):
        assert old in text

        with pytest.raises(SchemaInvalid) as refused:
            registry.read(text.replace(old, new, 1).encode())

        assert refused.value.where == where
        assert found in refused.value.found
        assert mend in refused.value.mend


@pytest.mark.parametrize("many", [1, 1_000], ids=["short", "long"])
def test_the_finding_is_counted_among_its_like(many: int) -> None:
    wrong = POINT.replace("<position>1", "<position>0")

    with pytest.raises(
        SchemaInvalid, match=rf"element TimeSeries/Period/Point\[{many * 3 + 1}\]/position. Use a value"
    ):
        registry.read(schedule(POINTS * many + wrong).encode())


def test_the_end_of_a_long_document_is_judged_too() -> None:
    text = schedule(POINTS * 1_000).replace("</TimeSeries>", "</TimeSeries><Reason/>")

    with pytest.raises(SchemaInvalid, match=r"Reason.*line 24, element Reason"):
        registry.read(text.encode())


def test_what_is_quoted_is_short_and_without_namespaces() -> None:
    with pytest.raises(SchemaInvalid) as refused:
        registry.read(schedule(f"<Point><position>{'9' * 5_000}</position><quantity>1</quantity></Point>").encode())

    assert len(refused.value.found) <= 303
    assert "urn:" not in refused.value.found


def test_each_thread_compiles_a_schema_once() -> None:
    seen = []

    def read_twice() -> None:
        registry.read(schedule().encode())
        first = content_model._local.schemas.copy()
        registry.read(schedule().encode())
        seen.append((first, content_model._local.schemas.copy()))

    threads = [threading.Thread(target=read_twice) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (one, one_later), (other, other_later) = seen
    assert one == one_later
    assert other == other_later
    assert set(one.values()).isdisjoint(other.values())
