"""`python -m tests.bench`: what the product carries and what it costs, each beside its bound.

    python -m tests.bench                   everything but `overload`, in some minutes
    python -m tests.bench limits documents  these two
    python -m tests.bench messages --help   the options of one

Each family is a table; lines of JSON come at the end, the first one saying where this was measured.
"""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from hub import logs
from hub.errors import Unavailable
from tests.bench import assets as registering
from tests.bench import audit as auditing
from tests.bench import documents as reading
from tests.bench import growth as growing
from tests.bench import implications, rebuild, report
from tests.bench import limits as limiting
from tests.bench import messages as messaging
from tests.bench import overload as flooding
from tests.bench import polls as polling
from tests.bench import schedules as planning
from tests.bench import way as going
from tests.bench.report import Figure

EVERYTHING: Final = (
    "limits",
    "way",
    "schedules",
    "assets",
    "growth",
    "polls",
    "documents",
    "messages",
    "audit",
    "rebuild",
    "implications",
)


class Bench:
    """What is measured in one call, and the folder everything is kept in; None: nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder, self._figures = folder, list[Figure]()
        self._environment = report.environment()

    def measure(self, name: str, work: Callable[[Path], Coroutine[Any, Any, list[Figure]]]) -> list[Figure]:
        """Do it in a folder of its own and show its table; what cannot be had here is left out."""
        click.echo(f"{name} ...", err=True)
        with tempfile.TemporaryDirectory(prefix="tps-bench-") as temporary:
            place = (self._folder or Path(temporary)) / name.replace(" ", "-")
            place.mkdir(parents=True)
            try:
                found = asyncio.run(work(place))
            except Unavailable as error:
                click.echo(f"{name} is left out: {error}", err=True)
                return []
        report.show(found)
        self._figures += found
        return found

    def end(self) -> None:
        """Everything as lines of JSON."""
        if self._figures:
            click.echo(msgspec.json.encode(self._environment))
            report.lines(self._figures)


@click.group(chain=True, invoke_without_command=True)
@click.option(
    "--folder", type=click.Path(path_type=Path, exists=False), help="Keep what the processes write and log here."
)
@click.pass_context
def bench(context: click.Context, folder: Path | None) -> None:
    """Measure families of figures, one after the other; without a name everything but `overload`."""
    logs.configure("error", "json")
    context.obj = Bench(folder)
    context.call_on_close(context.obj.end)
    if context.invoked_subcommand is None:
        for name in EVERYTHING:
            with bench.commands[name].make_context(name, [], parent=context) as family:
                bench.commands[name].invoke(family)


@bench.command()
@click.option("--affected", multiple=True, default=(1, 3, 30), show_default=True, help="AGRs that a limit affects.")
@click.option("--idle", default=20, show_default=True, help="Limits posted one after the other.")
@click.option("--in-flight", default=192, show_default=True, help="Most deliveries on their way at a time.")
@click.option("--seconds", default=5.0, show_default=True, help="How long limits are posted at a rate.")
@click.option("--repeats", default=3, show_default=True, help="Runs of each kind; the table has their medians.")
@click.pass_obj
def limits(place: Bench, *, affected: Sequence[int], idle: int, in_flight: int, seconds: float, repeats: int) -> None:
    """From a DSO's POST to the last of N affected AGRs' long polls; many limits at a time; CPU of a delivery."""
    plan = limiting.Plan(affected=tuple(affected), idle=idle, in_flight=in_flight, seconds=seconds, repeats=repeats)
    place.measure("limits", partial(limiting.measured, plan=plan))


@bench.command()
@click.option("--limits", "number", default=40, show_default=True, help="Limits posted one after the other.")
@click.pass_obj
def way(place: Bench, *, number: int) -> None:
    """Where each millisecond of an idle limit goes, from station to station."""
    place.measure("way", partial(going.measured, limits=number))


@bench.command()
@click.option("--most", default=10_000, show_default=True, help="Assets planned at a time; smaller sizes come first.")
@click.pass_obj
def schedules(place: Bench, *, most: int) -> None:
    """From an AGR's POST to the DSO's long polls: plans of a day in 96 values, of 1, 100 and 10,000 assets."""
    sizes = [size for size in planning.SIZES if size.assets <= most]
    place.measure("schedules", partial(planning.measured, sizes=sizes))


@bench.command()
@click.option("--assets", "number", default=100_000, show_default=True, help="Assets to register.")
@click.pass_obj
def assets(place: Bench, *, number: int) -> None:
    """Registration of very many assets, and the DSO's list of them."""
    place.measure("assets", partial(registering.measured, assets=number))


