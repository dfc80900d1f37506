"""What the hub's answer means for each item of the document it answers (floor 3, pure; R3, R26, R35)."""

from collections.abc import Iterator

from msgspec import Struct

from documents.codes import ReasonCode
from documents.identifiers import code_of
from documents.model import (
    AcknowledgementMarketDocument,
    Document,
    GlMarketDocument,
    RefMarketDocument,
    RejectedSeries,
    StatusRequestMarketDocument,
    UnavailabilityMarketDocument,
)
from documents.values import Identifier, Mrid, Reason
from gateways.rows import Rejection, VerdictWord

MARKERS = frozenset(
    {
        ReasonCode.FULLY_ACCEPTED,
        ReasonCode.FULLY_REJECTED,
        ReasonCode.PARTLY_REJECTED,
        ReasonCode.SERIES_REJECTED,
    }
)
"""Codes that say that something is refused, not why."""


class Outcome(Struct, frozen=True, kw_only=True):
    """The verdict on one document: for each item (asset or point) accepted, or refused with reasons."""

    verdict: VerdictWord
    accepted: tuple[Identifier, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    reasons: tuple[Reason, ...] = ()

    def refusal_of(self, item: Identifier) -> tuple[Reason, ...] | None:
        """Why this item was refused; None when it was accepted."""
        return next((rejection.reasons for rejection in self.rejected if rejection.id == item), None)


def revision_of(document: Document) -> int:
    """Revision of a document; 0 where its kind has none."""
    return document.revision if isinstance(document, UnavailabilityMarketDocument | GlMarketDocument) else 0


def name_of(document: Document) -> str:
    """`mrid/revision`: how a sent document is known inside a gateway."""
    return f"{document.mrid}/{revision_of(document)}"


def items_of(document: Document) -> Iterator[tuple[Mrid, tuple[Identifier, ...]]]:
    """Per series: the name an acknowledgement gives it, and the resources it is about."""
    match document:
        case RefMarketDocument():
            yield from ((code_of(series.resource), (series.resource,)) for series in document.series)
        case UnavailabilityMarketDocument():
            yield from ((s.mrid, tuple(asset.resource for asset in s.assets)) for s in document.series)
        case GlMarketDocument():
            yield from ((s.mrid, (s.resource,) if s.resource else ()) for s in document.series)
        case _:
            return


def resources_of(document: Document) -> tuple[Identifier, ...]:
    """Every resource of a document, once, in its order."""
    return tuple(dict.fromkeys(resource for _, resources in items_of(document) for resource in resources))


def judge(document: Document, answer: AcknowledgementMarketDocument) -> Outcome:
    """What an acknowledgement says about the document it answers. 999 for a request is a full, empty answer."""
    codes = {reason.code for reason in answer.reasons}
    everything = resources_of(document)
    if ReasonCode.FULLY_ACCEPTED in codes or (isinstance(document, StatusRequestMarketDocument) and _nothing(codes)):
        return Outcome(verdict="accepted", accepted=everything, reasons=_telling(answer.reasons))
    refused = {series.mrid: _why(series) for series in answer.rejected}
    if ReasonCode.PARTLY_REJECTED not in codes:
        general = _telling(answer.reasons) or (() if refused else answer.reasons)
        rejections = tuple(
            Rejection(id=resource, reasons=refused.get(name) or general or answer.reasons)
            for name, resources in items_of(document)
            for resource in resources
        )
        return Outcome(verdict="refused", rejected=rejections, reasons=general)
    rejections = tuple(
        Rejection(id=resource, reasons=refused[name])
        for name, resources in items_of(document)
        if name in refused
        for resource in resources
    )
    gone = {rejection.id for rejection in rejections}
    accepted = tuple(resource for resource in everything if resource not in gone)
    return Outcome(verdict="partlyAccepted", accepted=accepted, rejected=rejections, reasons=_telling(answer.reasons))


def failure(document: Document, *, hop: str, reason: str) -> Outcome:
    """The verdict on a document that did not arrive: every item refused, saying where it ended."""
    why = (Reason(ReasonCode.NOT_SPECIFIED, f"Not delivered: it ended at {hop} ({reason}). Send it again."),)
    return Outcome(
        verdict="refused", rejected=tuple(Rejection(id=r, reasons=why) for r in resources_of(document)), reasons=why
    )


def with_local_refusals(outcome: Outcome, refused: tuple[Rejection, ...]) -> Outcome:
    """Add the items that were refused before the document was made (R34)."""
    if not refused:
        return outcome
    verdict: VerdictWord = "partlyAccepted" if outcome.verdict == "accepted" else outcome.verdict
    return Outcome(
        verdict=verdict,
        accepted=outcome.accepted,
        rejected=(*outcome.rejected, *refused),
        reasons=outcome.reasons,
    )


def _nothing(codes: set[str]) -> bool:
    return ReasonCode.NOT_SPECIFIED in codes and ReasonCode.FULLY_REJECTED not in codes


def _telling(reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    return tuple(reason for reason in reasons if reason.code not in MARKERS)


def _why(series: RejectedSeries) -> tuple[Reason, ...]:
    inner = (reason for error in series.in_error for reason in error.reasons)
    found = tuple(dict.fromkeys((*series.reasons, *inner)))
    return _telling(found) or found
