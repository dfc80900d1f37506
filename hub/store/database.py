"""One component's database: its connections, its named queries, and whose fault an error is."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import asyncpg

from hub.errors import SettingsError, Unavailable

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = PoolConnectionProxy[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]


FILES: Final = ("queries.sql", "rebuild.sql")
DEAD_PEER: Final = {
    "tcp_keepalives_idle": "3",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "9000",
}
"""The server ends the sessions of a machine that has vanished after 9 s, and with them all they have locked.

The last one counts while an answer is on its way, when no keepalive is sent.
"""


def load_queries() -> Mapping[str, str]:
    """The queries of the .sql files beside us by name."""
    texts = (files("hub.store").joinpath(name).read_text(encoding="utf-8") for name in FILES)
    sections = (section.split("\n", 1) for text in texts for section in text.split("-- name: ")[1:])
    return MappingProxyType({name.strip(): sql.strip() for name, sql in sections})


SQL: Final = load_queries()

SURROUNDINGS: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)
"""What the database or the way to it may do to us at any time; trying again later may help."""

WRONG_SETTINGS: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.ClientConfigurationError,
)


MIGRATES: Final = (
    asyncpg.DatatypeMismatchError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.OutdatedSchemaCacheError,
)
"""What a statement fails with while a newer version migrates the database; no document can be the cause."""
HUNG_UP: Final = "cannot switch to state"
"""What asyncpg says when the server has taken leave on a connection that is still open: nothing was sent."""


@contextmanager
def surroundings() -> Iterator[None]:
    """Raise Unavailable for what is the fault of our surroundings."""
    try:
        yield
    except (*SURROUNDINGS, *MIGRATES, asyncpg.InternalClientError) as error:
        if _is_our_fault(error):
            raise
        raise Unavailable(f"The database does not answer ({type(error).__name__}).") from error


def _is_our_fault(error: Exception) -> bool:
    if isinstance(error, asyncpg.InternalClientError) and not isinstance(error, MIGRATES):
        return HUNG_UP not in str(error)
    return isinstance(error, ValueError)  # asyncpg's InterfaceError for arguments of the wrong type


async def connect_pool(url: str, *, schema: str, min_size: int, max_size: int, command_timeout_s: float) -> "Pool":
    """A pool whose connections see only `schema`.

    Raises:
        SettingsError: the database refuses us; the message never holds the URL.
        Unavailable: the database does not answer.
    """
    # Introspection of array arguments is a large query that JIT makes slow. The session state is never changed, so that
    # resetting it after each use would only cost a round trip.
    session = {"search_path": f'"{schema}"', "jit": "off", "application_name": "tps", **DEAD_PEER}
    try:
        with surroundings():
            return await asyncpg.create_pool(
                url,
                min_size=min_size,
                max_size=max_size,
                command_timeout=command_timeout_s,
                server_settings=session,
                reset=_keep,
            )
    except WRONG_SETTINGS as error:
        raise SettingsError(f"The database refuses us: {error}. Check the database URL and its password.") from error


async def _keep(_: object) -> None:
    """Leave a connection as it is when it goes back to its pool."""


class Database:
    """Runs named queries: short ones on any connection, those that must take turns in a transaction."""

    def __init__(self, pool: "Pool", writer: "Pool") -> None:
        self._pool, self._writer = pool, writer

    async def fetch(self, query: str, *arguments: object) -> Sequence[asyncpg.Record]:
        """All records of the query. Raises Unavailable."""
        with surroundings():
            return cast("Sequence[asyncpg.Record]", await self._pool.fetch(SQL[query], *arguments))

    async def value(self, query: str, *arguments: object) -> Any:  # whatever the query selects
        """The first column of the first record, None when there is none. Raises Unavailable."""
        with surroundings():
            return await self._pool.fetchval(SQL[query], *arguments)

    async def execute(self, query: str, *arguments: object) -> int:
        """How many records the query has touched. Raises Unavailable."""
        with surroundings():
            return int((await self._pool.execute(SQL[query], *arguments)).split()[-1])

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["Connection"]:
        """A connection in a transaction. Raises Unavailable."""
        with surroundings():
            async with self._pool.acquire() as connection, connection.transaction():
                yield connection

    async def write(self, query: str, *arguments: object) -> Any:  # whatever the query selects
        """As `value`, on the one connection that commits. Raises Unavailable, UniqueViolationError."""
        with surroundings():
            return await self._writer.fetchval(SQL[query], *arguments)

    async def close(self) -> None:
        """Let running queries end, then leave."""
        with surroundings():
            await self._writer.close()
            await self._pool.close()

    def terminate(self) -> None:
        """Leave at once."""
        self._writer.terminate()
        self._pool.terminate()
