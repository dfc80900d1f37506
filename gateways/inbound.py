"""What comes from the hub: read, checked, given to the desk; one commit with both acknowledgements (R26, R29, R30)."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import structlog

from documents import registry
from documents.codes import ReasonCode
from documents.errors import DocumentError
from documents.model import AcknowledgementMarketDocument, Document
from documents.values import Mrid, Reason
from gateways.commands import Receive
from gateways.events import DocumentReceived
from gateways.identity import Identity
from hub.aside import aside
from hub.desk import Desk
from hub.mades.endpoint import Incoming
from hub.mades.message import URGENT, BusinessType, Message
from hub.ports import InboxEntry

BIG: Final = 64 * 1024
"""Bytes from which a document is read in a thread, so that the loop goes on."""
SET_ASIDE: Final = "The receiving system cannot process it"
"""How the refusal of a document that made the code fail begins (R30); the log is searched for it."""
log = structlog.get_logger("gateways.inbound")


class Inbound:
    """See the module's charter. `settled` is told which sent documents were answered."""

    def __init__(self, desk: Desk, *, who: Identity, settled: Callable[[Mrid], None]) -> None:
        self._desk, self._who, self._settled = desk, who, settled

    async def receive(self, incoming: Incoming) -> None:
        """Take one message in.

        Returns when it and its effect are stored. Raises Unavailable: it stays at the broker.
        """
        message = incoming.message
        document, refusal = await self._read(message)
        refusal = refusal or (self._check(document, message) if document else None)
        if refusal:
            log.warning("document.refused", message=message.message_id, reason=refusal.code)
        command = Receive(
            document=document,
            message_id=message.message_id,
            response=message.business_type == BusinessType.RESPONSE,
            request=message.ba_message_id or None,
            refusal=refusal,
        )
        outcome = await self._desk.submit(
            command,
            cause=f"{message.sender}/{document.mrid if document else message.message_id}",
            inbox=incoming.entry,
            payload=message.content,
            urgent=message.business_type in URGENT,
        )
        self._tell(outcome.events)

    def _tell(self, events: tuple[Any, ...]) -> None:  # events of the gateway's brain
        for event in events:
            if isinstance(event, DocumentReceived):
                log.info("document.received", document=event.document.mrid, kind=type(event.document).__name__)
                if event.answers:
                    self._settled(event.answers.partition("/")[0])

    async def _read(self, message: Message) -> tuple[Document | None, Reason | None]:
        try:
            if len(message.content) > BIG:
                return await aside(
                    partial(registry.read, message.content), urgent=message.business_type in URGENT
                ), None
            return registry.read(message.content), None
        except DocumentError as error:
            return None, Reason(error.reason_code, str(error)[:512])

    def _check(self, document: Document, message: Message) -> Reason | None:
        """Why a readable document is none of ours (R2)."""
        if document.sender.id != self._who.hub.id or message.sender != self._who.hub.id:
            return Reason(ReasonCode.SENDER_INVALID, "The sender is not the hub of this gateway.")
        if document.receiver.id != self._who.me.id:
            return Reason(ReasonCode.RECEIVER_INCORRECT, "The receiver is not the participant of this gateway.")
        carries_answer = isinstance(document, AcknowledgementMarketDocument)
        if (message.business_type == BusinessType.ACK) > carries_answer:
            return Reason(ReasonCode.BUSINESS_TYPE_INVALID, "The business type does not match the document.")
        return None


def set_aside(command: Any, entry: InboxEntry | None, error: str) -> Receive | None:  # a command of the gateway's brain
    """The command that refuses a document which made the code fail (R30).

    None for a client's wish: its caller is told.
    """
    if not isinstance(command, Receive) or entry is None:
        return None
    why = Reason(ReasonCode.UNREADABLE, f"{SET_ASIDE} ({error}).")
    return Receive(document=command.document, message_id=command.message_id, refusal=why)
