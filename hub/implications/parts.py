"""What each asset may do under one limit, and how far its plan leaves that (F3, R14, R15, R17, R21)."""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from documents.values import Identifier, Interval, Period, Power
from hub.implications.grid import NONE, QUARTER, Grid, Plan, Slots, least, level, plan_on, smaller, within
from hub.rows import LimitContent, OperatorAsset
from hub.values import Action, AssetOrder, AssetShare, Direction

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


class Part(Struct, frozen=True):
    """One asset's part of a limit in one direction, in watts by quarter-hour.

    `allowed` is what it may use, NONE where the limit does not hold (`is_whole`: it always does); `scheduled` what it
    plans there; `excess` how far the plan leaves its part, in the way that `kind` says; `margin` what it may use
    without having a plan. The last two are None where there is nothing of it, as most often.
    """

    resource: Identifier
    kind: Kind
    allowed: Slots
    is_whole: bool
    scheduled: Slots
    excess: Slots | None
    margin: Slots | None


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

    def plan(self, resource: Identifier) -> Plan:
        """What an asset plans."""
        return self.plans.get(resource) or Plan.nothing(self.grid.count)

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
            for part in parts_under(limit, side, board, {}, only=wanted):
                if part.kind is not Kind.STANDS:
                    bounds[part.resource] = smaller(bounds.get(part.resource, part.allowed), part.allowed)
    return bounds


Bounds = Mapping[tuple[Direction, Identifier], Slots]
"""What the other limits leave to assets that are to start; most often there are none."""


def bounds_of_started(limits: Collection[LimitContent], board: Board) -> Bounds:
    """What all limits but the orders to start leave to assets that are to start."""
    started = {order.resource for limit in limits for order in limit.orders if order.action is Action.START}
    return {
        (side, resource): slots
        for side in (SIDES[Direction.BOTH] if started else ())
        for resource, slots in allowed_for(started, limits, side, board).items()
    }


def parts_under(
    limit: LimitContent,
    side: Direction,
    board: Board,
    bounds: Bounds,
    only: Container[Identifier] | None = None,
) -> Iterator[Part]:
    """The parts of a limit whose assets stand on its grid and have power in this direction."""
    for said in limit.parts:
        if only is None or said.resource in only:
            part = part_of(said, limit, side, board, bounds)
            if part:
                yield part


def part_of(
    said: AssetShare | AssetOrder, limit: LimitContent, side: Direction, board: Board, bounds: Bounds
) -> Part | None:
    """What a limit says to one asset; None when that stands on another grid or has no power in this direction."""
    asset = board.assets.get(said.resource)
    rated = asset.capability.rated(side) if asset and asset.dso == limit.dso else 0
    if not rated:
        return None
    plan = board.plan(said.resource)
    kind, allowed, excess = _judged(said, limit, side, board, rated, bounds)
    planned, whole = plan.towards(side), NONE not in allowed
    return Part(
        resource=said.resource,
        kind=kind,
        allowed=allowed,
        is_whole=whole,
        scheduled=planned if whole and plan.is_whole else _within(planned, allowed),
        excess=excess,
        margin=None if plan.is_whole else _margin(planned, allowed, rated),
    )


Judged = tuple[Kind, Slots, Slots | None]
"""What goes wrong if it does, what is allowed, and the excess."""


def _judged(  # noqa: PLR0917 # the same, and what follows from it
    said: AssetShare | AssetOrder, limit: LimitContent, side: Direction, board: Board, rated: Power, bounds: Bounds
) -> Judged:
    plan = board.plan(said.resource)
    planned = plan.towards(side)
    if isinstance(said, AssetShare):
        return _above(plan, side, least(board.grid, said.periods))
    match said.action:
        case Action.STOP:
            return _above(plan, side, level(board.grid, limit.interval, 0))
        case Action.HOLD:
            held = board.planned_at(limit.interval.start, said.resource, side)
            return _hold(planned, level(board.grid, limit.interval, rated if held == NONE else held), held)
        case Action.START:
            most, bound = level(board.grid, limit.interval, rated), bounds.get((side, said.resource))
            return _start(planned, within(most, bound) if bound else most)


def _above(plan: Plan, side: Direction, allowed: Slots) -> Judged:
    # A look at the highest and the smallest tells of most plans that they fit.
    if plan.highest_towards(side) <= min(allowed):
        return Kind.ABOVE, allowed, None
    planned = plan.towards(side)
    excess = [plan - most if plan > most >= 0 else 0 for plan, most in zip(planned, allowed, strict=True)]
    return Kind.ABOVE, allowed, _some(excess)


def _hold(planned: Slots, allowed: Slots, held: Power) -> Judged:
    """The plan at its beginning goes on; without one nobody knows what is held, and it may be all of the rating."""
    if held == NONE:
        return Kind.MOVES, allowed, None
    moved = [abs(plan - most) if plan >= 0 <= most else 0 for plan, most in zip(planned, allowed, strict=True)]
    return Kind.MOVES, allowed, _some(moved)


def _start(planned: Slots, allowed: Slots) -> Judged:
    missing = [most if plan == 0 and most > 0 else 0 for plan, most in zip(planned, allowed, strict=True)]
    return Kind.STANDS, allowed, _some(missing)


def _within(planned: Slots, allowed: Slots) -> Slots:
    """What is planned while the limit holds."""
    return [plan if most >= 0 < plan else 0 for plan, most in zip(planned, allowed, strict=True)]


def _margin(planned: Slots, allowed: Slots, rated: Power) -> Slots | None:
    """What may be used where nothing is planned."""
    return _some([min(most, rated) if plan < 0 < most else 0 for plan, most in zip(planned, allowed, strict=True)])


def _some(slots: Slots) -> Slots | None:
    return slots if any(slots) else None
