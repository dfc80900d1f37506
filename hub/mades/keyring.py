"""Whose keys: a component's own, and the certificates of the others as the component directory lists them.

`Certificates` is the local copy of the directory: a look-up never touches the network. `StaticCertificates` is its
twin for tests and for platforms whose components never change.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol

from cryptography.x509 import Certificate
from msgspec import Struct

from hub.mades.certificates import CertificateType
from hub.mades.errors import MadesError
from hub.mades.pki import PrivateKey, certificate_id, common_name, is_for


class Keys(Struct, frozen=True):
    """A component's own keys: one signs; of those that decrypt there are two while certificates overlap.

    `decryption` is by the id of the ENCRYPTION certificate that others used.
    """

    signing: PrivateKey
    signing_certificate: Certificate
    decryption: Mapping[str, PrivateKey]


class Certificates(Protocol):
    """The certificates of components as the directory lists them.

    Raises:
        MadesError: from both: E-UNKNOWN-RECEIVER (no such component), E-NO-CERT (none of this type or id),
            E-CERT-EXPIRED (not valid at that instant), E-REVOKED, E-DIRECTORY-STALE (the copy is too old to be used
            now, whatever `at`).
    """

    def encryption(self, code: str, at: datetime) -> Certificate:
        """The certificate to encrypt with for this component: the oldest that is valid then."""

    def signing(self, code: str, certificate_id: str, at: datetime) -> Certificate:
        """The SIGNING certificate of this component with this id, valid then."""


class StaticCertificates:
    """Certificates that are given once; a component is known by the common name."""

    def __init__(
        self, certificates: Iterable[Certificate], *, revoked: Iterable[Certificate] = (), stale: str = ""
    ) -> None:
        self._stale = stale
        self._revoked = {certificate_id(each) for each in revoked}
        self._by_code: dict[str, list[Certificate]] = {}
        for each in certificates:
            self._by_code.setdefault(common_name(each), []).append(each)

    def encryption(self, code: str, at: datetime) -> Certificate:
        """The certificate to encrypt with for this component: the oldest that is valid then."""
        listed = sorted(self._listed(code, CertificateType.ENCRYPTION), key=lambda each: each.not_valid_before_utc)
        good = [each for each in listed if certificate_id(each) not in self._revoked]
        if listed and not good:
            raise MadesError("E-REVOKED", f"All ENCRYPTION certificates of {code} are revoked.")
        return _valid(good, at, f"ENCRYPTION of {code}")

    def signing(self, code: str, certificate_id: str, at: datetime) -> Certificate:
        """The SIGNING certificate of this component with this id, valid then."""
        if certificate_id in self._revoked:
            raise MadesError("E-REVOKED", f"The certificate {certificate_id} of {code} is revoked.")
        listed = self._listed(code, CertificateType.SIGNING)
        return _valid([each for each in listed if _id(each) == certificate_id], at, f"SIGNING of {code}")

    def _listed(self, code: str, kind: CertificateType) -> list[Certificate]:
        if self._stale:
            raise MadesError("E-DIRECTORY-STALE", self._stale)
        if code not in self._by_code:
            raise MadesError("E-UNKNOWN-RECEIVER", f"No component has the code {code}.")
        return [each for each in self._by_code[code] if is_for(each, kind)]


def _id(certificate: Certificate) -> str:
    return certificate_id(certificate)


def _valid(listed: list[Certificate], at: datetime, what: str) -> Certificate:
    if not listed:
        raise MadesError("E-NO-CERT", f"No such certificate is listed: {what}.")
    good = [each for each in listed if each.not_valid_before_utc <= at <= each.not_valid_after_utc]
    if not good:
        raise MadesError("E-CERT-EXPIRED", f"No certificate is valid at {at.isoformat()}: {what}.")
    return good[0]
