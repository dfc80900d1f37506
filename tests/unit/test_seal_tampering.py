"""What hostile bytes can try on a sealed message; each attempt is refused with its code of the catalogue."""

import copy
import tracemalloc
import zlib
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from msgspec import structs
from signxml.algorithms import SignatureMethod
from signxml.signer import XMLSigner

from hub.mades.cipher import encrypt
from hub.mades.codec import PREAMBLE, Limits, framed, parted
from hub.mades.errors import MadesError
from hub.mades.manifest import MAX_MANIFEST_BYTES, NAMESPACE, SIGNATURE_NAMESPACE, read
from hub.mades.message import InternalType, Message
from hub.mades.pki import certificate_id
from hub.mades.seal import Sealer
from hub.mades.signature import sign, verified
from tests.sealed_world import (
    ACKNOWLEDGEMENT,
    ALPHA,
    BRAVO,
    DAY,
    HUB,
    LIST,
    NOON,
    NORTH,
    STANDARD,
    TRACING,
    changed,
    code_of,
    directory,
    holders,
    opened,
    rsa_key,
    sealer,
    signed_again,
)

M, DS = f"{{{NAMESPACE}}}", f"{{{SIGNATURE_NAMESPACE}}}"
BODY = sealer(NORTH).seal(STANDARD)
ACK_BODY = sealer(NORTH).seal(ACKNOWLEDGEMENT)
LIST_BODY = sealer(NORTH).seal(LIST)
NORTH_ID = certificate_id(holders()[NORTH].signing)
Change = Callable[[etree._Element], object]


def found(root: etree._Element, name: str) -> etree._Element:
    (element,) = root.iter(f"{{*}}{name}")
    return element


def setting(name: str, text: str) -> Change:
    def change(root: etree._Element) -> None:
        element = found(root, name)
        assert element.text != text
        element.text = text

    return change


def marking(name: str, attribute: str, value: str) -> Change:
    return lambda root: found(root, name).set(attribute, value)


def refused(body: bytes) -> str:
    return code_of(body, sealer(HUB))


def encoded(count: int) -> str:
    return b64encode(bytes(count)).decode()


FLIPS = {
    "madesVersion": ("3", "E-SIGNATURE"),
    "messageID": ("m-2", "E-SIGNATURE"),
    "internalType": ("TRACING_MESSAGE", "E-FORMAT"),
    "senderCode": (ALPHA, "E-NO-CERT"),
    "receiverCode": (ALPHA, "E-SIGNATURE"),
    "businessType": ("TPS-ASSETS", "E-SIGNATURE"),
    "baMessageID": ("doc-2", "E-SIGNATURE"),
    "senderApplication": ("market", "E-SIGNATURE"),
    "generated": ("2026-01-15T12:00:00.124Z", "E-SIGNATURE"),
    "expiration": ("2027-01-15T12:00:00.123Z", "E-SIGNATURE"),
    "plainLength": ("2099", "E-SIGNATURE"),
    "plainDigest": ("00" * 32, "E-SIGNATURE"),
    "compression": ("none", "E-SIGNATURE"),
    "scheme": ("RSA-OAEP-256+A256GCM", "E-SIGNATURE"),
    "certificateID": ("00" * 32, "E-SIGNATURE"),
    "key": (encoded(65), "E-SIGNATURE"),
    "iv": (encoded(12), "E-SIGNATURE"),
    "signerCertificateID": ("00" * 32, "E-SIGNATURE"),
    "DigestValue": (encoded(32), "E-SIGNATURE"),
    "SignatureValue": (encoded(64), "E-SIGNATURE"),
    "X509Digest": (encoded(32), "E-SIGNATURE"),
}
ACK_FLIPS = {
    "internalType": ("RECEIVE_ACKNOWLEDGEMENT", "E-SIGNATURE"),
    "relatedMessageID": ("m-8", "E-SIGNATURE"),
    "relatedManifestDigest": ("00" * 32, "E-SIGNATURE"),
    "relatedPlainDigest": ("00" * 32, "E-SIGNATURE"),
    "eventTime": ("2026-01-15T12:00:00.124Z", "E-SIGNATURE"),
    "reasonCode": ("E-EXPIRED", "E-SIGNATURE"),
}


