"""`tps settings`: what can be set, where, and what holds when nothing is said."""

from collections.abc import Iterable
from typing import Final

import click
from msgspec import Struct

from hub.settings import DirectorySettings, GatewaySettings, HubSettings, Setting, describe

KINDS: Final[dict[str, type[Struct]]] = {
    "hub": HubSettings,
    "gateway": GatewaySettings,
    "directory": DirectorySettings,
}


@click.group()
def settings() -> None:
    """List the settings."""


@settings.command("list")
@click.option("--markdown", is_flag=True, help="As a table for the documentation.")
@click.argument("kind", type=click.Choice(sorted(KINDS)))
def list_(markdown: bool, kind: str) -> None:
    """List every setting of KIND with its meaning, default and environment variable."""
    listed = describe(KINDS[kind])
    click.echo("\n".join(as_markdown(listed) if markdown else as_text(listed)))


def as_text(listed: Iterable[Setting]) -> Iterable[str]:
    """Two lines for each setting, for a terminal."""
    for setting in listed:
        default = "required" if setting.default is None else f"default {setting.default or 'none'}"
        yield f"{setting.path}  ({setting.expected}; {default})"
        yield f"    {setting.description}. {setting.env}"


def as_markdown(listed: Iterable[Setting]) -> Iterable[str]:
    """One row of a table for each setting."""
    yield "| setting | expected | default | meaning | variable |"
    yield "|---|---|---|---|---|"
    for setting in listed:
        default = "(required)" if setting.default is None else f"`{setting.default}`" if setting.default else ""
        yield f"| `{setting.path}` | {setting.expected} | {default} | {setting.description} | `{setting.env}` |"
