"""In which condition a component's database is: whose, which schema, how large, how far, who holds it (read only)."""

from typing import Final

import asyncpg
from msgspec import Struct

from documents.values import Instant
from hub.errors import SettingsError
from hub.store.database import SQL, WRONG_SETTINGS, surroundings
from hub.store.migrate import migrations

SCHEMA: Final = "tps"
LEADER_LOCK: Final = (728302, 1)
"""The lock of the one hub of a database (hub.app.process)."""


class Holder(Struct, frozen=True, kw_only=True):
    """The session that holds the lock of the one hub: its process at the database, its name, where it comes from."""

    pid: int
    name: str
    address: str
    since: Instant


class Replica(Struct, frozen=True, kw_only=True):
    """A server that follows this one, and how many bytes it is behind."""

    name: str
    state: str
    behind_bytes: int


class Condition(Struct, frozen=True, kw_only=True):
    """What there is to say about a component's database.

    `version` is the newest migration applied (0: none), `missing` and `unknown` are names of migrations that only the
    program, or only the database has. `waiting` messages are not delivered yet.
    """

    component: str | None
    version: int
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    server: str
    size_bytes: int
    head: int = 0
    head_at: Instant | None = None
    chain: str | None = None
    waiting: int = 0
    waiting_since: Instant | None = None
    holder: Holder | None = None
    sessions: int = 0
    replicas: tuple[Replica, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether this program can work on it as it is."""
        return not (self.missing or self.unknown)


async def connected(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    """A session that belongs to the operator. Raises SettingsError (the database refuses us), Unavailable."""
    try:
        with surroundings():
            return await asyncpg.connect(url, server_settings={"jit": "off", "application_name": "tps store"})
    except WRONG_SETTINGS as error:
        raise SettingsError(f"The database refuses us: {error}. Check the database URL and its password.") from error


async def condition(connection: "asyncpg.Connection[asyncpg.Record]") -> Condition:
    """Look at the database of this connection, whatever is in it."""
    applied: dict[int, str] = {}
    if await connection.fetchval("select to_regclass($1)", f"{SCHEMA}.schema_version"):
        await connection.execute(f'set search_path to "{SCHEMA}", pg_temp')
        applied = {each["version"]: each["name"] for each in await connection.fetch(SQL["applied"])}
    known = {each.version: each.name for each in migrations()}
    server = dict((await connection.fetch(SQL["server"]))[0])
    holders = await connection.fetch(SQL["lock_holder"], *LEADER_LOCK)
    return Condition(
        version=max(applied, default=0),
        missing=tuple(name for version, name in known.items() if version not in applied),
        unknown=tuple(name for version, name in applied.items() if version not in known),
        holder=next((Holder(**dict(each)) for each in holders), None),
        replicas=tuple(Replica(**dict(each)) for each in await connection.fetch(SQL["replicas"])),
        **server,
        **(dict((await connection.fetch(SQL["condition"]))[0]) if applied else {"component": None}),
    )
