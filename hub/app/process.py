"""The hub on real ground: database, lock, broker, signals, probes; and the operator's own desk on the same log."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Final

import asyncpg
import structlog
from aiohttp import web

from hub.app.pages import operator_pages
from hub.app.parts import beat_mrid, brain_of, hub_id
from hub.app.renewal import renew
from hub.app.running import Hub
from hub.clock import SystemClock
from hub.desk import Desk
from hub.errors import Unavailable
from hub.feed import Bells
from hub.mades.membership import Membership
from hub.mades.notary import Notary
from hub.mades.paths import Party
from hub.projections.catalogue import CATALOGUE
from hub.settings import EMBEDDED, DirectorySettings, GatewaySettings, HubSettings
from hub.store.embedded import EmbeddedPostgres, running_url
from hub.store.leadership import STANDING_BY, WAITING, leadership
from hub.store.migrate import migrate
from hub.store.postgres import PostgresStore
from hub.web.health import Health, listening
from hub.web.sockets import allow_many_sockets

STOPPING: Final = (signal.SIGINT, signal.SIGTERM)
DATABASE: Final = "hub"

log = structlog.get_logger("hub.app")


class _Process:
    """The hub before and while it runs, so that signals and probes are answered from the first moment."""

    def __init__(self) -> None:
        self.hub: Hub | None = None
        self.has_lost_database = False
        self._waiting = WAITING
        self._main = asyncio.current_task()

    def stop(self) -> None:
        """End in good order, or give up waiting to begin."""
        if self.hub:
            self.hub.stop()
        elif self._main:
            self._main.cancel()

    def lose_database(self) -> None:
        """The session that made this the one hub is gone: another may take over at any moment."""
        self.has_lost_database = True
        log.error("hub.database_lost")
        self.stop()

    def stand_by(self) -> None:
        """Another process holds the log: nothing is wrong here."""
        self._waiting = STANDING_BY

    def lead(self) -> None:
        """The log is ours to work on."""
        self._waiting = WAITING

    def hear(self, position: int) -> None:
        """Somebody has committed: the hub itself, or the command line."""
        if self.hub:
            self.hub.hear(position)

    def health(self) -> Health:
        """Not ready until the hub runs."""
        return Health(
            trouble=lambda: self.hub.trouble() if self.hub else self._waiting,
            measures=lambda: self.hub.measures() if self.hub else (),
        )


async def serve(settings: HubSettings) -> None:
    """Run the hub until it is told to stop; a second one on the same database stands by until the first is gone.

    Raises:
        SettingsError: the database refuses us or is not ours, or we are not registered as this hub.
        Unavailable: the database is lost.
    """
    allow_many_sockets()
    process, loop = _Process(), asyncio.get_running_loop()
    for name in STOPPING:
        loop.add_signal_handler(name, process.stop)
    try:
        with suppress(asyncio.CancelledError):
            await _serve(settings, process)
    finally:
        for name in STOPPING:
            loop.remove_signal_handler(name)
    if process.has_lost_database:
        raise Unavailable("The session at the database was lost. Start the hub again.")


async def _serve(settings: HubSettings, process: _Process) -> None:
    _membership(settings)  # who is not registered is told at once
    async with AsyncExitStack() as stack:
        app = web.Application()
        app.add_routes(process.health().routes())
        await stack.enter_async_context(listening(app, settings.http))
        url = await stack.enter_async_context(database(settings))
        await migrate(url)
        await stack.enter_async_context(
            leadership(url, process.lose_database, process.hear, standing_by=process.stand_by)
        )
        process.lead()
        membership = _membership(settings)  # its certificates may have been renewed while we stood by
        store = await stack.enter_async_context(await open_store(settings, url))
        transport = await stack.enter_async_context(
            membership.exchanging(Party.HUB, hub=membership.code, heartbeat_s=settings.broker.heartbeat_s)
        )
        process.hub = Hub(
            settings.hub,
            store=store,
            transport=transport,
            seals=membership.seals,
            notary=Notary(membership.folder),
            renew=partial(renew, url, settings.hub),
        )
        if settings.web.is_on:
            pages = operator_pages(process.hub, settings.hub, settings.web, store=store, clock=SystemClock())
            await stack.enter_async_context(pages.running())
        await process.hub.run()


def _membership(settings: HubSettings) -> Membership:
    membership = Membership(settings.mades.dir, clock=SystemClock(), url=settings.broker.url)
    membership.must_be(hub_id(settings.hub), "hub.id")
    return membership


@asynccontextmanager
async def reading(settings: HubSettings) -> AsyncIterator[PostgresStore]:
    """The hub's store, for a command that only looks, whether a hub is running or not.

    Raises:
        SettingsError: the database refuses us or is not ours.
        Unavailable: the database does not answer.
    """
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(database(settings))
        await migrate(url)
        yield await stack.enter_async_context(await open_store(settings, url))


@asynccontextmanager
async def operating(settings: HubSettings) -> AsyncIterator[tuple[Desk, PostgresStore]]:
    """A desk of one's own on the hub's log, for a command of the operator; a running hub follows what it commits.

    Raises:
        SettingsError: the database refuses us or is not ours.
        Unavailable: the database does not answer.
    """
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(database(settings))
        await migrate(url)
        store = await stack.enter_async_context(await open_store(settings, url))
        desk = Desk(brain_of(settings.hub), store.log, store.commit, clock=SystemClock(), bells=Bells())
        await desk.start()
        work = asyncio.create_task(desk.run(), name="desk")
        try:
            yield desk, store
        finally:
            desk.stop()
            await work


@asynccontextmanager
async def maintaining(settings: HubSettings) -> AsyncIterator[tuple[str, PostgresStore]]:
    """The URL of the hub's migrated database and its store, for what needs no decision; a running hub goes on.

    Raises:
        SettingsError: the database refuses us or is not ours.
        Unavailable: the database does not answer.
    """
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(database(settings))
        await migrate(url)
        yield url, await stack.enter_async_context(await open_store(settings, url))


@asynccontextmanager
async def database(
    settings: HubSettings | GatewaySettings | DirectorySettings, name: str = DATABASE
) -> AsyncIterator[str]:
    """The URL of a component's database; the embedded server runs for as long as the block lasts."""
    url = settings.database.url.reveal()
    if url != EMBEDDED:
        yield url
        return
    if (running := running_url(settings.database.dir, name)) and await _answers(running):
        yield running
        return
    async with EmbeddedPostgres(settings.database.dir, durable=True) as postgres:
        yield await postgres.database(name)


async def _answers(url: str) -> bool:
    """Whether a server is there; a killed one may have left its socket behind."""
    try:
        connection = await asyncpg.connect(url)
    except (OSError, asyncpg.PostgresError):
        return False
    await connection.close()
    return True


async def open_store(settings: HubSettings, url: str) -> PostgresStore:
    """The hub's store in a migrated database. Raises SettingsError, Unavailable."""
    store = await PostgresStore.open(
        url,
        component=hub_id(settings.hub),
        mrid_of=partial(beat_mrid, settings.hub),
        min_connections=settings.database.pool_min,
        max_connections=settings.database.pool_max,
    )
    await store.projections.begin({entry.name: entry.version for entry in CATALOGUE})
    return store
