"""The five operations of MADES on the store of a message box (floor 7).

They need no endpoint: a command of the operator has them on a desk of its own, and what it commits is carried by the
endpoint that runs. Whatever is refused is a `MadesFault`, and its errorID stands in the log.

    message_id = await operations.send_message(SentMessage(receiver_code=HUB, business_type="TPS-POINTS", content=xml))
    reception = await operations.receive_message("TPS-ACK")        # changes nothing: an application may crash here
    await operations.confirm_receive_message(reception.received_message.message_id)
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, TypeVar
from uuid import uuid4

import msgspec
import structlog

from documents.values import Identifier
from hub.desk import Desk
from hub.errors import Unavailable
from hub.mades.backlog import Backlog
from hub.mades.box import commands, events, story
from hub.mades.box.brain import BoxBrain
from hub.mades.box.interface import (
    ANY,
    BUSINESS_TYPE,
    WORD,
    Fault,
    MadesFault,
    MessageStatus,
    ReceivedMessage,
    Reception,
    SentMessage,
)
from hub.mades.box.rows import INBOX, RECEIVED, SENT, TESTS, Received, Sent, Tested
from hub.mades.codec import DEFAULT_LIMITS, Limits
from hub.mades.errors import CATALOGUE, MadesError
from hub.mades.message import URGENT, BusinessType
from hub.mades.paths import CARRIAGE, CODE, Party, allowed
from hub.ports import Clock, Scope
from hub.store.codec import digest_of
from hub.store.memory import MemoryStore
from hub.store.postgres import PostgresStore

Store = PostgresStore | MemoryStore
R = TypeVar("R", Received, Sent, Tested)

DEFAULT_TTL: Final = timedelta(days=14)
"""How long a message is worth delivering whose time to live is in its document, which a box does not read (MADES)."""

log = structlog.get_logger("hub.mades.box")


class Operations:
    """See the module's charter. `party_of` knows who may be written to: None is nobody; `limits` bound the content."""

    def __init__(
        self,
        code: Identifier,
        *,
        party: Party,
        party_of: Callable[[str], Party | None],
        desk: Desk,
        brain: BoxBrain,
        store: Store,
        clock: Clock,
        backlog: Backlog,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._code, self._party, self._party_of = code, party, party_of
        self._desk, self._brain, self._store = desk, brain, store
        self._clock, self._backlog, self._limits = clock, backlog, limits
        self._scope = Scope(code)

    async def send_message(self, message: SentMessage, *, conversation_id: str = "") -> str:
        """SendMessage: the message is stored when this returns its messageID, and delivered as soon as possible.

        The same `conversation_id` twice gives the same messageID; the second message is not sent, whatever it holds.

        Raises:
            MadesFault: E-VALIDATION, E-TOO-LARGE, E-UNKNOWN-RECEIVER, E-NO-PATH, E-STORE-FULL, E-STORE.
        """
        with faults(receiver_code=message.receiver_code):
            self._check(message, conversation_id)
            if known := self._brain.state.conversations.get(conversation_id):
                return known
            await self._backlog.admit()
            sent = self._sent(message, conversation_id)
            outcome = await self._desk.submit(
                commands.Send(sent),
                cause=f"{self._code}/{message.ba_message_id or sent.message_id}",
                payload=message.content,
                urgent=message.business_type in URGENT,
            )
            return sent.message_id if outcome.events else self._brain.state.conversations[conversation_id]

    async def receive_message(self, business_type: str = "*", *, download_message: bool = True) -> Reception:
        """ReceiveMessage: the oldest message that waits, of one business type or ("" or "*") of any.

        Changes nothing: until it is confirmed the same message is handed over again. What has expired is not.
        `download_message` False leaves the content out.

        Raises:
            MadesFault: E-VALIDATION, E-NOT-FOUND: its content was erased from the store; E-STORE.
        """
        with faults(business_type=business_type):
            if business_type not in ANY:
                _fits(BUSINESS_TYPE.fullmatch(business_type), "businessType", business_type)
            waiting = self._brain.waiting(business_type, self._clock.now())
            for number, each in enumerate(waiting, start=1):
                # What another desk has confirmed, or ours is about to commit, is not in the rows.
                if await self._store.rows.get(self._scope, INBOX, each.message_id):
                    handed_over = await self._handed_over(each, download_message=download_message)
                    return Reception(received_message=handed_over, remaining_messages_count=len(waiting) - number)
            return Reception(received_message=None, remaining_messages_count=0)

    async def confirm_receive_message(self, message_id: str) -> str:
        """ConfirmReceiveMessage: the business application has it; its sender is told. Once more changes nothing.

        Raises:
            MadesFault: E-NOT-FOUND, E-EXPIRED: it was given up before it was confirmed, and its sender knows; E-STORE.
        """
        with faults(message_id=message_id):
            received = await self._row(RECEIVED, message_id, Received)
            if received is None:
                raise _unknown(message_id)
            if not (received.expired or received.confirmed):
                await self._desk.submit(commands.Confirm(message_id), cause=f"{self._code}/{message_id}")
                received = await self._row(RECEIVED, message_id, Received)
            if received and received.expired:
                raise MadesError("E-EXPIRED", f"Expired at {received.expires.isoformat()}, never confirmed before.")
            return message_id

    async def check_message_status(self, message_id: str) -> MessageStatus:
        """CheckMessageStatus: where a message is that was sent, received or asked for as a connectivity test.

        Raises:
            MadesFault: E-NOT-FOUND, E-STORE.
        """
        with faults(message_id=message_id):
            if sent := await self._row(SENT, message_id, Sent):
                return story.of_sent(sent, await self._store.outbox.find(message_id), me=self._code)
            if received := await self._row(RECEIVED, message_id, Received):
                return story.of_received(received, me=self._code)
            if tested := await self._row(TESTS, message_id, Tested):
                return story.of_test(tested, me=self._code)
            raise _unknown(message_id)

    async def connectivity_test(self, receiver_code: str, business_type: str) -> str:
        """ConnectivityTest: have the endpoint send a tracing message; its status, by the messageID, is the result.

        Raises:
            MadesFault: E-VALIDATION, E-UNKNOWN-RECEIVER, E-NO-PATH, E-STORE.
        """
        with faults(receiver_code=receiver_code):
            self._check_path(receiver_code, business_type)
            message_id = uuid4().hex
            test = events.ConnectivityTestAsked(
                message_id=message_id, receiver=Identifier(receiver_code), business_type=business_type
            )
            await self._desk.submit(commands.Test(test), cause=f"{self._code}/{message_id}", urgent=True)
            return message_id

    def _check(self, message: SentMessage, conversation_id: str) -> None:
        """Refuse what can be known to be wrong before anything is stored. Raises MadesError."""
        for name, value in (
            ("baMessageID", message.ba_message_id),
            ("senderApplication", message.sender_application),
            ("conversationID", conversation_id),
        ):
            _fits(WORD.fullmatch(value), name, value)
        self._check_path(message.receiver_code, message.business_type)
        if not message.content:
            raise MadesError("E-VALIDATION", "The content is empty; expected a document.")
        self._limits.check(len(message.content))

    def _check_path(self, receiver: str, business_type: str) -> None:
        _fits(CODE.fullmatch(receiver), "receiverCode", receiver)
        _fits(BUSINESS_TYPE.fullmatch(business_type), "businessType", business_type)
        party = self._party_of(receiver)
        if party is None:
            raise MadesError("E-UNKNOWN-RECEIVER", f"No component {receiver} is known here. Check the code.")
        if not allowed(business_type, sender=self._party, receiver=party):
            raise MadesError("E-NO-PATH", f"No path carries {business_type} from {self._code} to {receiver}.")

    def _sent(self, message: SentMessage, conversation_id: str) -> events.MessageSent:
        ttl = CARRIAGE[BusinessType(message.business_type)].ttl or DEFAULT_TTL
        return events.MessageSent(
            message_id=uuid4().hex,
            receiver=Identifier(message.receiver_code),
            business_type=message.business_type,
            digest=digest_of(message.content),
            expires=self._clock.now() + ttl,
            sender_application=message.sender_application,
            ba_message_id=message.ba_message_id,
            conversation_id=conversation_id,
        )

    async def _handed_over(self, received: Received, *, download_message: bool) -> ReceivedMessage:
        content = await self._store.payload(received.digest) if download_message else None
        if download_message and content is None:
            found = (
                f"The content of {received.message_id} was erased from the store. Confirm it, then receive the next."
            )
            raise MadesError("E-NOT-FOUND", found)
        return ReceivedMessage(
            message_id=received.message_id,
            receiver_code=self._code,
            sender_code=received.sender,
            business_type=received.business_type,
            content=content,
            sender_application=received.sender_application,
            ba_message_id=received.ba_message_id,
        )

    async def _row(self, view: str, key: str, kind: type[R]) -> R | None:
        item = await self._store.rows.get(self._scope, view, key)
        return None if item is None or item.payload is None else msgspec.msgpack.decode(item.payload, type=kind)


@contextmanager
def faults(**subject: Any) -> Iterator[None]:  # the field of Fault that says what the operation is about
    """Turn what goes wrong (MadesError, Unavailable) into a MadesFault that is logged under its id."""
    try:
        yield
    except MadesError as error:
        raise _fault(error.code, error.detail, subject) from error
    except Unavailable as error:
        raise _fault("E-STORE", str(error), subject) from error


def _fault(code: str, details: str, subject: dict[str, Any]) -> MadesFault:
    fault = Fault(
        error_code=code,
        error_id=str(uuid4()),
        error_message=CATALOGUE[code].when,
        error_details=details,
        **subject,
    )
    log.warning("operation.refused", code=code, error_id=fault.error_id, details=details, **subject)
    return MadesFault(fault)


def _fits(match: object, name: str, value: str) -> None:
    if match is None:
        raise MadesError("E-VALIDATION", f"{name} is {value[:64]!r}; expected letters, digits and hyphens, at most 64.")


def _unknown(message_id: str) -> MadesError:
    return MadesError("E-NOT-FOUND", f"No message {message_id[:64]!r} is known here. Check the messageID.")
