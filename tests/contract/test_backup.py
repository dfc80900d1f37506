"""A backup is one instant of a database that works on, and comes back whole, or not at all (NF1)."""

import asyncio
import json
import zipfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from documents.values import Identifier
from hub.errors import LogCorrupt, SettingsError, Unavailable
from hub.ports import Scope
from hub.store import backup as work
from hub.store.backup import backup, read_manifest, restore
from hub.store.embedded import EmbeddedPostgres
from hub.store.migrate import migrate, migrations
from hub.store.postgres import PostgresStore
from tests.fixtures_store import DatabaseUrl
from tests.operated import ALPHA_CODE, HUB_CODE, happen, publish, queue

pytestmark = pytest.mark.slow

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
numbers = count(1)


@pytest.fixture
def empty(postgres: EmbeddedPostgres) -> Callable[[], Awaitable[str]]:
    """Makes a database that nobody has migrated at each call."""
    return lambda: postgres.database(f"empty_{next(numbers)}")


async def filled(url: str) -> None:
    """A store with a bit of everything that refers to something else."""
    async with await PostgresStore.open(url, component=HUB_CODE) as store:
        token = await store.tokens.record("secret", participant=ALPHA_CODE, label="desk", now=NOW)
        await store.tokens.set_positions({(token.fingerprint, "limits"): 3})
        for number in range(5):
            await happen(store, "Happened.v1", b"\x00\\\n\t" + bytes([number]), stream="s")
        await queue(store, "d1", "d2")
        await publish(store)


