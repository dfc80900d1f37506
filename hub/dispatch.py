"""What leaves the hub: renders outgoing messages from rows, and beats (floor 6; R12, R27).

A message in the outbox names a slice of one audience's feed. `render` turns it into the bytes of a document when it is
sent for the first time; the outbox keeps them for every retry. The beat gathers assets and schedules, so that one push
merges the changes of all AGRs. The watchdog tells the operator about an unforeseen limit not delivered in time.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol, TypeVar

import structlog
from msgspec.structs import replace

from documents import registry
from documents.codes import DocumentType
from documents.model import Document, GlMarketDocument, Party, RefMarketDocument
from documents.parts import WHOLE, Part, Span
from documents.values import Identifier, Interval, Mrid
from hub import compose
from hub.aside import aside
from hub.compose import Cover, Letterhead
from hub.errors import Unavailable
from hub.mades.message import BusinessType
from hub.ports import OPERATOR, Clock, FeedSlice, Item, Outbox, OutgoingMessage, RowReader, Scope
from hub.rows import (
    ACKNOWLEDGEMENTS,
    AGR_LIMITS,
    ALARMS,
    DSO_ASSETS,
    DSO_SCHEDULES,
    PARTICIPANTS,
    RESPONSES,
    AgrLimit,
    Answer,
    Participant,
    Response,
)

R = TypeVar("R")
log = structlog.get_logger("hub.dispatch")

BEATS: Final = (
    (DSO_ASSETS, BusinessType.ASSETS, timedelta(hours=24), 1_000),
    (DSO_SCHEDULES, BusinessType.SCHEDULES, timedelta(days=14), 100),
)
"""What the beat gathers: view, business type, time to live, most items in one document (R12, R27)."""
MOST_BYTES: Final = 160_000
"""Bytes of rows in one document of the beat; a longer row goes alone.

