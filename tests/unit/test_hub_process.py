"""The hub on real ground: its database, its lock, its commands (R1, R6)."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from aiohttp import ClientConnectionError, ClientSession
from click.testing import CliRunner

from documents.identifiers import party
from hub import app
from hub.cli import tps
from hub.commands import AddParticipant
from hub.directory.values import Party
from hub.errors import SettingsError, Unavailable
from hub.settings import Broker, Database, Http, HubSettings, Mades, Secret
from hub.store import leadership as leading
from hub.store.leadership import STANDING_BY, leadership
from hub.values import Role
from tests.database_detour import detour
from tests.fixtures_store import DatabaseUrl
from tests.founded import founded
from tests.system import HUB, MARKET

NORTH, ALPHA, BRAVO = "5790000000005", "45X-AGR-ALPHA--N", "45X-AGR-BRAVO--B"
NORTH_CODE = "A10:5790000000005"

LAST_WORD = """select state_change from pg_stat_activity
where datname = current_database() and application_name like 'tps, process %'"""

pytestmark = pytest.mark.slow


async def test_a_second_hub_stands_by_until_the_first_is_gone(
    database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leading, "RETRY_S", 0.01)
    url = await database_url()
    second_leads = asyncio.Event()

    async def second() -> None:
        async with leadership(url, lambda: None):
            second_leads.set()

    async with asyncio.TaskGroup() as tasks:
        async with leadership(url, lambda: None):
            tasks.create_task(second())
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(second_leads.wait(), 0.1)
        await asyncio.wait_for(second_leads.wait(), 20)


async def test_a_hub_that_loses_its_session_is_told(database_url: DatabaseUrl) -> None:
    url, lost = await database_url(), asyncio.Event()
    async with leadership(url, lost.set):
        other = await asyncpg.connect(url)
        await other.execute(
            "select pg_terminate_backend(pid) from pg_locks join pg_database on oid = database "
            "where locktype = 'advisory' and datname = current_database()"
        )
        await other.close()

        await asyncio.wait_for(lost.wait(), 20)


async def test_nf2_a_hub_that_is_there_and_silent_loses_its_session(
    database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leading, "SILENCE_S", 0.2)
    monkeypatch.setattr(leading, "RETRY_S", 3600)
    url, lost = await database_url(), asyncio.Event()

    async with leadership(url, lost.set):
        await asyncio.wait_for(lost.wait(), 20)
        async with leadership(url, lambda: None):
            pass


async def test_nf2_a_hub_that_works_says_so_to_its_database(
    database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leading, "RETRY_S", 0.01)
    url = await database_url()
    async with leadership(url, lambda: None), asyncio.timeout(20):
        admin = await asyncpg.connect(url)
        before = await admin.fetchval(LAST_WORD)
        while await admin.fetchval(LAST_WORD) == before:  # noqa: ASYNC110 # seen from outside only
            await asyncio.sleep(0)
        await admin.close()


async def test_nf2_a_hub_whose_database_has_vanished_gives_up(
    database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leading, "SILENCE_S", 0.5)
    monkeypatch.setattr(leading, "RETRY_S", 0.01)
    lost = asyncio.Event()
    async with detour(await database_url()) as road, leadership(road.url, lost.set):
        road.is_silent = True

        await asyncio.wait_for(lost.wait(), 20)


async def test_nf2_a_standby_whose_database_has_vanished_does_not_wait_for_ever(
    database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leading, "SILENCE_S", 0.5)
    monkeypatch.setattr(leading, "RETRY_S", 0.01)
    url = await database_url()
    async with detour(url) as road, leadership(url, lambda: None):

        def vanish() -> None:
            road.is_silent = True

        with pytest.raises(Unavailable):
            await asyncio.wait_for(_stand_by(road.url, vanish), 20)


async def _stand_by(url: str, standing_by: Callable[[], None]) -> None:
    async with leadership(url, lambda: None, standing_by=standing_by):
        raise AssertionError("it leads")


async def test_r1_the_hub_hears_at_once_of_what_the_command_line_commits(database_url: DatabaseUrl) -> None:
    url = await database_url()
    settings = HubSettings(hub=MARKET, database=Database(url=Secret(url)))
    heard: asyncio.Queue[int] = asyncio.Queue()

    async with leadership(url, lambda: None, heard.put_nowait), app.operating(settings) as (desk, _):
        await desk.submit(AddParticipant(participant=party(NORTH), role=Role.DSO, by="ops"), cause="cli")

        assert await asyncio.wait_for(heard.get(), 20) == desk.position == 1


async def test_the_database_of_another_hub_is_refused(database_url: DatabaseUrl) -> None:
    url = await database_url()
    settings = HubSettings(hub=MARKET, database=Database(url=Secret(url)))
    async with app.operating(settings) as (desk, _):
        assert desk.position == 0
    other = HubSettings(hub=type(MARKET)(id=NORTH, secret=MARKET.secret), database=settings.database)

    with pytest.raises(SettingsError, match="Use another database"):
        async with app.operating(other):
            pass


async def test_the_hub_serves_on_a_real_database_and_broker_until_it_is_told_to_stop(
    database_url: DatabaseUrl, tmp_path: Path
) -> None:
    code = app.hub_id(MARKET)
    async with founded(tmp_path, {code: Party.HUB}, hub=code) as platform:
        settings = HubSettings(
            hub=MARKET,
            database=Database(url=Secret(await database_url())),
            mades=Mades(dir=platform.member(code)),
            http=Http(port=free_port()),
        )
        serving = asyncio.create_task(app.serve(settings))
        async with asyncio.timeout(30), ClientSession() as session:
            while await status(session, f"http://127.0.0.1:{settings.http.port}/health/ready") != 200:
                assert not serving.done()
            async with session.get(f"http://127.0.0.1:{settings.http.port}/metrics") as answer:
                assert "tps_log_position 0.0" in await answer.text()
            os.kill(os.getpid(), signal.SIGTERM)
            await serving


async def test_nf2_a_hub_that_stands_by_tells_its_probe_so(database_url: DatabaseUrl, tmp_path: Path) -> None:
    code, url = app.hub_id(MARKET), await database_url()
    async with founded(tmp_path, {code: Party.HUB}, hub=code) as platform, leadership(url, lambda: None):
        settings = HubSettings(
            hub=MARKET,
            database=Database(url=Secret(url)),
            mades=Mades(dir=platform.member(code)),
            http=Http(port=free_port()),
        )
        serving = asyncio.create_task(app.serve(settings))
        async with asyncio.timeout(30), ClientSession() as session:
            while True:
                if await status(session, ready := f"http://127.0.0.1:{settings.http.port}/health/ready") == 503:
                    async with session.get(ready) as answer:
                        if await answer.text() == f"{STANDING_BY}\n":
                            break
                assert not serving.done()
            os.kill(os.getpid(), signal.SIGTERM)
            await serving


async def test_a_hub_told_to_stop_before_the_broker_answers_just_ends(
    database_url: DatabaseUrl, tmp_path: Path
) -> None:
    code = app.hub_id(MARKET)
    async with founded(tmp_path, {code: Party.HUB}, hub=code) as platform:
        settings = HubSettings(
            hub=MARKET,
            database=Database(url=Secret(await database_url())),
            mades=Mades(dir=platform.member(code)),
            broker=Broker(url=f"amqps://127.0.0.1:{free_port()}/mades"),
            http=Http(port=free_port()),
        )
        serving = asyncio.create_task(app.serve(settings))
        async with asyncio.timeout(30), ClientSession() as session:
            while await status(session, f"http://127.0.0.1:{settings.http.port}/health/ready") != 503:
                assert not serving.done()
            os.kill(os.getpid(), signal.SIGTERM)
            await serving


async def test_a_hub_that_is_not_registered_or_is_another_is_told_so(database_url: DatabaseUrl, tmp_path: Path) -> None:
    database = Database(url=Secret(await database_url()))
    with pytest.raises(SettingsError, match="tps mades register"):
        await app.serve(HubSettings(hub=MARKET, database=database, mades=Mades(dir=tmp_path / "nothing")))

    async with founded(tmp_path, {NORTH_CODE: Party.DSO, app.hub_id(MARKET): Party.HUB}, hub=NORTH_CODE) as platform:
        another = HubSettings(hub=MARKET, database=database, mades=Mades(dir=platform.member(NORTH_CODE)))
        with pytest.raises(SettingsError, match=f"found the component {NORTH_CODE}; expected A01:45X-TPS-HUB-DEM8"):
            await app.serve(another)


async def status(session: ClientSession, url: str) -> int:
    """What a probe is answered; 0 when nobody listens yet."""
    try:
        async with session.get(url) as answer:
            return answer.status
    except ClientConnectionError:
        return 0


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def run(directory: Path, *arguments: str) -> tuple[int, str]:
    """One command of the operator; exit code and what it printed."""
    settings = {
        "TPS__HUB__ID": HUB,
        "TPS__HUB__SECRET": MARKET.secret.reveal(),
        "TPS__DATABASE__DIR": str(directory),
    }
    result = CliRunner(env=settings).invoke(tps, arguments)
    return result.exit_code, result.output


def test_r1_participants_are_added_listed_suspended_and_resumed_from_the_command_line(tmp_path: Path) -> None:
    assert run(tmp_path, "participants", "add", NORTH, "DSO", "--name", "North") == (0, f"{NORTH} is now DSO.\n")
    assert run(tmp_path, "participants", "add", NORTH, "dso", "--name", "North") == (0, f"{NORTH} is already DSO.\n")
    assert run(tmp_path, "participants", "add", ALPHA, "AGR")[0] == 0
    assert run(tmp_path, "participants", "suspend", ALPHA, "--why", "late")[0] == 0

    assert run(tmp_path, "participants", "list") == (0, f"{ALPHA}  AGR  -    (suspended)\n{NORTH}  DSO  -  North\n")

    assert run(tmp_path, "participants", "resume", ALPHA, "--why", "paid")[0] == 0
    assert "suspended" not in run(tmp_path, "participants", "list")[1]


def test_what_cannot_be_done_ends_with_1_and_wrong_usage_with_2_both_with_words(tmp_path: Path) -> None:
    run(tmp_path, "participants", "add", NORTH, "DSO")
    refused = run(tmp_path, "participants", "add", NORTH, "AGR")
    unknown = run(tmp_path, "assets", "reassign", "571313100000000010", "--to", ALPHA, "--why", "sold")
    no_point = run(tmp_path, "points", "reassign", "571313199000000014", "--to", NORTH, "--why", "sold")
    no_id = run(tmp_path, "participants", "add", "45X-AGR-ALPHA--X", "AGR")

    assert (refused[0], unknown[0], no_point[0], no_id[0]) == (1, 1, 1, 2)
    assert "cannot become AGR" in refused[1]
    assert "N was expected" in no_id[1]
    for _, words in (refused, unknown, no_point, no_id):
        assert "Traceback" not in words
