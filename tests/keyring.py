"""Keys for every component a test names: made when first asked for, known to everybody, valid for ever."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography.x509 import Certificate
from msgspec import Struct

from hub.mades.certificates import CertificateType
from hub.mades.endpoint import Seals
from hub.mades.errors import MadesError
from hub.mades.keyring import Keys
from hub.mades.message import Message
from hub.mades.pki import Authority, certificate_id, issue, issuing_authority, make_key, root_authority
from hub.mades.seal import Sealer

BEGIN = datetime(2001, 1, 1, tzinfo=UTC)
FOR_EVER = timedelta(days=365 * 90)


class Holder(Struct, frozen=True):
    """A component's keys, and its certificates as a directory lists them."""

    keys: Keys
    encryption: Certificate


class Everybody:
    """A directory that lists whoever is asked for (hub.mades.keyring.Certificates)."""

    def encryption(self, code: str, at: datetime) -> Certificate:
        """The certificate to encrypt with for this component."""
        return holder(code).encryption

    def signing(self, code: str, certificate_id: str, at: datetime) -> Certificate:
        """The SIGNING certificate of this component. Raises MadesError: it has another id."""
        certificate = holder(code).keys.signing_certificate
        if id_of(certificate) != certificate_id:
            raise MadesError("E-NO-CERT", f"{code} has no certificate {certificate_id}.")
        return certificate


class Listing(Everybody):
    """The same with gaps: `missing` until the next refresh, a `stale` copy, another certificate to encrypt with."""

    def __init__(
        self, *, missing: set[str] | None = None, stale: bool = False, encryption: dict[str, Certificate] | None = None
    ) -> None:
        self._missing = missing or set()
        self.after_refresh = set(self._missing)
        self.stale, self._encryption = stale, encryption or {}
        self.away = False

    async def refresh(self, _partner: str) -> bool:
        """Fetch the directory once more, unless it is `away`."""
        if not self.away:
            self._missing = set(self.after_refresh)
        return not self.away

    def encryption(self, code: str, at: datetime) -> Certificate:
        """As the copy has it. Raises MadesError."""
        self._check(code)
        return self._encryption.get(code) or super().encryption(code, at)

    def signing(self, code: str, certificate_id: str, at: datetime) -> Certificate:
        """As the copy has it. Raises MadesError."""
        self._check(code)
        return super().signing(code, certificate_id, at)

    def _check(self, code: str) -> None:
        if self.stale:
            raise MadesError("E-DIRECTORY-STALE", "The copy of the directory is too old.")
        if code in self._missing:
            raise MadesError("E-UNKNOWN-RECEIVER", f"No component has the code {code}.")


def id_of(certificate: Certificate) -> str:
    return certificate_id(certificate)


@cache
def issuing() -> Authority:
    root = root_authority("Root of the tests", now=BEGIN, validity=FOR_EVER)
    return issuing_authority("Authority of the tests", root=root, now=BEGIN, validity=FOR_EVER)


@cache
def holder(code: str) -> Holder:
    signing, encryption = make_key(), make_key()
    certificates = {
        kind: issue(key.public_key(), code, kind, authority=issuing(), now=BEGIN, validity=FOR_EVER)
        for kind, key in ((CertificateType.SIGNING, signing), (CertificateType.ENCRYPTION, encryption))
    }
    ours = certificates[CertificateType.ENCRYPTION]
    return Holder(Keys(signing, certificates[CertificateType.SIGNING], {id_of(ours): encryption}), ours)


@cache
def _sealer_of(code: str) -> Sealer:
    return Sealer(code, holder(code).keys, Everybody())


_ADOPTED: dict[str, Sealer] = {}
"""Sealers of components whose keys were not made here."""


def sealer_of(code: str) -> Sealer:
    """What a component seals and opens with."""
    return _ADOPTED.get(code) or _sealer_of(code)


@contextmanager
def adopting() -> Iterator[dict[str, Sealer]]:
    """Sealers put into what this yields are those of their components, until the block ends."""
    before = dict(_ADOPTED)
    try:
        yield _ADOPTED
    finally:
        _ADOPTED.clear()
        _ADOPTED.update(before)


def seals_of(code: str) -> Seals:
    """What an endpoint of this component works with."""
    return Seals(sealer_of(code))


def opened(body: bytes, by: str) -> Message:
    """What a sealed message holds, for the component that it is for. Raises MadesError."""
    sealer = sealer_of(by)
    return sealer.open(sealer.verify(sealer.look(body)))
