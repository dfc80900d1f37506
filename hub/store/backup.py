"""A component's database in one file, taken while it runs, and back into an empty database.

The file is a zip: `manifest.json`, and for each table what PostgreSQL's own COPY makes of it. It holds rows only; the
schema is made anew by the migrations, so that the second wall (0002) stands in the restored database as well, whoever
owns it. A dump of the schema could not be brought back by an ordinary database user, and without its owners the
functions of the wall would show everything to everybody.
"""

import hashlib
import os
import zipfile
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from graphlib import TopologicalSorter
from io import BufferedWriter, FileIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, TypeAlias

import asyncpg
import msgspec
from msgspec import Struct

from documents.values import Instant
from hub.errors import LogCorrupt, SettingsError, Unavailable
from hub.restored import STREAM
from hub.store.appending import append
from hub.store.codec import verified
from hub.store.condition import SCHEMA, condition, connected
from hub.store.database import SQL, surroundings
from hub.store.migrate import Migration, migrate, migrations
from hub.store.postgres import PostgresStore
from hub.version import VERSION

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
CHUNK: Final = 1 << 18
UNREADABLE: Final = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError)
"""What reading a damaged zip raises; RuntimeError where a bit says that it is encrypted, or of an unknown method."""
Copied = Callable[[int], None]
"""Told how many bytes have been copied so far."""


class Table(Struct, frozen=True, kw_only=True):
    """One table of a backup; `sha256` is of its bytes."""

    name: str
    columns: tuple[str, ...]
    rows: int
    sha256: str


class Applied(Struct, frozen=True, kw_only=True):
    """A migration that the database had."""

    version: int
    name: str
    sha256: str


class Manifest(Struct, frozen=True, kw_only=True):
    """What a backup holds: whose, of when, of which schema, up to which event, and its tables in the order to load."""

    format: int
    program: str
    component: str
    made: Instant
    migrations: tuple[Applied, ...]
    head: int
    head_at: Instant | None
    chain: str | None
    tables: tuple[Table, ...]


async def backup(url: str, file: Path, *, now: datetime, copied: Copied = lambda _: None) -> Manifest:
    """Write everything of a database as of one instant, while others work on it.

    Raises:
        SettingsError: the database refuses us, or does not fit this program.
        Unavailable: the database does not answer.
        OSError: the file cannot be written. What is half written is taken away.
    """
    unfinished = file.with_name(f"{file.name}.unfinished")
    connection = await connected(url)
    try:
        with BufferedWriter(_made(unfinished)) as raw:
            with surroundings():
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    manifest = await _write(connection, raw, now, _Stream(copied))
            raw.flush()
            os.fsync(raw.fileno())
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
        await _left(connection)
    return manifest


def read_manifest(file: Path) -> Manifest:
    """What a backup says of itself. Raises SettingsError: it is none, or of a later form."""
    try:
        with zipfile.ZipFile(file) as archive:
            manifest = msgspec.json.decode(archive.read(MANIFEST), type=Manifest)
    except (OSError, *UNREADABLE, msgspec.DecodeError) as error:
        raise SettingsError(f"{file} is no whole backup ({error}). Expected: a file of `tps store backup`.") from error
    if manifest.format != FORMAT:
        raise SettingsError(f"{file} has the form {manifest.format}, expected {FORMAT}. Use the version that made it.")
    return manifest


async def restore(url: str, file: Path, *, component: str, copied: Copied = lambda _: None) -> Manifest:
    """Bring a backup into an empty database, to the schema of this program, and check the chain of its log.

    Raises:
        SettingsError: it is no backup of this component, or the database is not empty or refuses us.
        LogCorrupt: what arrived is not what was backed up; nothing was kept, or (chain) it is not to be used.
        Unavailable: the database does not answer.
    """
    manifest = read_manifest(file)
    if manifest.component != component:
        raise SettingsError(f"{file} holds the store of {manifest.component}, expected {component}.")
    known = _same_migrations(manifest)
    connection = await connected(url)
    try:
        await _must_be_empty(connection, manifest)
        await migrate(url, known=known)
        with surroundings(), zipfile.ZipFile(file) as archive:
            await connection.execute(f'set search_path to "{SCHEMA}", pg_temp')
            async with connection.transaction():
                await _load(connection, archive, manifest, _Stream(copied))
    except UNREADABLE as error:
        raise LogCorrupt(f"{file} is damaged ({error}). Nothing was kept; use another backup.") from error
    finally:
        await _left(connection)
    await migrate(url)
    await _check(url, manifest)
    return manifest


