"""`tps events list | show | export`: the events themselves, and how much of each a regulator is given."""

import asyncio
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from click.testing import Result

from hub.values import Action
from hub.verbs import formats
from tests.fixtures_store import DatabaseUrl
from tests.hub_log import kept, operate
from tests.hub_world import ALPHA, BRAVO, NOON, NORTH, QUARTER, World, curve

pytestmark = pytest.mark.slow


@pytest.fixture
def world() -> World:
    """Five participants; at a quarter past twelve two assets; at half past an order on bravo's, and its cancel."""
    world = World()
    world.now = NOON + QUARTER
    world.claim(NORTH, "P1")
    world.register(ALPHA, "METER-1", "P1", produces=3000)
    world.register(BRAVO, "METER-2", "P1", produces=5000)
    world.now = NOON + 2 * QUARTER
    world.order(NORTH, "L1", 1, [("METER-2", Action.STOP)])
    world.cancel(NORTH, "L1", 2)
    return world


async def events(url: str, *arguments: str) -> Result:
    return await asyncio.to_thread(operate, url, "events", *arguments)


def lines(result: Result) -> list[dict[str, Any]]:  # JSON
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def positions(result: Result) -> list[int]:
    return [line["position"] for line in lines(result)]


async def test_an_export_ties_every_event_to_the_log_and_tells_nothing_it_says(
    database_url: DatabaseUrl, world: World
) -> None:
    url = await database_url()
    await kept(world, url)

    result = await events(url, "export")

    told = lines(result)
    connection = await asyncpg.connect(url)
    stored = await connection.fetch("select encode(chain, 'hex'), encode(sha256(state), 'hex') from tps.stored_events")
    await connection.close()
    assert [line["position"] for line in told] == list(range(1, len(world.log) + 1))
    assert [(line["chain"], line["digest"]) for line in told] == [tuple(record) for record in stored]
    assert told[0]["type"] == "ParticipantAdded.v2"
    assert told[0]["participants"] == [NORTH]
    for secret in ("METER-1", "METER-2", "3000", "5000", "name of", "STOP"):
        assert secret not in result.stdout
    assert f"{len(world.log)} events written; the last one is at position {len(world.log)}" in result.stderr


async def test_what_events_say_is_exported_only_on_request(database_url: DatabaseUrl, world: World) -> None:
    url = await database_url()
    await kept(world, url)

    told = lines(await events(url, "export", "--with-payloads", "--type", "ResourceRegistered"))

    assert [line["says"]["capability"]["max_production"] for line in told] == [3000, 5000]
    assert [line["stream"] for line in told] == ["resource/NDK:METER-1", "resource/NDK:METER-2"]


async def test_a_plan_is_exported_with_every_value(database_url: DatabaseUrl, world: World) -> None:
    world.plan(ALPHA, "S1", 1, {"METER-1": curve(700, 800)})
    url = await database_url()
    await kept(world, url)

    (told,) = lines(await events(url, "export", "--with-payloads", "--type", "ScheduleSubmitted"))

    (period,) = told["says"]["periods"]
    assert period["points"] == [[1, 700], [2, 800]]
    assert period["interval"]["start"] == "2026-11-24T13:00:00Z"
    assert told["says"]["type"] == "ScheduleSubmitted.v1"


async def test_events_are_chosen_by_half_open_time_and_kind(database_url: DatabaseUrl, world: World) -> None:
    url = await database_url()
    await kept(world, url)

    span = await events(url, "export", "--from", "2026-11-24T12:15Z", "--to", "2026-11-24T12:30Z")
    kinds = await events(url, "export", "--type", "LimitOrdered", "--type", "LimitCancelled")

    expected = [recorded.position for recorded in world.log if recorded.at == NOON + QUARTER]
    assert positions(span) == expected
    assert [line["type"] for line in lines(kinds)] == ["LimitOrdered.v1", "LimitCancelled.v1"]


async def test_an_event_is_about_whom_it_names_and_whom_the_hub_told_because_of_it(
    database_url: DatabaseUrl, world: World
) -> None:
    """An order and a cancel name no aggregator; the one they were sent to is concerned all the same."""
    url = await database_url()
    await kept(world, url)

    bravos = lines(await events(url, "export", "--participant", "45X-AGR-BRAVO--B"))
    alphas = lines(await events(url, "export", "--participant", "45X-AGR-ALPHA--N"))

    kinds = ["ParticipantAdded.v2", "ResourceRegistered.v1", "DocumentAnswered.v1"]
    assert [line["type"] for line in bravos] == [*kinds, "LimitOrdered.v1", "LimitCancelled.v1"]
    assert [line["type"] for line in alphas] == kinds


