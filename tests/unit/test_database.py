"""Whose fault an error of the database is: what its surroundings do to us is Unavailable, never a document's fault."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from hub.errors import Unavailable
from hub.store.database import surroundings
from hub.store.postgres import PostgresStore
from tests.fixtures_store import DatabaseUrl


@asynccontextmanager
async def slow_to_hang_up(url: str) -> AsyncIterator[str]:
    """A way to a database on which the client hears the server's last words, but not that the connection has ended."""
    where = urlsplit(url)
    (folder,) = parse_qs(where.query)["host"]
    open_ends: list[asyncio.StreamWriter] = []

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.5432")
        open_ends.extend([writer, to_server])
        async with asyncio.TaskGroup() as both:
            both.create_task(pass_on(reader, to_server))
            both.create_task(pass_on(from_server, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"postgresql://{where.username}@127.0.0.1:{port}{where.path}?sslmode=disable"
        for end in open_ends:
            end.close()
            with suppress(OSError):
                await end.wait_closed()


async def test_a_server_that_has_said_goodbye_but_not_hung_up_is_unavailable(database_url: DatabaseUrl) -> None:
    url = await database_url()
    async with slow_to_hang_up(url) as slow:
        store = await PostgresStore.open(slow, component="A01:X", max_connections=1)
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
