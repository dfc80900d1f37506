"""What the directory signs with: the issuing authority, its own component's keys, its TLS server's key (floor 7).

root.pem  root.key          the root; take `root.key` away from this machine once all is set up
issuing.pem  issuing.key    issues every certificate of a component
server.pem  server.key      of the directory's own listener; made anew here when it ends soon
own/                        the directory's own keys and certificates (hub.mades.credentials)
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import CERT_OPTIONAL, PROTOCOL_TLS_SERVER, SSLContext, TLSVersion
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec import Struct

from hub.directory.refusals import Refusal
from hub.directory.values import Certificate, Csr
from hub.errors import Rejected, SettingsError
from hub.mades import credentials, pki
from hub.mades.certificates import CertificateType

SERVER_LEFT: Final = timedelta(days=30)
"""A server certificate with less than this left is replaced at the next start."""


class Authority(Struct, frozen=True, kw_only=True):
    """The directory's folder, opened."""

    folder: Path
    root: x509.Certificate
    issuing: pki.Authority
    validity: timedelta = pki.LEAF_VALIDITY

    @property
    def chain(self) -> tuple[bytes, bytes]:
        """Issuing and root certificate, DER."""
        return self.issuing.certificate.public_bytes(Encoding.DER), self.root.public_bytes(Encoding.DER)

    @property
    def own(self) -> Path:
        """The folder of the directory's own credentials."""
        return self.folder / "own"

    def issue(self, code: str, requests: Sequence[Csr], *, now: datetime) -> tuple[Certificate, ...]:
        """A certificate for each request, once it has proven the possession of its key.

        Raises:
            Rejected: a request that is none, is not signed with its own key, is for another code, or is weak.
        """
        return tuple(self._issue(code, request, now) for request in requests)

    def check(self, code: str, requests: Sequence[Csr]) -> None:
        """Raise Rejected unless each request proves the possession of its key, and no key serves twice."""
        keys = {_key(code, request).public_numbers() for request in requests}
        if len(keys) < len(requests):
            raise Rejected(Refusal.INVALID, "Two requests are for the same key. Make a key for each certificate.")

    def server_context(self, hosts: Sequence[str], *, now: datetime) -> SSLContext:
        """TLS 1.3 for the listener under these names; a client may show a certificate and need not (registration)."""
        context = SSLContext(PROTOCOL_TLS_SERVER)
        context.minimum_version = TLSVersion.TLSv1_3
        context.verify_mode = CERT_OPTIONAL
        context.load_verify_locations(cadata=pki.pem_of(self.root, self.issuing.certificate).decode())
        context.load_cert_chain(*self.server_files(self.folder, hosts, now=now))
        return context

    def server_files(self, folder: Path, hosts: Sequence[str], *, now: datetime) -> tuple[Path, Path]:
        """`server.pem` and `server.key` in a folder, for a TLS server under these names (directory, broker, REST).

        Made anew when they are not there, end soon, or are for other names.
        """
        certificate, key = folder / "server.pem", folder / "server.key"
        if not _serves(certificate, hosts, now):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_server_certificate(certificate, key, hosts, now)
        return certificate, key

    def _issue(self, code: str, request: Csr, now: datetime) -> Certificate:
        leaf = pki.issue(
            _key(code, request), code, request.type, authority=self.issuing, now=now, validity=self.validity
        )
        return certificate_of(leaf, request.type)

    def _make_server_certificate(self, certificate: Path, key: Path, hosts: Sequence[str], now: datetime) -> None:
        certificate.unlink(missing_ok=True)
        key.unlink(missing_ok=True)
        private = pki.make_key()
        pki.write_key(key, private)
        leaf = pki.issue_server(private.public_key(), hosts, authority=self.issuing, now=now, validity=self.validity)
        credentials.write(certificate, pki.pem_of(leaf, self.issuing.certificate))


def make_authority(folder: Path, name: str, *, now: datetime, validity: timedelta = pki.LEAF_VALIDITY) -> Authority:
    """A new root and issuing authority in an empty folder. Raises FileExistsError: there is one already."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    root = pki.root_authority(f"{name} root", now=now)
    issuing = pki.issuing_authority(f"{name} issuing", root=root, now=now)
    pki.write_key(folder / "root.key", root.key)
    pki.write_key(folder / "issuing.key", issuing.key)
    credentials.write(folder / "issuing.pem", pki.pem_of(issuing.certificate))
    credentials.write(folder / "root.pem", pki.pem_of(root.certificate))
    return Authority(folder=folder, root=root.certificate, issuing=issuing, validity=validity)


def founded_authority(folder: Path, name: str = "Trade Permission System") -> Authority:
    """The authority in a folder, made at the first call. Raises SettingsError."""
    if not (folder / "root.pem").exists():
        for unfinished in ("root.key", "issuing.key", "issuing.pem"):
            (folder / unfinished).unlink(missing_ok=True)
        make_authority(folder, name, now=datetime.now(UTC))
    return open_authority(folder)


def open_authority(folder: Path, *, validity: timedelta = pki.LEAF_VALIDITY) -> Authority:
    """The authority in a folder; the root's key need not be there. Raises SettingsError."""
    try:
        (issuing,), (root,) = pki.read_chain(folder / "issuing.pem"), pki.read_chain(folder / "root.pem")
        key = pki.read_key(folder / "issuing.key")
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{folder} holds no authority that can be used: {error}. Expected root.pem, issuing.pem and issuing.key."
        ) from error
    return Authority(folder=folder, root=root, issuing=pki.Authority(issuing, key), validity=validity)


def certificate_of(leaf: x509.Certificate, kind: CertificateType) -> Certificate:
    """A certificate as the directory lists it."""
    return Certificate(
        certificate_id=pki.certificate_id(leaf),
        type=kind,
        der=leaf.public_bytes(Encoding.DER),
        valid_from=leaf.not_valid_before_utc,
        valid_to=leaf.not_valid_after_utc,
    )


def _key(code: str, request: Csr) -> pki.PublicKey:
    try:
        return pki.check_request(x509.load_der_x509_csr(request.der), code=code)
    except ValueError as error:  # CertificateRefused is one; so is what is no request at all
        raise Rejected(Refusal.INVALID, f"The {request.type} request cannot be used: {error}") from error


def _serves(certificate: Path, hosts: Sequence[str], now: datetime) -> bool:
    """Whether the server certificate that is there still holds long enough, for these names."""
    if not certificate.exists():
        return False
    leaf = pki.read_chain(certificate)[0]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names} == set(hosts) and now + SERVER_LEFT < leaf.not_valid_after_utc
