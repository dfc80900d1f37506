"""The table of documents: known by root and namespace together, read in every version, written in one."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents import registry, xml
from documents.errors import IdentifierError, Malformed, SchemaInvalid, UnknownDocument
from documents.model import (
    AcknowledgementMarketDocument,
    Document,
    GlMarketDocument,
    ProblemStatementMarketDocument,
    ReceivedDocument,
    RejectedSeries,
)
from documents.versions import VERSIONS
from tests.documents_by_family import render
from tests.strategies_documents import acknowledgements, documents, gl_documents, problem_statements

EMITTED = {"Ref": "1:2", "GL": "3:1", "Unavailability": "4:0", "StatusRequest": "4:0", "Acknowledgement": "8:1"}


LONG = st.text("0123456789abcdef-", min_size=36, max_size=60)
KINDS = {kind.__struct_config__.tag: kind for kind in get_args(Document)}
# The versions that hold all that the emitted one holds; older ones have shorter identifications or fewer elements.
AS_WIDE = [
    version
    for version in VERSIONS
    if version.emitted or version.mrid_max == 60 or version.family == "ProblemStatement" or version.number == "3:1"
    if version.header_reason_min == 0
]


def is_sent(document: Document) -> bool:
    return not isinstance(document, ProblemStatementMarketDocument)


def test_exactly_the_agreed_versions_are_written() -> None:
    assert {version.family: version.number for version in VERSIONS if version.emitted} == EMITTED


def test_nineteen_versions_are_read_each_known_by_its_own_namespace() -> None:
    assert len({version.namespace for version in VERSIONS}) == len(VERSIONS) == 19


@given(documents.filter(is_sent))
def test_what_is_written_is_read_back_and_identified(document: Document) -> None:
    data = registry.render(document)

    version = registry.identify(data)
    assert version.emitted
    assert version == registry.version_of(xml.parse(data))
    assert registry.read(data) == document


@given(documents, st.data())
def test_later_and_renamed_versions_say_the_same(document: Document, data: st.DataObject) -> None:
    version = data.draw(st.sampled_from([row for row in AS_WIDE if isinstance(document, KINDS[row.family])]))

    written = render(document, version.number)

    assert registry.identify(written) == version
    assert registry.read(written) == document


def test_an_unknown_document_is_told_what_is_known() -> None:
    with pytest.raises(UnknownDocument, match="unknown document: Other in no namespace") as other:
        registry.read(b"<Other/>")
    with pytest.raises(UnknownDocument) as wrong_version:
        registry.identify(b'<GL_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-6:generationloaddocument:9:9"/>')

    assert "Known are Acknowledgement_MarketDocument, GL_MarketDocument" in other.value.mend
    assert "generationloaddocument:3:1" in wrong_version.value.mend
    assert "outagedocument" not in wrong_version.value.mend


def test_all_errors_of_form_are_answered_with_a94() -> None:
    assert {error.reason_code for error in (Malformed, UnknownDocument, SchemaInvalid)} == {"A94"}


@given(gl_documents(), st.data())
def test_trap_02_an_mrid_that_does_not_fit_is_refused_and_never_cut(
    document: GlMarketDocument, data: st.DataObject
) -> None:
    mrid = data.draw(LONG)
    series = msgspec.structs.replace(document.series[0], mrid=mrid)

    for changed in (
        msgspec.structs.replace(document, mrid=mrid),
        msgspec.structs.replace(document, series=(*document.series[1:], series)),
    ):
        with pytest.raises(IdentifierError, match=r"carries at most 35\. Give a shorter one"):
            registry.render(changed)


@given(problem_statements)
def test_a_document_that_is_only_read_is_not_written(document: Document) -> None:
    with pytest.raises(ValueError, match="is read, never sent"):
        registry.render(document)


@given(acknowledgements, st.data())
def test_an_acknowledgement_repeats_sixty_characters_and_refuses_more(
    document: AcknowledgementMarketDocument, data: st.DataObject
) -> None:
    rejected = RejectedSeries(mrid=data.draw(LONG.map(lambda mrid: mrid.ljust(60, "0"))))
    fitting = msgspec.structs.replace(document, rejected=(rejected,))
    too_long = msgspec.structs.replace(document, received=ReceivedDocument(mrid="a" * 61))

    assert registry.read(registry.render(fitting)) == fitting
    with pytest.raises(IdentifierError, match="has 61 characters"):
        registry.render(too_long)


@given(gl_documents())
def test_a_document_that_breaks_its_content_model_does_not_leave(document: GlMarketDocument) -> None:
    with pytest.raises(RuntimeError, match=r"to send is not valid.*TimeSeries"):
        registry.render(msgspec.structs.replace(document, series=()))
    with pytest.raises(RuntimeError, match=r"to send is not valid.*code list"):
        registry.render(msgspec.structs.replace(document, type="Q99"))


def test_threads_may_read_at_once(shared: Path) -> None:
    data = (shared / "standards/mapping-examples/10_operational_schedule.xml").read_bytes()
    expected = registry.read(data)

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(registry.read, [data] * 50)) == {expected}
