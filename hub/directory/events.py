"""Every fact the directory's log can hold: frozen structs with a tag `Name.v1` (floor 2).

A fact is never edited. A new shape is `Name.v2` plus a lift from v1 in `LIFTS` and a stored sample.
"""

from typing import Any, Final

from msgspec import Struct

from documents.values import Instant
from hub.directory.values import Certificate, Configuration, Contact, Csr, Party
from hub.restored import StoreRestored


class TokenIssued(Struct, frozen=True, kw_only=True, tag="TokenIssued.v2"):
    """The operator invited a component. `fingerprint` is the SHA-256 of a secret that is kept nowhere."""

    fingerprint: str
    code: str
    party: Party | None
    expires: Instant
    why: str
    by: str


class TokenWithdrawn(Struct, frozen=True, kw_only=True, tag="TokenWithdrawn.v1"):
    """An invitation was taken back before it was used."""

    fingerprint: str
    code: str
    why: str
    by: str


class ComponentRegistered(Struct, frozen=True, kw_only=True, tag="ComponentRegistered.v1"):
    """A component asked to take part, with a request for each of its three certificates.

    `token` is the fingerprint of the invitation that this used up, None when the operator registered it.
    """

    registration: str
    code: str
    party: Party | None
    contact: Contact
    requests: tuple[Csr, ...]
    token: str | None


class RegistrationApproved(Struct, frozen=True, kw_only=True, tag="RegistrationApproved.v1"):
    """The operator let it in; `queue_suffix` makes its queues' names unguessable and is told to the owner only."""

    registration: str
    code: str
    party: Party
    certificates: tuple[Certificate, ...]
    queue_suffix: str
    why: str
    by: str


class RegistrationRejected(Struct, frozen=True, kw_only=True, tag="RegistrationRejected.v1"):
    """The operator did not let it in."""

    registration: str
    code: str
    why: str
    by: str


class ConfigurationPushed(Struct, frozen=True, kw_only=True, tag="ConfigurationPushed.v1"):
    """A component said where and how it is reached; from the first time on others know it."""

    code: str
    configuration: Configuration


class CertificatesIssued(Struct, frozen=True, kw_only=True, tag="CertificatesIssued.v1"):
    """A component renewed its certificates; the old ones hold until their end."""

    code: str
    certificates: tuple[Certificate, ...]


class CertificateRevoked(Struct, frozen=True, kw_only=True, tag="CertificateRevoked.v1"):
    """A certificate must not be trusted any more, whatever it says itself."""

    code: str
    certificate_id: str
    why: str
    by: str


class ComponentRevoked(Struct, frozen=True, kw_only=True, tag="ComponentRevoked.v1"):
    """A component is out: others no longer know it, and it cannot log in."""

    code: str
    why: str
    by: str


class ComponentReapproved(Struct, frozen=True, kw_only=True, tag="ComponentReapproved.v1"):
    """A revoked component is back as it was, without the certificates that were revoked meanwhile."""

    code: str
    why: str
    by: str


class ComponentThrownOut(Struct, frozen=True, kw_only=True, tag="ComponentThrownOut.v1"):
    """The operator took its login at the broker away and closed its connections; the directory lists it as before."""

    code: str
    why: str
    by: str


Event = (
    TokenIssued
    | TokenWithdrawn
    | ComponentRegistered
    | RegistrationApproved
    | RegistrationRejected
    | ConfigurationPushed
    | CertificatesIssued
    | CertificateRevoked
    | ComponentRevoked
    | ComponentReapproved
    | ComponentThrownOut
    | StoreRestored
)


def _invited_without_reason(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "type": "TokenIssued.v2", "why": ""}


LIFTS: Final[dict[str, Any]] = {"TokenIssued.v1": _invited_without_reason}
"""Old topic -> function from its decoded builtins to those of the next version."""
