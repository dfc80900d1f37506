"""Overload: twice the plans that the platform can sustain, and what must hold all the same.

What was accepted is neither lost nor doubled; memory is bounded; unforeseen limits pass what queues; a client that is
refused is told when to come again; and what waits drains once the flood is over.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Final

from msgspec import Struct

from hub.directory_service.plan import Sections
from tests.bench import measures
from tests.bench.product import Client, Product, asset, product
from tests.bench.report import Figure, figure, promise
from tests.bench.schedules import DAY, plan

FAMILY: Final = "overload"
PLANNED: Final = 10
"""Assets of one document of plans, all of the first AGR; stops are of an asset of each of the two others."""
GROUPS: Final = 10
"""So many times as many assets are registered: a day is planned once for each group."""
DAYS: Final = 600
"""As far ahead is planned; the hub takes two years."""
GATEWAYS: Final[Sections] = {"gateway": {"waiting_max": 60}}
"""Few enough that a short flood fills a gateway; all else is as it comes."""
IN_FLIGHT: Final = 20
BURST: Final = 100
"""Documents that come all at once when the flood begins: more than may wait."""
IDLE: Final = 20
EVERY_S: Final = 0.5
"""Between two unforeseen limits."""
GREETINGS: Final = 400
"""Requests at once, twice as many as a token may make."""
PATIENCE_S: Final = 600.0
MORE_MB: Final = 100.0
"""What a process may take more of memory than before the flood; what it keeps of each plan for ever is in it."""
LATER: Final = 3.0
"""What an unforeseen limit may take in the flood, as a multiple of its idle p50; two cores are all there is."""
Plan = tuple[str, str]
"""Asset and start of a plan."""


class Trial(Struct, frozen=True):
    """What was found: latencies of unforeseen limits in ms, documents a second, s until all had come, memory in MB of
    each kind of process before and after.
    """

    idle_ms: Sequence[float]
    busy_ms: Sequence[float]
    sustained_per_s: float
    drained_s: float
    before_mb: dict[str, float]
    after_mb: dict[str, float]


class Flood:
    """The first AGR's plans, and what the DSO has been told of them."""

    def __init__(self, platform: Product) -> None:
        self._platform, self._numbers = platform, count()
        self._from = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + 2 * DAY
        self._group_of = {asset(2 + number): number // PLANNED for number in range(GROUPS * PLANNED)}
        self._left: dict[tuple[int, str], int] = {}
        self._done: dict[tuple[int, str], asyncio.Event] = {}
        self.accepted: Counter[Plan] = Counter()
        self.told: Counter[Plan] = Counter()
        self.refused: list[tuple[int, float]] = []

    async def follow(self) -> None:
        """Read what the DSO is told, for ever."""
        async for items in self._platform.dso.follow("/schedules/changes"):
            for item in items:
                self._hear(item["asset"], item["periods"][0]["start"])

    async def one(self) -> None:
        """Send a document of plans, again for as long as it is refused, and wait until the DSO has all of it."""
        group, days = divmod(next(self._numbers), DAYS)
        if group >= GROUPS:
            raise RuntimeError(f"There are assets for {GROUPS * DAYS} documents only. Flood for a shorter time.")
        start, planned = self._from + days * DAY, range(2 + group * PLANNED, 2 + (group + 1) * PLANNED)
        body = {"series": [plan(number, start) for number in planned]}
        self._left[group, _z(start)], self._done[group, _z(start)] = PLANNED, asyncio.Event()
        agr = self._platform.agrs[0]
        while (answer := await agr.send("POST", "/schedules", body)).status in {429, 503}:
            self.refused.append((answer.status, answer.retry_after_s))
            await asyncio.sleep(answer.retry_after_s or 1.0)
        if answer.status != 202:
            raise RuntimeError(f"Plans were answered {answer.status}: {answer.body}")
        self.accepted.update((asset(number), _z(start)) for number in planned)
        await self._done[group, _z(start)].wait()

    async def sustained_per_s(self, seconds: float) -> float:
        """Documents a second, with so many on their way."""
        begun = time.perf_counter()

        async def some() -> int:
            mine = 0
            while time.perf_counter() - begun < seconds:
                await self.one()
                mine += 1
            return mine

        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
            workers = [tasks.create_task(some()) for _ in range(IN_FLIGHT)]
        return sum(worker.result() for worker in workers) / (time.perf_counter() - begun)

    def _hear(self, of: str, day: str) -> None:
        self.told[of, day] += 1
        mine = self._group_of[of], day
        self._left[mine] -= 1
        if not self._left[mine]:
            self._done[mine].set()


class Stops:
    """Unforeseen limits of the DSO on an asset of each of two AGRs, told apart by their end."""

    def __init__(self, platform: Product) -> None:
        self._platform, self._numbers = platform, count(1)
        self._from = datetime.now(UTC).replace(second=0, microsecond=0) + DAY
        self._left: dict[str, int] = {}
        self._done: dict[str, asyncio.Event] = {}

    async def follow(self, agr: Client) -> None:
        """Read what an AGR is told, for ever."""
        async for items in agr.follow("/limits/changes"):
            for item in items:
                self._left[item["end"]] -= 1
                if not self._left[item["end"]]:
                    self._done[item["end"]].set()

    async def one(self) -> float:
        """Order one; ms until the last long poll has it."""
        end = _z(self._from + next(self._numbers) * timedelta(minutes=1))
        self._left[end], self._done[end] = 2, asyncio.Event()
        orders = [{"asset": asset(number), "action": "STOP"} for number in range(2)]
        begun = time.perf_counter()
        answer = await self._platform.dso.send("POST", "/limits/unforeseen", {"expectedEnd": end, "orders": orders})
        if answer.status != 202:
            raise RuntimeError(f"An unforeseen limit was answered {answer.status}: {answer.body}")
        await self._done[end].wait()
        return 1000 * (time.perf_counter() - begun)

    async def during(self, until: asyncio.Event) -> list[float]:
        """One after the other, with a pause after each."""
        took = []
        while not until.is_set():
            took.append(await self.one())
            await asyncio.sleep(EVERY_S)
        return took


async def measured(folder: Path, seconds: float) -> list[Figure]:
    """A flood of so many seconds; figures, some of which are promises."""
    async with product(folder, agrs=3, gateways=GATEWAYS) as platform:
        first, second, third = (agr.name for agr in platform.agrs)
        await platform.register({first: range(2, 2 + GROUPS * PLANNED), second: [0], third: [1]})
        flood, stops = Flood(platform), Stops(platform)
        async with _reading(platform, flood, stops):
            trial = await _tried(platform, flood, stops, seconds)
        away = await _turned_away(platform.agrs[2])
    return [*_figures(trial, seconds), *_promises(trial, flood, away)]


async def _tried(platform: Product, flood: Flood, stops: Stops, seconds: float) -> Trial:
    idle_ms = [await stops.one() for _ in range(IDLE)]
    sustained_per_s = await flood.sustained_per_s(seconds)
    await platform.settled()
    before_mb = platform.memory_mb()
    busy_ms, drained_s = await _flooded(flood, stops, 2 * sustained_per_s, seconds)
    await platform.settled()
    return Trial(
        idle_ms=idle_ms,
        busy_ms=busy_ms,
        sustained_per_s=sustained_per_s,
        drained_s=drained_s,
        before_mb=before_mb,
        after_mb=platform.memory_mb(),
    )


async def _flooded(flood: Flood, stops: Stops, per_s: float, seconds: float) -> tuple[list[float], float]:
    """A burst, then so many documents a second: ms of stops meanwhile, s from the end until all have come."""
    over = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        urgent = tasks.create_task(stops.during(over))
        times_s = [*(0.0 for _ in range(BURST)), *(number / per_s for number in range(int(per_s * seconds)))]
        offered = [tasks.create_task(_later(at_s, flood)) for at_s in times_s]
        await asyncio.sleep(seconds)
        over.set()
        ended = time.perf_counter()
        _, late = await asyncio.wait(offered, timeout=PATIENCE_S)
        for task in late:
            task.cancel()
        return await urgent, time.perf_counter() - ended


def _figures(trial: Trial, seconds: float) -> list[Figure]:
    in_flood = [
        figure(
            FAMILY,
            f"unforeseen limit to 2 AGRs in a flood, p{percent}",
            "ms",
            [measures.percentile(trial.busy_ms, percent)],
            bound=[measures.percentile(trial.idle_ms, percent)],
            bound_is="idle",
        )
        for percent in (50, 99)
    ]
    return [
        figure(FAMILY, f"documents of {PLANNED} plans, sustained", "per s", [trial.sustained_per_s]),
        *in_flood,
        figure(FAMILY, f"until all has come, after {seconds:.0f} s at twice the rate", "s", [trial.drained_s]),
    ]


def _promises(trial: Trial, flood: Flood, away: Sequence[float]) -> list[Figure]:
    lost, doubled = (flood.accepted - flood.told).total(), (flood.told - flood.accepted).total()
    full = [pause for status, pause in flood.refused if status == HTTPStatus.SERVICE_UNAVAILABLE]
    grown = {name: trial.after_mb[name] - trial.before_mb[name] for name in trial.before_mb}
    most = max(grown, key=lambda name: grown[name])
    later = measures.percentile(trial.busy_ms, 50) / measures.percentile(trial.idle_ms, 50)
    return [
        promise(FAMILY, f"lost of {flood.accepted.total()} accepted", "plans", lost, holds=lost == 0),
        promise(FAMILY, "told twice", "plans", doubled, holds=doubled == 0),
        promise(FAMILY, "refused while full, 503 with Retry-After", "times", len(full), holds=all(full) and bool(full)),
        promise(
            FAMILY, "refused when too often, 429 with Retry-After", "times", len(away), holds=all(away) and bool(away)
        ),
        promise(FAMILY, f"more memory of {most}, which grew most", "MB", grown[most], holds=grown[most] <= MORE_MB),
        promise(FAMILY, "unforeseen limits, flood / idle, p50", "", later, holds=later <= LATER),
    ]


async def _turned_away(agr: Client) -> list[float]:
    """The pauses that are asked for when one asks too often."""
    answers = await asyncio.gather(*(agr.send("GET", "/assets") for _ in range(GREETINGS)))
    return [answer.retry_after_s for answer in answers if answer.status == 429]


@asynccontextmanager
async def _reading(platform: Product, flood: Flood, stops: Stops) -> AsyncIterator[None]:
    """Everybody reads for as long as the block lasts."""
    async with asyncio.TaskGroup() as tasks:
        readers = [tasks.create_task(flood.follow()), *(tasks.create_task(stops.follow(a)) for a in platform.agrs[1:])]
        yield
        for reader in readers:
            reader.cancel()


async def _later(after_s: float, flood: Flood) -> None:
    await asyncio.sleep(after_s)
    await flood.one()


def _z(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
