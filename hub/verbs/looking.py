"""What the commands share that only look into the hub's log: one reading from its beginning, checked as it goes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

import click

from documents import identifiers
from documents.values import Identifier
from hub.errors import LogCorrupt, UnknownEvent
from hub.ports import StoredEvent
from hub.settings import HubSettings, Sources
from hub.verbs.progress import progress

if TYPE_CHECKING:
    from hub.store.postgres import PostgresStore

T = TypeVar("T")

JSON: Final = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")


def with_store(sources: Sources, work: Callable[["PostgresStore", HubSettings], Awaitable[T]]) -> T:
    """Look at the hub's store. Raises SettingsError, Unavailable; ends with 1 when the log cannot be trusted."""
    from hub import app, logs  # noqa: PLC0415 - `--help` need not load a database's client

    settings = sources.load(HubSettings)
    logs.configure("warning", settings.log.format)

    async def run() -> T:
        async with app.reading(settings) as store:
            return await work(store, settings)

    try:
        return asyncio.run(run())
    except (LogCorrupt, UnknownEvent) as error:
        raise click.ClickException(str(error)) from None


async def events_of(
    store: "PostgresStore", *, until: Callable[[StoredEvent], bool] | None = None
) -> AsyncIterator[StoredEvent]:
    """Every event from the first one, as long as the chain holds; up to the first one `until` is true for.

    Raises LogCorrupt.
    """
    from hub.store.codec import verified  # noqa: PLC0415

    head = await store.log.head()
    with progress("Events", head) as reached:
        async for event in verified(store.log.read(until=head)):
            if until is not None and until(event):
                return
            yield event
            reached(event.position)


class Names:
    """Ids as people write them, without a scheme where it is clear (R2)."""

    def __init__(self, settings: HubSettings) -> None:
        self._national = settings.hub.national_scheme

    def __call__(self, id: Identifier) -> str:  # noqa: A002 - the field's own word
        """The shortest text that reads back as the same identity."""
        return identifiers.display(id, national=self._national)
