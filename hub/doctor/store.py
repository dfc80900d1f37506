"""Looks at a component's database: reached, ours, and as this program needs it. Changes nothing."""

from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlsplit

import asyncpg

from hub.doctor import reach
from hub.doctor.finding import Finding
from hub.settings import EMBEDDED, Database
from hub.store.database import WRONG_SETTINGS
from hub.store.embedded import running_url
from hub.store.migrate import migrations
from hub.store.postgres import OWNER

WHERE: Final = "database"
SCHEMA: Final = "tps"
TIMEOUT_S: Final = 5.0


async def database(chosen: Database, name: str, *, owner: str) -> AsyncIterator[Finding]:
    """What is wrong with a database that is to hold the store of `owner`; an embedded one is looked at if it runs."""
    url = chosen.url.reveal()
    if url == EMBEDDED:
        url = running_url(chosen.dir, name) or ""
        if not url:
            return
    elif lost := await _reached(url):
        yield lost
        return
    try:
        connection = await asyncpg.connect(url, timeout=TIMEOUT_S)
    except WRONG_SETTINGS as error:
        if chosen.url.reveal() == EMBEDDED:
            return  # it trusts everybody here; what is not there was not made yet
        do = "Check user, password and name of the database in database.url."
        yield Finding(WHERE, f"login refused: {error}", "a database that lets us in", do)
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        yield Finding(WHERE, f"no answer ({error})", "a PostgreSQL server", "Start it, or correct database.url.")
    else:
        try:
            async for finding in _content(connection, owner):
                yield finding
        finally:
            await connection.close()


async def _reached(url: str) -> Finding | None:
    """Whether the server is reached; addresses that name a socket are left to the client."""
    parts = urlsplit(url)
    if not parts.hostname:
        return None
    return await reach.server(WHERE, parts.hostname, parts.port or 5432)


async def _content(connection: "asyncpg.Connection[asyncpg.Record]", owner: str) -> AsyncIterator[Finding]:
    if not await connection.fetchval("select to_regclass($1)", f"{SCHEMA}.schema_version"):
        yield Finding(WHERE, "an empty database", "a migrated one", "Start the component: it migrates its database.")
        return
    applied = {row["version"] for row in await connection.fetch(f"select version from {SCHEMA}.schema_version")}  # noqa: S608 # our own constant
    known = {each.version for each in migrations()}
    if missing := known - applied:
        do = "Start the component: it migrates its database."
        yield Finding(WHERE, f"{len(missing)} migrations missing", "none", do)
    if newer := applied - known:
        found = f"{len(newer)} migrations that this program does not know"
        yield Finding(WHERE, found, "none", "Install the version of the program that made them.")
    holder = await connection.fetchval(f"select value from {SCHEMA}.meta where key = $1", OWNER)  # noqa: S608 # as above
    if holder not in {None, owner}:
        yield Finding(WHERE, f"the store of {holder}", f"that of {owner}", "Let database.url name another database.")
