"""The platform under load while something is done to it, and single long polls: who reads what, who writes what."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

import aiohttp

from gateways.demo.cast import HEAT_PUMP, NORTH, PLAYERS
from gateways.demo.founding import Platform
from tests.containers.accounts import settled, told_until_now
from tests.containers.site import Site
from tests.fault.clients import JSON, Clients
from tests.fault.load import Load

POLL_S: Final = 60
BREATH_S: Final = 5.0
"""Of load before something is done, and after the last thing."""
AFTER_THE_DAY: Final = timedelta(days=8)
"""Where nothing of the sample day is in the way."""
APART: Final = timedelta(days=8)
"""From one load to the next, so that none is in the way of another."""
_numbers: Final = count()


@asynccontextmanager
async def under_load(site: Site) -> AsyncIterator[Clients]:
    """Everybody writes and reads for as long as the block lasts. Fails when then anything is lost or doubled."""
    async with clients_of(site.platform()) as clients:
        number = next(_numbers)
        load = Load(clients, ahead=AFTER_THE_DAY + number * APART, first_asset=number * 10_000)
        await load.prepare()
        before = await told_until_now(clients)
        async with load.running():
            await asyncio.sleep(BREATH_S)
            yield clients
            await asyncio.sleep(BREATH_S)
        owed = await settled(clients, load, before)
        assert owed == {}, owed
    letters = site.dead_letters()
    assert letters == "Dead letters: 0.", letters


def verdict(clients: Clients) -> dict[str, str]:
    """What there is to tell of a load that ended well."""
    return {
        "writes judged": str(len(clients.judged)),
        "lost, doubled, gaps, dead letters": "0, 0, 0, 0",
        "longest write": f"{max(each.took_s for each in clients.judged):.1f} s",
    }


@asynccontextmanager
async def clients_of(platform: Platform) -> AsyncIterator[Clients]:
    """Everybody's clients."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=POLL_S + 30)) as session:
        yield Clients(session, platform)


async def newest(clients: Clients, name: str) -> str:
    """The cursor behind all that a participant was told."""
    player = next(each for each in PLAYERS if each.name == name)
    await clients.feed(player, "/limits/changes")
    return clients.cursor(player, "/limits/changes")


async def poll(clients: Clients, name: str, after: str, wait_s: int = POLL_S) -> tuple[int, list[JSON]]:
    """One long poll, from its start to its answer."""
    player = next(each for each in PLAYERS if each.name == name)
    return await clients.poll(player, "/limits/changes", after=after, timeout_s=wait_s)


async def announce(clients: Clients, hours: int) -> None:
    """A limit of north on alpha's heat pump, so many hours from now."""
    start = (datetime.now(UTC) + timedelta(hours=hours)).replace(minute=0, second=0, microsecond=0)
    period = {
        "start": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "end": f"{start + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
        "resolution": "PT15M",
        "points": [{"position": 1, "quantity": 100_000}],
    }
    body = {"direction": "consumption", "series": [{"assets": [HEAT_PUMP.id], "periods": [period]}]}
    await clients.write(NORTH, "POST", "/limits/foreseen", body)
    assert clients.judged[-1].status in {200, 201}, clients.judged[-1]


async def until_nothing(ask: Callable[[], Awaitable[object]], within_s: float = 120.0) -> float:
    """Seconds until nothing is left to answer. Fails with what is."""
    begun = time.monotonic()
    while left := await ask():
        assert time.monotonic() < begun + within_s, left
        await asyncio.sleep(0.5)
    return time.monotonic() - begun
