"""The REST interface of an aggregator's gateway: each route, its parameters, and what it does.

The contract is raml/agr.raml.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Final
from uuid import uuid4

from aiohttp import web
from msgspec import Meta, field

from documents.model import GlMarketDocument
from documents.values import Instant, Interval, Mrid
from gateways import messages, xml_bodies
from gateways.agr import explanation, translate
from gateways.agr.bodies import (
    AssetContent,
    AssetPage,
    AssetPatch,
    AssetPatches,
    Assets,
    Limit,
    LimitChanges,
    LimitPage,
    Schedule,
    SchedulePage,
)
from gateways.agr.commands import ChangeSchedule, Plan, ReplaceSchedule, SubmitSchedule, WithdrawSchedule
from gateways.agr.rows import ASSETS, LIMITS, SCHEDULES, PlannedSchedule, ReceivedLimit
from gateways.agr.trade import document_of
from gateways.commands import Ask, ChangeResources, PutResources, RemoveResources
from gateways.gateway import Gateway
from gateways.problems import ProblemError, unknown
from gateways.reading import FOREVER, Found, PageQuery, PollQuery, span
from gateways.rest import Call, Query, Route, answer
from gateways.rows import Registration
from hub.traces import Span, Step

Ids = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...], Meta(max_length=1000)]


class AssetQuery(PageQuery, frozen=True, kw_only=True):
    """Assets at these connection points; none given: all."""

    connection_point: Ids = ()


class RemoveQuery(Query, frozen=True, kw_only=True):
    """What to remove (R34: without `id` nothing is)."""

    id: Ids = ()


class ScheduleQuery(PageQuery, frozen=True, kw_only=True):
    """Schedules that name one of these assets and overlap the span."""

    asset: Ids = ()
    from_: Instant | None = field(default=None, name="from")
    to: Instant | None = None


class WithdrawQuery(Query, frozen=True, kw_only=True):
    """Assets whose plan is withdrawn; none given: all (R24)."""

    asset: Ids = ()


class LimitQuery(PageQuery, frozen=True, kw_only=True):
    """Limits issued in [from, to) and valid in [validFrom, validTo) (R22)."""

    from_: Instant | None = field(default=None, name="from")
    to: Instant | None = None
    valid_from: Instant | None = None
    valid_to: Instant | None = None


async def put_assets(gateway: Gateway, call: Call) -> web.Response:
    """Register or change assets, the others stay (R34)."""
    wanted = [translate.asset(a.id, a, f"$.assets[{n}]", gateway.who) for n, a in enumerate(call.body.assets)]
    mrid = uuid4().hex
    command = PutResources(mrid=mrid, resources=messages.distinct(wanted, "$.assets"))
    return await gateway.outbound.submit(call, command, mrid)


async def patch_assets(gateway: Gateway, call: Call) -> web.Response:
    """Change known assets (R34)."""
    changes = [translate.asset_change(a, f"$.assets[{n}]", gateway.who) for n, a in enumerate(call.body.assets)]
    mrid = uuid4().hex
    command = ChangeResources(mrid=mrid, changes=messages.distinct(changes, "$.assets"))
    return await gateway.outbound.submit(call, command, mrid)


async def get_assets(gateway: Gateway, call: Call) -> web.Response:
    """My assets and where each stands."""
    points = [translate.read_id(text, "connectionPoint", gateway.who) for text in call.query.connection_point]
    page = await gateway.reader.page(ASSETS, Registration, call.query, groups=points)
    items = tuple(translate.asset_state(found.row, gateway.who) for found in page.found)
    return answer(AssetPage(as_of=gateway.clock.now(), items=items, next=page.next))


async def delete_assets(gateway: Gateway, call: Call) -> web.Response:
    """Remove the named assets; without a name nothing is removed (R34)."""
    if not call.query.id:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "No id is given; expected ?id= for each asset to remove.")
    resources = tuple(dict.fromkeys(translate.read_id(text, "id", gateway.who) for text in call.query.id))
    if not await messages.any_known(gateway, ASSETS, resources):
        raise unknown()
    mrid = uuid4().hex
    return await gateway.outbound.submit(call, RemoveResources(mrid=mrid, resources=resources), mrid)


async def put_asset(gateway: Gateway, call: Call) -> web.Response:
    """Register or change one asset."""
    wanted = translate.asset(call.path("id"), call.body, "$", gateway.who)
    mrid = uuid4().hex
    return await gateway.outbound.submit(call, PutResources(mrid=mrid, resources=(wanted,)), mrid)


async def patch_asset(gateway: Gateway, call: Call) -> web.Response:
    """Change one known asset."""
    found = await _asset(gateway, call)
    body = messages.named(call.body, found.item.key)
    change = translate.asset_change(body, "$", gateway.who)
    mrid = uuid4().hex
    return await gateway.outbound.submit(call, ChangeResources(mrid=mrid, changes=(change,)), mrid)


async def get_asset(gateway: Gateway, call: Call) -> web.Response:
    """One of my assets and where it stands."""
    found = await _asset(gateway, call)
    return answer(translate.asset_state(found.row, gateway.who))


async def delete_asset(gateway: Gateway, call: Call) -> web.Response:
    """Remove one asset."""
    found = await _asset(gateway, call)
    mrid = uuid4().hex
    command = RemoveResources(mrid=mrid, resources=(found.row.series.resource,))
    return await gateway.outbound.submit(call, command, mrid)


async def post_schedule(gateway: Gateway, call: Call) -> web.Response:
    """Send a new schedule (F8)."""
    named, plans = await _content(gateway, call)
    mrid = named or uuid4().hex
    return await gateway.outbound.submit(call, SubmitSchedule(mrid=mrid, plans=plans), mrid)


async def put_schedule(gateway: Gateway, call: Call) -> web.Response:
    """The whole schedule again; assets left out are withdrawn (R24)."""
    found = await _schedule(gateway, call)
    _, plans = await _content(gateway, call, found.row.mrid)
    return await gateway.outbound.submit(call, ReplaceSchedule(mrid=found.row.mrid, plans=plans), found.row.mrid)


async def patch_schedule(gateway: Gateway, call: Call) -> web.Response:
    """New plans for the named assets (R24)."""
    found = await _schedule(gateway, call)
    _, plans = await _content(gateway, call, found.row.mrid)
    return await gateway.outbound.submit(call, ChangeSchedule(mrid=found.row.mrid, plans=plans), found.row.mrid)


async def delete_schedule(gateway: Gateway, call: Call) -> web.Response:
    """Withdraw all plans of a schedule, or those of the named assets (R24)."""
    found = await _schedule(gateway, call)
    assets = tuple(translate.read_id(text, "asset", gateway.who) for text in call.query.asset)
    if assets and not any(planned.series.resource in assets for planned in found.row.series):
        raise unknown()
    command = WithdrawSchedule(mrid=found.row.mrid, assets=assets)
    return await gateway.outbound.submit(call, command, found.row.mrid)


async def get_schedule(gateway: Gateway, call: Call) -> web.Response:
    """One schedule as sent, and where each plan stands."""
    found = await _schedule(gateway, call)
    if call.wants_xml:
        return await xml_bodies.answer(document_of(found.row, gateway.who))
    return answer(translate.schedule_state(found.row, gateway.who))


async def get_schedules(gateway: Gateway, call: Call) -> web.Response:
    """My schedules."""
    query: ScheduleQuery = call.query
    assets = {translate.read_id(text, "asset", gateway.who) for text in query.asset}
    page = await gateway.reader.page(
        SCHEDULES,
        PlannedSchedule,
        query,
        keep=lambda row: not assets or any(planned.series.resource in assets for planned in row.series),
        overlapping=span(query.from_, query.to, names=("from", "to")),
    )
    items = tuple(translate.schedule_state(found.row, gateway.who) for found in page.found)
    return answer(SchedulePage(as_of=gateway.clock.now(), items=items, next=page.next))


async def get_limits(gateway: Gateway, call: Call) -> web.Response:
    """Limits by when they were issued and by when they hold (R22)."""
    query: LimitQuery = call.query
    page = await gateway.reader.page(
        LIMITS,
        ReceivedLimit,
        query,
        issued=span(query.from_, query.to, names=("from", "to")),
        overlapping=span(query.valid_from, query.valid_to, names=("validFrom", "validTo")),
    )
    items = _shown(gateway, page.found)
    return answer(LimitPage(as_of=gateway.clock.now(), items=items, next=page.next))


async def get_active_limits(gateway: Gateway, call: Call) -> web.Response:
    """Limits that are neither cancelled nor over, future ones included (R22)."""
    now = gateway.clock.now()
    page = await gateway.reader.page(
        LIMITS,
        ReceivedLimit,
        call.query,
        keep=lambda row: translate.is_active(row.document, now),
        overlapping=Interval(now, FOREVER),
    )
    return answer(LimitPage(as_of=now, items=_shown(gateway, page.found), next=page.next))


async def get_limit_changes(gateway: Gateway, call: Call) -> web.Response:
    """Long poll: what came since the cursor, cancelled and ended ones marked (F6, R32, R33)."""

    async def current() -> list[Found[ReceivedLimit]]:
        now = gateway.clock.now()
        found = await gateway.reader.every(LIMITS, ReceivedLimit, overlapping=Interval(now, FOREVER))
        return [one for one in found if translate.is_active(one.row.document, now)]

    found, cursor = await gateway.reader.poll(call, LIMITS, ReceivedLimit, current=current)
    begun = gateway.clock.now()
    told = answer(LimitChanges(as_of=begun, items=_shown(gateway, found), next=cursor))
    _trace(gateway, found, begun)
    return told


async def get_limit(gateway: Gateway, call: Call) -> web.Response:
    """My copy of one limit at its newest revision."""
    found = await gateway.reader.get(LIMITS, call.path("mrid"), ReceivedLimit)
    if found is None:
        raise unknown()
    (shown,) = _shown(gateway, [found])
    return await xml_bodies.answer(found.row.document) if call.wants_xml else answer(shown)


async def explain_limit(gateway: Gateway, call: Call) -> web.Response:
    """Why my assets have the shares of a limit they have (R37)."""
    found = await gateway.reader.get(LIMITS, call.path("mrid"), ReceivedLimit)
    if found is None:
        raise unknown()
    mine = [one.row.confirmed for one in await gateway.reader.every(ASSETS, Registration)]
    assets = {series.resource: series for series in mine if series}
    return answer(explanation.explain(found.row.document, assets, gateway.who))


async def request_limits(gateway: Gateway, call: Call) -> web.Response:
    """Ask the hub for all limits that are not over (R13)."""
    mrid = uuid4().hex
    return await gateway.outbound.submit(call, Ask(mrid=mrid, subject="A53"), mrid)


ROUTES: Final[tuple[Route, ...]] = (
    Route(method="PUT", path="/assets", handler=put_assets, body=Assets),
    Route(method="PATCH", path="/assets", handler=patch_assets, body=AssetPatches),
    Route(method="GET", path="/assets", handler=get_assets, query=AssetQuery),
    Route(method="DELETE", path="/assets", handler=delete_assets, query=RemoveQuery),
    Route(method="PUT", path="/assets/{id}", handler=put_asset, body=AssetContent),
    Route(method="PATCH", path="/assets/{id}", handler=patch_asset, body=AssetPatch),
    Route(method="GET", path="/assets/{id}", handler=get_asset),
    Route(method="DELETE", path="/assets/{id}", handler=delete_asset),
    Route(method="POST", path="/schedules", handler=post_schedule, body=Schedule, xml=True),
    Route(method="GET", path="/schedules", handler=get_schedules, query=ScheduleQuery),
    Route(method="PUT", path="/schedules/{mrid}", handler=put_schedule, body=Schedule, xml=True),
    Route(method="PATCH", path="/schedules/{mrid}", handler=patch_schedule, body=Schedule, xml=True),
    Route(method="GET", path="/schedules/{mrid}", handler=get_schedule),
    Route(method="DELETE", path="/schedules/{mrid}", handler=delete_schedule, query=WithdrawQuery),
    Route(method="GET", path="/limits", handler=get_limits, query=LimitQuery),
    Route(method="GET", path="/limits/active", handler=get_active_limits, query=PageQuery),
    Route(method="GET", path="/limits/changes", handler=get_limit_changes, query=PollQuery, poll=True),
    Route(method="POST", path="/limits/request", handler=request_limits),
    Route(method="GET", path="/limits/{mrid}", handler=get_limit),
    Route(method="GET", path="/limits/{mrid}/explanation", handler=explain_limit),
    Route(method="GET", path="/messages/{mrid}", handler=messages.get_message),
)
"""Every route but `/ping` and the contract's own."""


