"""The one answer of a gateway to a document of the hub (R26; pure)."""

import hashlib
from collections.abc import Iterator
from datetime import datetime

from documents.codes import ReasonCode
from documents.model import (
    AcknowledgementMarketDocument,
    Document,
    GlMarketDocument,
    ReceivedDocument,
    RefMarketDocument,
    RejectedSeries,
    UnavailabilityMarketDocument,
)
from documents.values import Instant, Mrid, Reason
from gateways import verdicts
from gateways.events import DocumentSent
from gateways.identity import Identity


def acknowledged(
    document: Document | None, title: str, *, by: Identity, now: datetime, refusal: Reason | None = None
) -> DocumentSent:
    """That the answer leaves; without a document it names the message by its `title`.

    Its mRID follows from what it answers, so a repeat is the same.
    """
    rejected = tuple(_rejections(document)) if document and not refusal else ()
    code = ReasonCode.FULLY_REJECTED if refusal else ReasonCode.FULLY_ACCEPTED
    reasons = (Reason(ReasonCode.PARTLY_REJECTED if rejected else code), *((refusal,) if refusal else ()))
    about = verdicts.name_of(document) if document else title
    answer = AcknowledgementMarketDocument(
        mrid=_derived("acknowledgement", by.me.id, about, reasons[0].code),
        created=now.replace(microsecond=0),
        sender=by.me,
        receiver=by.hub,
        received=_received(document) if document else ReceivedDocument(title=title),
        rejected=rejected,
        reasons=reasons,
    )
    return DocumentSent(document=answer)


def _derived(*parts: str) -> Mrid:
    """An mRID that follows from what it is about: 32 hexadecimal digits."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def _received(document: Document) -> ReceivedDocument:
    created: Instant = document.created
    return ReceivedDocument(
        mrid=document.mrid,
        revision=verdicts.revision_of(document) or None,
        type=getattr(document, "type", None),
        process=getattr(document, "process", None),
        created=created,
    )


def _rejections(document: Document) -> Iterator[RejectedSeries]:
    """Series whose content cannot be used, one by one (R3)."""
    if not isinstance(document, RefMarketDocument | UnavailabilityMarketDocument | GlMarketDocument):
        return
    faults = [series.faults for series in document.series]
    for (name, _), found in zip(verdicts.items_of(document), faults, strict=True):
        if found:
            yield RejectedSeries(mrid=name, reasons=tuple(Reason(fault.code, fault.text) for fault in found))
