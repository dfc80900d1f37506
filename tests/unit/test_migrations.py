"""Databases come to the schema of the program: once each, in order, in turns, and never against their will."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import asyncpg
import pytest
from msgspec.structs import replace

from hub.errors import SettingsError, Unavailable
from hub.store import migrate as migrating
from hub.store.embedded import EmbeddedPostgres
from hub.store.migrate import READER, Migration, migrate, migrations
from hub.store.postgres import PostgresStore
from tests.fixtures_store import DatabaseUrl

ONE = Migration(1, "0001_one.sql", "create table one (n int);")
TWO = Migration(2, "0002_two.sql", "alter table one add column t text; insert into one values (1, 'x');")
BROKEN = Migration(2, "0002_broken.sql", "create table half (n int); select 1 / 0;")


OF_THE_FIRST_VERSION: Final = 8
"""Migrations nobody has met while an older version worked."""
ADDING: Final = re.compile(
    r"(create (table|(unique )?index|function|or replace function|sequence|policy|type)|insert into|grant|comment on)\b"
    r"|alter table \w+ (add column (?![^,]*\bnot null(?! default))[^,]+(, )?)+$"
)
"""What the version before does not notice (docs/decisions/012)."""
DROPPING: Final = re.compile("drop ")


def changes(sql: str) -> list[str]:
    """The statements of a file in one line each, without comments and the bodies of functions."""
    bare = re.sub(r"\$\$.*?\$\$", "''", re.sub("--.*", "", sql), flags=re.DOTALL)
    return [" ".join(statement.split()) for statement in bare.split(";") if statement.strip()]


def unfit(name: str, sql: str) -> list[str]:
    """The statements that may stop the version before, at work on the same database."""
    allowed = DROPPING if re.match(r"\d{4}_drop_", name) else ADDING
    return [statement for statement in changes(sql) if not allowed.match(statement)]


def test_no_migration_changes_what_the_version_before_uses() -> None:
    later = [migration for migration in migrations() if migration.version > OF_THE_FIRST_VERSION]

    assert {each.name: found for each in later if (found := unfit(each.name, each.sql))} == {}


def test_the_migration_of_the_container_trial_keeps_that_rule_and_has_every_kind(root: Path) -> None:
    sql = (root / "docker" / "test" / "next.sql").read_text("utf-8")

    assert unfit("9999_next.sql", sql) == []
    assert {" ".join(statement.split()[:2]) for statement in changes(sql)} >= {
        *("create table", "alter table", "create index", "create function", "create or", "insert into"),
    }


@pytest.mark.parametrize(
    "statement",
    [
        "alter table feed add column later integer not null",
        "alter table feed add column a text, add column b text not null",
        "alter table feed rename column head to tail",
        "alter table feed alter column head type numeric",
        "alter table feed drop column gathered",
        "alter type new_row add attribute later text",
        "drop table trace",
        "update feed set head = 0",
    ],
)
def test_what_the_version_before_would_notice_is_found(statement: str) -> None:
    assert unfit("0009_x.sql", f"create table one (n int); {statement};") == [statement]


def test_what_is_not_used_any_more_leaves_in_a_file_of_its_own() -> None:
    assert unfit("0010_drop_trace.sql", "drop table trace;") == []
    assert unfit("0010_drop_trace.sql", "drop table trace; create table t (n int);") == ["create table t (n int)"]


async def test_no_migration_brings_rows_into_an_empty_database(postgres: EmbeddedPostgres, root: Path) -> None:
    """A restore migrates an empty database first, and brings every row itself."""
    url = await empty(postgres, "no_rows")
    sql = (root / "docker" / "test" / "next.sql").read_text("utf-8")
    await migrate(url, known=[*migrations(), Migration(9999, "9999_next.sql", sql)])

    tables = await ask(
        url, "select tablename from pg_tables where schemaname = 'tps' and tablename <> 'schema_version'"
    )

    assert len(tables) > 10
    assert [name for name in tables if await ask(url, f"select 1 from {name}")] == []


async def test_a_migration_does_not_make_everybody_wait_behind_a_long_reader(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "LOCK_TIMEOUT_MS", 50)
    url = await empty(postgres, "reader")
    await migrate(url, known=[ONE])
    reader = await asyncpg.connect(url)
    async with reader.transaction():
        await reader.fetch("select * from tps.one")

        with pytest.raises(Unavailable, match=r"0002_two.sql waits for a table"):
            await migrate(url, known=[ONE, TWO])
    await reader.close()

    assert await migrate(url, known=[ONE, TWO]) == ["0002_two.sql"]


async def ask(url: str, query: str) -> list[object]:
    connection = await asyncpg.connect(url, server_settings={"search_path": "tps"})
    try:
        return [record[0] for record in await connection.fetch(query)]
    finally:
        await connection.close()


async def empty(postgres: EmbeddedPostgres, name: str) -> str:
    return await postgres.database(f"migrations_{name}")


def test_the_files_of_the_program_are_numbered_without_gaps() -> None:
    found = migrations()

    assert [migration.version for migration in found] == list(range(1, len(found) + 1))
    assert all(migration.name.startswith(f"{migration.version:04}_") for migration in found)


async def test_missing_files_are_applied_in_order_and_only_once(postgres: EmbeddedPostgres) -> None:
    url = await empty(postgres, "order")

    assert await migrate(url, known=[ONE]) == ["0001_one.sql"]
    assert await migrate(url, known=[ONE, TWO]) == ["0002_two.sql"]
    assert await migrate(url, known=[ONE, TWO]) == []
    assert await ask(url, "select t from one") == ["x"]


async def test_four_programs_that_start_at_once_apply_each_file_exactly_once(postgres: EmbeddedPostgres) -> None:
    url = await empty(postgres, "together")

    applied = await asyncio.gather(*(migrate(url, known=[ONE, TWO]) for _ in range(4)))

    assert sorted(name for names in applied for name in names) == ["0001_one.sql", "0002_two.sql"]
    assert await ask(url, "select count(*) from one") == [1]


async def test_four_programs_bring_a_fresh_database_to_the_real_schema(postgres: EmbeddedPostgres) -> None:
    url = await empty(postgres, "real")

    applied = await asyncio.gather(*(migrate(url) for _ in range(4)))

    assert sorted(name for names in applied for name in names) == [migration.name for migration in migrations()]
    async with await PostgresStore.open(url, component="A01:X") as store:
        assert await store.log.head() == 0


async def test_a_file_that_fails_leaves_nothing_behind(postgres: EmbeddedPostgres) -> None:
    url = await empty(postgres, "broken")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(url, known=[ONE, BROKEN])

    assert await ask(url, "select name from schema_version") == ["0001_one.sql"]
    assert await migrate(url, known=[ONE, TWO]) == ["0002_two.sql"]


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ([ONE], "newer than this program: it has 0002_two.sql"),
        ([replace(ONE, sql="create table other (n int);"), TWO], r"0001_one.sql was edited"),
    ],
    ids=["newer", "edited"],
)
async def test_a_database_that_does_not_fit_the_program_is_refused(
    postgres: EmbeddedPostgres, known: Sequence[Migration], message: str
) -> None:
    url = await empty(postgres, "refused")
    await migrate(url, known=[ONE, TWO])

    with pytest.raises(SettingsError, match=message):
        await migrate(url, known=known)


async def test_a_user_without_the_right_is_told_what_an_administrator_must_run(postgres: EmbeddedPostgres) -> None:
    """An external database: its user neither has the role rows are read as nor may make or grant it."""
    url = await empty(postgres, "plain_user")
    await _execute(postgres.url("postgres"), f"revoke {READER} from migrations_plain_user")

    with pytest.raises(SettingsError) as refusal:
        await migrate(url)

    statement = f'grant {READER} to "migrations_plain_user";'
    assert statement in str(refusal.value)
    await _execute(postgres.url("postgres"), statement)
    assert await migrate(url) == [migration.name for migration in migrations()]


async def test_a_user_who_may_grant_the_role_needs_no_administrator(postgres: EmbeddedPostgres) -> None:
    url = await empty(postgres, "role_maker")
    superuser = postgres.url("postgres")
    (version,) = await ask(superuser, "select current_setting('server_version_num')::int")
    assert isinstance(version, int)
    await _execute(superuser, f"revoke {READER} from migrations_role_maker")
    await _execute(
        superuser,
        f"grant {READER} to migrations_role_maker with admin option, set false, inherit false"
        if version >= 160000
        else "alter role migrations_role_maker createrole",
    )

    assert await migrate(url) == [migration.name for migration in migrations()]


async def test_a_user_who_may_not_make_the_schema_is_told_the_statement(postgres: EmbeddedPostgres) -> None:
    url = await empty(postgres, "no_schema")
    await _execute(
        postgres.url("postgres"),
        "alter database migrations_no_schema owner to tps;"
        "grant connect on database migrations_no_schema to migrations_no_schema",
    )

    with pytest.raises(SettingsError, match='create schema "tps" authorization "migrations_no_schema";'):
        await migrate(url)


async def test_a_missing_or_foreign_database_is_a_wrong_setting_and_no_server_is_unavailable(
    postgres: EmbeddedPostgres,
) -> None:
    await empty(postgres, "order")
    await empty(postgres, "together")
    with pytest.raises(SettingsError, match="does not exist"):
        await migrate(postgres.url("nowhere"))
    with pytest.raises(SettingsError, match="permission denied"):
        await migrate(postgres.url("migrations_together", user="migrations_order"))
    with pytest.raises(Unavailable):
        await migrate("postgresql://tps@127.0.0.1:1/tps")


async def test_the_real_schema_is_there_for_every_test(database_url: DatabaseUrl) -> None:
    assert len(await ask(await database_url(), "select name from schema_version")) == len(migrations())


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize(("topic", "projections"), [("ParticipantAdded.v1", 8), ("DocumentSent.v1", 0)])
async def test_a_hub_from_before_versions_were_kept_has_the_first_of_each_projection_and_a_gateway_none(
    postgres: EmbeddedPostgres, topic: str, projections: int
) -> None:
    url = await empty(postgres, f"projections_{projections}")
    await migrate(url, known=[migration for migration in migrations() if migration.version < 8])
    await ask(url, f"insert into stored_events values ('s', 1, '{topic}', '', 1, now(), '', '') returning topic")

    await migrate(url)

    assert await ask(url, "select version from projection") == [1] * projections
