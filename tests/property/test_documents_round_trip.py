"""Any document of the model survives being written and read, in every version it can be written in."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from documents.curves import expand
from documents.errors import SchemaInvalid
from documents.model import Document, GlMarketDocument, UnavailabilityMarketDocument
from documents.versions import VERSIONS
from tests.documents_by_family import parse, render
from tests.strategies_documents import documents, gl_documents, texts, unavailability_documents

WRITTEN = {
    family: [row.number for row in VERSIONS if row.family == family and (family, row.number) != ("Ref", "1:0")]
    for family in {row.family for row in VERSIONS}
}


@given(documents, st.data())
def test_reading_what_was_written_gives_the_same_document(document: Document, data: st.DataObject) -> None:
    numbers = WRITTEN[type(document).__struct_config__.tag]  # type: ignore[index] # tags are strings here

    number = data.draw(st.sampled_from(numbers))

    assert parse(render(document, number)) == document


@given(documents)
def test_writing_twice_gives_the_same_bytes(document: Document) -> None:
    first = render(document)

    assert render(parse(first)) == first


@given(gl_documents() | unavailability_documents())
def test_curve_a01_is_written_with_all_positions_and_a03_with_changes_only(
    document: GlMarketDocument | UnavailabilityMarketDocument,
) -> None:
    root: Any = etree.fromstring(render(document))
    written = [
        [point.text for point in period.iter("{*}position")] for period in root.iter("{*}Period", "{*}Available_Period")
    ]

    expected = []
    for series in document.series:
        for period in series.periods:
            steps = range(1, len(expand(period)) + 1) if series.curve == "A01" else (p.position for p in period.points)
            expected.append([str(position) for position in steps])
    assert written == expected


@given(documents)
def test_trap_10_comments_inside_values_change_nothing(document: Document) -> None:
    root: Any = etree.fromstring(render(document))
    comment = etree.Comment("half of it follows")
    mrid = root.find("{*}mRID")
    half = len(mrid.text) // 2
    comment.tail, mrid.text = mrid.text[half:], mrid.text[:half]
    mrid.append(comment)

    assert parse(etree.tostring(root)) == document


DAYS = ("24:00:00", "9999-12-31", "0001-01-01", "23:59:59-14:00", "9999-12-31T23:59Z", "PT1S", "PT99999999H", "P1Y")
UNUSUAL = texts(12) | st.sampled_from(DAYS) | st.sampled_from(("", "0", "-1", "1e9", "9" * 5000, "A04", "MWH", "KWT"))


@given(documents, st.data())
def test_trap_13_a_document_with_anything_changed_is_read_or_refused_in_words(
    document: Document, data: st.DataObject
) -> None:
    root: Any = etree.fromstring(render(document))
    elements = list(root.iterdescendants())
    for element in data.draw(st.lists(st.sampled_from(elements), min_size=1, max_size=3, unique_by=id)):
        match data.draw(st.sampled_from(("text", "remove", "repeat", "attribute"))):
            case "text":
                element.text = data.draw(UNUSUAL)
            case "remove":
                element.getparent().remove(element)
            case "repeat":
                element.getparent().append(element)
            case "attribute":
                element.set("codingScheme", data.draw(UNUSUAL))

    refusal, read = None, None
    try:
        read = parse(etree.tostring(root))
    except SchemaInvalid as error:
        refusal = error
    assert refusal.where if refusal else type(read) is type(document)
