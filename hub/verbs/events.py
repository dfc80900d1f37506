"""`tps events`: the log for an auditor."""

import asyncio
from typing import TYPE_CHECKING

import click
import msgspec

from hub.audit.verification import Fault, Inspection
from hub.settings import HubSettings, Sources
from hub.verbs.exporting import export, list_, show
from hub.verbs.history import replay, trail
from hub.verbs.progress import progress

if TYPE_CHECKING:
    from hub.store.postgres import PostgresStore


@click.group()
def events() -> None:
    """Check the log, and ask it what happened."""


@events.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@click.pass_obj
def verify(sources: Sources, *, as_json: bool) -> None:
    """Check that no record of the log was changed: the hash chain from the first one to the last.

    Exit codes: 0 the log is what was written, 1 it is not: the first bad position is named; 2 wrong usage or settings.
    """
    from hub import app, logs  # noqa: PLC0415 - `--help` need not load a database's client

    settings = sources.load(HubSettings)
    logs.configure("warning", settings.log.format)

    async def run() -> tuple[Inspection, Fault | None]:
        async with app.reading(settings) as store:
            return await _inspect(store)

    inspection, fault = asyncio.run(run())
    if as_json:
        click.echo(msgspec.json.encode({"verified": inspection.position, "fault": fault}).decode())
    elif fault:
        click.echo(f"Position {fault.position}: {fault.text} Stop the hub, and compare with a backup.")
    else:
        click.echo(f"The log is what was written: {inspection.position} events.")
    raise click.exceptions.Exit(1 if fault else 0)


events.add_command(replay)
events.add_command(trail)
events.add_command(export)
events.add_command(list_)
events.add_command(show)


async def _inspect(store: "PostgresStore") -> tuple[Inspection, Fault | None]:
    from hub.errors import LogCorrupt  # noqa: PLC0415

    inspection = Inspection()
    with progress("Events", await store.log.head()) as reached:
        try:
            async for event in store.log.read():
                if fault := inspection.take(event):
                    return inspection, fault
                reached(inspection.position)
        except LogCorrupt as error:
            return inspection, Fault(position=inspection.position + 1, text=str(error))
    return inspection, None