async def test_who_typed_a_command_is_told_only_with_payloads(database_url: DatabaseUrl, world: World) -> None:
    url = await database_url()
    first = world.log[0]
    world.log[0] = type(first)(first.event, first.position, first.at, "cli/erika")
    await kept(world, url)

    bare = await events(url, "export")
    whole = await events(url, "export", "--with-payloads")

    assert lines(bare)[0]["cause"] == "cli"
    assert "erika" not in bare.stdout
    assert lines(whole)[0]["cause"] == "cli/erika"


async def test_a_file_appears_only_when_the_whole_chain_held(
    database_url: DatabaseUrl, world: World, tmp_path: Path
) -> None:
    url = await database_url()
    await kept(world, url)
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"

    before = await events(url, "export", "--out", str(good))
    assert good.stat().st_mode & 0o777 == 0o600
    connection = await asyncpg.connect(url)
    await connection.execute("update tps.stored_events set cause = 'nobody' where notification_id = 7")
    await connection.close()
    after = await events(url, "export", "--out", str(bad))

    assert (before.exit_code, after.exit_code) == (0, 1)
    assert len(good.read_text().splitlines()) == len(world.log)
    assert "position 7" in after.output
    assert not bad.exists()
    assert not bad.with_suffix(".jsonl.part").exists()


async def test_what_was_exported_is_told_to_programs(database_url: DatabaseUrl, world: World, tmp_path: Path) -> None:
    url = await database_url()
    await kept(world, url)

    told = json.loads((await events(url, "export", "--out", str(tmp_path / "events"), "--json")).stdout)

    written = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    last = written[-1]
    assert told == {"events": len(written), "position": last["position"], "chain": last["chain"]}
    empty = await events(url, "export", "--to", "2000-01-01", "--out", str(tmp_path / "none"), "--json")
    assert json.loads(empty.stdout) == {"events": 0, "position": None, "chain": None}
    reversed_ = await events(url, "export", "--from", "2026-11-02", "--to", "2026-11-01")
    assert (reversed_.exit_code, "Give --from the earlier" in reversed_.output) == (2, True)


async def test_a_parquet_file_has_the_same_events_in_the_same_order(
    database_url: DatabaseUrl, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet = importlib.import_module("pyarrow.parquet")
    monkeypatch.setattr(formats, "GROUP", 4)
    url, file = await database_url(), tmp_path / "events.parquet"
    await kept(world, url)

    result = await events(url, "export", "--format", "parquet", "--out", str(file), "--with-payloads")
    as_lines = lines(await events(url, "export", "--with-payloads"))

    assert result.exit_code == 0, result.output
    rows = parquet.read_table(file).to_pylist()
    assert [
        {**row, "at": msgspec.json.decode(msgspec.json.encode(row["at"])), "says": json.loads(row["says"])}
        for row in rows
    ] == as_lines


async def test_without_its_library_parquet_is_refused_in_words(
    database_url: DatabaseUrl, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    url, file = await database_url(), tmp_path / "events.parquet"
    await kept(world, url)

    result = await events(url, "export", "--format", "parquet", "--out", str(file))

    assert result.exit_code == 2
    assert "Install the extra `parquet`, or export JSON Lines." in result.output
    assert not file.with_suffix(".parquet.part").exists()


async def test_the_newest_events_are_listed_in_words(database_url: DatabaseUrl, world: World) -> None:
    url = await database_url()
    await kept(world, url)

    result = await events(url, "list", "--last", "3")
    listed = await events(url, "list", "--participant", "45X-AGR-BRAVO--B", "--last", "2", "--json")

    last = len(world.log)
    ordered, cancelled, judged = result.output.splitlines()
    assert ordered.endswith("document L1 of 5790000000005: judged A01 (accepted); revision 1")
    assert " ".join(cancelled.split()) == f"{last - 1} 2026-11-24 12:30:00Z limit cancelled with revision 2"
    assert judged.endswith("document L1 of 5790000000005: judged A01 (accepted); revision 2")
    assert [line["type"] for line in lines(listed)] == ["LimitOrdered.v1", "LimitCancelled.v1"]


async def test_one_event_is_shown_with_all_it_says(database_url: DatabaseUrl, world: World) -> None:
    url = await database_url()
    await kept(world, url)
    (position,) = (one.position for one in world.log if getattr(one.event, "resource", "") == "NDK:METER-2")

    shown = await events(url, "show", str(position))
    beyond = await events(url, "show", "999")

    assert f"Position {position}: asset METER-2 registered by 45X-AGR-BRAVO--B" in shown.output
    assert "capability: {max_production: 5000, max_consumption: 0}" in shown.output
    assert (beyond.exit_code, "no position 999" in beyond.output) == (1, True)
