"""`tps doctor`: what is wrong with a hub, a gateway or the directory, in words."""

import asyncio
from collections.abc import Mapping
from typing import Final

import click
import msgspec

from hub.errors import SettingsError
from hub.settings import DirectorySettings, GatewaySettings, HubSettings, Sources

Settings = HubSettings | GatewaySettings | DirectorySettings
KINDS: Final[Mapping[str, type[Settings]]] = {
    "hub": HubSettings,
    "gateway": GatewaySettings,
    "directory": DirectorySettings,
}


@click.command()
@click.option("--kind", type=click.Choice(list(KINDS)), help="What to look at, if the settings are for several.")
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

    settings = _settings(sources, kind)
    logs.configure("error", "auto")
    findings = asyncio.run(examine(settings, SystemClock()))
    if as_json:
        click.echo(msgspec.json.encode(findings).decode())
    else:
        click.echo("\n".join(map(str, findings)) or "All is well.")
    raise click.exceptions.Exit(1 if findings else 0)


def _settings(sources: Sources, kind: str | None) -> Settings:
    """Those of the kind, or of the only kind that they fit. Raises SettingsError, UsageError."""
    fitting: list[Settings] = []
    refused: list[SettingsError] = []
    for wanted in (KINDS[kind],) if kind else KINDS.values():
        try:
            fitting.append(sources.load(wanted))
        except SettingsError as error:
            refused.append(error)
    if not fitting:  # the kind that the fewest values are wrong for is the one that was meant
        raise min(refused, key=lambda error: str(error).count("\n"))
    if len(fitting) > 1:
        raise click.UsageError(f"The settings are for {len(fitting)} kinds. Say which one to look at, with --kind.")
    return fitting[0]