async def record(url: str, topic: str, state: bytes, *, cause: str, now: datetime) -> None:
    """Let the log of a restored database itself say that it was. Raises Unavailable."""
    connection = await connected(url)
    try:
        with surroundings():
            await connection.execute(f'set search_path to "{SCHEMA}", pg_temp')
            async with connection.transaction():
                await append(connection, stream=STREAM, topic=topic, state=state, cause=cause, now=now)
    finally:
        await _left(connection)


def size(file: Path) -> int:
    """Bytes that a restore copies."""
    with zipfile.ZipFile(file) as archive:
        return sum(each.file_size for each in archive.infolist())


async def _left(connection: "Connection") -> None:
    with suppress(OSError, asyncpg.PostgresError):
        await connection.close(timeout=5)


class _File(FileIO):
    """Says itself when it cannot be written, so that the database is not blamed."""

    def write(self, data: "Buffer", /) -> int:
        """As every file. Raises Unavailable."""
        try:
            return self._put(data)
        except OSError as error:
            raise Unavailable(f"The backup cannot be written: {error.strerror}.") from error

    def _put(self, data: "Buffer") -> int:
        return super().write(data)


class _Stream:
    """What passes through while one table after the other is copied: counted altogether, hashed table by table."""

    def __init__(self, copied: Copied) -> None:
        self._copied, self._done, self._sha = copied, 0, hashlib.sha256()

    def begin(self) -> None:
        """A table begins."""
        self._sha = hashlib.sha256()

    def take(self, data: bytes) -> bytes:
        """Count and hash; returns the same."""
        self._sha.update(data)
        self._done += len(data)
        self._copied(self._done)
        return data

    @property
    def sha256(self) -> str:
        """Of the table so far, hexadecimal."""
        return self._sha.hexdigest()


def _made(file: Path) -> _File:
    try:
        return _File(file, "xb", opener=_private)
    except OSError as error:
        raise Unavailable(f"The backup cannot be written: {error.strerror}.") from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


async def _write(connection: "Connection", raw: IO[bytes], now: datetime, stream: _Stream) -> Manifest:
    found = await condition(connection)
    if found.component is None or not found.fits:
        raise SettingsError("The database holds no store that this program knows. See `tps store status`.")
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        tables = [await _copy_out(connection, archive, record, stream) for record in await _in_order(connection)]
        manifest = Manifest(
            format=FORMAT,
            program=VERSION,
            component=found.component,
            made=now,
            migrations=tuple(Applied(**dict(each)) for each in await connection.fetch(SQL["applied"])),
            head=found.head,
            head_at=found.head_at,
            chain=found.chain,
            tables=tuple(tables),
        )
        archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    return manifest


async def _copy_out(
    connection: "Connection", archive: zipfile.ZipFile, record: asyncpg.Record, stream: _Stream
) -> Table:
    name, columns = record["name"], record["columns"]
    stream.begin()
    with archive.open(_member(name), "w", force_zip64=True) as member:

        async def write(data: bytes) -> None:
            member.write(stream.take(data))

        status = await connection.copy_from_table(name, schema_name=SCHEMA, columns=columns, output=write)
    return Table(name=name, columns=tuple(columns), rows=_rows(status), sha256=stream.sha256)


async def _in_order(connection: "Connection") -> Sequence[asyncpg.Record]:
    """Every table, after those that it refers to."""
    tables = {record["name"]: record for record in await connection.fetch(SQL["tables"], SCHEMA)}
    order = TopologicalSorter({name: record["refers"] for name, record in tables.items()}).static_order()
    return [tables[name] for name in order]


def _rows(status: str) -> int:
    """`COPY 5`: five rows."""
    return int(status.rpartition(" ")[2])


def _member(table: str) -> str:
    return f"{table}.copy"


