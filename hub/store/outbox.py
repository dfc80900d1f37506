"""Outgoing messages in PostgreSQL: claimed by lease, rendered once, published outside any transaction, then confirmed.

A message is due until the broker has confirmed it; an acknowledgement of the transport ends there, a business message
when its own acknowledgements arrive. States are folded by the table in hub.mades.exchange.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta

import asyncpg

from hub.mades.exchange import EXPIRED, fold_acknowledgement
from hub.ports import (
    FeedSlice,
    MessageState,
    MessageStatus,
    OutgoingMessage,
    ReceivedAcknowledgement,
    SealedMessage,
    TraceStep,
)
from hub.store.codec import digest_of
from hub.store.database import SQL, Database
from hub.store.sending import ARRIVED, LOST, PATIENCE_S, RESENDINGS, MridOf, genuine, parts


class PostgresOutbox:
    """Outgoing messages (hub.ports.Outbox). `new_id` makes message ids."""

    def __init__(self, database: Database, *, component: str, mrid_of: MridOf, new_id: Callable[[], str]) -> None:
        self._database, self._component, self._mrid_of, self._new_id = database, component, mrid_of, new_id
        # Two calls that lock many messages in different orders would stop each other; they take turns.
        self._turn = asyncio.Lock()

    async def claim(
        self, *, urgent: bool, limit: int, now: datetime, lease_s: float, full: Collection[str] = ()
    ) -> Sequence[OutgoingMessage]:
        """Lease what is due of one kind, oldest first, never ahead of an unsent one of the same document (R28)."""
        until = now + timedelta(seconds=lease_s)
        async with self._turn:
            records = await self._database.fetch("claim", now, until, limit, urgent, list(full))
        return [_message(record) for record in records]

    async def release(self) -> int:
        """Take back every lease: a process starts, so whoever held them has ended; returns how many."""
        async with self._turn:
            return await self._database.execute("release")

    async def sealed(self, messages: Sequence[SealedMessage]) -> None:
        """Keep document and sealed bytes of messages; the document of an earlier rendering stays."""
        columns = [
            (each.message_id, each.body, each.sealed, each.sealed_for, each.manifest_digest) for each in messages
        ]
        if columns:
            async with self._turn:
                await self._database.execute("sealed", *map(list, zip(*columns, strict=True)))

    async def transported(self, message_ids: Sequence[str], *, now: datetime) -> None:
        """The broker has confirmed these; those made due again meanwhile stay due."""
        async with self._turn:
            await self._database.execute("transported", message_ids, now, self._component)

    async def retry(self, message_ids: Sequence[str], *, at: datetime, reason: str) -> None:
        """Give these back, to be claimed again from `at`."""
        async with self._turn:
            await self._database.execute("retry", message_ids, at, self._component, reason)

    async def fail(self, message_id: str, *, component: str, reason: str, now: datetime) -> None:
        """This one will never be delivered; a message that has ended stays as it is."""
        async with self._turn:
            await self._database.execute("fail", message_id, now, component, reason)

    async def acknowledge(self, acknowledgements: Sequence[ReceivedAcknowledgement], *, now: datetime) -> Sequence[str]:
        """Fold acknowledgements into states; returns the documents (mRIDs) whose state changed.

        One that does not come from the message's receiver, or is about other bytes, changes nothing.
        """
        async with self._turn:
            while True:
                related = [acknowledgement.related for acknowledgement in acknowledgements]
                records = await self._database.fetch("acknowledged", related)
                folded = _Folded(records, acknowledgements)
                # Whoever moved a state in between has moved it for good: look again.
                if await self._database.value("acknowledge", *folded.columns()) == len(folded.changed):
                    return folded.documents()

    async def enqueue_failure(
        self,
        *,
        receiver: str,
        related: str,
        business_type: str,
        digest: str | None,
        manifest_digest: str | None = None,
        reason: str,
        now: datetime,
    ) -> None:
        """Queue a failure acknowledgement for a message refused for good; a repeat makes the stored one due again."""
        async with self._turn:
            await self._database.execute(
                "enqueue_failure",
                self._new_id(),
                receiver,
                business_type,
                now,
                related,
                digest,
                manifest_digest,
                reason,
            )

    async def reopen(self) -> int:
        """Make every business message that has not ended due again (R31); returns how many.

        Those DELIVERED but not RECEIVED too: the broker may have lost their receive acknowledgement, and the receiver
        answers a repeat from its store.
        """
        async with self._turn:
            return await self._database.execute("reopen")

    async def silent(self, *, now: datetime) -> Sequence[str]:
        """Receivers who have owed an acknowledgement of a confirmed message for a while."""
        since = now - timedelta(seconds=PATIENCE_S)
        return [record["receiver"] for record in await self._database.fetch("silent", since, RESENDINGS, now)]

    async def resend(self, *, answered: Mapping[str, datetime], now: datetime) -> int:
        """Make messages due again that are lost, as what their receivers answered since shows; returns how many."""
        tests = (list(answered), list(answered.values()))
        async with self._turn:
            return await self._database.execute("resend", now, *tests, PATIENCE_S, RESENDINGS, self._component, LOST)

    async def expire(self, *, now: datetime, grace_s: float = 60.0) -> Sequence[str]:
        """FAIL what has passed its expiry undelivered; returns documents (mRIDs)."""
        async with self._turn:
            records = await self._database.fetch("expire", now, grace_s, self._component, EXPIRED)
        return list(dict.fromkeys(record["document"] for record in records))

    async def overdue(self, *, business_type: str, since: datetime) -> Sequence[OutgoingMessage]:
        """Undelivered messages of this type accepted before `since`."""
        return [_message(record) for record in await self._database.fetch("overdue", business_type, since)]

    async def gather(
        self, view: str, *, business_type: str, now: datetime, ttl_s: float, most: int, most_bytes: int
    ) -> int:
        """Messages of so many items and bytes for each audience with items of `view` not yet sent to it (R12)."""
        expires = now + timedelta(seconds=ttl_s)
        async with self._turn, self._database.transaction() as connection:
            sent = 0
            for feed in await connection.fetch(SQL["ungathered"], view):
                audience, gathered = feed["audience"], feed["gathered"]
                records = await connection.fetch(SQL["ungathered_sizes"], view, audience, gathered, feed["head"])
                sizes = [record["size"] for record in records]
                for after, upto in parts(gathered, sizes, most, most_bytes):
                    document = self._mrid_of(view, audience, upto)
                    message = (self._new_id(), audience, business_type, document, now, expires, view, after, upto)
                    await connection.execute(SQL["gather"], *message, self._component)
                    sent += 1
        return sent

    async def status(self, document: str) -> Sequence[MessageStatus]:
        """Status and trace of every message that carried this document, newest last."""
        return [_status(record) for record in await self._database.fetch("status", document)]

    async def find(self, message_id: str) -> MessageStatus | None:
        """Status and trace of one business message."""
        records = await self._database.fetch("find_message", message_id)
        return _status(records[0]) if records else None

    async def waiting(self) -> int:
        """How many business messages are not delivered yet."""
        return int(await self._database.value("waiting"))

    async def oldest(self) -> datetime | None:
        """When the oldest of those was accepted; None when nothing waits."""
        accepted: datetime | None = await self._database.value("oldest")
        return accepted

    async def proofs(self, message_id: str) -> Mapping[str, bytes]:
        """The signed acknowledgements that arrived for a message, by internal type."""
        return {
            record["internal_type"]: record["manifest"] for record in await self._database.fetch("proofs", message_id)
        }


class _Folded:
    """Acknowledgements folded into records of `out_message`: which states change, and what is kept of it."""

    def __init__(self, records: Sequence[asyncpg.Record], acknowledgements: Sequence[ReceivedAcknowledgement]) -> None:
        self._before = {record["message_id"]: record for record in records}
        self._state = {message_id: MessageState(record["state"]) for message_id, record in self._before.items()}
        self._reason: dict[str, str | None] = {key: record["reason"] for key, record in self._before.items()}
        self._taken = [each for each in acknowledgements if self._is_genuine(each)]
        for each in self._taken:
            self._fold(each)

    @property
    def changed(self) -> list[str]:
        """The ids of messages whose state changes."""
        return [key for key, record in self._before.items() if self._state[key] is not MessageState(record["state"])]

    def documents(self) -> list[str]:
        """What they carried, each once, in the order of the acknowledgements."""
        changed = set(self.changed)
        related = (each.related for each in self._taken if each.related in changed)
        return list(dict.fromkeys(self._before[message_id]["document"] for message_id in related))

    def columns(self) -> Sequence[Sequence[object]]:
        """The arguments of the query `acknowledge`."""
        states = [(key, self._before[key]["state"], self._state[key].value, self._reason[key]) for key in self.changed]
        story = [
            (each.related, each.event_time, each.sender, ARRIVED[each.internal_type], each.reason or "")
            for each in self._taken
        ]
        lists, proofs = self._evidence()
        return (*_columns(states, 4), *_columns(lists, 2), *_columns(proofs, 4), *_columns(story, 5))

    def _evidence(self) -> tuple[list[tuple[str, bytes]], list[tuple[str, str, bytes, str | None]]]:
        """Signed manifests that say several things, and what proves what: one of those by digest, or itself."""
        said = [(each.related, each.internal_type, each.manifest) for each in self._taken if each.manifest is not None]
        counts = Counter(manifest for _, _, manifest in said)
        lists = {manifest: digest_of(manifest) for manifest, count in counts.items() if count > 1}
        proofs = [
            (message, kind, b"" if manifest in lists else manifest, lists.get(manifest))
            for message, kind, manifest in said
        ]
        return [(digest, manifest) for manifest, digest in lists.items()], proofs

    def _is_genuine(self, said: ReceivedAcknowledgement) -> bool:
        about = self._before.get(said.related)
        return about is not None and genuine(said, about["receiver"], about["digest"], about["manifests"])

    def _fold(self, said: ReceivedAcknowledgement) -> None:
        before = self._state[said.related]
        after = fold_acknowledgement(
            before,
            said.internal_type,
            reason=self._reason[said.related],
            event_time=said.event_time,
            expires=self._before[said.related]["expires"],
        )
        if after is not before:
            self._state[said.related], self._reason[said.related] = after, said.reason


def _columns(records: Sequence[tuple[object, ...]], count: int) -> list[list[object]]:
    return [[record[place] for record in records] for place in range(count)]


def _message(record: asyncpg.Record) -> OutgoingMessage:
    source = record["view"] and FeedSlice(record["view"], record["audience"], record["after"], record["upto"])
    return OutgoingMessage(
        message_id=record["message_id"],
        internal_type=record["internal_type"],
        receiver=record["receiver"],
        business_type=record["business_type"],
        document=record["document"],
        urgent=record["urgent"],
        accepted=record["accepted"],
        expires=record["expires"],
        attempts=record["attempts"],
        application=record["application"],
        source=source,
        body=record["body"],
        sealed=record["sealed"],
        sealed_for=record["sealed_for"],
        related=record["related"],
        related_digest=record["related_digest"],
        related_manifest=record["related_manifest"],
        reason=record["reason"],
        followed=record.get("followed", False),
    )


def _status(record: asyncpg.Record) -> MessageStatus:
    return MessageStatus(
        message_id=record["message_id"],
        document=record["document"],
        receiver=record["receiver"],
        business_type=record["business_type"],
        state=MessageState(record["state"]),
        reason=record["reason"],
        trace=tuple(TraceStep(**dict(step)) for step in record["steps"]),
    )
