"""`tps projections`: what every audience sees is made from the log; show it, check it, rebuild it (R32)."""

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

import click
import msgspec
from msgspec import Struct

from hub.errors import Conflict, LogCorrupt, UnknownEvent
from hub.projections.catalogue import CATALOGUE, Entry
from hub.settings import HubSettings, Sources
from hub.verbs.operating import BY, operator
from hub.verbs.texts import Said

if TYPE_CHECKING:
    from hub.rebuild import Order, Progress, Report
    from hub.store.postgres import PostgresStore
    from hub.store.shadow import Difference

T = TypeVar("T")
NAMES: Final = [entry.name for entry in CATALOGUE]
MOST_TOLD: Final = 20


class Listed(Struct, frozen=True, kw_only=True):
    """One projection: `version` made its rows, `program` is this program's; `lag` counts events not in them yet."""

    name: str
    version: int
    program: int
    position: int
    lag: int
    rows: int
    items: int
    digest: str


@click.group()
def projections() -> None:
    """Show, check and rebuild what every audience sees, from the log."""


@projections.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def list_(sources: Sources, *, as_json: bool) -> None:
    """List every projection: version, position in the log, rows, digest of the rows, lag.

    Two views with the same digest show the same.
    """

    async def work(_: str, store: "PostgresStore", __: HubSettings) -> list[Listed]:
        return [await _listed(store, entry) for entry in CATALOGUE]

    listed = _maintain(sources, work)
    if as_json:
        click.echo(msgspec.json.encode(listed))
        return
    click.echo(f"{'name':18}{'version':>9}{'position':>12}{'lag':>10}{'rows':>12}{'items':>12}  digest")
    for one in listed:
        version = f"{one.version}" if one.version == one.program else f"{one.version} -> {one.program}"
        click.echo(
            f"{one.name:18}{version:>9}{one.position:>12,}{one.lag:>10,}{one.rows:>12,}{one.items:>12,}"
            f"  {one.digest[:16]}"
        )


@projections.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES), metavar="[NAME]...")
@click.option("--check", is_flag=True, help="Only compare with the log, and end with 1 when something differs.")
@click.option("--why", type=Said(), help="The reason, kept in the log; needed unless you only check.")
@BY
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def rebuild(sources: Sources, names: Sequence[str], *, check: bool, why: str | None, by: str, as_json: bool) -> None:
    """Make the views of every NAME (default: of all) anew from the log, while the hub runs.

    The log is replayed into a shadow, the shadow compared with what readers see, and what differs made good in one
    transaction, with an event that says who had it done and why. Sequences and cursors stay. Stopped by ctrl-C, it
    leaves the views as they were.
    """
    if not (check or why):
        raise click.UsageError("Missing option '--why'. Say why the views are made anew, or only --check them.")
    entries = [entry for entry in CATALOGUE if not names or entry.name in names]

    async def work(url: str, _: "PostgresStore", settings: HubSettings) -> "Report":
        order = None if check else _order(why or "", by)
        with _shown("Checking" if check else "Rebuilding") as tell:
            return await _rebuilt(url, settings, entries, order=order, tell=tell)

    report = _maintain(sources, work)
    if as_json:
        click.echo(msgspec.json.encode(report))
    else:
        click.echo("\n".join(_told(report, entries, check=check)))
    if check and not report.is_well:
        sys.exit(1)


def _order(why: str, by: str) -> "Order":
    from hub.rebuild import Order  # noqa: PLC0415 - `--help` need not load a database's client

    return Order(why=why, by=by, cause=f"cli/{operator()}")


async def _listed(store: "PostgresStore", entry: Entry) -> Listed:
    head, recorded = await store.log.head(), (await store.projections.recorded()).get(entry.name)
    size = await store.projections.size(entry.views)
    version = recorded.version if recorded else 0
    position = head if version == entry.version else recorded.position if recorded else 0
    return Listed(
        name=entry.name,
        version=version,
        program=entry.version,
        position=position,
        lag=head - position,
        rows=size.rows,
        items=size.items,
        digest=size.digest,
    )


