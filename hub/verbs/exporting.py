"""`tps events list | show | export`: the events themselves, for the operator and for a regulator."""

import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click
import msgspec
from msgspec import Struct

from documents.identifiers import code_of
from documents.values import Identifier, Instant
from hub.events import Event
from hub.history.exporting import TYPES, Exported, Wanted, bare, whole
from hub.history.happenings import concerned, happened
from hub.history.wording import utc
from hub.ports import Recorded, StoredEvent
from hub.settings import HubSettings, Sources
from hub.verbs.formats import FORMATS
from hub.verbs.looking import JSON, Names, events_of, with_store
from hub.verbs.operating import party
from hub.verbs.texts import POSITION, UtcTime

if TYPE_CHECKING:
    from hub.store.postgres import PostgresStore

Decoded = tuple[StoredEvent, Event]
Verb = Callable[..., Any]  # a function that becomes a command

FILTERS: Final = (
    click.option("--from", "start", type=UtcTime(), help="Recorded at this time or later."),
    click.option("--to", "end", type=UtcTime(), help="Recorded before this time."),
    click.option("--participant", "participants", multiple=True, help="It is named, or was told; may be repeated."),
    click.option("--type", "types", multiple=True, type=click.Choice(TYPES), help="Of this kind; may be repeated."),
)


class Written(Struct, frozen=True):
    """What `--json` prints of an export: how many events, and position and chain value of the last one."""

    events: int
    position: int | None
    chain: str | None

    @classmethod
    def of(cls, count: int, last: Exported | None) -> "Written":
        """Of so many, up to this one."""
        return cls(count, last.position, last.chain) if last else cls(0, None, None)


def filtered(verb: Verb) -> Verb:
    """The options that choose events."""
    for option in reversed(FILTERS):
        verb = option(verb)
    return verb


@click.command("list")
@filtered
@click.option("--last", type=POSITION, default=20, help="How many, the newest ones.")
@JSON
@click.pass_obj
def list_(sources: Sources, /, *, last: int, as_json: bool, **chosen: Any) -> None:
    """List the newest events: position, time, what happened."""

    async def look(store: "PostgresStore", settings: HubSettings) -> Iterable[Decoded]:
        wanted = _wanted(settings, **chosen)
        everything = events_of(store, until=wanted.is_past)
        newest = store.log.read(after=max(0, await store.log.head() - last))
        found: deque[Decoded] = deque(maxlen=last)
        async for decoded in _decoded(settings, newest if wanted == Wanted() else everything, wanted):
            found.append(decoded)
        return found

    for stored, event in with_store(sources, look):
        if as_json:
            click.echo(msgspec.json.encode(whole(stored, event)))
        else:
            click.echo(_line(stored, event))


@click.command()
@click.argument("position", type=POSITION)
@JSON
@click.pass_obj
def show(sources: Sources, position: int, *, as_json: bool) -> None:
    """Show the event at POSITION of the log with all it says.

    Exit codes: 0 shown, 1 there is no such event, 2 used wrongly.
    """

    async def look(store: "PostgresStore", settings: HubSettings) -> tuple[Decoded | None, Names]:
        read = store.log.read(after=position - 1, until=position)
        return next(iter([one async for one in _decoded(settings, read, Wanted())]), None), Names(settings)

    found, names = with_store(sources, look)
    if found is None:
        raise click.ClickException(f"The log has no position {position}. See `tps events list`.")
    if as_json:
        click.echo(msgspec.json.encode(whole(*found)))
    else:
        click.echo("\n".join(_shown(*found, names)))


