"""How fast a log is verified and signed, beside plainly reading the same rows.

A made-up log, each record with a document of its own, is committed to a PostgreSQL of its own, with fsync. Measured are
reading its rows, signing checkpoints of it, and an audit of all of it.
"""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from hub.store.embedded import EmbeddedPostgres
from hub.store.migrate import migrate
from hub.store.postgres import PostgresStore
from tests.bench.report import Figure, figure
from tests.notary_world import HUB, Site, answered

FAMILY: Final = "audit"
BATCH = 2000


async def measured(folder: Path, records: int, size: int, repeats: int) -> list[Figure]:
    """All figures of a log of so many records, each with a document of so many bytes."""
    async with EmbeddedPostgres(folder / "postgres", durable=True) as postgres:
        url = await postgres.database("hub")
        await migrate(url)
        async with await PostgresStore.open(url, component=HUB) as store:
            site = Site(store, folder / "keys", records=10_000)
            await _write(site, records, size)
            signed_s = await _seconds(lambda: _sign(site))
            read_s = [await _seconds(lambda: _read(store)) for _ in range(repeats)]
            verified_s = [await _seconds(lambda: _verify(site)) for _ in range(repeats)]
    what = f"audit of {records:,} records of {size:,} bytes"
    bound = [records / each for each in read_s]
    return [
        figure(FAMILY, f"{what}, signed", "per s", [records / signed_s]),
        figure(
            FAMILY,
            f"{what}, verified",
            "per s",
            [records / each for each in verified_s],
            bound=bound,
            bound_is="reading the rows; each document is hashed twice",
        ),
    ]


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
