"""What a participant's own limits do to its own plans, for the charts of its gateway (floor 7; F3). Pure.

It knows what it is given, which is one participant's rows, and nobody else's. A DSO's limit on several assets is a
total that it shares: who gets which share is not for the DSO, so the total stands against the sum of their plans.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from documents.values import Identifier, Instant, Interval, Mrid, Period, Power
from hub.implications import Board, Finding, Plan, bounds_of_started, findings
from hub.rows import LimitContent, OperatorAsset
from hub.values import Action, AssetOrder, AssetShare, Capability, Direction, LimitKind
from hub.web.answers import Answer, Layer, Side
from hub.web.effects import sides
from hub.web.picture import state_of, total
from hub.web.views import layers

ME: Final = Identifier("NDK:me")
"""Stands where rows of the hub name somebody: here there is nobody but the participant itself."""
SHOWN: Final = 500


class OwnAsset(Struct, frozen=True, rename="camel"):
    """An asset as its own participant knows it; whole watts."""

    id: Identifier
    point: Identifier
    max_production: Power
    max_consumption: Power


class OwnSeries(Struct, frozen=True):
    """Assets that one series of a limit concerns: with an action each of them, else what they may use together."""

    assets: tuple[Identifier, ...]
    periods: tuple[Period, ...] = ()
    action: Action | None = None


class OwnLimit(Struct, frozen=True):
    """A limit as its own participant has it."""

    mrid: Mrid
    revision: int
    direction: Direction
    interval: Interval
    issued: Instant
    series: tuple[OwnSeries, ...]
    cancelled: bool = False


class Own(Struct, frozen=True):
    """A participant's rows. Curves carry a sign: + feeds the grid."""

    assets: Sequence[OwnAsset]
    curves: Mapping[Identifier, tuple[Period, ...]]
    limits: Sequence[OwnLimit]


class OwnSession(Answer):
    """Whom the page talks to: a gateway says its role."""

    hub: Identifier
    role: str
    name: str
    zone: str
    now: Instant
    began: Instant | None = None


class OwnLimitLine(Answer):
    """A limit and what it does, by direction."""

    mrid: Mrid
    revision: int
    kind: LimitKind
    direction: Direction
    interval: Interval
    issued: Instant
    state: str
    assets: list[Identifier]
    actions: list[str]
    sides: list[Side]


class OwnPage(Answer):
    """A participant's plans, its limits, and where they do not fit."""

    as_of: Instant
    window: Interval
    layers: list[Layer]
    limits: list[OwnLimitLine]
    findings: list[Finding]
    assets: list[OwnAsset]
    assets_in_all: int
    planned: list[Identifier]


def page(own: Own, window: Interval, now: Instant) -> OwnPage:
    """The charts of a window."""
    rows = {one.id: _row(one.id, Capability(one.max_production, one.max_consumption)) for one in own.assets}
    plans = Board.of(window, rows, own.curves)
    contents = {limit.mrid: _content(limit) for limit in own.limits if limit.interval.overlaps(window)}
    board, members = _with_groups(plans, own.limits)
    holding = [contents[limit.mrid] for limit in own.limits if limit.mrid in contents and not limit.cancelled]
    bounds = bounds_of_started(holding, board)
    return OwnPage(
        as_of=now,
        window=window,
        layers=layers(plans, set(rows)),
        limits=[
            _line(limit, sides(contents[limit.mrid], board, bounds), now)
            for limit in own.limits
            if limit.mrid in contents
        ],
        findings=[_named(one, members) for one in findings(holding, board)],
        assets=list(own.assets[:SHOWN]),
        assets_in_all=len(own.assets),
        planned=sorted(set(own.curves) & set(rows)),
    )


def _row(resource: Identifier, capability: Capability) -> OperatorAsset:
    return OperatorAsset(resource=resource, operator=ME, point=ME, dso=ME, capability=capability)


def _content(limit: OwnLimit) -> LimitContent:
    return LimitContent(
        dso=ME,
        mrid=limit.mrid,
        revision=limit.revision,
        kind=_kind(limit),
        direction=limit.direction,
        interval=limit.interval,
        shares=tuple(
            AssetShare(_group(limit, number), 0, one.periods)
            for number, one in enumerate(limit.series)
            if not one.action
        ),
        orders=tuple(AssetOrder(asset, one.action) for one in limit.series if one.action for asset in one.assets),
    )


def _with_groups(plans: Board, limits: Sequence[OwnLimit]) -> tuple[Board, dict[Identifier, tuple[Identifier, ...]]]:
    """The board with each series of several assets as one: what they can do and plan together. And who is in which."""
    rows, planned = dict(plans.assets), dict(plans.plans)
    members: dict[Identifier, tuple[Identifier, ...]] = {}
    for limit in limits:
        for number, one in enumerate(limit.series):
            known = tuple(asset for asset in one.assets if asset in plans.assets)
            if one.action or len(one.assets) == 1 or not known:
                continue
            group = _group(limit, number)
            members[group] = known
            rows[group] = _row(group, _together([plans.assets[asset].capability for asset in known]))
            with_plan = [plans.plans[asset] for asset in known if asset in plans.plans]
            if with_plan:
                planned[group] = _sum(with_plan, plans.grid.count)
    return Board(plans.grid, rows, plans.curves, planned), members


def _group(limit: OwnLimit, number: int) -> Identifier:
    series = limit.series[number]
    return series.assets[0] if len(series.assets) == 1 else Identifier(f"NDK:{limit.mrid}/{number}")


def _together(each: Sequence[Capability]) -> Capability:
    return Capability(sum(one.max_production for one in each), sum(one.max_consumption for one in each))


def _sum(plans: Sequence[Plan], count: int) -> Plan:
    up, down = (total(plans, side, count) for side in (Direction.PRODUCTION, Direction.CONSUMPTION))
    return Plan(up, down, (max(up), max(down)), is_whole=True)


def _named(one: Finding, members: Mapping[Identifier, tuple[Identifier, ...]]) -> Finding:
    """A finding with the assets themselves."""

    def spread(assets: tuple[Identifier, ...]) -> tuple[Identifier, ...]:
        return tuple(sorted({each for asset in assets for each in members.get(asset, (asset,))}))

    return replace(one, assets=spread(one.assets), unplanned=spread(one.unplanned))


def _line(limit: OwnLimit, found: list[Side], now: Instant) -> OwnLimitLine:
    return OwnLimitLine(
        mrid=limit.mrid,
        revision=limit.revision,
        kind=_kind(limit),
        direction=limit.direction,
        interval=limit.interval,
        issued=limit.issued,
        state=state_of(limit.interval, now, cancelled=limit.cancelled),
        assets=sorted({asset for one in limit.series for asset in one.assets}),
        actions=sorted({one.action.value for one in limit.series if one.action}),
        sides=found,
    )


def _kind(limit: OwnLimit) -> LimitKind:
    return LimitKind.UNFORESEEN if any(one.action for one in limit.series) else LimitKind.FORESEEN
