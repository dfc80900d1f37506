"""Outgoing messages for people and programs: lines, JSON, what a retry may do; used by `tps messages`."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

import click
import msgspec
from msgspec import Struct

from documents.values import Instant
from hub.commands import RetryMessage
from hub.events import MessageQuarantined
from hub.mades.exchange import Again, again
from hub.ports import MessageState, MessageStatus, StoredEvent
from hub.store.messages import HeldMessage

if TYPE_CHECKING:
    from hub.store.postgres import PostgresStore

QUARANTINED: Final = "MessageQuarantined.v1"


class Listed(Struct, frozen=True, kw_only=True):
    """One message of `tps messages list`, for programs."""

    message_id: str
    state: MessageState
    since: Instant
    receiver: str
    business_type: str
    document: str
    attempts: int
    next: Instant | None
    expires: Instant
    why: str


class Shown(Struct, frozen=True, kw_only=True):
    """`tps messages show`, for programs."""

    message: Listed
    trace: tuple["Step", ...]


class Step(Struct, frozen=True, kw_only=True):
    """One step of a message's story."""

    at: Instant
    component: str
    state: str
    details: str


class SetAside(Struct, frozen=True, kw_only=True):
    """A message that came in and made the code fail (R30): what is known of it without its content."""

    at: Instant
    sender: str
    message_id: str
    document: str
    error: str


class Retry(Struct, frozen=True, kw_only=True):
    """What one retry does: the message, and the id of the new one that takes up a failed one."""

    message: HeldMessage
    again: str | None


def why(message: HeldMessage, now: datetime) -> str:
    """What a message waits for, or why it failed, in words."""
    if message.state is MessageState.RECEIVED:
        return ""
    if message.state is MessageState.FAILED:
        taken_up = message.tried if message.tried and message.tried.startswith("taken up as ") else None
        return "; ".join(filter(None, (message.reason, taken_up)))
    if message.lease_until and message.lease_until > now:
        return "being sent now"
    if message.due is None:
        return "the broker has it; its receiver has not answered yet"
    return message.tried or "waits for its turn"


def listed(message: HeldMessage, now: datetime) -> Listed:
    """A message as programs are told of it."""
    return Listed(
        message_id=message.message_id,
        state=message.state,
        since=message.accepted,
        receiver=message.receiver,
        business_type=message.business_type,
        document=message.document,
        attempts=message.attempts,
        next=message.due,
        expires=message.expires,
        why=why(message, now),
    )


def line(message: HeldMessage, now: datetime) -> str:
    """A message on one line."""
    attempts = f"attempts {message.attempts}"
    return (
        f"{message.accepted:%Y-%m-%dT%H:%M:%SZ}  {message.state:<9}  {message.message_id}  {message.business_type} -> "
        f"{message.receiver}  {attempts}  {why(message, now)}"
    ).rstrip()


def story(message: HeldMessage, status: MessageStatus, now: datetime) -> Iterator[str]:
    """Everything about one message but its content."""
    yield line(message, now)
    queue = "urgent" if message.urgent else "bulk"
    yield f"  document {message.document}, {queue}, worth sending until {_at(message.expires)}"
    if message.due:
        yield f"  tried next at {_at(message.due)}"
    for step in status.trace:
        yield f"  {_at(step.at)}  {step.state:<11}  {step.component}  {step.details}".rstrip()


def shown(message: HeldMessage, status: MessageStatus, now: datetime) -> Shown:
    """The same for programs."""
    steps = (
        Step(at=step.at, component=step.component, state=step.state, details=step.details) for step in status.trace
    )
    return Shown(message=listed(message, now), trace=tuple(steps))


async def planned(store: "PostgresStore", message_id: str, new_id: str, now: datetime) -> Retry:
    """What a retry of this message is to do. Ends with 1 when nothing may be done, and says why."""
    message = await store.messages.find(message_id)
    if message is None:
        raise click.ClickException(f"No outgoing message has the id {message_id}. See `tps messages list`.")
    how = again(message.state, expires=message.expires, now=now)
    if message.state is MessageState.RECEIVED:
        raise click.ClickException(f"{message_id} is RECEIVED: it has arrived, and never leaves again.")
    if how is None:
        raise click.ClickException(
            f"{message_id} was worth sending until {_at(message.expires)}, which is over. Have its content sent anew "
            "by whoever made it."
        )
    if message.lease_until and message.lease_until > now:
        raise click.ClickException(f"{message_id} is being sent at this moment. See `tps messages show {message_id}`.")
    if how is Again.ANEW and (newer := await store.messages.newer(message_id)):
        raise click.ClickException(
            f"{message_id} was followed by {newer}, which carries the same document. Look at that."
        )
    return Retry(message=message, again=new_id if how is Again.ANEW else None)


async def perform(store: "PostgresStore", retry: Retry, *, reason: str, now: datetime) -> bool:
    """Do it; False when the message has moved on by itself meanwhile."""
    message_id = retry.message.message_id
    if retry.again is None:
        return await store.messages.send_now(message_id, reason=reason, now=now)
    return await store.messages.send_anew(message_id, retry.again, reason=reason, now=now)


def told(retry: Retry, done: bool) -> str:
    """What became of a retry, in words."""
    message_id = retry.message.message_id
    if not done:
        return f"{message_id} has moved on by itself meanwhile. See `tps messages show {message_id}`."
    if retry.again:
        return f"{message_id} stays FAILED; its document leaves as {retry.again}."
    return f"{message_id} is due now."


def command(retry: Retry, *, why: str, by: str) -> RetryMessage:
    """The command that keeps a retry in the hub's log."""
    return RetryMessage(
        message_id=retry.message.message_id,
        receiver=retry.message.receiver,
        document=retry.message.document,
        again=retry.again,
        why=why,
        by=by,
    )


def quarantined(stored: StoredEvent) -> SetAside:
    """What the hub's log tells of a message that it set aside."""
    event = msgspec.msgpack.decode(stored.state, type=MessageQuarantined)
    origin = event.origin
    return SetAside(
        at=stored.at, sender=origin.sender, message_id=event.message_id, document=origin.mrid, error=event.error
    )


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
