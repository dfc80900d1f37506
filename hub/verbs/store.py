"""`tps store`: a component's database: schema, condition, backup."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

import click
import msgspec
from msgspec import Struct

from hub.clock import SystemClock
from hub.errors import LogCorrupt
from hub.restored import StoreRestored
from hub.settings import EMBEDDED, DirectorySettings, GatewaySettings, HubSettings, Sources
from hub.store import backup as backups
from hub.store import migrate as schema
from hub.store.backup import Manifest
from hub.store.condition import Condition, condition, connected
from hub.store.database import surroundings
from hub.tagged import tag_of
from hub.verbs.kinds import chosen
from hub.verbs.operating import AS_JSON, BY, WHY, operator
from hub.verbs.progress import progress

T = TypeVar("T")
BOX: Final = "box"
KIND: Final = click.option(
    "--kind",
    type=click.Choice(["hub", "gateway", BOX, "directory"]),
    help="Whose it is, if the settings are for several; a message box has those of a gateway.",
)
KIB: Final = 1024


class Place(Struct, frozen=True):
    """Whose store it is: the component's code, the name of its embedded database, and how its log writes an event."""

    code: str
    database: str
    encode: Callable[[object], bytes]


@click.group()
def store() -> None:
    """Migrate a component's database, tell its condition, back it up and restore it."""


@store.command()
@KIND
@AS_JSON
@click.pass_obj
def status(sources: Sources, *, kind: str | None, as_json: bool) -> None:
    """Tell version, size, newest event, what waits, who holds it, and how far replicas are behind.

    Exit codes: 0 it fits this program, 1 it does not, or it is not there.
    """

    async def work(url: str, _: Place) -> Condition:
        connection = await connected(url)
        try:
            return await condition(connection)
        finally:
            await connection.close()

    found = _with_database(sources, kind, work)
    click.echo(msgspec.json.encode(found).decode() if as_json else "\n".join(_lines(found)))
    raise click.exceptions.Exit(0 if found.fits else 1)


@store.command()
@KIND
@click.pass_obj
def migrate(sources: Sources, *, kind: str | None) -> None:
    """Bring the database forward to the schema of this program; every component does so itself when it starts."""
    applied = _with_database(sources, kind, lambda url, _: schema.migrate(url), makes=True)
    for name in applied:
        click.echo(f"applied: {name}")
    click.echo(f"Schema version {schema.migrations()[-1].version}, {len(applied)} applied.")


