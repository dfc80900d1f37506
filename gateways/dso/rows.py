"""Rows of a grid operator's gateway: its points, the limits it sent, and what is on its grid.

No operator anywhere (F5, NF3).
"""

from typing import Final, Literal

from msgspec import Struct

from documents.model import UnavailabilityMarketDocument
from documents.values import Identifier, Instant, Mrid, Period, Power, Reason

POINTS: Final = "points"
LIMITS: Final = "limits"
ASSETS: Final = "assets"
SCHEDULES: Final = "schedules"
FLOOR: Final = "_floor"
TOLD: Final = "_told"
"""When the hub last said of a key what was known already, or removed what was never seen."""


class SentLimit(Struct, frozen=True, kw_only=True):
    """A limit I sent: as I want it, as the hub last accepted it, and where the last change stands.

    View limits, key the mRID.

    `revision` is the last one used: a refused revision is not used again.
    """

    document: UnavailabilityMarketDocument
    confirmed: UnavailabilityMarketDocument | None = None
    revision: int
    state: Literal["pending", "accepted", "partlyAccepted", "refused", "cancelled"] = "pending"
    reasons: tuple[Reason, ...] = ()
    reminded: bool = False


class AssetOnGrid(Struct, frozen=True, kw_only=True):
    """An asset as the hub told it.

    View assets, key the resource, group the point; a withdrawn one stays, marked (R10).
    """

    resource: Identifier
    point: Identifier
    max_production: Power = 0
    max_consumption: Power = 0
    voltage: str = "0"
    withdrawn: bool = False
    told: Instant


class PlanOnGrid(Struct, frozen=True, kw_only=True):
    """One asset's plan as the hub told it.

    View schedules, key the series, group the asset; a withdrawn one stays, marked.
    """

    series: Mrid
    resource: Identifier
    periods: tuple[Period, ...] = ()
    withdrawn: bool = False
    told: Instant
