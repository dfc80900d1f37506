"""Who takes part is decided in the directory, and the broker follows: by command, by itself, and after it was away."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from hub import settings as chosen
from hub.cli import tps
from hub.clock import ManualClock
from hub.directory.values import Party
from hub.directory_service import Directory, make_authority, process
from hub.directory_service.gate import LOOK_S, Gate
from hub.mades import provision
from hub.mades.management import managing
from hub.settings import DirectorySettings, Management
from hub.store.memory import MemoryStore
from tests.directory_site import now
from tests.directory_world import ALPHA, BROKER, CONTACT, DIRECTORY, HUB
from tests.fixtures_store import DatabaseUrl
from tests.mades_brokers import RabbitTls

MEMBERS = {HUB: Party.HUB, ALPHA: Party.AGR, BROKER: Party.BROKER}


@pytest.fixture
async def directory(tmp_path: Path) -> AsyncIterator[Directory]:
    """Hub, broker and an aggregator are registered."""
    clock = ManualClock(now())
    authority = make_authority(tmp_path / "authority", "Test", now=clock.now())
    kept = Directory(DIRECTORY, store=MemoryStore(component=DIRECTORY), authority=authority, clock=clock)
    async with kept.running():
        for code, party in MEMBERS.items():
            await kept.enrol(tmp_path / code.rpartition(":")[2], code, party, CONTACT, by="test")
        yield kept


async def who_may_log_in(management_url: str) -> set[str]:
    async with managing(management_url) as operator:
        return {each.code for each in await provision.status(operator) if each.may_log_in}


@pytest.mark.slow
async def test_r1_a_running_directory_tells_the_broker_of_every_decision(
    directory: Directory, rabbit: RabbitTls
) -> None:
    """Endpoints come in, the directory's other components do not; who is revoked is out, who is reapproved is in."""
    gate = Gate(directory, Management(url=rabbit.management_url))

    await gate.fit()
    assert await who_may_log_in(rabbit.management_url) == {HUB, ALPHA}

    await directory.revoke(ALPHA, why="stolen", by="test")
    await gate.fit()
    assert await who_may_log_in(rabbit.management_url) == {HUB}

    await directory.reapprove(ALPHA, why="found", by="test")
    await gate.fit()
    assert await who_may_log_in(rabbit.management_url) == {HUB, ALPHA}


@pytest.mark.slow
async def test_r1_revoking_on_the_command_line_counts_at_the_broker_when_the_command_ends(
    database_url: DatabaseUrl, rabbit: RabbitTls, tmp_path: Path
) -> None:
    """`tps directory revoke` and `reapprove`, with `management.url` and the password beside it."""
    url, folder = await database_url(), tmp_path / "authority"
    make_authority(folder, "Test", now=now())
    settings = DirectorySettings(
        directory=chosen.Directory(id=DIRECTORY.partition(":")[2], dir=folder),
        database=chosen.Database(url=chosen.Secret(url)),
    )
    async with process.opened(settings) as opened:
        for code, party in MEMBERS.items():
            await opened.enrol(tmp_path / code.rpartition(":")[2], code, party, CONTACT, by="test")
    user, _, host = rabbit.management_url.partition("//")[2].partition("@")
    environment = {
        "TPS__DIRECTORY__ID": settings.directory.id,
        "TPS__DIRECTORY__DIR": str(folder),
        "TPS__DATABASE__URL": url,
        "TPS__MANAGEMENT__URL": f"http://{user.partition(':')[0]}@{host}",
        "TPS__MANAGEMENT__PASSWORD": user.partition(":")[2],
    }

    async def run(verb: str, **changed: str) -> str:
        words = ["directory", verb, ALPHA, "--why", "test"]
        result = await asyncio.to_thread(CliRunner().invoke, tps, words, env={**environment, **changed})
        return result.output.strip()

    assert await run("reapprove") == "It is not revoked."
    assert await who_may_log_in(rabbit.management_url) == {HUB, ALPHA}
    assert await run("revoke") == "Now revoked."
    assert await who_may_log_in(rabbit.management_url) == {HUB}
    failed = await run("reapprove", TPS__MANAGEMENT__URL="http://127.0.0.1:1")
    assert "decided, but the broker does not know it yet: No management interface answers" in failed
    assert await who_may_log_in(rabbit.management_url) == {HUB}
    assert await run("reapprove") == "It is not revoked."
    assert await who_may_log_in(rabbit.management_url) == {HUB, ALPHA}


async def test_a_broker_that_does_not_answer_is_tried_again_and_stops_nothing(directory: Directory) -> None:
    gate = Gate(directory, Management(url="http://127.0.0.1:1"))
    with capture_logs() as logs:
        async with process.keeping(gate):
            assert isinstance(directory.clock, ManualClock)
            for _ in range(2):
                while not directory.clock.sleeping:  # noqa: ASYNC110 # it sleeps when it has tried
                    await asyncio.sleep(0.001)
                await directory.clock.advance(LOOK_S)
            while not directory.clock.sleeping:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    failures = [each for each in logs if each["event"] == "broker.not_provisioned"]
    assert [each["retry_s"] for each in failures] == [LOOK_S] * 3
    assert "127.0.0.1:1" in failures[0]["error"]
