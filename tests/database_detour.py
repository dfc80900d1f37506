"""A way to a database of the tests that can be held up: it never tells the client that the server has hung up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit


class Detour:
    """The URL of the same database by this way. While it `is_silent`, nothing comes back on it."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._socket = f"{parse_qs(where.query)['host'][0]}/.s.PGSQL.5432"
        self._who, self._name = where.username, where.path
        self._ends: list[asyncio.StreamWriter] = []
        self.url = ""
        self.is_silent = False

    def open_at(self, port: int) -> None:
        """Where it begins."""
        self.url = f"postgresql://{self._who}@127.0.0.1:{port}{self._name}?sslmode=disable"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        from_server, to_server = await asyncio.open_unix_connection(self._socket)
        self._ends += [writer, to_server]
        async with asyncio.TaskGroup() as both:
            both.create_task(self._there(reader, to_server))
            both.create_task(self._back(from_server, writer))

    async def close(self) -> None:
        """Hang up on both sides."""
        for end in self._ends:
            end.close()
            with suppress(OSError):
                await end.wait_closed()

    async def _there(self, client: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        while data := await client.read(65536):
            server.write(data)

    async def _back(self, server: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        while data := await server.read(65536):
            if not self.is_silent:
                client.write(data)


@asynccontextmanager
async def detour(url: str) -> AsyncIterator[Detour]:
    """Another way to the database of this URL (a socket in a folder) for as long as the block lasts."""
    road = Detour(url)
    async with await asyncio.start_server(road.serve, "127.0.0.1", 0) as server:
        road.open_at(server.sockets[0].getsockname()[1])
        yield road
        await road.close()
