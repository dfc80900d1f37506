"""Snapshots on a grid: which limits hold, what is planned, where it collides (floor 7; F3).

What an asset plans is counted once for each window and kept as long as its plan is the same, so that a change of one
row costs one row.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from documents.curves import extremes
from documents.values import Identifier, Instant, Interval, Period, Power
from hub.implications import NONE, QUARTER_S, Board, Finding, Grid, Plan, Slots, findings, plan_on
from hub.rows import (
    LIMIT_CONTENTS,
    OPERATOR_ASSETS,
    OPERATOR_LIMITS,
    OPERATOR_SCHEDULES,
    LimitContent,
    OperatorAsset,
    OperatorLimit,
    OperatorSchedule,
)
from hub.values import Direction
from hub.web.answers import Curve, LimitLine
from hub.web.snapshot import Held, Snapshot

WINDOWS_KEPT: Final = 6
LONGEST: Final = timedelta(days=8)


class Picture(Struct, frozen=True):
    """One snapshot over one window. `limits` are those that hold somewhere in it, by key."""

    window: Interval
    board: Board
    limits: Mapping[str, LimitContent]
    findings: tuple[Finding, ...]

    def curve(self, slots: Slots) -> Curve:
        """Quarter-hours as stretches; nothing where nothing is said."""
        return bound_curve(self.board.grid, slots)


class Pictures:
    """Makes pictures, and remembers what they have in common."""

    def __init__(self) -> None:
        self._plans: dict[tuple[datetime, int], dict[Identifier, tuple[tuple[Period, ...], Plan]]] = {}
        self._turn = asyncio.Lock()
        self._made: dict[tuple[datetime | None, Interval], tuple[int, Picture]] = {}

    async def of(self, snapshot: Snapshot, window: Interval) -> Picture:
        """The picture of a window, the same one while nothing changes. Counted in a thread: it may take seconds."""
        async with self._turn:
            key, version = (snapshot.at, window), snapshot.version
            made = self._made.pop(key, None)
            if made is None or made[0] != version:
                schedules = list(snapshot.rows(OPERATOR_SCHEDULES, OperatorSchedule).values())
                assets = snapshot.rows(OPERATOR_ASSETS, OperatorAsset)
                limits = holding(snapshot, window)
                made = version, await asyncio.to_thread(self._make, window, schedules, assets, limits)
            self._made[key] = made
            while len(self._made) > WINDOWS_KEPT:
                del self._made[next(iter(self._made))]
            return made[1]

    def _make(
        self,
        window: Interval,
        schedules: Sequence[OperatorSchedule],
        assets: Mapping[str, OperatorAsset],
        limits: Mapping[str, LimitContent],
    ) -> Picture:
        grid, curves = Grid.over(window), _curves(schedules, window)
        board = Board(grid, {Identifier(key): one for key, one in assets.items()}, curves, self._planned(grid, curves))
        return Picture(window, board, limits, tuple(findings(list(limits.values()), board)))

    def _planned(self, grid: Grid, curves: Mapping[Identifier, tuple[Period, ...]]) -> dict[Identifier, Plan]:
        before = self._plans.pop((grid.start, grid.count), {})
        counted = {
            asset: held if (held := before.get(asset)) and held[0] == periods else (periods, plan_on(grid, periods))
            for asset, periods in curves.items()
        }
        self._plans[grid.start, grid.count] = counted
        while len(self._plans) > WINDOWS_KEPT:
            del self._plans[next(iter(self._plans))]
        return {asset: plan for asset, (_, plan) in counted.items()}


def _curves(schedules: Iterable[OperatorSchedule], window: Interval) -> dict[Identifier, tuple[Period, ...]]:
    """The plans of each asset near a window: a HOLD may have begun some days before it."""
    near = Interval(window.start - LONGEST, window.end)
    found: dict[Identifier, tuple[Period, ...]] = {}
    for one in schedules:
        if any(period.interval.overlaps(near) for period in one.periods):
            found[one.resource] = (*found.get(one.resource, ()), *one.periods)
    return found


def holding(snapshot: Snapshot, window: Interval) -> dict[str, LimitContent]:
    """The limits that are not cancelled and meet the window."""
    limits = snapshot.rows(OPERATOR_LIMITS, OperatorLimit)
    return {
        key: content
        for key, content in snapshot.rows(LIMIT_CONTENTS, LimitContent).items()
        if content.interval.overlaps(window) and key in limits and not limits[key].cancelled
    }


def limit_line(snapshot: Snapshot, key: str, now: Instant) -> LimitLine | None:
    """A limit in a list; None when only its cancel is known."""
    held: Held | None = snapshot.held(OPERATOR_LIMITS).get(key)
    content = snapshot.get(LIMIT_CONTENTS, key, LimitContent)
    if held is None or content is None or not isinstance(held.payload, OperatorLimit):
        return None
    line = line_of(content, now, issued=held.issued, cancelled=held.payload.cancelled)
    line.revision = held.payload.revision
    line.copies = len(held.payload.copies)
    line.collected = sum(copy.collected for copy in held.payload.copies)
    return line


def line_of(content: LimitContent, now: Instant, *, issued: Instant, cancelled: bool = False) -> LimitLine:
    """What a limit says, in a line; nobody has a copy of it yet."""
    periods = [period for total in content.totals for period in total.periods]
    least, peak = extremes(periods) if periods else (None, None)
    return LimitLine(
        dso=content.dso,
        mrid=content.mrid,
        revision=content.revision,
        kind=content.kind,
        direction=content.direction,
        interval=content.interval,
        state=state_of(content.interval, now, cancelled=cancelled),
        assets=len(content.parts),
        actions=sorted({order.action.value for order in content.orders}),
        issued=issued,
        peak_w=peak,
        least_w=least,
        copies=0,
        collected=0,
    )


def state_of(interval: Interval, now: Instant, *, cancelled: bool) -> str:
    """Where a limit stands in time."""
    if cancelled:
        return "cancelled"
    if interval.end <= now:
        return "ended"
    return "active" if interval.start <= now else "coming"


def bound_curve(grid: Grid, slots: Slots) -> Curve:
    """Quarter-hours without sign as stretches; nothing where nothing is said."""
    return curve(grid, [None if watts == NONE else watts for watts in slots])


def curve(grid: Grid, values: Iterable[Power | None]) -> Curve:
    """Quarter-hours as stretches of equal watts."""
    start, found = int(grid.start.timestamp()), Curve()
    for number, watts in enumerate(values):
        if watts is None:
            continue
        begin = start + number * QUARTER_S
        if found and found[-1][1] == begin and found[-1][2] == watts:
            found[-1] = (found[-1][0], begin + QUARTER_S, watts)
        else:
            found.append((begin, begin + QUARTER_S, watts))
    return found


def total(plans: Iterable[Plan], side: Direction, count: int) -> Slots:
    """The sum of plans in one direction; what nobody plans is nothing."""
    sums = [0] * count
    for plan in plans:
        sums = [before + watts if watts > 0 else before for before, watts in zip(sums, plan.towards(side), strict=True)]
    return sums
