"""From messages that are due to bytes that can leave: documents are rendered once, sealed once, and both are kept.

A message is sealed anew only when its receiver prefers another certificate by now. Acknowledgements have no content and
are not kept: signing them again says the same.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Final

from msgspec import structs
from structlog.typing import FilteringBoundLogger

from hub.errors import Unavailable
from hub.mades.endpoint.seals import PASSING, Seals
from hub.mades.errors import MadesError
from hub.mades.message import InternalType, Message
from hub.ports import Clock, Outbox, OutgoingMessage, SealedMessage

Render = Callable[[Sequence[OutgoingMessage]], Awaitable[Mapping[str, bytes]]]
GiveUp = Callable[[OutgoingMessage, str], Awaitable[None]]

PIECE_BYTES: Final = 4 * 2**20
"""Of sealed messages that are held at a time; one that is longer is held alone."""
_BA_MESSAGE_ID: Final = re.compile(r"[A-Za-z0-9-]*")


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

    async def ready(self, due: Sequence[OutgoingMessage]) -> AsyncIterator[Sequence[OutgoingMessage]]:
        """Those that can leave, each with its `sealed` bytes; a piece at a time, so that no list fills the memory."""
        prepared: list[OutgoingMessage] = []
        fresh: list[SealedMessage] = []
        size = 0
        for message in due:
            whole, sealed = await self._whole(message)
            if whole is not None:
                prepared.append(whole)
                size += len(whole.sealed or b"")
            if sealed is not None:
                fresh.append(sealed)
            if size >= PIECE_BYTES:
                await self._keep(fresh)
                yield prepared
                prepared, fresh, size = [], [], 0
        await self._keep(fresh)
        yield prepared

    async def _whole(self, message: OutgoingMessage) -> tuple[OutgoingMessage | None, SealedMessage | None]:
        """A message as it leaves, and what is to be kept of that; none when it cannot leave now."""
        whole = message
        if _carries_document(message) and message.body is None:
            if (body := await self._rendered(message)) is None:
                return None, None
            whole = structs.replace(message, body=body)
        if whole.sealed is not None and self._seals.is_for_present_certificate(whole, self._clock.now()):
            return whole, None
        sealed = await self._sealed(whole)
        if sealed is None:
            return None, None
        return structs.replace(whole, sealed=sealed.sealed), sealed if _carries_document(whole) else None

    async def _keep(self, fresh: Sequence[SealedMessage]) -> None:
        if fresh:
            await self._outbox.sealed(fresh)

    async def _rendered(self, message: OutgoingMessage) -> bytes | None:
        """The document of a message; None when it has to wait, or cannot be made."""
        try:
            bodies = await self._render([message])
        except Unavailable as error:
            await self._retry(message, f"E-STORE: {error}")
            return None
        except Exception:
            self._log.exception("message.not_rendered", message=message.message_id)
            bodies = {}
        if message.message_id not in bodies:
            await self._fail(message, "E-VALIDATION")
        return bodies.get(message.message_id)

    async def _sealed(self, message: OutgoingMessage) -> SealedMessage | None:
        """The message with its seal; None when it has to wait, or never can leave."""
        try:
            closed = await self._seals.close(self._message(message))
        except MadesError as error:
            if error.code in PASSING:
                await self._retry(message, str(error))
            else:
                self._log.error("message.refused", message=message.message_id, why=str(error))
                await self._fail(message, error.code)
            return None
        return SealedMessage(
            message_id=message.message_id,
            body=message.body or b"",
            sealed=closed.body,
            sealed_for=closed.certificate_id,
            manifest_digest=closed.manifest_digest,
        )

    def _message(self, message: OutgoingMessage) -> Message:
        acknowledges = not _carries_document(message)
        return Message(
            message_id=message.message_id,
            internal_type=InternalType(message.internal_type),
            sender=self._code,
            receiver=message.receiver,
            business_type=message.business_type,
            ba_message_id=message.document if _BA_MESSAGE_ID.fullmatch(message.document) else "",
            sender_application=message.application,
            # When it is sealed, not when it was accepted: the keys may have been renewed while it waited.
            generated=self._clock.now(),
            expires=message.expires,
            related=message.related,
            related_manifest_digest=message.related_manifest,
            related_digest=message.related_digest,
            event_time=message.accepted if acknowledges else None,
            reason=message.reason if acknowledges else None,
            content=message.body or b"",
        )


def _carries_document(message: OutgoingMessage) -> bool:
    return message.internal_type == InternalType.STANDARD
