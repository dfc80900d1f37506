"""`tps broker`: make RabbitMQ carry the platform, and look after it (F1, NF3)."""

import asyncio
from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click
import msgspec
from msgspec import Struct

from hub.errors import Rejected, SettingsError, Unavailable
from hub.mades.topology import Registered
from hub.settings import DirectorySettings, Sources
from hub.verbs.operating import AS_JSON, BY, WHY
from hub.verbs.operating import operator as who_types

if TYPE_CHECKING:
    from hub.directory_service import Directory
    from hub.mades.provision import ComponentStatus, DeadLetter

T = TypeVar("T")
_LIMIT: Final = 1000


class Operator(Struct, frozen=True):
    """How the operator reaches the management interface."""

    url: str
    password_file: Path | None
    authority: Path | None
    sources: Sources


@click.group()
@click.option("--management", default="http://provisioner@127.0.0.1:15672", help="Where it is, and as whom.")
@click.option("--password-file", type=click.Path(path_type=Path), help="File that holds the password.")
@click.option("--ca", type=click.Path(path_type=Path), help="Authority (PEM) behind an https address.")
@click.pass_context
def broker(ctx: click.Context, management: str, password_file: Path | None, ca: Path | None) -> None:
    """Provision RabbitMQ, and look after it."""
    ctx.obj = Operator(management, password_file, ca, ctx.obj or Sources())


@broker.command()
def config() -> None:
    """Print what has to stand in the configuration of RabbitMQ."""
    click.echo(files("hub.mades").joinpath("rabbitmq.conf").read_text("utf-8"), nl=False)


@broker.command()
@click.option(
    "--components",
    "file",
    type=click.Path(path_type=Path),
    help="Take them from here instead (JSON: code, party, suffix, revoked).",
)
@click.pass_obj
def provision(operator: Operator, file: Path | None) -> None:
    """Make queues, users and permissions fit the component directory, and throw out everybody else.

    Reads the directory's database as its settings say, whether the directory is running or not.
    """
    from hub.mades import provision as work  # noqa: PLC0415 - `--help` need not load an HTTP client

    components = _components(file) if file else _registered(operator.sources)
    try:
        changes = _managed(operator, lambda management: work.provision(management, components))
    except ValueError as error:
        raise click.UsageError(f"{file or 'The component directory'}: {error}") from error
    for word, things in (("made", changes.made), ("removed", changes.removed), ("left, not empty", changes.left)):
        for thing in things:
            click.echo(f"{word}: {thing}")
    click.echo(f"{len(components)} components, {len(changes.made)} made, {len(changes.removed)} removed.")


class Status(Struct, frozen=True):
    """What `tps broker status --json` prints."""

    components: "list[ComponentStatus]"
    dead_letters: int


class DeadLetters(Struct, frozen=True):
    """What `tps broker dead-letters --json` prints: the oldest ones, and how many there are."""

    oldest: "list[DeadLetter]"
    count: int


@broker.command()
@AS_JSON
@click.pass_obj
def status(operator: Operator, *, as_json: bool) -> None:
    """List every component: whether it may log in, its connections, what waits for it; and the dead letters."""
    from hub.mades import provision as work  # noqa: PLC0415 - as above

    everybody, given_up = _managed(operator, work.status), _managed(operator, work.dead_letter_count)
    if as_json:
        click.echo(msgspec.json.encode(Status(everybody, given_up)).decode())
        return
    for each in everybody:
        waiting = ", ".join(f"{count} {kind}" for kind, count in sorted(each.waiting.items(), reverse=True))
        login = "may log in" if each.may_log_in else "may not log in"
        click.echo(f"{each.code}  {login}  connections {each.connections}  waiting: {waiting or 'no queue'}")
    click.echo(f"Dead letters: {given_up}.")


