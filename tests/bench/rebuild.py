"""`python -m tests.bench.rebuild`: how fast all views are checked and rebuilt, beside plainly reading the same log.

A made-up history is committed to a PostgreSQL of its own, with fsync. Measured are: reading and decoding its events;
starting a desk, which folds them; rebuilding all views from them; and rebuilding while that desk takes 50 documents a
second in the same process.
"""

import asyncio
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import click
import msgspec
from msgspec import Struct, field

from documents.packing import Curved
from documents.values import Identifier
from hub import logs
from hub.brain import BrainSettings, HubBrain
from hub.clock import SystemClock
from hub.desk import Desk
from hub.feed import Bells
from hub.projections.catalogue import CATALOGUE
from hub.rebuild import Rebuild
from hub.store.embedded import EmbeddedPostgres
from hub.store.migrate import migrate
from hub.store.postgres import PostgresStore
from hub.store.shadow import Shadow
from tests.bench import history, measures

HUB = Identifier("A01:45X-TPS-HUB-DEM8")
PER_S = 50
"""Documents a second that keep flowing."""


class Result(Struct, frozen=True):
    """Events per second and CPU in us for each (ours and PostgreSQL's), the latency of documents in ms while a rebuild
    runs, and the most resident memory in MB. The busy rebuild takes in what has come meanwhile, so many events in all.
    """

    events: int
    rows: int
    read_per_s: float
    started_per_s: float
    rebuilt_per_s: float
    part_of_reading: dict[str, float]
    cpu_us: dict[str, float]
    busy_events: int
    busy_rebuilt_per_s: float
    documents: int
    latency_ms: dict[str, float]
    quiet_latency_ms: dict[str, float]
    memory_mb: float


@click.command()
@click.option("--events", default=30_000, show_default=True, help="Events in the log.")
def bench(events: int) -> None:
    """Tell the rate of a rebuild, and what it does to documents that come meanwhile."""
    logs.configure("error", "json")
    result = run(events)
    click.echo("\n".join(table(result)))
    click.echo(msgspec.json.encode(result))


