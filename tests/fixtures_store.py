"""Stores for tests: one PostgreSQL cluster for the session (and for each worker of it), a fresh database for each test."""

from collections.abc import AsyncIterator, Awaitable, Callable
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


class Cluster:
    """A cluster that starts when the first test wants it."""

    def __init__(self, directory: Path) -> None:
        self.postgres = EmbeddedPostgres(directory, durable=False)
        self._started = False
        self._numbers = count(1)

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
    async with await PostgresStore.open(await cluster.fresh(), component=COMPONENT) as store:
        yield store
