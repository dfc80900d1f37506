"""What each asset may do under one limit, and how far its plan leaves that (F3, R14, R15, R17, R21)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from documents.values import Identifier, Interval, Period, Power
from hub.implications.grid import NONE, QUARTER, Grid, Plan, Slots, least, level, plan_on, smaller, within
from hub.rows import LimitContent, OperatorAsset
from hub.values import Action, AssetShare, Direction

SIDES: Final[Mapping[Direction, tuple[Direction, ...]]] = {
    Direction.PRODUCTION: (Direction.PRODUCTION,),
    Direction.CONSUMPTION: (Direction.CONSUMPTION,),
    Direction.BOTH: (Direction.PRODUCTION, Direction.CONSUMPTION),
}
"""A limit on both directions holds in each (R14)."""


class Kind(StrEnum):
    """How a plan and a limit do not fit."""

    ABOVE = "above"
    """More is planned than the limit allows."""
    MOVES = "moves"
    """The plan changes while the order is to hold."""
    STANDS = "stands"
    """Nothing is planned though the order is to run."""
    UNPLANNED = "unplanned"
    """Nothing collides, but assets have no plan: what they may use is margin that nobody can give away."""


class Part(Struct):
    """One asset's part of a limit in one direction: what it may use, and how far its plan leaves that.

    `kind` says in which way.
    """

    resource: Identifier
    kind: Kind
    rated: Power
    allowed: Slots
    planned: Slots
    excess: Slots


class Board(Struct, frozen=True):
    """What limits are judged against: the assets, their plans as curves and on a grid."""

    grid: Grid
    assets: Mapping[Identifier, OperatorAsset]
    curves: Mapping[Identifier, Sequence[Period]]
    plans: Mapping[Identifier, Plan]

    @classmethod
    def of(
        cls,
        span: Interval,
        assets: Mapping[Identifier, OperatorAsset],
        curves: Mapping[Identifier, Sequence[Period]],
    ) -> "Board":
        """The board of a span; the Periods of one asset do not overlap (R23)."""
        grid = Grid.over(span)
        return cls(grid, assets, curves, {asset: plan_on(grid, periods) for asset, periods in curves.items()})

    def planned(self, resource: Identifier, side: Direction) -> Slots:
        """What an asset plans in one direction."""
        plan = self.plans.get(resource)
        return plan.towards(side) if plan else [NONE] * self.grid.count

    def planned_at(self, instant: datetime, resource: Identifier, side: Direction) -> Power:
        """What an asset plans for the quarter-hour of an instant, on the grid or not; NONE when nothing."""
        plan = plan_on(Grid.over(Interval(instant, instant + QUARTER)), self.curves.get(resource, ()))
        return plan.towards(side)[0]


def allowed_for(
    resources: Iterable[Identifier], limits: Iterable[LimitContent], side: Direction, board: Board
) -> dict[Identifier, Slots]:
    """The smallest bound on each of these assets in one direction (R21); an asset that nothing limits is not there."""
    wanted = set(resources)
    bounds: dict[Identifier, Slots] = {}
    for limit in limits:
        if side in SIDES[limit.direction]:
            for part in parts(limit, side, board, {}, only=wanted):
                if part.kind is not Kind.STANDS:
                    bounds[part.resource] = smaller(bounds.get(part.resource, part.allowed), part.allowed)
    return bounds


def bounds_of_started(limits: Sequence[LimitContent], board: Board) -> dict[tuple[Direction, Identifier], Slots]:
    """What the other limits leave to assets that are to start; most often there are none."""
    started = {order.resource for limit in limits for order in limit.orders if order.action is Action.START}
    return {
        (side, resource): slots
        for side in (SIDES[Direction.BOTH] if started else ())
        for resource, slots in allowed_for(started, limits, side, board).items()
    }


def parts(
    limit: LimitContent,
    side: Direction,
    board: Board,
    bounds: Mapping[tuple[Direction, Identifier], Slots],
    only: set[Identifier] | None = None,
) -> Iterator[Part]:
    """The parts of a limit whose assets stand on its grid and have power in this direction."""
    for part in limit.parts:
        asset = board.assets.get(part.resource) if only is None or part.resource in only else None
        if asset is None or asset.dso != limit.dso or not asset.capability.rated(side):
            continue
        if isinstance(part, AssetShare):
            yield _above(asset, side, least(board.grid, part.periods), board)
        else:
            yield _ordered(asset, side, part.action, limit.interval, board, bounds.get((side, part.resource)))


def _ordered(  # noqa: PLR0917 # the six things that an order's meaning depends on
    asset: OperatorAsset, side: Direction, action: Action, span: Interval, board: Board, bound: Slots | None
) -> Part:
    match action:
        case Action.STOP:
            return _above(asset, side, level(board.grid, span, 0), board)
        case Action.HOLD:
            return _hold(asset, side, span, board)
        case Action.START:
            rated = level(board.grid, span, asset.capability.rated(side))
            return _start(asset, side, within(rated, bound) if bound else rated, board)


def _above(asset: OperatorAsset, side: Direction, allowed: Slots, board: Board) -> Part:
    planned = board.planned(asset.resource, side)
    excess = [plan - most if plan > most >= 0 else 0 for plan, most in zip(planned, allowed, strict=True)]
    return Part(asset.resource, Kind.ABOVE, asset.capability.rated(side), allowed, planned, excess)


def _hold(asset: OperatorAsset, side: Direction, span: Interval, board: Board) -> Part:
    """The plan at its beginning goes on; without one nobody knows what is held, and it may be all of the rating."""
    planned, rated = board.planned(asset.resource, side), asset.capability.rated(side)
    held = board.planned_at(span.start, asset.resource, side)
    allowed = level(board.grid, span, rated if held == NONE else held)
    moved = [
        abs(plan - most) if plan >= 0 <= most and held != NONE else 0
        for plan, most in zip(planned, allowed, strict=True)
    ]
    return Part(asset.resource, Kind.MOVES, rated, allowed, planned, moved)


def _start(asset: OperatorAsset, side: Direction, allowed: Slots, board: Board) -> Part:
    planned = board.planned(asset.resource, side)
    missing = [most if plan == 0 and most > 0 else 0 for plan, most in zip(planned, allowed, strict=True)]
    return Part(asset.resource, Kind.STANDS, asset.capability.rated(side), allowed, planned, missing)
