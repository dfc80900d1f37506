"""Schedules through the whole product: from an AGR's POST until the DSO's long polls have every plan of it.

A plan is a day of one asset in 96 values. Beside it the same documents parsed and validated by lxml, once for the hub
and once for the DSO's gateway, in one process.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from tests.bench import documents
from tests.bench.product import RATED_W, Product, asset, product
from tests.bench.report import Figure, by_process, figure, steps

FAMILY: Final = "schedules"
BOUND: Final = "lxml: parse and validate, twice"
IN_ONE: Final = 1_500
"""Plans of one document; about 1,600 are the most (docs/documents.md)."""
STEPS: Final = 96
PATIENCE_S: Final = 900.0
DAY: Final = timedelta(days=1)


class Size(Struct, frozen=True):
    """So many assets are planned at a time, so often."""

    assets: int
    repeats: int


SIZES: Final = (Size(1, 10), Size(100, 5), Size(10_000, 1))


class Plans:
    """The first AGR, which plans assets from the `first` number on, and the DSO, who listens."""

    def __init__(self, platform: Product, *, first: int = 0) -> None:
        self._platform, self._first, self._day = platform, first, 0
        self._from = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + 2 * DAY
        self._told: AsyncIterator[list[Any]] = platform.dso.follow("/schedules/changes")

    async def sent(self, assets: int) -> float:
        """Plan another day of so many assets; seconds until the DSO has been told all of it."""
        start = self._from + self._day * DAY
        self._day += 1
        numbers = range(self._first, self._first + assets)
        begun = time.perf_counter()
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
            tasks.create_task(self._send(start, numbers))
            await self._listen(start, numbers)
            return time.perf_counter() - begun

    async def _send(self, start: datetime, numbers: range) -> None:
        for first in range(0, len(numbers), IN_ONE):
            series = [plan(number, start) for number in numbers[first : first + IN_ONE]]
            answer = await self._platform.agrs[0].send("POST", "/schedules", {"series": series})
            if answer.status != 202:
                raise RuntimeError(f"Plans were answered {answer.status}: {answer.body}")

    async def _listen(self, start: datetime, numbers: range) -> None:
        missing, day = {asset(number) for number in numbers}, _z(start)
        async for items in self._told:
            missing -= {each["asset"] for each in items if each["periods"][0]["start"] == day}
            if not missing:
                return


def plan(number: int, start: datetime) -> dict[str, Any]:
    """A day of an asset, another value in each quarter of an hour."""
    points = [{"position": at, "quantity": at - RATED_W} for at in range(1, STEPS + 1)]
    period = {"start": _z(start), "end": _z(start + DAY), "resolution": "PT15M", "points": points}
    return {"asset": asset(number), "periods": [period]}


async def measured(folder: Path, sizes: Sequence[Size]) -> list[Figure]:
    """Every figure of the family, on a platform of its own."""
    async with product(folder, agrs=1) as platform:
        await platform.register({platform.agrs[0].name: range(max(size.assets for size in sizes))})
        await platform.settled()
        plans = Plans(platform)
        await plans.sent(1)
        return [each for size in sizes for each in await _of(platform, plans, size)]


async def _of(platform: Product, plans: Plans, size: Size) -> list[Figure]:
    took_ms, cost, bound = [], [], []
    for _ in steps(range(size.repeats), f"plans of {size.assets:,}"):
        await platform.settled()
        before = platform.cpu_ms()
        took_ms.append(1000 * await plans.sent(size.assets))
        await platform.settled()
        cost.append({name: (ms - before[name]) / size.assets for name, ms in platform.cpu_ms().items()})
        bound.append(2 * bare_ms(size.assets))
    what = f"plans of {size.assets:,} assets"
    return [
        figure(FAMILY, f"{what}, to the DSO's long poll", "ms", took_ms, bound=bound, bound_is=BOUND),
        by_process(
            FAMILY,
            f"CPU of a plan of {size.assets:,}",
            "ms",
            cost,
            bound=[ms / size.assets for ms in bound],
            bound_is=BOUND,
        ),
        by_process(FAMILY, f"peak memory after {what}", "MB", [platform.memory_mb()]),
    ]


def bare_ms(assets: int) -> float:
    """What lxml takes to parse and validate the documents that so many plans need."""
    whole, rest = divmod(assets, IN_ONE)
    full = whole * documents.bare_ms(documents.schedules(IN_ONE)) if whole else 0.0
    return full + (documents.bare_ms(documents.schedules(rest)) if rest else 0.0)


def _z(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
