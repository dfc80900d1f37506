"""Limits against plans: balances to draw, findings to list (F3)."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import add

from msgspec import Struct

from documents.values import Identifier, Interval, Mrid, Power
from hub.implications.grid import NONE, Grid, Slots
from hub.implications.parts import SIDES, Board, Kind, Part, bounds_of_started, parts
from hub.rows import LimitContent
from hub.values import Direction, LimitKind


class Balance(Struct, frozen=True):
    """One limit in one direction against the plans of its assets, in watts by quarter-hour.

    `allowed` is the sum of the parts of its registered assets, NONE where the limit does not hold; `scheduled` what
    they plan; `excess` how far plans leave their own parts; `margin` what assets without a plan may use.
    """

    side: Direction
    allowed: Slots
    scheduled: Slots
    excess: Slots
    margin: Slots


class Finding(Struct, frozen=True, kw_only=True, rename="camel"):
    """Neighbouring quarter-hours in which one limit meets its plans in the same way.

    `scheduled_w` and `allowed_w` stand at the quarter-hour of the largest `excess_w`; `excess_wh` sums all of them.
    `assets` are those that do not fit, `unplanned` those without a plan, whose parts cost `margin_w` at most.
    """

    kind: Kind
    dso: Identifier
    mrid: Mrid
    revision: int
    limit: LimitKind
    side: Direction
    interval: Interval
    scheduled_w: Power
    allowed_w: Power
    excess_w: Power
    excess_wh: float
    margin_w: Power
    assets: tuple[Identifier, ...]
    unplanned: tuple[Identifier, ...]


def findings(limits: Sequence[LimitContent], board: Board) -> list[Finding]:
    """Where plans and limits do not fit, and where assets without a plan cost margin; by time, then by limit.

    `limits` are those that hold: not cancelled. Cost: limits times their assets times quarter-hours.
    """
    bounds = bounds_of_started(limits, board)
    found = [
        finding
        for limit in limits
        for side in SIDES[limit.direction]
        for finding in _findings(limit, side, list(parts(limit, side, board, bounds)), board.grid)
    ]
    return sorted(found, key=lambda one: (one.interval, one.dso, one.mrid, one.side, one.kind))


def balances(limit: LimitContent, limits: Sequence[LimitContent], board: Board) -> list[Balance]:
    """One limit against the plans of its assets, by direction; `limits` are all that hold, for what a START may use."""
    bounds = bounds_of_started(limits, board)
    return [_balance(side, list(parts(limit, side, board, bounds)), board.grid) for side in SIDES[limit.direction]]


def _balance(side: Direction, held: Iterable[Part], grid: Grid) -> Balance:
    zero, holds = [0] * grid.count, [False] * grid.count
    allowed, scheduled, excess, margin = zero, zero, zero, zero
    for part in held:
        # Most plans are whole, and then whole columns are added at once: this is where the time goes.
        if NONE in part.allowed:
            holds = [before or most >= 0 for before, most in zip(holds, part.allowed, strict=True)]
            allowed = list(map(add, allowed, [max(most, 0) for most in part.allowed]))
        else:
            holds = [True] * grid.count
            allowed = list(map(add, allowed, part.allowed))
        scheduled = list(map(add, scheduled, _within(part)))
        if NONE in part.planned:
            margin = list(map(add, margin, _left(part)))
        if any(part.excess):
            excess = list(map(add, excess, part.excess))
    allowed = [most if held else NONE for most, held in zip(allowed, holds, strict=True)]
    return Balance(side, allowed, scheduled, excess, margin)


def _within(part: Part) -> Slots:
    """What is planned while the limit holds."""
    if NONE not in part.planned and NONE not in part.allowed:
        return part.planned
    return [plan if most >= 0 < plan else 0 for plan, most in zip(part.planned, part.allowed, strict=True)]


def _left(part: Part) -> Slots:
    """What may be used where nothing is planned."""
    return [
        min(most, part.rated) if plan < 0 < most else 0 for plan, most in zip(part.planned, part.allowed, strict=True)
    ]


def _findings(limit: LimitContent, side: Direction, held: Sequence[Part], grid: Grid) -> Iterator[Finding]:
    for kind in Kind:
        alike = [part for part in held if part.kind is kind]
        if alike:
            balance = _balance(side, alike, grid)
            for collides, first, last in _runs(balance):
                yield _finding(limit, kind if collides else Kind.UNPLANNED, balance, alike, grid, range(first, last))


def _runs(balance: Balance) -> Iterator[tuple[bool, int, int]]:
    """Neighbouring quarter-hours with excess (True), or with nothing but margin (False): first, and the one after."""
    states = [2 if over else 1 if left else 0 for over, left in zip(balance.excess, balance.margin, strict=True)]
    for state, run in groupby(range(len(states)), key=states.__getitem__):
        if state:
            slots = list(run)
            yield state == 2, slots[0], slots[-1] + 1


def _finding(  # noqa: PLR0917 # it only puts together
    limit: LimitContent, kind: Kind, balance: Balance, held: Sequence[Part], grid: Grid, run: range
) -> Finding:
    worst = max(run, key=lambda slot: (balance.excess[slot], balance.margin[slot]))
    cut = slice(run.start, run.stop)
    return Finding(
        kind=kind,
        dso=limit.dso,
        mrid=limit.mrid,
        revision=limit.revision,
        limit=limit.kind,
        side=balance.side,
        interval=grid.interval(run.start, run.stop),
        scheduled_w=balance.scheduled[worst],
        allowed_w=balance.allowed[worst],
        excess_w=balance.excess[worst],
        excess_wh=sum(balance.excess[cut]) / 4,
        margin_w=max(balance.margin[cut]),
        assets=tuple(part.resource for part in held if any(part.excess[cut])),
        unplanned=tuple(part.resource for part in held if _lacks_plan(part, cut)),
    )


def _lacks_plan(part: Part, cut: slice) -> bool:
    return NONE in part.planned[cut] and any(
        plan < 0 < most for plan, most in zip(part.planned[cut], part.allowed[cut], strict=True)
    )
