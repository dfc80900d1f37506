"""The REST interface of a grid operator's gateway: each route, its parameters, and what it does.

The contract is raml/dso.raml.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Final
from uuid import uuid4

from aiohttp import web
from msgspec import Meta, field

from documents.codes import BusinessType
from documents.model import UnavailabilityMarketDocument
from documents.values import Instant, Mrid
from gateways import messages, xml_bodies
from gateways.commands import Ask, ChangeResources, PutResources, RemoveResources
from gateways.dso import translate
from gateways.dso.bodies import (
    ConnectionPointContent,
    ConnectionPointPage,
    ConnectionPointPatch,
    ConnectionPointPatches,
    ConnectionPoints,
    ForeseenLimit,
    GridAssetChanges,
    GridAssetPage,
    GridScheduleChanges,
    GridSchedulePage,
    LimitPage,
    UnforeseenLimit,
)
from gateways.dso.commands import CancelLimit, Content, SendLimit, UpdateLimit
from gateways.dso.rows import ASSETS, LIMITS, POINTS, SCHEDULES, AssetOnGrid, PlanOnGrid, SentLimit
from gateways.dso.trade import is_unforeseen
from gateways.gateway import Gateway
from gateways.problems import ProblemError, unknown
from gateways.reading import EVER, FOREVER, Found, PageQuery, PollQuery, span
from gateways.rest import Call, Query, Route, answer
from gateways.rows import Registration

FORESEEN: Final = BusinessType.PLANNED_MAINTENANCE
UNFORESEEN: Final = BusinessType.UNPLANNED_OUTAGE
Ids = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...], Meta(max_length=1000)]


class RemoveQuery(Query, frozen=True, kw_only=True):
    """What to remove (R34: without `id` nothing is)."""

    id: Ids = ()


class GridAssetQuery(PageQuery, frozen=True, kw_only=True):
    """Assets at these connection points; none given: all (R34)."""

    connection_point: Ids = ()


class AssetRequestQuery(Query, frozen=True, kw_only=True):
    """Ask for the assets at these connection points; none given: for all."""

    connection_point: Ids = ()


class LimitQuery(PageQuery, frozen=True, kw_only=True):
    """Limits sent in [from, to) and valid in [validFrom, validTo)."""

    from_: Instant | None = field(default=None, name="from")
    to: Instant | None = None
    valid_from: Instant | None = None
    valid_to: Instant | None = None


class GridScheduleQuery(PageQuery, frozen=True, kw_only=True):
    """Plans of these assets that overlap the span (F9)."""

    asset: Ids = ()
    from_: Instant | None = field(default=None, name="from")
    to: Instant | None = None


class ScheduleRequestQuery(Query, frozen=True, kw_only=True):
    """Ask for the plans of these assets in the span; nothing given: for all."""

    asset: Ids = ()
    from_: Instant | None = field(default=None, name="from")
    to: Instant | None = None


async def put_points(gateway: Gateway, call: Call) -> web.Response:
    """Register or change connection points, the others stay (R34)."""
    points = call.body.connection_points
    wanted = [
        translate.point(p.id, p.voltage_kv, f"$.connectionPoints[{n}]", gateway.who) for n, p in enumerate(points)
    ]
    mrid = uuid4().hex
    command = PutResources(mrid=mrid, resources=messages.distinct(wanted, "$.connectionPoints"))
    return await gateway.outbound.submit(call, command, mrid)


async def patch_points(gateway: Gateway, call: Call) -> web.Response:
    """Change known connection points (R34)."""
    points = call.body.connection_points
    changes = [translate.point_change(p, f"$.connectionPoints[{n}]", gateway.who) for n, p in enumerate(points)]
    mrid = uuid4().hex
    command = ChangeResources(mrid=mrid, changes=messages.distinct(changes, "$.connectionPoints"))
    return await gateway.outbound.submit(call, command, mrid)


async def get_points(gateway: Gateway, call: Call) -> web.Response:
    """My connection points and where each stands."""
    page = await gateway.reader.page(POINTS, Registration, call.query)
    items = tuple(translate.point_state(found.row, gateway.who) for found in page.found)
    return answer(ConnectionPointPage(as_of=gateway.clock.now(), items=items, next=page.next))


async def delete_points(gateway: Gateway, call: Call) -> web.Response:
    """Remove the named connection points; without a name nothing is removed (R34)."""
    if not call.query.id:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "No id is given; expected ?id= for each connection point to remove.")
    points = tuple(dict.fromkeys(translate.read_id(text, "id", gateway.who) for text in call.query.id))
    if not await messages.any_known(gateway, POINTS, points):
        raise unknown()
    mrid = uuid4().hex
    return await gateway.outbound.submit(call, RemoveResources(mrid=mrid, resources=points), mrid)


async def put_point(gateway: Gateway, call: Call) -> web.Response:
    """Register or change one connection point."""
    wanted = translate.point(call.path("id"), call.body.voltage_kv, "$", gateway.who)
    mrid = uuid4().hex
    return await gateway.outbound.submit(call, PutResources(mrid=mrid, resources=(wanted,)), mrid)


async def patch_point(gateway: Gateway, call: Call) -> web.Response:
    """Change one known connection point."""
    found = await messages.known(gateway, call, POINTS)
    change = translate.point_change(messages.named(call.body, found.item.key), "$", gateway.who)
    mrid = uuid4().hex
    return await gateway.outbound.submit(call, ChangeResources(mrid=mrid, changes=(change,)), mrid)


async def get_point(gateway: Gateway, call: Call) -> web.Response:
    """One of my connection points and where it stands."""
    found = await messages.known(gateway, call, POINTS)
    return answer(translate.point_state(found.row, gateway.who))


async def delete_point(gateway: Gateway, call: Call) -> web.Response:
    """Remove one connection point."""
    found = await messages.known(gateway, call, POINTS)
    mrid = uuid4().hex
    command = RemoveResources(mrid=mrid, resources=(found.row.series.resource,))
    return await gateway.outbound.submit(call, command, mrid)


async def get_assets(gateway: Gateway, call: Call) -> web.Response:
    """The assets on my grid (F5)."""
    points = [translate.read_id(text, "connectionPoint", gateway.who) for text in call.query.connection_point]
    page = await gateway.reader.page(ASSETS, AssetOnGrid, call.query, keep=lambda row: not row.withdrawn, groups=points)
    items = tuple(translate.grid_asset(found, gateway.who) for found in page.found)
    return answer(GridAssetPage(as_of=gateway.clock.now(), items=items, next=page.next))


async def get_asset_changes(gateway: Gateway, call: Call) -> web.Response:
    """Long poll: assets that changed since the cursor; the first time, changes from now (F5, R33)."""
    found, cursor = await gateway.reader.poll(call, ASSETS, AssetOnGrid)
    items = tuple(translate.grid_asset(one, gateway.who) for one in found)
    return answer(GridAssetChanges(as_of=gateway.clock.now(), items=items, next=cursor))


async def request_assets(gateway: Gateway, call: Call) -> web.Response:
    """Ask the hub for the list of assets (F5, R13)."""
    points = tuple(translate.read_id(text, "connectionPoint", gateway.who) for text in call.query.connection_point)
    mrid = uuid4().hex
    return await gateway.outbound.submit(call, Ask(mrid=mrid, subject="A95", resources=points), mrid)


async def post_foreseen(gateway: Gateway, call: Call) -> web.Response:
    """Announce a foreseen limit (F6)."""
    return await _send(gateway, call, FORESEEN)


async def post_unforeseen(gateway: Gateway, call: Call) -> web.Response:
    """Order an unforeseen limit (F7)."""
    return await _send(gateway, call, UNFORESEEN)


async def put_foreseen(gateway: Gateway, call: Call) -> web.Response:
    """The next revision of a foreseen limit, whole content again (R19)."""
    return await _update(gateway, call, FORESEEN)


async def put_unforeseen(gateway: Gateway, call: Call) -> web.Response:
    """The next revision of an unforeseen limit, whole content again (R15, R19)."""
    return await _update(gateway, call, UNFORESEEN)


async def get_foreseen(gateway: Gateway, call: Call) -> web.Response:
    """One foreseen limit I sent."""
    return await _show(gateway, call, FORESEEN)


async def get_unforeseen(gateway: Gateway, call: Call) -> web.Response:
    """One unforeseen limit I sent."""
    return await _show(gateway, call, UNFORESEEN)


async def delete_foreseen(gateway: Gateway, call: Call) -> web.Response:
    """Withdraw a foreseen limit (R19)."""
    return await _cancel(gateway, call, FORESEEN)


async def delete_unforeseen(gateway: Gateway, call: Call) -> web.Response:
    """End an unforeseen limit now (R19)."""
    return await _cancel(gateway, call, UNFORESEEN)


async def get_limits(gateway: Gateway, call: Call) -> web.Response:
    """The limits I sent, by when they were sent and by when they hold."""
    query: LimitQuery = call.query
    page = await gateway.reader.page(
        LIMITS,
        SentLimit,
        query,
        issued=span(query.from_, query.to, names=("from", "to")),
        overlapping=span(query.valid_from, query.valid_to, names=("validFrom", "validTo")),
    )
    items = tuple(translate.limit_state(found.row, gateway.who) for found in page.found)
    return answer(LimitPage(as_of=gateway.clock.now(), items=items, next=page.next))


async def get_schedules(gateway: Gateway, call: Call) -> web.Response:
    """Plans of the assets on my grid (F9)."""
    query: GridScheduleQuery = call.query
    page = await gateway.reader.page(
        SCHEDULES,
        PlanOnGrid,
        query,
        keep=lambda row: not row.withdrawn,
        groups=[translate.read_id(text, "asset", gateway.who) for text in query.asset],
        overlapping=span(query.from_, query.to, names=("from", "to")),
    )
    items = tuple(translate.grid_schedule(found, gateway.who) for found in page.found)
    return answer(GridSchedulePage(as_of=gateway.clock.now(), items=items, next=page.next))


async def get_schedule_changes(gateway: Gateway, call: Call) -> web.Response:
    """Long poll: plans that changed since the cursor; the first time, all that stand (F9, R33)."""

    async def current() -> list[Found[PlanOnGrid]]:
        found = await gateway.reader.every(SCHEDULES, PlanOnGrid)
        return [one for one in found if not one.row.withdrawn]

    found, cursor = await gateway.reader.poll(call, SCHEDULES, PlanOnGrid, current=current)
    items = tuple(translate.grid_schedule(one, gateway.who) for one in found)
    return answer(GridScheduleChanges(as_of=gateway.clock.now(), items=items, next=cursor))


async def request_schedules(gateway: Gateway, call: Call) -> web.Response:
    """Ask the hub for schedules now (F9, R13)."""
    query: ScheduleRequestQuery = call.query
    assets = tuple(translate.read_id(text, "asset", gateway.who) for text in query.asset)
    interval = span(query.from_, query.to, names=("from", "to"))
    if interval and (interval.start == EVER or interval.end == FOREVER):
        raise ProblemError(HTTPStatus.BAD_REQUEST, "Only one of from and to is given; expected both, or none.")
    mrid = uuid4().hex
    command = Ask(mrid=mrid, subject="A67", resources=assets, interval=interval)
    return await gateway.outbound.submit(call, command, mrid)


ROUTES: Final[tuple[Route, ...]] = (
    Route(method="PUT", path="/connection-points", handler=put_points, body=ConnectionPoints),
    Route(method="PATCH", path="/connection-points", handler=patch_points, body=ConnectionPointPatches),
    Route(method="GET", path="/connection-points", handler=get_points, query=PageQuery),
    Route(method="DELETE", path="/connection-points", handler=delete_points, query=RemoveQuery),
    Route(method="PUT", path="/connection-points/{id}", handler=put_point, body=ConnectionPointContent),
    Route(method="PATCH", path="/connection-points/{id}", handler=patch_point, body=ConnectionPointPatch),
    Route(method="GET", path="/connection-points/{id}", handler=get_point),
    Route(method="DELETE", path="/connection-points/{id}", handler=delete_point),
    Route(method="GET", path="/assets", handler=get_assets, query=GridAssetQuery),
    Route(method="GET", path="/assets/changes", handler=get_asset_changes, query=PollQuery, poll=True),
    Route(method="POST", path="/assets/request", handler=request_assets, query=AssetRequestQuery),
    Route(method="GET", path="/limits", handler=get_limits, query=LimitQuery),
    Route(method="POST", path="/limits/foreseen", handler=post_foreseen, body=ForeseenLimit, xml=True),
    Route(method="PUT", path="/limits/foreseen/{mrid}", handler=put_foreseen, body=ForeseenLimit, xml=True),
    Route(method="GET", path="/limits/foreseen/{mrid}", handler=get_foreseen),
    Route(method="DELETE", path="/limits/foreseen/{mrid}", handler=delete_foreseen),
    Route(method="POST", path="/limits/unforeseen", handler=post_unforeseen, body=UnforeseenLimit, xml=True),
    Route(method="PUT", path="/limits/unforeseen/{mrid}", handler=put_unforeseen, body=UnforeseenLimit, xml=True),
    Route(method="GET", path="/limits/unforeseen/{mrid}", handler=get_unforeseen),
    Route(method="DELETE", path="/limits/unforeseen/{mrid}", handler=delete_unforeseen),
    Route(method="GET", path="/schedules", handler=get_schedules, query=GridScheduleQuery),
    Route(method="GET", path="/schedules/changes", handler=get_schedule_changes, query=PollQuery, poll=True),
    Route(method="POST", path="/schedules/request", handler=request_schedules, query=ScheduleRequestQuery),
    Route(method="GET", path="/messages/{mrid}", handler=messages.get_message),
)
"""Every route but `/ping` and the contract's own."""


