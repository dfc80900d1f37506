"""The mind of a message box (pure; a `hub.ports.Brain`): what waits in the inbox, which conversation has sent what.

It remembers every id it has taken or given, and of what waits everything but the content.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, assert_never

import msgspec
from msgspec.structs import asdict, replace

from documents.codes import ReasonCode
from documents.values import Identifier
from hub.errors import Rejected
from hub.mades.box import commands as c
from hub.mades.box import events as e
from hub.mades.box.interface import ANY
from hub.mades.box.rows import INBOX, OPEN, OUTBOX, RECEIVED, SENT, TESTS, Followed, Leaving, Received, Sent, Tested
from hub.mades.message import URGENT
from hub.ports import MessageState, Recorded, Row, Sending
from hub.restored import STREAM, StoreRestored
from hub.state import Journal, Table
from hub.tagged import Tagged

_FINAL: Final = frozenset({MessageState.RECEIVED, MessageState.FAILED})
_EVENTS: Final = Tagged[e.Event](e.Event, advice="Give the box a database of its own, or install a newer version.")


class BoxState:
    """What a box knows at one position of its log; only `evolve` writes."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.conversations: Table[str, str] = Table(self.journal)
        """conversationID -> the messageID it was given."""
        self.senders: Table[str, str] = Table(self.journal)
        """Id of every message received -> its sender."""
        self.inbox: Table[str, Received] = Table(self.journal)
        self.expired: Table[str, Received] = Table(self.journal)
        self.tests: Table[str, Tested] = Table(self.journal)
        self.followed: Table[str, Followed] = Table(self.journal)


