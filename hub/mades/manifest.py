"""The manifest of a MADES message: all that the endpoints need to know of it, as XML and as values.

It is written and read here, and its form is judged by `manifest.xsd` in both directions. Whether the signature in it is
true is not asked here. All input is hostile until read: bounded, no entities, no DTD, nothing fetched.
"""

import hashlib
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from lxml import etree
from lxml.etree import _Element as Element
from msgspec import Struct

from documents import xml
from documents.errors import Malformed
from hub.mades.errors import MadesError
from hub.mades.message import LIST_MAX, LISTED, Acknowledgement, InternalType, Message

NAMESPACE: Final = "urn:drem:tps:mades:manifest:1"
SIGNATURE_NAMESPACE: Final = "http://www.w3.org/2000/09/xmldsig#"
MADES_VERSION: Final = 2
MAX_MANIFEST_BYTES: Final = 64 * 1024
SCHEMA: Final = Path(__file__).with_name("manifest.xsd")

_XMLDSIG: Final = "/xmldsig"  # in the names of both namespaces of signatures
_Q: Final = f"{{{NAMESPACE}}}"
_local: Final = threading.local()


class Compression(StrEnum):
    """What was done to the content before it was encrypted."""

    NONE = "none"
    DEFLATE = "deflate"


class Scheme(StrEnum):
    """How the content is encrypted; decided by the receiver's certificate, never by the sender's word alone."""

    ECDH_ES = "ECDH-ES-P256+HKDF-SHA256+A256GCM"
    RSA_OAEP = "RSA-OAEP-256+A256GCM"


class Content(Struct, frozen=True, kw_only=True):
    """The plain content: its length in bytes, its hexadecimal SHA-256, and how the payload holds it."""

    length: int
    digest: str
    compression: Compression


class Encryption(Struct, frozen=True, kw_only=True):
    """How the payload is encrypted and for which certificate; `key` is the ephemeral public key or the wrapped key."""

    scheme: Scheme
    certificate_id: str
    key: bytes
    iv: bytes


class Manifest(Struct, frozen=True, kw_only=True):
    """A manifest as values. `message` has no content; `signer` is the id of the certificate that verifies it.

    A STANDARD_MESSAGE has content and encryption, everything else neither.
    """

    message: Message
    signer: str
    content: Content | None = None
    encryption: Encryption | None = None


def manifest_digest(manifest: bytes) -> str:
    """Hexadecimal SHA-256 of a manifest as it travels, signature included: what acknowledgements refer to."""
    return hashlib.sha256(manifest).hexdigest()


def write(manifest: Manifest) -> Element:
    """The manifest as a tree, to be signed.

    Raises:
        MadesError: E-VALIDATION for characters that XML cannot carry, or parts that the internal type does not have.
    """
    _check_parts(manifest, "E-VALIDATION")
    try:
        return _Writer().write(manifest)
    except ValueError as error:
        raise MadesError("E-VALIDATION", f"A field holds what XML cannot carry: {error}.") from error


def check_written(signed: Element) -> None:
    """Judge our own signed manifest before it leaves.

    Raises:
        MadesError: E-VALIDATION for a field outside its pattern.
    """
    finding = _finding(signed)
    if finding is not None:
        raise MadesError("E-VALIDATION", finding.message)


def parse(manifest: bytes) -> Element:
    """The tree of a manifest that has the right form; nothing says yet that it is true.

    Raises:
        MadesError: E-FORMAT, E-VERSION, E-TOO-LARGE, or E-SIGNATURE for a signature of another shape.
    """
    if len(manifest) > MAX_MANIFEST_BYTES:
        found = f"The manifest has {len(manifest)} bytes, {MAX_MANIFEST_BYTES} are allowed."
        raise MadesError("E-TOO-LARGE", found)
    try:
        root = xml.parse(manifest, max_bytes=MAX_MANIFEST_BYTES)
    except Malformed as error:
        raise MadesError("E-FORMAT", f"The manifest is refused: {error}.") from error
    _check_version(root)
    _check_one_signature(root)
    finding = _finding(root)
    if finding is not None:
        code = "E-SIGNATURE" if _XMLDSIG in finding.message else "E-FORMAT"
        raise MadesError(code, f"The manifest breaks its schema: {finding.message}")
    return root


