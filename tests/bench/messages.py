"""Message cycles between two endpoints, in the shape of the published load tool of ECP."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from tests.bench import measures, sealing
from tests.bench.order import Order, Outcome
from tests.bench.report import Figure, by_process, figure
from tests.bench.site import Site, answer, site

FAMILY: Final = "messages"
STATES = ("accepted", "delivered", "received")
PUBLISHED = (
    "Published, 3 kB, hosts not stated: ECP 6.5 cycles/s, another MADES implementation 1,563/s. "
    "Ours: floor 50/s, aim 300/s on two cores."
)
WARM_UP = 100


class Plan(Struct, frozen=True):
    """What is measured on each broker."""

    messages: int
    sizes: tuple[int, ...]
    in_transit: int
    repeats: int


class Run(Struct, frozen=True):
    """One run: rates by state, latencies in ms by state and percentile, CPU in ms per message by process, the bound."""

    per_s: dict[str, float]
    latency_ms: dict[str, dict[str, float]]
    cpu_ms: dict[str, float]
    bare_per_s: float


async def measured(folder: Path, broker: str, plan: Plan) -> list[Figure]:
    """All runs on one broker. Sizes take turns, so that what disturbs the machine disturbs both."""
    async with site(folder, broker=broker) as place:
        runs: dict[int, list[Run]] = {size: [] for size in plan.sizes}
        for size in plan.sizes:
            await sent(place, Order(f"warm-{size}", WARM_UP, size, plan.in_transit))
        for repeat in range(plan.repeats):
            for size in plan.sizes:
                order = Order(f"run-{repeat}-{size}", plan.messages, size, plan.in_transit)
                runs[size].append(await run(place, order))
        memory = {name: measures.memory_mb(pid) for name, pid in place.processes.items()}
        memory["postgresql"] = measures.shared_memory_mb(place.processes["postgresql"])
    return [each for size in plan.sizes for each in figures(f"cycle of {size:,} bytes, {broker}", runs[size], memory)]


async def sent(place: Site, order: Order) -> Outcome:
    """What became of the messages of an order."""
    assert place.sender.stdin is not None
    place.sender.stdin.write(msgspec.json.encode(order) + b"\n")
    outcome: Outcome = await answer(place.sender, Outcome)
    if outcome.failed:
        raise RuntimeError(f"{outcome.failed} of {order.messages} messages FAILED. See the logs (--folder).")
    return outcome


async def run(place: Site, order: Order) -> Run:
    """One run, and the bound measured right after it."""
    before = {name: measures.cpu_ms(pid) for name, pid in place.processes.items()}
    outcome = await sent(place, order)
    cost = {name: (measures.cpu_ms(pid) - before[name]) / order.messages for name, pid in place.processes.items()}
    bare = sealing.cycles_per_s(place.folders["sender"], place.folders["receiver"], size=order.size, cycles=200)
    stories = {state: getattr(outcome, state) for state in STATES}
    return Run(
        per_s={state: order.messages / max(at for at, _ in story) for state, story in stories.items()},
        latency_ms={
            state: {
                f"p{percent}": 1000 * measures.percentile([took for _, took in story], percent)
                for percent in (50, 95, 99)
            }
            for state, story in stories.items()
        },
        cpu_ms=cost,
        bare_per_s=bare,
    )


def figures(what: str, runs: Sequence[Run], memory: dict[str, float]) -> list[Figure]:
    """The figures of the runs of one size on one broker."""
    rates = {state: [each.per_s[state] for each in runs] for state in STATES}
    bare = [each.bare_per_s for each in runs]
    return [
        *(figure(FAMILY, f"{what}, {state}", "per s", rates[state]) for state in ("accepted", "delivered")),
        figure(FAMILY, f"{what}, received", "per s", rates["received"], bound=bare, bound_is="bare sealing, one core"),
        *(
            figure(FAMILY, f"{what}, {state}, {name}", "ms", [each.latency_ms[state][name] for each in runs])
            for state in STATES
            for name in runs[0].latency_ms[state]
        ),
        by_process(FAMILY, f"CPU of {what}", "ms", [each.cpu_ms for each in runs]),
        by_process(FAMILY, f"peak memory, {what}", "MB", [memory]),
    ]
