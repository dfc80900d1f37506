"""JSON bodies of the AGR gateway (RAML types of the same names)."""

from typing import Annotated, Literal

from msgspec import Meta

from documents.values import Instant
from gateways.bodies import Body, CurveType, Id, MridText, PeriodBody, ReasonBody, Watts


class Asset(Body, frozen=True, kw_only=True):
    """An asset to register: where it hangs and what it can do, watts each way, at least one positive (F4, R9)."""

    id: Id
    connection_point: Id
    max_production: Watts = 0
    max_consumption: Watts = 0
    name: Annotated[str, Meta(max_length=200)] = ""
    voltage_kv: Annotated[str, Meta(pattern=r"^[0-9]{1,4}(\.[0-9]{1,3})?$")] = "0"


class AssetContent(Body, frozen=True, kw_only=True):
    """An asset without its id, for PUT /assets/{id}."""

    connection_point: Id
    max_production: Watts = 0
    max_consumption: Watts = 0
    name: Annotated[str, Meta(max_length=200)] = ""
    voltage_kv: Annotated[str, Meta(pattern=r"^[0-9]{1,4}(\.[0-9]{1,3})?$")] = "0"


class AssetPatch(Body, frozen=True, kw_only=True):
    """What to change of one asset; what is absent stays.

    The id stands here in PATCH /assets, in the path of PATCH /assets/{id}.
    """

    id: Id | None = None
    connection_point: Id | None = None
    max_production: Watts | None = None
    max_consumption: Watts | None = None
    name: Annotated[str, Meta(max_length=200)] | None = None
    voltage_kv: Annotated[str, Meta(pattern=r"^[0-9]{1,4}(\.[0-9]{1,3})?$")] | None = None


class Assets(Body, frozen=True, kw_only=True):
    """Many assets at once (PUT /assets)."""

    assets: Annotated[tuple[Asset, ...], Meta(min_length=1, max_length=10_000)]


class AssetPatches(Body, frozen=True, kw_only=True):
    """Many changes at once (PATCH /assets)."""

    assets: Annotated[tuple[AssetPatch, ...], Meta(min_length=1, max_length=10_000)]


class AssetState(Body, frozen=True, kw_only=True):
    """An asset and where its registration stands (R34). `reasons` say why it was refused, or the last change to it."""

    id: str
    connection_point: str
    max_production: int
    max_consumption: int
    name: str
    voltage_kv: str
    state: Literal["pending", "accepted", "refused"]
    reasons: tuple[ReasonBody, ...] = ()
    document: str


class AssetPage(Body, frozen=True, kw_only=True):
    """A page of assets; `next` continues it."""

    as_of: Instant
    items: tuple[AssetState, ...]
    next: str | None = None


class ScheduleSeries(Body, frozen=True, kw_only=True):
    """One asset's plan: signed watts, + production, - consumption (F8)."""

    asset: Id
    curve_type: CurveType = "A01"
    periods: Annotated[tuple[PeriodBody, ...], Meta(min_length=1, max_length=1000)]


class Schedule(Body, frozen=True, kw_only=True):
    """A schedule document to send. `mrid` is made when absent."""

    mrid: MridText | None = None
    series: Annotated[tuple[ScheduleSeries, ...], Meta(min_length=1, max_length=10_000)]


class ScheduleSeriesState(Body, frozen=True, kw_only=True):
    """One asset's plan as sent, and where it stands."""

    asset: str
    periods: tuple[PeriodBody, ...]
    state: Literal["pending", "accepted", "refused", "withdrawn"]
    reasons: tuple[ReasonBody, ...] = ()


class ScheduleState(Body, frozen=True, kw_only=True):
    """A schedule document as sent, per asset."""

    mrid: str
    revision: int
    series: tuple[ScheduleSeriesState, ...]


class SchedulePage(Body, frozen=True, kw_only=True):
    """A page of schedule documents."""

    as_of: Instant
    items: tuple[ScheduleState, ...]
    next: str | None = None


class LimitShare(Body, frozen=True, kw_only=True):
    """My share of a foreseen limit for one of my assets, unsigned watts over time (F6)."""

    asset: str
    periods: tuple[PeriodBody, ...]


class LimitOrder(Body, frozen=True, kw_only=True):
    """What one of my assets must do in an unforeseen limit (F7)."""

    asset: str
    action: Literal["START", "STOP", "HOLD"]


class Limit(Body, frozen=True, kw_only=True):
    """My copy of a limit (R18): my assets and my shares only. `status` is `active` until cancelled or ended."""

    mrid: str
    revision: int
    kind: Literal["foreseen", "unforeseen"]
    direction: Literal["production", "consumption", "both"]
    start: Instant
    end: Instant
    status: Literal["active", "cancelled", "ended"]
    issued: Instant
    sequence: int
    shares: tuple[LimitShare, ...] = ()
    orders: tuple[LimitOrder, ...] = ()
    reasons: tuple[str, ...] = ()


class LimitPage(Body, frozen=True, kw_only=True):
    """A page of limits; `next` continues it."""

    as_of: Instant
    items: tuple[Limit, ...]
    next: str | None = None


class LimitChanges(Body, frozen=True, kw_only=True):
    """What came since the cursor; empty after the timeout. Pass `next` as `after` to miss nothing (R32, R33)."""

    as_of: Instant
    items: tuple[Limit, ...]
    next: str


class ShareExplanation(Body, frozen=True, kw_only=True):
    """One asset's share beside its rated power in the limited direction, watts (R37). `ratio` is not shortened."""

    asset: str
    rated: int
    lowest: int
    highest: int
    ratio: str


class LimitExplanation(Body, frozen=True, kw_only=True):
    """Why my assets have their shares, in my own values only (R37): never the total, other shares, or counts."""

    mrid: str
    revision: int
    rule: str
    rounding: str
    shares: tuple[ShareExplanation, ...] = ()
