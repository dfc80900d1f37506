"""What every log promises (hub.ports.EventStore, Commit), in memory and in PostgreSQL."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import asyncpg
import pytest

from documents.values import Identifier
from hub.audit.records import GENESIS, link
from hub.errors import Conflict, LogCorrupt, SettingsError, Unavailable
from hub.ports import (
    Batch,
    IdempotencyKey,
    InboxEntry,
    NewEvent,
    Row,
    Scope,
    StoredEvent,
)
from hub.store.codec import verified
from hub.store.embedded import EmbeddedPostgres
from hub.store.postgres import PostgresStore
from tests.fixtures_store import COMPONENT, DatabaseUrl, Doors, Store

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
ALPHA = Identifier("A01:ALPHA")


def event(stream: str, version: int = 1, state: bytes = b"state") -> NewEvent:
    return NewEvent(stream=stream, version=version, topic="Happened.v1", state=state, cause="test")


def entry(message_id: str, sender: str = "A01:SENDER") -> InboxEntry:
    return InboxEntry(
        sender=sender,
        message_id=message_id,
        business_type="TPS-ASSETS",
        document=f"document of {message_id}",
        digest="ab" * 32,
        received=NOW,
        expires=NOW + timedelta(hours=1),
    )


def row(key: str, payload: object = ("content",), audience: Identifier = ALPHA) -> Row:
    return Row(view="assets", audience=audience, key=key, payload=payload)


def batch(after: int, *events: NewEvent, **more: object) -> Batch:
    return Batch(after=after, at=NOW, events=events, **more)  # type: ignore[arg-type]  # fields of Batch


async def everything(store: Store, *, after: int = 0, until: int | None = None) -> list[StoredEvent]:
    return [stored async for stored in store.log.read(after=after, until=until)]


async def test_an_empty_log_has_head_zero_and_no_events(store: Store) -> None:
    assert await store.log.head() == 0
    assert await everything(store) == []


async def test_a_commit_returns_the_new_head_and_events_come_back_as_written(store: Store) -> None:
    head = await store.commit.commit(batch(0, event("b"), event("a", state=b"\x00\xff")))

    first, second = await everything(store)
    assert head == await store.log.head() == 2
    assert (first.position, first.stream, first.version, first.topic, first.cause) == (1, "b", 1, "Happened.v1", "test")
    assert (second.position, second.stream, second.state, second.at) == (2, "a", b"\x00\xff", NOW)


async def test_a_part_of_the_log_can_be_read(store: Store) -> None:
    await store.commit.commit(batch(0, *(event(f"s{number}") for number in range(5))))

    assert [stored.position for stored in await everything(store, after=1, until=4)] == [2, 3, 4]
    assert [stored.position for stored in await everything(store, after=5)] == []


async def test_reading_continues_over_pages(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.store.log.PAGE", 3)
    await store.commit.commit(batch(0, *(event(f"s{number}") for number in range(9))))

    assert [stored.position for stored in await everything(store, after=1, until=8)] == list(range(2, 9))


FULL = {
    "rows": ((2, row("new")),),
    "inbox": (entry("m2"),),
    "payloads": (b"<document/>",),
    "keys": (IdempotencyKey(scope="client", key="k2", fingerprint="f", documents=("d",)),),
}

CONFLICTS: dict[str, Callable[[], Batch]] = {
    "decided on an older position": lambda: batch(0, event("s", 2), **FULL),
    "decided on a position to come": lambda: batch(2, event("s", 2), **FULL),
    "the version of the stream is taken": lambda: batch(1, event("s", 1), **FULL),
    "a version stands twice in the batch": lambda: batch(1, event("t", 1), event("t", 1), **FULL),
    "the message is taken in": lambda: batch(1, event("s", 2), **FULL | {"inbox": (entry("m2"), entry("m1"))}),
    "a message stands twice in the batch": lambda: batch(1, event("s", 2), **FULL | {"inbox": (entry("m2"),) * 2}),
    "the idempotency key is taken": lambda: batch(
        1,
        event("s", 2),
        **FULL | {"keys": (IdempotencyKey(scope="client", key="k1", fingerprint="f", documents=("d",)),)},
    ),
}


@pytest.mark.parametrize("conflicting", CONFLICTS.values(), ids=CONFLICTS.keys())
async def test_a_conflict_writes_nothing(store: Store, conflicting: Callable[[], Batch]) -> None:
    taken = IdempotencyKey(scope="client", key="k1", fingerprint="f", documents=("d1",))
    await store.commit.commit(batch(0, event("s"), rows=((1, row("old")),), inbox=(entry("m1"),), keys=(taken,)))
    await store.outbox.claim(urgent=True, limit=10, now=NOW, lease_s=3600)

    with pytest.raises(Conflict):
        await store.commit.commit(conflicting())

    assert await store.log.head() == 1
    assert await store.rows.head(Scope(ALPHA), "assets") == 1
    assert await store.commit.known([("A01:SENDER", "m2")]) == {}
    assert await store.payload(sha256(b"<document/>").hexdigest()) is None
    assert await store.idempotency.find("client", "k2") is None
    for urgent in (True, False):
        assert await store.outbox.claim(urgent=urgent, limit=10, now=NOW, lease_s=60) == []
    assert await store.commit.commit(batch(1, event("s", 2), **FULL)) == 2


async def test_a_batch_of_sixty_four_messages_is_one_transaction(store: Store) -> None:
    numbers = range(64)
    whole = batch(
        0,
        *(event(f"s{number}") for number in numbers),
        rows=tuple((number + 1, row(f"k{number}")) for number in numbers),
        inbox=tuple(entry(f"m{number}") for number in numbers),
        payloads=tuple(f"<document{number}/>".encode() for number in numbers),
    )

    assert await store.commit.commit(whole) == 64

    keys = [("A01:SENDER", f"m{number}") for number in range(70)]
    assert await store.commit.known(keys) == dict.fromkeys(keys[:64], "ab" * 32)
    items = await store.rows.feed(Scope(ALPHA), "assets")
    assert [(item.sequence, item.key, item.position) for item in items] == [(n + 1, f"k{n}", n + 1) for n in numbers]
    assert len(await store.outbox.claim(urgent=True, limit=1000, now=NOW, lease_s=60)) == 2 * 64


async def test_a_batch_may_take_messages_in_without_events(store: Store) -> None:
    assert await store.commit.commit(batch(0, inbox=(entry("m1"),))) == 0
    assert await store.commit.commit(batch(0, event("s"))) == 1


async def test_a_message_is_known_by_its_sender_and_its_id_with_the_digest_of_what_it_held(store: Store) -> None:
    await store.commit.commit(batch(0, inbox=(entry("m1", sender="A01:ONE"),)))

    asked = [("A01:ONE", "m1"), ("A01:TWO", "m1"), ("A01:ONE", "m2")]
    assert await store.commit.known(asked) == {("A01:ONE", "m1"): "ab" * 32}
    assert await store.commit.known([]) == {}


async def test_a_payload_is_stored_once_under_its_digest(store: Store) -> None:
    await store.commit.commit(batch(0, event("s"), payloads=(b"<a/>", b"<b/>", b"<a/>")))
    await store.commit.commit(batch(1, event("s", 2), payloads=(b"<a/>",)))

    assert await store.payload(sha256(b"<a/>").hexdigest()) == b"<a/>"
    assert await store.payload("00" * 32) is None


async def test_an_idempotency_key_names_the_documents_it_caused(store: Store) -> None:
    key = IdempotencyKey(scope="client", key="k", fingerprint="f", documents=("d1", "d2"))
    await store.commit.commit(batch(0, event("s"), keys=(key,)))

    assert await store.idempotency.find("client", "k") == key
    assert await store.idempotency.find("another client", "k") is None


async def test_eight_writers_leave_no_gap_and_a_reader_that_tails_the_log_misses_nothing(
    doors: Doors,
) -> None:
    """The measured trap: with a plain sequence such a reader missed 90 of 1,600 events."""
    store, *writers = [await doors() for _ in range(9)]
    each = 20
    seen: list[str] = []
    done = asyncio.Event()

    async def write(number: int) -> None:
        for version in range(1, each + 1):
            while True:
                head = await writers[number].log.head()
                await asyncio.sleep(0)
                try:
                    await writers[number].commit.commit(batch(head, event(f"w{number}", version)))
                    break
                except Conflict:
                    continue

    async def tail() -> None:
        position = 0
        while len(seen) < 8 * each and not (done.is_set() and position == await store.log.head()):
            async for stored in store.log.read(after=position):
                seen.append(f"{stored.stream}/{stored.version}")
                position = stored.position
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        reader = group.create_task(tail(), name="tail")
        async with asyncio.TaskGroup() as writing:
            for number in range(8):
                writing.create_task(write(number), name=f"writer {number}")
        done.set()
        await reader

    assert sorted(seen) == sorted(f"w{number}/{version}" for number in range(8) for version in range(1, each + 1))
    assert [stored.position for stored in await everything(store)] == list(range(1, 8 * each + 1))
    assert len([stored async for stored in verified(store.log.read())]) == 8 * each


async def test_the_chain_covers_every_record_from_the_first(store: Store) -> None:
    await store.commit.commit(batch(0, event("a"), event("b")))
    await store.commit.commit(batch(2, event("a", 2)))

    chain = GENESIS
    async for stored in verified(store.log.read()):
        assert stored.chain == link(chain, stored, position=stored.position, at=stored.at)
        chain = stored.chain


async def test_a_log_that_was_edited_does_not_verify(database_url: DatabaseUrl) -> None:
    url = await database_url()
    async with await PostgresStore.open(url, component=COMPONENT) as store:
        await store.commit.commit(batch(0, event("a"), event("b"), event("c")))
        await _run(url, "update tps.stored_events set state = 'forged' where notification_id = 2")

        with pytest.raises(LogCorrupt, match="position 2"):
            _ = [stored async for stored in verified(store.log.read())]


async def test_a_log_that_lost_a_record_is_not_read_past_the_gap(database_url: DatabaseUrl) -> None:
    url = await database_url()
    async with await PostgresStore.open(url, component=COMPONENT) as store:
        await store.commit.commit(batch(0, event("a"), event("b"), event("c")))
        await _run(url, "delete from tps.stored_events where notification_id = 2")

        with pytest.raises(LogCorrupt, match="position 3 where 2 must be"):
            await everything(store)


async def test_what_is_committed_is_there_after_a_new_start(database_url: DatabaseUrl) -> None:
    url = await database_url()
    first = await PostgresStore.open(url, component=COMPONENT)
    await first.commit.commit(batch(0, event("a")))
    first.terminate()

    async with await PostgresStore.open(url, component=COMPONENT) as second:
        assert await second.commit.commit(batch(1, event("a", 2))) == 2
        assert len([stored async for stored in verified(second.log.read())]) == 2


async def test_a_commit_whose_connection_is_cut_is_unavailable_and_the_next_one_works(
    database_url: DatabaseUrl,
) -> None:
    url = await database_url()
    async with await PostgresStore.open(url, component=COMPONENT) as store:
        admin = await asyncpg.connect(url)
        await admin.execute("select pg_advisory_lock(728301, 1)")  # as another writer does
        waiting = asyncio.create_task(store.commit.commit(batch(0, event("a"))))
        while not await admin.fetchval("select count(pg_terminate_backend(pid)) from pg_locks where not granted"):  # noqa: ASYNC110 # seen from outside only
            await asyncio.sleep(0)

        with pytest.raises(Unavailable):
            await waiting
        await admin.close()
        assert await store.commit.commit(batch(0, event("a"))) == 1


async def test_the_store_of_another_component_is_refused(database_url: DatabaseUrl) -> None:
    url = await database_url()
    await (await PostgresStore.open(url, component="A01:ONE")).close()

    with pytest.raises(SettingsError, match="holds the store of A01:ONE"):
        await PostgresStore.open(url, component="A01:TWO")


async def test_a_database_without_a_store_is_refused(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(SettingsError, match="Migrate it first"):
        await PostgresStore.open(await postgres.database("empty"), component=COMPONENT)


async def test_a_listener_is_told_the_new_head(database_url: DatabaseUrl) -> None:
    url = await database_url()
    heard: asyncio.Queue[object] = asyncio.Queue()
    connection = await asyncpg.connect(url)
    await connection.add_listener("tps", lambda *notification: heard.put_nowait(notification[-1]))

    async with await PostgresStore.open(url, component=COMPONENT) as store:
        await store.commit.commit(batch(0, event("a"), event("b")))

    assert await heard.get() == "2"
    await connection.close()


async def _run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