@pytest.mark.parametrize("name", FLIPS)
def test_no_field_of_a_manifest_can_be_changed(name: str) -> None:
    text, code = FLIPS[name]

    assert refused(changed(BODY, setting(name, text))) == code


@pytest.mark.parametrize("name", ACK_FLIPS)
def test_no_field_of_an_acknowledgement_can_be_changed(name: str) -> None:
    text, code = ACK_FLIPS[name]

    assert refused(changed(ACK_BODY, setting(name, text))) == code


def test_every_field_is_among_those_tried() -> None:
    roots = [etree.fromstring(parted(body)[0]) for body in (BODY, ACK_BODY)]
    leaves = {etree.QName(each).localname for root in roots for each in root.iter() if each.text}

    assert leaves == FLIPS.keys() | ACK_FLIPS.keys()


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("madesVersion", "4", "E-VERSION"),
        ("madesVersion", "two", "E-FORMAT"),
        ("internalType", "OTHER_MESSAGE", "E-FORMAT"),
        ("senderCode", "A01 45X.NORTH", "E-FORMAT"),
        ("senderCode", "A01:NOBODY", "E-UNKNOWN-RECEIVER"),
        ("generated", "2026-02-30T12:00:00.000Z", "E-FORMAT"),
        ("generated", "2026-01-15T12:00:00+01:00", "E-FORMAT"),
        ("generated", "2027-06-15T12:00:00.000Z", "E-CERT-EXPIRED"),
        ("plainLength", "99999999", "E-TOO-LARGE"),
        ("compression", "brotli", "E-FORMAT"),
        ("iv", encoded(11), "E-FORMAT"),
    ],
)
def test_a_field_without_sense_gives_its_code(name: str, text: str, code: str) -> None:
    assert refused(changed(BODY, setting(name, text))) == code


