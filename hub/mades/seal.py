"""Sealed messages: signed by their sender, encrypted for their receiver, and opened in three steps.

`look` reads the manifest and believes nothing: enough to tell whom it claims to be from, and whether it came before.
`verify` asks the directory for the sender's certificate and gives back only what the signature vouches for.
`open` decrypts, inflates within bounds and compares the digest; it takes nothing that was not verified.
Acknowledgements and tracing messages have no content; they are signed, neither compressed nor encrypted.

Source: order of IEC 62325-503 and ECP 4: digest, compress, encrypt, sign; docs/mades.md.
"""

from typing import Final

from lxml import etree
from lxml.etree import _Element as Element
from msgspec import Struct, structs

from hub.mades import cipher, signature
from hub.mades.codec import DEFAULT_LIMITS, Limits, deflated, digest_of, framed, inflated, parted
from hub.mades.errors import MadesError
from hub.mades.keyring import Certificates, Keys
from hub.mades.manifest import (
    Compression,
    Content,
    Encryption,
    Manifest,
    check_written,
    manifest_digest,
    parse,
    read,
    write,
)
from hub.mades.message import InternalType, Message
from hub.mades.pki import certificate_id

NOTHING: Final = digest_of(b"")


class Envelope(Struct, frozen=True, eq=False):
    """A message whose manifest was read and not verified: what it claims to be. `signed` is the manifest as it came."""

    claim: Manifest
    signed: bytes
    manifest_digest: str
    payload: bytes
    tree: Element

    @property
    def message(self) -> Message:
        """The message it claims to be, without content."""
        return self.claim.message

    @property
    def digest(self) -> str:
        """The digest of the content it claims to have; that of nothing for what has no content."""
        return self.claim.content.digest if self.claim.content else NOTHING


class Closed(Struct, frozen=True):
    """A sealed message: its bytes, the digest of its signed manifest, and the certificate it is encrypted for.

    `certificate_id` is empty for what has no content.
    """

    body: bytes
    manifest_digest: str
    certificate_id: str


class Verified(Struct, frozen=True, eq=False):
    """A message whose manifest its sender has signed; its content is still closed."""

    manifest: Manifest
    signed: bytes
    manifest_digest: str
    payload: bytes

    @property
    def message(self) -> Message:
        """The message, without content."""
        return self.manifest.message


