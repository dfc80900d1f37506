"""A gateway on real ground: one works on a log, another one stands by (NF2), and both say so to their probes."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from gateways import process
from gateways.dso.app import build
from hub.directory.values import Party
from hub.settings import Database, Gateway, GatewaySettings, Http, Mades, Participant, Secret
from hub.store import leadership as leading
from hub.values import Role
from tests.fixtures_store import DatabaseUrl
from tests.founded import founded
from tests.unit.test_hub_process import free_port

HUB, HUB_CODE = "45X-TPS-HUB-DEM8", "A01:45X-TPS-HUB-DEM8"
NORTH, NORTH_CODE = "5790000000005", "A10:5790000000005"

pytestmark = pytest.mark.slow


async def test_nf2_a_second_gateway_stands_by_and_takes_over_when_the_first_is_gone(
    database_url: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leading, "RETRY_S", 0.01)
    url = await database_url()
    members = {HUB_CODE: Party.HUB, NORTH_CODE: Party.DSO}
    async with founded(tmp_path, members, hub=HUB_CODE) as platform, asyncio.timeout(60):
        first, second = (settings(url, platform.member(NORTH_CODE)) for _ in range(2))
        working = asyncio.create_task(process.serve(first, build))
        assert await answer(first, "ready") == (200, "ready")
        standing_by = asyncio.create_task(process.serve(second, build))
        assert await answer(second, leading.STANDING_BY) == (503, leading.STANDING_BY)
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{second.http.port}/limits/changes") as refused,
        ):
            assert (refused.status, refused.headers["Retry-After"]) == (503, "2")

        working.cancel()
        await working

        assert await answer(second, "ready") == (200, "ready")
        standing_by.cancel()
        await standing_by


def settings(url: str, folder: Path) -> GatewaySettings:
    """Those of one of the two: all the same but where it listens."""
    return GatewaySettings(
        participant=Participant(id=NORTH, role=Role.DSO),
        gateway=Gateway(hub_id=HUB),
        database=Database(url=Secret(url)),
        mades=Mades(dir=folder),
        http=Http(port=free_port()),
    )


async def answer(chosen: GatewaySettings, expected: str) -> tuple[int, str]:
    """What the probe of readiness says once it is what is expected."""
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{chosen.http.port}/health/ready") as response:
                    found = response.status, (await response.text()).strip()
            except (aiohttp.ClientError, OSError):
                found = 0, "nobody listens"
            if found[1] == expected:
                return found
            await asyncio.sleep(0.01)
