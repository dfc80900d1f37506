"""`tps store`: the condition of a database in words, its schema brought forward, its backup and its return."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.cli import tps
from hub.store.embedded import EmbeddedPostgres
from hub.store.leadership import leadership
from hub.store.migrate import migrations
from hub.store.postgres import PostgresStore
from tests.fixtures_store import DatabaseUrl
from tests.operated import ALPHA_CODE, GATEWAY_SETTINGS, HUB_CODE, HUB_SETTINGS, happen, queue, run

pytestmark = pytest.mark.slow

NEWEST = migrations()[-1].version


async def test_the_condition_of_a_database_is_told(database_url: DatabaseUrl) -> None:
    url = await database_url()
    async with await PostgresStore.open(url, component=HUB_CODE) as store:
        await happen(store, "Happened.v1", b"1")
        await queue(store, "d1")

    async with leadership(url, lambda: None):
        told = await run(url, "store", "status")
        found = json.loads(await run(url, "store", "status", "--json"))

    lines = dict(line.split(maxsplit=1) for line in told.splitlines())
    assert lines["store"] == f"of {HUB_CODE}"
    assert lines["schema"] == f"version {NEWEST}"
    assert lines["head"].startswith("1 of 20")
    assert lines["lag"].startswith("1 messages not delivered, the oldest since 20")
    assert lines["holder"].startswith("tps, process ")
    assert (found["component"], found["version"], found["head"], found["waiting"]) == (HUB_CODE, NEWEST, 1, 1)
    assert found["size_bytes"] > 1_000_000
    assert found["holder"]["name"].startswith("tps, process ")


async def test_a_database_without_schema_ends_with_1_and_is_brought_forward(postgres: EmbeddedPostgres) -> None:
    url = await postgres.database("never_migrated")

    told = await run(url, "store", "status", code=1)
    moved = await run(url, "store", "migrate")
    again = await run(url, "store", "migrate")

    assert "store of nobody yet" in told
    assert told.count("missing: ") == len(migrations())
    assert moved.splitlines()[-1] == f"Schema version {NEWEST}, {len(migrations())} applied."
    assert again == f"Schema version {NEWEST}, 0 applied.\n"
    assert "no process has the lock" in await run(url, "store", "status")


async def test_a_backup_of_a_gateway_comes_back_into_an_empty_database(
    tmp_path: Path, database_url: DatabaseUrl, postgres: EmbeddedPostgres
) -> None:
    url, other, file = await database_url(), await postgres.database("returned"), str(tmp_path / "backup")
    async with await PostgresStore.open(url, component=ALPHA_CODE) as store:
        await happen(store, "Happened.v1", b"1")

    made = await run(url, "store", "backup", file, settings=GATEWAY_SETTINGS)
    back = await run(other, "store", "restore", file, settings=GATEWAY_SETTINGS)
    refused = await run(url, "store", "backup", file, settings=GATEWAY_SETTINGS, code=2)

    assert f"store of {ALPHA_CODE}" in made
    assert "log up to 1 of" in made
    assert back.startswith("Restored: store of")
    assert "have them send it again" in back
    assert "never overwritten" in refused
    assert "head     1 of" in await run(other, "store", "status", settings=GATEWAY_SETTINGS)


@pytest.mark.parametrize("command", ["status", "backup"])
def test_an_embedded_database_that_was_never_made_is_not_made_to_look_at_it(tmp_path: Path, command: str) -> None:
    environment = HUB_SETTINGS | {"TPS__DATABASE__DIR": str(tmp_path / "none")}

    arguments = ["store", command, *([str(tmp_path / "file")] if command == "backup" else [])]

    result = CliRunner(env=environment).invoke(tps, arguments, auto_envvar_prefix="TPS")

    assert result.exit_code == 1
    assert "There is no database in" in result.output
    assert not (tmp_path / "none").exists()
