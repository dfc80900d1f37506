"""The signature over a manifest: enveloped XMLDSig with exactly one reference to the whole, exclusive canonical form.

Its shape is held by `signature.xsd`, its truth by signxml with the certificate that the directory lists: nothing that
the message brings along decides which key is believed.
"""

from base64 import b64decode, b64encode
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import Certificate
from lxml import etree
from lxml.etree import _Element as Element
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from hub.mades.errors import MadesError
from hub.mades.manifest import SIGNATURE_NAMESPACE
from hub.mades.pki import PrivateKey

_DS: Final = f"{{{SIGNATURE_NAMESPACE}}}"
_DIGEST: Final = "{http://www.w3.org/2009/xmldsig11#}X509Digest"
_SHA256: Final = DigestAlgorithm.SHA256.value
_ECDSA: Final = frozenset({SignatureMethod.ECDSA_SHA256})
_RSA: Final = frozenset({SignatureMethod.SHA256_RSA_MGF1, SignatureMethod.RSA_SHA256})


def sign(root: Element, key: PrivateKey, *, signer: str) -> Element:
    """The manifest with its signature as last child; `signer` is the id of the certificate of `key`."""
    rsa_key = isinstance(key, rsa.RSAPrivateKey)
    xml_signer = XMLSigner(
        signature_algorithm=SignatureMethod.SHA256_RSA_MGF1 if rsa_key else SignatureMethod.ECDSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    return xml_signer.sign(root, key=key, key_info=_key_info(signer))


def named_signer(root: Element) -> str:
    """The id of the certificate that the signature itself names."""
    named = root.findtext(f"{_DS}Signature/{_DS}KeyInfo/{_DS}X509Data/{_DIGEST}") or ""
    return b64decode(named).hex()


def verified(root: Element, certificate: Certificate, *, at: datetime) -> Element:
    """The manifest that the signature vouches for: read from this, never from `root`.

    Raises:
        MadesError: E-SIGNATURE; the signature is not that of this certificate over this manifest.
    """
    config = SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=_methods(certificate),
        digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
        verification_time=at,
    )
    try:
        result = XMLVerifier().verify(root, x509_cert=certificate, expect_config=config, validate_schema=False)
    except (SignXMLException, ValueError, etree.LxmlError) as error:
        raise MadesError("E-SIGNATURE", f"The signature does not hold: {error}.") from error
    # One reference, so one result; what is in canonical form can be parsed.
    assert isinstance(result, VerifyResult)
    assert result.signed_xml is not None
    return result.signed_xml


def _methods(certificate: Certificate) -> frozenset[SignatureMethod]:
    """The algorithms that fit the key: a signature never chooses how its key is used."""
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _ECDSA
    return _RSA if isinstance(key, rsa.RSAPublicKey) else frozenset()


def _key_info(signer: str) -> Element:
    info = etree.Element(f"{_DS}KeyInfo", nsmap={"ds": SIGNATURE_NAMESPACE})
    data = etree.SubElement(info, f"{_DS}X509Data")
    digest = etree.SubElement(data, _DIGEST, nsmap={"dsig11": "http://www.w3.org/2009/xmldsig11#"}, Algorithm=_SHA256)
    digest.text = b64encode(bytes.fromhex(signer)).decode()
    return info
