"""Keys, certificates and the two authorities that issue them: an offline root, and an issuing authority under it.

A component has three certificates, each for one purpose (`CertificateType`); servers have a profile of their own.
Keys made here are ECDSA P-256; RSA of 2048 bits and more is accepted. Time comes in as an argument; keys and serial
numbers come from the library. Profiles follow RFC 5280; chains are verified by the library's path validation.
"""

import os
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial
from ipaddress import ip_address
from pathlib import Path
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from msgspec import Struct

from hub.mades.certificates import CertificateType

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey: TypeAlias = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

LEAF_VALIDITY: Final = timedelta(days=365)
ISSUING_VALIDITY: Final = timedelta(days=5 * 365)
ROOT_VALIDITY: Final = timedelta(days=20 * 365)
CRL_VALIDITY: Final = timedelta(days=7)
MAX_SKEW: Final = timedelta(seconds=300)
"""Certificates begin this much before they were issued: clocks of components differ (docs/mades.md)."""
MIN_RSA_BITS: Final = 2048
REMEMBERED: Final = 4096
"""Certificates whose name, id and purpose are kept: each message asks for them several times."""

DOCUMENT_SIGNING: Final = ObjectIdentifier("1.3.6.1.5.5.7.3.36")
"""RFC 9336. A certificate without any extended usage counts as a TLS client's, so the other two types state theirs."""
DOCUMENT_ENCRYPTION: Final = ObjectIdentifier("1.3.6.1.4.1.311.80.1")
"""The usage CMS tools know for encrypted documents; RFC 5280 has no neutral one."""

_PURPOSES: Final = {
    CertificateType.AUTHENTICATION: ExtendedKeyUsageOID.CLIENT_AUTH,
    CertificateType.SIGNING: DOCUMENT_SIGNING,
    CertificateType.ENCRYPTION: DOCUMENT_ENCRYPTION,
}
_NO_USAGE: Final = dict.fromkeys(
    (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ),
    False,
)


class CertificateRefused(ValueError):
    """A request, key or certificate that is not what it must be; the message says what was found and expected."""


class Authority(Struct, frozen=True):
    """Who issues: its certificate and the key of it."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def name(self) -> x509.Name:
        """The issuer that its certificates state."""
        return self.certificate.subject

    @property
    def public_key(self) -> PublicKey:
        """The key that verifies its certificates."""
        return accepted_key(self.certificate.public_key())


class Revocation(Struct, frozen=True):
    """One certificate that is no longer good."""

    serial_number: int
    at: datetime


def make_key() -> ec.EllipticCurvePrivateKey:
    """A new key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def root_authority(name: str, *, now: datetime, validity: timedelta = ROOT_VALIDITY) -> Authority:
    """A new root that signs itself; its key belongs offline once the issuing authority is made."""
    key = make_key()
    public = key.public_key()
    builder = _certificate(name, public, issuer=_name(name), issuer_key=public, now=now, validity=validity)
    return Authority(_as_authority(builder, path_length=1).sign(key, hashes.SHA256()), key)


def issuing_authority(
    name: str, *, root: Authority, now: datetime, validity: timedelta = ISSUING_VALIDITY
) -> Authority:
    """A new authority under the root, for leaves only."""
    key = make_key()
    builder = _certificate(
        name, key.public_key(), issuer=root.name, issuer_key=root.public_key, now=now, validity=validity
    )
    return Authority(_as_authority(builder, path_length=0).sign(root.key, hashes.SHA256()), key)


def request_for(code: str, key: PrivateKey) -> x509.CertificateSigningRequest:
    """A request for a certificate of component `code`; signing it proves the possession of the key."""
    return x509.CertificateSigningRequestBuilder().subject_name(_name(code)).sign(key, hashes.SHA256())


