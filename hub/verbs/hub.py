"""`tps hub`: run the hub."""

import asyncio

import click

from hub.settings import HubSettings, Sources


@click.command()
@click.pass_obj
def hub(sources: Sources) -> None:
    """Run the hub.

    A second hub on the same database stands by until the first one is gone. SIGINT and SIGTERM end it in good order.
    """
    from hub import app, logs  # noqa: PLC0415 - `tps hub --help` need not load a broker's client

    settings = sources.load(HubSettings)
    logs.configure(settings.log.level, settings.log.format)
    asyncio.run(app.serve(settings))
