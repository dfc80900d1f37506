"""Closing and opening the messages of one endpoint, in a thread where they are large.

A directory copy that is too old, or does not know a partner yet, is a fault of our surroundings: the copy is renewed
once, and what cannot be judged without it waits. Only a copy that could be renewed says for good that it knows nobody.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeVar

from msgspec import Struct

from hub.aside import aside
from hub.errors import Unavailable
from hub.mades.errors import MadesError, NotKnownYet
from hub.mades.message import URGENT, InternalType, Message
from hub.mades.pki import certificate_id
from hub.mades.seal import Closed, Envelope, Sealer, Verified
from hub.ports import OutgoingMessage

T = TypeVar("T")
LARGE_BYTES: Final = 64 * 1024
ROUTED: Final = frozenset({InternalType.STANDARD, InternalType.TRACING})
"""Acknowledgements take the way back."""
STALE: Final = "E-DIRECTORY-STALE"
PASSING: Final = frozenset({"E-UNKNOWN-RECEIVER", "E-NO-CERT", "E-CERT-EXPIRED", STALE})
"""What a newer copy of the directory may mend: a partner that has just registered, or renewed."""

Refresh = Callable[[str], Awaitable[bool]]
"""Fetch the directory once more, because of this partner; whether the copy is now what the directory says."""
Route = Callable[[str, str, datetime], object]
"""The path to a receiver for a business type at an instant; raises MadesError when there is none."""


class Standing(Struct, frozen=True, kw_only=True):
    """What a component stands on: its copy of the directory and its certificates."""

    content_id: int
    directory_age: timedelta | None
    certificates_left: timedelta


class Seals:
    """The sealer of a component at work.

    `refresh` fetches the directory once more, as far as it can; `route` finds the path its receiver has declared;
    `trouble` says why neither can be relied on now, `standing` what they are.
    """

    def __init__(
        self,
        sealer: Sealer,
        *,
        refresh: Refresh | None = None,
        route: Route | None = None,
        trouble: Callable[[], str | None] = lambda: None,
        standing: Callable[[], Standing | None] = lambda: None,
    ) -> None:
        self.trouble, self.standing = trouble, standing
        self._sealer, self._refresh, self._route = sealer, refresh, route

    async def close(self, message: Message) -> Closed:
        """Seal a message with the certificate that its receiver prefers when it is `generated`.

        Raises:
            MadesError: see `Sealer.close`; a code of PASSING stands after a newer copy of the directory was asked for.
        """
        return await self._with_fresh_directory(message.receiver, lambda: self._close(message))

    def is_for_present_certificate(self, message: OutgoingMessage, at: datetime) -> bool:
        """Whether the bytes sealed for an earlier try are still for the certificate that the receiver prefers."""
        try:
            return message.sealed_for == certificate_id(self._sealer.certificates.encryption(message.receiver, at))
        except MadesError:
            return False

    def look(self, body: bytes) -> Envelope:
        """Read the manifest and believe nothing. Raises MadesError."""
        return self._sealer.look(body)

    async def verify(self, envelope: Envelope) -> Verified:
        """What the sender has signed.

        Raises:
            MadesError: it has not, or with no certificate that counts.
            NotKnownYet: our copy lists no such sender or certificate, and the directory cannot be asked.
            Unavailable: the directory is too old to say.
        """

        async def verified() -> Verified:
            return self._sealer.verify(envelope)

        try:
            return await self._with_fresh_directory(envelope.message.sender, verified)
        except MadesError as error:
            if error.code == STALE:
                raise Unavailable(error.detail) from error
            raise

    async def open(self, verified: Verified) -> Message:
        """The message with its content. Raises MadesError."""
        work = partial(self._sealer.open, verified)
        return await _aside(work, size=len(verified.payload), of=verified.message)

    async def _close(self, message: Message) -> Closed:
        if self._route and message.internal_type in ROUTED:
            self._route(message.receiver, message.business_type, message.generated)
        return await _aside(partial(self._sealer.close, message), size=len(message.content), of=message)

    async def _with_fresh_directory(self, partner: str, work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await work()
        except MadesError as error:
            if error.code not in PASSING or self._refresh is None:
                raise
        is_fresh = await self._refresh(partner)
        try:
            return await work()
        except MadesError as error:
            if is_fresh or error.code not in PASSING:
                raise
            raise NotKnownYet(error.code, error.detail, message=error.message) from error


async def _aside(work: Callable[[], T], *, size: int, of: Message) -> T:
    return await aside(work, urgent=of.business_type in URGENT) if size > LARGE_BYTES else work()
