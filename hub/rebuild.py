"""Views rebuilt from the log while the hub runs, or only checked (floor 6; R32).

The events are replayed by the same projections into a shadow; the shadow catches up, is compared with what readers see,
and in one transaction under the lock of the log the difference is made good:

- an item that is damaged or gone stands again under its number, with the content that its event gave it;
- a key that readers saw otherwise is appended once more at the tail, so that a client with a cursor learns it;
- nothing is renumbered, and what another version of a projection told stays as it was told.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from documents.values import Identifier
from hub.audit.records import GENESIS
from hub.collector import uncollected
from hub.events import ViewsRebuilt
from hub.ports import Brain, Clock, Recorded, Row, StoredEvent
from hub.projections.catalogue import Entry
from hub.store.codec import check, encode_payload
from hub.store.shadow import Difference, FeedStart, Record, Shadow

T = TypeVar("T")

SLICE: Final = 25
"""Events replayed in one turn of the loop, so that a desk in the same process goes on."""
MOST_TOLD: Final = 1000
"""Differences that are listed; all are counted, and made good."""
NEAR: Final = 200
"""Events the shadow may be behind when it is swapped."""
NOTE_EVERY: Final = 20_000
"""Events between two notes of how far a rebuild has come."""
OTHER_VERSION: Final = -(2**62)
"""Numbers of rows whose feed was told by another version begin here: they count for what is current, and no more."""
FOR_EVER: Final = 2**62


class Progress(Struct, frozen=True):
    """How far a rebuild has come: `position` of the `head` there was when it was looked at last."""

    position: int
    head: int


class Report(Struct, frozen=True, kw_only=True):
    """What a rebuild, or a check, has found and done.

    `items` (with counters of feeds) and `keys` were not as the log says; `found` lists the first of both. `appended` is
    how many rows were put at the tails of feeds; `renewed` names those whose rows were of another version.
    """

    position: int
    items: int
    keys: int
    found: tuple[Difference, ...]
    appended: int = 0
    renewed: tuple[str, ...] = ()

    @property
    def has_changed(self) -> bool:
        """Whether a rebuild with this report has changed anything."""
        return bool(self.items or self.keys or self.appended or self.renewed)

    @property
    def is_well(self) -> bool:
        """Whether everything was as the log says."""
        return not (self.items or self.keys)


class Order(Struct, frozen=True, kw_only=True):
    """Who has views rebuilt, and why; `cause` says from where the order came."""

    why: str
    by: str
    cause: str


class Numbers:
    """The number each row has in its feed, as the live feed counts: corrections in between are stepped over."""

    def __init__(self, starts: Iterable[FeedStart], *, other_version: Iterable[str] = ()) -> None:
        self._starts = {(start.view, start.audience): start for start in starts}
        self._other_version = frozenset(other_version)
        self._feeds: dict[tuple[str, Identifier], _Feed] = {}

    def next(self, view: str, audience: Identifier, position: int) -> int:
        """The number of the next row of a feed, caused by the event at `position`."""
        feed = self._feeds.get((view, audience))
        if feed is None:
            feed = self._feeds[view, audience] = self._begun(view, audience)
        return feed.next(position)

    def _begun(self, view: str, audience: Identifier) -> "_Feed":
        start = self._starts.get((view, audience)) or FeedStart(view, audience, 0, 0, ())
        since = FOR_EVER if view in self._other_version else start.since
        return _Feed(start.told, since, start.corrections)


class _Feed:
    __slots__ = ("_before", "_last", "_since", "_skipped")

    def __init__(self, told: int, since: int, corrections: Iterable[int]) -> None:
        self._before, self._last, self._since, self._skipped = OTHER_VERSION, told, since, deque(corrections)

    def next(self, position: int) -> int:
        if position <= self._since:
            self._before += 1
            return self._before
        self._last += 1
        while self._skipped and self._skipped[0] == self._last:
            self._skipped.popleft()
            self._last += 1
        return self._last


class Rebuild:
    """One rebuild of some projections; see the charter. The brain is a fresh one with these projections only."""

    def __init__(
        self,
        entries: Sequence[Entry],
        brain: Brain,
        shadow: Shadow,
        *,
        clock: Clock,
        tell: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._entries, self._brain, self._shadow, self._clock, self._tell = entries, brain, shadow, clock, tell
        self._views = [view for entry in entries for view in entry.views]
        self._renewed: list[Entry] = []
        self._numbers = Numbers(())
        self._position = self._noted = 0
        self._chain = GENESIS

    async def check(self) -> Report:
        """Compare the views with the log and change nothing. Raises Unavailable, LogCorrupt, UnknownEvent."""
        await self._build()
        return await self._compare()

    async def run(self, order: Order | None = None) -> Report:
        """Compare, and make good what is not as the log says. Raises Unavailable, LogCorrupt, UnknownEvent.

        What the operator's `order` has changed is an event in the same transaction; a hub renews without one. Whoever
        cancels it leaves the views as they were.
        """
        await self._build()
        report = await self._compare()
        await self._catch_up()
        async with self._shadow.locked():
            while page := await self._shadow.page_within(self._position):
                await self._shadow.add_late(await self._project(page))
            appended = await self._shadow.swap(self._position)
            await self._close()
            report = replace(report, position=self._position, appended=appended)
            if order and report.has_changed:
                await self._record(report, order)
        return report

    async def _build(self) -> None:
        versions = await self._shadow.versions()
        self._renewed = [entry for entry in self._entries if versions.get(entry.name) != entry.version]
        starts = await self._shadow.begin(self._views)
        self._numbers = Numbers(starts, other_version=self._views_of(self._renewed))
        with uncollected():
            await self._replay()
        await self._shadow.complete()

    async def _compare(self) -> Report:
        async with self._shadow.snapshot():
            while page := await self._shadow.page_within(self._position):
                await self._shadow.add(await self._project(page))
            other = set(self._views_of(self._renewed))
            await self._shadow.compare(self._views, same=[view for view in self._views if view not in other])
            items, keys = await self._shadow.counted()
            found = tuple(await self._shadow.differences(most=MOST_TOLD))
        renewed = tuple(entry.name for entry in self._renewed)
        return Report(position=self._position, items=items, keys=keys, found=found, renewed=renewed)

    async def _catch_up(self) -> None:
        """Come near the head of the log and compare that too, so that little is left for the lock."""
        while await self._is_behind():
            while await self._is_behind():
                await self._shadow.add_late(await self._project(await self._shadow.page(self._position)))
            await self._shadow.settle()

    async def _is_behind(self) -> bool:
        return await self._shadow.head() - self._position > NEAR

    async def _replay(self) -> None:
        """Take in the log to its end: the next page is read, and the rows of the last one written, meanwhile."""
        head, records = await self._shadow.head(), list[Record]()
        page = await self._shadow.page(self._position)
        while page:
            head = max(head, page[-1].position)
            async with (
                _meanwhile(self._shadow.page(page[-1].position)) as following,
                _meanwhile(self._shadow.add(records)) as written,
            ):
                records = await self._project(page)
                page = await following
                await written
            self._tell(Progress(self._position, head))
            await self._note_progress()
        await self._shadow.add(records)

    async def _note_progress(self) -> None:
        """Let `list` know now and then how far the views of another version are."""
        if self._renewed and self._position >= self._noted + NOTE_EVERY:
            self._noted = self._position
            await self._shadow.note_progress([entry.name for entry in self._renewed], self._position)

    async def _project(self, page: Sequence[StoredEvent]) -> list[Record]:
        """Project and fold some events; returns their rows."""
        records: list[Record] = []
        for begin in range(0, len(page), SLICE):
            for stored in page[begin : begin + SLICE]:
                self._project_one(stored, records)
            await asyncio.sleep(0)
        self._position = page[-1].position if page else self._position
        return records

    def _project_one(self, stored: StoredEvent, records: list[Record]) -> None:
        self._chain = check(stored, self._chain)
        event = self._brain.decode(stored.topic, stored.state)
        recorded = Recorded(event, stored.position, stored.at, stored.cause)
        for row in self._brain.rows(recorded):
            number = self._numbers.next(row.view, row.audience, stored.position)
            records.append(_record(row, number, stored))
        self._brain.evolve(recorded)

    async def _record(self, report: Report, order: Order) -> None:
        event = ViewsRebuilt(
            projections=tuple(entry.name for entry in self._entries),
            items=report.items,
            keys=report.keys,
            appended=report.appended,
            renewed=report.renewed,
            why=order.why,
            by=order.by,
        )
        topic, state = self._brain.encode(event)
        stream, now = self._brain.stream_of(event), self._clock.now()
        await self._shadow.record(stream=stream, topic=topic, state=state, cause=order.cause, now=now)

    async def _close(self) -> None:
        """The present versions have made the rows of these views."""
        if self._renewed:
            await self._shadow.close_history(self._views_of(self._renewed), self._position)
        versions = [(entry.name, entry.version) for entry in self._entries]
        await self._shadow.record_versions(versions, self._clock.now())

    @staticmethod
    def _views_of(entries: Iterable[Entry]) -> list[str]:
        return [view for entry in entries for view in entry.views]


@asynccontextmanager
async def _meanwhile(work: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    """Something that goes on beside the block, and ends with it."""
    task = asyncio.create_task(work, name="rebuild-read")
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _record(row: Row, number: int, stored: StoredEvent) -> Record:
    start, end = (row.valid.start, row.valid.end) if row.valid else (None, None)
    return (
        row.view,
        row.audience,
        number,
        row.key,
        encode_payload(row.payload),
        row.group,
        start,
        end,
        row.issued or stored.at,
        stored.position,
    )
