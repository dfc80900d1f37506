"""`tps agr`: run the gateway of an aggregator or balance responsible party."""

import asyncio

import click

from hub.errors import SettingsError
from hub.settings import GatewaySettings, Sources
from hub.values import Role


@click.command()
@click.pass_obj
def agr(sources: Sources) -> None:
    """Run the gateway of an aggregator or balance responsible party.

    A second one on the same database stands by until the first one is gone. SIGINT and SIGTERM end it in good order.
    """
    from gateways import process  # noqa: PLC0415 - `tps agr --help` need not load a broker's client
    from gateways.agr.app import build  # noqa: PLC0415
    from hub import logs  # noqa: PLC0415

    settings = sources.load(GatewaySettings)
    if settings.participant.role is Role.DSO:
        raise SettingsError("participant.role is DSO; expected AGR or BRP. A DSO's gateway is started with `tps dso`.")
    logs.configure(settings.log.level, settings.log.format)
    asyncio.run(process.serve(settings, build))
