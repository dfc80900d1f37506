"""The document modules by family of `documents.versions`, so that the tests of one document need no registry."""

from typing import Any

from lxml import etree

from documents import (
    acknowledgement_market_document,
    gl_market_document,
    problem_statement_market_document,
    ref_market_document,
    status_request_market_document,
    unavailability_market_document,
)
from documents.versions import VERSIONS, Version

MODULES: dict[str, Any] = {  # Any: the modules share a shape, not a type
    "Acknowledgement": acknowledgement_market_document,
    "GL": gl_market_document,
    "ProblemStatement": problem_statement_market_document,
    "Ref": ref_market_document,
    "StatusRequest": status_request_market_document,
    "Unavailability": unavailability_market_document,
}


def version(family: str, number: str | None = None) -> Version:
    """Return the version of that number, or else the emitted or newest one."""
    found = [row for row in VERSIONS if row.family == family and number in (None, row.number)]
    return next((row for row in found if row.emitted), found[-1])


def version_of(data: bytes) -> Version | None:
    """Return the version that root element and namespace name."""
    name = etree.QName(etree.fromstring(data))
    return next((row for row in VERSIONS if (row.namespace, row.root) == (name.namespace, name.localname)), None)


def parse(data: bytes) -> Any:  # Any: one of the six models, known to the test
    """Parse a document of a known version."""
    found = version_of(data)
    assert found is not None
    return MODULES[found.family].parse(etree.fromstring(data), found)


def render(document: Any, number: str | None = None) -> bytes:  # Any: one of the six models
    """Render a document in the emitted or a named version."""
    family = type(document).__name__.removesuffix("MarketDocument")
    rendered = MODULES["GL" if family == "Gl" else family].render(
        document, version("GL" if family == "Gl" else family, number)
    )
    assert isinstance(rendered, bytes)
    return rendered
