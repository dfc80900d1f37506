"""`python -m tests.bench`: message cycles between two endpoints, in the shape of the published load tool of ECP."""

import asyncio
import os
import platform
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import Struct

from hub import logs
from hub.errors import Unavailable
from hub.version import VERSION
from tests.bench import measures, sealing
from tests.bench.order import Order, Outcome
from tests.bench.site import Site, answer, site

STATES = ("accepted", "delivered", "received")
PUBLISHED = (
    "Published, 3 kB, hosts not stated: ECP 6.5 cycles/s, another MADES implementation 1,563/s. "
    "Ours: floor 50/s, aim 300/s on two cores."
)
LIBRARIES = ("aio-pika", "asyncpg", "cryptography", "lxml", "msgspec")
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


class Result(Struct, frozen=True):
    """Medians of the repeats, and how far they were apart (extremes, as a part of the median)."""

    broker: str
    size: int
    in_transit: int
    messages: int
    repeats: int
    per_s: dict[str, float]
    spread: dict[str, float]
    latency_ms: dict[str, dict[str, float]]
    cpu_ms: dict[str, float]
    memory_mb: dict[str, float]
    bare_per_s: float
    part_of_bare: float


@click.command()
@click.option("--messages", default=600, show_default=True, help="Messages of one run.")
@click.option("--size", "sizes", multiple=True, default=(3_000, 20_000), show_default=True, help="Bytes of a document.")
@click.option("--in-transit", default=200, show_default=True, help="Most messages on their way at a time.")
@click.option("--repeats", default=3, show_default=True, help="Runs of each kind; the table has their medians.")
@click.option(
    "--broker", "brokers", multiple=True, default=("embedded", "rabbitmq"), type=click.Choice(["embedded", "rabbitmq"])
)
@click.option("--folder", type=click.Path(path_type=Path), help="Keep what the processes write and log here.")
def bench(
    *, messages: int, sizes: Sequence[int], in_transit: int, repeats: int, brokers: Sequence[str], folder: Path | None
) -> None:
    """Send messages from one endpoint to another, wait for both acknowledgements of each, and tell rates and costs."""
    logs.configure("error", "json")
    plan = Plan(messages, tuple(sizes), in_transit, repeats)
    results = []
    for broker in brokers:
        click.echo(f"{broker}: {len(plan.sizes)} sizes, {repeats} runs of {messages} messages ...", err=True)
        with tempfile.TemporaryDirectory(prefix="tps-bench-") as temporary:
            place = (folder or Path(temporary)) / broker
            place.mkdir(parents=True)
            try:
                results.extend(asyncio.run(measured(place, broker, plan)))
            except Unavailable as error:
                click.echo(f"{broker} is left out: {error}", err=True)
    click.echo("\n".join(table(results)))
    click.echo(msgspec.json.encode(environment()))
    for result in results:
        click.echo(msgspec.json.encode(result))


async def measured(folder: Path, broker: str, plan: Plan) -> list[Result]:
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
    return [summary(broker, size, plan, runs[size], memory) for size in plan.sizes]


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


def summary(broker: str, size: int, plan: Plan, runs: Sequence[Run], memory: dict[str, float]) -> Result:
    """Medians."""
    return Result(
        broker=broker,
        size=size,
        in_transit=plan.in_transit,
        messages=plan.messages,
        repeats=plan.repeats,
        per_s={state: measures.middle([each.per_s[state] for each in runs]) for state in STATES},
        spread={state: measures.spread([each.per_s[state] for each in runs]) for state in STATES},
        latency_ms={
            state: {
                name: measures.middle([each.latency_ms[state][name] for each in runs]) for name in ("p50", "p95", "p99")
            }
            for state in STATES
        },
        cpu_ms={name: measures.middle([each.cpu_ms[name] for each in runs]) for name in runs[0].cpu_ms},
        memory_mb={name: round(value, 1) for name, value in memory.items()},
        bare_per_s=measures.middle([each.bare_per_s for each in runs]),
        part_of_bare=measures.middle([each.per_s["received"] / each.bare_per_s for each in runs]),
    )


def environment() -> dict[str, Any]:
    """Where this was measured."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": VERSION,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def table(results: Sequence[Result]) -> list[str]:
    """What people read."""
    lines = [""]
    for result in results:
        lines.append(
            f"{result.broker}, {result.size:,} bytes, at most {result.in_transit} in transit: "
            f"medians of {result.repeats} x {result.messages}"
        )
        lines.append(f"  {'':12}{'per s':>8}{'spread':>8}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}")
        for state in STATES:
            latency = "".join(f"{value:9.0f}" for value in result.latency_ms[state].values())
            lines.append(f"  {state:12}{result.per_s[state]:8.1f}{result.spread[state]:8.0%}{latency}")
        lines.append(
            f"  bare sealing, one core: {result.bare_per_s:.0f}/s; received is {result.part_of_bare:.0%} of it"
        )
        costs = ", ".join(f"{name} {value:.2f}" for name, value in result.cpu_ms.items())
        lines.append(f"  CPU ms per message: {costs}; all {sum(result.cpu_ms.values()):.2f}")
        lines.append("  peak MB: " + ", ".join(f"{name} {value:.0f}" for name, value in result.memory_mb.items()))
        lines.append("")
    return [*lines, PUBLISHED, ""]


if __name__ == "__main__":
    bench(auto_envvar_prefix="TPS_BENCH")
