"""The `eventsourcing` package as an independent judge of our log: its stock recorder reads it, its tests run on it.

Run are AggregateRecorderTestCase, ApplicationRecorderTestCase and NonInterleavingNotificationIDsBaseCase, on both
stores. Left out are test_performance and test_concurrent_throughput (they measure and assert nothing), subscriptions
(optional there; waiting is the business of hub.feed), and the cases of tracking and process recorders: we keep no
position of a reader in the log, projections are folded in the commit itself. Ids of originators are text in our log,
where the cases default to UUIDs.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn, TypeVar
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import eventsourcing.persistence as es
import pytest
import pytest_asyncio
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from eventsourcing.tests import persistence as shipped

from hub.errors import Conflict
from hub.ports import Batch, NewEvent, StoredEvent
from hub.store.memory import MemoryStore
from hub.store.postgres import PostgresStore
from tests.fixtures_store import COMPONENT, Cluster, DatabaseUrl, Store

pytestmark = pytest.mark.slow

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
T = TypeVar("T")


class Loop:
    """An event loop in a thread of its own, for the synchronous calls of the package."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="store", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class AsAggregateRecorder(es.AggregateRecorder):
    """Our store behind the package's interface of a recorder."""

    def __init__(self, store: Store, loop: Loop) -> None:
        self._store, self._loop = store, loop

    def insert_events(self, stored_events: Sequence[es.StoredEvent], **_: object) -> Sequence[int] | None:
        self._insert(stored_events)
        return None

    def select_events(
        self,
        originator_id: object,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[es.StoredEvent]:
        found = [
            es.StoredEvent(event.stream, event.version, event.topic, event.state)
            for event in self._read(0, None)
            if event.stream == str(originator_id)
            and (gt is None or event.version > gt)
            and (lte is None or event.version <= lte)
        ]
        found.sort(key=lambda event: event.originator_version, reverse=desc)
        return found[:limit]

    def _insert(self, stored_events: Sequence[es.StoredEvent]) -> Sequence[int]:
        events = tuple(
            NewEvent(
                stream=str(event.originator_id),
                version=event.originator_version,
                topic=event.topic,
                state=event.state,
                cause="test",
            )
            for event in stored_events
        )
        return self._loop.run(self._commit(events))

    async def _commit(self, events: tuple[NewEvent, ...]) -> Sequence[int]:
        """Decide again for as long as somebody else was first; what is taken for good is their IntegrityError."""
        while True:
            head = await self._store.log.head()
            try:
                new = await self._store.commit.commit(Batch(after=head, at=NOW, events=events))
            except Conflict as error:
                if await self._store.log.head() == head:
                    raise es.IntegrityError(str(error)) from error
            else:
                return list(range(head + 1, new + 1))

    def _read(self, after: int, until: int | None) -> Sequence[StoredEvent]:
        async def read() -> Sequence[StoredEvent]:
            return [event async for event in self._store.log.read(after=after, until=until)]

        return self._loop.run(read())


class AsApplicationRecorder(AsAggregateRecorder, es.ApplicationRecorder):
    """Our store as the package's recorder of a whole application."""

    def insert_events(self, stored_events: Sequence[es.StoredEvent], **_: object) -> Sequence[int] | None:
        return self._insert(stored_events)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[es.Notification]:
        after = max(0, (start or 0) - inclusive_of_start)
        if stop is None and not topics:
            stop = after + limit  # positions have no gaps
        found = [event for event in self._read(after, stop) if not topics or event.topic in topics]
        return [
            es.Notification(event.stream, event.version, event.topic, event.state, id=event.position)
            for event in found[:limit]
        ]

    def max_notification_id(self) -> int | None:
        return self._loop.run(self._store.log.head()) or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> NoReturn:
        raise NotImplementedError


@pytest_asyncio.fixture
async def url(cluster: Cluster) -> str:
    return await cluster.fresh()


def wait_for_readers() -> None:
    """The reading threads of test_concurrent_no_conflicts are told to stop, but outlive their test by one call."""
    for thread in threading.enumerate():
        if "read_continuously" in thread.name:
            thread.join()


class OnStore:
    """What the cases of the package need of a store."""

    store: Store
    loop: Loop

    def new_originator_id(self) -> str:
        return str(uuid4())


class OnMemory(OnStore):
    """Runs a case of the package on the twin in memory."""

    @pytest.fixture(autouse=True)
    def opened(self) -> Iterator[None]:
        self.loop = Loop()
        self.store = MemoryStore(component=COMPONENT)
        yield
        wait_for_readers()
        self.loop.close()


class OnPostgres(OnStore):
    """Runs a case of the package on PostgreSQL."""

    @pytest.fixture(autouse=True)
    def opened(self, url: str) -> Iterator[None]:
        self.loop = Loop()
        self.store = self.loop.run(PostgresStore.open(url, component=COMPONENT))
        yield
        wait_for_readers()
        self.loop.run(self.store.close())
        self.loop.close()


class TestAggregatesInMemory(OnMemory, shipped.AggregateRecorderTestCase):
    test_performance = None  # type: ignore[assignment]  # measures, asserts nothing

    def create_recorder(self) -> es.AggregateRecorder:
        return AsAggregateRecorder(self.store, self.loop)


class TestAggregatesInPostgres(OnPostgres, shipped.AggregateRecorderTestCase):
    test_performance = None  # type: ignore[assignment]  # measures, asserts nothing

    def create_recorder(self) -> es.AggregateRecorder:
        return AsAggregateRecorder(self.store, self.loop)


class TestApplicationInMemory(OnMemory, shipped.ApplicationRecorderTestCase[es.ApplicationRecorder]):
    test_performance = test_concurrent_throughput = None  # type: ignore[assignment]  # measure, assert nothing

    def create_recorder(self) -> es.ApplicationRecorder:
        return AsApplicationRecorder(self.store, self.loop)


class TestApplicationInPostgres(OnPostgres, shipped.ApplicationRecorderTestCase[es.ApplicationRecorder]):
    test_performance = test_concurrent_throughput = None  # type: ignore[assignment]  # measure, assert nothing

    def create_recorder(self) -> es.ApplicationRecorder:
        return AsApplicationRecorder(self.store, self.loop)


class TestNonInterleavingInMemory(OnMemory, shipped.NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> es.ApplicationRecorder:
        return AsApplicationRecorder(self.store, self.loop)


class TestNonInterleavingInPostgres(OnPostgres, shipped.NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> es.ApplicationRecorder:
        return AsApplicationRecorder(self.store, self.loop)


async def test_the_stock_postgresql_recorder_of_the_package_reads_our_log(database_url: DatabaseUrl) -> None:
    url = await database_url()
    async with await PostgresStore.open(url, component=COMPONENT) as store:
        events = tuple(
            NewEvent(stream=f"s{n % 3}", version=n // 3 + 1, topic=f"T{n % 2}.v1", state=bytes([n]), cause="test")
            for n in range(12)
        )
        await store.commit.commit(Batch(after=0, at=NOW, events=events[:5]))
        await store.commit.commit(Batch(after=5, at=NOW, events=events[5:]))
        ours = [event async for event in store.log.read()]

    place = urlsplit(url)
    datastore = PostgresDatastore(
        dbname=place.path[1:],
        host=parse_qs(place.query)["host"][0],
        port=parse_qs(place.query)["port"][0],
        user=place.username or "",
        password="",
        schema="tps",
        originator_id_type="text",
    )
    with datastore:
        stock = PostgresApplicationRecorder(datastore)
        notifications = stock.select_notifications(start=None, limit=100)
        of_one_topic = stock.select_notifications(start=3, stop=9, limit=100, topics=["T1.v1"])
        of_one_stream = stock.select_events("s1", gt=1)
        newest = stock.max_notification_id()

    assert [(n.id, n.originator_id, n.originator_version, n.topic, n.state) for n in notifications] == [
        (event.position, event.stream, event.version, event.topic, event.state) for event in ours
    ]
    assert [n.id for n in of_one_topic] == [4, 6, 8]
    assert [(event.originator_version, event.state) for event in of_one_stream] == [
        (event.version, event.state) for event in ours if event.stream == "s1" and event.version > 1
    ]
    assert newest == 12
