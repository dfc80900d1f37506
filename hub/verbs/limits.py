"""`tps limits`: how a limit was divided, for the operator alone (R16)."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from hub.history.division import Divided, Division, Divisions, SeriesDivision, Step
from hub.history.wording import span, utc
from hub.ports import Recorded
from hub.settings import HubSettings, Sources
from hub.verbs.looking import JSON, Names, events_of, with_store

if TYPE_CHECKING:
    from hub.store.postgres import PostgresStore

Found = Sequence[Division]


@click.group()
def limits() -> None:
    """Explain how limits were divided."""


@limits.command()
@click.argument("mrid")
@click.option("--revision", type=int, metavar="NUMBER", help="Which revision of the DSO; by default the newest.")
@JSON
@click.pass_obj
def explain(sources: Sources, mrid: str, *, revision: int | None, as_json: bool) -> None:
    """Show how the foreseen limit MRID was divided, and compute it anew from the log.

    MRID is that of the DSO's document, or of an aggregator's copy. What it shows is for the operator of the platform
    alone: it holds the total and everybody's part.
    Exit codes: 0 computed anew it is the same, 1 it differs or there is no such division, 2 used wrongly.
    """
    divisions, names = with_store(sources, lambda store, settings: _look(store, settings, mrid))
    if not divisions.found:
        raise click.ClickException(_nothing(divisions, mrid))
    chosen = [one for one in _newest(divisions.found) if revision is None]
    chosen = chosen or [one for one in divisions.found if one.revision == revision]
    if not chosen:
        there = ", ".join(sorted({str(one.revision) for one in divisions.found}))
        raise click.ClickException(f"Limit {mrid} has no divided revision {revision}. There are: {there}.")
    if as_json:
        click.echo(msgspec.json.encode(chosen))
    else:
        click.echo("\n\n".join("\n".join(_told(one, names)) for one in chosen))
        _tell_others(divisions.found, chosen)
    raise click.exceptions.Exit(1 if any(one.differences for one in chosen) else 0)


async def _look(store: "PostgresStore", settings: HubSettings, mrid: str) -> tuple[Divisions, Names]:
    """Read the log once; once more when the mRID turns out to be that of an aggregator's copy."""
    from hub.app import brain_of  # noqa: PLC0415 - `--help` need not load a database's client

    async def follow(divisions: Divisions) -> Divisions:
        async for stored in events_of(store):
            event = reader.decode(stored.topic, stored.state)
            divisions.take(Recorded(event, stored.position, stored.at, stored.cause))
        return divisions

    reader = brain_of(settings.hub)
    divisions = await follow(Divisions(brain_of(settings.hub), mrid))
    if not divisions.found and (limit := divisions.limit_of_copy()):
        dso, source = limit
        divisions = await follow(Divisions(brain_of(settings.hub), source, dso=dso))
    return divisions, Names(settings)


def _newest(found: Iterable[Division]) -> list[Division]:
    """The last division of each limit; several DSOs may have used one mRID."""
    return list({(one.dso, one.mrid): one for one in found}.values())


def _nothing(divisions: Divisions, mrid: str) -> str:
    if divisions.was_ordered:
        return f"Limit {mrid} divides nothing: it is unforeseen or only its cancel came. See `tps events trail {mrid}`."
    return f"No limit {mrid} is in the log. Give the mRID of the DSO's document, or of an aggregator's copy of it."


def _tell_others(found: Found, chosen: Found) -> None:
    others = sorted({one.revision for one in found} - {one.revision for one in chosen})
    if others:
        click.echo(f"\nOther revisions (--revision): {', '.join(map(str, others))}.")


def _told(division: Division, names: Names) -> Iterator[str]:
    yield f"Limit {division.mrid} of {names(division.dso)}, revision {division.revision}"
    yield f"  Divided      {utc(division.at)}, position {division.position} of the log"
    yield f"  Holds        {span(division.interval)}, direction {division.direction}"
    yield f"  Policy       {division.policy}"
    for told in division.told:
        cancelled = ", cancelled" if told.cancelled else ""
        yield f"  Told         {names(told.agr)}, by its copy {told.mrid} revision {told.revision}{cancelled}"
    for series in division.series:
        yield ""
        yield from _series(series, names)
    yield ""
    yield from _verdict(division)


def _series(series: SeriesDivision, names: Names) -> Iterator[str]:
    yield f"Series {series.series}: what went in, by the log at that position"
    width = _width(names(one.resource) for one in series.inputs)
    for one in series.inputs:
        operator = names(one.operator) if one.operator else "not registered"
        takes = "" if one.rated else "  (takes no part)"
        yield f"  {names(one.resource):<{width}}  rated {one.rated:>12} W  {operator}{takes}"
    for divided in series.totals:
        yield ""
        yield from _divided(divided, names)


def _divided(divided: Divided, names: Names) -> Iterator[str]:
    yield f"  Total {divided.capacity} W, {', '.join(map(span, divided.holds))}"
    for step in divided.steps:
        yield from _step(step, names)
    yield f"    Sum of all shares {divided.total} W; to be divided were {divided.expected} W"


def _step(step: Step, names: Names) -> Iterator[str]:
    over = f"over the assets of {names(step.over)}" if step.over else "over the operators"
    if step.capacity >= step.weights:
        yield f"    {step.capacity} W {over}: enough for the {step.weights} W they are rated, so each gets its own"
    else:
        yield f"    {step.capacity} W {over}, in proportion to {step.weights} W of rated power"
    width = _width(names(part.who) for part in step.parts)
    for part in step.parts:
        rest = f"{part.whole} and {part.remainder}/{step.weights}" if part.remainder else f"{part.whole}"
        rounded = ", rounded up" if part.share > part.whole else ""
        yield f"      {names(part.who):<{width}}  {part.share:>12} W  (of {part.weight} W: {rest}{rounded})"


def _verdict(division: Division) -> Iterator[str]:
    if not division.differences:
        yield "Computed anew from the log: the same."
        return
    yield "COMPUTED ANEW FROM THE LOG IT DIFFERS:"
    for difference in division.differences:
        yield f"  {difference}"


def _width(texts: Iterable[str]) -> int:
    return max(map(len, texts), default=0)
