"""One limit's way through the idle product: where each millisecond goes, told by what its stations have stored.

Everybody's clock is that of this machine. A station's instants are those of the message: opened (verified and
decrypted), and decided (the time of the batch it was stored with).
"""

import asyncio
import time
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from itertools import count, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import asyncpg

from tests.bench.limits import Limits
from tests.bench.product import Product, product
from tests.bench.report import Figure, figure

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]

FAMILY: Final = "way"
AGRS: Final = 3
SETTLED_S: Final = 0.5
"""After a limit, until its acknowledgements have ended too."""
STATIONS: Final = (
    "posted",
    "decided by the DSO's gateway",
    "opened by the hub",
    "decided by the hub",
    "opened by the last AGR's gateway",
    "decided by the last AGR's gateway",
    "answered to the last long poll",
)
DECIDED: Final = """
    select max(accepted) from tps.out_message
    where business_type = 'TPS-FORESEEN' and internal_type = 'STANDARD_MESSAGE'"""
OPENED: Final = "select max(received) from tps.in_message where business_type = 'TPS-FORESEEN'"
TAKEN: Final = """
    select max(accepted) from tps.out_message
    where business_type = 'TPS-FORESEEN' and internal_type = 'DELIVERY_ACKNOWLEDGEMENT'"""


async def measured(folder: Path, limits: int) -> list[Figure]:
    """The median of each part of the way, and of all of it; N = 3."""
    async with product(folder, agrs=AGRS) as platform, AsyncExitStack() as stack:
        await platform.register({agr.name: [number] for number, agr in enumerate(platform.agrs)})
        names = ("hub", platform.dso.name, *(agr.name for agr in platform.agrs))
        stores = {name: await _store(stack, folder, name) for name in names}
        sender = Limits(platform, count(1))
        async with sender.listening():
            await sender.sustained(AGRS, 1.0, 10)
            ways = [await _way(platform, stores, sender) for _ in range(limits)]
    parts = [
        figure(FAMILY, f"{before}, then {after}", "ms", [way[place + 1] - way[place] for way in ways])
        for place, (before, after) in enumerate(pairwise(STATIONS))
    ]
    return [*parts, figure(FAMILY, "all of it", "ms", [way[-1] - way[0] for way in ways])]


async def _store(stack: AsyncExitStack, folder: Path, name: str) -> "Connection":
    text = await asyncio.to_thread((folder / "members" / name / "settings.toml").read_text, "utf-8")
    connection = await asyncpg.connect(tomllib.loads(text)["database"]["url"])
    stack.push_async_callback(connection.close)
    return connection


async def _way(platform: Product, stores: Mapping[str, "Connection"], sender: Limits) -> list[float]:
    """When a limit was at each station, in ms."""
    await asyncio.sleep(SETTLED_S)
    begun = time.time()
    took = await sender.one(AGRS)
    await asyncio.sleep(SETTLED_S)
    agrs = [stores[agr.name] for agr in platform.agrs]
    at = [
        begun,
        await _latest(DECIDED, [stores[platform.dso.name]]),
        await _latest(OPENED, [stores["hub"]]),
        await _latest(DECIDED, [stores["hub"]]),
        await _latest(OPENED, agrs),
        await _latest(TAKEN, agrs),
        begun + took,
    ]
    return [1000 * each for each in at]


async def _latest(query: str, stores: Sequence["Connection"]) -> float:
    instants: list[datetime] = [await store.fetchval(query) for store in stores]
    return max(instants).timestamp()
