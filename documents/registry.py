"""The one table of known documents: from bytes to a Document and back, by namespace and root element (F1, R29)."""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from lxml import etree
from lxml.etree import _Element as Element

from documents import (
    acknowledgement_market_document,
    content_model,
    gl_market_document,
    problem_statement_market_document,
    ref_market_document,
    status_request_market_document,
    unavailability_market_document,
    xml,
)
from documents.errors import DocumentError, IdentifierError, UnknownDocument
from documents.model import (
    AcknowledgementMarketDocument,
    Document,
    GlMarketDocument,
    ProblemStatementMarketDocument,
    RefMarketDocument,
    StatusRequestMarketDocument,
    UnavailabilityMarketDocument,
)
from documents.values import Mrid
from documents.versions import VERSIONS, Version


class _Family(NamedTuple):
    """How the documents of a family are read and written. `render` takes the family's own model."""

    parse: Callable[[Element, Version], Document]
    render: Callable[[Any, Version], bytes]


_FAMILIES: Final = {
    "Acknowledgement": _Family(acknowledgement_market_document.parse, acknowledgement_market_document.render),
    "GL": _Family(gl_market_document.parse, gl_market_document.render),
    "ProblemStatement": _Family(problem_statement_market_document.parse, problem_statement_market_document.render),
    "Ref": _Family(ref_market_document.parse, ref_market_document.render),
    "StatusRequest": _Family(status_request_market_document.parse, status_request_market_document.render),
    "Unavailability": _Family(unavailability_market_document.parse, unavailability_market_document.render),
}
_FAMILY_OF: Final[dict[type, str]] = {
    AcknowledgementMarketDocument: "Acknowledgement",
    GlMarketDocument: "GL",
    ProblemStatementMarketDocument: "ProblemStatement",
    RefMarketDocument: "Ref",
    StatusRequestMarketDocument: "StatusRequest",
    UnavailabilityMarketDocument: "Unavailability",
}
_BY_TAG: Final = {f"{{{version.namespace}}}{version.root}": version for version in VERSIONS}
_EMITTED: Final = {version.family: version for version in VERSIONS if version.emitted}
_QUOTED: Final = 100


def read(data: bytes) -> Document:
    """Read a document of any known version.

    Raises:
        Malformed: no XML, or XML with features that are refused.
        UnknownDocument: no document of the table.
        SchemaInvalid: it breaks the content model of its version.
    """
    root, version = _load(data)
    return _FAMILIES[version.family].parse(root, version)


def identify(data: bytes) -> Version:
    """Tell which document and version this is, without judging its content.

    Raises:
        Malformed: no XML, or XML with features that are refused.
        UnknownDocument: no document of the table.
    """
    return _version(xml.root_tag(xml.safe_text(data)))


def version_of(root: Element) -> Version:
    """Look the root element up by namespace and name together (trap 11).

    Raises:
        UnknownDocument: it is not in the table.
    """
    return _version(str(root.tag))


def render(document: Document) -> bytes:
    """Write a document in the version of its family that we emit, and see that it obeys that version's content model.

    Raises:
        IdentifierError: an mRID is too long for the version; it is never cut (trap 2).
        ValueError: the document is of a kind that is only read, or holds what a document cannot carry.
        RuntimeError: what was written is not valid; the caller made a document that cannot be sent.
    """
    family = _FAMILY_OF[type(document)]
    version = _EMITTED.get(family)
    if version is None:
        raise ValueError(f"A {family} document is read, never sent.")
    _refuse_long_mrids(document, version)
    data = _FAMILIES[family].render(document, version)
    try:
        _load(data)
    except DocumentError as error:
        raise RuntimeError(f"The {version.root} to send is not valid. {error}") from error
    return data


def _load(data: bytes) -> tuple[Element, Version]:
    text = xml.safe_text(data)
    if len(text) > content_model.AT_ONCE:
        version = _version(xml.root_tag(text))
        return content_model.load(text, version), version
    root = xml.parse_text(text)
    version = version_of(root)
    content_model.check(root, version)
    return root, version


def _version(tag: str) -> Version:
    version = _BY_TAG.get(tag)
    if version is None:
        raise _unknown(etree.QName(tag))
    return version


def _unknown(tag: etree.QName) -> UnknownDocument:
    near = [version for version in VERSIONS if version.root == tag.localname or version.namespace == tag.namespace]
    known = [f"{version.root} in {version.namespace}" for version in near] or sorted(
        {version.root for version in VERSIONS}
    )
    name, namespace = tag.localname[:_QUOTED], (tag.namespace or "no namespace")[:_QUOTED]
    return UnknownDocument(
        f"This is an unknown document: {name} in {namespace}",
        where="the root element",
        mend="Known are " + ", ".join(known),
    )


def _refuse_long_mrids(document: Document, version: Version) -> None:
    for mrid in _mrids(document):
        if len(mrid) > version.mrid_max:
            raise IdentifierError(
                f"The mRID {mrid[:_QUOTED]!r} has {len(mrid)} characters, a {version.root} {version.number} carries "
                f"at most {version.mrid_max}. Give a shorter one, such as 32 hexadecimal digits."
            )


def _mrids(document: Document) -> Iterator[Mrid]:
    """Every mRID of a document and of its series."""
    yield document.mrid
    if isinstance(document, GlMarketDocument | UnavailabilityMarketDocument):
        yield from (series.mrid for series in document.series)
    if isinstance(document, AcknowledgementMarketDocument):
        yield document.received.mrid or ""
        yield from (series.mrid for series in document.rejected)
