"""Sealed messages before independent judges: libxmlsec, and a decoder written from the schema alone."""

from pathlib import Path

import pytest
import xmlsec
from cryptography.exceptions import InvalidSignature
from lxml import etree
from msgspec import structs
from signxml.algorithms import CanonicalizationMethod, SignatureMethod
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from hub.mades.codec import framed, parted
from hub.mades.message import InternalType, Message
from hub.mades.pki import PrivateKey, pem_of
from hub.mades.signature import verified
from tests.sealed_world import (
    ACKNOWLEDGEMENT,
    ALPHA,
    BRAVO,
    HUB,
    LIST,
    NORTH,
    STANDARD,
    TRACING,
    changed,
    holders,
    opened,
    sealer,
)
from tests.second_decoder import SecondDecoder


def of_kind(message: Message, kind: InternalType) -> Message:
    """The message with another internal type, which an acknowledgement says of itself as well."""
    acknowledgements = message.acknowledgements
    if len(acknowledgements) == 1:
        acknowledgements = (structs.replace(acknowledgements[0], kind=kind),)
    return structs.replace(message, internal_type=kind, acknowledgements=acknowledgements)


MESSAGES = [
    of_kind(structs.replace(message, sender=sender, receiver=receiver), kind)
    for sender, receiver in ((NORTH, HUB), (NORTH, BRAVO), (BRAVO, HUB))
    for message, kinds in (
        (STANDARD, [InternalType.STANDARD]),
        (TRACING, [InternalType.TRACING]),
        (
            ACKNOWLEDGEMENT,
            [InternalType.DELIVERY, InternalType.RECEIVE, InternalType.FAILURE, InternalType.TRACED],
        ),
        (LIST, [InternalType.LIST]),
    )
    for kind in kinds
]
NAMES = [f"{each.internal_type} {each.sender} to {each.receiver}" for each in MESSAGES]


@pytest.fixture
def schema(root: Path) -> Path:
    return root / "hub" / "mades" / "manifest.xsd"


def xmlsec_verifies(body: bytes, sender: str) -> bool:
    tree = etree.fromstring(parted(body)[0])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(pem_of(holders()[sender].signing), xmlsec.constants.KeyDataFormatCertPem)
    try:
        context.verify(tree[-1])
    except xmlsec.Error:
        return False
    return True


@pytest.mark.parametrize("message", MESSAGES, ids=NAMES)
def test_libxmlsec_agrees_with_every_signature(message: Message) -> None:
    body = sealer(message.sender).seal(message)

    assert xmlsec_verifies(body, message.sender)
    assert not xmlsec_verifies(body, ALPHA)


@pytest.mark.parametrize("message", MESSAGES, ids=NAMES)
def test_signxml_agrees_with_every_signature(message: Message) -> None:
    root = etree.fromstring(parted(sealer(message.sender).seal(message))[0])
    certificate = holders()[message.sender].signing
    config = SignatureConfiguration(location="./")

    result = XMLVerifier().verify(root, x509_cert=certificate, expect_config=config, validate_schema=False)

    assert not isinstance(result, list)
    signed, ours = result.signed_xml, verified(root, certificate)
    assert signed is not None
    assert etree.tostring(signed, method="c14n") == etree.tostring(ours, method="c14n")


@pytest.mark.parametrize(
    ("sender", "method"),
    [
        (NORTH, SignatureMethod.ECDSA_SHA256),
        (BRAVO, SignatureMethod.SHA256_RSA_MGF1),
        (BRAVO, SignatureMethod.RSA_SHA256),
    ],
)
@pytest.mark.parametrize("between", ["", "\n  "])
def test_what_signxml_has_signed_is_believed(sender: str, method: SignatureMethod, between: str) -> None:
    message = structs.replace(STANDARD, sender=sender)
    body = signed_by_signxml(sealer(sender).seal(message), method, holders()[sender].keys.signing, between)

    assert opened(body, sealer(HUB)) == message
    assert xmlsec_verifies(body, sender)


def signed_by_signxml(body: bytes, method: SignatureMethod, key: PrivateKey, between: str) -> bytes:
    """The body with its signature made again, in signxml's own way; `between` stands before it."""
    manifest, payload = parted(body)
    root = etree.fromstring(manifest)
    info = root[-1][-1]
    root.remove(root[-1])
    root[-1].tail = between
    exclusive = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
    signer = XMLSigner(signature_algorithm=method, c14n_algorithm=exclusive)
    return framed(etree.tostring(signer.sign(root, key=key, key_info=info)), payload)


def test_libxmlsec_finds_what_was_changed() -> None:
    def change(root: etree._Element) -> None:
        root[2].text = InternalType.RECEIVE

    assert not xmlsec_verifies(changed(sealer(NORTH).seal(ACKNOWLEDGEMENT), change), NORTH)


@pytest.mark.parametrize("message", MESSAGES, ids=NAMES)
def test_a_decoder_written_from_the_schema_reads_every_message(message: Message, schema: Path) -> None:
    decoder = SecondDecoder(sealer(message.sender).seal(message), schema)

    decoder.check_signature(holders()[message.sender].signing)
    assert decoder.text("m:messageID") == message.message_id
    assert decoder.texts("m:acknowledgement/m:internalType") == (
        [each.kind for each in message.acknowledgements] if message.internal_type is InternalType.LIST else []
    )
    assert decoder.texts("m:acknowledgement/m:relatedMessageID") == [each.related for each in message.acknowledgements]
    assert decoder.texts("m:acknowledgement/m:relatedManifestDigest") == [
        each.manifest_digest for each in message.acknowledgements
    ]
    if message.internal_type is InternalType.STANDARD:
        assert decoder.content(holders()[message.receiver].encryption_key) == message.content
    else:
        assert decoder.payload == b""


def test_the_second_decoder_is_no_yes_man(schema: Path) -> None:
    decoder = SecondDecoder(sealer(NORTH).seal(STANDARD), schema)

    with pytest.raises(InvalidSignature):
        decoder.check_signature(holders()[ALPHA].signing)
