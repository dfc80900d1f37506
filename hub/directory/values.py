"""What a Component Directory knows of a component (floor 2; IEC 62325-503 as ECP 4 shows it).

The words are those of the directory's XML. Codes are participant ids with their scheme (R1). Instants are aware UTC,
with milliseconds on the wire.
"""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from documents.values import Instant
from hub.mades.certificates import CertificateType

ANY: Final = "*"


class ComponentType(StrEnum):
    """The three kinds of components MADES knows."""

    ENDPOINT = "ENDPOINT"
    BROKER = "BROKER"
    COMPONENT_DIRECTORY = "COMPONENT_DIRECTORY"


class Party(StrEnum):
    """What a component is in the exchange: the endpoints by their part in it, and the platform's own two."""

    HUB = "HUB"
    DSO = "DSO"
    AGR = "AGR"
    BRP = "BRP"
    BROKER = "BROKER"
    DIRECTORY = "DIRECTORY"

    @property
    def type(self) -> ComponentType:
        """The kind of component that plays this part."""
        match self:
            case Party.BROKER:
                return ComponentType.BROKER
            case Party.DIRECTORY:
                return ComponentType.COMPONENT_DIRECTORY
            case _:
                return ComponentType.ENDPOINT

    @property
    def is_participant(self) -> bool:
        """Whether it belongs to a market participant and not to the platform."""
        return self in {Party.DSO, Party.AGR, Party.BRP}


class Status(StrEnum):
    """How far a component has come. Only an ACTIVE one is known to others."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    ACTIVE = "ACTIVE"
    REVOKED = "REVOKED"
    REJECTED = "REJECTED"


class Contact(Struct, frozen=True, kw_only=True, rename="camel"):
    """Whom the operator of the platform calls."""

    organization: str
    person: str
    email: str
    phone: str


class Csr(Struct, frozen=True, kw_only=True, rename="camel"):
    """A request for a certificate: PKCS #10, DER. Its signature proves possession of the key."""

    type: CertificateType
    der: bytes


class Certificate(Struct, frozen=True, kw_only=True, rename="camel"):
    """A leaf certificate; `certificate_id` is the lower-case hexadecimal SHA-256 of its DER form."""

    certificate_id: str
    type: CertificateType
    der: bytes
    valid_from: Instant
    valid_to: Instant

    def is_valid_at(self, at: Instant) -> bool:
        """Whether it holds at that instant: from `valid_from`, until just before `valid_to`."""
        return self.valid_from <= at < self.valid_to


class Url(Struct, frozen=True, kw_only=True, rename="camel"):
    """Where a component listens, on which network."""

    network: str
    address: str


class MessagePath(Struct, frozen=True, kw_only=True, rename="camel"):
    """A way into a receiver, declared by the receiver (MADES 4.5.11).

    `senders` empty: anybody. `message_type` is exact, `PREFIX*` or `*`. `broker` None: DIRECT. Holds from `valid_from`
    until just before `valid_to`, for ever without one.
    """

    senders: tuple[str, ...] = ()
    message_type: str = ANY
    broker: str | None
    valid_from: Instant
    valid_to: Instant | None = None


class Restriction(Struct, frozen=True, kw_only=True, rename="camel"):
    """Whom and what a broker carries; `*` is everybody, everything."""

    components: tuple[str, ...] = (ANY,)
    message_types: tuple[str, ...] = (ANY,)


class Implementation(Struct, frozen=True, kw_only=True, rename="camel"):
    """The program a component runs; `mades_version` must not differ from its partner's by more than one."""

    name: str
    version: str
    compatible_versions: str
    mades_version: int


class Configuration(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a component says of itself once it is approved. Endpoints have paths, brokers a restriction."""

    networks: tuple[str, ...]
    urls: tuple[Url, ...] = ()
    paths: tuple[MessagePath, ...] = ()
    restriction: Restriction | None = None
    implementation: Implementation


class ComponentRecord(Struct, frozen=True, kw_only=True, rename="camel"):
    """A component as others know it: its certificates are those that are not revoked."""

    code: str
    party: Party
    contact: Contact
    configuration: Configuration
    certificates: tuple[Certificate, ...]
    created: Instant
    modified: Instant
    directory: str


class Content(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a directory answers to one component: the records it may see, in the order of their codes.

    `content_id` grows by one with every change of such a record; `ttl_ms` is how long the answer may be used.
    """

    directory: str
    content_id: int
    ttl_ms: int
    records: tuple[ComponentRecord, ...] = ()
