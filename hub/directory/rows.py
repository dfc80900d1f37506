"""Every row the directory keeps: the complete list of what each component and the operator may know (NF3).

A participant's own copy of the directory holds itself, the hub, the broker and the directory, and never another
participant: not its name, not its certificates, not that it exists. The number of a row in its feed is the contentID of
that copy, so that it does not count what others do.
"""

from typing import Final

from msgspec import Struct

from documents.values import Instant
from hub.directory.values import Certificate, Configuration, Contact, Csr, Party, Status
from hub.mades.certificates import CertificateType

COMPONENTS: Final = "directory_components"
"""Payload `ComponentRecord`, key the code, audience each component that may know it. The sequence is its contentID."""
REGISTRATIONS: Final = "directory_registrations"
"""Payload `Registration`, key its id, audience the component that registered."""
BOARD: Final = "directory_board"
"""Payload `BoardEntry`, key the code, audience the operator."""
APPLICATIONS: Final = "directory_applications"
"""Payload `Application`, key the id of the registration, audience the operator."""
TOKENS: Final = "directory_tokens"
"""Payload `Invitation`, key the fingerprint, audience the operator."""


class Registration(Struct, frozen=True, kw_only=True, rename="camel"):
    """A registration as its own component sees it: why it was rejected, or certificates and queue suffix."""

    registration: str
    code: str
    status: Status
    why: str = ""
    certificates: tuple[Certificate, ...] = ()
    queue_suffix: str = ""


class Application(Struct, frozen=True, kw_only=True, rename="camel"):
    """A registration as the operator sees it."""

    registration: str
    code: str
    party: Party | None
    status: Status
    contact: Contact
    requests: tuple[Csr, ...]
    token: str | None
    registered: Instant
    decided: Instant | None = None
    why: str = ""
    by: str = ""


class BoardCertificate(Struct, frozen=True, kw_only=True, rename="camel"):
    """A certificate of a component, with its end if it was revoked."""

    certificate_id: str
    type: CertificateType
    der: bytes
    valid_from: Instant
    valid_to: Instant
    revoked: Instant | None = None
    why: str = ""


class BoardEntry(Struct, frozen=True, kw_only=True, rename="camel"):
    """A component as the operator sees it, and as the door and the broker need it to let it in or not."""

    code: str
    party: Party
    status: Status
    contact: Contact
    configuration: Configuration | None
    certificates: tuple[BoardCertificate, ...]
    queue_suffix: str
    modified: Instant
    why: str
    by: str


class Invitation(Struct, frozen=True, kw_only=True, rename="camel"):
    """A one-time token as the operator sees it; its secret is kept nowhere."""

    fingerprint: str
    code: str
    party: Party | None
    expires: Instant
    used: Instant | None = None
    withdrawn: Instant | None = None
    why: str = ""
    by: str = ""
