"""A component's own copy of the directory: verified, kept on disk, looked up without the network (floor 5).

What comes is taken only if the pinned directory has signed it for this component, and only if its contentID does not
go back. The last good copy stays in use until its time to live is over; then every look-up says E-DIRECTORY-STALE:
what may have been revoked meanwhile is not to be trusted. Satisfies `hub.mades.keyring.Certificates`.
"""

from base64 import b64decode
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

from documents.values import Instant
from hub.directory import routing, wire
from hub.directory.calls import Known
from hub.directory.values import ComponentRecord, Party
from hub.mades import credentials, paths, pki
from hub.mades.certificates import CertificateType
from hub.mades.errors import MadesError
from hub.ports import Clock

log = structlog.get_logger("hub.mades.directory")


class Answer(Struct, frozen=True, kw_only=True):
    """What the directory answered to a sync, as it came: the content and what proves it; certificate as DER."""

    body: bytes
    signature: bytes
    certificate: bytes


class _Kept(Struct, frozen=True, kw_only=True):
    """What is kept on disk: the last full answer, and when the directory last said that it still holds."""

    answer: Answer
    confirmed: Instant
    ttl_ms: int


class DirectoryCopy:
    """See the module's charter. `code` is whose copy this is, `directory` the one directory it believes."""

    def __init__(
        self,
        code: str,
        *,
        directory: str,
        root: x509.Certificate,
        issuing: x509.Certificate,
        file: Path | None,
        clock: Clock,
    ) -> None:
        """`file` None: nothing is kept."""
        self.code, self.directory = code, directory
        self._root, self._issuing, self._file, self._clock = root, issuing, file, clock
        self._records: dict[str, ComponentRecord] = {}
        self._certificates: dict[str, x509.Certificate] = {}
        self._answer: Answer | None = None
        self._good_until: datetime | None = None
        self.confirmed: datetime | None = None
        """When the directory last said that this copy holds."""
        self.content_id = 0
        """Of the copy in use; 0 while there is none."""
        self.withdrawn: frozenset[str] = frozenset()
        """Ids of certificates that were listed since this started, and are no longer."""
        if file is not None and file.exists():
            self._restore(file)

    @property
    def known(self) -> Sequence[Known]:
        """What to tell the directory, so that it sends only news."""
        return (Known(directory=self.directory, content_id=self.content_id),) if self._answer else ()

    def take(self, answer: Answer) -> bool:
        """Take in what the directory has answered; whether the records have changed.

        Raises:
            MadesError: E-SIGNATURE for what the directory has not signed for us, E-FORMAT for what cannot be read,
                E-DIRECTORY-STALE for an older content than ours. The copy in use stays.
        """
        now = self._clock.now()
        self._verify(answer, now)
        content = wire.parse(answer.body)
        if content.directory != self.directory:
            raise MadesError("E-SIGNATURE", f"The content is of {content.directory}, {self.directory} expected.")
        if content.content_id < self.content_id:
            found = f"The directory sent contentID {content.content_id} after {self.content_id}: an older content."
            raise MadesError("E-DIRECTORY-STALE", found)
        changed = self._answer is None or content.content_id > self.content_id
        if changed:
            self._use(content.records)
            self._answer, self.content_id = answer, content.content_id
        self.confirmed, self._good_until = now, now + timedelta(milliseconds=content.ttl_ms)
        self._keep(now, content.ttl_ms)
        return changed

    def stale(self) -> str | None:
        """Why the copy may not be used now; None when it may."""
        if self._good_until is None:
            return "The component directory has not answered yet."
        if self._clock.now() >= self._good_until:
            return f"The copy of the component directory was good until {self._good_until.isoformat()}."
        return None

    def encryption(self, code: str, at: datetime) -> x509.Certificate:
        """The certificate to encrypt with for this component: the oldest that is valid then.

        Raises MadesError: E-DIRECTORY-STALE, E-UNKNOWN-RECEIVER, E-NO-CERT, E-CERT-EXPIRED.
        """
        return self._valid(self._listed(code, CertificateType.ENCRYPTION), at, f"ENCRYPTION of {code}")

    def signing(self, code: str, certificate_id: str, at: datetime) -> x509.Certificate:
        """The SIGNING certificate of this component with this id, valid then.

        A revoked one is not listed: E-REVOKED if it was since this started, else E-NO-CERT.

        Raises MadesError: E-DIRECTORY-STALE, E-UNKNOWN-RECEIVER, E-REVOKED, E-NO-CERT, E-CERT-EXPIRED.
        """
        listed = self._listed(code, CertificateType.SIGNING)
        if certificate_id in self.withdrawn:
            raise MadesError("E-REVOKED", f"The SIGNING certificate {certificate_id} of {code} is listed no longer.")
        named = [each for each in listed if pki.certificate_id(each) == certificate_id]
        return self._valid(named, at, f"SIGNING of {code}")

    def path(self, receiver: str, message_type: str, at: datetime) -> str:
        """The code of the broker that carries this type to `receiver`.

        Raises MadesError: E-DIRECTORY-STALE, or one of `hub.directory.routing.route`.
        """
        self._check_fresh()
        return routing.route(self._records, sender=self.code, receiver=receiver, message_type=message_type, at=at)

    def party_of(self, code: str) -> paths.Party | None:
        """What an endpoint is in the exchange; None for who is unknown, or no endpoint. Never raises."""
        record = self._records.get(code)
        if record is None or record.party in {Party.BROKER, Party.DIRECTORY}:
            return None
        return paths.Party(record.party.value)

    def record(self, code: str) -> ComponentRecord | None:
        """All that is known of a component, however old; None when nothing is."""
        return self._records.get(code)

    @property
    def codes(self) -> frozenset[str]:
        """Every component in the copy."""
        return frozenset(self._records)

    def _verify(self, answer: Answer, now: datetime) -> None:
        try:
            leaf = x509.load_der_x509_certificate(answer.certificate)
            pki.verify_chain(leaf, issuing=self._issuing, root=self._root, at=now, kind=CertificateType.SIGNING)
        except ValueError as error:
            raise MadesError("E-SIGNATURE", f"The directory's certificate is not good: {error}") from error
        key = leaf.public_key()
        if pki.common_name(leaf) != self.directory or not isinstance(key, ec.EllipticCurvePublicKey):
            raise MadesError(
                "E-SIGNATURE", f"The content is signed by {pki.common_name(leaf)!r}, not by the directory."
            )
        try:
            key.verify(answer.signature, wire.signed_bytes(self.code, answer.body), ec.ECDSA(hashes.SHA256()))
        except InvalidSignature as error:
            raise MadesError("E-SIGNATURE", "The directory has not signed this content for us.") from error

    def _use(self, records: Iterable[ComponentRecord]) -> None:
        """Put other records in the place of the present ones, once all their certificates are read."""
        fresh = {record.code: record for record in records}
        try:
            listed = {
                each.certificate_id: x509.load_der_x509_certificate(each.der)
                for record in fresh.values()
                for each in record.certificates
            }
        except ValueError as error:
            raise MadesError(
                "E-FORMAT", f"A certificate of the directory's content cannot be read: {error}."
            ) from error
        self.withdrawn = (self.withdrawn | self._certificates.keys()) - listed.keys()
        self._records, self._certificates = fresh, listed

    def _listed(self, code: str, kind: CertificateType) -> list[x509.Certificate]:
        """What the directory lists, the oldest first; only what is for this purpose by its own word too."""
        self._check_fresh()
        record = self._records.get(code)
        if record is None:
            raise MadesError("E-UNKNOWN-RECEIVER", f"No component has the code {code}.")
        named = (self._certificates[each.certificate_id] for each in record.certificates if each.type is kind)
        fitting = (each for each in named if pki.is_for(each, kind) and pki.common_name(each) == code)
        return sorted(fitting, key=lambda each: each.not_valid_before_utc)

    def _check_fresh(self) -> None:
        if why := self.stale():
            raise MadesError("E-DIRECTORY-STALE", why)

    def _valid(self, listed: Sequence[x509.Certificate], at: datetime, what: str) -> x509.Certificate:
        if not listed:
            raise MadesError("E-NO-CERT", f"No such certificate is listed: {what}.")
        for each in listed:
            if each.not_valid_before_utc <= at <= each.not_valid_after_utc:
                return each
        raise MadesError("E-CERT-EXPIRED", f"No certificate is valid at {at.isoformat()}: {what}.")

    def _keep(self, now: datetime, ttl_ms: int) -> None:
        if self._file is None or self._answer is None:
            return
        credentials.write(self._file, msgspec.json.encode(_Kept(answer=self._answer, confirmed=now, ttl_ms=ttl_ms)))

    def _restore(self, file: Path) -> None:
        """Use what was kept, as long as it is still what the directory has signed; else begin without."""
        try:
            kept = msgspec.json.decode(file.read_bytes(), type=_Kept)
            self._verify(kept.answer, kept.confirmed)
            content = wire.parse(kept.answer.body)
            self._use(content.records)
        except (OSError, msgspec.DecodeError, MadesError) as error:
            log.warning("directory.copy_unusable", file=str(file), error=str(error))
            return
        self._answer, self.content_id = kept.answer, content.content_id
        self.confirmed = kept.confirmed
        self._good_until = kept.confirmed + timedelta(milliseconds=kept.ttl_ms)


def answer_of(body: bytes, *, signature: str, certificate: str) -> Answer:
    """An answer from its body and headers (base64). Raises MadesError: E-SIGNATURE."""
    try:
        return Answer(
            body=body,
            signature=b64decode(signature, validate=True),
            certificate=b64decode(certificate, validate=True),
        )
    except ValueError as error:
        raise MadesError("E-SIGNATURE", "The directory's answer carries no signature that can be read.") from error
