"""The signature over a manifest: enveloped XMLDSig with exactly one reference to the whole, exclusive canonical form.

Only the one shape is written and read that `signature.xsd` allows, so nothing that a message brings along decides what
is covered, how, or which key is believed: the certificate is the one that the directory lists. Judged by libxmlsec and
signxml in the tests; why not by a library here: docs/decisions/011.
"""

import hashlib
from base64 import b64decode, b64encode
from copy import copy
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import Certificate
from lxml import etree
from lxml.etree import _Element as Element

from hub.mades.errors import MadesError
from hub.mades.manifest import SIGNATURE_NAMESPACE
from hub.mades.pki import PrivateKey

_ECDSA: Final = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
_RSA: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
_RSA_PSS: Final = "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"
_EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
_ENVELOPED: Final = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_SHA256: Final = "http://www.w3.org/2001/04/xmlenc#sha256"
_P256_BYTES: Final = 32
_PSS: Final = padding.PSS(padding.MGF1(SHA256()), salt_length=SHA256.digest_size)

_DS: Final = f"{{{SIGNATURE_NAMESPACE}}}"
_DIGEST: Final = "{http://www.w3.org/2009/xmldsig11#}X509Digest"
_INFO: Final = f"{_DS}SignedInfo"
_REFERENCE: Final = f"{_INFO}/{_DS}Reference"
_SIGNED_INFO: Final = (
    f'<ds:SignedInfo xmlns:ds="{SIGNATURE_NAMESPACE}">'
    f'<ds:CanonicalizationMethod Algorithm="{_EXCLUSIVE}"></ds:CanonicalizationMethod>'
    '<ds:SignatureMethod Algorithm="{method}"></ds:SignatureMethod>'
    '<ds:Reference URI=""><ds:Transforms>'
    f'<ds:Transform Algorithm="{_ENVELOPED}"></ds:Transform><ds:Transform Algorithm="{_EXCLUSIVE}"></ds:Transform>'
    f'</ds:Transforms><ds:DigestMethod Algorithm="{_SHA256}"></ds:DigestMethod>'
    "<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
)
"""In canonical form already."""
_SIGNATURE: Final = (
    f'<ds:Signature xmlns:ds="{SIGNATURE_NAMESPACE}">'
    "{info}<ds:SignatureValue>{value}</ds:SignatureValue><ds:KeyInfo><ds:X509Data>"
    f'<dsig11:X509Digest xmlns:dsig11="http://www.w3.org/2009/xmldsig11#" Algorithm="{_SHA256}">'
    "{signer}</dsig11:X509Digest></ds:X509Data></ds:KeyInfo></ds:Signature>"
)


def sign(root: Element, key: PrivateKey, *, signer: str) -> Element:
    """The manifest with its signature as last child; `signer` is the id of the certificate of `key`."""
    method = _RSA_PSS if isinstance(key, rsa.RSAPrivateKey) else _ECDSA
    info = _SIGNED_INFO.format(method=method, digest=_base64(_digest(root)))
    value = _signed(info.encode(), key)
    signature = _SIGNATURE.format(info=info, value=_base64(value), signer=_base64(bytes.fromhex(signer)))
    signed = copy(root)
    signed.append(etree.fromstring(signature))
    return signed


def named_signer(root: Element) -> str:
    """The id of the certificate that the signature itself names."""
    named = root.findtext(f"{_DS}Signature/{_DS}KeyInfo/{_DS}X509Data/{_DIGEST}") or ""
    return b64decode(named).hex()


def verified(root: Element, certificate: Certificate) -> Element:
    """The manifest that the signature vouches for: read from this, never from `root`.

    Raises:
        MadesError: E-SIGNATURE; the signature is not that of this certificate over this manifest.
    """
    signature, covered = root[-1], _without_signature(root)
    try:
        if not _is_as_agreed(signature) or _stated_digest(signature) != _digest(covered):
            raise MadesError("E-SIGNATURE", "The signature covers another manifest.")
        _verify(_value(signature), _canonical(signature[0]), certificate, _method(signature))
    except (InvalidSignature, ValueError, etree.LxmlError) as error:
        raise MadesError("E-SIGNATURE", "The signature is not that of the sender's certificate.") from error
    return covered


def _is_as_agreed(signature: Element) -> bool:
    """Whether it says what was done here: its order, which no schema can hold, and the part that counts."""
    transforms = [each.get("Algorithm") for each in signature.iterfind(f"{_REFERENCE}/{_DS}Transforms/{_DS}Transform")]
    return len(signature) > 0 and signature[0].tag == _INFO and transforms == [_ENVELOPED, _EXCLUSIVE]


def _method(signature: Element) -> str:
    method = signature.find(f"{_INFO}/{_DS}SignatureMethod")
    return "" if method is None else method.get("Algorithm", "")


def _value(signature: Element) -> bytes:
    return _from_base64(signature.findtext(f"{_DS}SignatureValue"))


def _stated_digest(signature: Element) -> bytes:
    return _from_base64(signature.findtext(f"{_REFERENCE}/{_DS}DigestValue"))


def _signed(data: bytes, key: PrivateKey) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, _PSS, SHA256())
    halves = decode_dss_signature(key.sign(data, ec.ECDSA(SHA256())))
    return b"".join(half.to_bytes(_P256_BYTES, "big") for half in halves)


def _verify(value: bytes, data: bytes, certificate: Certificate, method: str) -> None:
    """The key decides which algorithms may be: a signature never chooses how its key is used.

    Raises InvalidSignature.
    """
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and method == _ECDSA and len(value) == 2 * _P256_BYTES:
        halves = (int.from_bytes(half, "big") for half in (value[:_P256_BYTES], value[_P256_BYTES:]))
        key.verify(encode_dss_signature(*halves), data, ec.ECDSA(SHA256()))
    elif isinstance(key, rsa.RSAPublicKey) and method == _RSA_PSS:
        key.verify(value, data, _PSS, SHA256())
    elif isinstance(key, rsa.RSAPublicKey) and method == _RSA:
        key.verify(value, data, padding.PKCS1v15(), SHA256())
    else:
        raise InvalidSignature(method)


def _without_signature(root: Element) -> Element:
    """What the enveloped transform leaves: a copy without the signature, but with the text behind it."""
    bare = copy(root)
    signature = bare[-1]
    before, behind = signature.getprevious(), signature.tail or ""
    bare.remove(signature)
    if behind and before is not None:
        before.tail = (before.tail or "") + behind
    return bare


def _digest(element: Element) -> bytes:
    return hashlib.sha256(_canonical(element)).digest()


def _canonical(element: Element) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def _base64(value: bytes) -> str:
    return b64encode(value).decode()


def _from_base64(text: str | None) -> bytes:
    return b64decode(text or "")