def look(body: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Envelope:
    """Read the manifest only; cheap, and nothing of it is proven.

    Raises:
        MadesError: E-FORMAT, E-VERSION, E-TOO-LARGE, or E-SIGNATURE for a signature of another shape.
    """
    manifest, payload = parted(body)
    tree = parse(manifest)
    claim = read(tree)
    if claim.content is None and payload:
        raise MadesError("E-FORMAT", f"A {claim.message.internal_type} has no payload.", message=claim.message)
    largest = max(claim.content.length if claim.content else 0, len(payload) - cipher.TAG_BYTES)
    limits.check(largest, message=claim.message)
    return Envelope(claim, manifest, manifest_digest(manifest), payload, tree)


class Sealer:
    """Seals and opens the messages of component `code`."""

    def __init__(self, code: str, keys: Keys, certificates: Certificates, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self.certificates = certificates
        self._code, self._limits = code, limits
        self.use(keys)

    def use(self, keys: Keys) -> None:
        """From now on sign and decrypt with these: certificates were renewed."""
        self._keys, self._signer = keys, certificate_id(keys.signing_certificate)

    def seal(self, message: Message) -> bytes:
        """The bytes of a message; see `close`."""
        return self.close(message).body

    def close(self, message: Message) -> Closed:
        """Seal a message. The bytes differ each time: store them, so that every retry sends the same.

        The receiver's certificate is the one preferred when the message was `generated`.

        Raises:
            MadesError: E-VALIDATION for a field outside its pattern, E-TOO-LARGE for the content, or why the receiver
                has no certificate to encrypt with (see `Certificates`).
        """
        self._check(message)
        if message.internal_type is not InternalType.STANDARD:
            return _closed(self._signed(Manifest(message=message, signer=self._signer)), b"", "")
        content, encryption, payload = self._encrypted(message)
        manifest = Manifest(message=message, signer=self._signer, content=content, encryption=encryption)
        return _closed(self._signed(manifest), payload, encryption.certificate_id)

    def look(self, body: bytes) -> Envelope:
        """`look` within our limits."""
        return look(body, limits=self._limits)

    def verify(self, envelope: Envelope) -> Verified:
        """Check that the sender has signed the manifest, with a certificate that was valid when it was `generated`.

        Raises:
            MadesError: E-SIGNATURE, or why the sender has no such certificate (see `Certificates`).
        """
        claim = envelope.claim
        try:
            signed = self._vouched(envelope)
        except MadesError as error:
            raise MadesError(error.code, error.detail, message=claim.message) from error
        # The schema has approved the whole; a signed part with other values than the whole is a trick.
        if signed != claim:
            raise MadesError("E-SIGNATURE", "The signature covers another manifest.", message=claim.message)
        return Verified(signed, envelope.signed, envelope.manifest_digest, envelope.payload)

    def open(self, verified: Verified) -> Message:
        """The message with its content.

        Raises:
            MadesError: E-DECRYPT, E-DECOMPRESS or E-DIGEST, with the message that it was.
        """
        message, content, encryption = verified.message, verified.manifest.content, verified.manifest.encryption
        if content is None or encryption is None:
            return message
        key = self._keys.decryption.get(encryption.certificate_id)
        if key is None:
            raise MadesError("E-DECRYPT", "It is encrypted for a certificate that is not ours.", message=message)
        compressed = cipher.decrypt(verified.payload, message, encryption, key)
        plain = self._inflated(compressed, content, message)
        if digest_of(plain) != content.digest:
            raise MadesError("E-DIGEST", "The content has another digest than the manifest states.", message=message)
        return structs.replace(message, content=plain)

    def _check(self, message: Message) -> None:
        if message.sender != self._code:
            raise MadesError("E-VALIDATION", f"{self._code} cannot seal a message of {message.sender}.")
        if message.content and message.internal_type is not InternalType.STANDARD:
            raise MadesError("E-VALIDATION", f"A {message.internal_type} has no content.")
        self._limits.check(len(message.content))

    def _encrypted(self, message: Message) -> tuple[Content, Encryption, bytes]:
        """Digest, then compress, then encrypt."""
        certificate = self.certificates.encryption(message.receiver, message.generated)
        compressed = deflated(message.content)
        compression = Compression.NONE if compressed is None else Compression.DEFLATE
        content = Content(length=len(message.content), digest=digest_of(message.content), compression=compression)
        plain = message.content if compressed is None else compressed
        encryption, payload = cipher.encrypt(plain, message, certificate)
        return content, encryption, payload

    def _signed(self, manifest: Manifest) -> bytes:
        signed = signature.sign(write(manifest), self._keys.signing, signer=self._signer)
        check_written(signed)
        return etree.tostring(signed, encoding="UTF-8", xml_declaration=True)

    def _vouched(self, envelope: Envelope) -> Manifest:
        claim = envelope.claim
        if signature.named_signer(envelope.tree) != claim.signer:
            raise MadesError("E-SIGNATURE", "The signature names another certificate than the manifest.")
        at = claim.message.generated
        certificate = self.certificates.signing(claim.message.sender, claim.signer, at)
        return read(signature.verified(envelope.tree, certificate))

    def _inflated(self, payload: bytes, content: Content, message: Message) -> bytes:
        bound = min(content.length, self._limits.max_content_bytes)
        plain = payload if content.compression is Compression.NONE else inflated(payload, bound)
        if plain is None or len(plain) != content.length:
            raise MadesError("E-DECOMPRESS", f"The payload does not hold {content.length} bytes.", message=message)
        return plain


def _closed(manifest: bytes, payload: bytes, certificate_id: str) -> Closed:
    return Closed(framed(manifest, payload), manifest_digest(manifest), certificate_id)


def manifest_digest_of(body: bytes) -> str:
    """The digest of the manifest in these bytes, by which an acknowledgement names it. Raises MadesError (E-FORMAT)."""
    return manifest_digest(parted(body)[0])