A series of an asset takes about 1.5 kB. One of a plan takes at most 108 kB where it is written out (1,000 steps) and 33
bytes for each byte of its row (three bytes make a Point): 100 plans in 160 kB stay below 16 MiB, and so does one alone,
as none longer than `documents.lengths.LONGEST_BYTES` is taken.
"""
HORIZON: Final = timedelta(days=2 * 366)
"""How far ahead schedules reach (R20); a request without a TimeInterval asks for all of it."""
ORDERED: Final = frozenset({DSO_ASSETS, DSO_SCHEDULES, RESPONSES})
"""What a DSO is told of assets and plans, pushed or asked for: ordered by nothing but its creation time (R10)."""
PAGE: Final = 1000
LARGE: Final = 10
"""Series from which a document is written beside the loop: ten plans of a day are 100 kB."""
WATCH_S: Final = 5.0

Alarm = Callable[[str, str], Awaitable[object]]
"""(subject, text) -> told the operator."""


class Memory(Protocol):
    """Where the last `createdDateTime` per receiver survives a restart."""

    async def meta(self, key: str) -> str | None:
        """A fact about this store."""

    async def set_meta(self, key: str, value: str) -> None:
        """Keep a fact."""


class Dispatch:
    """See the module's charter."""

    def __init__(self, rows: RowReader, outbox: Outbox, *, head: Letterhead, clock: Clock, memory: Memory) -> None:
        self._rows, self._outbox, self._head = rows, outbox, head
        self._clock, self._memory = clock, memory
        self._created: dict[Identifier, datetime] = {}
        self._roles: dict[Identifier, str] = {}

    async def render(self, messages: Sequence[OutgoingMessage]) -> Mapping[str, bytes]:
        """Bytes by message id. A message that cannot become a document is left out, and so FAILED by the sender."""
        bodies: dict[str, bytes] = {}
        sourced = [(message, message.source) for message in messages if message.source]
        slices = await self._rows.slices([source for _, source in sourced])
        for (message, source), items in zip(sourced, slices, strict=True):
            try:
                bodies[message.message_id] = await self._rendered(message.document, source, items)
            except Unavailable:
                raise
            except Exception as error:
                name = type(error).__name__
                log.error("message.unrenderable", message=message.message_id, error=name, exc_info=error)
        return bodies

    async def beat(self, every_s: float, wake: Callable[[], None]) -> None:
        """Gather what has changed, again and again (R12)."""
        while True:
            await self._clock.sleep(every_s)
            try:
                if await self.gather():
                    wake()
            except Unavailable as error:
                log.warning("beat.skipped", error=str(error))

    async def gather(self) -> int:
        """Queue messages for everything of each beat view that its DSO has not been sent; returns how many."""
        now, queued = self._clock.now(), 0
        for view, business_type, ttl, most in BEATS:
            queued += await self._outbox.gather(
                view,
                business_type=business_type.value,
                now=now,
                ttl_s=ttl.total_seconds(),
                most=most,
                most_bytes=MOST_BYTES,
            )
        return queued

    async def watch(self, alarm_s: float, alarm: Alarm) -> None:
        """Alarm the operator, once each, about unforeseen limits that are not delivered within `alarm_s` (R27)."""
        while True:
            await self._clock.sleep(WATCH_S)
            try:
                await self.raise_alarms(alarm_s, alarm)
            except Unavailable as error:
                log.warning("watch.skipped", error=str(error))

    async def raise_alarms(self, alarm_s: float, alarm: Alarm) -> None:
        """One look of the watchdog; an alarm that stands is not raised again."""
        since = self._clock.now() - timedelta(seconds=alarm_s)
        for message in await self._outbox.overdue(business_type=BusinessType.UNFORESEEN.value, since=since):
            subject = f"undelivered/{message.message_id}"
            if await self._rows.get(Scope(OPERATOR), ALARMS, subject) is None:
                text = f"Unforeseen limit {message.document} is not delivered to {message.receiver} after {alarm_s:g} s"
                log.warning("limit.undelivered", message=message.message_id, document=message.document)
                await alarm(subject, text)

    async def _rendered(self, mrid: Mrid, source: FeedSlice, items: Sequence[Item]) -> bytes:
        receiver = Party(source.audience, await self._role(source.audience))
        cover = Cover(mrid=mrid, receiver=receiver, created=await self._created_at(source, items))
        document = await self._document(source.view, items, cover)
        if isinstance(document, RefMarketDocument | GlMarketDocument) and len(document.series) >= LARGE:
            return await aside(partial(registry.render, document))
        return registry.render(document)

    async def _document(self, view: str, items: Sequence[Item], cover: Cover) -> Document:
        if view == DSO_ASSETS:
            return compose.asset_changes(items, cover, self._head)
        if view == DSO_SCHEDULES:
            return compose.schedules(items, cover, self._head)
        if view == AGR_LIMITS:
            return compose.limit(_row(items, AgrLimit), cover, self._head)
        if view == ACKNOWLEDGEMENTS:
            return compose.acknowledgement(_row(items, Answer), cover, self._head)
        if view == RESPONSES:
            return await self._response(_row(items, Response), cover)
        raise ValueError(f"nothing of view {view} ever leaves")

    async def _response(self, response: Response, cover: Cover) -> Document:
        """The data asked for, from the asker's own rows as they are now (R13)."""
        cover = replace(cover, mrid=response.mrid)
        scope, span = Scope(cover.receiver.id), response.span
        if response.subject == DocumentType.CONFIGURATION:
            assets = await self._assets(scope, response.resources, span, cover)
            part = Part(span, response.resources)
            return compose.asset_list(assets, cover, self._head, part) if assets else self._nothing(response, cover)
        if response.subject == DocumentType.SCHEDULE:
            plans, span = compose.fitting(await self._plans(scope, response, cover), span)
            if response.resources or response.interval:
                span = WHOLE  # what is absent from an answer about some plans says nothing, so no part needs a mark
            return compose.schedule_list(plans, cover, self._head, span) if plans else self._nothing(response, cover)
        raise ValueError(f"nothing answers a request for {response.subject}")

    async def _plans(self, scope: Scope, response: Response, cover: Cover) -> list[Item]:
        """The plans of a span that stand. A part that has become empty tells of the plan at its end."""
        interval, span = response.interval or Interval(cover.created, cover.created + HORIZON), response.span
        found = compose.standing(await self._all(scope, DSO_SCHEDULES, response.resources, interval, span))
        if found or span.is_all:
            return found
        edge = await self._rows.get(scope, DSO_SCHEDULES, span.upto or span.after)
        if edge is None:
            raise ValueError("a plan that was told is gone")
        return [edge]

    async def _assets(self, scope: Scope, groups: Sequence[str], span: Span, cover: Cover) -> list[Item]:
        """The assets in a span. A part that has become empty tells of the asset at its end: it must name one."""
        items = await self._all(scope, DSO_ASSETS, groups, None, span)
        if items or span.is_all:
            return items
        edge = span.upto or span.after
        gone = Item(
            view=DSO_ASSETS,
            audience=scope.audience,
            key=edge,
            sequence=0,
            payload=None,
            issued=cover.created,
            position=0,
        )
        return [await self._rows.get(scope, DSO_ASSETS, edge) or gone]

    def _nothing(self, response: Response, cover: Cover) -> Document:
        return compose.nothing_found(response, cover, self._head)

    async def _all(
        self, scope: Scope, view: str, groups: Sequence[str], overlapping: Interval | None, span: Span = WHOLE
    ) -> list[Item]:
        """The current items of a span, by key."""
        items: list[Item] = []
        while True:
            last = items[-1].key if items else span.after
            page = await self._rows.list(
                scope, view, groups=groups, overlapping=overlapping, after_key=last, limit=PAGE
            )
            items.extend(page)
            if len(page) < PAGE or items[-1].key not in span:
                return [item for item in items if item.key in span]

    async def _role(self, receiver: Identifier) -> str:
        """The role code a participant is addressed with; a participant's role never changes."""
        if receiver not in self._roles:
            item = await self._rows.get(Scope(OPERATOR), PARTICIPANTS, receiver)
            participant = compose.decoded(item, Participant) if item else None
            if participant is None:
                raise ValueError(f"{receiver} is no participant")
            self._roles[receiver] = compose.ROLES[participant.role.value]
        return self._roles[receiver]

    async def _created_at(self, source: FeedSlice, items: Sequence[Item]) -> datetime:
        """When this document is made, in whole seconds; lists later than any before for this receiver (R10).

        The last one is kept before the document leaves, so that a restart cannot go back.
        """
        if source.view == AGR_LIMITS and items:
            return items[-1].issued.replace(microsecond=0)  # the same copy, however often it is asked for (R22)
        if source.view not in ORDERED:
            return self._clock.now().replace(microsecond=0)
        receiver, key = source.audience, f"created/{source.audience}"
        if receiver not in self._created and (kept := await self._memory.meta(key)):
            self._created[receiver] = datetime.fromisoformat(kept)
        now, last = self._clock.now().replace(microsecond=0), self._created.get(receiver)
        created = max(now, last + timedelta(seconds=1)) if last else now
        await self._memory.set_meta(key, created.isoformat())
        self._created[receiver] = created
        return created


def _row(items: Sequence[Item], kind: type[R]) -> R:
    """The one row a document is about."""
    row = compose.decoded(items[-1], kind) if items else None
    if row is None:
        raise ValueError("the row of a document is missing")
    return row
