"""Registration of very many assets on one grid, and what its operator's list of them costs."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from documents import identifiers
from gateways.dso.rows import ASSETS
from hub.ports import Scope
from hub.store.postgres import PostgresStore
from tests.bench import documents
from tests.bench.product import MOST, PAGE, Client, Product, asset, batched, point, product, registration
from tests.bench.report import Figure, by_process, figure, steps

FAMILY: Final = "assets"
BOUND: Final = "lxml: parse and validate, twice"
READ: Final = "reading the same rows"


class Spent(Struct):
    """What a block took: ms, and ms of CPU by kind of process."""

    ms: float = 0.0
    cpu_ms: dict[str, float] = {}


async def measured(folder: Path, assets: int) -> list[Figure]:
    """Every figure of so many assets, on a platform of its own."""
    what = f"{assets:,} assets"
    async with product(folder, agrs=1) as platform:
        await _points(platform, assets)
        await platform.settled()
        with spent(platform) as registered:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_registered(platform.agrs[0], assets))
                await _told(platform.dso, assets)
            await platform.settled()
        pages = [await _ms(lambda: _list(platform.dso, assets)) for _ in range(3)]
        async with await platform.store(platform.dso) as store:
            rows = [await _ms(lambda: _rows(store, platform.dso, assets)) for _ in range(3)]
        with spent(platform) as asked:
            answer = await platform.dso.send("POST", "/assets/request")
            if answer.status != 202:
                raise RuntimeError(f"The request for a list was answered {answer.status}: {answer.body}")
            await platform.settled()
        memory = platform.memory_mb()
    bare = 2 * assets / MOST * documents.bare_ms(documents.registrations(MOST))
    each = {name: ms / assets for name, ms in registered.cpu_ms.items()}
    return [
        figure(
            FAMILY,
            f"{what} registered, and all of them told to the DSO",
            "ms",
            [registered.ms],
            bound=[bare],
            bound_is=BOUND,
        ),
        by_process(FAMILY, f"CPU of a registration of {assets:,}", "ms", [each], bound=[bare / assets], bound_is=BOUND),
        figure(FAMILY, f"list of {what} read from the DSO's gateway", "ms", pages, bound=rows, bound_is=READ),
        figure(FAMILY, f"list of {what} asked for, sent by the hub, and taken in", "ms", [asked.ms]),
        by_process(FAMILY, f"peak memory, {what}", "MB", [memory]),
    ]


@contextmanager
def spent(platform: Product) -> Iterator[Spent]:
    """What the block takes, known once it has ended."""
    found, before, begun = Spent(), platform.cpu_ms(), time.perf_counter()
    yield found
    found.ms = 1000 * (time.perf_counter() - begun)
    found.cpu_ms = {name: ms - before[name] for name, ms in platform.cpu_ms().items()}


async def _points(platform: Product, assets: int) -> None:
    for numbers in batched(range(assets)):
        points = [{"id": point(number)} for number in numbers]
        await platform.dso.write("PUT", "/connection-points", {"connectionPoints": points})


async def _registered(agr: Client, assets: int) -> None:
    for numbers in steps(list(batched(range(assets))), "registering"):
        await agr.write("PUT", "/assets", {"assets": [registration(number) for number in numbers]})


async def _told(dso: Client, assets: int) -> None:
    missing = {asset(number) for number in range(assets)}
    async for items in dso.follow("/assets/changes"):
        missing.difference_update(item["id"] for item in items)
        if not missing:
            return


async def _list(dso: Client, assets: int) -> None:
    """All pages of the list, as a client reads them."""
    found, after = 0, ""
    while True:
        page = await dso.page("/assets", **({"after": after} if after else {}))
        found += len(page.items)
        if page.next is None:
            break
        after = page.next
    _expect(found, assets)


async def _rows(store: PostgresStore, dso: Client, assets: int) -> None:
    """The rows behind the list, without gateway and HTTP."""
    found, after, scope = 0, "", Scope(identifiers.party(dso.id))
    while items := await store.rows.list(scope, ASSETS, after_key=after, limit=PAGE):
        found, after = found + len(items), items[-1].key
    _expect(found, assets)


def _expect(found: int, assets: int) -> None:
    if found != assets:
        raise RuntimeError(f"A list has {found} of {assets} assets.")


async def _ms(work: Callable[[], Awaitable[None]]) -> float:
    begun = time.perf_counter()
    await work()
    return 1000 * (time.perf_counter() - begun)
