"""A gateway as a process of its own: database, lock, broker, signals, probes.

Opens the real database and the road to the broker as the settings say (floor 7).
"""

import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final, Protocol

import structlog
from aiohttp import web

from gateways.brain import GatewayBrain
from gateways.gateway import Gateway, identity
from gateways.problems import ProblemError, response
from gateways.trade import Trade
from hub.clock import SystemClock
from hub.desk import Desk
from hub.mades.endpoint import Seals
from hub.mades.membership import Membership
from hub.mades.paths import Party
from hub.ports import Clock, Transport
from hub.process import Life, database, deciding, live, tracing
from hub.settings import GatewaySettings
from hub.store.leadership import leadership
from hub.store.migrate import migrate
from hub.store.postgres import PostgresStore
from hub.traces import Traces
from hub.web.health import listening
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
        traces: Traces,
    ) -> Gateway:
        """The gateway, not running yet."""


async def serve(settings: GatewaySettings, build: Build) -> None:
    """Run a gateway until SIGINT or SIGTERM; a second one on the same database stands by until the first is gone.

    Raises:
        SettingsError: the database refuses us or holds the store of another component, or we are not registered.
        Unavailable: the database does not answer, or is lost.
    """
    allow_many_sockets()
    await live("gateway", partial(_serve, settings, build))


def _probes(life: Life[Gateway]) -> web.Application:
    """What is served until the gateway opens its own door."""

    async def not_yet(request: web.Request) -> web.Response:
        problem = ProblemError(503, f"The gateway is {life.waiting}. Try again.", headers={"Retry-After": "2"})
        return response(problem, instance=request.path)

    app = web.Application()
    app.add_routes(life.health().routes())
    app.router.add_route("*", "/{path:.*}", not_yet)
    return app


async def _serve(settings: GatewaySettings, build: Build, life: Life[Gateway]) -> None:
    _membership(settings)  # who is not registered is told at once
    async with AsyncExitStack() as stack:
        traces = await stack.enter_async_context(tracing(settings.traces.url, identity(settings).me.id))
        async with listening(_probes(life), settings.http):
            url = await stack.enter_async_context(database(settings, DATABASE))
            await migrate(url)
            lock = leadership(url, life.lose_database, standing_by=life.stand_by)
            await stack.enter_async_context(lock)
        membership = _membership(settings)  # its certificates may have been renewed while we stood by
        store = await stack.enter_async_context(await _open(settings, url))
        transport = await stack.enter_async_context(
            membership.exchanging(
                Party(settings.participant.role), hub=identity(settings).hub.id, heartbeat_s=settings.broker.heartbeat_s
            )
        )
        gateway = build(
            settings, store=store, transport=transport, seals=membership.seals, clock=SystemClock(), traces=traces
        )
        life.worker = gateway
        await gateway.run()


def _membership(settings: GatewaySettings) -> Membership:
    membership = Membership(settings.mades.dir, clock=SystemClock(), url=settings.broker.url)
    membership.must_be(identity(settings).me.id, "participant.id")
    return membership


@asynccontextmanager
async def opened_store(settings: GatewaySettings) -> AsyncIterator[PostgresStore]:
    """The gateway's store, for a command beside the gateway; an embedded server runs for as long as the block lasts.

    Raises SettingsError, Unavailable.
    """
    async with database(settings, DATABASE) as url:
        await migrate(url)
        async with await _open(settings, url) as store:
            yield store


@asynccontextmanager
async def operating(settings: GatewaySettings, trade: Trade) -> AsyncIterator[tuple[Desk, PostgresStore]]:
    """A desk of one's own on the gateway's log, for a command of the operator; a running gateway follows it.

    Raises SettingsError, UnknownEvent, Unavailable.
    """
    async with opened_store(settings) as store, deciding(GatewayBrain(identity(settings), trade), store) as desk:
        yield desk, store


async def _open(settings: GatewaySettings, url: str) -> PostgresStore:
    return await PostgresStore.open(
        url,
        component=identity(settings).me.id,
        min_connections=settings.database.pool_min,
        max_connections=settings.database.pool_max,
    )