def table() -> Sequence[web.RouteDef]:
    """Method and path of every route, as aiohttp knows them; for comparison with the contract."""
    return messages.table(ROUTES)


async def _send(gateway: Gateway, call: Call, kind: BusinessType) -> web.Response:
    named, content = await _content(gateway, call, kind)
    mrid = named or uuid4().hex
    return await gateway.outbound.submit(call, SendLimit(mrid=mrid, content=content), mrid, urgent=True)


async def _update(gateway: Gateway, call: Call, kind: BusinessType) -> web.Response:
    mrid = (await _limit(gateway, call, kind)).row.document.mrid
    _, content = await _content(gateway, call, kind, mrid)
    return await gateway.outbound.submit(call, UpdateLimit(mrid=mrid, content=content), mrid, urgent=True)


async def _cancel(gateway: Gateway, call: Call, kind: BusinessType) -> web.Response:
    mrid = (await _limit(gateway, call, kind)).row.document.mrid
    return await gateway.outbound.submit(call, CancelLimit(mrid=mrid), mrid, urgent=True)


async def _show(gateway: Gateway, call: Call, kind: BusinessType) -> web.Response:
    found = await _limit(gateway, call, kind)
    if call.wants_xml:
        return await xml_bodies.answer(found.row.document)
    return answer(translate.limit_state(found.row, gateway.who))


async def _content(
    gateway: Gateway, call: Call, kind: BusinessType, mrid: Mrid | None = None
) -> tuple[Mrid | None, Content]:
    """The mRID and content of a body, JSON or XML; `mrid` is that of the path. Raises ProblemError."""
    if call.is_xml:
        document = await xml_bodies.read(call.raw, UnavailabilityMarketDocument, gateway.who, mrid=mrid)
        return document.mrid, translate.content_of(document, kind=kind)
    if mrid and call.body.mrid not in (None, mrid):
        raise messages.other_mrid(call.body.mrid, mrid)
    read = translate.foreseen if kind is FORESEEN else translate.unforeseen
    return call.body.mrid, read(call.body, gateway.who)


async def _limit(gateway: Gateway, call: Call, kind: BusinessType) -> Found[SentLimit]:
    """The limit of the path, if it is of the path's kind. Raises ProblemError (404)."""
    found = await gateway.reader.get(LIMITS, call.path("mrid"), SentLimit)
    if found is None or is_unforeseen(found.row.document) is not (kind is UNFORESEEN):
        raise unknown()
    return found
