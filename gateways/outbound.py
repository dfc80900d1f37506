"""A client's write on its way: stored once, then sent by the endpoint (R34, R35).

It is answered as far as the client wants to wait.
"""

import asyncio
import hashlib
from http import HTTPStatus
from typing import Any, Final
from weakref import WeakValueDictionary

from aiohttp import hdrs, web

from documents.codes import ReasonCode
from documents.values import Identifier, Mrid, Reason
from gateways import fitting
from gateways.bodies import FieldError, ReasonBody, RejectedBody, Verdict
from gateways.brain import GatewayBrain
from gateways.events import DocumentSent
from gateways.identity import Identity
from gateways.problems import ProblemError
from gateways.reading import Reader
from gateways.rest import Call, answer
from gateways.rows import MESSAGES, Rejection, SentMessage
from gateways.verdicts import revision_of
from hub.desk import Desk
from hub.feed import Bells
from hub.mades.backlog import Backlog
from hub.mades.errors import MadesError
from hub.ports import Clock, IdempotencyKey
from hub.store.memory import MemoryIdempotency
from hub.store.tokens import PostgresIdempotency
from hub.traces import Span, Step, Traces, no_traces

KEY_MAX: Final = 200
FULL_PAUSE_S: Final = 30
"""When a client may ask again after too much waited to be delivered."""
CONFLICTS: Final = frozenset({"A50", ReasonCode.VERSION_CONFLICT, ReasonCode.SERIES_IDENTIFICATION_CONFLICT})
"""Refusals that are about what stands already, not about what was sent: 409 instead of 422."""
KNOWN: Final = "A document with this mRID was sent before. Change it with PUT, or choose another mRID."
OVER: Final = (
    "Nothing of this document is left to change: it was withdrawn, or its revisions are used up. "
    "Read it, and send what you want under another mRID."
)
_VERDICT: Final = "verdict"


