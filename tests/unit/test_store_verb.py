"""`tps store`: the condition of a database in words, its schema brought forward, its backup and its return."""

import asyncio
import json
from getpass import getuser
from pathlib import Path

import pytest
from click.testing import CliRunner

from documents.values import Identifier
from hub import app
from hub.cli import tps
from hub.directory.brain import DirectoryBrain
from hub.mades.box.brain import BoxBrain
from hub.ports import Brain, Recorded
from hub.restored import StoreRestored
from hub.store.backup import read_manifest
from hub.store.codec import verified
from hub.store.embedded import EmbeddedPostgres
from hub.store.leadership import leadership
from hub.store.migrate import migrations
from hub.store.postgres import PostgresStore
from tests.fixtures_store import DatabaseUrl
from tests.gateway_bench import Bench
from tests.operated import ALPHA, ALPHA_CODE, GATEWAY_SETTINGS, HUB_CODE, HUB_SETTINGS, happen, queue, run
from tests.system import MARKET

pytestmark = pytest.mark.slow

NEWEST = migrations()[-1].version
WHY = ("--why", "disk lost")
DIRECTORY_CODE = Identifier("A01:45X-TPS-DIR-DEMS")
DIRECTORY_SETTINGS = {"TPS__DIRECTORY__ID": "45X-TPS-DIR-DEMS"}


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
    back = await run(other, "store", "restore", file, *WHY, settings=GATEWAY_SETTINGS)
    refused = await run(url, "store", "backup", file, settings=GATEWAY_SETTINGS, code=2)

    assert f"store of {ALPHA_CODE}" in made
    assert "log up to 1 of" in made
    assert back.startswith("Restored: store of")
    assert "have them send it again" in back
    assert "never overwritten" in refused
    assert "head     2 of" in await run(other, "store", "status", settings=GATEWAY_SETTINGS)


KINDS: dict[str, tuple[dict[str, str], Identifier, Brain]] = {
    "hub": (HUB_SETTINGS, HUB_CODE, app.brain_of(MARKET)),
    "gateway": (GATEWAY_SETTINGS, ALPHA_CODE, Bench.agr().brain),
    "box": (GATEWAY_SETTINGS, ALPHA_CODE, BoxBrain(ALPHA_CODE)),
    "directory": (DIRECTORY_SETTINGS, DIRECTORY_CODE, DirectoryBrain(DIRECTORY_CODE)),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_restore_is_the_newest_event_of_the_restored_log_with_who_and_why(
    tmp_path: Path, database_url: DatabaseUrl, postgres: EmbeddedPostgres, kind: str
) -> None:
    settings, code, brain = KINDS[kind]
    url, other, file = await database_url(), await postgres.database(f"again_{kind}"), tmp_path / "backup"
    async with await PostgresStore.open(url, component=code) as store:
        await happen(store, "Happened.v1", b"1")
        await happen(store, "Happened.v1", b"2")
    await run(url, "store", "backup", str(file), "--kind", kind, settings=settings)
    manifest = read_manifest(file)

    missing = await run(other, "store", "restore", str(file), "--kind", kind, settings=settings, code=2)
    await run(other, "store", "restore", str(file), "--kind", kind, *WHY, "--by", "ada", settings=settings)

    assert "Missing option '--why'" in missing
    async with await PostgresStore.open(other, component=code) as store:
        events = [event async for event in verified(store.log.read())]
    assert [(event.stream, event.version, event.cause) for event in events[2:]] == [("store", 1, f"cli/{getuser()}")]
    event = brain.decode(events[2].topic, events[2].state)
    assert event == StoreRestored(made=manifest.made, head=2, chain=events[1].chain.hex(), why="disk lost", by="ada")
    recorded = Recorded(event, 3, events[2].at, events[2].cause)
    assert list(brain.rows(recorded)) == []
    brain.evolve(recorded)


async def test_a_log_that_was_restored_twice_says_so_twice_and_a_hub_goes_on_with_it(
    tmp_path: Path, database_url: DatabaseUrl, postgres: EmbeddedPostgres
) -> None:
    first, second, third = await database_url(), await postgres.database("twice_2"), await postgres.database("twice_3")
    await run(first, "participants", "add", ALPHA, "AGR")
    for name, source, target in (("once", first, second), ("twice", second, third)):
        file = str(tmp_path / name)
        await run(source, "store", "backup", file)
        await run(target, "store", "restore", file, *WHY)

    await run(third, "participants", "suspend", ALPHA, *WHY)

    told = await run(third, "events", "list")
    assert told.count("the store brought back by") == 2
    assert "suspended" in told


async def test_a_backup_to_nowhere_blames_the_file_and_not_the_database(database_url: DatabaseUrl) -> None:
    url = await database_url()
    async with await PostgresStore.open(url, component=HUB_CODE):
        pass

    environment = {"TPS__DATABASE__URL": url, **HUB_SETTINGS}
    result = await asyncio.to_thread(CliRunner(env=environment).invoke, tps, ["store", "backup", "/nowhere/backup"])

    assert str(result.exception) == "The backup cannot be written: No such file or directory."


@pytest.mark.parametrize("command", ["status", "backup"])
def test_an_embedded_database_that_was_never_made_is_not_made_to_look_at_it(tmp_path: Path, command: str) -> None:
    environment = HUB_SETTINGS | {"TPS__DATABASE__DIR": str(tmp_path / "none")}

    arguments = ["store", command, *([str(tmp_path / "file")] if command == "backup" else [])]

    result = CliRunner(env=environment).invoke(tps, arguments, auto_envvar_prefix="TPS")

    assert result.exit_code == 1
    assert "There is no database in" in result.output
    assert not (tmp_path / "none").exists()
