"""A message to bytes and back: `MADES` 01 00 00, the length of the manifest, the manifest (XML), the payload.

One opaque body, so that it survives any broker or file unchanged. The manifest names everything the endpoints need; the
payload is the document, deflated when that pays. Digests are taken of the plain content, so that evidence stays
checkable from an archive. The frame and the measures are shared with sealed messages (`hub/mades/seal.py`).

Modelled on IEC 62325-503; the schema of the manifest is ours (docs/mades.md). All input is hostile until read: no
entities, no DTD, no network, bounded sizes before anything is allocated.
"""

import hashlib
import re
import zlib
from datetime import UTC, datetime
from typing import Final

from lxml import etree
from msgspec import Struct, structs

from hub.mades.errors import MadesError
from hub.mades.manifest import MADES_VERSION, MAX_MANIFEST_BYTES, NAMESPACE
from hub.mades.message import InternalType, Message
from hub.mades.paths import CODE

PREAMBLE: Final = b"MADES\x01\x00\x00"
_HEAD_BYTES: Final = len(PREAMBLE) + 4
_PLAIN, _DEFLATE = "none", "deflate"
_PAYS: Final = 0.95
_TEXT: Final = re.compile(r"[A-Za-z0-9-]*")
_BUSINESS_TYPE: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_MESSAGE_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_REASON: Final = re.compile(r"[\x20-\x7e]{1,200}")


class Limits(Struct, frozen=True):
    """How much one message may hold, in bytes of plain content."""

    max_content_bytes: int = 16 * 1024 * 1024

    def check(self, content_bytes: int, *, message: Message | None = None) -> None:
        """Refuse more.

        Raises:
            MadesError: E-TOO-LARGE.
        """
        if content_bytes > self.max_content_bytes:
            raise MadesError("E-TOO-LARGE", _over("content", content_bytes, self.max_content_bytes), message=message)


DEFAULT_LIMITS: Final = Limits()


class Envelope(Struct, frozen=True, kw_only=True):
    """A message whose manifest was read and whose payload was not: `message.content` is empty."""

    message: Message
    digest: str
    compression: str
    plain_bytes: int
    payload: bytes


def digest_of(content: bytes) -> str:
    """Hexadecimal SHA-256 of the plain content."""
    return hashlib.sha256(content).hexdigest()


def framed(manifest: bytes, payload: bytes) -> bytes:
    """One body of both."""
    return PREAMBLE + len(manifest).to_bytes(4, "big") + manifest + payload


def parted(body: bytes) -> tuple[bytes, bytes]:
    """Manifest and payload of a body.

    Raises:
        MadesError: E-FORMAT, or E-TOO-LARGE for the manifest.
    """
    if body[: len(PREAMBLE)] != PREAMBLE or len(body) < _HEAD_BYTES:
        raise MadesError("E-FORMAT", f"The first {len(PREAMBLE)} bytes are not the preamble of a MADES message.")
    length = int.from_bytes(body[len(PREAMBLE) : _HEAD_BYTES], "big")
    if length > MAX_MANIFEST_BYTES:
        raise MadesError("E-TOO-LARGE", _over("manifest", length, MAX_MANIFEST_BYTES))
    if len(body) < _HEAD_BYTES + length:
        raise MadesError("E-FORMAT", f"The manifest has {len(body) - _HEAD_BYTES} of {length} bytes.")
    return body[_HEAD_BYTES : _HEAD_BYTES + length], body[_HEAD_BYTES + length :]


def deflated(content: bytes) -> bytes | None:
    """The content deflated, or None where that saves less than 5 %."""
    smaller = zlib.compress(content, 6)
    return smaller if len(smaller) < len(content) * _PAYS else None


def inflated(payload: bytes, bound: int) -> bytes | None:
    """The content, or None: no deflate stream, more than `bound` bytes, or something behind its end."""
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(payload, bound + 1)
    except zlib.error:
        return None
    return content if len(content) <= bound and inflater.eof and not inflater.unused_data else None


