"""JSON bodies of the DSO gateway (RAML types of the same names)."""

from typing import Annotated, Literal

from msgspec import Meta

from documents.values import Instant
from gateways.bodies import Body, CurveType, Id, MridText, PeriodBody, ReasonBody, ReasonCode

_VOLTAGE = Meta(pattern=r"^[0-9]{1,4}(\.[0-9]{1,3})?$")


class ConnectionPoint(Body, frozen=True, kw_only=True):
    """A connection point of my grid (F4). `voltageKv` 0 says unknown."""

    id: Id
    voltage_kv: Annotated[str, _VOLTAGE] = "0"


class ConnectionPointContent(Body, frozen=True, kw_only=True):
    """A connection point without its id, for PUT /connection-points/{id}."""

    voltage_kv: Annotated[str, _VOLTAGE] = "0"


class ConnectionPointPatch(Body, frozen=True, kw_only=True):
    """What to change of one point; the id stands here in PATCH /connection-points."""

    id: Id | None = None
    voltage_kv: Annotated[str, _VOLTAGE] | None = None


class ConnectionPoints(Body, frozen=True, kw_only=True):
    """Many points at once (PUT /connection-points)."""

    connection_points: Annotated[tuple[ConnectionPoint, ...], Meta(min_length=1, max_length=10_000)]


class ConnectionPointPatches(Body, frozen=True, kw_only=True):
    """Many changes at once (PATCH /connection-points)."""

    connection_points: Annotated[tuple[ConnectionPointPatch, ...], Meta(min_length=1, max_length=10_000)]


class ConnectionPointState(Body, frozen=True, kw_only=True):
    """A point and where its registration stands (R34)."""

    id: str
    voltage_kv: str
    state: Literal["pending", "accepted", "refused"]
    reasons: tuple[ReasonBody, ...] = ()
    document: str


class ConnectionPointPage(Body, frozen=True, kw_only=True):
    """A page of points; `next` continues it."""

    as_of: Instant
    items: tuple[ConnectionPointState, ...]
    next: str | None = None


class GridAsset(Body, frozen=True, kw_only=True):
    """An asset on my grid (F5). Who operates it is not known here."""

    id: str
    connection_point: str
    max_production: int
    max_consumption: int
    voltage_kv: str
    withdrawn: bool = False
    sequence: int


class GridAssetPage(Body, frozen=True, kw_only=True):
    """A page of assets on my grid; `next` continues it."""

    as_of: Instant
    items: tuple[GridAsset, ...]
    next: str | None = None


class GridAssetChanges(Body, frozen=True, kw_only=True):
    """Assets that changed since the cursor, withdrawn ones marked; empty after the timeout (F5, R33)."""

    as_of: Instant
    items: tuple[GridAsset, ...]
    next: str


class ForeseenSeries(Body, frozen=True, kw_only=True):
    """Assets and the power they may use: one asset, its own limit; several, a shared total (R14). Unsigned watts."""

    assets: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=10_000)]
    curve_type: CurveType = "A03"
    periods: Annotated[tuple[PeriodBody, ...], Meta(min_length=1, max_length=1000)]


class ForeseenLimit(Body, frozen=True, kw_only=True):
    """A foreseen limit to announce (F6). `mrid` is made when absent; a PUT of the same mRID is the next revision."""

    mrid: MridText | None = None
    direction: Literal["production", "consumption", "both"] = "both"
    series: Annotated[tuple[ForeseenSeries, ...], Meta(min_length=1, max_length=1000)]
    reason: ReasonCode = "B19"
    text: Annotated[str, Meta(max_length=512)] | None = None


class UnforeseenOrder(Body, frozen=True, kw_only=True):
    """What one asset must do."""

    asset: Id
    action: Literal["START", "STOP", "HOLD"]


class UnforeseenLimit(Body, frozen=True, kw_only=True):
    """An unforeseen limit to order (F7). `start` is now when absent; `expectedEnd` ends it unless it is updated."""

    mrid: MridText | None = None
    direction: Literal["production", "consumption", "both"] = "both"
    start: Instant | None = None
    expected_end: Instant
    orders: Annotated[tuple[UnforeseenOrder, ...], Meta(min_length=1, max_length=10_000)]
    reason: ReasonCode = "B18"
    text: Annotated[str, Meta(max_length=512)] | None = None


class LimitState(Body, frozen=True, kw_only=True):
    """A limit I sent and where it stands. `reminder` says that its expected end is near (R15)."""

    mrid: str
    revision: int
    kind: Literal["foreseen", "unforeseen"]
    direction: Literal["production", "consumption", "both"]
    start: Instant
    end: Instant
    series: tuple[ForeseenSeries, ...] = ()
    orders: tuple[UnforeseenOrder, ...] = ()
    reason: str | None = None
    text: str | None = None
    state: Literal["pending", "accepted", "partlyAccepted", "refused", "cancelled"]
    reminder: bool = False
    reasons: tuple[ReasonBody, ...] = ()


class LimitPage(Body, frozen=True, kw_only=True):
    """A page of my limits; `next` continues it."""

    as_of: Instant
    items: tuple[LimitState, ...]
    next: str | None = None


class GridSchedule(Body, frozen=True, kw_only=True):
    """One asset's plan on my grid: signed watts, + production, - consumption (F9).

    `series` identifies it across revisions.
    """

    series: str
    asset: str
    periods: tuple[PeriodBody, ...] = ()
    withdrawn: bool = False
    sequence: int


class GridSchedulePage(Body, frozen=True, kw_only=True):
    """A page of plans on my grid; `next` continues it."""

    as_of: Instant
    items: tuple[GridSchedule, ...]
    next: str | None = None


class GridScheduleChanges(Body, frozen=True, kw_only=True):
    """Plans that changed since the cursor, withdrawn ones marked; empty after the timeout (F9, R33)."""

    as_of: Instant
    items: tuple[GridSchedule, ...]
    next: str