def table() -> Sequence[web.RouteDef]:
    """Method and path of every route, as aiohttp knows them; for comparison with the contract."""
    return messages.table(ROUTES)


def _shown(gateway: Gateway, found: Sequence[Found[ReceivedLimit]]) -> tuple[Limit, ...]:
    """Limits as answered now; the hub learns that they were collected (R29)."""
    now = gateway.clock.now()
    gateway.collecting.answered([(one.row.document.mrid, one.row.document.revision) for one in found])
    return tuple(translate.limit(one, now, gateway.who) for one in found)


def _trace(gateway: Gateway, found: Sequence[Found[ReceivedLimit]], begun: Instant) -> None:
    for document in (one.row.document for one in found):
        gateway.traces(
            Span(
                step=Step.ANSWER,
                document=document.mrid,
                begun=begun,
                ended=gateway.clock.now(),
                revision=document.revision,
            )
        )


async def _asset(gateway: Gateway, call: Call) -> Found[Registration]:
    return await messages.known(gateway, call, ASSETS)


async def _schedule(gateway: Gateway, call: Call) -> Found[PlannedSchedule]:
    found = await gateway.reader.get(SCHEDULES, call.path("mrid"), PlannedSchedule)
    if found is None:
        raise unknown()
    return found


async def _content(gateway: Gateway, call: Call, mrid: Mrid | None = None) -> tuple[Mrid | None, tuple[Plan, ...]]:
    """The mRID and plans of a body, JSON or XML; `mrid` is that of the path. Raises ProblemError."""
    if call.is_xml:
        document = await xml_bodies.read(call.raw, GlMarketDocument, gateway.who, mrid=mrid)
        return document.mrid, translate.plans_of(document)
    if mrid and call.body.mrid not in (None, mrid):
        raise messages.other_mrid(call.body.mrid, mrid)
    return call.body.mrid, translate.plans(call.body.series, gateway.who)
