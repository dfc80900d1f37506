"""The hub on real ground: database, lock, broker, signals, probes; and the operator's own desk on the same log."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
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
from hub.store.condition import LEADER_LOCK
from hub.store.embedded import EmbeddedPostgres, running_url
from hub.store.migrate import migrate
from hub.store.postgres import PostgresStore
from hub.web.health import Health, listening
from hub.web.sockets import allow_many_sockets

STOPPING: Final = (signal.SIGINT, signal.SIGTERM)
RETRY_S: Final = 2.0
NAME_MAX: Final = 63
"""Bytes of a session's name that PostgreSQL keeps."""
COMMITS: Final = "tps"
"""The channel on which every commit tells the head of the log (`commit_batch`)."""
DATABASE: Final = "hub"

log = structlog.get_logger("hub.app")


class _Process:
    """The hub before and while it runs, so that signals and probes are answered from the first moment."""

    def __init__(self) -> None:
        self.hub: Hub | None = None
        self.has_lost_database = False
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

    def hear(self, position: int) -> None:
        """Somebody has committed: the hub itself, or the command line."""
        if self.hub:
            self.hub.hear(position)

    def health(self) -> Health:
        """Not ready until the hub runs."""
        return Health(
            trouble=lambda: self.hub.trouble() if self.hub else "waiting to begin",
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
    membership = Membership(settings.mades.dir, clock=SystemClock(), url=settings.broker.url)
    membership.must_be(hub_id(settings.hub), "hub.id")
    async with AsyncExitStack() as stack:
        app = web.Application()
        app.add_routes(process.health().routes())
        await stack.enter_async_context(listening(app, settings.http))
        url = await stack.enter_async_context(database(settings))
        await migrate(url)
        await stack.enter_async_context(leadership(url, process.lose_database, process.hear))
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


@asynccontextmanager
async def leadership(
    url: str, lost: Callable[[], None], heard: Callable[[int], None] = lambda _: None
) -> AsyncIterator[None]:
    """Be the one hub of this database: wait as the standby until the other's session has ended.

    `lost` is called when our own session ends before the block does, `heard` with the position of each commit.
    """
    name = f"tps hub, process {os.getpid()} on {socket.gethostname()}"[:NAME_MAX]
    connection = await asyncpg.connect(url, server_settings={"application_name": name})
    try:
        if not await _leads(connection):
            log.info("hub.standby")
            while not await _leads(connection):  # noqa: ASYNC110 # the other process has no way to tell us
                await asyncio.sleep(RETRY_S)

        def ended(_: object) -> None:
            lost()

        def committed(_connection: object, _pid: int, _channel: str, position: object) -> None:
            heard(int(str(position)))

        connection.add_termination_listener(ended)
        await connection.add_listener(COMMITS, committed)
        try:
            yield
        finally:
            connection.remove_termination_listener(ended)
    finally:
        await connection.close()


async def _leads(connection: "asyncpg.Connection[asyncpg.Record]") -> bool:
    return bool(await connection.fetchval("select pg_try_advisory_lock($1, $2)", *LEADER_LOCK))
