"""The outbox in memory and the one in PostgreSQL tell the same story, whatever happens to their messages."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

import msgspec
import pytest_asyncio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from documents.values import Identifier, Mrid
from hub.mades.message import InternalType
from hub.ports import Batch, InboxEntry, OutgoingMessage, ReceivedAcknowledgement, Row, SealedMessage, Sending
from hub.store.memory import MemoryStore
from hub.store.postgres import PostgresStore
from tests.fixtures_store import COMPONENT, Cluster, Store
from tests.thoroughness import examples

START = datetime(2026, 1, 15, 12, tzinfo=UTC)
AUDIENCES = (Identifier("A01:ALPHA"), Identifier("A01:BRAVO"))
MANIFEST = "ab" * 32
DOCUMENTS = ("d1", "d2", "d3")


def beat_mrid(view: str, audience: Identifier, upto: int) -> Mrid:
    return f"{view}/{audience}/{upto}"


class Step(Struct, frozen=True):
    """One thing that happens `after_s` seconds after the one before; `which` and `other` choose what it happens to."""

    what: str
    after_s: int
    which: int
    other: int

    @property
    def audience(self) -> Identifier:
        return AUDIENCES[self.other % 2]


def sealed(message: OutgoingMessage) -> SealedMessage:
    body = message.document.encode()
    return SealedMessage(
        message_id=message.message_id, body=body, sealed=body, sealed_for="c", manifest_digest=MANIFEST
    )


class World:
    """A store and what was claimed from it; message ids differ between stores, so that messages are told by number."""

    def __init__(self, store: Store) -> None:
        self.store, self.outbox = store, store.outbox
        self.claimed: list[OutgoingMessage] = []
        self.taken = 0

    async def take(self, step: Step, now: datetime) -> object:
        """Let it happen, and say what can be seen of it."""
        if step.what in OF_A_MESSAGE:
            if not self.claimed:
                return None
            return await OF_A_MESSAGE[step.what](self, self.claimed[step.which % len(self.claimed)], step, now)
        return await OF_THE_STORE[step.what](self, step, now)

    async def send(self, step: Step, now: datetime) -> object:
        sending = Sending(
            business_type="TPS-UNFORESEEN",
            document=DOCUMENTS[step.which % 3],
            expires=now + timedelta(seconds=60 + step.other),
            urgent=step.other > 4,
        )
        return await self.keep(step, now, sending)

    async def keep(self, step: Step, now: datetime, sending: Sending | None = None) -> object:
        row = Row(view="v", audience=step.audience, key=str(step.which), payload={"of": step.which}, send=sending)
        return await self.store.commit.commit(Batch(after=0, at=now, rows=((0, row),)))

    async def take_in(self, step: Step, now: datetime) -> object:
        self.taken += 1
        entry = InboxEntry(
            sender=step.audience,
            message_id=f"m{self.taken}",
            business_type="T",
            document="d",
            digest="ab",
            received=now,
            expires=now,
        )
        return await self.store.commit.commit(Batch(after=0, at=now, inbox=(entry,)))

    async def claim(self, step: Step, now: datetime) -> object:
        full = [step.audience] if step.other > 5 else []
        found = await self.outbox.claim(urgent=step.other % 2 > 0, limit=step.which + 1, now=now, lease_s=30, full=full)
        self.claimed += found
        await self.outbox.sealed([sealed(message) for message in found if message.source])
        return seen(found)

    async def refuse(self, step: Step, now: datetime) -> object:
        refused = {"related": f"m{step.which}", "business_type": "T", "reason": "f"}
        await self.outbox.enqueue_failure(receiver=step.audience, digest=None, now=now, **refused)
        return None

    async def replay(self, step: Step, now: datetime) -> object:
        await self.store.commit.replay_acknowledgements(step.audience, f"m{step.which}", now=now)
        return None

    async def reopen(self, _: Step, __: datetime) -> object:
        return await self.outbox.reopen()

    async def release(self, _: Step, __: datetime) -> object:
        return await self.outbox.release()

    async def expire(self, step: Step, now: datetime) -> object:
        return await self.outbox.expire(now=now, grace_s=step.other)

    async def resend(self, step: Step, now: datetime) -> object:
        answered: dict[str, datetime] = {step.audience: now} if step.which else {}
        return await self.outbox.silent(now=now), await self.outbox.resend(answered=answered, now=now)

    async def gather(self, step: Step, now: datetime) -> object:
        return await self.outbox.gather(
            "v", business_type="TPS-ASSETS", now=now, ttl_s=60, most=step.which + 1, most_bytes=5 * step.other
        )

    async def transported(self, message: OutgoingMessage, _: Step, now: datetime) -> object:
        await self.outbox.transported([message.message_id], now=now)
        return None

    async def retry(self, message: OutgoingMessage, step: Step, now: datetime) -> object:
        await self.outbox.retry([message.message_id], at=now + timedelta(seconds=step.other), reason="r")
        return None

    async def fail(self, message: OutgoingMessage, _: Step, now: datetime) -> object:
        await self.outbox.fail(message.message_id, component="broker", reason="f", now=now)
        return None

    async def acknowledge(self, message: OutgoingMessage, step: Step, now: datetime) -> object:
        kinds = (InternalType.DELIVERY, InternalType.RECEIVE, InternalType.FAILURE)
        received = ReceivedAcknowledgement(
            related=message.message_id,
            internal_type=kinds[step.other % 3],
            sender=message.receiver if step.other < 6 else "A01:SOMEBODY",
            manifest_digest=MANIFEST,
            event_time=now - timedelta(seconds=step.other * 20),
            reason="f" if step.other % 3 == 2 else None,
        )
        return await self.outbox.acknowledge([received], now=now)

    async def everything(self, now: datetime) -> object:
        """All that can be seen from outside."""
        documents = [*DOCUMENTS, *(beat_mrid("v", audience, upto) for audience in AUDIENCES for upto in range(1, 31))]
        statuses = [status for document in documents for status in await self.store.outbox.status(document)]
        overdue = await self.store.outbox.overdue(business_type="TPS-UNFORESEEN", since=now)
        later = now + timedelta(days=2)
        due = [
            seen(await self.outbox.claim(urgent=urgent, limit=1000, now=later, lease_s=1)) for urgent in (True, False)
        ]
        return [msgspec.structs.replace(status, message_id="") for status in statuses], seen(overdue), due


def seen(messages: Sequence[OutgoingMessage]) -> list[OutgoingMessage]:
    return [msgspec.structs.replace(message, message_id="") for message in messages]


OF_THE_STORE: dict[str, Callable[[World, Step, datetime], Awaitable[object]]] = {
    "send": World.send,
    "send another": World.send,
    "keep": World.keep,
    "take in": World.take_in,
    "claim": World.claim,
    "claim more": World.claim,
    "refuse": World.refuse,
    "replay": World.replay,
    "reopen": World.reopen,
    "release": World.release,
    "expire": World.expire,
    "resend": World.resend,
    "gather": World.gather,
}
OF_A_MESSAGE: dict[str, Callable[[World, OutgoingMessage, Step, datetime], Awaitable[object]]] = {
    "transported": World.transported,
    "retry": World.retry,
    "fail": World.fail,
    "acknowledge": World.acknowledge,
    "acknowledge again": World.acknowledge,
}

STEPS = st.lists(
    st.builds(
        Step,
        what=st.sampled_from([*OF_THE_STORE, *OF_A_MESSAGE]),
        after_s=st.sampled_from((0, 0, 1, 40)),
        which=st.integers(0, 5),
        other=st.integers(0, 7),
    ),
    max_size=30,
)


@pytest_asyncio.fixture(scope="session")
async def emptied(cluster: Cluster) -> AsyncIterator[Cluster]:
    await cluster.start()
    yield cluster


def step(what: str, *, after_s: int = 0) -> Step:
    return Step(what=what, after_s=after_s, which=0, other=0)


@given(steps=STEPS)
@example([step("send"), step("send"), step("claim", after_s=1)])
@settings(max_examples=examples(40))
async def test_both_outboxes_tell_the_same_story(emptied: Cluster, steps: list[Step]) -> None:
    ids = (f"{number:032}" for number in count())
    twin = World(MemoryStore(component=COMPONENT, mrid_of=beat_mrid, new_id=lambda: next(ids)))
    async with (
        emptied.lent() as url,
        await PostgresStore.open(url, component=COMPONENT, mrid_of=beat_mrid) as store,
    ):
        real = World(store)
        now = START
        for step in steps:
            now += timedelta(seconds=step.after_s)
            assert await real.take(step, now) == await twin.take(step, now), step
        assert await real.everything(now) == await twin.everything(now)
