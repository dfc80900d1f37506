"""`tps events` on a real database: what an auditor is told of a log."""

import asyncio
import json
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner

from documents.identifiers import party
from hub import app
from hub.cli import tps
from hub.commands import AddParticipant
from hub.settings import Database, HubSettings, Secret
from hub.values import Role
from tests.fixtures_store import DatabaseUrl
from tests.system import HUB, MARKET

PARTICIPANTS = ("5790000000005", "5790000000012", "5790000000029")

pytestmark = pytest.mark.slow


async def tps_events(url: str, *arguments: str) -> tuple[int, str]:
    """One command of the operator; exit code and what it printed."""
    settings = {
        "TPS__HUB__ID": HUB,
        "TPS__HUB__SECRET": MARKET.secret.reveal(),
        "TPS__DATABASE__URL": url,
    }
    result = await asyncio.to_thread(CliRunner(env=settings).invoke, tps, ["events", *arguments])
    return result.exit_code, result.output


async def log_of_three(url: str) -> None:
    """Three events at positions 1, 2, 3."""
    settings = HubSettings(hub=MARKET, database=Database(url=Secret(url)))
    async with app.operating(settings) as (desk, _):
        for participant in PARTICIPANTS:
            await desk.submit(AddParticipant(participant=party(participant), role=Role.DSO, by="ops"), cause="cli")


async def change(url: str, statement: str) -> None:
    """What somebody with a password of the database may do."""
    connection = await asyncpg.connect(url)
    await connection.execute(f"set search_path to tps; {statement}")
    await connection.close()


async def test_a_log_that_nobody_touched_is_what_was_written(database_url: DatabaseUrl) -> None:
    url = await database_url()
    await log_of_three(url)

    words = "The log is what was written: 3 records, none under a signed checkpoint.\n"
    assert await tps_events(url, "verify") == (0, words)


@pytest.mark.parametrize(
    ("statement", "position", "words"),
    [
        ("update stored_events set cause = 'nobody' where notification_id = 2", 2, "does not follow"),
        ("update stored_events set recorded_at = recorded_at + interval '1 microsecond'", 1, "does not follow"),
        ("update stored_events set chain = sha256('') where notification_id = 3", 3, "does not follow"),
        ("update stored_events set recorded_at = 'infinity' where notification_id = 2", 2, "cannot be"),
        ("delete from stored_events where notification_id = 2", 2, "missing"),
    ],
)
async def test_a_changed_log_is_found_and_the_first_bad_position_named(
    database_url: DatabaseUrl, statement: str, position: int, words: str
) -> None:
    url = await database_url()
    await log_of_three(url)
    await change(url, statement)

    code, printed = await tps_events(url, "verify")
    _, as_json = await tps_events(url, "verify", "--json")

    assert code == 1
    assert printed.startswith(f"Position {position}: ")
    assert words in printed
    assert json.loads(as_json)["fault"]["position"] == position


async def test_an_audit_that_is_kept_in_a_file_goes_on_from_there(database_url: DatabaseUrl, tmp_path: Path) -> None:
    url, file = await database_url(), str(tmp_path / "audit.json")
    await log_of_three(url)

    assert (await tps_events(url, "verify", "--resume", file))[0] == 0
    await change(url, "delete from stored_events where notification_id = 3")
    code, printed = await tps_events(url, "verify", "--resume", file)

    assert code == 1
    assert printed.startswith("Position 3: The record is missing. Position 3 was there before.")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("nonsense", "expected what an earlier run has noted"),
        ('{"log": "another"}', "is about another"),
        ('{"log": "trade-permission-system/A01:45X-TPS-HUB-DEM8", "position": 3}', "0 peaks for 3 leaves"),
    ],
)
async def test_a_file_of_something_else_is_wrong_usage(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "audit.json"
    file.write_text(content)

    code, printed = await tps_events("postgresql://nowhere", "verify", "--resume", str(file))

    assert (code, words in printed) == (2, True)


async def test_where_the_log_has_nothing_nothing_was_verified(database_url: DatabaseUrl) -> None:
    url = await database_url()
    await log_of_three(url)

    code, told = await tps_events(url, "verify", "--from", "4")

    assert (code, "The log ends at position 3" in told) == (2, True)
    assert await tps_events(url, "prove", "9" * 20) == (1, f"Error: The log has no position {'9' * 20}.\n")


async def test_a_file_that_cannot_be_written_is_told_before_the_work(database_url: DatabaseUrl, tmp_path: Path) -> None:
    url = await database_url()
    await log_of_three(url)

    code, told = await tps_events(url, "verify", "--resume", str(tmp_path / "nowhere" / "audit.json"))

    assert (code, "audit.json cannot be written: No such file or directory." in told) == (2, True)


async def test_two_ways_to_begin_are_wrong_usage() -> None:
    assert (await tps_events("postgresql://nowhere", "verify", "--resume", "audit.json", "--from", "2"))[0] == 2
