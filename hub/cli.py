"""The command `tps` (floor 7): finds its verbs through the entry points `tps.commands` and loads them when used.

Every option has an environment twin (`TPS_<COMMAND>_<OPTION>`). Exit codes: 0 fine, 1 found a problem, 2 wrong usage.
"""

import errno
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click

from hub.errors import SettingsError, Unavailable
from hub.version import VERSION

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

ENTRY_POINTS: Final = "tps.commands"

HELP: Final = {
    "agr": "Run the gateway of an aggregator or balance responsible party.",
    "assets": "Hand assets over from one aggregator to another.",
    "broker": "Provision RabbitMQ, and look after it.",
    "completion": "Print the completion of commands and options for SHELL.",
    "demo": "Run the whole platform on this machine and play a sample day.",
    "directory": "Run the Component Directory, and decide who takes part.",
    "doctor": "Find what is wrong with a hub, a gateway or the directory, as its settings say.",
    "documents": "Check IEC 62325 documents.",
    "dso": "Run the gateway of a distribution system operator.",
    "events": "Check the log, and ask it what happened.",
    "hub": "Run the hub.",
    "init": "Make a platform in FOLDER: authority, directory, broker, hub, and everybody in the platform file.",
    "limits": "Explain how limits were divided.",
    "mades": "Register a component, look after its certificates, and use its message box.",
    "messages": "List messages, and send them again.",
    "participants": "Add and list market participants.",
    "payloads": "Erase raw documents; the log keeps their digests and who erased them.",
    "points": "Hand connection points over from one grid operator to another.",
    "projections": "Show, check and rebuild what every audience sees, from the log.",
    "raml": "Check the contracts of the REST interfaces and convert them.",
    "settings": "List the settings, and show which values hold.",
    "store": "Migrate a component's database, tell its condition, back it up and restore it.",
    "tokens": "Issue and withdraw tokens for the REST interfaces.",
}
"""Short help of the commands we ship, so that `tps --help` need not load them; a test keeps it equal to theirs."""


class LazyGroup(click.Group):
    """A group whose commands are entry points, loaded when one is invoked or asked for its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all installed commands."""
        return sorted(_installed().names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself, loaded now."""
        return next((_load(entry) for entry in _installed() if entry.name == cmd_name), None)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without loading those we ship."""
        names = self.list_commands(ctx)
        if not names:
            return
        with formatter.section("Commands"):
            formatter.write_dl([(name, HELP.get(name) or self._own_help(ctx, name)) for name in names])

    def _own_help(self, ctx: click.Context, name: str) -> str:
        command = self.get_command(ctx, name)
        return command.get_short_help_str(limit=80) if command else ""


def _installed() -> "EntryPoints":
    from importlib.metadata import entry_points  # noqa: PLC0415 - costs more than all of `tps --version`

    return entry_points(group=ENTRY_POINTS)


def _load(entry: "EntryPoint") -> click.Command:
    command = entry.load()
    if not isinstance(command, click.Command):
        raise click.ClickException(
            f"The entry point {entry.name} = {entry.value} is no command. Install its package again."
        )
    return _telling_variables(command)


def _telling_variables(command: click.Command) -> click.Command:
    """The command, its help naming the environment twin of every option, in all its commands."""
    for option in command.params:
        if isinstance(option, click.Option):
            option.show_envvar = True
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        _telling_variables(inner)
    return command


@click.group(
    cls=LazyGroup,
    context_settings={"auto_envvar_prefix": "TPS", "help_option_names": ["-h", "--help"], "show_default": True},
)
@click.version_option(VERSION, prog_name="tps", message="%(prog)s %(version)s")
@click.option(
    "--settings", "toml", envvar="TPS_SETTINGS", type=click.Path(path_type=Path), help="TOML file with settings."
)
@click.option(
    "--set",
    "sets",
    envvar="TPS_SET",
    multiple=True,
    metavar="SECTION.NAME=VALUE",
    show_envvar=True,
    help="Set one value.",
)
@click.pass_context
def tps(ctx: click.Context, toml: Path | None, sets: tuple[str, ...]) -> None:
    """Trade Permission System: a message hub between aggregators and distribution system operators.

    Every option can also be given as an environment variable: TPS_<COMMAND>_<OPTION>.
    """
    from hub.settings import Sources  # noqa: PLC0415 - `tps --version` and `--help` need no settings

    ctx.obj = Sources(toml, sets)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run `tps` and exit: 0 fine, 1 found a problem, 2 wrong usage."""
    _must_be_text(sys.argv[1:] if arguments is None else arguments)
    try:
        tps.main(arguments, prog_name="tps")
    except SettingsError as error:
        click.echo(error, err=True)
        sys.exit(2)
    except Unavailable as error:
        click.echo(f"Not available: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        click.echo(f"What was to be written does not fit: {error.strerror}.", err=True)
        sys.exit(1)
    raise AssertionError("click ends the process itself")


def _must_be_text(arguments: Sequence[str]) -> None:
    """End with 2 where bytes that are no text were given: nothing behind could store or compare them."""
    for argument in arguments:
        if any("\ud800" <= each <= "\udfff" for each in argument):
            coding = sys.getfilesystemencoding()
            click.echo(f"Error: {argument!r} is no text in the coding of this machine ({coding}).", err=True)
            sys.exit(2)