@broker.command()
@click.argument("code")
@WHY
@BY
@click.pass_obj
def revoke(operator: Operator, code: str, why: str, by: str) -> None:
    """Throw the component CODE out: its connections are closed now, and it cannot log in again.

    Who did it and why is kept in the log of the component directory, as its settings say. Where that cannot be
    written CODE is out all the same, and the command ends with 1.
    """
    from hub.mades import provision as work  # noqa: PLC0415 - as above

    was_in = _managed(operator, lambda management: work.revoke(management, code))
    click.echo(f"{code} is {'now' if was_in else 'already'} out.")
    _note(operator.sources, code, why=why, by=by)
    click.echo(
        "Revoke it at the component directory too, or in your list: else the next provisioning lets it in again."
    )


@broker.command("dead-letters")
@click.option("--limit", default=20, type=click.IntRange(0, _LIMIT), help="How many to list.")
@AS_JSON
@click.pass_obj
def dead_letters(operator: Operator, limit: int, *, as_json: bool) -> None:
    """Count the messages that were given up, and list the oldest: when, why, between whom; never what they say."""
    from hub.mades import provision as work  # noqa: PLC0415 - as above

    letters = _managed(operator, lambda management: work.dead_letters(management, limit=limit)) if limit else []
    count = max(_managed(operator, work.dead_letter_count), len(letters))
    if as_json:
        click.echo(msgspec.json.encode(DeadLetters(letters, count)).decode())
        return
    for letter in letters:
        at = letter.at.isoformat() if letter.at else "-"
        click.echo(
            f"{at}  {letter.reason}  {letter.sender} -> {letter.receiver}  {letter.business_type}  {letter.message_id}"
        )
    click.echo(f"Dead letters: {count}.")


def _note(sources: Sources, code: str, *, why: str, by: str) -> None:
    """Keep who threw CODE out, and why. Ends with 1 when that cannot be: it is out already, for time matters."""
    try:
        _with_directory(sources, lambda directory: directory.note_thrown_out(code, why=why, by=by))
    except (SettingsError, Unavailable, Rejected) as error:
        raise click.ClickException(
            f"The log of the component directory does not say so: {error} Give its settings, and repeat the command "
            "when it can be reached; until then keep by whom and why."
        ) from error


def _registered(sources: Sources) -> list[Registered]:
    """Raises SettingsError, Unavailable."""
    return _with_directory(sources, lambda directory: directory.registered())


def _with_directory(sources: Sources, work: Callable[["Directory"], Awaitable[T]]) -> T:
    """Do something with the directory's log. Raises SettingsError, Unavailable, Rejected."""
    from hub import logs  # noqa: PLC0415 - as above
    from hub.directory_service import process  # noqa: PLC0415 - as above

    settings = sources.load(DirectorySettings)
    logs.configure("warning", settings.log.format)

    async def run() -> T:
        async with process.opened(settings, cause=f"cli/{who_types()}") as directory:
            return await work(directory)

    return asyncio.run(run())


def _components(file: Path) -> list[Registered]:
    """Raises UsageError: the file cannot be read, or a component in it."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[Registered])
    except (OSError, msgspec.DecodeError) as error:
        raise click.UsageError(
            f"{file}: {error}. Expected: a JSON list of objects with code, party (HUB, DSO, AGR, BRP), "
            "suffix (16 hexadecimal digits) and, if it is so, revoked."
        ) from error


def _managed(operator: Operator, work: Callable[..., Awaitable[T]]) -> T:
    """Do something at the management interface. Raises Unavailable; ends with 1 when the broker refuses."""
    import ssl  # noqa: PLC0415 - as above

    from hub.mades.management import managing  # noqa: PLC0415 - as above
    from hub.ports import Refused  # noqa: PLC0415 - as above

    async def run() -> T:
        tls = ssl.create_default_context(cafile=operator.authority) if operator.authority else None
        async with managing(operator.url, password=_password(operator.password_file), tls=tls) as management:
            return await work(management)

    try:
        return asyncio.run(run())
    except Refused as error:
        raise click.ClickException(str(error)) from None


def _password(file: Path | None) -> str:
    try:
        return file.read_text("utf-8").rstrip("\r\n") if file else ""
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read: {error.strerror}.") from error
