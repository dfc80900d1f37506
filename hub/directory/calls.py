"""The bodies of the directory's calls, as both ends read and write them (pure; MADES 4.5.1, 4.6.4).

JSON with the words of the directory's XML; bytes are base64.
"""

from hashlib import sha256
from typing import Final

from msgspec import Struct

from hub.directory.values import Certificate, Contact, Csr, Status

SIGNATURE: Final = "Directory-Signature"
"""Header of an answer to a sync: base64 of the ECDSA P-256/SHA-256 signature (DER) over `wire.signed_bytes`."""
SIGNED_BY: Final = "Directory-Certificate"
"""Header beside it: base64 of the directory's SIGNING certificate (DER), which the pinned root must vouch for."""
HOME: Final = "Directory-Code"
"""Header beside them: the code of the directory."""


class RegistrationRequest(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """POST /registration: who wants to take part, with a request for each certificate."""

    code: str
    contact: Contact
    requests: tuple[Csr, ...]


class RegistrationAnswer(Struct, frozen=True, kw_only=True, rename="camel"):
    """What the registered component is told. Chain, broker and queue suffix come with the certificates."""

    registration: str
    code: str
    status: Status
    why: str = ""
    directory: str = ""
    certificates: tuple[Certificate, ...] = ()
    chain: tuple[bytes, ...] = ()
    brokers: tuple[str, ...] = ()
    queue_suffix: str = ""


class RenewalRequest(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """POST /renewal: requests for the next three certificates."""

    requests: tuple[Csr, ...]


class RenewalAnswer(Struct, frozen=True, kw_only=True, rename="camel"):
    """The new certificates; the old ones hold until their end."""

    certificates: tuple[Certificate, ...]


class Known(Struct, frozen=True, kw_only=True, rename="camel"):
    """Which content of a directory a component holds."""

    directory: str
    content_id: int


class SyncRequest(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """POST /sync: what the component holds; `home_only` is understood and changes nothing: there is one directory."""

    known: tuple[Known, ...] = ()
    home_only: bool = False


def fingerprint_of(secret: str) -> str:
    """How a token is known without its secret. Tokens are long and random, so that a plain hash keeps them."""
    return sha256(secret.encode()).hexdigest()


def registration_of(fingerprint: str) -> str:
    """The id of what a token registers: its holder can compute it, should the answer be lost."""
    return sha256(b"registration " + fingerprint.encode()).hexdigest()[:32]