async def contents(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Everything in a database, by table."""
    connection = await asyncpg.connect(url)
    tables = await connection.fetch("select tablename from pg_tables where schemaname = 'tps' order by 1")
    found = {}
    for (name,) in tables:
        rows = await connection.fetch(f'select * from tps."{name}"')  # names from the catalogue
        found[name] = sorted((tuple(row) for row in rows), key=repr)
    await connection.close()
    found["schema_version"] = [row[:3] for row in found.get("schema_version", ())]
    return found


async def test_everything_comes_back(
    tmp_path: Path, database_url: DatabaseUrl, empty: Callable[[], Awaitable[str]]
) -> None:
    url, other, file = await database_url(), await empty(), tmp_path / "backup"
    await filled(url)

    made = await backup(url, file, now=NOW)
    restored = await restore(other, file, component=HUB_CODE)

    assert made == restored == read_manifest(file)
    assert (made.head, made.made, made.component) == (5, NOW, HUB_CODE)
    assert await contents(other) == await contents(url)
    assert file.stat().st_mode & 0o777 == 0o600


async def test_a_restored_store_goes_on_where_the_backup_ended(
    tmp_path: Path, database_url: DatabaseUrl, empty: Callable[[], Awaitable[str]]
) -> None:
    url, other, file = await database_url(), await empty(), tmp_path / "backup"
    await filled(url)
    await backup(url, file, now=NOW)
    await restore(other, file, component=HUB_CODE)

    async with await PostgresStore.open(other, component=HUB_CODE) as store:
        await happen(store, "Happened.v1", b"6", stream="s")
        (message,) = await queue(store, "d3")
        assert [each.document for each in await store.messages.list()] == ["d1", "d2", "d3"]
        assert (await store.messages.list())[-1].message_id == message
        assert await store.log.head() == 6


async def test_nf3_the_second_wall_stands_in_a_restored_database(
    tmp_path: Path, database_url: DatabaseUrl, empty: Callable[[], Awaitable[str]]
) -> None:
    url, other, file = await database_url(), await empty(), tmp_path / "backup"
    await filled(url)
    await backup(url, file, now=NOW)
    await restore(other, file, component=HUB_CODE)

    async with await PostgresStore.open(other, component=HUB_CODE) as store:
        assert len(await store.rows.feed(Scope(ALPHA_CODE), "limits", after=0, limit=10)) == 2
        assert await store.rows.feed(Scope(Identifier("A01:BRAVO")), "limits", after=0, limit=10) == []
    connection = await asyncpg.connect(other)
    guarded = await connection.fetch(
        "select relname from pg_class where relforcerowsecurity and relnamespace = 'tps'::regnamespace order by 1"
    )
    await connection.close()
    assert [name for (name,) in guarded] == ["feed", "row_current", "row_item"]


async def test_a_backup_is_of_one_instant_while_others_commit(
    tmp_path: Path, database_url: DatabaseUrl, empty: Callable[[], Awaitable[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, other, file = await database_url(), await empty(), tmp_path / "backup"
    await filled(url)
    in_order = work._in_order

    async with await PostgresStore.open(url, component=HUB_CODE) as store:

        async def while_somebody_commits(connection: "work.Connection") -> object:
            await happen(store, "Happened.v1", b"later", stream="s")
            return await in_order(connection)

        monkeypatch.setattr(work, "_in_order", while_somebody_commits)
        made = await backup(url, file, now=NOW)

        assert (made.head, await store.log.head()) == (5, 6)
    assert (await restore(other, file, component=HUB_CODE)).head == 5


async def test_a_backup_of_an_older_schema_is_migrated_after_it_came_back(
    tmp_path: Path, empty: Callable[[], Awaitable[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, other, file = await empty(), await empty(), tmp_path / "backup"
    every = migrations()
    monkeypatch.setattr("hub.store.condition.migrations", lambda: every[:-1])
    await migrate(url, known=every[:-1])
    connection = await asyncpg.connect(url)
    await connection.execute("insert into tps.meta values ('component', $1)", HUB_CODE)
    await connection.close()
    made = await backup(url, file, now=NOW)
    assert len(made.migrations) == len(every) - 1

    await restore(other, file, component=HUB_CODE)

    assert len((await contents(other))["schema_version"]) == len(every)


async def test_a_database_that_is_not_empty_is_left_alone(tmp_path: Path, database_url: DatabaseUrl) -> None:
    url, other, file = await database_url(), await database_url(), tmp_path / "backup"
    await filled(url)
    await backup(url, file, now=NOW)
    async with await PostgresStore.open(other, component=HUB_CODE) as store:
        await happen(store, "Happened.v1", b"of the other", stream="s")
    before = await contents(other)

    with pytest.raises(SettingsError, match="not empty"):
        await restore(other, file, component=HUB_CODE)

    assert await contents(other) == before


async def test_the_backup_of_another_component_is_refused(
    tmp_path: Path, database_url: DatabaseUrl, empty: Callable[[], Awaitable[str]]
) -> None:
    url, file = await database_url(), tmp_path / "backup"
    await filled(url)
    await backup(url, file, now=NOW)

    with pytest.raises(SettingsError, match="holds the store of"):
        await restore(await empty(), file, component=ALPHA_CODE)


async def test_a_backup_of_a_later_version_is_refused(
    tmp_path: Path, database_url: DatabaseUrl, empty: Callable[[], Awaitable[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, file, every = await database_url(), tmp_path / "backup", migrations()
    await filled(url)
    await backup(url, file, now=NOW)
    monkeypatch.setattr(work, "migrations", lambda: every[:-1])

    with pytest.raises(SettingsError, match=every[-1].name):
        await restore(await empty(), file, component=HUB_CODE)


@pytest.mark.parametrize(
    ("table", "was", "becomes"),
    [("stored_events", b"\\\\x", b"\\\\y"), ("stored_events", b"test", b"tesT"), ("row_item", b"limits", b"limitz")],
)
async def test_a_changed_byte_is_found_and_nothing_is_kept(  # noqa: PLR0917 # three say which byte
    tmp_path: Path,
    database_url: DatabaseUrl,
    empty: Callable[[], Awaitable[str]],
    table: str,
    was: bytes,
    becomes: bytes,
) -> None:
    url, other, file = await database_url(), await empty(), tmp_path / "backup"
    await filled(url)
    await backup(url, file, now=NOW)
    rewritten(file, f"{table}.copy", lambda content: content.replace(was, becomes, 1))

    with pytest.raises(LogCorrupt, match=table):
        await restore(other, file, component=HUB_CODE)

    assert {name for name, rows in (await contents(other)).items() if rows} == {"schema_version"}
    rewritten(file, f"{table}.copy", lambda content: content.replace(becomes, was, 1))
    assert (await restore(other, file, component=HUB_CODE)).head == 5


@pytest.mark.parametrize("place", [0.02, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95])
async def test_a_byte_that_the_disk_has_changed_is_found_and_ends_the_restore(
    tmp_path: Path, database_url: DatabaseUrl, empty: Callable[[], Awaitable[str]], place: float
) -> None:
    """A restore of such a file once waited for ever: what cannot be unpacked broke off a COPY that nobody ended."""
    url, other, file = await database_url(), await empty(), tmp_path / "backup"
    await filled(url)
    await backup(url, file, now=NOW)
    content = bytearray(file.read_bytes())
    content[int(len(content) * place)] ^= 0x10
    file.write_bytes(content)

    async with asyncio.timeout(60):
        try:
            await restore(other, file, component=HUB_CODE)
        except (LogCorrupt, SettingsError):
            assert {name for name, rows in (await contents(other)).items() if rows} <= {"schema_version"}
        else:  # a byte that says nothing: the date of a member, say
            assert await contents(other) == await contents(url)


async def test_a_log_whose_chain_does_not_hold_is_not_to_be_used(
    tmp_path: Path, database_url: DatabaseUrl, empty: Callable[[], Awaitable[str]]
) -> None:
    url, file = await database_url(), tmp_path / "backup"
    await filled(url)
    connection = await asyncpg.connect(url)
    await connection.execute("update tps.stored_events set cause = 'forged' where notification_id = 3")
    await connection.close()
    await backup(url, file, now=NOW)

    with pytest.raises(LogCorrupt, match="position 3"):
        await restore(await empty(), file, component=HUB_CODE)


@pytest.mark.parametrize("content", [b"", b"nonsense"])
async def test_a_file_that_is_no_backup_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "backup"
    file.write_bytes(content)

    with pytest.raises(SettingsError, match="no whole backup"):
        read_manifest(file)


async def test_a_backup_that_cannot_be_written_leaves_nothing_and_says_so(
    tmp_path: Path, database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await database_url()
    await filled(url)

    def full(_: object, __: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(work._File, "_put", full)
    with pytest.raises(Unavailable, match="No space left"):
        await asyncio.wait_for(backup(url, tmp_path / "backup", now=NOW), 30)

    assert names_in(tmp_path) == []


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


def rewritten(file: Path, member: str, change: Callable[[bytes], bytes]) -> None:
    """The same archive with one member changed."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert change(members[member]) != members[member]
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, change(content) if name == member else content)
    assert json.loads(members["manifest.json"])["format"] == 1
