"""Whose fault an error of the database is: what its surroundings do to us is Unavailable, never a document's fault."""

import asyncio

import asyncpg
import pytest

from hub.errors import Unavailable
from hub.store.database import surroundings
from hub.store.postgres import PostgresStore
from tests.database_detour import detour
from tests.fixtures_store import DatabaseUrl


async def test_a_server_that_has_said_goodbye_but_not_hung_up_is_unavailable(database_url: DatabaseUrl) -> None:
    url = await database_url()
    async with detour(url) as road:
        store = await PostgresStore.open(road.url, component="A01:X", max_connections=1)
        admin = await asyncpg.connect(url)
        await admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
        await admin.close()

        with pytest.raises(Unavailable):
            await asyncio.wait_for(_asked_forever(store), 20)
        store.terminate()


async def _asked_forever(store: PostgresStore) -> None:
    while True:
        await store.log.head()


def test_what_the_client_itself_does_wrong_is_not() -> None:
    with pytest.raises(asyncpg.InternalClientError), surroundings():
        raise asyncpg.InternalClientError("no encoder for OID 12345")