async def _rebuilt(
    url: str,
    settings: HubSettings,
    entries: Sequence[Entry],
    *,
    order: "Order | None",
    tell: "Callable[[Progress], None]",
) -> "Report":
    """Without an order: only check."""
    from hub.app import projecting_brain  # noqa: PLC0415 - `--help` need not load a database's client
    from hub.clock import SystemClock  # noqa: PLC0415
    from hub.rebuild import Rebuild  # noqa: PLC0415
    from hub.store.shadow import Shadow  # noqa: PLC0415

    async with Shadow.open(url) as shadow:
        versions = await shadow.versions()
        outdated = [entry.name for entry in entries if versions.get(entry.name) != entry.version]
        if outdated and order and await shadow.hub_runs():
            raise click.ClickException(
                f"{', '.join(outdated)}: another version made the rows, and a hub runs that may be of that version. "
                "Start the hub with this program: it rebuilds them by itself."
            )
        brain = projecting_brain(settings.hub, entries)
        work = Rebuild(entries, brain, shadow, clock=SystemClock(), tell=tell)
        return await (work.run(order) if order else work.check())


def _maintain(sources: Sources, work: "Callable[[str, PostgresStore, HubSettings], Awaitable[T]]") -> T:
    """Do something with the hub's database. Ends with 1 when it cannot be done, or is stopped."""
    from hub import app, logs  # noqa: PLC0415 - `--help` need not load a database's client

    settings = sources.load(HubSettings)
    logs.configure("warning", settings.log.format)

    async def run() -> T:
        async with app.maintaining(settings) as (url, store):
            return await work(url, store, settings)

    try:
        return asyncio.run(run())
    except (Conflict, LogCorrupt, UnknownEvent) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        raise click.ClickException("Stopped. The views are as they were.") from None


@contextmanager
def _shown(what: str) -> "Iterator[Callable[[Progress], None]]":
    """A bar with rate and time left, on a terminal."""
    from rich.console import Console  # noqa: PLC0415 - only this command draws
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415
    from rich.progress import Task as Part  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    class Rate(ProgressColumn):
        """Events per second."""

        def render(self, task: Part) -> Text:
            return Text(f"{task.speed or 0:,.0f} events/s")

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn()
    with Bar(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        part = bar.add_task(what, total=None)

        def tell(progress: "Progress") -> None:
            done = progress.position >= progress.head
            bar.update(
                part,
                completed=progress.position,
                total=progress.head,
                description="Comparing" if done else what,
            )

        yield tell


def _told(report: "Report", entries: Sequence[Entry], *, check: bool) -> Iterator[str]:
    """What a rebuild has found and done, for people."""
    names = ", ".join(entry.name for entry in entries) if len(entries) < len(CATALOGUE) else "All views"
    if report.is_well:
        yield f"{names}: as the log says, up to event {report.position:,}."
    else:
        damaged = Counter(_projection_of(difference.view) for difference in report.found)
        yield (
            f"{', '.join(damaged)}: not as the log says, up to event {report.position:,}: "
            f"items {report.items:,}, keys {report.keys:,}."
        )
        yield from (f"  {words(difference)}" for difference in report.found[:MOST_TOLD])
        if (more := report.items + report.keys - MOST_TOLD) > 0:
            yield f"  ... and {more:,} more."
        if check:
            yield f"Make it good with: tps projections rebuild {' '.join(damaged)} --why TEXT"
    if report.renewed and check:
        yield f"{', '.join(report.renewed)}: another version made the rows. The hub rebuilds them when it starts."
    elif report.renewed:
        yield f"{', '.join(report.renewed)}: the rows are of this program's version now."
    if not check and not report.is_well:
        yield f"Made good; rows appended at the tails of their feeds: {report.appended:,}."


def _projection_of(view: str) -> str:
    return next(entry.name for entry in CATALOGUE if view in entry.views)


def words(difference: "Difference") -> str:
    """What is wrong, in a sentence."""
    of, fields = f"{difference.view} of {difference.audience}", " and ".join(difference.fields)
    item = f"item {difference.sequence} ({difference.key})"
    match difference.kind:
        case "changed":
            return f"{of}: {item} has another {fields} than event {difference.position} gave it."
        case "missing":
            return f"{of}: {item}, of event {difference.position}, is gone."
        case "extra":
            return f"{of}: {item} was caused by no event."
        case "counter" if difference.live_position is None:
            return f"{of}: counts to nothing, its last item is {difference.sequence}."
        case "counter":
            return f"{of}: counts to {difference.live_position}, its last item is {difference.sequence}."
        case "hidden":
            return f"{of}: does not show {difference.key}, which event {difference.position} put there."
        case "left over":
            return f"{of}: shows {difference.key}, which the log took away or never had."
        case _:
            return f"{of}: shows {difference.key} with another {fields} than event {difference.position} gave it."
