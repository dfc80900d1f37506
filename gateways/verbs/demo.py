"""`tps demo`: the whole platform on this machine, and a sample day."""

import asyncio
import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

import click

from gateways.demo.cast import BATTERY, HEAT_PUMP, PLAYERS
from hub.errors import Unavailable

if TYPE_CHECKING:
    from gateways.demo.day import Seen
    from gateways.demo.founding import Keys, Platform

DEFAULT_DIRECTORY: Final = ".demo"
DEFAULT_PORT: Final = 8000
PATIENT_TOTAL_S: Final = 300
EMBEDDED: Final = "embedded"
RABBITMQ: Final = "rabbitmq"


@click.command()
@click.option("--once", is_flag=True, help="Play the day, check what everybody saw, and end with 0 or 1.")
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_DIRECTORY,
    show_default=True,
    help="Where the data, the log and the keys of the demo are kept.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 60_000),
    default=DEFAULT_PORT,
    show_default=True,
    help="Base of the ports: hub +80, its pages +90, AGR gateways +101 to +103, DSO gateways +201, +202; 0: free ones.",
)
@click.option(
    "--broker",
    type=click.Choice([EMBEDDED, RABBITMQ]),
    default=EMBEDDED,
    help="`embedded`: everything in one process. `rabbitmq`: a process for each part, over a real broker.",
)
@click.option(
    "--against",
    type=click.File(),
    help="Start nothing: play the day at a running platform, whose addresses and tokens this file holds as `env` in "
    "the folder of a demo does (-: standard input).",
)
@click.pass_context
def demo(
    context: click.Context, *, once: bool, directory: Path, port: int, broker: str, against: TextIO | None
) -> None:
    """Run the whole platform on this machine and play a sample day.

    PostgreSQL, AMQP broker, component directory, hub, two DSO gateways and three AGR gateways. Stop it with ctrl-C or
    kill it: a new start on the same folder loses nothing and doubles nothing. For a first look and for tests, never
    for production.
    """
    from gateways.demo.founding import keys_in  # noqa: PLC0415 # `tps demo --help` need not load a database's client
    from hub import logs  # noqa: PLC0415

    if against:
        context.exit(0 if asyncio.run(_play(written_in(against.read()))) else 1)
    directory = directory.absolute()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / "log").open("a", buffering=1) as log_file:
        logs.configure("info", "json", log_file)
        right = asyncio.run(_demo(directory, keys_in(directory), port=port, once=once, broker=broker))
    context.exit(0 if right else 1)


async def _demo(directory: Path, keys: "Keys", *, port: int, once: bool, broker: str) -> bool:
    serving = asyncio.create_task(_serve(directory, keys, port=port, once=once, broker=broker), name="demo")
    _cancel_when_told(serving)
    try:
        right = await serving
    except asyncio.CancelledError:
        right = True  # a day that is cut short is no failure
    click.echo(f"Stopped; everything is kept in {_short(directory)}.")
    return right


async def _serve(directory: Path, keys: "Keys", *, port: int, once: bool, broker: str) -> bool:
    """Start, play, and serve on until cancelled; whether everybody saw what it must."""
    if broker == RABBITMQ:
        from gateways.demo.processes import platform as running  # noqa: PLC0415
    else:
        from gateways.demo.platform import running  # noqa: PLC0415

    click.echo("Starting PostgreSQL, broker, component directory, hub and five gateways ...")
    async with running(directory, keys, base_port=port) as platform:
        _tell_where(platform, directory)
        right = await _play(platform)
        if right and not once:
            click.echo(_by_hand(directory))
            await asyncio.Event().wait()
    return right


def _cancel_when_told(serving: "asyncio.Task[bool]") -> None:
    """Ctrl-C and kill end it wherever it is; a second one does not disturb the first."""

    def stop() -> None:
        if not serving.cancelling():
            click.echo("Stopping ...")
            serving.cancel()

    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop)


