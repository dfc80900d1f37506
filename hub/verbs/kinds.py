"""Which component the settings are for: said by `--kind`, or plain from what is set."""

from collections.abc import Mapping
from typing import Final

import click

from hub.errors import SettingsError
from hub.settings import DirectorySettings, GatewaySettings, HubSettings, Sources

Settings = HubSettings | GatewaySettings | DirectorySettings
KINDS: Final[Mapping[str, type[Settings]]] = {
    "hub": HubSettings,
    "gateway": GatewaySettings,
    "directory": DirectorySettings,
}
KIND: Final = click.option(
    "--kind", type=click.Choice(list(KINDS)), help="What it is, if the settings are for several."
)


def chosen(sources: Sources, kind: str | None) -> Settings:
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
