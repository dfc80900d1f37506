"""A gateway as a process of its own: database, lock, broker, signals, probes.

Opens the real database and the road to the broker as the settings say (floor 7).
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final, Protocol

import asyncpg
import structlog
from aiohttp import web

from gateways.brain import GatewayBrain, Trade
from gateways.gateway import Gateway, identity
from gateways.problems import ProblemError, response
from hub.clock import SystemClock
from hub.desk import Desk
from hub.errors import Unavailable
from hub.feed import Bells
from hub.mades.endpoint import Seals
from hub.mades.membership import Membership
from hub.mades.paths import Party
from hub.ports import Clock, Transport
from hub.settings import EMBEDDED, GatewaySettings
from hub.store.embedded import EmbeddedPostgres, running_url
from hub.store.leadership import STANDING_BY, WAITING, leadership
from hub.store.migrate import migrate
from hub.store.postgres import PostgresStore
from hub.web.health import Health, listening
from hub.web.sockets import allow_many_sockets

STOPPING: Final = (signal.SIGINT, signal.SIGTERM)
DATABASE: Final = "gateway"
log = structlog.get_logger("gateways.process")


class Build(Protocol):
    """`gateways.agr.app.build` or `gateways.dso.app.build`."""

    def __call__(
        self,
        settings: GatewaySettings,
        *,
        store: PostgresStore,
        transport: Transport,
        seals: Seals,
        clock: Clock,
    ) -> Gateway:
        """The gateway, not running yet."""


class _Process:
    """The gateway before and while it runs, so that signals are answered from the first moment."""

    def __init__(self) -> None:
        self.gateway: Gateway | None = None
        self.has_lost_database = False
        self.waiting = WAITING
        self._main = asyncio.current_task()

    def stop(self) -> None:
        """End in good order, or give up waiting to begin."""
        if self.gateway:
            self.gateway.stop()
        elif self._main:
            self._main.cancel()

    def stand_by(self) -> None:
        """Another process holds the log: nothing is wrong here."""
        self.waiting = STANDING_BY

    def lose_database(self) -> None:
        """The session that made this the one gateway is gone: another may take over at any moment."""
        self.has_lost_database = True
        log.error("gateway.database_lost")
        self.stop()

    def probes(self) -> web.Application:
        """What is served until the gateway opens its own door."""
        app = web.Application()
        app.add_routes(Health(trouble=lambda: self.waiting, measures=lambda: ()).routes())
        app.router.add_route("*", "/{path:.*}", self._not_yet)
        return app

    async def _not_yet(self, request: web.Request) -> web.Response:
        problem = ProblemError(503, f"The gateway is {self.waiting}. Try again.", headers={"Retry-After": "2"})
        return response(problem, instance=request.path)


async def serve(settings: GatewaySettings, build: Build) -> None:
    """Run a gateway until SIGINT or SIGTERM; a second one on the same database stands by until the first is gone.

    Raises:
        SettingsError: the database refuses us or holds the store of another component, or we are not registered.
        Unavailable: the database does not answer, or is lost.
    """
    allow_many_sockets()
    process, loop = _Process(), asyncio.get_running_loop()
    for name in STOPPING:
        loop.add_signal_handler(name, process.stop)
    try:
        with suppress(asyncio.CancelledError):
            await _serve(settings, build, process)
    finally:
        for name in STOPPING:
            loop.remove_signal_handler(name)
    if process.has_lost_database:
        raise Unavailable("The session at the database was lost. Start the gateway again.")


async def _serve(settings: GatewaySettings, build: Build, process: _Process) -> None:
    _membership(settings)  # who is not registered is told at once
    async with AsyncExitStack() as stack:
        async with listening(process.probes(), settings.http):
            url = await stack.enter_async_context(_database(settings))
            await migrate(url)
            lock = leadership(url, process.lose_database, standing_by=process.stand_by)
            await stack.enter_async_context(lock)
        membership = _membership(settings)  # its certificates may have been renewed while we stood by
        store = await stack.enter_async_context(await _open(settings, url))
        transport = await stack.enter_async_context(
            membership.exchanging(
                Party(settings.participant.role), hub=identity(settings).hub.id, heartbeat_s=settings.broker.heartbeat_s
            )
        )
        process.gateway = build(settings, store=store, transport=transport, seals=membership.seals, clock=SystemClock())
        await process.gateway.run()


def _membership(settings: GatewaySettings) -> Membership:
    membership = Membership(settings.mades.dir, clock=SystemClock(), url=settings.broker.url)
    membership.must_be(identity(settings).me.id, "participant.id")
    return membership


@asynccontextmanager
async def opened_store(settings: GatewaySettings) -> AsyncIterator[PostgresStore]:
    """The gateway's store, for a command beside the gateway; an embedded server runs for as long as the block lasts.

    Raises SettingsError, Unavailable.
    """
    async with _database(settings) as url:
        await migrate(url)
        async with await _open(settings, url) as store:
            yield store


@asynccontextmanager
async def _database(settings: GatewaySettings) -> AsyncIterator[str]:
    """The URL of the gateway's database."""
    url = settings.database.url.reveal()
    if url != EMBEDDED:
        yield url
        return
    if (running := running_url(settings.database.dir, DATABASE)) and await _answers(running):
        yield running
        return
    async with EmbeddedPostgres(settings.database.dir, durable=True) as postgres:
        yield await postgres.database(DATABASE)


@asynccontextmanager
async def operating(settings: GatewaySettings, trade: Trade) -> AsyncIterator[tuple[Desk, PostgresStore]]:
    """A desk of one's own on the gateway's log, for a command of the operator; a running gateway follows it.

    Raises SettingsError, UnknownEvent, Unavailable.
    """
    async with opened_store(settings) as store:
        brain = GatewayBrain(identity(settings), trade)
        desk = Desk(brain, store.log, store.commit, clock=SystemClock(), bells=Bells())
        await desk.start()
        work = asyncio.create_task(desk.run(), name="desk")
        try:
            yield desk, store
        finally:
            desk.stop()
            await work


async def _answers(url: str) -> bool:
    """Whether a server is there; a killed one may have left its socket behind."""
    try:
        connection = await asyncpg.connect(url)
    except (OSError, asyncpg.PostgresError):
        return False
    await connection.close()
    return True


async def _open(settings: GatewaySettings, url: str) -> PostgresStore:
    return await PostgresStore.open(
        url,
        component=identity(settings).me.id,
        min_connections=settings.database.pool_min,
        max_connections=settings.database.pool_max,
    )
