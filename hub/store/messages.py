"""What the operator sees of outgoing messages, and how one is sent again; never its content unless asked."""

from collections.abc import Collection, Sequence
from datetime import datetime

import asyncpg
from msgspec import Struct

from documents.values import Instant
from hub.ports import MessageState
from hub.store.database import Database

EVERY = tuple(MessageState)


class HeldMessage(Struct, frozen=True, kw_only=True):
    """A business message of the outbox: where it is going, how far it has come, what it waits for.

    `due` is when it is tried next (None: the broker has it, or it has ended), `lease_until` is set while a sender has
    it in hand, `tried` says why it was put off last.
    """

    message_id: str
    document: str
    receiver: str
    business_type: str
    urgent: bool
    state: MessageState
    reason: str | None
    accepted: Instant
    expires: Instant
    attempts: int
    due: Instant | None = None
    lease_until: Instant | None = None
    sent: Instant | None = None
    tried: str | None = None


class PostgresMessages:
    """Outgoing messages as their operator sees them. `component` is the name in their traces."""

    def __init__(self, database: Database, *, component: str) -> None:
        self._database, self._component = database, component

    async def list(
        self, states: Collection[MessageState] = EVERY, *, receiver: str | None = None, limit: int = 100
    ) -> Sequence[HeldMessage]:
        """Messages in these states: those under way oldest first, then those that ended, newest first."""
        records = await self._database.fetch("held_messages", list(states), receiver, limit)
        return [_held(record) for record in records]

    async def count(self, states: Collection[MessageState] = EVERY, *, receiver: str | None = None) -> int:
        """How many there are in these states."""
        return int(await self._database.value("held_count", list(states), receiver))

    async def find(self, message_id: str) -> HeldMessage | None:
        """One message, None when there is none of this id."""
        records = await self._database.fetch("held_message", message_id)
        return _held(records[0]) if records else None

    async def body(self, message_id: str) -> bytes | None:
        """The document that a message carries; None before it was made for the first time."""
        content: bytes | None = await self._database.value("message_body", message_id)
        return content

    async def newer(self, message_id: str) -> str | None:
        """A later message of the same document to the same receiver."""
        found: str | None = await self._database.value("newer_message", message_id)
        return found

    async def send_now(self, message_id: str, *, reason: str, now: datetime) -> bool:
        """Make one due that has not ended; False when it has, or somebody is sending it at this moment."""
        return bool(await self._database.execute("send_now", message_id, now, self._component, reason))

    async def send_anew(self, message_id: str, new_id: str, *, reason: str, now: datetime) -> bool:
        """Queue what a failed message carried as the message `new_id`; False when it may not leave again.

        FAILED is an end (MADES): the failed message stays as it is. Nothing leaves whose time is over, or of whose
        document a later message exists, so that a repeat of this makes no second copy.
        """
        return bool(await self._database.execute("send_anew", message_id, new_id, now, self._component, reason))


def _held(record: asyncpg.Record) -> HeldMessage:
    fields = dict(record)
    return HeldMessage(state=MessageState(fields.pop("state")), **fields)
