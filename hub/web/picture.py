"""Snapshots on a grid: which limits hold, what is planned, where it collides (floor 7; F3).

The pictures of the windows that are looked at follow their snapshot: what an asset plans is counted once, and again
when its plan changes, and so are the sums under each limit.
"""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeVar

from msgspec import Struct

from documents.curves import extremes
from documents.values import Identifier, Instant, Interval, Period, Power
from hub.implications import NONE, QUARTER_S, Board, Finding, Grid, Ledger, Plan, Slots, flat, plan_on, summed
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

WINDOWS_KEPT: Final = 4
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
    """Makes pictures, and keeps what they are made of as long as it stays the same."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._kept: dict[tuple[datetime | None, Interval], Followed] = {}

    async def of(self, snapshot: Snapshot, window: Interval) -> Picture:
        """The picture of a window, the same one while nothing changes. Counted in a thread: it may take a second."""
        async with self._turn:
            key = snapshot.at, window
            followed = self._kept.pop(key, None)
            if followed is None or followed.snapshot is not snapshot:
                followed = Followed(snapshot, window)
            if followed.version != snapshot.version:
                rows = Rows.of(snapshot, window)
                await asyncio.to_thread(followed.catch_up, rows)
            self._kept[key] = followed
            while len(self._kept) > WINDOWS_KEPT:
                del self._kept[next(iter(self._kept))]
            return followed.picture


class Rows(Struct, frozen=True):
    """What a picture is made from, at one version of a snapshot: copies, so that a thread may walk through them."""

    version: int
    schedules: Mapping[str, OperatorSchedule]
    assets: Mapping[str, OperatorAsset]
    limits: Mapping[str, LimitContent]

    @classmethod
    def of(cls, snapshot: Snapshot, window: Interval) -> "Rows":
        """The rows as they are."""
        return cls(
            snapshot.version,
            snapshot.rows(OPERATOR_SCHEDULES, OperatorSchedule),
            snapshot.rows(OPERATOR_ASSETS, OperatorAsset),
            holding(snapshot, window),
        )


class Followed:
    """One window of one snapshot: a plan that is revised costs its own asset and the limits on it, and no more."""

    def __init__(self, snapshot: Snapshot, window: Interval) -> None:
        self.snapshot, self._window = snapshot, window
        self._rows = Rows(-1, {}, {}, {})
        self._ledger = Ledger()
        self.picture = Picture(window, Board(Grid.over(window), {}, {}, {}), {}, ())

    @property
    def version(self) -> int:
        """The version of the snapshot that the picture shows."""
        return self._rows.version

    def catch_up(self, rows: Rows) -> None:
        """Make the picture of these rows from that of those before; rows that stay are the same objects."""
        before, board = self._rows, self.picture.board
        planned = {row.resource for row in _changed(before.schedules, rows.schedules)}
        curves = dict(board.curves)
        _renew(curves, planned, _curves(rows.schedules.values(), self._window, planned))
        plans = dict(board.plans)
        counted = {asset: plan_on(board.grid, curves[asset]) for asset in planned if asset in curves}
        _renew(plans, planned, counted)
        board = Board(board.grid, {Identifier(key): one for key, one in rows.assets.items()}, curves, plans)
        moved = planned | {row.resource for row in _changed(before.assets, rows.assets)}
        found = self._ledger.judge(rows.limits, board, moved)
        self._rows, self.picture = rows, Picture(self._window, board, rows.limits, tuple(found))


def board_of(snapshot: Snapshot, window: Interval, assets: Collection[Identifier]) -> Board:
    """The board of some assets alone, for a window of its own: nothing of it is kept."""
    curves = _curves(snapshot.rows(OPERATOR_SCHEDULES, OperatorSchedule).values(), window, assets)
    rows = snapshot.rows(OPERATOR_ASSETS, OperatorAsset)
    return Board.of(window, {asset: rows[asset] for asset in assets if asset in rows}, curves)


R = TypeVar("R")
V = TypeVar("V")


def _changed(before: Mapping[str, R], after: Mapping[str, R]) -> Iterator[R]:
    """Rows that are there no more, and those that are new."""
    yield from (row for key, row in before.items() if after.get(key) is not row)
    yield from (row for key, row in after.items() if before.get(key) is not row)


def _renew(held: dict[Identifier, V], assets: Iterable[Identifier], now: Mapping[Identifier, V]) -> None:
    """Put what is so now of these assets in the place of what was."""
    for asset in assets:
        held.pop(asset, None)
    held.update(now)


def _curves(
    schedules: Iterable[OperatorSchedule], window: Interval, assets: Collection[Identifier]
) -> dict[Identifier, tuple[Period, ...]]:
    """The plans of some assets near a window: a HOLD may have begun some days before it."""
    near = Interval(window.start - LONGEST, window.end)
    found: dict[Identifier, tuple[Period, ...]] = {}
    for one in schedules:
        if one.resource in assets and any(span.overlaps(near) for span in one.intervals):
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


def total(plans: Collection[Plan], side: Direction, count: int) -> Slots:
    """The sum of plans in one direction; what nobody plans is nothing."""
    whole = [plan.towards(side) for plan in plans if plan.is_whole and plan.highest_towards(side)]
    cut = [[max(watts, 0) for watts in plan.towards(side)] for plan in plans if not plan.is_whole]
    return summed([flat(count, 0), *whole, *cut])