def run(events: int) -> Result:
    """Measure in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="tps-bench-") as folder:
        return asyncio.run(_measured(Path(folder), events))


async def _measured(folder: Path, events: int) -> Result:
    async with EmbeddedPostgres(folder, durable=True) as postgres:
        url = await postgres.database("hub")
        await migrate(url)
        async with await PostgresStore.open(url, component=HUB) as store:
            await store.projections.begin({entry.name: entry.version for entry in CATALOGUE})
            rows = 0
            for batch in history.batches(_brain(), events):
                await store.commit.commit(batch)
                rows += len(batch.rows)
            head = await store.log.head()
            with _watch(server := measures.named("postgres")) as reading:
                await _read(store)
            with _watch(server) as rebuilding:
                await _rebuild(url)
            desk = Desk(_brain(), store.log, store.commit, clock=SystemClock(), bells=Bells())
            with _watch(server) as starting:
                await desk.start()
            busy_s, quiet, latencies = await _beside(desk, url, ended=batch.at)
    return Result(
        events=head,
        rows=rows,
        read_per_s=measures.middle([head / reading.seconds]),
        started_per_s=measures.middle([head / starting.seconds]),
        rebuilt_per_s=measures.middle([head / rebuilding.seconds]),
        part_of_reading={"started": _part(reading, starting), "rebuilt": _part(reading, rebuilding)},
        cpu_us={
            f"{name}, {whose}": round(1000 * each.cpu_ms[whose] / head, 1)
            for whose in ("ours", "postgresql")
            for name, each in (("read", reading), ("started", starting), ("rebuilt", rebuilding))
        },
        busy_events=desk.position,
        busy_rebuilt_per_s=measures.middle([desk.position / busy_s]),
        documents=len(latencies),
        latency_ms=_percentiles(latencies),
        quiet_latency_ms=_percentiles(quiet),
        memory_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    )


async def _beside(desk: Desk, url: str, *, ended: datetime) -> tuple[float, list[float], list[float]]:
    """Seconds of a rebuild beside a desk at work, and those of each document before and meanwhile.

    The documents are about days that nothing is planned for yet, after those of a log that `ended` then.
    """
    first = history.first_about(max(SystemClock().now(), ended) + timedelta(days=2))
    work = asyncio.create_task(desk.run(), name="desk")
    quiet = await _flow(desk, asyncio.create_task(asyncio.sleep(3)), first=first)
    with _watch(None) as busy:
        rebuild = asyncio.create_task(_rebuild(url), name="rebuild")
        latencies = await _flow(desk, rebuild, first=first + len(quiet))
        await rebuild
    desk.stop()
    await work
    return busy.seconds, quiet, latencies


async def _flow(desk: Desk, until: "asyncio.Task[None]", *, first: int) -> list[float]:
    """Seconds from submitting a document to its commit, of so many a second as long as the task runs."""
    took: list[float] = []

    async def submit(number: int) -> None:
        begun = time.perf_counter()
        outcome = await desk.submit(history.plans(number), cause=f"bench/{number}")
        took.append(time.perf_counter() - begun)
        history.taken(outcome.events)

    async with asyncio.TaskGroup() as tasks:
        begun, number = time.perf_counter(), 0
        while not until.done():
            tasks.create_task(submit(first + number), name="document")
            number += 1
            await asyncio.sleep(max(0.0, begun + number / PER_S - time.perf_counter()))
    return took


async def _read(store: PostgresStore) -> None:
    brain = _brain()
    async for stored in store.log.read():
        event = brain.decode(stored.topic, stored.state)
        if isinstance(event, Curved):
            _ = event.periods  # to the last Point, as the bound of what reads all of it


async def _rebuild(url: str) -> None:
    async with Shadow.open(url) as shadow:
        report = await Rebuild(CATALOGUE, _brain(), shadow, clock=SystemClock()).run()
    if not report.is_well:
        raise RuntimeError(f"The views differ from their log: {report}")


def _brain() -> HubBrain:
    return HubBrain(BrainSettings(HUB, b"a secret for the bench, nothing more"))


class Cost(Struct):
    """What a block has taken: seconds, and CPU in ms."""

    seconds: float = 0.0
    cpu_ms: dict[str, float] = field(default_factory=dict)


@contextmanager
def _watch(server: int | None) -> Iterator[Cost]:
    """The cost of the block, known once it has ended."""
    cost, begun, ours = Cost(), time.perf_counter(), time.process_time()
    theirs = measures.cpu_ms(server) if server else 0.0
    yield cost
    cost.seconds = time.perf_counter() - begun
    cost.cpu_ms["ours"] = 1000 * (time.process_time() - ours)
    cost.cpu_ms["postgresql"] = measures.cpu_ms(server) - theirs if server else 0.0


def _part(reading: Cost, other: Cost) -> float:
    """The rate of something beside that of plainly reading, by the CPU that this process has spent on both."""
    return round(reading.cpu_ms["ours"] / other.cpu_ms["ours"], 2)


def _percentiles(values_s: list[float]) -> dict[str, float]:
    return {f"p{percent}": round(1000 * measures.percentile(values_s, percent), 1) for percent in (50, 95, 100)}


def table(result: Result) -> list[str]:
    """What people read."""
    latency, quiet = (
        ", ".join(f"{name} {value:.0f}" for name, value in each.items())
        for each in (result.latency_ms, result.quiet_latency_ms)
    )
    return [
        f"rebuild of all views: {result.events:,} events, {result.rows:,} rows",
        f"  read and decoded       {result.read_per_s:10,.0f} events/s",
        f"  folded by a desk       {result.started_per_s:10,.0f} events/s",
        f"  rebuilt                {result.rebuilt_per_s:10,.0f} events/s",
        "  read / other, by CPU of the process: "
        + ", ".join(f"{name} {part:.0%}" for name, part in result.part_of_reading.items()),
        "  CPU us for each event: " + ", ".join(f"{name} {value:.0f}" for name, value in result.cpu_us.items()),
        f"  rebuilt beside a desk  {result.busy_rebuilt_per_s:10,.0f} events/s, {PER_S} documents a second meanwhile",
        f"  the log after it       {result.busy_events:10,} events",
        f"  ms to a commit: {latency} (p100: the longest) of {result.documents} documents; without a rebuild {quiet}",
        f"  peak MB of the process, a desk and a rebuild together: {result.memory_mb:.0f}",
        "",
    ]


if __name__ == "__main__":
    bench(auto_envvar_prefix="TPS_BENCH_REBUILD")