@pytest.mark.parametrize(
    ("name", "attribute", "value"),
    [
        ("CanonicalizationMethod", "Algorithm", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
        ("SignatureMethod", "Algorithm", "http://www.w3.org/2000/09/xmldsig#hmac-sha1"),
        ("SignatureMethod", "Algorithm", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"),
        ("SignatureMethod", "Algorithm", "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"),
        ("Reference", "URI", "#x"),
        ("Reference", "URI", "file:///etc/hostname"),
        ("DigestMethod", "Algorithm", "http://www.w3.org/2000/09/xmldsig#sha1"),
        ("X509Digest", "Algorithm", "http://www.w3.org/2000/09/xmldsig#sha1"),
    ],
)
def test_a_signature_of_another_make_is_refused(name: str, attribute: str, value: str) -> None:
    assert refused(changed(BODY, marking(name, attribute, value))) == "E-SIGNATURE"


@pytest.mark.parametrize("name", ["senderCode", "encryption", "Signature", "SignatureValue", "X509Digest", "KeyInfo"])
def test_a_part_that_is_missing_or_stands_twice_is_refused(name: str) -> None:
    def remove(root: etree._Element) -> None:
        element = found(root, name)
        parent = element.getparent()
        assert parent is not None
        parent.remove(element)

    def repeat(root: etree._Element) -> None:
        element = found(root, name)
        element.addnext(copy.deepcopy(element))

    code = "E-SIGNATURE" if name[0].isupper() else "E-FORMAT"

    assert [refused(changed(BODY, remove)), refused(changed(BODY, repeat))] == [code, code]


def genuine(root: etree._Element) -> etree._Element:
    """A copy of the signed manifest, to hide inside a forged one."""
    return copy.deepcopy(root)


def evil(root: etree._Element) -> None:
    found(root, "baMessageID").text = "evil"


def wrapped_in_object(root: etree._Element) -> None:
    """XSW: the genuine manifest inside the signature, the forged one around it."""
    original = genuine(root)
    evil(root)
    etree.SubElement(root[-1], f"{DS}Object").append(original)


def wrapped_by_id(root: etree._Element) -> None:
    """XSW: the reference names the genuine manifest by an id; the forged one is the root."""
    original = genuine(root)
    original.set("Id", "x")
    evil(root)
    root[-1].addprevious(original)
    found(root[-1], "Reference").set("URI", "#x")


def wrapped_behind(root: etree._Element) -> None:
    """XSW: the genuine manifest behind the signature."""
    original = genuine(root)
    evil(root)
    root.append(original)


def wrapped_before(root: etree._Element) -> None:
    """XSW: the genuine manifest as first child, the forged fields after it."""
    original = genuine(root)
    evil(root)
    root.insert(0, original)


def signed_twice(root: etree._Element) -> None:
    """A second signature that covers the forged manifest, by somebody else."""
    evil(root)
    alpha = holders()[ALPHA]
    root.append(sign(root, alpha.keys.signing, signer=certificate_id(alpha.signing))[-1])


def signature_in_signature(root: etree._Element) -> None:
    """The genuine signature inside another."""
    inner = copy.deepcopy(root[-1])
    evil(root)
    found(root[-1], "KeyInfo").append(inner)


def two_references(root: etree._Element) -> None:
    """The signed information refers to something beside the manifest."""
    reference = found(root, "Reference")
    reference.addnext(copy.deepcopy(reference))


def path_transform(root: etree._Element) -> None:
    """A transform that selects what is signed."""
    transform = etree.SubElement(found(root, "Transforms"), f"{DS}Transform")
    transform.set("Algorithm", "http://www.w3.org/TR/1999/REC-xpath-19991116")


def signature_moved(root: etree._Element) -> None:
    """The signature stands elsewhere."""
    root.insert(3, root[-1])


FORGERIES = (
    wrapped_in_object,
    wrapped_by_id,
    wrapped_behind,
    wrapped_before,
    signed_twice,
    signature_in_signature,
)


@pytest.mark.parametrize("change", [*FORGERIES, two_references, path_transform, signature_moved])
def test_a_wrapped_signature_is_refused_before_any_key_is_asked(change: Change) -> None:
    body = changed(BODY, change)

    with pytest.raises(MadesError, match="E-SIGNATURE"):
        sealer(HUB).look(body)


@pytest.mark.parametrize("change", FORGERIES)
def test_even_without_the_schema_a_forged_field_is_never_taken_for_signed(change: Change) -> None:
    manifest, payload = parted(changed(BODY, change))
    tree = etree.fromstring(manifest)
    envelope = structs.replace(sealer(HUB).look(BODY), claim=read(tree), payload=payload, tree=tree)

    assert envelope.message.ba_message_id == "evil"
    with pytest.raises(MadesError, match="E-SIGNATURE"):
        sealer(HUB).verify(envelope)


def test_what_was_looked_at_and_what_was_signed_must_be_the_same() -> None:
    envelope = sealer(HUB).look(BODY)
    other = structs.replace(envelope.claim, message=structs.replace(envelope.message, ba_message_id="evil"))

    with pytest.raises(MadesError, match="E-SIGNATURE"):
        sealer(HUB).verify(structs.replace(envelope, claim=other))


def test_even_without_the_schema_an_algorithm_that_was_not_agreed_is_refused() -> None:
    root = etree.fromstring(parted(BODY)[0])
    root.remove(root[-1])
    north = holders()[NORTH]
    signed = XMLSigner(signature_algorithm=SignatureMethod.ECDSA_SHA384).sign(root, key=north.keys.signing)

    with pytest.raises(MadesError, match="E-SIGNATURE"):
        verified(signed, north.signing)


def in_another_order(root: etree._Element) -> None:
    """The transforms as nobody can do them: the canonical form first, then of its bytes the signature away."""
    transforms = found(root, "Transforms")
    transforms.append(transforms[0])


def the_same_twice(root: etree._Element) -> None:
    for transform in found(root, "Transforms"):
        transform.set("Algorithm", f"{SIGNATURE_NAMESPACE}enveloped-signature")


def text_behind(root: etree._Element) -> None:
    root[-1].tail = "\n"


def a_namespace_without_canonical_form(root: etree._Element) -> None:
    found(root, "messageID").append(etree.fromstring('<x xmlns:y="relative"/>'))


@pytest.mark.parametrize(
    "change", [in_another_order, the_same_twice, text_behind, a_namespace_without_canonical_form, evil]
)
def test_even_without_the_schema_only_what_was_agreed_is_covered(change: Change) -> None:
    root = etree.fromstring(parted(BODY)[0])
    change(root)

    with pytest.raises(MadesError, match="E-SIGNATURE"):
        verified(root, holders()[NORTH].signing)


def test_a_signature_around_the_manifest_is_no_manifest() -> None:
    manifest, payload = parted(BODY)
    root = etree.fromstring(manifest)
    signature = copy.deepcopy(root[-1])
    etree.SubElement(signature, f"{DS}Object").append(root)

    assert refused(framed(etree.tostring(signature), payload)) == "E-FORMAT"


def test_payloads_cannot_change_places() -> None:
    other = sealer(NORTH).seal(structs.replace(STANDARD, message_id="m-2"))

    assert refused(framed(parted(BODY)[0], parted(other)[1])) == "E-DECRYPT"


def test_a_ciphertext_cannot_be_moved_to_another_message_even_by_its_sender() -> None:
    assert refused(signed_again(BODY, setting("messageID", "m-2"))) == "E-DECRYPT"
    assert refused(signed_again(BODY, setting("businessType", "TPS-ASSETS"))) == "E-DECRYPT"


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("plainDigest", "00" * 32, "E-DIGEST"),
        ("plainLength", "2099", "E-DECOMPRESS"),
        ("plainLength", "2101", "E-DECOMPRESS"),
        ("compression", "none", "E-DECOMPRESS"),
        ("scheme", "RSA-OAEP-256+A256GCM", "E-DECRYPT"),
        ("certificateID", "00" * 32, "E-DECRYPT"),
        ("key", encoded(65), "E-DECRYPT"),
        ("key", encoded(256), "E-DECRYPT"),
        ("iv", encoded(12), "E-DECRYPT"),
    ],
)
def test_a_sender_that_signs_nonsense_is_told_which(name: str, text: str, code: str) -> None:
    assert refused(signed_again(BODY, setting(name, text))) == code


