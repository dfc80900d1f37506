"""`tps projections` and the hub's own renewal: told in words, changed in one go, or not at all (R32)."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from getpass import getuser
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from msgspec.structs import replace
from structlog.testing import capture_logs

from documents.identifiers import party
from hub import app
from hub.app import renew
from hub.clock import ManualClock
from hub.commands import AddParticipant
from hub.desk import Desk
from hub.events import ViewsRebuilt
from hub.projections.catalogue import CATALOGUE
from hub.settings import Database, HubSettings, Secret
from hub.store.codec import verified
from hub.store.embedded import EmbeddedPostgres
from hub.store.leadership import leadership
from hub.store.shadow import Difference, Shadow
from hub.values import Role
from hub.verbs.projections import words
from tests import operated
from tests.fixtures_store import Cluster
from tests.rebuild_world import ask, feeds
from tests.system import HUB, MARKET
from tests.unit.test_hub_process import ALPHA, BRAVO, run

pytestmark = pytest.mark.slow

CHARLIE = "45X-BRP-CHARLIEG"
WHY = ("--why", "ticket 5")


async def admit(desk: Desk, *codes: str) -> None:
    for code in codes:
        command = AddParticipant(participant=party(code), role=Role.AGR, name=code, by="ops")
        await desk.submit(command, cause="test")


async def until(holds: Callable[[], Awaitable[object]]) -> None:
    """Wait for another process or task to come so far."""
    for _ in range(2000):
        if await holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came so far")


def settings_of(url: str) -> HubSettings:
    return HubSettings(hub=MARKET, database=Database(url=Secret(url)))


@pytest_asyncio.fixture
async def url(cluster: Cluster) -> AsyncIterator[str]:
    async with cluster.lent() as url:
        yield url


@pytest.mark.slow
def test_the_views_are_listed_checked_and_made_good_from_the_command_line(tmp_path: Path) -> None:
    async def damage() -> None:
        async with EmbeddedPostgres(tmp_path, durable=True) as postgres:
            await ask(await postgres.database("hub"), "update row_item set payload = 'x' where view = 'participants'")

    run(tmp_path, "participants", "add", ALPHA, "AGR")
    before = json.loads(run(tmp_path, "projections", "list", "--json")[1])
    assert run(tmp_path, "projections", "rebuild", *WHY) == (0, "All views: as the log says, up to event 1.\n")
    assert run(tmp_path, "projections", "rebuild", "nonsense", *WHY)[0] == 2
    code, told = run(tmp_path, "projections", "rebuild")
    assert (code, "Missing option '--why'" in told) == (2, True)
    asyncio.run(damage())

    code, told = run(tmp_path, "projections", "rebuild", "--check")
    assert (code, told.splitlines()[0]) == (
        1,
        "operator_board: not as the log says, up to event 1: items 1, keys 1.",
    )
    assert f"item 1 (A01:{ALPHA}) has another payload than event 1 gave it." in told
    assert run(tmp_path, "projections", "rebuild", "--check", "dso_assets")[0] == 0
    assert json.loads(run(tmp_path, "projections", "rebuild", "--check", "--json")[1])["keys"] == 1
    code, told = run(tmp_path, "projections", "rebuild", "operator_board", *WHY)
    assert (code, told.splitlines()[-1]) == (0, "Made good; rows appended at the tails of their feeds: 1.")

    after = json.loads(run(tmp_path, "projections", "list", "--json")[1])
    assert run(tmp_path, "projections", "rebuild", "--check") == (0, "All views: as the log says, up to event 2.\n")
    (board,) = [one for one in after if one["name"] == "operator_board"]
    assert (board["version"], board["position"], board["lag"], board["rows"], board["items"]) == (1, 2, 0, 1, 2)
    assert [one["digest"] for one in after] == [one["digest"] for one in before]
    assert "operator_board            1           2         0" in run(tmp_path, "projections", "list")[1]


async def test_what_a_rebuild_by_hand_has_changed_is_an_event_with_who_and_why(url: str) -> None:
    async with app.operating(settings_of(url)) as (desk, store):
        await admit(desk, ALPHA)
        unchanged = await operated.run(url, "projections", "rebuild", *WHY)
        await ask(url, "update row_item set payload = 'x' where view = 'participants'")

        await operated.run(url, "projections", "rebuild", "operator_board", *WHY, "--by", "ada")

        assert "as the log says, up to event 1" in unchanged
        events = [event async for event in verified(store.log.read())]
        told = [(event.stream, event.version, event.cause) for event in events[1:]]
        assert told == [("views", 1, f"cli/{getuser()}")]
        assert app.brain_of(MARKET).decode(events[1].topic, events[1].state) == ViewsRebuilt(
            projections=("operator_board",), items=1, keys=1, appended=1, renewed=(), why="ticket 5", by="ada"
        )
        await admit(desk, BRAVO)  # a desk that works beside it follows
        assert await store.log.head() == 3


async def test_a_log_that_was_changed_is_told_in_words(url: str) -> None:
    async with app.operating(settings_of(url)) as (desk, _):
        await admit(desk, ALPHA)
    await ask(url, "update stored_events set cause = 'somebody else'")

    told = await operated.run(url, "projections", "rebuild", "--check", code=1)

    assert told.startswith("Error: The log was changed at or before position 1")


async def test_a_projection_of_another_version_is_rebuilt_while_the_hub_works_and_the_old_rows_serve(url: str) -> None:
    async with app.operating(settings_of(url)) as (desk, store):
        await admit(desk, ALPHA, BRAVO)
        old = await feeds(url)
        second = [replace(entry, version=2) if entry.name == "operator_board" else entry for entry in CATALOGUE]

        with capture_logs() as logs:
            await asyncio.gather(renew(url, MARKET, catalogue=second), admit(desk, CHARLIE))

        assert [line["event"] for line in logs if line["event"].startswith("projections")] == [
            "projections.rebuilding",
            "projections.rebuilt",
        ]
        recorded = await store.projections.recorded()
        assert {name: one.version for name, one in recorded.items() if one.version != 1} == {"operator_board": 2}
        now = await feeds(url)
        assert all(now[feed][: len(items)] == items for feed, items in old.items())


async def test_a_renewal_that_fails_is_logged_and_the_hub_goes_on(url: str) -> None:
    async with app.operating(settings_of(url)) as (desk, store):
        await admit(desk, ALPHA)

        def broken(*_: object) -> list[object]:
            raise ValueError("a projection that fails")

        failing = [replace(entry, version=2, rows=broken) for entry in CATALOGUE[:1]]
        with capture_logs() as logs:
            await renew(url, MARKET, catalogue=failing)

        assert [line["error"] for line in logs if line["event"] == "projections.not_rebuilt"] == ["ValueError"]
        assert (await store.projections.recorded())["agr_limits"].version == 1


async def test_a_renewal_waits_for_its_turn(url: str) -> None:
    clock = ManualClock()
    async with app.operating(settings_of(url)) as (desk, store):
        await admit(desk, ALPHA)
        second = [replace(entry, version=2) for entry in CATALOGUE[:1]]
        async with Shadow.open(url):
            waiting = asyncio.create_task(renew(url, MARKET, catalogue=second, clock=clock))
            await until(lambda: asyncio.sleep(0, clock.sleeping))
        await clock.advance(60)
        await waiting

        assert (await store.projections.recorded())["agr_limits"].version == 2


async def test_another_version_is_left_to_a_hub_that_runs(url: str) -> None:
    async with app.operating(settings_of(url)) as (desk, _):
        await admit(desk, ALPHA)
    await ask(url, "update projection set version = 0 where name = 'agr_limits'")
    environment = {
        **os.environ,
        "TPS__HUB__ID": HUB,
        "TPS__HUB__SECRET": MARKET.secret.reveal(),
        "TPS__DATABASE__URL": url,
    }

    async def command(*arguments: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hub", "projections", "rebuild", *WHY, *arguments),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        printed, _ = await process.communicate()
        return process.returncode, printed.decode()

    async with leadership(url, lambda: None):
        code, told = await command()
        assert (code, "Start the hub with this program" in told) == (1, True)
    code, told = await command()
    assert (code, told.splitlines()[-1]) == (0, "agr_limits: the rows are of this program's version now.")


@pytest.mark.slow
async def test_ctrl_c_leaves_the_views_as_they_were(url: str) -> None:
    async with app.operating(settings_of(url)) as (desk, _):
        await admit(desk, ALPHA, BRAVO)
    await ask(url, "update row_item set payload = 'x'")
    damaged = await feeds(url)
    environment = {
        **os.environ,
        "TPS__HUB__ID": HUB,
        "TPS__HUB__SECRET": MARKET.secret.reveal(),
        "TPS__DATABASE__URL": url,
    }
    blocker = await asyncpg.connect(url)
    await blocker.execute("select pg_advisory_lock(728301, 1)")  # the rebuild waits for the log, at its last step
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hub", "projections", "rebuild", *WHY),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    await until(lambda: ask(url, "select from pg_locks where locktype = 'advisory' and objid = 1 and not granted"))
    process.send_signal(signal.SIGINT)
    printed, _ = await process.communicate()
    await blocker.close()

    assert (process.returncode, printed.decode().splitlines()[-1]) == (
        1,
        "Error: Stopped. The views are as they were.",
    )
    assert await feeds(url) == damaged
    assert await ask(url, "select count(*) from stored_events") == [(2,)]


def difference(kind: str, **fields: object) -> Difference:
    nothing = dict.fromkeys(("key", "sequence", "position", "live_position"))
    told = {"view": "dso_assets", "audience": "NORTH", "fields": (), **nothing, **fields}
    return Difference(kind=kind, **told)  # type: ignore[arg-type] # fields of Difference


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            difference("changed", sequence=7, key="a1", position=40, fields=("payload", "group")),
            "item 7 (a1) has another payload and group than event 40 gave it.",
        ),
        (difference("missing", sequence=7, key="a1", position=40), "item 7 (a1), of event 40, is gone."),
        (difference("extra", sequence=7, key="a1"), "item 7 (a1) was caused by no event."),
        (difference("counter", live_position=9, sequence=7), "counts to 9, its last item is 7."),
        (difference("counter", sequence=7), "counts to nothing, its last item is 7."),
        (difference("hidden", key="a1", position=40), "does not show a1, which event 40 put there."),
        (difference("left over", key="a1"), "shows a1, which the log took away or never had."),
        (
            difference("other", key="a1", position=40, fields=("payload",)),
            "shows a1 with another payload than event 40 gave it.",
        ),
    ],
)
def test_damage_is_told_in_words(found: Difference, sentence: str) -> None:
    assert words(found) == f"dso_assets of NORTH: {sentence}"