def check_request(request: x509.CertificateSigningRequest, *, code: str) -> PublicKey:
    """The key to be certified for component `code`.

    Raises:
        CertificateRefused: not signed with its own key, for another subject, or of a weak or unknown key.
    """
    key = accepted_key(request.public_key())
    try:
        proven = request.is_signature_valid
    except (InvalidSignature, ValueError) as error:  # an algorithm that the library does not verify
        raise CertificateRefused(f"The request for {code} is signed in an unknown way: {error}.") from error
    if not proven:
        raise CertificateRefused(f"The request for {code} is not signed with the key that it holds.")
    if request.subject != _name(code):
        raise CertificateRefused(f"The request is for {request.subject.rfc4514_string()!r}, CN={code} expected.")
    return key


def accepted_key(key: object) -> PublicKey:
    """The key itself, if it is of a kind that the platform takes.

    Raises:
        CertificateRefused: neither ECDSA P-256 nor RSA of 2048 bits or more.
    """
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_BITS:
        return key
    found = f"{type(key).__name__} of {getattr(key, 'key_size', '?')} bits"
    raise CertificateRefused(f"The key is {found}; P-256 or RSA of {MIN_RSA_BITS} bits and more expected.")


def issue(
    key: PublicKey,
    code: str,
    kind: CertificateType,
    *,
    authority: Authority,
    now: datetime,
    validity: timedelta = LEAF_VALIDITY,
) -> x509.Certificate:
    """A certificate of component `code` for one purpose: CN is the code, key usage is that of the type (F1)."""
    builder = _leaf(code, key, authority, now=now, validity=validity)
    return _for_purpose(builder, _usage(kind, key), _PURPOSES[kind]).sign(authority.key, hashes.SHA256())


def issue_server(
    key: PublicKey,
    hosts: Sequence[str],
    *,
    authority: Authority,
    now: datetime,
    validity: timedelta = LEAF_VALIDITY,
) -> x509.Certificate:
    """A certificate of a TLS server (broker, directory, REST) under `hosts`, DNS names or IP addresses."""
    usage = {"digital_signature": True, "key_encipherment": isinstance(key, rsa.RSAPublicKey)}
    names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
    builder = _leaf(hosts[0], key, authority, now=now, validity=validity).add_extension(names, critical=False)
    return _for_purpose(builder, usage, ExtendedKeyUsageOID.SERVER_AUTH).sign(authority.key, hashes.SHA256())


@lru_cache(maxsize=REMEMBERED)
def certificate_id(certificate: x509.Certificate) -> str:
    """Lower hexadecimal SHA-256 of its DER: how manifests and the directory name a certificate."""
    return certificate.fingerprint(hashes.SHA256()).hex()


@lru_cache(maxsize=REMEMBERED)
def common_name(certificate: x509.Certificate) -> str:
    """Whose certificate it is; empty unless it names exactly one."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if len(names) == 1 else ""


@lru_cache(maxsize=REMEMBERED)
def is_for(certificate: x509.Certificate, kind: CertificateType) -> bool:
    """Whether it was issued for this purpose and no other."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    expected = _key_usage(_usage(kind, certificate.public_key()))
    return usage == expected and list(purposes) == [_PURPOSES[kind]]


def verify_chain(
    leaf: x509.Certificate,
    *,
    issuing: x509.Certificate,
    root: x509.Certificate,
    at: datetime,
    kind: CertificateType,
) -> None:
    """Check that `root` vouches for `leaf` through `issuing` at that time, for this purpose.

    Raises:
        CertificateRefused: a broken or expired chain, another purpose, or a weak key.
    """
    accepted_key(leaf.public_key())
    if not is_for(leaf, kind):
        raise CertificateRefused(f"The certificate of {common_name(leaf)!r} is not one for {kind}.")
    policy = (
        verification.PolicyBuilder()
        .store(verification.Store([root]))
        .time(at)
        .extension_policies(
            ca_policy=verification.ExtensionPolicy.webpki_defaults_ca(),
            ee_policy=verification.ExtensionPolicy.permit_all(),
        )
    )
    try:
        policy.build_client_verifier().verify(leaf, [issuing])
    except verification.VerificationError as error:
        raise CertificateRefused(f"No chain leads from {common_name(leaf)!r} to the root: {error}.") from error


