"""`tps doctor`: what is wrong with a hub, a gateway or the directory, in words."""

import asyncio

import click
import msgspec

from hub.settings import Sources
from hub.verbs.kinds import KIND, chosen


@click.command()
@KIND
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@click.pass_obj
def doctor(sources: Sources, *, kind: str | None, as_json: bool) -> None:
    """Find what is wrong with a hub, a gateway or the directory, as its settings say.

    Certificates, clocks, names, reachability, rights at the broker, copy of the directory, database. Exit codes: 0 all
    is well, 1 something was found, 2 wrong usage or settings.
    """
    from hub import logs  # noqa: PLC0415 - `--help` need not load a broker's client
    from hub.clock import SystemClock  # noqa: PLC0415
    from hub.doctor import examine  # noqa: PLC0415

    settings = chosen(sources, kind)
    logs.configure("error", "auto")
    findings = asyncio.run(examine(settings, SystemClock()))
    if as_json:
        click.echo(msgspec.json.encode(findings).decode())
    else:
        click.echo("\n".join(map(str, findings)) or "All is well.")
    raise click.exceptions.Exit(1 if findings else 0)
