"""The platform of separate processes for fault tests: its parts as victims, its load, and what it owes in the end."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
from msgspec import Struct

from gateways.demo import processes
from gateways.demo.cast import AGRS, DSOS
from gateways.demo.child import Child
from gateways.demo.founding import keys_in
from gateways.demo.rabbitmq import GivenRabbit, Rabbit
from hub.mades import provision
from hub.mades.management import managing
from tests.fault.books import Books, opened_books
from tests.fault.clients import JSON, Clients
from tests.fault.load import Load, assets_in, limits_in, plans_in
from tests.fixtures_broker import unavailable

Account = Mapping[str, Counter[Any]]
"""What each participant knows, or must know, and how often it was told."""
LASTING_S: Final = 10.0
"""A broker killed sooner after it got its queues forgets who leads them (docs/operating.md)."""
PATIENCE_S: Final = 60.0
LOOK_S: Final = 0.2


class Site(Struct, frozen=True):
    """A running platform with its load and its books."""

    parts: processes.Processes
    broker: Rabbit
    clients: Clients
    load: Load
    books: Books
    provisioned_s: float

    async def kill(self, name: str, step: str | None) -> None:
        """Kill a part (SIGKILL) while a message is at this step; None: at once. The broker is started again."""
        if name == "broker":
            await asyncio.sleep(max(0.0, self.provisioned_s + LASTING_S - time.monotonic()))
            await self._caught("hub", step, self.broker.freeze, self.broker.thaw)
            await asyncio.to_thread(self.broker.kill)
            await self.broker.start()
            return
        child = self.parts.children[name]
        await child.ready()
        await self._caught(name, step, _signal(child, signal.SIGSTOP), _signal(child, signal.SIGCONT))
        child.kill()

    async def owes(self) -> dict[str, list[str]]:
        """What is not as it must be: nothing, when all messages have ended and everybody knows what was written."""
        unfinished = await self.books.unfinished()
        sent, taken_in = await self.books.sent(), await self.books.taken_in()
        limits = {agr.name: await self.clients.feed(agr, "/limits/changes") for agr in AGRS}
        plans = {dso.name: plans_in(await self.clients.feed(dso, "/schedules/changes")) for dso in DSOS}
        assets = {dso.name: assets_in(await self.clients.feed(dso, "/assets/changes")) for dso in DSOS}
        told = {name: limits_in(items) for name, items in limits.items()}
        books: list[tuple[Account, Account]] = [
            (self.load.limits, told),
            (self.load.plans, plans),
            (self.load.assets, assets),
        ]
        owed = {
            "not accepted": [repr(each) for each in self.clients.judged if each.status not in {200, 201}],
            "lost": [each for must, have in books for each in _surplus(must, have)],
            "doubled": [each for must, have in books for each in _surplus(have, must)],
            "gaps": [name for name, items in limits.items() if not _is_gapless(items)],
            "on their way": unfinished,
            "acknowledged, not taken in": [str(each) for each in sent - taken_in],
            "taken in, not acknowledged": [str(each) for each in taken_in - sent],
            "without proof": await self.books.unproved(),
            "dead letters": await self._dead_letters(),
        }
        return {what: found for what, found in owed.items() if found}

    async def settled(self, patience_s: float = PATIENCE_S) -> dict[str, list[str]]:
        """What is still owed when all is quiet, or patience is over."""
        deadline = time.monotonic() + patience_s
        owed = await self.owes()
        while owed and time.monotonic() < deadline:
            await asyncio.sleep(1.0)
            owed = await self.owes()
        return owed

    async def _caught(self, name: str, step: str | None, freeze: Callable[[], None], thaw: Callable[[], None]) -> None:
        """Return with the victim frozen while the outbox of `name` shows this step."""
        if step is None:
            return

        async def caught() -> bool:
            if not await self.books.shows(name, step):
                return False
            freeze()
            if await self.books.shows(name, step):
                return True
            thaw()
            return False

        await _until(caught, f"{name} has a message {step}", look_s=0.002)

    async def _dead_letters(self) -> list[str]:
        async with managing(self.broker.management_url) as operator:
            letters = await provision.dead_letters(operator, limit=100)
        return [f"{each.sender} to {each.receiver} {each.business_type}: {each.reason}" for each in letters]


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[Site]:
    """A fresh platform in this folder, everybody registered. Raises Unavailable: no RabbitMQ can be had."""
    async with AsyncExitStack() as stack:
        parts = await stack.enter_async_context(processes.running(folder, keys_in(folder), base_port=0))
        broker, provisioned_s = parts.broker, time.monotonic()
        if isinstance(broker, GivenRabbit):
            unavailable("a broker that was given is not ours to kill")
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)))
        books = await stack.enter_async_context(opened_books(folder))
        clients = Clients(session, parts.platform)
        load = Load(clients)
        await load.prepare()
        yield Site(parts, broker, clients, load, books, provisioned_s)


def _signal(child: Child, number: signal.Signals) -> Callable[[], None]:
    return lambda: child.signal(number)


async def _until(condition: Callable[[], Awaitable[bool]], what: str, *, look_s: float = LOOK_S) -> None:
    """Wait for something that has no way to tell us. Fails when it does not come."""
    deadline = time.monotonic() + PATIENCE_S
    while not await condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_S:.0f} s: {what}"
        await asyncio.sleep(look_s)


def _surplus(more: Account, less: Account) -> list[str]:
    """What each participant has in one account and not, or not as often, in the other."""
    return [f"{name}: {item}" for name in more for item in (more[name] - less[name]).elements()]


def _is_gapless(items: Sequence[JSON]) -> bool:
    return [item["sequence"] for item in items] == list(range(1, len(items) + 1))
