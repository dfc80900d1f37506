"""From messages that are due to bytes that can leave: documents are rendered once, sealed once, and both are kept.

A message is sealed anew only when its receiver prefers another certificate by now. Acknowledgements have no content and
are not kept: signing them again says the same. Those that are due together, for one receiver and business type, leave
as one list with one signature (docs/decisions/014).
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from hub.errors import Unavailable
from hub.mades.endpoint.seals import PASSING, Seals
from hub.mades.errors import MadesError
from hub.mades.message import LIST_MAX, Acknowledgement, InternalType, Message
from hub.mades.seal import Closed
from hub.ports import Clock, Outbox, OutgoingMessage, SealedMessage

Render = Callable[[Sequence[OutgoingMessage]], Awaitable[Mapping[str, bytes]]]
GiveUp = Callable[[Sequence[OutgoingMessage], str], Awaitable[None]]

RENDERED_TOGETHER: Final = 8
"""Urgent documents made from one look at the store. Most are short; each may be as long as a message carries."""
PIECE_BYTES: Final = 4 * 2**20
"""Of sealed messages that are held at a time; one that is longer is held alone."""
_BA_MESSAGE_ID: Final = re.compile(r"[A-Za-z0-9-]*")


class Ready(Struct, frozen=True):
    """What leaves as one: a document of so many bytes, or the acknowledgements for one receiver; `sealed` goes out."""

    messages: Sequence[OutgoingMessage]
    internal_type: InternalType
    sealed: bytes
    content_bytes: int = 0

    @property
    def first(self) -> OutgoingMessage:
        """All of it travels with the id, receiver and business type of this one."""
        return self.messages[0]

    @property
    def expires(self) -> datetime:
        """Until when it is worth delivering."""
        return _expires(self.messages)


class Preparation:
    """Makes messages of component `code` ready to leave. `retry` and `fail` take those that cannot be made, and why."""

    def __init__(
        self,
        code: str,
        *,
        seals: Seals,
        outbox: Outbox,
        clock: Clock,
        render: Render,
        retry: GiveUp,
        fail: GiveUp,
        log: FilteringBoundLogger,
    ) -> None:
        self._code, self._seals, self._outbox, self._clock = code, seals, outbox, clock
        self._render, self._retry, self._fail, self._log = render, retry, fail, log

    async def ready(self, due: Sequence[OutgoingMessage]) -> AsyncIterator[Sequence[Ready]]:
        """What can leave, documents first; a piece at a time, so that no long document fills the memory."""
        piece: list[Ready] = []
        fresh: list[SealedMessage] = []
        size = 0
        for together in _rendered_together(due):
            for message, body in await self._bodies(together):
                ready, sealed = await self._document(message, body)
                if ready is not None:
                    piece.append(ready)
                    size += len(ready.sealed)
                if sealed is not None:
                    fresh.append(sealed)
                if size >= PIECE_BYTES:
                    await self._keep(fresh)
                    yield piece
                    piece, fresh, size = [], [], 0
        await self._keep(fresh)
        for messages in _for_one_receiver(due):
            if acknowledgements := await self._acknowledgements(messages):
                piece.append(acknowledgements)
        yield piece

    async def _document(self, message: OutgoingMessage, body: bytes) -> tuple[Ready | None, SealedMessage | None]:
        """A document as it leaves, and what is to be kept of that; none when it cannot leave now."""
        if message.sealed is not None and self._seals.is_for_present_certificate(message, self._clock.now()):
            return Ready([message], InternalType.STANDARD, message.sealed, len(body)), None
        closed = await self._closed([message], self._carrying(message, body))
        if closed is None:
            return None, None
        sealed = SealedMessage(
            message_id=message.message_id,
            body=body,
            sealed=closed.body,
            sealed_for=closed.certificate_id,
            manifest_digest=closed.manifest_digest,
        )
        return Ready([message], InternalType.STANDARD, closed.body, len(body)), sealed

    async def _acknowledgements(self, messages: Sequence[OutgoingMessage]) -> Ready | None:
        """Acknowledgements for one receiver as they leave; none when they cannot leave now."""
        said = self._saying(messages)
        closed = await self._closed(messages, said)
        return Ready(messages, said.internal_type, closed.body) if closed else None

    async def _keep(self, fresh: Sequence[SealedMessage]) -> None:
        if fresh:
            await self._outbox.sealed(fresh)

    async def _bodies(self, messages: Sequence[OutgoingMessage]) -> Sequence[tuple[OutgoingMessage, bytes]]:
        """The documents of messages, without those that have to wait or cannot be made."""
        bodies = {message.message_id: message.body for message in messages if message.body is not None}
        bare = [message for message in messages if message.body is None]
        try:
            rendered = await self._rendered(bare)
        except Unavailable as error:
            await self._retry(bare, f"E-STORE: {error}")
        else:
            bodies |= rendered
            if missing := [message for message in bare if message.message_id not in rendered]:
                await self._fail(missing, "E-VALIDATION")
        return [(message, bodies[message.message_id]) for message in messages if message.message_id in bodies]

    async def _rendered(self, messages: Sequence[OutgoingMessage]) -> Mapping[str, bytes]:
        """Documents by message id; one that cannot be made spoils no other. Raises Unavailable."""
        if not messages:
            return {}
        try:
            return await self._render(messages)
        except Unavailable:
            raise
        except Exception:
            if len(messages) == 1:
                self._log.exception("message.not_rendered", message=messages[0].message_id)
                return {}
        alone = [await self._rendered([message]) for message in messages]
        return {message_id: body for bodies in alone for message_id, body in bodies.items()}

    async def _closed(self, of: Sequence[OutgoingMessage], message: Message) -> Closed | None:
        """The sealed message; None when what it is made of has to wait, or never can leave."""
        try:
            return await self._seals.close(message)
        except MadesError as error:
            if error.code in PASSING:
                await self._retry(of, str(error))
            else:
                self._log.error("message.refused", message=message.message_id, why=str(error))
                await self._fail(of, error.code)
            return None

    def _carrying(self, message: OutgoingMessage, body: bytes) -> Message:
        return Message(
            message_id=message.message_id,
            internal_type=InternalType.STANDARD,
            sender=self._code,
            receiver=message.receiver,
            business_type=message.business_type,
            ba_message_id=message.document if _BA_MESSAGE_ID.fullmatch(message.document) else "",
            sender_application=message.application,
            # When it is sealed, not when it was accepted: the keys may have been renewed while it waited.
            generated=self._clock.now(),
            expires=message.expires,
            content=body,
        )

    def _saying(self, messages: Sequence[OutgoingMessage]) -> Message:
        first = messages[0]
        return Message(
            message_id=first.message_id,
            internal_type=InternalType(first.internal_type) if len(messages) == 1 else InternalType.LIST,
            sender=self._code,
            receiver=first.receiver,
            business_type=first.business_type,
            generated=self._clock.now(),
            expires=_expires(messages),
            acknowledgements=tuple(map(_acknowledgement, messages)),
        )


def _carries_document(message: OutgoingMessage) -> bool:
    return message.internal_type == InternalType.STANDARD


def _rendered_together(due: Iterable[OutgoingMessage]) -> Iterator[Sequence[OutgoingMessage]]:
    """Documents in their order: urgent ones some at a time, lists and plans alone, so that none fills the memory."""
    documents = list(filter(_carries_document, due))
    size = RENDERED_TOGETHER if all(message.urgent for message in documents) else 1
    return (documents[start : start + size] for start in range(0, len(documents), size))


def _for_one_receiver(due: Iterable[OutgoingMessage]) -> Iterable[Sequence[OutgoingMessage]]:
    """The acknowledgements among them, those together that may leave as one."""
    groups: dict[tuple[str, str], list[OutgoingMessage]] = {}
    for message in due:
        if not _carries_document(message):
            groups.setdefault((message.receiver, message.business_type), []).append(message)
    return (group[start : start + LIST_MAX] for group in groups.values() for start in range(0, len(group), LIST_MAX))


def _acknowledgement(message: OutgoingMessage) -> Acknowledgement:
    assert message.related is not None, "it acknowledges something"
    return Acknowledgement(
        kind=InternalType(message.internal_type),
        related=message.related,
        manifest_digest=message.related_manifest,
        plain_digest=message.related_digest,
        event_time=message.accepted,
        reason=message.reason,
    )


def _expires(messages: Sequence[OutgoingMessage]) -> datetime:
    return max(message.expires for message in messages)
