"""What the store knows of messages and of the events behind them, for an auditor; only looks."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from documents.values import Identifier
from hub.history.evidence import Answered, Proof, Received, Sent, Told
from hub.ports import FeedSlice, MessageState, StoredEvent, TraceStep
from hub.store.database import Database
from hub.store.log import event_of


class PostgresHistory:
    """The store's memory of what came, what left, and why. Every call may raise Unavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def received(self, ids: Sequence[str]) -> Sequence[Received]:
        """Messages taken in that have one of these message ids or business ids, oldest first."""
        return [_received(record) for record in await self._database.fetch("taken_in", ids, None, None)]

    async def received_from(self, sender: Identifier, until: datetime) -> Sequence[Received]:
        """Messages of a participant taken in up to an instant, oldest first."""
        return [_received(record) for record in await self._database.fetch("taken_in", None, [sender], until)]

    async def sent(self, ids: Sequence[str]) -> Sequence[Sent]:
        """Messages of the hub that have one of these message ids or business ids, oldest first."""
        return [_sent(record) for record in await self._database.fetch("carried", ids, None, None, None)]

    async def sent_to(self, receiver: Identifier, until: datetime) -> Sequence[Sent]:
        """Messages made for a participant up to an instant, oldest first."""
        return [_sent(record) for record in await self._database.fetch("carried", None, receiver, until, None)]

    async def sent_because_of(self, positions: Sequence[int]) -> Sequence[Sent]:
        """Messages that carry a row which one of the events at these positions caused, oldest first."""
        return [_sent(record) for record in await self._database.fetch("carried", None, None, None, positions)]

    async def told(self, audience: Identifier) -> Sequence[Told]:
        """The numbers of all rows of an audience in its feeds, by view and number."""
        return [Told(*record) for record in await self._database.fetch("told", audience)]

    async def events_behind(self, source: FeedSlice) -> Sequence[StoredEvent]:
        """The events that caused the rows of a message, in order."""
        slice_ = (source.view, source.audience, source.after, source.upto)
        positions = [record["position"] for record in await self._database.fetch("positions_behind", *slice_)]
        return [event_of(record) for record in await self._database.fetch("events_at", positions)]

    async def causes_named(self, document: str) -> Sequence[str]:
        """The causes in the log that name this document, whoever sent it."""
        return [record["cause"] for record in await self._database.fetch("causes_named", document)]

    async def events_about(self, causes: Sequence[str], streams: Sequence[str] = ()) -> Sequence[StoredEvent]:
        """The events with one of these causes, and those of these streams, in order."""
        return [event_of(record) for record in await self._database.fetch("events_about", causes, streams)]


def _received(record: asyncpg.Record) -> Received:
    return Received(
        sender=record["sender"],
        message_id=record["message_id"],
        business_type=record["business_type"],
        document=record["document"],
        digest=record["digest"],
        manifest_digest=record["manifest_digest"],
        received=record["received"],
        is_intact=record["is_intact"],
        answered=tuple(Answered(kind=step["state"], sent=step["at"]) for step in record["answered"]),
    )


def _sent(record: asyncpg.Record) -> Sent:
    source = record["view"] and FeedSlice(record["view"], record["audience"], record["after"], record["upto"])
    return Sent(
        message_id=record["message_id"],
        receiver=record["receiver"],
        business_type=record["business_type"],
        document=record["document"],
        accepted=record["accepted"],
        state=MessageState(record["state"]),
        reason=record["reason"],
        source=source,
        digest=record["digest"],
        trace=tuple(TraceStep(**dict(step)) for step in record["steps"]),
        proofs=tuple(
            Proof(kind=kind, digest=digest) for kind, _, digest in (each.partition("/") for each in record["proofs"])
        ),
    )