@bench.command()
@click.option(
    "--assets", "sizes", multiple=True, default=(1_000, 10_000, 100_000), show_default=True, help="Assets registered."
)
@click.pass_obj
def growth(place: Bench, *, sizes: Sequence[int]) -> None:
    """Limits, plans and registrations again with ten and a hundred times the assets: each must cost the same."""
    place.measure("growth", partial(growing.measured, sizes=sorted(sizes)))


@bench.command()
@click.option("--polls", "number", default=5000, show_default=True, help="Long polls that wait at the same time.")
@click.option("--repeats", default=3, show_default=True, help="Runs; the table has their medians.")
@click.pass_obj
def polls(place: Bench, *, number: int, repeats: int) -> None:
    """Thousands of long polls on one gateway: memory of each, time to wake all."""
    place.measure("polls", partial(polling.measured, polls=number, repeats=repeats))


@bench.command()
@click.option("--assets", multiple=True, default=(1, 10, 100, 1_600), show_default=True, help="Plans of a document.")
@click.option("--repeats", default=5, show_default=True, help="Runs of each size; the table has their medians.")
@click.pass_obj
def documents(place: Bench, *, assets: Sequence[int], repeats: int) -> None:
    """Documents by size: parsed, checked and read as the hub does it."""
    place.measure("documents", partial(reading.measured, assets=assets, repeats=repeats))


@bench.command()
@click.option("--messages", "count", default=600, show_default=True, help="Messages of one run.")
@click.option("--size", "sizes", multiple=True, default=(3_000, 20_000), show_default=True, help="Bytes of a document.")
@click.option("--in-transit", default=200, show_default=True, help="Most messages on their way at a time.")
@click.option("--repeats", default=3, show_default=True, help="Runs of each kind; the table has their medians.")
@click.option(
    "--broker", "brokers", multiple=True, default=("embedded", "rabbitmq"), type=click.Choice(["embedded", "rabbitmq"])
)
@click.pass_obj
def messages(
    place: Bench, *, count: int, sizes: Sequence[int], in_transit: int, repeats: int, brokers: Sequence[str]
) -> None:
    """Send messages from one endpoint to another, and wait for both acknowledgements of each."""
    plan = messaging.Plan(count, tuple(sizes), in_transit, repeats)
    for broker in brokers:
        place.measure(f"messages over {broker}", partial(messaging.measured, broker=broker, plan=plan))
    click.echo(messaging.PUBLISHED)


@bench.command()
@click.option("--records", default=50_000, show_default=True, help="Records in the log.")
@click.option("--size", default=3000, show_default=True, help="Bytes of each document.")
@click.option("--repeats", default=3, show_default=True, help="Runs of each; the median is told.")
@click.pass_obj
def audit(place: Bench, *, records: int, size: int, repeats: int) -> None:
    """Read, sign and verify a log."""
    place.measure("audit", partial(auditing.measured, records=records, size=size, repeats=repeats))


@bench.command()
@click.option("--seconds", default=30.0, show_default=True, help="How long the flood lasts.")
@click.pass_context
def overload(context: click.Context, *, seconds: float) -> None:
    """Twice the plans that can be sustained: what must hold all the same; exit code 1 when it does not."""
    found = context.obj.measure("overload", partial(flooding.measured, seconds=seconds))
    if any(each.holds is False for each in found):
        context.exit(1)


bench.add_command(rebuild.bench, "rebuild")
bench.add_command(implications.bench, "implications")


if __name__ == "__main__":
    bench(auto_envvar_prefix="TPS_BENCH")
