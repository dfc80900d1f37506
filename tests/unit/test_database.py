"""Whose fault an error of the database is: what its surroundings do to us is Unavailable, never a document's fault."""

import asyncio

import asyncpg
import pytest

from hub.errors import Unavailable
from hub.ports import Scope
from hub.store.database import surroundings
from hub.store.postgres import PostgresStore
from tests.database_detour import detour
from tests.fixtures_store import DatabaseUrl
from tests.operated import ALPHA_CODE, HUB_CODE, queue


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


async def test_a_list_that_is_read_while_its_table_gets_a_column_is_unavailable_once(database_url: DatabaseUrl) -> None:
    url = await database_url()
    async with await PostgresStore.open(url, component=HUB_CODE) as store:
        await queue(store, "limit")
        before = await store.rows.feed(Scope(ALPHA_CODE), "limits")
        admin = await asyncpg.connect(url, server_settings={"search_path": "tps"})
        async with admin.transaction():
            await admin.execute("lock table row_item in access exclusive mode")
            reading = asyncio.create_task(store.rows.feed(Scope(ALPHA_CODE), "limits"))
            while not await admin.fetchval("select count(*) from pg_locks where not granted"):  # noqa: ASYNC110 # seen from outside only
                await asyncio.sleep(0)
            await admin.execute("alter table row_item add column later text")
        await admin.close()

        with pytest.raises(Unavailable):
            await reading
        assert await store.rows.feed(Scope(ALPHA_CODE), "limits") == before


async def test_a_commit_that_does_not_fit_the_database_any_more_waits_and_blames_no_document(
    database_url: DatabaseUrl,
) -> None:
    url = await database_url()
    async with await PostgresStore.open(url, component=HUB_CODE) as store:
        await queue(store, "limit")
        admin = await asyncpg.connect(url)
        await admin.execute("alter type tps.new_row add attribute later text")
        await admin.close()

        with pytest.raises(Unavailable):
            await queue(store, "another")


def test_what_the_client_itself_does_wrong_is_not() -> None:
    with pytest.raises(asyncpg.InternalClientError), surroundings():
        raise asyncpg.InternalClientError("no encoder for OID 12345")