def _same_migrations(manifest: Manifest) -> Sequence[Migration]:
    """Ours up to those of the backup. Raises SettingsError: it has others."""
    ours = {each.version: each for each in migrations()}
    for applied in manifest.migrations:
        own = ours.get(applied.version)
        if own is None or own.sha256 != applied.sha256:
            raise SettingsError(
                f"The backup has the migration {applied.name} of tps {manifest.program}, which this program (tps "
                f"{VERSION}) does not have. Restore it with the version that made it, or a later one."
            )
    return [ours[applied.version] for applied in manifest.migrations]


async def _must_be_empty(connection: "Connection", manifest: Manifest) -> None:
    """Nothing there, or the schema of the backup without a row. Raises SettingsError."""
    found = await condition(connection)
    if not found.version:
        return
    tables = [record["name"] for record in await connection.fetch(SQL["tables"], SCHEMA)]
    has_rows = [await connection.fetchval(f'select exists (select from "{SCHEMA}"."{name}")') for name in tables]  # noqa: S608 # names of our own tables
    if any(has_rows) or found.version != manifest.migrations[-1].version:
        raise SettingsError(
            f"The database is not empty: it has the schema {SCHEMA}. Restore into a new database, and let "
            "`database.url` (or `database.dir`) name that; keep the old one until all is well."
        )


async def _load(connection: "Connection", archive: zipfile.ZipFile, manifest: Manifest, stream: _Stream) -> None:
    """All tables, or none: this runs in a transaction."""
    records = {record["name"]: record for record in await connection.fetch(SQL["tables"], SCHEMA)}
    for table in manifest.tables:
        # COPY does not go through row-level security; the owner takes it off itself within this transaction only.
        guarded = records[table.name]["guarded"]
        if guarded:
            await connection.execute(f'alter table "{table.name}" no force row level security')
        await _copy_in(connection, archive, table, stream)
        if guarded:
            await connection.execute(f'alter table "{table.name}" force row level security')
        for column in records[table.name]["counted"]:
            await _count_on(connection, table.name, column)


async def _copy_in(connection: "Connection", archive: zipfile.ZipFile, table: Table, stream: _Stream) -> None:
    stream.begin()
    with archive.open(_member(table.name)) as member:

        async def chunks() -> AsyncIterator[bytes]:
            while data := _read(member):
                yield stream.take(data)

        columns = list(table.columns)
        try:
            status = await connection.copy_to_table(table.name, schema_name=SCHEMA, columns=columns, source=chunks())
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
            raise _damaged(table) from error
    if (_rows(status), stream.sha256) != (table.rows, table.sha256):
        raise _damaged(table)


def _read(member: IO[bytes]) -> bytes:
    """The next piece; none where the file is damaged, so that the COPY ends, and what came is found to be too little.

    An exception in the midst of a COPY would leave its connection waiting for ever (asyncpg 0.32).
    """
    try:
        return member.read(CHUNK)
    except UNREADABLE:
        return b""


def _damaged(table: Table) -> LogCorrupt:
    return LogCorrupt(f"The table {table.name} of the backup is damaged. Nothing was kept; use another backup.")


async def _count_on(connection: "Connection", table: str, column: str) -> None:
    """Let an identity column go on after the largest number there is."""
    largest = await connection.fetchval(f'select coalesce(max("{column}"), 0) from "{table}"')  # noqa: S608 # names of our own tables
    sequence = await connection.fetchval("select pg_get_serial_sequence($1, $2)", f'"{table}"', column)
    await connection.execute("select setval($1::text::regclass, $2, false)", sequence, largest + 1)


async def _check(url: str, manifest: Manifest) -> None:
    """Read the whole log once. Raises LogCorrupt, Unavailable."""
    head, chain = 0, None
    async with await PostgresStore.open(url, component=manifest.component) as store:
        async for event in verified(store.log.read()):
            head, chain = event.position, event.chain.hex()
    if (head, chain) != (manifest.head, manifest.chain):
        raise LogCorrupt(
            f"The restored log ends at {head} ({chain}), the backup at {manifest.head} ({manifest.chain}). Do not use "
            "this database; restore another backup."
        )
