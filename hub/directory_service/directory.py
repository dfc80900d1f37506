"""A running directory: commands decided by its desk, answers made from rows (floor 7; MADES 4.5.1, 4.6).

Everything the doors and the command line do goes through here. Before each command the desk catches up with what
another process has committed, so that a command line and a running service may work on one log at the same time.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import structlog

from hub.clock import SystemClock
from hub.desk import Desk, Outcome
from hub.directory import commands as c
from hub.directory import component, registration
from hub.directory.brain import DirectoryBrain
from hub.directory.calls import RegistrationAnswer, RegistrationRequest, fingerprint_of, registration_of
from hub.directory.refusals import CLOSED, Refusal
from hub.directory.values import (
    Certificate,
    Configuration,
    Contact,
    Csr,
    Party,
    Status,
)
from hub.directory_service.authority import Authority
from hub.directory_service.reading import Reading
from hub.errors import Rejected
from hub.feed import Bells
from hub.mades import credentials, enrolment, pki
from hub.mades.certificates import CertificateType
from hub.ports import Clock
from hub.store.memory import MemoryStore
from hub.store.postgres import PostgresStore
from hub.web.health import Measure

SECRET_BYTES: Final = 32
SUFFIX_BYTES: Final = 8
TTL: Final = timedelta(hours=24)
TOKEN_VALIDITY: Final = timedelta(days=7)
WARN_BEFORE: Final = timedelta(days=30)

log = structlog.get_logger("hub.directory")


class Directory(Reading):
    """See the module's charter. Works while `running`."""

    def __init__(
        self,
        code: str,
        *,
        store: PostgresStore | MemoryStore,
        authority: Authority,
        clock: Clock | None = None,
        ttl: timedelta = TTL,
        cause: str = "directory",
    ) -> None:
        """`ttl` is how long a copy may be used without news; `cause` is what the log keeps with all that is done."""
        super().__init__(code, store=store, authority=authority, clock=clock or SystemClock(), ttl=ttl)
        self._brain, self._cause = DirectoryBrain(code), cause
        self._desk = Desk(self._brain, store.log, store.commit, clock=self.clock, bells=Bells())
        self.ended = asyncio.Event()
        """Set when the desk works no longer, whatever the reason."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Directory"]:
        """The directory for as long as the block lasts. Raises LogCorrupt, UnknownEvent, Unavailable."""
        await self._desk.start()
        work = asyncio.create_task(self._desk.run(), name="directory.desk")
        work.add_done_callback(lambda _: self.ended.set())
        try:
            yield self
        finally:
            self._desk.stop()
            await work

    # What the operator does.

    async def invite(
        self, code: str, party: Party | None, *, why: str = "", by: str, validity: timedelta = TOKEN_VALIDITY
    ) -> str:
        """A one-time token for this code. It is told once and stored nowhere. Raises Rejected."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        expires = self.clock.now() + validity
        await self._submit(
            c.IssueToken(fingerprint=fingerprint_of(secret), code=code, party=party, expires=expires, why=why, by=by)
        )
        return secret

    async def withdraw(self, fingerprint: str, *, why: str, by: str) -> bool:
        """Close an unused invitation; whether that changed anything. Raises Rejected."""
        return await self._changed(c.WithdrawToken(fingerprint=fingerprint, why=why, by=by))

    async def approve(
        self, registration_id: str, *, party: Party | None = None, why: str, by: str
    ) -> tuple[Certificate, ...]:
        """Let a registration in: issue its certificates and its queue suffix (R1). Raises Rejected."""
        await self._desk.catch_up()
        waiting = registration.check_approvable(registration_id, party, self._brain.state)
        issued = self.authority.issue(waiting.code, waiting.requests, now=self.clock.now())
        command = c.Approve(
            registration=registration_id,
            party=party,
            certificates=issued,
            queue_suffix=secrets.token_hex(SUFFIX_BYTES),
            why=why,
            by=by,
        )
        await self._submit(command)
        log.info("component.approved", component=waiting.code, registration=registration_id)
        return issued

    async def reject(self, registration_id: str, *, why: str, by: str) -> None:
        """Turn a registration down. Raises Rejected."""
        await self._submit(c.Reject(registration=registration_id, why=why, by=by))

    async def revoke(self, code: str, *, why: str, by: str) -> bool:
        """Put a component out; whether that changed anything. Raises Rejected."""
        return await self._changed(c.RevokeComponent(code=code, why=why, by=by))

    async def reapprove(self, code: str, *, why: str, by: str) -> bool:
        """Let a revoked component back in; whether that changed anything. Raises Rejected."""
        return await self._changed(c.ReapproveComponent(code=code, why=why, by=by))

    async def revoke_certificate(self, certificate_id: str, *, why: str, by: str) -> bool:
        """Trust a certificate no longer; whether that changed anything. Raises Rejected."""
        return await self._changed(c.RevokeCertificate(certificate_id=certificate_id, why=why, by=by))

    async def note_thrown_out(self, code: str, *, why: str, by: str) -> None:
        """Keep that a component was thrown out at the broker by hand. Raises Rejected."""
        await self._submit(c.NoteThrownOut(code=code, why=why, by=by))

    # What components do.

    async def register(
        self, request: RegistrationRequest, *, token: str | None, party: Party | None = None
    ) -> RegistrationAnswer:
        """Take a registration in. `token` None: the operator itself registers this party.

        The same request under the same token again is answered like the first time: its answer may have been lost.

        Raises:
            Rejected: the token opens nothing, or the request cannot be used.
        """
        self.authority.check(request.code, request.requests)
        fingerprint = None if token is None else fingerprint_of(token)
        registration_id = uuid4().hex if fingerprint is None else registration_of(fingerprint)
        known = await self.application(registration_id)
        if not (known and known.code == request.code and known.requests == request.requests):
            command = c.Register(
                registration=registration_id,
                code=request.code,
                party=party,
                contact=request.contact,
                requests=request.requests,
                token=fingerprint,
            )
            await self._submit(command)
            log.info("component.registered", component=request.code, registration=registration_id)
        return await self.answer(request.code, registration_id)

    async def registration(self, registration_id: str, *, token: str) -> RegistrationAnswer:
        """How a registration stands, for who holds its token. Raises Rejected: the same for unknown and not yours."""
        known = await self.application(registration_id)
        if known is None or known.token != fingerprint_of(token):
            raise Rejected(Refusal.TOKEN, CLOSED)
        return await self.answer(known.code, registration_id)

    async def configure(self, code: str, configuration: Configuration) -> bool:
        """Take in where and how a component is reached; whether that changed anything. Raises Rejected."""
        return await self._changed(c.Configure(code=code, configuration=configuration))

    async def renew(self, code: str, requests: Sequence[Csr]) -> tuple[Certificate, ...]:
        """New certificates beside the present ones, approved by the present ones. Raises Rejected."""
        if sorted(request.type for request in requests) != sorted(CertificateType):
            raise Rejected(Refusal.INVALID, f"Expected one request for each of {', '.join(CertificateType)}.")
        self.authority.check(code, requests)
        await self._desk.catch_up()
        component.check_renewable(code, self._brain.state, self.clock.now())
        issued = self.authority.issue(code, requests, now=self.clock.now())
        await self._submit(c.Renew(code=code, certificates=issued))
        log.info("certificates.renewed", component=code)
        return issued

    # The directory's own part.

    async def establish(self, contact: Contact, configuration: Configuration, *, by: str) -> None:
        """Make the directory a component of itself, so that others can find it and verify what it signs.

        Done before, it only brings the configuration up to date. Raises Rejected.
        """
        if not (self.authority.own / credentials.ROOT).exists():
            await self.enrol(self.authority.own, self.code, Party.DIRECTORY, contact, by=by)
        await self.configure(self.code, configuration)

    async def enrol(
        self,
        folder: Path,
        code: str,
        party: Party,
        contact: Contact,
        *,
        by: str,
        why: str = "enrolled by the operator",
        url: str = "",
    ) -> RegistrationAnswer:
        """Register and approve a component on this machine in one go: its keys and certificates are in `folder` then.

        For the platform's own components and for the demo. `url` is where the component will reach the directory.
        Raises Rejected.
        """
        request = RegistrationRequest(
            code=code, contact=contact, requests=await asyncio.to_thread(credentials.requests_in, folder, code)
        )
        for left in await self.applications():  # of a start that was cut short
            if left.code == code and left.status is Status.PENDING:
                await self.reject(left.registration, why="registered anew", by=by)
        waiting = await self.register(request, token=None, party=party)
        await self.approve(waiting.registration, why=why, by=by)
        answer = await self.answer(code, waiting.registration)
        await asyncio.to_thread(enrolment.keep, folder, url, answer, at=self.clock.now())
        return answer

    async def renew_own(self) -> None:
        """Renew the directory's own certificates when they end soon. Raises Rejected."""
        held = credentials.load(self.authority.own)
        if held.ends() - self.clock.now() > WARN_BEFORE:
            return
        issued = await self.renew(self.code, credentials.requests_in(self.authority.own, self.code))
        credentials.adopt(self.authority.own, self.code, issued, chain=self.authority.chain, at=self.clock.now())

    def trouble(self) -> str | None:
        """Why this directory takes no work at the moment; None when it does."""
        if self.ended.is_set():
            return "stopping"
        if self.authority.issuing.certificate.not_valid_after_utc <= self.clock.now():
            return "the issuing certificate has ended"
        try:
            credentials.load(self.authority.own).preferred(CertificateType.SIGNING, self.clock.now())
        except pki.CertificateRefused as error:
            return f"nothing to sign with: {error}"
        return None

    def measures(self) -> Iterator[Measure]:
        """What this directory holds; no component is named (NF3)."""
        state, now = self._brain.state, self.clock.now()
        yield Measure("log_position", "Events in the log.", self._desk.position)
        yield Measure("commits_total", "Batches committed.", self._desk.commits, counts=True)
        yield Measure("registrations_pending", "Registrations that wait for the operator.", len(state.pending))
        yield Measure("components", "Components that were approved once.", len(state.components))
        left = self.authority.issuing.certificate.not_valid_after_utc - now
        yield Measure("issuing_certificate_days", "Days until the issuing certificate ends.", left / timedelta(days=1))

    async def _changed(self, command: c.Command) -> bool:
        return bool((await self._submit(command)).events)

    async def _submit(self, command: c.Command) -> Outcome:
        await self._desk.catch_up()
        return await self._desk.submit(command, cause=f"{self._cause}/{type(command).__name__}")