def read(root: Element) -> Manifest:
    """The values of a tree that came from `parse`, or of the part of it that a signature vouches for.

    Raises:
        MadesError: E-FORMAT for an instant that does not exist, or parts that do not belong to this internal type.
    """
    reader = _Reader(root)
    content, encryption = reader.child("content"), reader.child("encryption")
    manifest = Manifest(
        message=_message(reader),
        signer=reader.text("signerCertificateID"),
        content=_content(content) if content else None,
        encryption=_encryption(encryption) if encryption else None,
    )
    _check_parts(manifest, "E-FORMAT")
    return manifest


def _check_version(root: Element) -> None:
    found = root.findtext(f"{_Q}madesVersion") or ""
    if root.tag != f"{_Q}manifest" or not (found.isascii() and found.isdecimal() and len(found) <= 4):
        raise MadesError("E-FORMAT", f"This is no `manifest` of {NAMESPACE} with a madesVersion.")
    if abs(int(found) - MADES_VERSION) > 1:
        raise MadesError("E-VERSION", f"MADES version {found} found, {MADES_VERSION} or its neighbours expected.")


def _check_one_signature(root: Element) -> None:
    """Exactly one in the whole tree, and at its place: the ground of every wrapping attack."""
    if list(root.iter(f"{{{SIGNATURE_NAMESPACE}}}Signature")) != [root[-1]]:
        raise MadesError("E-SIGNATURE", "The manifest does not end with the only signature in it.")


def _finding(root: Element) -> "etree._LogEntry | None":
    """The first thing that the schema says against it."""
    schema: etree.XMLSchema | None = getattr(_local, "schema", None)
    if schema is None:
        schema = _local.schema = etree.XMLSchema(file=str(SCHEMA))
    return None if schema.validate(root) else schema.error_log[0]


def _check_parts(manifest: Manifest, code: str) -> None:
    kind = manifest.message.internal_type
    if (manifest.content is not None) is not (kind is InternalType.STANDARD) or not _are_of(kind, manifest.message):
        raise MadesError(code, f"The parts of the manifest are not those of a {kind}.", message=manifest.message)


def _are_of(kind: InternalType, message: Message) -> bool:
    """Whether its acknowledgements are what a message of this kind has."""
    kinds = [each.kind for each in message.acknowledgements]
    match kind:
        case InternalType.STANDARD | InternalType.TRACING:
            return not kinds
        case InternalType.LIST:
            return 1 < len(kinds) <= LIST_MAX and LISTED.issuperset(kinds)
        case _:
            return kinds == [kind]


def _message(reader: "_Reader") -> Message:
    kind = InternalType(reader.text("internalType"))
    return Message(
        message_id=reader.text("messageID"),
        internal_type=kind,
        sender=reader.text("senderCode"),
        receiver=reader.text("receiverCode"),
        business_type=reader.text("businessType"),
        ba_message_id=reader.find("baMessageID") or "",
        sender_application=reader.find("senderApplication") or "",
        generated=reader.instant("generated"),
        expires=reader.instant("expiration"),
        acknowledgements=tuple(_acknowledgement(each, kind) for each in reader.children("acknowledgement")),
    )


def _acknowledgement(reader: "_Reader", kind: InternalType) -> Acknowledgement:
    """One acknowledgement of a message of this kind; only in a list it says what it is itself."""
    own = reader.find("internalType")
    if (own is not None) is not (kind is InternalType.LIST):
        raise MadesError("E-FORMAT", f"An acknowledgement in a {kind} says {own or 'not'} what it is.")
    return Acknowledgement(
        kind=kind if own is None else InternalType(own),
        related=reader.text("relatedMessageID"),
        manifest_digest=reader.text("relatedManifestDigest"),
        plain_digest=reader.find("relatedPlainDigest"),
        event_time=reader.instant("eventTime"),
        reason=reader.find("reasonCode"),
    )


