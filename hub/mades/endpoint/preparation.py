"""From messages that are due to bytes that can leave: documents are rendered once, sealed once, and both are kept.

A message is sealed anew only when its receiver prefers another certificate by now. Acknowledgements have no content and
are not kept: signing them again says the same.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
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

    async def ready(self, due: Sequence[OutgoingMessage]) -> list[OutgoingMessage]:
        """Those that can leave, each with its `sealed` bytes."""
        bodies = await self._rendered([each for each in due if _carries_document(each) and each.body is None])
        prepared, fresh = [], []
        for message in due:
            whole = structs.replace(message, body=bodies.get(message.message_id, message.body))
            if _carries_document(whole) and whole.body is None:
                continue
            if whole.sealed is None or not self._seals.is_for_present_certificate(whole, self._clock.now()):
                sealed = await self._sealed(whole)
                if sealed is None:
                    continue
                whole = structs.replace(whole, sealed=sealed.sealed)
                if _carries_document(whole):
                    fresh.append(sealed)
            prepared.append(whole)
        if fresh:
            await self._outbox.sealed(fresh)
        return prepared

    async def _rendered(self, bare: Sequence[OutgoingMessage]) -> Mapping[str, bytes]:
        if not bare:
            return {}
        try:
            bodies = await self._render(bare)
        except Unavailable as error:
            for message in bare:
                await self._retry(message, f"E-STORE: {error}")
            return {}
        except Exception:
            self._log.exception("message.not_rendered", messages=len(bare))
            if len(bare) == 1:
                await self._fail(bare[0], "E-VALIDATION")
                return {}
            # One of them cannot be made; the others can.
            return {key: body for message in bare for key, body in (await self._rendered([message])).items()}
        for message in bare:
            if message.message_id not in bodies:
                await self._fail(message, "E-VALIDATION")
        return bodies

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
