"""Thousands of waiting long polls on one gateway: memory of each, and the time to wake them all with one limit.

Beside a bare aiohttp server whose polls wait for one bell (`bare_polls`), on the same machine with the same client.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Final

import aiohttp
from msgspec import Struct

from hub.web.sockets import allow_many_sockets
from tests.bench import measures
from tests.bench.limits import Limits
from tests.bench.product import LOOK_S, WAIT_S, Client, product
from tests.bench.report import Figure, figure, steps

FAMILY: Final = "polls"
BOUND: Final = "bare aiohttp long poll"
AT_ONCE: Final = 200
BREATH_S: Final = 0.1
"""After so many connections; a listener's queue is short."""


class Woken(Struct, frozen=True):
    """What so many polls took: kB of memory each, and seconds from the first answer to the last."""

    kb_each: float
    all_s: float


class Server(Struct, frozen=True):
    """A server with long polls at `url`, how to ring its bell, and how to count its waiting polls."""

    pid: int
    url: str
    headers: dict[str, str]
    ring: Callable[[], Awaitable[object]]
    waiting: Callable[[], Awaitable[int]]


async def measured(folder: Path, polls: int, repeats: int) -> list[Figure]:
    """The figures of so many polls."""
    allow_many_sockets()
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=WAIT_S)) as session,
        product(folder, agrs=1) as platform,
        _bare(session) as bare,
    ):
        (agr,) = platform.agrs
        await platform.register({agr.name: [0]})
        limits = Limits(platform, count(1))
        ours, bound = [], []
        for _ in steps(range(repeats), f"{polls:,} polls"):
            bound.append(await _woken(session, bare, polls))
            await platform.settled()
            gateway = await _gateway(session, agr, platform.processes[agr.name], lambda: limits.post(1))
            ours.append(await _woken(session, gateway, polls))
    what = f"{polls:,} long polls on one gateway"
    # What a poll leaves behind is used again by the next one, so only the first ones show what they need.
    memory = figure(
        FAMILY, f"{what}, memory of each", "kB", [ours[0].kb_each], bound=[bound[0].kb_each], bound_is=BOUND
    )
    woken = [[1000 * each.all_s for each in side] for side in (ours, bound)]
    return [memory, figure(FAMILY, f"{what}, first to last woken", "ms", woken[0], bound=woken[1], bound_is=BOUND)]


async def _woken(session: aiohttp.ClientSession, server: Server, polls: int) -> Woken:
    """Let so many wait, and wake them."""
    before = measures.present_mb(server.pid)
    ends: list[float] = []

    async def poll() -> None:
        async with session.get(server.url, headers=server.headers) as answer:
            await answer.read()
        ends.append(time.perf_counter())
        if answer.status != 200:
            raise RuntimeError(f"A long poll was answered {answer.status}.")

    async with asyncio.TaskGroup() as tasks:
        for number in range(polls):
            tasks.create_task(poll())
            if number % AT_ONCE == 0:
                await asyncio.sleep(BREATH_S)
        while await server.waiting() < polls:  # noqa: ASYNC110 # it has no way to tell us
            await asyncio.sleep(LOOK_S)
        kb_each = 1024 * (measures.present_mb(server.pid) - before) / polls
        await server.ring()
    return Woken(kb_each, max(ends) - min(ends))


async def _gateway(
    session: aiohttp.ClientSession, agr: Client, pid: int, ring: Callable[[], Awaitable[object]]
) -> Server:
    """The gateway of an AGR, polled for what comes after everything it has."""
    after = "0"
    while (page := await agr.page("/limits/changes", after=after, timeout=0)).items:
        after = page.next or after

    async def waiting() -> int:
        async with session.get(f"{agr.url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        return next(int(float(line.split()[1])) for line in lines if line.startswith("tps_polls "))

    return Server(pid, f"{agr.url}/limits/changes?timeout=300&after={after}", agr.headers, ring, waiting)


@asynccontextmanager
async def _bare(session: aiohttp.ClientSession) -> AsyncIterator[Server]:
    """The bound, as a process of its own for as long as the block lasts."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.bare_polls", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdin
    assert child.stdout
    url = f"http://127.0.0.1:{int(await child.stdout.readline())}"

    async def ring() -> None:
        async with session.post(f"{url}/ring"):
            pass

    async def waiting() -> int:
        async with session.get(f"{url}/waiting") as answer:
            return int(await answer.text())

    try:
        yield Server(child.pid, f"{url}/changes", {}, ring, waiting)
    finally:
        child.stdin.close()
        await child.wait()
