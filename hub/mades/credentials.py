"""A component's keys and certificates in a folder of its own (floor 5).

    root.pem  issuing.pem                the two authorities that vouch for everybody
    signing-0a1b2c3d4e5f6071.key/.pem    a key and its certificate (with the issuing one), for each of the three types
    pending/signing.key/.csr             keys whose certificates were asked for and have not come yet
    retired/                             what the directory no longer lists

Keys are made here and never leave; only their owner may read them. Files appear whole or not at all. Of several
certificates of a type the oldest that still holds is used, so that everybody has had time to learn of the newer one.
"""

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from ssl import PROTOCOL_TLS_CLIENT, SSLContext, TLSVersion
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec import Struct

from hub.directory.values import Certificate, Csr
from hub.mades import pki
from hub.mades.certificates import CertificateType
from hub.mades.keyring import Keys

PENDING: Final = "pending"
ROOT: Final = "root.pem"
ISSUING: Final = "issuing.pem"
RETIRED: Final = "retired"
LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ID_LENGTH: Final = 16


class KeyPair(Struct, frozen=True, kw_only=True):
    """A certificate, its key, and the files they are in."""

    certificate: x509.Certificate
    key: pki.PrivateKey
    certificate_file: Path
    key_file: Path


class Credentials(Struct, frozen=True, kw_only=True):
    """What a component proves itself with, as it was when the folder was read."""

    code: str
    root: x509.Certificate
    issuing: x509.Certificate
    pairs: tuple[KeyPair, ...]

    def of_type(self, kind: CertificateType) -> Sequence[KeyPair]:
        """All pairs of one type, the oldest first."""
        fitting = (pair for pair in self.pairs if pki.is_for(pair.certificate, kind))
        return sorted(fitting, key=lambda pair: pair.certificate.not_valid_before_utc)

    def preferred(self, kind: CertificateType, at: datetime) -> KeyPair:
        """The pair to use at that instant: the oldest that holds. Raises CertificateRefused."""
        for pair in self.of_type(kind):
            if pair.certificate.not_valid_before_utc <= at < pair.certificate.not_valid_after_utc:
                return pair
        raise pki.CertificateRefused(
            f"{self.code} has no {kind} certificate that holds at {at.isoformat()}. Renew or register anew."
        )

    def keys(self, at: datetime) -> Keys:
        """What a sealer signs and decrypts with at that instant. Raises CertificateRefused."""
        signing = self.preferred(CertificateType.SIGNING, at)
        return Keys(
            signing=signing.key,
            signing_certificate=signing.certificate,
            decryption={
                pki.certificate_id(pair.certificate): pair.key for pair in self.of_type(CertificateType.ENCRYPTION)
            },
        )

    def ends(self) -> datetime:
        """When the first type is without a certificate that holds; long ago when there is none."""
        return min(
            max((pair.certificate.not_valid_after_utc for pair in self.of_type(kind)), default=LONG_AGO)
            for kind in CertificateType
        )

    def client_context(self, at: datetime) -> SSLContext:
        """TLS as this component, towards servers that the root vouches for. Raises CertificateRefused."""
        pair = self.preferred(CertificateType.AUTHENTICATION, at)
        context = server_trust(pki.pem_of(self.root).decode())
        context.load_cert_chain(pair.certificate_file, pair.key_file)
        return context


def server_trust(root_pem: str) -> SSLContext:
    """TLS 1.3 towards servers that this root vouches for, as nobody in particular."""
    context = SSLContext(PROTOCOL_TLS_CLIENT)
    context.minimum_version = TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=root_pem)
    return context


def der_of(certificate: x509.Certificate) -> bytes:
    """A certificate as the directory's calls carry it."""
    return certificate.public_bytes(Encoding.DER)


def first_of(pem: str) -> x509.Certificate:
    """The first certificate of a PEM text. Raises CertificateRefused."""
    try:
        return x509.load_pem_x509_certificates(pem.encode())[0]
    except ValueError as error:
        raise pki.CertificateRefused(f"No certificate as PEM was found: {error}.") from error


def requests_in(folder: Path, code: str) -> tuple[Csr, ...]:
    """Requests for the three certificates. Asked again before they have come, they are for the same keys."""
    pending = folder / PENDING
    pending.mkdir(mode=0o700, parents=True, exist_ok=True)
    return tuple(Csr(type=kind, der=_pending_request(pending, code, kind)) for kind in CertificateType)


