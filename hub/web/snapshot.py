"""The operator's rows in memory, by key: as they are, following the feeds, or as they were at an instant (floor 7; F3).

A row is what the projections addressed to the operator; nothing here sees an event. What has ended longer than `KEPT`
is left out of the present; a look back reads the feeds from their beginning to the instant.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeVar, cast

import msgspec
from msgspec import Struct

from documents.values import Instant, Interval
from hub.feed import Feed
from hub.ports import OPERATOR, Item, RowReader, Scope
from hub.rows import (
    ALARMS,
    LIMIT_CONTENTS,
    OPERATOR_ASSETS,
    OPERATOR_LIMITS,
    OPERATOR_POINTS,
    OPERATOR_SCHEDULES,
    PARTICIPANTS,
    Alarm,
    LimitContent,
    OperatorAsset,
    OperatorLimit,
    OperatorPoint,
    OperatorSchedule,
    Participant,
)

R = TypeVar("R", bound=Struct)

ENDING: Final = (OPERATOR_SCHEDULES, OPERATOR_LIMITS, LIMIT_CONTENTS)
"""Views whose rows end some day."""
KEPT: Final = timedelta(days=8)
AHEAD: Final = timedelta(days=3 * 366)
FORGETS_EVERY: Final = timedelta(hours=1)
PAGE: Final = 5_000
WAIT_S: Final = 60.0
SCOPE: Final = Scope(OPERATOR)
VIEWS: Final[Mapping[str, type[Struct]]] = {
    PARTICIPANTS: Participant,
    OPERATOR_ASSETS: OperatorAsset,
    OPERATOR_POINTS: OperatorPoint,
    OPERATOR_SCHEDULES: OperatorSchedule,
    OPERATOR_LIMITS: OperatorLimit,
    LIMIT_CONTENTS: LimitContent,
    ALARMS: Alarm,
}
"""What is held, and as what. Documents are too many to hold; they are read from their feed."""


class Held(Struct, frozen=True):
    """A row with when it was issued, and the end of what it is about."""

    payload: Struct
    issued: Instant
    ends: Instant | None


class Snapshot:
    """Rows by view and key. `version` grows with every change; `at` is None for the present."""

    def __init__(self, at: datetime | None = None) -> None:
        self.at = at
        self.version = 0
        self._held: dict[str, dict[str, Held]] = {view: {} for view in VIEWS}

    def take(self, item: Item) -> None:
        """Put a row in its place, or take it away."""
        self.version += 1
        if item.payload is None:
            self._held[item.view].pop(item.key, None)
        else:
            payload = msgspec.msgpack.decode(item.payload, type=VIEWS[item.view])
            self._held[item.view][item.key] = Held(payload, item.issued, item.valid.end if item.valid else None)

    def held(self, view: str) -> dict[str, Held]:
        """The rows of a view by key: a copy, so that a thread may walk through it while rows come."""
        return dict(self._held[view])

    def rows(self, view: str, type_: type[R]) -> dict[str, R]:
        """The payloads of a view by key; `type_` is the one that `VIEWS` names."""
        assert VIEWS[view] is type_, "each view has one type"
        return {key: cast("R", held.payload) for key, held in self.held(view).items()}

    def forget(self, before: datetime) -> None:
        """Drop the plans and limits that ended before an instant."""
        for view in ENDING:
            for key, held in self.held(view).items():
                if held.ends is not None and held.ends < before:
                    del self._held[view][key]
                    self.version += 1

    def get(self, view: str, key: str, type_: type[R]) -> R | None:
        """One payload, None when there is none."""
        held = self._held[view].get(key)
        return held.payload if held and isinstance(held.payload, type_) else None


class Present:
    """The snapshot that follows the feeds; `run` it beside whoever reads it."""

    def __init__(self, rows: RowReader, feed: Feed, now: Callable[[], datetime]) -> None:
        self._rows, self._feed, self._now = rows, feed, now
        self.snapshot = Snapshot()
        self.is_loaded = False
        self._forgets = now() + FORGETS_EVERY
        self._listeners: set[Callable[[str], None]] = set()

    async def run(self) -> None:
        """Load what is there, then follow until cancelled. Raises Unavailable."""
        heads = {view: await self._load(view) for view in VIEWS}
        self.is_loaded = True
        async with asyncio.TaskGroup() as tasks:
            for view, head in heads.items():
                self._tell(view)
                tasks.create_task(self._follow(view, head), name=f"page-{view}")

    def on_change(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """Call this with the view after each change; returns how to stop that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    async def _load(self, view: str) -> int:
        """Take the current rows; returns up to where the feed need not be read."""
        head = await self._rows.head(SCOPE, view)
        now, after = self._now(), ""
        span = Interval(now - KEPT, now + AHEAD) if view in ENDING else None
        while True:
            page = await self._rows.list(SCOPE, view, overlapping=span, after_key=after, limit=PAGE)
            for item in page:
                self.snapshot.take(item)
            if len(page) < PAGE:
                return head
            after = page[-1].key

    async def _follow(self, view: str, after: int) -> None:
        while True:
            items = await self._feed.wait(SCOPE, view, after=after, timeout_s=WAIT_S, limit=PAGE)
            for item in items:
                self.snapshot.take(item)
            if items:
                after = items[-1].sequence
                self._tell(view)
            elif self._feed.is_closed:
                return
            self._forget_ended()

    def _tell(self, view: str) -> None:
        for listener in tuple(self._listeners):
            listener(view)

    def _forget_ended(self) -> None:
        """Once an hour, so that memory does not grow with the log."""
        now = self._now()
        if now >= self._forgets:
            self._forgets = now + FORGETS_EVERY
            self.snapshot.forget(now - KEPT)


async def snapshot_at(rows: RowReader, at: datetime) -> Snapshot:
    """The rows as they were at an instant, from the feeds alone. Raises Unavailable."""
    snapshot = Snapshot(at)
    for view in VIEWS:
        await _replay(rows, view, at, snapshot)
    snapshot.forget(at - KEPT)
    return snapshot


async def _replay(rows: RowReader, view: str, at: datetime, snapshot: Snapshot) -> None:
    after = 0
    while page := await rows.feed(SCOPE, view, after=after, limit=PAGE):
        for item in page:
            if item.issued > at:
                return
            snapshot.take(item)
        # A log of years must not be held at once.
        snapshot.forget(at - KEPT)
        after = page[-1].sequence


async def upto(rows: RowReader, view: str, at: datetime) -> int:
    """Sequence of the last row of the operator's feed of a view that was issued by `at`. Raises Unavailable."""
    low, high = 0, await rows.head(SCOPE, view)
    while low < high:
        middle = (low + high + 1) // 2
        (item,) = await rows.feed(SCOPE, view, after=middle - 1, limit=1)
        low, high = (middle, high) if item.issued <= at else (low, middle - 1)
    return low
