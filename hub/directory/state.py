"""The directory's present, folded from its log, with a way back to where a batch began (pure; see hub.state)."""

from typing import Any

from msgspec import Struct

from documents.values import Instant
from hub.directory.values import (
    Certificate,
    Configuration,
    Contact,
    Csr,
    Party,
    Status,
)
from hub.mades.certificates import CertificateType
from hub.state import Journal, Table


class TokenState(Struct, frozen=True, kw_only=True):
    """An invitation; `used` and `withdrawn` close it for ever."""

    code: str
    party: Party | None
    expires: Instant
    why: str = ""
    by: str
    used: Instant | None = None
    withdrawn: Instant | None = None

    def opens(self, code: str, now: Instant) -> bool:
        """Whether it lets this code register now."""
        return self.code == code and not (self.used or self.withdrawn) and now < self.expires


class RegistrationState(Struct, frozen=True, kw_only=True):
    """A registration: PENDING, APPROVED or REJECTED."""

    code: str
    party: Party | None
    status: Status
    contact: Contact
    requests: tuple[Csr, ...]
    token: str | None
    registered: Instant


class HeldCertificate(Struct, frozen=True, kw_only=True):
    """A certificate of a component, and since when it is revoked, if it is."""

    certificate: Certificate
    revoked: Instant | None = None
    why: str = ""


class ComponentState(Struct, frozen=True, kw_only=True):
    """A component that was approved once: APPROVED until its configuration comes, then ACTIVE, or REVOKED."""

    code: str
    party: Party
    status: Status
    contact: Contact
    certificates: tuple[HeldCertificate, ...]
    queue_suffix: str
    created: Instant
    modified: Instant
    configuration: Configuration | None = None
    why: str = ""
    by: str = ""

    @property
    def trusted(self) -> tuple[Certificate, ...]:
        """Its certificates that are not revoked, expired ones included."""
        return tuple(held.certificate for held in self.certificates if held.revoked is None)

    def of_type(self, kind: CertificateType) -> tuple[Certificate, ...]:
        """Its trusted certificates of one type."""
        return tuple(certificate for certificate in self.trusted if certificate.type is kind)


class DirectoryState:
    """Tables by code, by registration, by fingerprint; only the `evolve` functions write."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.tokens: Table[str, TokenState] = Table(self.journal)
        self.registrations: Table[str, RegistrationState] = Table(self.journal)
        self.pending: Table[str, str] = Table(self.journal)
        """Code -> its registration that waits for the operator."""
        self.components: Table[str, ComponentState] = Table(self.journal)
        self.owners: Table[str, str] = Table(self.journal)
        """Id of a certificate -> code of its component."""

    def contents(self) -> dict[str, Any]:
        """Everything by name, to compare two states; values differ in type by table."""
        return {name: held.contents() for name, held in vars(self).items() if isinstance(held, Table)}
