"""Limits through the whole product: from a DSO's POST until the last of N affected AGRs' long polls has answered.

Every limit is told from every other by its quantity: the total of N assets is N times its number, so that each AGR's
share is the number itself, in watts.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeVar

from msgspec import Struct

from tests.bench import bare_chain, measures
from tests.bench.product import Client, Product, asset, product
from tests.bench.report import Figure, by_process, figure, steps

FAMILY: Final = "limits"
BOUND: Final = "bare chain"
PAUSE_S: Final = 0.1
"""Between two limits of an idle platform, for acknowledgements and receipts to end."""
PATIENCE_S: Final = 120.0
DAYS: Final = 30
SLOT: Final = timedelta(minutes=15)
POINTS: Final = 4
T = TypeVar("T")


class Plan(Struct, frozen=True):
    """How much is measured: for each number of `affected` AGRs, so many `idle` limits, and `seconds` of many.

    `in_flight` are deliveries on their way in a sustained run; `load_part` is the rate under load, as a part of what
    was sustained, `bare` the limits of a run of the bare chain.
    """

    affected: Sequence[int] = (1, 3, 30)
    idle: int = 20
    in_flight: int = 192
    seconds: float = 5.0
    load_part: float = 0.5
    repeats: int = 3
    bare: int = 300


class Run(Struct, frozen=True):
    """One run: seconds each limit took, seconds of all of it, and CPU in ms by kind of process."""

    took_s: Sequence[float]
    seconds: float
    cpu_ms: dict[str, float]

    def latency_ms(self, percent: float) -> float:
        """A percentile of what a limit took."""
        return 1000 * measures.percentile(self.took_s, percent)

    @property
    def per_s(self) -> float:
        """Limits per second."""
        return len(self.took_s) / self.seconds


class Limits:
    """A DSO that limits one asset of each of some AGRs, and those AGRs, who listen."""

    def __init__(self, platform: Product, numbers: "count[int]") -> None:
        self._platform, self._numbers = platform, numbers
        self._missing: dict[int, int] = {}
        self._done: dict[int, asyncio.Future[float]] = {}
        self._from = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Everybody's long polls wait for as long as the block lasts."""
        async with asyncio.TaskGroup() as tasks:
            loops = [tasks.create_task(self._listen(agr)) for agr in self._platform.agrs]
            yield
            for loop in loops:
                loop.cancel()

    async def one(self, affected: int) -> float:
        """Post a limit on one asset of each of so many AGRs; seconds until the last of them has it."""
        number = next(self._numbers)
        self._missing[number] = affected
        done: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._done[number] = done
        begun = time.perf_counter()
        await self._post(number, affected)
        async with asyncio.timeout(PATIENCE_S):
            return await done - begun

    async def post(self, affected: int) -> None:
        """Post a limit that nobody waits for here."""
        await self._post(next(self._numbers), affected)

    async def _post(self, number: int, affected: int) -> None:
        answer = await self._platform.dso.send("POST", "/limits/foreseen", self._body(number, affected))
        if answer.status != 202:
            raise RuntimeError(f"A limit was answered {answer.status}: {answer.body}")

    async def idle(self, affected: int, limits: int) -> Run:
        """One after the other, with a pause after each."""

        async def all_of_them() -> list[float]:
            took = []
            for _ in range(limits):
                took.append(await self.one(affected))
                await asyncio.sleep(PAUSE_S)
            return took

        return await self._measured(all_of_them)

    async def sustained(self, affected: int, seconds: float, in_flight: int) -> Run:
        """As many as there can be, with so many on their way; none begins after so many seconds."""
        end = time.perf_counter() + seconds

        async def all_of_them() -> list[float]:
            async def some() -> list[float]:
                took = [await self.one(affected)]
                while time.perf_counter() < end:
                    took.append(await self.one(affected))
                return took

            return [
                each for some_of_them in await _together([some() for _ in range(in_flight)]) for each in some_of_them
            ]

        return await self._measured(all_of_them)

    async def at_rate(self, affected: int, per_s: float, seconds: float) -> Run:
        """So many a second, whether those before have come or not."""
        limits = max(1, int(per_s * seconds))

        async def all_of_them() -> list[float]:
            async def later(after_s: float) -> float:
                await asyncio.sleep(after_s)
                return await self.one(affected)

            return await _together([later(n / per_s) for n in range(limits)])

        return await self._measured(all_of_them)

    async def _measured(self, work: Callable[[], Awaitable[list[float]]]) -> Run:
        await self._platform.settled()
        before, begun = self._platform.cpu_ms(), time.perf_counter()
        took = await work()
        seconds = time.perf_counter() - begun
        await self._platform.settled()
        cost = {name: value - before[name] for name, value in self._platform.cpu_ms().items()}
        return Run(took, seconds, cost)

    async def _listen(self, agr: Client) -> None:
        async for items in agr.follow("/limits/changes"):
            now = time.perf_counter()
            for item in items:
                self._arrived(_number(item), now)

    def _arrived(self, number: int, now: float) -> None:
        self._missing[number] -= 1
        if not self._missing[number]:
            del self._missing[number]
            self._done.pop(number).set_result(now)

    def _body(self, number: int, affected: int) -> dict[str, Any]:
        """A limit of an hour somewhere in the next days."""
        start = self._from + number % (DAYS * 96) * SLOT
        points = [{"position": at + 1, "quantity": affected * (number + at)} for at in range(POINTS)]
        period = {"start": _z(start), "end": _z(start + POINTS * SLOT), "resolution": "PT15M", "points": points}
        series = {"assets": [asset(each) for each in range(affected)], "periods": [period]}
        return {"direction": "consumption", "series": [series]}


