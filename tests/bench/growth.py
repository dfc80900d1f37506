"""The same messages with ten and a hundred times the assets, on one platform: what each costs must stay flat.

The bound of every figure is what it was with the fewest assets.
"""

import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Final

from msgspec import Struct

from tests.bench import measures
from tests.bench.limits import Limits
from tests.bench.product import Product, product, registration
from tests.bench.report import Figure, figure, steps
from tests.bench.schedules import Plans

FAMILY: Final = "growth"
AGRS: Final = 3
IDLE: Final = 15
IN_FLIGHT: Final = 32
SECONDS: Final = 4.0
PLANNED: Final = 100
REPEATS: Final = 3
MS: Final = "ms"
CPU: Final = "ms of CPU"


class Cost(Struct, frozen=True):
    """What a message took: the unit, and a value of each repeat."""

    unit: str
    values: Sequence[float]


async def measured(folder: Path, sizes: Sequence[int]) -> list[Figure]:
    """Every figure at each number of assets, ascending."""
    found: list[Figure] = []
    async with product(folder, agrs=AGRS) as platform:
        names = [agr.name for agr in platform.agrs]
        await platform.register({name: [number] for number, name in enumerate(names)})
        limits, plans, registered = Limits(platform, count(1)), Plans(platform, first=AGRS), AGRS
        async with limits.listening():
            await limits.sustained(AGRS, 1.0, 10)
            least: dict[str, Cost] = {}
            for size in steps(sizes, "growing"):
                await platform.register({names[0]: range(registered, size)})
                registered = size
                costs = await _costs(platform, limits, plans, size)
                least = least or costs
                found += [_figure(what, size, cost, least[what], sizes[0]) for what, cost in costs.items()]
    return found


def _figure(what: str, size: int, cost: Cost, least: Cost, fewest: int) -> Figure:
    middle = [measures.middle(least.values)] * len(cost.values)
    return figure(
        FAMILY, f"{what}, {size:,} assets", cost.unit, cost.values, bound=middle, bound_is=f"the same with {fewest:,}"
    )


async def _costs(platform: Product, limits: Limits, plans: Plans, size: int) -> dict[str, Cost]:
    """What each kind of message takes now."""
    idle = [await limits.idle(AGRS, IDLE) for _ in range(REPEATS)]
    many = [await limits.sustained(AGRS, SECONDS, IN_FLIGHT) for _ in range(REPEATS)]
    planned = [await _cpu_ms_of_a_plan(platform, plans) for _ in range(REPEATS)]
    again = [await _ms_of_a_registration(platform, size - 1 - number) for number in range(REPEATS)]
    return {
        f"limit to {AGRS} AGRs, idle, p50": Cost(MS, [run.latency_ms(50) for run in idle]),
        f"CPU of a limit to {AGRS} AGRs": Cost(CPU, [sum(run.cpu_ms.values()) / len(run.took_s) for run in many]),
        f"CPU of a plan of {PLANNED}": Cost(CPU, planned),
        "a change of an asset, judged": Cost(MS, again),
    }


async def _cpu_ms_of_a_plan(platform: Product, plans: Plans) -> float:
    await platform.settled()
    before = sum(platform.cpu_ms().values())
    await plans.sent(PLANNED)
    await platform.settled()
    return (sum(platform.cpu_ms().values()) - before) / PLANNED


async def _ms_of_a_registration(platform: Product, number: int) -> float:
    """A new name for an asset, until the hub has judged it."""
    await platform.settled()
    begun = time.perf_counter()
    changed = registration(number) | {"name": f"Asset {time.time_ns()}"}
    await platform.agrs[0].write("PUT", "/assets", {"assets": [changed]})
    return 1000 * (time.perf_counter() - begun)
