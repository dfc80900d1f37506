"""What the commands of a gateway's operator share: one entry in the gateway's log, whether it is running or not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

from hub.errors import LogCorrupt, UnknownEvent
from hub.settings import GatewaySettings
from hub.values import Role

if TYPE_CHECKING:
    from gateways.trade import Trade
    from hub.desk import Desk
    from hub.store.postgres import PostgresStore

T = TypeVar("T")


def with_store(settings: GatewaySettings, work: Callable[["PostgresStore"], Awaitable[T]]) -> T:
    """Do something with the gateway's store. Raises SettingsError, Unavailable."""
    from gateways.process import opened_store  # noqa: PLC0415 - loads the broker's client

    async def run() -> T:
        async with opened_store(settings) as store:
            return await work(store)

    return asyncio.run(run())


def with_log(settings: GatewaySettings, work: Callable[["Desk", "PostgresStore"], Awaitable[T]]) -> T:
    """Do something with a desk on the gateway's log; ends with 1 when the log cannot be read.

    Raises SettingsError, Unavailable.
    """
    from gateways.process import operating  # noqa: PLC0415 - loads the broker's client
    from hub import logs  # noqa: PLC0415

    logs.configure("warning", settings.log.format)

    async def run() -> T:
        async with operating(settings, _trade(settings)) as (desk, store):
            return await work(desk, store)

    try:
        return asyncio.run(run())
    except (LogCorrupt, UnknownEvent) as error:
        raise click.ClickException(str(error)) from None


def _trade(settings: GatewaySettings) -> "Trade":
    from gateways.agr.trade import AggregatorTrade  # noqa: PLC0415 - loads a web server
    from gateways.dso.trade import GridTrade  # noqa: PLC0415
    from gateways.gateway import identity  # noqa: PLC0415

    kind = GridTrade if settings.participant.role is Role.DSO else AggregatorTrade
    return kind(identity(settings))
