"""`tps settings`: what can be set, what holds when nothing is said, and what holds here."""

from collections.abc import Iterable

import click
import msgspec
from msgspec import Struct

from hub.settings import Effective, Setting, Sources, describe
from hub.verbs.kinds import KIND, KINDS, chosen
from hub.verbs.operating import AS_JSON


class Shown(Struct, frozen=True):
    """One line of `tps settings show`, for programs."""

    setting: str
    value: str
    source: str


@click.group()
def settings() -> None:
    """List the settings, and show which values hold."""


@settings.command("list")
@click.option("--markdown", is_flag=True, help="As a table for the documentation.")
@AS_JSON
@click.argument("kind", type=click.Choice(sorted(KINDS)))
def list_(*, markdown: bool, as_json: bool, kind: str) -> None:
    """List every setting of KIND with its meaning, default and environment variable."""
    listed = describe(KINDS[kind])
    if as_json:
        click.echo(msgspec.json.encode([_told(each) for each in listed]).decode())
        return
    click.echo("\n".join(as_markdown(listed) if markdown else as_text(listed)))


@settings.command()
@KIND
@AS_JSON
@click.pass_obj
def show(sources: Sources, *, kind: str | None, as_json: bool) -> None:
    """Show the value that holds for every setting, and where it comes from; secrets are masked.

    A line begins with the setting; its source is `default`, a file, a variable of the environment, or `--set`.
    Exit codes: 0 fine, 2 the settings cannot be used.
    """
    effective = sources.explain(type(chosen(sources, kind)))
    if as_json:
        listed = [Shown(each.setting.path, each.value, each.source) for each in effective]
        click.echo(msgspec.json.encode(listed).decode())
    else:
        click.echo("\n".join(as_lines(effective)))


def _told(setting: Setting) -> dict[str, str | None]:
    return {
        "setting": setting.path,
        "variable": setting.env,
        "expected": setting.expected,
        "default": setting.default,
        "meaning": setting.description,
    }


def as_lines(effective: Iterable[Effective]) -> Iterable[str]:
    """One line for each setting, for a terminal."""
    for each in effective:
        yield f"{each.setting.path} = {each.value}  ({each.source})"


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
