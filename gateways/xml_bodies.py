"""IEC 62325 documents over REST, for market systems that speak them: the same content as the JSON (floor 7).

A client's document is read for what it says; the gateway makes its own of it, with its own instant and revision.
"""

from collections.abc import Iterable
from functools import partial
from typing import Final, TypeVar

from aiohttp import web

from documents import registry
from documents.errors import DocumentError
from documents.model import Document, Fault, GlMarketDocument, UnavailabilityMarketDocument
from gateways.bodies import FieldError
from gateways.identity import Identity
from gateways.problems import ProblemError
from gateways.rest import XML
from hub.aside import aside

BIG: Final = 64 * 1024
"""Bytes from which a document is read in a thread, so that the loop goes on."""
D = TypeVar("D", GlMarketDocument, UnavailabilityMarketDocument)


async def read(raw: bytes, kind: type[D], who: Identity, *, mrid: str | None = None) -> D:
    """The document of a body. Raises ProblemError: 400 for what cannot be read, 422 for what is not ours to send."""
    try:
        document = await _read(raw, urgent=kind is UnavailabilityMarketDocument)
    except DocumentError as error:
        errors = (FieldError(at=error.where or "/", problem=error.found),)
        raise ProblemError(400, str(error), reason=error.reason_code, errors=errors) from error
    if not isinstance(document, kind):
        raise ProblemError(422, f"The document is a {_name(type(document))}; expected a {_name(kind)}.", reason="A59")
    if document.sender.id != who.me.id:
        detail = f"The document names {document.sender.id} as its sender; expected {who.me.id}."
        raise ProblemError(422, detail, reason="A78", document=document.mrid)
    if mrid not in (None, document.mrid):
        raise ProblemError(422, f"The document's mRID is {document.mrid}; expected that of the path, {mrid}.")
    findings = tuple(_faults((series.mrid, series.faults) for series in document.series))
    if findings:
        detail = "Series of this document cannot be used. See errors."
        raise ProblemError(422, detail, reason=document_reason(document), document=document.mrid, errors=findings)
    return document


def unusable(at: str, problem: str, reason: str) -> ProblemError:
    """A document that cannot be sent as it is."""
    return ProblemError(422, problem, reason=reason, errors=(FieldError(at=at, problem=problem),))


async def answer(document: Document) -> web.Response:
    """The document itself as the answer."""
    series = getattr(document, "series", ())
    content = await aside(partial(registry.render, document)) if len(series) > 50 else registry.render(document)
    return web.Response(body=content, content_type=XML, charset="utf-8")


def document_reason(document: GlMarketDocument | UnavailabilityMarketDocument) -> str:
    """The code of the first finding."""
    return next(fault.code for series in document.series for fault in series.faults)


async def _read(raw: bytes, *, urgent: bool) -> Document:
    return await aside(partial(registry.read, raw), urgent=urgent) if len(raw) > BIG else registry.read(raw)


def _faults(found: Iterable[tuple[str, tuple[Fault, ...]]]) -> Iterable[FieldError]:
    for name, faults in found:
        yield from (FieldError(at=f"series {name}", problem=f"{fault.code}: {fault.text}") for fault in faults)


def _name(kind: type) -> str:
    return kind.__name__.replace("MarketDocument", "_MarketDocument").replace("Gl_", "GL_")
