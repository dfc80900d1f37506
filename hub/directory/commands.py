"""What the directory can be asked to do, by components and by its operator (floor 2).

Certificates are made outside and passed in: signing needs a key, time and chance.
"""

from msgspec import Struct

from documents.values import Instant
from hub.directory.values import Certificate, Configuration, Contact, Csr, Party


class IssueToken(Struct, frozen=True, kw_only=True):
    """Invite one component: who holds the secret of this fingerprint may register this code, once, until `expires`."""

    fingerprint: str
    code: str
    party: Party | None
    expires: Instant
    why: str = ""
    by: str


class WithdrawToken(Struct, frozen=True, kw_only=True):
    """Take an unused invitation back."""

    fingerprint: str
    why: str
    by: str


class Register(Struct, frozen=True, kw_only=True):
    """Ask to take part. `token` is the fingerprint of an invitation; None: the operator itself registers `party`."""

    registration: str
    code: str
    party: Party | None = None
    contact: Contact
    requests: tuple[Csr, ...]
    token: str | None


class Approve(Struct, frozen=True, kw_only=True):
    """Let a registration in, with the certificates made for its requests. `party` None: as it was invited."""

    registration: str
    party: Party | None
    certificates: tuple[Certificate, ...]
    queue_suffix: str
    why: str
    by: str


class Reject(Struct, frozen=True, kw_only=True):
    """Do not let a registration in."""

    registration: str
    why: str
    by: str


class Configure(Struct, frozen=True, kw_only=True):
    """Say where and how a component is reached; replaces what it said before."""

    code: str
    configuration: Configuration


class Renew(Struct, frozen=True, kw_only=True):
    """Add certificates made for the requests of a component whose present ones hold."""

    code: str
    certificates: tuple[Certificate, ...]


class RevokeCertificate(Struct, frozen=True, kw_only=True):
    """Trust one certificate no longer."""

    certificate_id: str
    why: str
    by: str


class RevokeComponent(Struct, frozen=True, kw_only=True):
    """Put a component out."""

    code: str
    why: str
    by: str


class ReapproveComponent(Struct, frozen=True, kw_only=True):
    """Let a revoked component back in."""

    code: str
    why: str
    by: str


class NoteThrownOut(Struct, frozen=True, kw_only=True):
    """A component was thrown out at the broker by hand."""

    code: str
    why: str
    by: str


Command = (
    IssueToken
    | WithdrawToken
    | Register
    | Approve
    | Reject
    | Configure
    | Renew
    | RevokeCertificate
    | RevokeComponent
    | ReapproveComponent
    | NoteThrownOut
)
