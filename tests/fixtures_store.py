"""Stores for tests: one PostgreSQL cluster for each worker of the session, a fresh database for each test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from hub.store.embedded import EmbeddedPostgres
from hub.store.memory import MemoryStore
from hub.store.migrate import migrate
from hub.store.postgres import PostgresStore

COMPONENT = "A01:HUB"
TEMPLATE = "migrated"

Store = PostgresStore | MemoryStore
DatabaseUrl = Callable[[], Awaitable[str]]
Doors = Callable[[], Awaitable[Store]]


class Cluster:
    """A cluster that starts when the first test wants it."""

    def __init__(self, directory: Path) -> None:
        self.postgres = EmbeddedPostgres(directory, durable=False)
        self._started = False
        self._numbers = count(1)
        self._free: list[str] = []

    async def start(self) -> EmbeddedPostgres:
        if not self._started:
            await self.postgres.start()
            self._started = True
            await migrate(await self.postgres.database(TEMPLATE))
        return self.postgres

    async def stop(self) -> None:
        if self._started:
            await self.postgres.stop()

    async def fresh(self) -> str:
        """The URL of a new, migrated, empty database."""
        postgres = await self.start()
        name = f"test_{next(self._numbers)}"
        connection = await asyncpg.connect(postgres.url("postgres"))
        try:
            await connection.execute(f"create database {name} template {TEMPLATE} owner {TEMPLATE}")
        finally:
            await connection.close()
        return postgres.url(name, user=TEMPLATE)

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[str]:
        """The URL of an empty database; emptied afterwards and lent again, which is faster than a new one."""
        url = self._free.pop() if self._free else await self.fresh()
        yield url
        connection = await asyncpg.connect(url)
        try:
            tables = await connection.fetch("select tablename from pg_tables where schemaname = 'tps'")
            names = [f"tps.{table['tablename']}" for table in tables if table["tablename"] != "schema_version"]
            await connection.execute(f"truncate {', '.join(names)} restart identity")
        finally:
            await connection.close()
        self._free.append(url)


@pytest_asyncio.fixture(scope="session")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """The cluster of this session, started at first use."""
    cluster = Cluster(tmp_path_factory.mktemp("postgres"))
    yield cluster
    await cluster.stop()


@pytest_asyncio.fixture(scope="session")
async def postgres(cluster: Cluster) -> EmbeddedPostgres:
    """The running server of this session; nothing in it is durable."""
    return await cluster.start()


@pytest.fixture
def database_url(cluster: Cluster) -> DatabaseUrl:
    """Makes a fresh migrated database at each call and returns its URL."""
    return cluster.fresh


@pytest_asyncio.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest, cluster: Cluster) -> AsyncIterator[Store]:
    """An empty store: first the twin in memory, then PostgreSQL."""
    if request.param == "memory":
        yield MemoryStore(component=COMPONENT)
        return
    async with cluster.lent() as url, await PostgresStore.open(url, component=COMPONENT) as store:
        yield store


@pytest_asyncio.fixture(params=["memory", "postgres"])
async def doors(request: pytest.FixtureRequest, cluster: Cluster) -> AsyncIterator[Doors]:
    """Opens the same empty store once more at each call, as another process of the component would."""
    async with AsyncExitStack() as opened:
        if request.param == "memory":
            twin = MemoryStore(component=COMPONENT)

            async def open_memory() -> Store:
                return twin

            yield open_memory
            return
        url = await opened.enter_async_context(cluster.lent())

        async def open_postgres() -> Store:
            return await opened.enter_async_context(await PostgresStore.open(url, component=COMPONENT))

        yield open_postgres