def adopt(
    folder: Path, code: str, certificates: Iterable[Certificate], *, chain: Sequence[bytes], at: datetime
) -> Credentials:
    """Keep the certificates that have come for the pending keys; `chain` is issuing and root, DER.

    A folder that has a root already takes nothing from another one.

    Raises:
        CertificateRefused: a certificate is for another key, code or purpose, or the root does not vouch for it.
    """
    issuing, root = (x509.load_der_x509_certificate(der) for der in chain)
    if (folder / ROOT).exists() and pki.read_chain(folder / ROOT)[0] != root:
        raise pki.CertificateRefused(f"The certificates come from another root than the one in {folder / ROOT}.")
    leaves = {each.type: x509.load_der_x509_certificate(each.der) for each in certificates}
    for kind in CertificateType:
        _check(leaves.get(kind), code, kind, _pending_key(folder / PENDING, kind), issuing=issuing, root=root, at=at)
    write(folder / ROOT, pki.pem_of(root))
    write(folder / ISSUING, pki.pem_of(issuing))
    for kind, leaf in leaves.items():
        name = f"{kind.lower()}-{pki.certificate_id(leaf)[:_ID_LENGTH]}"
        write(folder / f"{name}.pem", pki.pem_of(leaf, issuing))
        write(folder / f"{name}.key", (folder / PENDING / f"{kind.lower()}.key").read_bytes())
    # Last, so that a start that was cut short before is repeated with the same keys.
    for left in (folder / PENDING).iterdir():
        left.unlink()
    return load(folder)


def load(folder: Path) -> Credentials:
    """What is in the folder. Raises CertificateRefused: it holds no component's certificates."""
    if not (folder / ROOT).is_file():
        raise pki.CertificateRefused(f"{folder} holds no certificates. Register with `tps mades register`.")
    pairs = tuple(_pair(file) for kind in CertificateType for file in sorted(folder.glob(f"{kind.lower()}-*.key")))
    codes = {pki.common_name(pair.certificate) for pair in pairs}
    if len(codes) != 1:
        raise pki.CertificateRefused(f"{folder} holds certificates of {len(codes)} components; expected one.")
    return Credentials(
        code=codes.pop(),
        root=pki.read_chain(folder / ROOT)[0],
        issuing=pki.read_chain(folder / ISSUING)[0],
        pairs=pairs,
    )


def retire(folder: Path, certificate_ids: Iterable[str]) -> bool:
    """Use these certificates no longer: the directory lists them no longer. They are kept beside the others.

    Returns whether there were any.
    """
    gone = set(certificate_ids)
    found = [pair for pair in load(folder).pairs if pki.certificate_id(pair.certificate) in gone]
    for pair in found:
        (folder / RETIRED).mkdir(mode=0o700, exist_ok=True)
        for file in (pair.key_file, pair.certificate_file):
            file.rename(folder / RETIRED / file.name)
    return bool(found)


def write(path: Path, content: bytes) -> None:
    """Write a file that its owner alone may read, whole or not at all."""
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    with open(unfinished, "xb", opener=partial(os.open, mode=0o600)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _pending_key(pending: Path, kind: CertificateType) -> pki.PrivateKey:
    file = pending / f"{kind.lower()}.key"
    if not file.exists():
        pki.write_key(file, pki.make_key())
    return pki.read_key(file)


def _pending_request(pending: Path, code: str, kind: CertificateType) -> bytes:
    """The request for a pending key, kept: a signature differs each time, and a repeat must be the same request."""
    file = pending / f"{kind.lower()}.csr"
    request = pki.request_for(code, _pending_key(pending, kind))
    if not file.exists() or x509.load_der_x509_csr(file.read_bytes()).subject != request.subject:
        write(file, request.public_bytes(Encoding.DER))
    return file.read_bytes()


def _check(
    leaf: x509.Certificate | None,
    code: str,
    kind: CertificateType,
    key: pki.PrivateKey,
    *,
    issuing: x509.Certificate,
    root: x509.Certificate,
    at: datetime,
) -> None:
    if leaf is None or leaf.public_key() != key.public_key() or pki.common_name(leaf) != code:
        raise pki.CertificateRefused(f"No {kind} certificate came for the key that was made for {code}.")
    pki.verify_chain(leaf, issuing=issuing, root=root, at=at, kind=kind)


def _pair(key_file: Path) -> KeyPair:
    certificate_file = key_file.with_suffix(".pem")
    return KeyPair(
        certificate=pki.read_chain(certificate_file)[0],
        key=pki.read_key(key_file),
        certificate_file=certificate_file,
        key_file=key_file,
    )