def encode(message: Message, *, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """The bytes of a message; equal messages give equal bytes, so that every retry sends the same.

    Raises:
        MadesError: E-VALIDATION for a field outside its pattern, E-TOO-LARGE for the content.
    """
    limits.check(len(message.content))
    smaller = deflated(message.content)
    manifest = _manifest(message, compression=_PLAIN if smaller is None else _DEFLATE)
    return framed(manifest, message.content if smaller is None else smaller)


def decode(body: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Message:
    """`open_envelope` and `unpack` in one."""
    return unpack(open_envelope(body, limits=limits), limits=limits)


def open_envelope(body: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Envelope:
    """Read the manifest only: cheap, and enough to know who sent what to whom.

    Raises:
        MadesError: E-FORMAT, E-VERSION, or E-TOO-LARGE.
    """
    manifest, payload = parted(body)
    return _Reader(manifest).envelope(payload, limits)


def unpack(envelope: Envelope, *, limits: Limits = DEFAULT_LIMITS) -> Message:
    """The whole message, its content inflated within bounds and checked against its digest.

    Raises:
        MadesError: E-DECOMPRESS or E-DIGEST, with the message that it was.
    """
    message = envelope.message
    content = envelope.payload if envelope.compression == _PLAIN else _inflate(envelope, limits)
    if len(content) != envelope.plain_bytes:
        found = f"The content has {len(content)} bytes, the manifest says {envelope.plain_bytes}."
        raise MadesError("E-DECOMPRESS", found, message=message)
    if digest_of(content) != envelope.digest:
        raise MadesError("E-DIGEST", "The content does not have the digest that the manifest states.", message=message)
    return structs.replace(message, content=content)


def _over(what: str, found: int, limit: int) -> str:
    return f"The {what} has {found} bytes, {limit} are allowed."


def _inflate(envelope: Envelope, limits: Limits) -> bytes:
    content = inflated(envelope.payload, min(envelope.plain_bytes, limits.max_content_bytes))
    if content is None:
        found = f"The payload does not inflate to {envelope.plain_bytes} bytes."
        raise MadesError("E-DECOMPRESS", found, message=envelope.message)
    return content


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _manifest(message: Message, *, compression: str) -> bytes:
    root = etree.Element(f"{{{NAMESPACE}}}manifest", nsmap={None: NAMESPACE})

    def add(parent: etree._Element, name: str, value: str | None, pattern: re.Pattern[str] | None = None) -> None:
        if value is None:
            return
        if pattern is not None and not pattern.fullmatch(value):
            raise MadesError("E-VALIDATION", f"{name} {value[:80]!r} does not match {pattern.pattern}.")
        etree.SubElement(parent, f"{{{NAMESPACE}}}{name}").text = value

    add(root, "madesVersion", str(MADES_VERSION))
    add(root, "messageID", message.message_id, _MESSAGE_ID)
    add(root, "internalType", message.internal_type)
    add(root, "senderCode", message.sender, CODE)
    add(root, "receiverCode", message.receiver, CODE)
    add(root, "businessType", message.business_type, _BUSINESS_TYPE)
    add(root, "baMessageID", message.ba_message_id or None, _TEXT)
    add(root, "generated", _instant(message.generated))
    add(root, "expiration", _instant(message.expires))
    content = etree.SubElement(root, f"{{{NAMESPACE}}}content")
    add(content, "plainLength", str(len(message.content)))
    add(content, "plainDigest", digest_of(message.content))
    add(content, "compression", compression)
    if message.related is not None:
        related = etree.SubElement(root, f"{{{NAMESPACE}}}acknowledgement")
        add(related, "relatedMessageID", message.related, _MESSAGE_ID)
        add(related, "relatedPlainDigest", message.related_digest, _DIGEST)
        add(related, "eventTime", _instant(message.event_time) if message.event_time else None)
        add(related, "reasonCode", message.reason, _REASON)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


class _Reader:
    """Takes a manifest apart, field by field, each with its pattern. Faults are E-FORMAT and name the element."""

    def __init__(self, manifest: bytes) -> None:
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
        )
        try:
            self._root = etree.fromstring(manifest, parser)
        except (etree.XMLSyntaxError, ValueError) as error:
            raise MadesError("E-FORMAT", "The manifest is not well-formed XML.") from error
        if self._root.getroottree().docinfo.doctype or self._root.tag != f"{{{NAMESPACE}}}manifest":
            raise MadesError("E-FORMAT", f"The manifest is not a `manifest` of {NAMESPACE} without a document type.")

    def envelope(self, payload: bytes, limits: Limits) -> Envelope:
        self._check_version()
        message = Message(
            message_id=self._text("messageID", _MESSAGE_ID),
            internal_type=self._internal_type(),
            sender=self._text("senderCode", CODE),
            receiver=self._text("receiverCode", CODE),
            business_type=self._text("businessType", _BUSINESS_TYPE),
            ba_message_id=self._find("baMessageID", _TEXT) or "",
            generated=self._instant("generated"),
            expires=self._instant("expiration"),
            related=self._find("acknowledgement/relatedMessageID", _MESSAGE_ID),
            related_digest=self._find("acknowledgement/relatedPlainDigest", _DIGEST),
            event_time=self._event_time(),
            reason=self._find("acknowledgement/reasonCode", _REASON),
        )
        plain_bytes = int(self._text("content/plainLength", re.compile(r"[0-9]{1,10}")))
        limits.check(max(plain_bytes, len(payload)), message=message)
        return Envelope(
            message=message,
            digest=self._text("content/plainDigest", _DIGEST),
            compression=self._text("content/compression", re.compile(f"{_PLAIN}|{_DEFLATE}")),
            plain_bytes=plain_bytes,
            payload=payload,
        )

    def _check_version(self) -> None:
        version = int(self._text("madesVersion", re.compile(r"[0-9]{1,4}")))
        if abs(version - MADES_VERSION) > 1:
            raise MadesError("E-VERSION", f"MADES version {version} found, {MADES_VERSION} or its neighbours expected.")

    def _internal_type(self) -> InternalType:
        try:
            return InternalType(self._text("internalType", re.compile(r"[A-Z_]{1,64}")))
        except ValueError as error:
            raise MadesError("E-FORMAT", f"Unknown internalType: {error}.") from error

    def _event_time(self) -> datetime | None:
        return self._instant("acknowledgement/eventTime") if self._elements("acknowledgement/eventTime") else None

    def _instant(self, path: str) -> datetime:
        text = self._text(path, re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z"))
        try:
            return datetime.fromisoformat(text)
        except ValueError as error:
            raise MadesError("E-FORMAT", f"{path} is not an instant: {text}.") from error

    def _text(self, path: str, pattern: re.Pattern[str]) -> str:
        value = self._find(path, pattern)
        if value is None:
            raise MadesError("E-FORMAT", f"The manifest lacks {path}.")
        return value

    def _find(self, path: str, pattern: re.Pattern[str]) -> str | None:
        found = self._elements(path)
        if not found:
            return None
        value = found[0].text or ""
        if len(found) > 1 or len(found[0]) or not pattern.fullmatch(value):
            raise MadesError("E-FORMAT", f"{path} must stand once and match {pattern.pattern}.")
        return value

    def _elements(self, path: str) -> list[etree._Element]:
        return self._root.findall("/".join(f"{{{NAMESPACE}}}{name}" for name in path.split("/")))
