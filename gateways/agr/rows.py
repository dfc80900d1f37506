"""Rows of an aggregator's gateway: its assets, its schedules, its own copies of limits."""

from typing import Final, Literal

from msgspec import Struct

from documents.model import GlSeries, UnavailabilityMarketDocument
from documents.values import Instant, Mrid, Reason

ASSETS: Final = "assets"
SCHEDULES: Final = "schedules"
LIMITS: Final = "limits"


class PlannedSeries(Struct, frozen=True, kw_only=True):
    """One asset's plan as last sent, as the hub last accepted it, and where the last change stands."""

    series: GlSeries
    confirmed: GlSeries | None = None
    state: Literal["pending", "accepted", "refused", "withdrawn"] = "pending"
    reasons: tuple[Reason, ...] = ()
    revision: int


class PlannedSchedule(Struct, frozen=True, kw_only=True):
    """A schedule document over all its revisions. View schedules, key the mRID, valid over all its series."""

    mrid: Mrid
    revision: int
    created: Instant
    series: tuple[PlannedSeries, ...]


class ReceivedLimit(Struct, frozen=True, kw_only=True):
    """My copy of a limit as the hub issued it (R18).

    View limits, key the mRID, valid over its interval, issued by the hub.
    """

    document: UnavailabilityMarketDocument