def revocation_list(
    revoked: Iterable[Revocation],
    *,
    authority: Authority,
    number: int,
    now: datetime,
    validity: timedelta = CRL_VALIDITY,
) -> x509.CertificateRevocationList:
    """The list of what `authority` has revoked; `number` grows with each list."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.name)
        .last_update(now)
        .next_update(now + validity)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(_key_identifier(authority.public_key), critical=False)
    )
    for each in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(each.serial_number).revocation_date(each.at)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(authority.key, hashes.SHA256())


def pem_of(*certificates: x509.Certificate) -> bytes:
    """Certificates as PEM, in this order: a chain is leaf, issuing, root."""
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


def read_chain(path: Path) -> list[x509.Certificate]:
    """The certificates of a PEM file, in its order.

    Raises:
        CertificateRefused: it holds none that can be read.
    """
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except ValueError as error:
        raise CertificateRefused(f"{path} holds no certificates as PEM: {error}.") from error


def write_key(path: Path, key: PrivateKey, *, password: bytes | None = None) -> None:
    """Write a private key (PKCS 8, PEM) that only its owner may read; never over a file that exists.

    Raises:
        FileExistsError: something is there already.
    """
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    # Made with its mode, not changed to it: there is no moment at which others could open it.
    with open(path, "xb", opener=partial(os.open, mode=0o600)) as file:
        file.write(pem)


def read_key(path: Path, *, password: bytes | None = None) -> PrivateKey:
    """Read a private key.

    Raises:
        CertificateRefused: no PEM, another password, or a key of another kind.
    """
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password)
    except (ValueError, TypeError) as error:
        raise CertificateRefused(f"{path} holds no private key that this password opens: {error}.") from error
    accepted_key(key.public_key())
    assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    return key


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(kind: CertificateType, key: object) -> dict[str, bool]:
    match kind:
        case CertificateType.AUTHENTICATION:
            return {"digital_signature": True}
        case CertificateType.SIGNING:
            return {"digital_signature": True, "content_commitment": True}
        case CertificateType.ENCRYPTION:
            return {"key_encipherment" if isinstance(key, rsa.RSAPublicKey) else "key_agreement": True}


def _key_usage(usage: dict[str, bool]) -> x509.KeyUsage:
    return x509.KeyUsage(**_NO_USAGE | usage)


def _key_identifier(key: PublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def _certificate(
    name: str, key: PublicKey, *, issuer: x509.Name, issuer_key: PublicKey, now: datetime, validity: timedelta
) -> x509.CertificateBuilder:
    """What all certificates have; valid from a little before `now` until `now + validity`."""
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - MAX_SKEW)
        .not_valid_after(now + validity)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(_key_identifier(issuer_key), critical=False)
    )


def _as_authority(builder: x509.CertificateBuilder, *, path_length: int) -> x509.CertificateBuilder:
    return builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True).add_extension(
        _key_usage({"key_cert_sign": True, "crl_sign": True}), critical=True
    )


def _leaf(
    name: str, key: PublicKey, authority: Authority, *, now: datetime, validity: timedelta
) -> x509.CertificateBuilder:
    builder = _certificate(
        name, key, issuer=authority.name, issuer_key=authority.public_key, now=now, validity=validity
    )
    return builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)


def _for_purpose(
    builder: x509.CertificateBuilder, usage: dict[str, bool], purpose: ObjectIdentifier
) -> x509.CertificateBuilder:
    return builder.add_extension(_key_usage(usage), critical=True).add_extension(
        x509.ExtendedKeyUsage([purpose]), critical=False
    )