@click.command()
@filtered
@click.option("--out", default="-", type=click.Path(dir_okay=False, allow_dash=True), help="The file; - is stdout.")
@click.option(
    "--format",
    "form",
    type=click.Choice(sorted(FORMATS)),
    default="jsonl",
    help="JSON Lines, or a Parquet file (needs the extra `parquet`).",
)
@click.option(
    "--with-payloads",
    is_flag=True,
    help="Also what the events say: PERSONAL AND COMMERCIAL data (metering points, ratings, plans, limits).",
)
@click.option("--json", "as_json", is_flag=True, help="Tell what was written as JSON, for programs.")
@click.pass_obj
def export(sources: Sources, /, *, out: str, form: str, with_payloads: bool, as_json: bool, **chosen: Any) -> None:
    """Write events for a regulator: one event a line (or a row), in the order of the log.

    Each line says when, what kind, about whom, and has the digests that tie it to the log; what the events say only
    with --with-payloads. The hash chain is checked on the way; a file appears only when all of it is written.
    Exit codes: 0 written, 1 the log was changed, 2 used wrongly.
    """
    tell = whole if with_payloads else bare
    if as_json and out == "-":
        raise click.UsageError("The events themselves go to the standard output. With --json give --out FILE.")

    async def write(store: "PostgresStore", settings: HubSettings) -> tuple[int, Exported | None]:
        wanted, count, last = _wanted(settings, **chosen), 0, None
        with _opened(out) as file, FORMATS[form](file) as put:
            async for decoded in _decoded(settings, events_of(store, until=wanted.is_past), wanted):
                last = tell(*decoded)
                put(last)
                count += 1
        return count, last

    count, last = with_store(sources, write)
    if as_json:
        click.echo(msgspec.json.encode(Written.of(count, last)))
        return
    upto = f"; the last one is at position {last.position}, chain {last.chain}" if last else ""
    click.echo(f"{count} events written{upto}.", err=True)


async def _decoded(settings: HubSettings, events: AsyncIterator[StoredEvent], wanted: Wanted) -> AsyncIterator[Decoded]:
    """The events that are wanted. Whom the hub told because of one takes the rows, so the log from its beginning."""
    from hub.app import brain_of  # noqa: PLC0415 - `--help` need not load a database's client

    brain = brain_of(settings.hub)
    async for stored in events:
        event = brain.decode(stored.topic, stored.state)
        told: frozenset[Identifier] = frozenset()
        if wanted.participants:
            recorded = Recorded(event, stored.position, stored.at, stored.cause)
            told = frozenset(row.audience for row in brain.rows(recorded))
            brain.evolve(recorded)
        if wanted.takes(stored, event, told):
            yield stored, event


def _wanted(
    settings: HubSettings,
    *,
    start: Instant | None,
    end: Instant | None,
    participants: Iterable[str],
    types: Iterable[str],
) -> Wanted:
    if start and end and start >= end:
        raise click.UsageError(f"Nothing lies from {utc(start)} to before {utc(end)}. Give --from the earlier of both.")
    return Wanted(
        start=start,
        end=end,
        participants=frozenset(party(one, settings) for one in participants),
        types=frozenset(types),
    )


def _line(stored: StoredEvent, event: Event) -> str:
    origin = getattr(event, "origin", None)
    document = f"document {origin.mrid or origin.title} of {code_of(origin.sender)}: " if origin else ""
    return f"{stored.position:>8}  {utc(stored.at):<24}  {document}{happened(event)}"


def _shown(stored: StoredEvent, event: Event, names: Names) -> Iterator[str]:
    import yaml  # noqa: PLC0415 - `--help` need not load it

    told = whole(stored, event)
    yield f"Position {stored.position}: {happened(event)}"
    yield f"  Recorded     {utc(stored.at)}"
    yield f"  Kind         {stored.topic}"
    yield f"  About        {', '.join(map(names, concerned(event))) or 'nobody'}"
    yield f"  Cause        {stored.cause}"
    yield f"  Stream       {stored.stream}, version {stored.version}"
    yield f"  SHA-256      {told.digest}"
    yield f"  Chain        {told.chain}"
    yield "It says:"
    says = msgspec.to_builtins(event, str_keys=True)
    says.pop("type")
    for line in yaml.safe_dump(says, sort_keys=False, allow_unicode=True, default_flow_style=None).splitlines():
        yield f"  {line}"


@contextmanager
def _opened(out: str) -> Iterator[IO[bytes]]:
    """Where to write; a file is its owner's alone, and gets its name only when it is whole."""
    if out == "-":
        yield sys.stdout.buffer
        return
    part = Path(f"{out}.part")
    try:
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        with part.open("wb") as file:
            yield file
    except OSError as error:
        part.unlink(missing_ok=True)
        raise click.UsageError(f"{out} cannot be written: {error.strerror or error}.") from error
    except BaseException:
        part.unlink()
        raise
    part.replace(out)
