"""A gateway as a process of its own.

Opens the real database and the road to the broker as the settings say (floor 7).
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Protocol
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import structlog

from gateways.gateway import Gateway, identity
from hub.clock import SystemClock
from hub.errors import Unavailable
from hub.mades.amqp import AmqpTransport
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
        self, settings: GatewaySettings, *, store: PostgresStore, transport: Transport, clock: Clock
    ) -> Gateway:
        """The gateway, not running yet."""


async def serve(settings: GatewaySettings, build: Build) -> None:
    """Run a gateway until SIGINT or SIGTERM.

    Raises:
        SettingsError: the database refuses us or holds the store of another component.
        Unavailable: the database does not answer.
    """
    allow_many_sockets()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_store(settings))
        transport = await connected(settings)
        stack.push_async_callback(transport.close)
        gateway = build(settings, store=store, transport=transport, clock=SystemClock())
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


async def connected(settings: GatewaySettings) -> AmqpTransport:
    """The road to the broker, as soon as it answers. Raises Refused: the password is wrong."""
    code = identity(settings).me.id
    url = with_credentials(settings.broker.url.reveal(), code, settings.broker.password.reveal())
    while True:
        try:
            return await AmqpTransport.connect(url, code=code, heartbeat_s=settings.broker.heartbeat_s)
        except Unavailable as error:
            log.warning("broker.unavailable", retry_s=RETRY_S, error=str(error))
            await asyncio.sleep(RETRY_S)


async def _answers(url: str) -> bool:
    """Whether a server is there; a killed one may have left its socket behind."""
    try:
        connection = await asyncpg.connect(url)
    except (OSError, asyncpg.PostgresError):
        return False
    await connection.close()
    return True


def with_credentials(url: str, code: str, password: str) -> str:
    """A broker's address with our code and password in it, unless it names a user already."""
    parts = urlsplit(url)
    if parts.username:
        return url
    host = f"{quote(code, safe='')}:{quote(password, safe='')}@{parts.netloc}"
    return urlunsplit(parts._replace(netloc=host))