def test_a_wrapped_key_of_the_wrong_size_is_refused_on_rsa_too() -> None:
    body = sealer(NORTH).seal(structs.replace(STANDARD, receiver=BRAVO))
    bodies = [signed_again(body, setting("key", encoded(size))) for size in (65, 256)]

    assert [code_of(each, sealer(BRAVO)) for each in bodies] == ["E-DECRYPT", "E-DECRYPT"]


def test_the_signature_of_somebody_else_is_not_taken() -> None:
    alpha, north = holders()[ALPHA].keys, holders()[NORTH].keys
    own = Sealer(NORTH, structs.replace(north, signing=alpha.signing), directory())
    foreign = Sealer(NORTH, alpha, directory())

    assert refused(own.seal(STANDARD)) == "E-SIGNATURE"
    assert refused(foreign.seal(STANDARD)) == "E-NO-CERT"


def test_an_encryption_certificate_signs_nothing() -> None:
    north = holders()[NORTH]
    keys = structs.replace(north.keys, signing=north.encryption_key, signing_certificate=north.encryption)

    assert refused(Sealer(NORTH, keys, directory()).seal(STANDARD)) == "E-NO-CERT"


def test_the_kind_of_signature_follows_the_certificate() -> None:
    body = signed_again(BODY, lambda root: None, key=rsa_key())

    assert refused(body) == "E-SIGNATURE"


def test_what_is_sent_again_is_known_before_anything_is_opened() -> None:
    first, again = sealer(HUB).look(BODY), sealer(HUB).look(bytes(bytearray(BODY)))

    assert (again.message, again.digest, again.manifest_digest) == (first.message, first.digest, first.manifest_digest)


