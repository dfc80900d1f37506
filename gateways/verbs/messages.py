"""`tps messages`: what waits to leave a hub, a gateway or a message box, or waits in a box; and sending it again."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import uuid4

import click
import msgspec

from gateways import inbound
from gateways.commands import Note
from gateways.events import DocumentSent, MessageRetried
from gateways.verbs import operating
from hub.clock import SystemClock
from hub.ports import MessageState, StoredEvent
from hub.settings import GatewaySettings, HubSettings, Sources
from hub.verbs import messages as shared
from hub.verbs import received as incoming
from hub.verbs.kinds import chosen
from hub.verbs.operating import AS_JSON, BY, WHY, operator, with_log, with_store

if TYPE_CHECKING:
    from hub.desk import Desk
    from hub.store.postgres import PostgresStore

T = TypeVar("T")
BOX: Final = "box"
UNFINISHED: Final = ("ACCEPTED", "DELIVERED", "FAILED")
KIND: Final = click.option(
    "--kind", type=click.Choice(["hub", "gateway"]), help="What it is, if the settings are for several."
)
KIND_OR_BOX: Final = click.option(
    "--kind",
    type=click.Choice(["hub", "gateway", BOX]),
    help="What it is, if the settings are for several; a message box has those of a gateway.",
)
LIMIT: Final = click.option("--limit", type=click.IntRange(1, 10_000), default=100, help="How many to list.")


@click.group()
def messages() -> None:
    """List messages, and send them again."""


@messages.command("list")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in MessageState], case_sensitive=False),
    default=UNFINISHED,
    help="Only messages in this state; as often as needed.",
)
@click.option("--to", "receiver", metavar="CODE", help="Only messages to this receiver.")
@click.option("--received", is_flag=True, help="What came into a message box instead (--kind box).")
@LIMIT
@KIND_OR_BOX
@AS_JSON
@click.pass_obj
def list_(
    sources: Sources,
    *,
    states: tuple[str, ...],
    receiver: str | None,
    received: bool,
    limit: int,
    kind: str | None,
    as_json: bool,
) -> None:
    """List what waits and what failed: since when, its state, its id, its type and receiver, attempts, and why.

    What is under way comes oldest first, what has ended newest first. Contents are never shown. With --received: what
    waits for the application of a message box, and what it never confirmed in time.
    """
    if received:
        if kind != BOX:
            raise click.UsageError("Only a message box keeps what came for its application. Give --kind box.")
        incoming.list_received(sources, limit=limit, as_json=as_json)
        return
    wanted, now = [MessageState(state) for state in states], SystemClock().now()

    async def work(store: "PostgresStore") -> tuple[Sequence[Any], int]:
        held = await store.messages.list(wanted, receiver=receiver, limit=limit)
        return held, await store.messages.count(wanted, receiver=receiver)

    held, count = _with_store(sources, kind, work)
    if as_json:
        click.echo(msgspec.json.encode([shared.listed(message, now) for message in held]).decode())
        return
    for message in held:
        click.echo(shared.line(message, now))
    rest = f", the first {len(held)} shown" if len(held) < count else ""
    click.echo(f"{count} message{'' if count == 1 else 's'}{rest}.")


@messages.command()
@click.argument("message_id")
@click.option("--payload", is_flag=True, help="Print the document it carries instead.")
@KIND_OR_BOX
@AS_JSON
@click.pass_obj
def show(sources: Sources, *, message_id: str, payload: bool, kind: str | None, as_json: bool) -> None:
    """Show where MESSAGE_ID is and how it came there, step by step; its content only with `--payload`.

    Exit codes: 0 under way or arrived, 1 FAILED or unknown.
    """

    async def work(store: "PostgresStore") -> tuple[Any, Any, bytes | None]:
        body = await store.messages.body(message_id) if payload else None
        return await store.messages.find(message_id), await store.outbox.find(message_id), body

    message, status, body = _with_store(sources, kind, work)
    if message is None and kind == BOX:
        incoming.show_received(sources, message_id, payload=payload, as_json=as_json)
    if message is None or status is None:
        raise click.ClickException(f"No outgoing message has the id {message_id}. See `tps messages list`.")
    now = SystemClock().now()
    if payload:
        if body is None:
            raise click.ClickException(f"{message_id} was never tried: its document is made when it first leaves.")
        click.echo(body.decode(errors="replace"))
    elif as_json:
        click.echo(msgspec.json.encode(shared.shown(message, status, now)).decode())
    else:
        click.echo("\n".join(shared.story(message, status, now)))
    raise click.exceptions.Exit(1 if message.state is MessageState.FAILED else 0)


@messages.command()
@click.argument("message_ids", nargs=-1, metavar="[MESSAGE_ID]...")
@click.option("--failed", is_flag=True, help="Every failed message that may still leave.")
@WHY
@BY
@KIND
@click.pass_obj
def retry(sources: Sources, *, message_ids: tuple[str, ...], failed: bool, why: str, by: str, kind: str | None) -> None:
    """Send messages again, now: one that waits as it is, of a failed one its document in a new message.

    FAILED is an end: the failed message stays as it is. What has arrived, and what is past its time, never leaves
    again. Each retry is an event in the log. Exit codes: 0 all are on their way, 1 one or more are not.
    """
    if failed == bool(message_ids):
        raise click.UsageError("Name messages, or all of them with --failed.")

    async def work(store: "PostgresStore", note: Callable[[shared.Retry], Awaitable[object]]) -> bool:
        wanted = message_ids or await _failed(store)
        if not wanted:
            click.echo("No failed message may leave again.")
        return all([await _retried(store, note, message_id, why=why, by=by) for message_id in wanted])

    if not _with_log(sources, kind, work, why=why, by=by):
        raise click.exceptions.Exit(1)


@messages.command("dead-letters")
@LIMIT
@KIND
@AS_JSON
@click.pass_obj
def dead_letters(sources: Sources, *, limit: int, kind: str | None, as_json: bool) -> None:
    """List incoming messages that made the code fail and were set aside (R30), newest first; never what they say.

    What the broker gave up is listed by `tps broker dead-letters`.
    """
    settings = _chosen(sources, kind)

    async def work(store: "PostgresStore") -> list[shared.SetAside]:
        if isinstance(settings, HubSettings):
            return [shared.quarantined(each) for each in await store.log.of_topic(shared.QUARANTINED, limit=limit)]
        holding = inbound.SET_ASIDE.encode()
        found = await store.log.of_topic("DocumentSent.v1", holding=holding, limit=limit)
        return [each for stored in found if (each := _refused(stored))]

    found = _with_store(sources, kind, work)
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    for each in found:
        click.echo(f"{each.at:%Y-%m-%dT%H:%M:%SZ}  {each.sender}  {each.message_id or each.document}  {each.error}")
    click.echo(f"{len(found)} set aside. What the broker gave up: `tps broker dead-letters`.")


async def _failed(store: "PostgresStore") -> tuple[str, ...]:
    """Failed messages that may still leave, oldest first."""
    now, found = SystemClock().now(), await store.messages.list([MessageState.FAILED], limit=100_000)
    alive = [each.message_id for each in reversed(found) if now < each.expires]
    return tuple([each for each in alive if await store.messages.newer(each) is None])


async def _retried(
    store: "PostgresStore",
    note: Callable[[shared.Retry], Awaitable[object]],
    message_id: str,
    *,
    why: str,
    by: str,
) -> bool:
    """Whether this one is on its way again. The log has it first, so that nothing leaves unnoted."""
    now = SystemClock().now()
    try:
        planned = await shared.planned(store, message_id, uuid4().hex, now)
    except click.ClickException as refused:
        refused.show()
        return False
    await note(planned)
    done = await shared.perform(store, planned, reason=f"{by}: {why}", now=now)
    click.echo(shared.told(planned, done))
    return done


def _refused(stored: StoredEvent) -> shared.SetAside | None:
    """What a gateway's log tells of a document that it set aside: its acknowledgement is all that was kept."""
    sent = msgspec.json.decode(stored.state, type=DocumentSent).document
    received, reasons = getattr(sent, "received", None), getattr(sent, "reasons", ())
    texts = [reason.text for reason in reasons if (reason.text or "").startswith(inbound.SET_ASIDE)]
    if received is None or not texts:
        return None
    error = texts[0].removeprefix(inbound.SET_ASIDE).strip(" ().")
    return shared.SetAside(
        at=stored.at,
        sender=sent.receiver.id,
        message_id=received.title or "",
        document=received.mrid or "",
        error=error,
    )


