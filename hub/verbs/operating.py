"""What the operator's commands share: one decision on the hub's log, whether a hub is running or not (R1, R6)."""

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

import click

from documents import identifiers
from documents.errors import IdentifierError
from documents.values import Identifier
from hub.commands import Command
from hub.errors import LogCorrupt, Rejected, UnknownEvent
from hub.settings import HubSettings, Sources
from hub.verbs.texts import Said, Words

if TYPE_CHECKING:
    from hub.desk import Desk
    from hub.store.postgres import PostgresStore

T = TypeVar("T")
WHY: Final = click.option("--why", type=Said(), required=True, help="The reason, kept in the log.")
MAY_WHY: Final = click.option("--why", type=Words(), default="", help="The reason, kept in the log.")
AS_JSON: Final = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")


def decide(sources: Sources, command: Callable[[HubSettings], Command]) -> bool:
    """Commit one command of the operator; False when everything was so already. Ends with 1 when it cannot be done."""

    async def submit(desk: "Desk", _: "PostgresStore", settings: HubSettings) -> bool:
        outcome = await desk.submit(command(settings), cause=f"cli/{operator()}")
        return bool(outcome.events)

    return with_log(sources, submit)


def with_log(sources: Sources, work: Callable[["Desk", "PostgresStore", HubSettings], Awaitable[T]]) -> T:
    """Do something with a desk on the hub's log. Raises SettingsError, Unavailable; ends with 1 when refused."""
    from hub import app, logs  # noqa: PLC0415 - `--help` need not load a database's client

    settings = sources.load(HubSettings)
    logs.configure("warning", settings.log.format)

    async def run() -> T:
        async with app.operating(settings) as (desk, store):
            return await work(desk, store, settings)

    try:
        return asyncio.run(run())
    except Rejected as error:
        raise click.ClickException(error.text) from None
    except (LogCorrupt, UnknownEvent) as error:
        raise click.ClickException(str(error)) from None


def with_store(settings: HubSettings, work: Callable[["PostgresStore"], Awaitable[T]]) -> T:
    """Do something with the hub's store, without its log. Raises SettingsError, Unavailable."""
    from hub import app, logs  # noqa: PLC0415 - as above

    logs.configure("warning", settings.log.format)

    async def run() -> T:
        async with app.reading(settings) as store:
            return await work(store)

    return asyncio.run(run())


def party(text: str, settings: HubSettings) -> Identifier:
    """A participant's id as people write it. Ends with 2 when it is none."""
    try:
        return identifiers.party(text, national=settings.hub.national_scheme)
    except IdentifierError as error:
        raise click.UsageError(str(error)) from error


def resource(text: str, settings: HubSettings) -> Identifier:
    """The id of an asset or point as people write it. Ends with 2 when it is none."""
    try:
        return identifiers.parse_identifier(text, national=settings.hub.national_scheme)
    except IdentifierError as error:
        raise click.UsageError(str(error)) from error


def operator() -> str:
    """Who types: the name the log keeps with the decision; a number where the machine has no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


BY: Final = click.option(
    "--by",
    type=Said(),
    default=operator,
    show_default="who types",
    metavar="NAME",
    help="Who decides, kept in the log.",
)