async def measured(folder: Path, plan: Plan) -> list[Figure]:
    """Every figure of the family: of the bare chain, then of platforms with no more AGRs than are affected."""
    chained = len(bare_chain.AGRS)
    bound = await bare_chain.measured(
        folder / "bare",
        idle=plan.idle,
        many=plan.bare,
        in_flight=max(1, plan.in_flight // chained),
        pause_s=PAUSE_S,
        repeats=plan.repeats,
    )
    few = [affected for affected in plan.affected if affected <= chained]
    many = [affected for affected in plan.affected if affected > chained]
    figures: list[Figure] = []
    for sizes in filter(None, (few, *([size] for size in many))):
        figures += await _with(folder / f"{max(sizes)}-agrs", sizes, plan, {chained: bound})
    return figures


async def _with(folder: Path, sizes: Sequence[int], plan: Plan, bounds: Mapping[int, bare_chain.Bound]) -> list[Figure]:
    """The figures for these numbers of affected AGRs, on a platform of its own."""
    agrs = max(sizes)
    await asyncio.to_thread(folder.mkdir)
    async with product(folder, agrs=agrs) as platform:
        await platform.register({agr.name: [number] for number, agr in enumerate(platform.agrs)})
        limits = Limits(platform, count(1))
        async with limits.listening():
            await limits.sustained(agrs, 1.0, 10)  # warm
            found = [each for size in sizes for each in await _of(limits, size, plan, bounds.get(size))]
        return [*found, by_process(FAMILY, f"memory, {agrs} AGRs", "MB", [platform.memory_mb()])]


async def _of(limits: Limits, affected: int, plan: Plan, bound: "bare_chain.Bound | None") -> list[Figure]:
    """The figures for so many affected AGRs, beside those of a bare chain of as many."""
    idle, sustained, loaded = [], [], []
    for _ in steps(range(plan.repeats), f"limits to {affected}"):
        idle.append(await limits.idle(affected, plan.idle))
        sustained.append(await limits.sustained(affected, plan.seconds, max(1, plan.in_flight // affected)))
        loaded.append(await limits.at_rate(affected, plan.load_part * sustained[-1].per_s, plan.seconds))
    who = f"to {affected} AGR{'s' if affected > 1 else ''}"
    per_delivery = [{name: ms / len(run.took_s) / affected for name, ms in run.cpu_ms.items()} for run in sustained]
    bare_ms = bound.idle_ms if bound else {}
    rates, costs = (bound.per_s, [ms / affected for ms in bound.cpu_ms]) if bound else ([], [])
    return [
        *_latencies(f"limit {who}, idle", idle, bare_ms),
        *_latencies(f"limit {who}, at {plan.load_part:.0%} of the most", loaded, {}),
        figure(
            FAMILY, f"limits {who}, sustained", "per s", [run.per_s for run in sustained], bound=rates, bound_is=BOUND
        ),
        figure(FAMILY, f"deliveries {who}, sustained", "per s", [affected * run.per_s for run in sustained]),
        by_process(FAMILY, f"CPU of a delivery {who}", "ms", per_delivery, bound=costs, bound_is=BOUND),
    ]


def _latencies(what: str, runs: Sequence[Run], bound_ms: Mapping[int, list[float]]) -> list[Figure]:
    return [
        figure(
            FAMILY,
            f"{what}, p{p}",
            "ms",
            [run.latency_ms(p) for run in runs],
            bound=bound_ms.get(p, ()),
            bound_is=BOUND,
        )
        for p in bare_chain.PERCENTS
    ]


async def _together(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    async with asyncio.TaskGroup() as tasks:
        started = [tasks.create_task(each) for each in work]
    return [task.result() for task in started]


def _number(limit: Any) -> int:  # JSON
    """The number of a limit: the first watts of the share in it."""
    return int(limit["shares"][0]["periods"][0]["points"][0]["quantity"])


def _z(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