class BoxBrain:
    """See the module's charter. `code` is the component whose box it is."""

    def __init__(self, code: Identifier) -> None:
        self._code = code
        self.state = BoxState()

    def waiting(self, business_type: str, now: datetime) -> list[Received]:
        """What may be handed over at `now`, oldest first; the business type "" or "*" is any."""
        inbox = self.state.inbox.contents().values()
        found = [each for each in inbox if each.expires > now and business_type in ANY | {each.business_type}]
        return sorted(found, key=lambda each: each.position)

    def overripe(self, before: datetime) -> list[Received]:
        """What waits although it expired before this instant."""
        return [each for each in self.state.inbox.contents().values() if each.expires < before]

    def decide(self, command: c.Command, now: datetime) -> Sequence[e.Event]:
        """The events a command causes; none for what was done before. Raises Rejected: the id is another sender's."""
        state = self.state
        match command:
            case c.Send(message):
                is_repeat = message.conversation_id and message.conversation_id in state.conversations
                return () if is_repeat else (message,)
            case c.Take(message):
                return self._take(message)
            case c.Confirm(message_id):
                return (e.MessageConfirmed(message_id=message_id),) if message_id in state.inbox else ()
            case c.Expire(message_ids):
                return tuple(e.MessageExpired(message_id=each) for each in message_ids if each in state.inbox)
            case c.Test(test):
                return (test,)
            case c.EndTest(result):
                return (result,) if result.message_id in state.tests else ()
            case c.Follow(message_id, ba_message_id):
                is_new = message_id not in state.followed
                return (e.MessageFollowed(message_id=message_id, ba_message_id=ba_message_id),) if is_new else ()
            case c.Tell(message_id, told):
                return (e.StateTold(message_id=message_id, state=told),) if message_id in state.followed else ()
            case _:
                assert_never(command)

    def rows(self, recorded: Recorded[e.Event]) -> Sequence[Row]:
        """The rows an event causes, seen from the state before it."""
        return list(self._rows(recorded))

    def evolve(self, recorded: Recorded[e.Event]) -> None:  # noqa: C901 - one arm for each event
        """Fold an event into the state."""
        event, state = recorded.event, self.state
        match event:
            case e.MessageSent():
                if event.conversation_id:
                    state.conversations.put(event.conversation_id, event.message_id)
            case e.MessageReceived():
                state.senders.put(event.message_id, event.sender)
                state.inbox.put(event.message_id, _received(event, recorded))
            case e.MessageConfirmed():
                state.inbox.drop(event.message_id)
            case e.MessageExpired():
                state.expired.put(event.message_id, state.inbox[event.message_id])
                state.inbox.drop(event.message_id)
            case e.ConnectivityTestAsked():
                state.tests.put(event.message_id, _tested(event, recorded.at))
            case e.ConnectivityTestEnded():
                state.tests.drop(event.message_id)
            case e.MessageFollowed():
                state.followed.put(event.message_id, Followed(event.ba_message_id))
            case e.StateTold():
                self._told(event)
            case StoreRestored():
                pass
            case _:
                assert_never(event)

    def savepoint(self) -> int:
        """Remember the present state."""
        return self.state.journal.savepoint()

    def rollback(self, savepoint: int) -> None:
        """Return to a remembered state."""
        self.state.journal.rollback(savepoint)

    def encode(self, event: e.Event) -> tuple[str, bytes]:
        """Topic (the tag `Name.v1`) and state (MessagePack) of an event."""
        return _EVENTS.encode(event)

    def decode(self, topic: str, state: bytes) -> e.Event:
        """The event. Raises UnknownEvent."""
        return _EVENTS.decode(topic, state)

    def stream_of(self, event: e.Event) -> str:
        """The message or test an event belongs to."""
        return STREAM if isinstance(event, StoreRestored) else f"message/{event.message_id}"

    def _take(self, message: e.MessageReceived) -> Sequence[e.Event]:
        known = self.state.senders.get(message.message_id)
        if known == message.sender:
            return ()
        if known is not None:
            raise Rejected(
                ReasonCode.SENDER_INVALID, f"The messageID {message.message_id} is taken. Give each message a new one."
            )
        return (message,)

    def _told(self, event: e.StateTold) -> None:
        followed = self.state.followed
        if event.state in _FINAL:
            followed.drop(event.message_id)
        else:
            followed.put(event.message_id, replace(followed[event.message_id], told=event.state))

    def _rows(self, recorded: Recorded[e.Event]) -> Iterator[Row]:
        event, at = recorded.event, recorded.at
        match event:
            case e.MessageSent():
                yield _leaving(event)
                yield self._own(SENT, event.message_id, _sent(event, at))
            case e.MessageReceived():
                received = _received(event, recorded)
                yield self._own(INBOX, event.message_id, received, group=event.business_type)
                yield self._own(RECEIVED, event.message_id, received)
            case e.MessageConfirmed():
                received = self.state.inbox[event.message_id]
                yield self._own(INBOX, event.message_id, None, confirms=(received.sender, event.message_id))
                yield self._own(RECEIVED, event.message_id, replace(received, confirmed=at))
            case e.MessageExpired():
                yield self._own(INBOX, event.message_id, None)
                yield self._own(RECEIVED, event.message_id, replace(self.state.inbox[event.message_id], expired=at))
            case e.ConnectivityTestAsked():
                yield self._own(TESTS, event.message_id, _tested(event, at), group=OPEN)
            case e.ConnectivityTestEnded():
                yield self._own(TESTS, event.message_id, _ended(self.state.tests[event.message_id], event, at))
            case e.MessageFollowed() | e.StateTold() | StoreRestored():
                pass
            case _:
                assert_never(event)

    def _own(
        self,
        view: str,
        key: str,
        payload: msgspec.Struct | None,
        *,
        group: str = "",
        confirms: tuple[str, str] | None = None,
    ) -> Row:
        return Row(view=view, audience=self._code, key=key, payload=payload, group=group, confirms=confirms)


def _leaving(event: e.MessageSent) -> Row:
    sending = Sending(
        business_type=event.business_type,
        document=event.ba_message_id,
        expires=event.expires,
        urgent=event.business_type in URGENT,
        message_id=event.message_id,
        application=event.sender_application,
    )
    payload = Leaving(event.digest)
    return Row(view=OUTBOX, audience=event.receiver, key=event.message_id, payload=payload, send=sending)


def _sent(event: e.MessageSent, at: datetime) -> Sent:
    return Sent(
        message_id=event.message_id,
        receiver=event.receiver,
        business_type=event.business_type,
        at=at,
        sender_application=event.sender_application,
        ba_message_id=event.ba_message_id,
    )


def _received(event: e.MessageReceived, recorded: Recorded[e.Event]) -> Received:
    return Received(**asdict(event), at=recorded.at, position=recorded.position)


def _tested(event: e.ConnectivityTestAsked, at: datetime) -> Tested:
    return Tested(message_id=event.message_id, receiver=event.receiver, business_type=event.business_type, at=at)


def _ended(test: Tested, event: e.ConnectivityTestEnded, at: datetime) -> Tested:
    return replace(test, ended=at, broker_ms=event.broker_ms, receiver_ms=event.receiver_ms, failure=event.failure)