async def _play(platform: "Platform") -> bool:
    import aiohttp  # noqa: PLC0415

    from gateways.demo.day import ZONE, Day, clients  # noqa: PLC0415

    today = datetime.now(ZONE).date()
    timeout = aiohttp.ClientTimeout(total=PATIENT_TOTAL_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        players = clients(session, platform.urls, platform.tokens, today)
        click.echo(f"\nThe sample day of {today.isoformat()}, over REST only:")
        try:
            lines = await Day(players, today, lambda line: click.echo("  " + line)).play()
        except aiohttp.ClientConnectionError as error:
            raise Unavailable(str(error)) from error
    _show(lines)
    return all(line.right for line in lines)


def written_in(environment: str) -> "Platform":
    """The platform whose addresses and tokens are written as `NAME=value`. Raises UsageError: some are missing."""
    from gateways.demo.founding import Platform  # noqa: PLC0415

    lines = (line.removeprefix("export ").partition("=") for line in environment.splitlines())
    found = {name.strip(): value.strip() for name, _, value in lines}
    wanted = [name for player in PLAYERS for name in (player.variable, f"{player.variable}_TOKEN")]
    if missing := [name for name in wanted if not found.get(name)]:
        raise click.UsageError(f"--against: found no {', '.join(missing)}; expected a line NAME=value for each.")
    return Platform(
        urls={player.name: found[player.variable] for player in PLAYERS},
        tokens={player.name: found[f"{player.variable}_TOKEN"] for player in PLAYERS},
        hub_url=found.get("HUB", ""),
        pages_url=found.get("PAGES", ""),
        operator_password=found.get("OPERATOR_PASSWORD", ""),
    )


def _tell_where(platform: "Platform", directory: Path) -> None:
    from gateways.demo.founding import hub_settings  # noqa: PLC0415

    variables = {"HUB": platform.hub_url, "TPS_SETTINGS": str(hub_settings(directory))}
    variables |= {"PAGES": platform.pages_url, "OPERATOR_PASSWORD": platform.operator_password}
    click.echo(f"  hub       {platform.hub_url}/health/ready   /metrics")
    click.echo(f"  operator  {platform.pages_url}   log in with {platform.operator_password}")
    for player in sorted(PLAYERS, key=lambda each: each.port):
        url = platform.urls[player.name]
        click.echo(f"  {player.name:<9} {url}/docs   /ui   {player.role} gateway of {player.id}")
        variables[player.variable] = url
        variables[f"{player.variable}_TOKEN"] = platform.tokens[player.name]
    environment = directory / "env"
    environment.touch(mode=0o600)
    environment.write_text("".join(f"export {name}={value}\n" for name, value in variables.items()))
    click.echo(f"  log       {_short(directory / 'log')}   addresses and tokens: {_short(environment)}")


def _show(lines: "list[Seen]") -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(title="What each participant saw", title_justify="left", show_lines=False)
    for heading in ("participant", "what", "seen", ""):
        table.add_column(heading, overflow="fold")
    for line in lines:
        table.add_row(line.participant, line.what, line.found, "as it must be" if line.right else "WRONG")
    click.echo()
    Console(file=sys.stdout, highlight=False).print(table)
    for line in lines:
        if not line.right:
            click.echo(f"{line.participant}, {line.what}: expected {line.expected!r}, found {line.found!r}", err=True)


def _by_hand(directory: Path) -> str:
    return f"""
Now by hand, in a second terminal:

  . {_short(directory / "env")}

  # what hangs on the grid of north
  curl -sS -H "Authorization: Bearer $NORTH_TOKEN" $NORTH/assets

  # alpha waits for what comes next (without `after`: since this token's last answer)
  curl -sS -H "Authorization: Bearer $ALPHA_TOKEN" "$ALPHA/limits/changes?timeout=60" &

  # north announces a limit on alpha's heat pump and somebody else's battery
  START=$(date -u -d '+2 hours' +%FT%H:00:00Z) END=$(date -u -d '+3 hours' +%FT%H:00:00Z)
  curl -sS -H "Authorization: Bearer $NORTH_TOKEN" -H "Prefer: wait=30" $NORTH/limits/foreseen --json '{{
    "direction": "consumption",
    "series": [{{
      "assets": ["{HEAT_PUMP.id}", "{BATTERY.id}"],
      "periods": [{{"start": "'$START'", "end": "'$END'", "resolution": "PT15M",
                   "points": [{{"position": 1, "quantity": 600000}}]}}]
    }}]
  }}'

  # the operator looks into the hub's log
  .venv/bin/tps events list

Serving until ctrl-C."""


def _short(path: Path) -> str:
    """Relative to here where it lies below."""
    here = Path(os.curdir).absolute()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