def bomb(content: bytes, announced: int) -> bytes:
    """A deflate stream of `content`, encrypted and signed as if it held `announced` bytes."""
    hub = holders()[HUB]
    encryption, payload = encrypt(zlib.compress(content, 9), STANDARD, hub.encryption)

    def change(root: etree._Element) -> None:
        found(root, "plainLength").text = str(announced)
        found(root, "compression").text = "deflate"
        found(root, "key").text = b64encode(encryption.key).decode()
        found(root, "iv").text = b64encode(encryption.iv).decode()

    return signed_again(framed(parted(BODY)[0], payload), change)


def test_a_deflate_bomb_costs_no_more_memory_than_the_limit() -> None:
    body, hub = bomb(bytes(64_000_000), 1000), sealer(HUB)
    tracemalloc.start()

    assert code_of(body, hub) == "E-DECOMPRESS"

    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()


STREAM = zlib.compress(STANDARD.content)


@pytest.mark.parametrize("stream", [STREAM + b"x", STREAM[:-4]], ids=["with something behind", "without its checksum"])
def test_a_deflate_stream_ends_where_the_payload_does(stream: bytes) -> None:
    encryption, payload = encrypt(stream, STANDARD, holders()[HUB].encryption)

    def change(root: etree._Element) -> None:
        found(root, "key").text = b64encode(encryption.key).decode()
        found(root, "iv").text = b64encode(encryption.iv).decode()

    assert refused(signed_again(framed(parted(BODY)[0], payload), change)) == "E-DECOMPRESS"


def test_a_payload_larger_than_the_limit_is_refused_unread() -> None:
    limits = Limits(max_content_bytes=10_000)
    manifest, payload = parted(BODY)
    swollen = framed(manifest, payload + bytes(10_001))

    assert code_of(swollen, sealer(HUB, limits=limits)) == "E-TOO-LARGE"


def test_a_manifest_larger_than_the_limit_is_refused_unread() -> None:
    assert refused(framed(b" " * (MAX_MANIFEST_BYTES + 1), b"")) == "E-TOO-LARGE"


@pytest.mark.parametrize(
    "prolog",
    [
        b"<!DOCTYPE manifest>",
        b'<!DOCTYPE manifest [<!ENTITY x "y">]>',
        b'<!DOCTYPE manifest [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
        b'<!DOCTYPE manifest SYSTEM "http://example.invalid/x.dtd">',
        b'<!DOCTYPE manifest [<!ENTITY % x SYSTEM "http://example.invalid/x"> %x;]>',
        b'<!DOCTYPE manifest [<!ATTLIST manifest Id CDATA "x">]>',
    ],
)
def test_document_types_and_entities_are_refused(prolog: bytes) -> None:
    manifest, payload = parted(BODY)
    root = etree.tostring(etree.fromstring(manifest))

    assert refused(framed(prolog + root.replace(b">doc-1<", b">&x;<"), payload)) == "E-FORMAT"


def test_a_comment_inside_a_field_does_not_hide_a_part_of_it() -> None:
    manifest, payload = parted(BODY)

    message = opened(framed(manifest.replace(b"doc-1", b"doc<!-- x -->-1"), payload), sealer(HUB))

    assert message == STANDARD


@pytest.mark.parametrize(
    ("length", "code"),
    [
        (0, "E-FORMAT"),
        (4, "E-FORMAT"),
        (len(PREAMBLE), "E-FORMAT"),
        (len(PREAMBLE) + 2, "E-FORMAT"),
        (len(PREAMBLE) + 4, "E-FORMAT"),
        (len(PREAMBLE) + 100, "E-FORMAT"),
        (len(BODY) - len(parted(BODY)[1]) - 1, "E-FORMAT"),
        (len(BODY) - len(parted(BODY)[1]), "E-DECRYPT"),
        (len(BODY) - 20, "E-DECRYPT"),
        (len(BODY) - 1, "E-DECRYPT"),
    ],
)
def test_a_message_cut_short_is_refused_wherever_it_was_cut(length: int, code: str) -> None:
    assert refused(BODY[:length]) == code


