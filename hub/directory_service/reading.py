"""Answers of the directory, made from rows and signed (floor 7; MADES 4.6)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, TypeVar

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec import Struct

from documents.values import Identifier
from hub.directory import wire
from hub.directory.calls import Known, RegistrationAnswer
from hub.directory.rows import (
    APPLICATIONS,
    BOARD,
    COMPONENTS,
    REGISTRATIONS,
    TOKENS,
    Application,
    BoardCertificate,
    BoardEntry,
    Invitation,
    Registration,
)
from hub.directory.values import (
    ComponentRecord,
    ComponentType,
    Content,
    Party,
    Status,
)
from hub.directory_service.authority import Authority
from hub.mades import credentials, paths, pki
from hub.mades.certificates import CertificateType
from hub.mades.topology import Registered
from hub.ports import OPERATOR, Clock, Item, Scope
from hub.store.memory import MemoryStore
from hub.store.postgres import PostgresStore

ROWS_MAX: Final = 100_000
S = TypeVar("S", bound=Struct)


class SignedCopy(Struct, frozen=True, kw_only=True):
    """One component's copy of the directory, the signature over it, and the certificate (DER) that verifies it."""

    body: bytes
    signature: bytes
    certificate: bytes


class Reading:
    """What can be learnt of the directory `code` without changing it."""

    def __init__(
        self, code: str, *, store: PostgresStore | MemoryStore, authority: Authority, clock: Clock, ttl: timedelta
    ) -> None:
        self.code, self.authority, self.clock = code, authority, clock
        self._store, self._ttl = store, ttl

    async def owner_of(self, der: bytes) -> str | None:
        """The component that this AUTHENTICATION certificate lets in now; None whatever is wrong with it."""
        certificate_id = sha256(der).hexdigest()
        code = pki.common_name(x509.load_der_x509_certificate(der))
        entry = await self.entry(code)
        if entry is None or entry.status not in {Status.APPROVED, Status.ACTIVE}:
            return None
        return code if any(_lets_in(held, certificate_id, self.clock.now()) for held in entry.certificates) else None

    async def copy_for(self, code: str, known: Sequence[Known] = ()) -> SignedCopy:
        """What this component may know, signed for it; without records when it holds them already (MADES 4.6.4)."""
        scope = Scope(Identifier(code))
        head = await self._store.rows.head(scope, COMPONENTS)
        held = {each.directory: each.content_id for each in known}
        items = [] if held.get(self.code) == head else await self._store.rows.list(scope, COMPONENTS, limit=ROWS_MAX)
        content = Content(
            directory=self.code,
            content_id=head,
            ttl_ms=int(self._ttl.total_seconds() * 1000),
            records=tuple(_decoded(item, ComponentRecord) for item in items),
        )
        return self._signed(code, wire.render(content))

    async def entry(self, code: str) -> BoardEntry | None:
        """One component, None when it was never approved."""
        item = await self._store.rows.get(Scope(OPERATOR), BOARD, code)
        return _decoded(item, BoardEntry) if item else None

    async def board(self) -> list[BoardEntry]:
        """Every component that was approved once."""
        return await self._listed(BOARD, BoardEntry)

    async def applications(self) -> list[Application]:
        """Every registration."""
        return await self._listed(APPLICATIONS, Application)

    async def invitations(self) -> list[Invitation]:
        """Every one-time token."""
        return await self._listed(TOKENS, Invitation)

    async def registered(self) -> list[Registered]:
        """Every endpoint as the broker has to know it (hub.mades.provision); a revoked one may not log in."""
        return [
            Registered(
                code=entry.code,
                party=paths.Party(entry.party.value),
                suffix=entry.queue_suffix,
                revoked=entry.status is Status.REVOKED,
            )
            for entry in await self.board()
            if entry.party.type is ComponentType.ENDPOINT
        ]

    async def revocation_list(self) -> bytes:
        """The CRL (DER) of the issuing authority: certificates revoked, and those of components that are revoked."""
        now = self.clock.now()
        revoked = [
            pki.Revocation(x509.load_der_x509_certificate(held.der).serial_number, since)
            for entry in await self.board()
            for held in entry.certificates
            if (since := held.revoked or (entry.modified if entry.status is Status.REVOKED else None))
        ]
        number = await self._store.log.head()
        listed = pki.revocation_list(revoked, authority=self.authority.issuing, number=number, now=now)
        return listed.public_bytes(Encoding.DER)

    async def answer(self, code: str, registration_id: str) -> RegistrationAnswer:
        """How a registration stands, as its component is told."""
        item = await self._store.rows.get(Scope(Identifier(code)), REGISTRATIONS, registration_id)
        assert item is not None, "registered is registered"
        found = _decoded(item, Registration)
        answer = RegistrationAnswer(registration=registration_id, code=code, status=found.status, why=found.why)
        if not found.certificates:
            return answer
        return msgspec.structs.replace(
            answer,
            directory=self.code,
            certificates=found.certificates,
            chain=self.authority.chain,
            brokers=await self._brokers(),
            queue_suffix=found.queue_suffix,
        )

    async def _brokers(self) -> tuple[str, ...]:
        """Where the platform's brokers listen."""
        return tuple(
            url.address
            for entry in await self.board()
            if entry.party is Party.BROKER and entry.status is Status.ACTIVE and entry.configuration
            for url in entry.configuration.urls
        )

    async def application(self, registration_id: str) -> Application | None:
        """One registration, None when unknown."""
        item = await self._store.rows.get(Scope(OPERATOR), APPLICATIONS, registration_id)
        return _decoded(item, Application) if item else None

    async def _listed(self, view: str, kind: type[S]) -> list[S]:
        items = await self._store.rows.list(Scope(OPERATOR), view, limit=ROWS_MAX)
        return [_decoded(item, kind) for item in items]

    def _signed(self, audience: str, body: bytes) -> SignedCopy:
        pair = credentials.load(self.authority.own).preferred(CertificateType.SIGNING, self.clock.now())
        assert isinstance(pair.key, ec.EllipticCurvePrivateKey), "the directory's own keys are made here"
        return SignedCopy(
            body=body,
            signature=pair.key.sign(wire.signed_bytes(audience, body), ec.ECDSA(hashes.SHA256())),
            certificate=pair.certificate.public_bytes(Encoding.DER),
        )


def _lets_in(held: BoardCertificate, certificate_id: str, now: datetime) -> bool:
    return (
        held.certificate_id == certificate_id
        and held.type is CertificateType.AUTHENTICATION
        and held.revoked is None
        and held.valid_from <= now < held.valid_to
    )


def _decoded(item: Item, kind: type[S]) -> S:
    assert item.payload is not None, "the store gives current items"
    return msgspec.msgpack.decode(item.payload, type=kind)