class Outbound:
    """See the module's charter."""

    def __init__(
        self,
        desk: Desk,
        brain: GatewayBrain,
        reader: Reader,
        idempotency: PostgresIdempotency | MemoryIdempotency,
        *,
        who: Identity,
        clock: Clock,
        backlog: Backlog,
        traces: Traces = no_traces,
    ) -> None:
        self._desk, self._brain, self._reader, self._idempotency = desk, brain, reader, idempotency
        self._backlog, self._traces = backlog, traces
        self._who, self._clock = who, clock
        self._bells = Bells()
        self._writing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def submit(
        self,
        call: Call,
        command: Any,  # a command of the gateway's brain
        mrid: Mrid,
        *,
        urgent: bool = False,
    ) -> web.Response:
        """Store a write and answer it: 202, or the verdict when the client waits for it (R35). Raises ProblemError."""
        wait_s = call.wait_s
        key = call.request.headers.get("Idempotency-Key")
        if key is None:
            sent = await self._send(call, command, mrid, urgent=urgent)
        else:
            mrid, sent = await self._once(call, key, command, mrid, urgent=urgent)
        message = await self._judged(mrid, sent, wait_s or 0)
        self._traces(
            Span(
                step=Step.WRITE,
                document=message.mrid,
                begun=call.begun,
                ended=self._clock.now(),
                revision=message.revision,
                state=message.verdict,
            )
        )
        return self._answer(call, message)

    async def repeated(self, call: Call) -> web.Response | None:
        """The answer to a write that was sent before under its key, whatever has become of it since; None for a first.

        Raises ProblemError.
        """
        key = call.request.headers.get("Idempotency-Key")
        known = await self._idempotency.find(call.token.participant, key) if key is not None and _usable(key) else None
        if known is None:
            return None
        message = await self._judged(_same(known, call), None, call.wait_s or 0)
        return self._answer(call, message)

    def settled(self, mrid: Mrid) -> None:
        """The verdict on a document may have changed: wake who waits for it."""
        self._bells.ring([(_VERDICT, Identifier(mrid))])

    def close(self) -> None:
        """Let nobody wait any longer."""
        self._bells.close()

    async def newest(self, mrid: Mrid) -> SentMessage | None:
        """The last revision sent of a document."""
        found = await self._reader.every(MESSAGES, SentMessage, groups=[mrid])
        return max((one.row for one in found), key=lambda message: message.revision, default=None)

    def show(self, message: SentMessage) -> Verdict:
        """A verdict as the client reads it."""
        return Verdict(
            mrid=message.mrid,
            revision=message.revision,
            verdict=message.verdict,
            accepted=tuple(self._who.show(item) for item in message.accepted),
            rejected=self.rejected(message.rejected),
            reasons=shown_reasons(message.reasons),
        )

    def rejected(self, rejections: tuple[Rejection, ...]) -> tuple[RejectedBody, ...]:
        """Refused items as the client reads them."""
        return tuple(
            RejectedBody(id=self._who.show(rejection.id), reasons=shown_reasons(rejection.reasons))
            for rejection in rejections
        )

    async def _send(
        self, call: Call, command: Any, mrid: Mrid, *, urgent: bool, key: IdempotencyKey | None = None
    ) -> int | None:  # a command of the gateway's brain
        """The revision that was sent.

        Raises ProblemError: too much waits to be delivered, the document is too long, or nothing can be sent.
        """
        await self._admit()
        await fitting.check(self._brain.drafted(command, self._clock.now()))
        outcome = await self._desk.submit(command, cause=f"{self._who.me.id}/{mrid}", key=key, urgent=urgent)
        for event in outcome.events:
            if isinstance(event, DocumentSent):
                return revision_of(event.document)
        if rejected := self._brain.refused(command, self._clock.now()):
            raise self._refusal((), tuple(rejected), None)
        raise ProblemError(
            HTTPStatus.CONFLICT,
            KNOWN if call.request.method == hdrs.METH_POST else OVER,
            reason=ReasonCode.VERSION_CONFLICT.value,
            document=mrid,
        )

    async def _admit(self) -> None:
        """Take no more than the store may hold until the hub can be reached again."""
        try:
            await self._backlog.admit()
        except MadesError as error:
            pause = {"Retry-After": str(FULL_PAUSE_S)}
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, error.detail, headers=pause) from error

    async def _once(
        self, call: Call, key: str, command: Any, mrid: Mrid, *, urgent: bool
    ) -> tuple[Mrid, int | None]:  # a command of the gateway's brain
        """Send under a key, or find what was sent under it before. The revision is None for what was found."""
        if not _usable(key):
            raise ProblemError(400, f"Idempotency-Key is unusable; expected 1 to {KEY_MAX} printable characters.")
        promise = IdempotencyKey(
            scope=call.token.participant, key=key, fingerprint=_fingerprint(call), documents=(mrid,)
        )
        lock = self._writing.setdefault(key, asyncio.Lock())
        async with lock:
            known = await self._idempotency.find(promise.scope, key)
            if known is None:
                return mrid, await self._send(call, command, mrid, urgent=urgent, key=promise)
        return _same(known, call), None

    async def _judged(self, mrid: Mrid, revision: int | None, wait_s: float) -> SentMessage:
        """The message once the hub has judged it, or as it stands when the wait is over."""
        deadline = self._clock.monotonic() + wait_s
        while True:
            with self._bells.take(_VERDICT, Identifier(mrid)) as bell:
                message = await self._message(mrid, revision)
                remaining_s = deadline - self._clock.monotonic()
                if message.verdict != "pending" or remaining_s <= 0 or self._bells.is_closed:
                    return message
                await bell.wait_at_most(remaining_s, self._clock)

    async def _message(self, mrid: Mrid, revision: int | None) -> SentMessage:
        if revision is None:
            message = await self.newest(mrid)
        else:
            found = await self._reader.get(MESSAGES, f"{mrid}/{revision:03d}", SentMessage)
            message = found.row if found else None
        if message is None:
            raise ProblemError(HTTPStatus.CONFLICT, "This write led to no document. Send it again with a new key.")
        return message

    def _answer(self, call: Call, message: SentMessage) -> web.Response:
        headers = {"Location": f"/messages/{message.mrid}"}
        if message.verdict == "pending" or call.wait_s is None:
            return answer(self.show(message), status=HTTPStatus.ACCEPTED, headers=headers)
        if message.failed_at:
            raise ProblemError(
                HTTPStatus.BAD_GATEWAY,
                f"Not delivered: it ended at {message.failed_at} ({message.failed_why}). Send it again.",
                reason=ReasonCode.NOT_SPECIFIED.value,
                document=message.mrid,
            )
        if message.verdict == "refused":
            raise self._refusal(message.reasons, message.rejected, message.mrid)
        created = call.request.method == "POST" and message.revision == 1 and message.verdict == "accepted"
        return answer(self.show(message), status=HTTPStatus.CREATED if created else HTTPStatus.OK, headers=headers)

    def _refusal(
        self, general: tuple[Reason, ...], rejected: tuple[Rejection, ...], document: Mrid | None
    ) -> ProblemError:
        """Nothing of a write is done: why, and why each item is not."""
        reasons = general + tuple(reason for item in rejected for reason in item.reasons)
        first = next((reason for reason in reasons if reason.text), None) or next(iter(reasons), Reason("A02"))
        codes = {reason.code for reason in reasons}
        return ProblemError(
            HTTPStatus.CONFLICT if codes & CONFLICTS else HTTPStatus.UNPROCESSABLE_ENTITY,
            first.text or f"The hub refused this document ({first.code}).",
            reason=first.code,
            document=document,
            errors=tuple(
                FieldError(at=self._who.show(item.id), problem=f"{reason.code}: {reason.text or 'refused'}")
                for item in rejected
                for reason in item.reasons
            ),
        )


def _usable(key: str) -> bool:
    return key.isascii() and key.isprintable() and 0 < len(key) <= KEY_MAX


def _fingerprint(call: Call) -> str:
    request = f"{call.request.method} {call.request.path_qs}\n".encode() + call.raw
    return hashlib.sha256(request).hexdigest()


def _same(known: IdempotencyKey, call: Call) -> Mrid:
    """The document that was sent under a key. Raises ProblemError (422) when that was another request."""
    if known.fingerprint != _fingerprint(call):
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "This Idempotency-Key was used for another request. Use a new key for each write.",
            document=known.documents[0],
        )
    return known.documents[0]


def shown_reasons(reasons: tuple[Reason, ...]) -> tuple[ReasonBody, ...]:
    """Reasons as the client reads them."""
    return tuple(ReasonBody(code=reason.code, text=reason.text) for reason in reasons)
