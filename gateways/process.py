"""A gateway as a process of its own.

Opens the real database and the road to the broker as the settings say (floor 7).
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Protocol

import asyncpg
import structlog

from gateways.brain import GatewayBrain, Trade
from gateways.gateway import Gateway, identity
from hub.clock import SystemClock
from hub.desk import Desk
from hub.feed import Bells
from hub.mades.endpoint import Seals
from hub.mades.membership import Membership
from hub.mades.paths import Party
from hub.ports import Clock, Transport
from hub.settings import EMBEDDED, GatewaySettings
from hub.store.embedded import EmbeddedPostgres, running_url
from hub.store.migrate import migrate
from hub.store.postgres import PostgresStore
from hub.web.sockets import allow_many_sockets

RETRY_S: Final = 2.0
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


async def serve(settings: GatewaySettings, build: Build) -> None:
    """Run a gateway until SIGINT or SIGTERM.

    Raises:
        SettingsError: the database refuses us or holds the store of another component, or we are not registered.
        Unavailable: the database does not answer.
    """
    allow_many_sockets()
    membership = Membership(settings.mades.dir, clock=SystemClock(), url=settings.broker.url)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_store(settings))
        who = identity(settings)
        membership.must_be(who.me.id, "participant.id")
        transport = await stack.enter_async_context(
            membership.exchanging(
                Party(settings.participant.role), hub=who.hub.id, heartbeat_s=settings.broker.heartbeat_s
            )
        )
        gateway = build(settings, store=store, transport=transport, seals=membership.seals, clock=SystemClock())
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, gateway.stop)
        await gateway.run()


@asynccontextmanager
async def opened_store(settings: GatewaySettings) -> AsyncIterator[PostgresStore]:
    """The gateway's store; an embedded server runs for as long as the block lasts.

    Raises SettingsError, Unavailable.
    """
    async with AsyncExitStack() as stack:
        url = settings.database.url.reveal()
        if url == EMBEDDED:
            url = running_url(settings.database.dir, DATABASE) or ""
            if not url or not await _answers(url):
                server = EmbeddedPostgres(settings.database.dir, durable=True)
                url = await (await stack.enter_async_context(server)).database(DATABASE)
        await migrate(url)
        yield await stack.enter_async_context(
            await PostgresStore.open(
                url,
                component=identity(settings).me.id,
                min_connections=settings.database.pool_min,
                max_connections=settings.database.pool_max,
            )
        )


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
