"""What came into a message box, for people and programs: what waits for its application, what was given up."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

import click
import msgspec
from msgspec import Struct

from documents import identifiers
from documents.values import Identifier, Instant
from hub.clock import SystemClock
from hub.mades.box.events import MessageExpired
from hub.mades.box.rows import INBOX, RECEIVED, Received
from hub.ports import Scope
from hub.settings import GatewaySettings, Sources

if TYPE_CHECKING:
    from hub.store.postgres import PostgresStore

T = TypeVar("T")
EXPIRED: Final = "MessageExpired.v1"
EVERYTHING: Final = 1_000_000


class ReceivedMessage(Struct, frozen=True, kw_only=True):
    """One message of `tps messages list --received`, for programs. `state`: WAITING, CONFIRMED or EXPIRED."""

    message_id: str
    state: str
    since: Instant
    sender: str
    business_type: str
    ba_message_id: str
    expires: Instant
    why: str

    def __str__(self) -> str:
        message = f"{self.message_id}  {self.business_type} <- {self.sender}"
        return f"{self.since:%Y-%m-%dT%H:%M:%SZ}  {self.state:<9}  {message}  {self.why}"


def told(received: Received, now: datetime) -> ReceivedMessage:
    """A message as people and programs are told of it; its content is never shown."""
    if received.confirmed:
        state, why = "CONFIRMED", f"by the application at {_at(received.confirmed)}"
    elif received.expired or received.expires <= now:
        state, why = "EXPIRED", f"never confirmed until {_at(received.expires)}; its sender is told so"
    else:
        state, why = "WAITING", f"for the application to confirm it, until {_at(received.expires)}"
    return ReceivedMessage(
        message_id=received.message_id,
        state=state,
        since=received.at,
        sender=received.sender,
        business_type=received.business_type,
        ba_message_id=received.ba_message_id,
        expires=received.expires,
        why=why,
    )


def list_received(sources: Sources, *, limit: int, as_json: bool) -> None:
    """Print what waits for the application, and what was given up. Raises SettingsError, Unavailable."""
    code, now = _code(sources), SystemClock().now()
    found, waiting = with_box(sources, lambda store: unfinished(store, code, limit=limit))
    listed = [told(each, now) for each in found]
    if as_json:
        click.echo(msgspec.json.encode(listed).decode())
        return
    for each in listed:
        click.echo(each)
    click.echo(f"{waiting} {'waits' if waiting == 1 else 'wait'} for the application.")


def show_received(sources: Sources, message_id: str, *, payload: bool, as_json: bool) -> None:
    """Print one message, or (`payload`) what it carries, and end with 0, or 1 when it was given up.

    Returns when there is none. Raises SettingsError, Unavailable.
    """
    code = _code(sources)

    async def work(store: "PostgresStore") -> tuple[Received | None, bytes | None]:
        found = await find(store, code, message_id)
        return found, await store.payload(found.digest) if found and payload else None

    found, content = with_box(sources, work)
    if found is None:
        return
    shown = told(found, SystemClock().now())
    if not payload:
        click.echo(msgspec.json.encode(shown).decode() if as_json else "\n".join(_lines(shown)))
    elif content is None:
        raise click.ClickException(f"The content of {message_id} was erased from the store.")
    else:
        click.echo(content, nl=False)
    raise click.exceptions.Exit(1 if shown.state == "EXPIRED" else 0)


def with_box(sources: Sources, work: Callable[["PostgresStore"], Awaitable[T]]) -> T:
    """Do something with the store of a message box. Raises SettingsError, Unavailable."""
    from hub import logs  # noqa: PLC0415 - `--help` need not load a database's client
    from hub.app import message_box  # noqa: PLC0415

    settings = sources.load(GatewaySettings)
    logs.configure("warning", settings.log.format)

    async def run() -> T:
        async with message_box.opened_store(settings) as store:
            return await work(store)

    return asyncio.run(run())


async def unfinished(store: "PostgresStore", code: Identifier, *, limit: int) -> tuple[Sequence[Received], int]:
    """What waits, oldest first, then the newest that was given up; and how many wait. Raises Unavailable."""
    items = await store.rows.list(Scope(code), INBOX, limit=EVERYTHING)
    waiting = sorted((_decoded(item.payload) for item in items if item.payload), key=lambda each: each.position)
    events = await store.log.of_topic(EXPIRED, limit=max(0, limit - len(waiting)))
    ids = [msgspec.msgpack.decode(event.state, type=MessageExpired).message_id for event in events]
    expired = [found for each in ids if (found := await find(store, code, each))]
    return [*waiting[:limit], *expired], len(waiting)


async def find(store: "PostgresStore", code: Identifier, message_id: str) -> Received | None:
    """A message that came, by its messageID. Raises Unavailable."""
    item = await store.rows.get(Scope(code), RECEIVED, message_id)
    return _decoded(item.payload) if item and item.payload else None


def _code(sources: Sources) -> Identifier:
    settings = sources.load(GatewaySettings)
    return identifiers.party(settings.participant.id, national=settings.gateway.national_scheme)


def _lines(shown: ReceivedMessage) -> Iterator[str]:
    yield str(shown)
    if shown.ba_message_id:
        yield f"  baMessageID {shown.ba_message_id}"


def _decoded(payload: bytes) -> Received:
    return msgspec.msgpack.decode(payload, type=Received)


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
