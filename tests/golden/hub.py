"""A hub without a road, whose every byte is fixed: documents in, commits, documents out; clock and ids count."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Final, Self

from msgspec import Struct

from documents import registry
from documents.model import Document
from documents.values import Identifier
from hub import app, intake
from hub.app.parts import quarantine
from hub.clock import ManualClock
from hub.commands import Command
from hub.desk import Desk
from hub.dispatch import Dispatch
from hub.events import Event
from hub.feed import Bells
from hub.ports import Batch, FeedSlice, InboxEntry, NewEvent, OutgoingMessage, Row
from hub.store.codec import digest_of
from hub.store.memory import MemoryCommit, MemoryStore
from tests.hub_world import NOON
from tests.system import MARKET, carried_as

WORTH: Final = timedelta(days=1)


class Came(Struct, frozen=True, kw_only=True):
    """A document that was taken in."""

    message_id: str
    sender: Identifier
    business_type: str
    content: bytes


class Left(Struct, frozen=True, kw_only=True):
    """A document that was made, of which rows, when, and how far the log was then."""

    message_id: str
    receiver: Identifier
    business_type: str
    document: str
    source: FeedSlice
    position: int
    at: datetime
    content: bytes


class _Witness:
    """The door into the log, which remembers the rows that went through it."""

    def __init__(self, commit: MemoryCommit) -> None:
        self._commit = commit
        self.rows: list[tuple[int, Row]] = []

    async def commit(self, batch: Batch) -> int:
        head = await self._commit.commit(batch)
        self.rows.extend(batch.rows)
        return head

    async def known(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        return await self._commit.known(keys)

    async def replay_acknowledgements(self, sender: str, message_id: str, *, now: datetime) -> None:
        await self._commit.replay_acknowledgements(sender, message_id, now=now)


def dispatch_of(store: MemoryStore, clock: ManualClock) -> Dispatch:
    """What makes documents from a store's rows."""
    return Dispatch(store.rows, store.outbox, head=app.letterhead(MARKET), clock=clock, memory=store)


class Hub:
    """See the module's charter. `store.log` is the log; `rows`, `came` and `left` in the order of their making."""

    def __init__(self) -> None:
        numbers = count(1)
        self.clock = ManualClock(NOON)
        self.store = MemoryStore(
            component=app.hub_id(MARKET),
            mrid_of=partial(app.beat_mrid, MARKET),
            new_id=lambda: f"message-{next(numbers):03}",
        )
        self._witness = _Witness(self.store.commit)
        self._desk = Desk(
            app.brain_of(MARKET),
            self.store.log,
            self._witness,
            clock=self.clock,
            bells=Bells(),
            quarantine=quarantine,
        )
        self._dispatch = dispatch_of(self.store, self.clock)
        self.came: list[Came] = []
        self.left: list[Left] = []

    @property
    def rows(self) -> list[tuple[int, Row]]:
        """Every row with the position of its event."""
        return self._witness.rows

    @classmethod
    @asynccontextmanager
    async def working(cls) -> AsyncIterator[Self]:
        """A hub with an empty log."""
        hub = cls()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(hub._desk.run(), name="desk")
            yield hub
            hub._desk.stop()

    async def operate(self, command: Command, *, cause: str = "cli/operator") -> tuple[Event, ...]:
        """A command of the operator, or of the hub itself, one second later."""
        await self.clock.advance(1)
        outcome = await self._desk.submit(command, cause=cause)
        await self._leave()
        return outcome.events

    async def record(self, event: Event) -> None:
        """What is put into the log beside the desk, one second later; the desk follows."""
        await self.clock.advance(1)
        brain, head = app.brain_of(MARKET), await self.store.log.head()
        topic, state = brain.encode(event)
        new = NewEvent(stream=brain.stream_of(event), version=1, topic=topic, state=state, cause="cli/operator")
        await self._witness.commit(Batch(after=head, at=self.clock.now(), events=(new,)))
        await self._desk.catch_up()

    async def take(self, document: Document) -> tuple[Event, ...]:
        """Take in a document of its sender."""
        content = registry.render(document)
        return await self.take_bytes(content, document.sender.id, carried_as(document).value, document.mrid)

    async def take_bytes(
        self, content: bytes, sender: Identifier, business_type: str, document: str
    ) -> tuple[Event, ...]:
        """Take in anything, one second later."""
        await self.clock.advance(1)
        came = Came(
            message_id=f"from-{len(self.came) + 1:03}", sender=sender, business_type=business_type, content=content
        )
        self.came.append(came)
        command = intake.read(content, envelope=envelope_of(came), hub=app.hub_id(MARKET))
        entry = InboxEntry(
            sender=sender,
            message_id=came.message_id,
            business_type=business_type,
            document=document,
            digest=digest_of(content),
            received=self.clock.now(),
            expires=self.clock.now() + WORTH,
        )
        outcome = await self._desk.submit(command, cause=f"{sender}/{document}", inbox=entry, payload=content)
        await self._leave()
        return outcome.events

    async def beat(self) -> None:
        """Two seconds later what has changed leaves (R12)."""
        await self.clock.advance(2)
        await self._dispatch.gather()
        await self._leave()

    async def _leave(self) -> None:
        for is_urgent in (True, False):
            while messages := await self.store.outbox.claim(
                urgent=is_urgent, limit=1, now=self.clock.now(), lease_s=60
            ):
                await self._sent(messages[0])

    async def _sent(self, message: OutgoingMessage) -> None:
        if message.source:
            bodies = await self._dispatch.render([message])
            self.left.append(
                Left(
                    message_id=message.message_id,
                    receiver=Identifier(message.receiver),
                    business_type=message.business_type,
                    document=message.document,
                    source=message.source,
                    position=await self.store.log.head(),
                    at=self.clock.now(),
                    content=bodies[message.message_id],
                )
            )
        await self.store.outbox.transported([message.message_id], now=self.clock.now())


def envelope_of(came: Came) -> intake.Envelope:
    """What the transport said of a message."""
    return intake.Envelope(sender=came.sender, business_type=came.business_type, message_id=came.message_id)
