"""Signs for a component with the key of its SIGNING certificate, and checks what was signed so (floor 5).

Plain signatures over plain bytes, ECDSA or RSA (PKCS 1) with SHA-256: `openssl dgst -sha256 -verify` reads them.
"""

from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from msgspec import Struct

from hub.mades import credentials, pki
from hub.mades.certificates import CertificateType
from hub.ports import Signer


class Attestation(Struct, frozen=True, kw_only=True):
    """A signature, and whose it is: `fingerprint` is the SHA-256 of the certificate, hexadecimal."""

    signature: bytes
    fingerprint: str
    signer: Signer


class Notary:
    """Signs as the component of a folder, with what is in the folder at that time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def attest(self, content: bytes, at: datetime) -> Attestation:
        """Sign with the preferred key. Raises CertificateRefused: no SIGNING certificate holds at that instant."""
        held = credentials.load(self._folder)
        pair = held.preferred(CertificateType.SIGNING, at)
        return Attestation(
            signature=_sign(pair.key, content),
            fingerprint=pki.certificate_id(pair.certificate),
            signer=Signer(certificate=credentials.der_of(pair.certificate), issuing=credentials.der_of(held.issuing)),
        )


def check(content: bytes, attestation: Attestation, *, root: x509.Certificate, code: str, at: datetime) -> None:
    """Check that the component `code` has signed `content`, with a certificate that `root` vouched for at that time.

    Raises:
        CertificateRefused: it has not; the message says what was found.
    """
    try:
        key = _vouched_for(attestation, root=root, code=code, at=at)
    except pki.CertificateRefused:
        raise
    except Exception as error:  # bytes that anybody may have changed: the library fails on them in many ways
        raise pki.CertificateRefused(f"The certificates of the signer cannot be read: {error}.") from error
    try:
        _verify(key, attestation.signature, content)
    except InvalidSignature as error:
        raise pki.CertificateRefused("The signature is not one over this content.") from error


def _vouched_for(attestation: Attestation, *, root: x509.Certificate, code: str, at: datetime) -> pki.PublicKey:
    leaf = x509.load_der_x509_certificate(attestation.signer.certificate)
    issuing = x509.load_der_x509_certificate(attestation.signer.issuing)
    if pki.certificate_id(leaf) != attestation.fingerprint:
        raise pki.CertificateRefused("The certificate of the signer is not the one with this fingerprint.")
    if pki.common_name(leaf) != code:
        raise pki.CertificateRefused(f"The signer is {pki.common_name(leaf)!r}, expected {code!r}.")
    pki.verify_chain(leaf, issuing=issuing, root=root, at=at, kind=CertificateType.SIGNING)
    return pki.accepted_key(leaf.public_key())


def _sign(key: pki.PrivateKey, content: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(content, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(content, ec.ECDSA(hashes.SHA256()))


def _verify(key: pki.PublicKey, signature: bytes, content: bytes) -> None:
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, content, padding.PKCS1v15(), hashes.SHA256())
    else:
        key.verify(signature, content, ec.ECDSA(hashes.SHA256()))
