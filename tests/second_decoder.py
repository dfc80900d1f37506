"""A second decoder of sealed messages, written from `hub/mades/manifest.xsd` alone: it shares no line with ours.

Plain lxml, cryptography and the standard library; trusting, because it is a judge and not a door.
"""

import hashlib
import zlib
from base64 import b64decode, b64encode
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509 import Certificate
from lxml import etree

NAMESPACES = {
    "m": "urn:drem:tps:mades:manifest:1",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
    "dsig11": "http://www.w3.org/2009/xmldsig11#",
}


class SecondDecoder:
    """One message, taken apart."""

    def __init__(self, body: bytes, schema: Path) -> None:
        length = int.from_bytes(body[8:12], "big")
        self.manifest, self.payload = body[12 : 12 + length], body[12 + length :]
        self.root = etree.fromstring(self.manifest)
        etree.XMLSchema(etree.parse(schema)).assertValid(self.root)

    def text(self, path: str) -> str:
        return str(self.root.xpath(f"string({path})", namespaces=NAMESPACES))

    def texts(self, path: str) -> list[str]:
        return [str(found) for found in self.root.xpath(f"{path}/text()", namespaces=NAMESPACES)]

    def check_signature(self, certificate: Certificate) -> None:
        """Raise what the library raises, or AssertionError, if it does not hold."""
        signed_info = self.root.find("ds:Signature/ds:SignedInfo", NAMESPACES)
        assert signed_info is not None
        data = etree.tostring(signed_info, method="c14n", exclusive=True)
        value = b64decode(self.text("ds:Signature/ds:SignatureValue"))
        key = certificate.public_key()
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(value, data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        else:
            assert isinstance(key, ec.EllipticCurvePublicKey)
            halves = int.from_bytes(value[:32], "big"), int.from_bytes(value[32:], "big")
            key.verify(encode_dss_signature(*halves), data, ec.ECDSA(hashes.SHA256()))
        assert self.text("//ds:DigestValue") == _base64(hashlib.sha256(self._manifest_without_signature()).digest())
        assert self.text("//dsig11:X509Digest") == _base64(certificate.fingerprint(hashes.SHA256()))
        assert self.text("m:signerCertificateID") == certificate.fingerprint(hashes.SHA256()).hex()

    def content(self, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
        """The plain content."""
        iv = b64decode(self.text("m:encryption/m:iv"))
        names = ("messageID", "senderCode", "receiverCode", "businessType", "internalType")
        bound = "|".join(self.text(f"m:{name}") for name in names).encode()
        plain = AESGCM(self._key(key)).decrypt(iv, self.payload, bound)
        if self.text("m:content/m:compression") == "deflate":
            plain = zlib.decompress(plain)
        assert len(plain) == int(self.text("m:content/m:plainLength"))
        assert hashlib.sha256(plain).hexdigest() == self.text("m:content/m:plainDigest")
        return plain

    def _key(self, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
        given = b64decode(self.text("m:encryption/m:key"))
        if isinstance(key, rsa.RSAPrivateKey):
            return key.decrypt(given, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
        ephemeral = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), given)
        info = "|".join(self.text(f"m:{name}") for name in ("senderCode", "receiverCode", "messageID")).encode()
        return HKDF(hashes.SHA256(), 32, None, info).derive(key.exchange(ec.ECDH(), ephemeral))

    def _manifest_without_signature(self) -> bytes:
        bare = etree.fromstring(self.manifest)
        bare.remove(bare[-1])
        return etree.tostring(bare, method="c14n", exclusive=True)


def _base64(value: bytes) -> str:
    return b64encode(value).decode()
