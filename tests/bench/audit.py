"""`python -m tests.bench.audit`: how fast a log is verified and signed, beside plainly reading the same rows.

A made-up log, each record with a document of its own, is committed to a PostgreSQL of its own, with fsync. Measured are
reading its rows, signing checkpoints of it, and an audit of all of it.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import click
from msgspec import Struct

from hub import logs
from hub.store.embedded import EmbeddedPostgres
from hub.store.migrate import migrate
from hub.store.postgres import PostgresStore
from tests.bench.measures import middle
from tests.notary_world import HUB, Site, answered

BATCH = 2000


class Result(Struct, frozen=True):
    """Records per second: medians of the repeats."""

    records: int
    bytes_each: int
    read_per_s: float
    signed_per_s: float
    verified_per_s: float


@click.command()
@click.option("--records", default=50_000, show_default=True, help="Records in the log.")
@click.option("--size", default=3000, show_default=True, help="Bytes of each document.")
@click.option("--repeats", default=3, show_default=True, help="Runs of each; the median is told.")
def bench(records: int, size: int, repeats: int) -> None:
    """Tell the rates of reading, signing and verifying a log."""
    logs.configure("error", "json")
    with tempfile.TemporaryDirectory(prefix="tps-bench-") as folder:
        result = asyncio.run(_measured(Path(folder), records, size, repeats))
    click.echo("\n".join(table(result)))


async def _measured(folder: Path, records: int, size: int, repeats: int) -> Result:
    async with EmbeddedPostgres(folder / "postgres", durable=True) as postgres:
        url = await postgres.database("hub")
        await migrate(url)
        async with await PostgresStore.open(url, component=HUB) as store:
            site = Site(store, folder / "keys", records=10_000)
            await _write(site, records, size)
            signed_s = await _seconds(lambda: _sign(site))
            read_s = [await _seconds(lambda: _read(store)) for _ in range(repeats)]
            verified_s = [await _seconds(lambda: _verify(site)) for _ in range(repeats)]
    return Result(
        records=records,
        bytes_each=size,
        read_per_s=middle([records / each for each in read_s]),
        signed_per_s=middle([records / signed_s]),
        verified_per_s=middle([records / each for each in verified_s]),
    )


async def _write(site: Site, records: int, size: int) -> None:
    for begin in range(0, records, BATCH):
        contents = [f"{number:0{size}}".encode() for number in range(begin, min(begin + BATCH, records))]
        events = (answered(content, mrid=f"m{begin + number}") for number, content in enumerate(contents))
        await site.write(*events, payloads=tuple(contents))


async def _sign(site: Site) -> None:
    while await site.checkpointer.write():
        pass


async def _read(store: PostgresStore) -> None:
    async for _ in store.log.read():
        pass


async def _verify(site: Site) -> None:
    if fault := await site.fault():
        raise RuntimeError(f"The log is not what was written: {fault}")


async def _seconds(work: Callable[[], Awaitable[None]]) -> float:
    begun = time.perf_counter()
    await work()
    return time.perf_counter() - begun


def table(result: Result) -> list[str]:
    """What people read."""
    part = f"{result.verified_per_s / result.read_per_s:.0%} of reading; each document is hashed twice"
    return [
        f"audit of a log: {result.records:,} records, a document of {result.bytes_each:,} bytes each",
        f"  read                   {result.read_per_s:10,.0f} records/s",
        f"  signed                 {result.signed_per_s:10,.0f} records/s",
        f"  verified               {result.verified_per_s:10,.0f} records/s, {part}",
        "",
    ]


if __name__ == "__main__":
    bench(auto_envvar_prefix="TPS_BENCH_AUDIT")