def test_a_message_with_something_behind_it_is_refused() -> None:
    assert refused(BODY + b"x") == "E-DECRYPT"
    assert refused(ACK_BODY + b"x") == "E-FORMAT"


@given(place=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_changed_byte_never_gives_another_message(place: int, flip: int) -> None:
    body = bytearray(BODY)
    body[place % len(body)] ^= flip

    try:
        message = opened(bytes(body), sealer(HUB))
    except MadesError:
        return
    assert message == STANDARD


@given(body=st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: PREAMBLE + tail))
def test_arbitrary_bytes_are_refused_with_a_code(body: bytes) -> None:
    assert refused(body) in {"E-FORMAT", "E-TOO-LARGE"}


def test_an_acknowledgement_cannot_be_given_content_nor_a_document_go_unencrypted() -> None:
    standard, trace = etree.fromstring(parted(BODY)[0]), sealer(NORTH).seal(TRACING)

    def adopt(root: etree._Element) -> None:
        for name in ("content", "encryption"):
            found(root, "signerCertificateID").addprevious(copy.deepcopy(found(standard, name)))

    def strip(root: etree._Element) -> None:
        for name in ("content", "encryption"):
            root.remove(found(root, name))

    assert refused(signed_again(trace, adopt)) == "E-FORMAT"
    assert refused(signed_again(framed(parted(BODY)[0], b""), strip)) == "E-FORMAT"
    assert refused(signed_again(trace, setting("internalType", InternalType.DELIVERY))) == "E-FORMAT"


def listing(*, kind: InternalType | None = None, of: InternalType | None = None) -> Change:
    """Let the first acknowledgement say another kind, or none, and the message another internal type."""

    def change(root: etree._Element) -> None:
        said = next(root.iter("{*}acknowledgement"))
        if kind is None:
            said.remove(said[0])
        else:
            said[0].text = kind
        if of is not None:
            root[2].text = of

    return change


@pytest.mark.parametrize(
    "change",
    [
        listing(),
        listing(kind=InternalType.TRACED),
        listing(kind=InternalType.LIST),
        listing(kind=InternalType.RECEIVE, of=InternalType.RECEIVE),
        lambda root: [root.remove(each) for each in list(root.iter("{*}acknowledgement"))[1:]],
        lambda root: [root.remove(each) for each in list(root.iter("{*}acknowledgement"))],
    ],
)
def test_a_list_of_another_form_is_refused_whoever_signed_it(change: Change) -> None:
    assert refused(signed_again(LIST_BODY, change)) == "E-FORMAT"


def test_an_acknowledgement_alone_says_only_once_what_it_is() -> None:
    def repeat(root: etree._Element) -> None:
        said = found(root, "acknowledgement")
        said.insert(0, said.makeelement(f"{{{NAMESPACE}}}internalType"))
        said[0].text = InternalType.FAILURE

    assert refused(signed_again(ACK_BODY, repeat)) == "E-FORMAT"


def test_nothing_in_a_list_can_be_changed_taken_out_or_moved() -> None:
    def turn(root: etree._Element) -> None:
        first, second = list(root.iter("{*}acknowledgement"))[:2]
        second.addnext(first)

    for change in (listing(kind=InternalType.FAILURE), turn, lambda root: root.remove(root[-4])):
        assert refused(changed(LIST_BODY, change)) == "E-SIGNATURE"


def test_a_message_is_bound_to_the_time_it_was_made_at() -> None:
    late: Message = structs.replace(STANDARD, generated=NOON + 366 * DAY, expires=NOON + 367 * DAY)
    trace = structs.replace(TRACING, generated=late.generated, expires=late.expires)
    body = sealer(NORTH).seal(trace)

    assert refused(body) == "E-CERT-EXPIRED"
    backdated = changed(body, setting("generated", (NOON + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")))
    assert refused(backdated) == "E-SIGNATURE"


def test_the_id_of_the_signer_is_that_of_its_certificate() -> None:
    assert sealer(HUB).look(BODY).claim.signer == NORTH_ID