@store.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@KIND
@click.pass_obj
def backup(sources: Sources, *, file: Path, kind: str | None) -> None:
    """Write everything in the database as of this instant to FILE, while the component runs.

    FILE holds all data in the clear and is readable by you alone. Keys, certificates and settings are not in it.
    """
    if file.exists():
        raise click.UsageError(f"{file} exists. Name a new file; a backup is never overwritten.")

    async def run(url: str, _: Place) -> Manifest:
        about = await _size(url)
        with progress("KiB copied", about // KIB) as reached:
            return await backups.backup(url, file, now=SystemClock().now(), copied=lambda done: reached(done // KIB))

    try:
        manifest = _with_database(sources, kind, run)
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror or error}.") from error
    click.echo(f"{file}: {_about(manifest)}")


@store.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@KIND
@WHY
@BY
@click.pass_obj
def restore(sources: Sources, *, file: Path, kind: str | None, why: str, by: str) -> None:
    """Bring the backup FILE into an empty database, the one that the settings name, and check it.

    All of it arrives, or nothing; then the whole log is read and its chain compared, and the newest event in it says
    who restored it and why. The component must not run.
    """
    backups.read_manifest(file)

    async def run(url: str, place: Place) -> Manifest:
        with progress("KiB copied", backups.size(file) // KIB) as reached:
            manifest = await backups.restore(url, file, component=place.code, copied=lambda done: reached(done // KIB))
        event = StoreRestored(made=manifest.made, head=manifest.head, chain=manifest.chain, why=why, by=by)
        await backups.record(
            url, tag_of(event), place.encode(event), cause=f"cli/{operator()}", now=SystemClock().now()
        )
        return manifest

    try:
        manifest = _with_database(sources, kind, run, makes=True)
    except LogCorrupt as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Restored: {_about(manifest)}")
    click.echo("\n".join(_afterwards(manifest)))


def _with_database(
    sources: Sources, kind: str | None, work: Callable[[str, Place], Awaitable[T]], *, makes: bool = False
) -> T:
    """Work with the URL of the component's database, and whose it is; an embedded one is only made if `makes`."""
    from hub import app, logs  # noqa: PLC0415 - `--help` need not load a broker's client

    settings = chosen(sources, "gateway" if kind == BOX else kind)
    logs.configure("warning", settings.log.format)
    place = _place(settings, box=kind == BOX)
    folder = settings.database.dir
    if settings.database.url.reveal() == EMBEDDED and not makes and not (folder / "data").exists():
        raise click.ClickException(f"There is no database in {folder} yet. The component makes it when it starts.")

    async def run() -> T:
        async with app.database(settings, place.database) as url:
            with surroundings():
                return await work(url, place)

    return asyncio.run(run())


def _place(settings: HubSettings | GatewaySettings | DirectorySettings, *, box: bool) -> Place:
    from hub.app import hub_id, message_box  # noqa: PLC0415 - as above
    from hub.app.process import DATABASE  # noqa: PLC0415
    from hub.directory_service import process as directory  # noqa: PLC0415

    match settings:
        case HubSettings():
            return Place(hub_id(settings.hub), DATABASE, msgspec.msgpack.encode)
        case GatewaySettings() if box:
            return Place(message_box.codes(settings)[0], message_box.DATABASE, msgspec.msgpack.encode)
        case GatewaySettings():
            return Place(message_box.codes(settings)[0], "gateway", msgspec.json.encode)
        case DirectorySettings():
            return Place(directory.directory_code(settings.directory), directory.DATABASE, msgspec.msgpack.encode)


async def _size(url: str) -> int:
    """About how many bytes a backup copies."""
    connection = await connected(url)
    try:
        return int(await connection.fetchval("select pg_database_size(current_database())"))
    finally:
        await connection.close()


def _lines(found: Condition) -> Iterator[str]:
    yield f"store of {found.component or 'nobody yet'}"
    yield f"schema   version {found.version}"
    for name in found.missing:
        yield f"         missing: {name} (tps store migrate)"
    for name in found.unknown:
        yield f"         unknown to this program: {name} (install the version that made it)"
    yield f"size     {found.size_bytes / KIB**2:,.1f} MiB at PostgreSQL {found.server}"
    yield f"head     {found.head}" + (f" of {found.head_at:%Y-%m-%dT%H:%M:%SZ}" if found.head_at else "")
    yield f"chain    {found.chain or '-'}"
    since = f", the oldest since {found.waiting_since:%Y-%m-%dT%H:%M:%SZ}" if found.waiting_since else ""
    yield f"lag      {found.waiting} messages not delivered{since}"
    for replica in found.replicas:
        yield f"         replica {replica.name} ({replica.state}) is {replica.behind_bytes:,} bytes behind"
    yield f"holder   {_holder(found)}"
    yield f"sessions {found.sessions}"


def _holder(found: Condition) -> str:
    if found.holder is None:
        return "no process has the lock"
    holder = found.holder
    return f"{holder.name} from {holder.address} since {holder.since:%Y-%m-%dT%H:%M:%SZ} (session {holder.pid})"


def _about(manifest: Manifest) -> str:
    rows = sum(table.rows for table in manifest.tables)
    when = f" of {manifest.head_at:%Y-%m-%dT%H:%M:%SZ}" if manifest.head_at else ""
    return (
        f"store of {manifest.component} as of {manifest.made:%Y-%m-%dT%H:%M:%SZ}, {rows} rows in "
        f"{len(manifest.tables)} tables, log up to {manifest.head}{when}, chain {manifest.chain or '-'}"
    )


def _afterwards(manifest: Manifest) -> Iterator[str]:
    since = f"{manifest.made:%Y-%m-%dT%H:%M:%SZ}"
    yield "The chain of the log holds. Before and after you start the component:"
    yield "  What it had sent and nobody had answered leaves again by itself; receivers know a repeat."
    yield f"  What it took in after {since} is gone, and its senders see RECEIVED: have them send it again."
    yield "  What waits at the broker comes in as if nothing had happened."
