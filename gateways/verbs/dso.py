"""`tps dso`: run the gateway of a distribution system operator."""

import asyncio

import click

from hub.errors import SettingsError
from hub.settings import GatewaySettings, Sources
from hub.values import Role


@click.command()
@click.pass_obj
def dso(sources: Sources) -> None:
    """Run the gateway of a distribution system operator.

    A second one on the same database stands by until the first one is gone. SIGINT and SIGTERM end it in good order.
    """
    from gateways import process  # noqa: PLC0415 - `tps dso --help` need not load a broker's client
    from gateways.dso.app import build  # noqa: PLC0415
    from hub import logs  # noqa: PLC0415

    settings = sources.load(GatewaySettings)
    if settings.participant.role is not Role.DSO:
        raise SettingsError(
            f"participant.role is {settings.participant.role}; expected DSO. The other gateway starts with `tps agr`."
        )
    logs.configure(settings.log.level, settings.log.format)
    asyncio.run(process.serve(settings, build))