def _content(reader: "_Reader") -> Content:
    return Content(
        length=int(reader.text("plainLength")),
        digest=reader.text("plainDigest"),
        compression=Compression(reader.text("compression")),
    )


def _encryption(reader: "_Reader") -> Encryption:
    return Encryption(
        scheme=Scheme(reader.text("scheme")),
        certificate_id=reader.text("certificateID"),
        key=b64decode(reader.text("key")),
        iv=b64decode(reader.text("iv")),
    )


class _Reader:
    """Looks up children by name in an element that its schema has approved."""

    def __init__(self, element: Element) -> None:
        self._element = element
        self._children = {child.tag: child for child in element}

    def child(self, name: str) -> "_Reader | None":
        found = self._children.get(f"{_Q}{name}")
        return None if found is None else _Reader(found)

    def children(self, name: str) -> "Iterator[_Reader]":
        return map(_Reader, self._element.iterchildren(f"{_Q}{name}"))

    def find(self, name: str) -> str | None:
        found = self._children.get(f"{_Q}{name}")
        return None if found is None else found.text or ""

    def text(self, name: str) -> str:
        found = self.find(name)
        if found is None:
            raise MadesError("E-FORMAT", f"The manifest lacks {name}.")
        return found

    def instant(self, name: str) -> datetime:
        text = self.text(name).strip()
        try:
            return datetime.fromisoformat(text)
        except ValueError as error:
            raise MadesError("E-FORMAT", f"{name} is no instant: {text}.") from error


class _Writer:
    """Writes elements in the order of the schema."""

    def __init__(self) -> None:
        self._root = etree.Element(f"{_Q}manifest", nsmap={None: NAMESPACE})

    def write(self, manifest: Manifest) -> Element:
        self._add(self._root, "madesVersion", str(MADES_VERSION))
        self._message(manifest.message)
        if manifest.content is not None:
            self._content(manifest.content)
        if manifest.encryption is not None:
            self._encryption(manifest.encryption)
        for acknowledgement in manifest.message.acknowledgements:
            self._acknowledgement(acknowledgement, manifest.message.internal_type)
        self._add(self._root, "signerCertificateID", manifest.signer)
        return self._root

    def _message(self, message: Message) -> None:
        self._add(self._root, "messageID", message.message_id)
        self._add(self._root, "internalType", message.internal_type)
        self._add(self._root, "senderCode", message.sender)
        self._add(self._root, "receiverCode", message.receiver)
        self._add(self._root, "businessType", message.business_type)
        self._add(self._root, "baMessageID", message.ba_message_id or None)
        self._add(self._root, "senderApplication", message.sender_application or None)
        self._add(self._root, "generated", _instant(message.generated))
        self._add(self._root, "expiration", _instant(message.expires))

    def _content(self, content: Content) -> None:
        parent = etree.SubElement(self._root, f"{_Q}content")
        self._add(parent, "plainLength", str(content.length))
        self._add(parent, "plainDigest", content.digest)
        self._add(parent, "compression", content.compression)

    def _encryption(self, encryption: Encryption) -> None:
        parent = etree.SubElement(self._root, f"{_Q}encryption")
        self._add(parent, "scheme", encryption.scheme)
        self._add(parent, "certificateID", encryption.certificate_id)
        self._add(parent, "key", b64encode(encryption.key).decode())
        self._add(parent, "iv", b64encode(encryption.iv).decode())

    def _acknowledgement(self, said: Acknowledgement, kind: InternalType) -> None:
        parent = etree.SubElement(self._root, f"{_Q}acknowledgement")
        self._add(parent, "internalType", said.kind if kind is InternalType.LIST else None)
        self._add(parent, "relatedMessageID", said.related)
        self._add(parent, "relatedManifestDigest", said.manifest_digest)
        self._add(parent, "relatedPlainDigest", said.plain_digest)
        self._add(parent, "eventTime", _instant(said.event_time))
        self._add(parent, "reasonCode", said.reason)

    def _add(self, parent: Element, name: str, value: str | None) -> None:
        if value is not None:
            etree.SubElement(parent, f"{_Q}{name}").text = value


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
