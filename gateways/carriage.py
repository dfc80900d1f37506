"""How a gateway's documents travel (R27): business type and time to live by the kind of document."""

from datetime import datetime, timedelta
from typing import assert_never

from documents.codes import BusinessType as Series
from documents.codes import PsrType
from documents.model import (
    AcknowledgementMarketDocument,
    Document,
    GlMarketDocument,
    ProblemStatementMarketDocument,
    RefMarketDocument,
    StatusRequestMarketDocument,
    UnavailabilityMarketDocument,
)
from hub.mades.message import URGENT, BusinessType
from hub.mades.paths import LONGEST_LIFE

DAY = timedelta(hours=24)
QUARTER = timedelta(minutes=15)
AFTER_END = timedelta(days=14)
"""A cancel of a limit has no content that ends: it stays worth delivering for this long."""


def business_type(document: Document) -> BusinessType:
    """Under which name a document travels to the hub (R27)."""
    match document:
        case RefMarketDocument():
            points = any(series.psr_type == PsrType.CONNECTION_POINT for series in document.series)
            return BusinessType.POINTS if points else BusinessType.ASSETS
        case UnavailabilityMarketDocument():
            unforeseen = any(series.business_type == Series.UNPLANNED_OUTAGE for series in document.series)
            return BusinessType.UNFORESEEN if unforeseen else BusinessType.FORESEEN
        case GlMarketDocument():
            return BusinessType.SCHEDULES
        case StatusRequestMarketDocument():
            return BusinessType.REQUEST
        case AcknowledgementMarketDocument() | ProblemStatementMarketDocument():
            return BusinessType.ACK
        case _:
            assert_never(document)


def expiry(document: Document, now: datetime) -> datetime:
    """Until when delivery is worth trying (R27).

    Never less than a quarter of an hour, so that the hub can refuse what is late.
    """
    match document:
        case UnavailabilityMarketDocument() if document.status:
            return now + AFTER_END
        case UnavailabilityMarketDocument() | GlMarketDocument():
            return min(max(document.interval.end, now + QUARTER), now + LONGEST_LIFE)
        case StatusRequestMarketDocument():
            return now + QUARTER
        case _:
            return now + DAY


def is_urgent(kind: BusinessType) -> bool:
    """Whether a business type travels in the urgent queue (R28)."""
    return kind in URGENT
