"""Bring a database to the schema of this program: numbered SQL files, applied once each, in order, in transactions.

Several programs may start at once: they take turns. A file that was edited after it was applied, and a database that is
newer than the program, are refused. The version before may be at work meanwhile (docs/decisions/012): it is never made
to wait long, and a file changes nothing that it uses.
"""

import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Final

import asyncpg
from msgspec import Struct

from hub.errors import SettingsError, Unavailable
from hub.store.database import WRONG_SETTINGS, surroundings

LOCK: Final = 728300
LOCK_TIMEOUT_MS: Final = 5000
"""A change that waits for a table makes everybody else wait behind it; rather it gives up and is tried again."""
READER: Final = "tps_reader"
"""The role that rows are read as; it belongs to the cluster, so that several databases share it."""

HISTORY: Final = """
create table if not exists schema_version (
    version integer primary key, name text not null, sha256 text not null, applied_at timestamptz not null default now()
)
"""


class Migration(Struct, frozen=True):
    """One numbered file."""

    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Checksum of its text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> tuple[Migration, ...]:
    """The files of this program in order."""
    folder = files("hub.store").joinpath("migrations")
    named = sorted((entry.name, entry) for entry in folder.iterdir() if re.fullmatch(r"\d{4}_\w+\.sql", entry.name))
    return tuple(Migration(int(name[:4]), name, entry.read_text(encoding="utf-8")) for name, entry in named)


async def migrate(url: str, *, schema: str = "tps", known: Sequence[Migration] | None = None) -> Sequence[str]:
    """Apply what is missing and return the names of the files applied.

    Raises:
        SettingsError: the database refuses us, is newer than this program, was migrated with an edited file, or lacks a
            right that an administrator must grant (the message names the statements).
        Unavailable: the database does not answer, or somebody holds a table that is to change.
    """
    known = migrations() if known is None else known
    try:
        with surroundings():
            connection = await asyncpg.connect(url, command_timeout=60, server_settings={"jit": "off"})
    except WRONG_SETTINGS as error:
        raise SettingsError(f"The database refuses us: {error}. Check the database URL and its password.") from error
    try:
        with surroundings():
            await connection.execute("select pg_advisory_lock($1)", LOCK)
            await _prepare(connection, schema)
            missing = _missing(known, await connection.fetch("select version, name, sha256 from schema_version"))
            if missing:
                await ensure_reader(connection)
            for migration in missing:
                await _apply(connection, migration)
    finally:
        await connection.close(timeout=5)
    return [migration.name for migration in missing]


async def _prepare(connection: "asyncpg.Connection[asyncpg.Record]", schema: str) -> None:
    try:
        await connection.execute(f'create schema if not exists "{schema}"')
    except asyncpg.InsufficientPrivilegeError as error:
        user = await connection.fetchval("select current_user")
        raise SettingsError(
            f"The database user may not create the schema. An administrator must run: "
            f'create schema "{schema}" authorization "{user}";'
        ) from error
    # pg_temp comes last, so that nobody's temporary table stands in for ours inside functions of other owners.
    await connection.execute(f'set search_path to "{schema}", pg_temp')
    await connection.execute(HISTORY)


def _missing(known: Sequence[Migration], applied: Sequence[asyncpg.Record]) -> Sequence[Migration]:
    files_by_version = {migration.version: migration for migration in known}
    for record in applied:
        migration = files_by_version.get(record["version"])
        if migration is None:
            raise SettingsError(
                f"The database is newer than this program: it has {record['name']}. Install the version that made it."
            )
        if migration.sha256 != record["sha256"]:
            raise SettingsError(
                f"{migration.name} was edited after it was applied. Restore it, and add a new file instead."
            )
    done = {record["version"] for record in applied}
    return [migration for migration in known if migration.version not in done]


async def _apply(connection: "asyncpg.Connection[asyncpg.Record]", migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(f"set local lock_timeout = {LOCK_TIMEOUT_MS}")
        try:
            await connection.execute(migration.sql)
        except asyncpg.LockNotAvailableError as error:
            raise Unavailable(
                f"{migration.name} waits for a table that somebody reads, a backup for example. "
                "Nothing was changed; try again when that has ended."
            ) from error
        await connection.execute(
            "insert into schema_version (version, name, sha256) values ($1, $2, $3)",
            migration.version,
            migration.name,
            migration.sha256,
        )


async def ensure_reader(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Make sure that the role rows are read as exists and that we may give functions to it.

    Raises:
        SettingsError: an administrator must do it; the message says how.
    """
    user = await connection.fetchval("select current_user")
    for statement in (f"create role {READER} nologin", f'grant {READER} to "{user}"'):
        if await _may_become_reader(connection):
            return
        try:
            async with connection.transaction():
                await connection.execute(statement)
        except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError, asyncpg.InsufficientPrivilegeError):
            continue  # there already, made by another database of this cluster at the same time, or not for us to make
    if not await _may_become_reader(connection):
        raise SettingsError(
            f"Rows are read as the role {READER}, which this database user may not use. An administrator must run, "
            f'once: create role {READER} nologin; grant {READER} to "{user}";'
        )


async def _may_become_reader(connection: "asyncpg.Connection[asyncpg.Record]") -> bool:
    try:
        async with connection.transaction():
            await connection.execute(f"set local role {READER}")
    except (asyncpg.InvalidParameterValueError, asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedObjectError):
        return False
    return True