def _note(planned: shared.Retry, *, why: str, by: str) -> Note:
    message = planned.message
    return Note(
        done=MessageRetried(
            message_id=message.message_id,
            receiver=message.receiver,
            document=message.document,
            again=planned.again,
            why=why,
            by=by,
        )
    )


def _chosen(sources: Sources, kind: str | None) -> HubSettings | GatewaySettings:
    settings = chosen(sources, kind)
    if not isinstance(settings, HubSettings | GatewaySettings):
        raise click.UsageError(
            "These settings are a directory's, which sends no messages. Give those of a hub or gateway."
        )
    return settings


def _with_store(sources: Sources, kind: str | None, work: Callable[["PostgresStore"], Awaitable[T]]) -> T:
    if kind == BOX:
        return incoming.with_box(sources, work)
    settings = _chosen(sources, kind)
    if isinstance(settings, HubSettings):
        return with_store(settings, work)
    return operating.with_store(settings, work)


def _with_log(
    sources: Sources,
    kind: str | None,
    work: Callable[["PostgresStore", Callable[[shared.Retry], Awaitable[object]]], Awaitable[T]],
    *,
    why: str,
    by: str,
) -> T:
    """Work with a store and the way into the log of whoever the settings are for."""
    settings = _chosen(sources, kind)

    async def hub(desk: "Desk", store: "PostgresStore", _: HubSettings) -> T:
        return await work(
            store, lambda planned: desk.submit(shared.command(planned, why=why, by=by), cause=f"cli/{operator()}")
        )

    async def gateway(desk: "Desk", store: "PostgresStore") -> T:
        return await work(store, lambda planned: desk.submit(_note(planned, why=why, by=by), cause=f"cli/{operator()}"))

    if isinstance(settings, HubSettings):
        return with_log(sources, hub)
    return operating.with_log(settings, gateway)
