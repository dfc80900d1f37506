"""Sealed messages: what comes back, whose certificates are used, and what is told when there is none."""

from collections.abc import Collection
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from hub.mades.codec import Limits, digest_of, parted
from hub.mades.errors import CATALOGUE, MadesError
from hub.mades.keyring import Keys, StaticCertificates
from hub.mades.manifest import Compression, Scheme, manifest_digest
from hub.mades.message import LIST_MAX, LISTED, Acknowledgement, InternalType, Message
from hub.mades.pki import certificate_id
from hub.mades.seal import NOTHING, Sealer
from tests.sealed_world import (
    ACKNOWLEDGEMENT,
    ALPHA,
    BRAVO,
    DAY,
    HUB,
    LIST,
    NOON,
    NORTH,
    SAID,
    STANDARD,
    TRACING,
    code_of,
    holder,
    holders,
    listed,
    opened,
    sealer,
)


def said(kinds: Collection[InternalType]) -> st.SearchStrategy[Acknowledgement]:
    return st.builds(
        lambda kind, related, digest, reason: structs.replace(
            SAID, kind=kind, related=related, plain_digest=digest, reason=reason
        ),
        st.sampled_from(sorted(kinds)),
        st.sampled_from(["m-7", "x" * 64]),
        st.none() | st.just(NOTHING),
        st.none() | st.sampled_from(sorted(CATALOGUE)),
    )


ACKNOWLEDGEMENTS = st.builds(
    lambda said: structs.replace(ACKNOWLEDGEMENT, internal_type=said.kind, acknowledgements=(said,)),
    said([*LISTED, InternalType.TRACED]),
)
LISTS = st.builds(
    lambda listed: structs.replace(LIST, acknowledgements=tuple(listed)),
    st.lists(said(LISTED), min_size=2, max_size=LIST_MAX),
)
MESSAGES = st.builds(lambda content: structs.replace(STANDARD, content=content), st.binary(max_size=2000))


def why_not_sealed(message: Message, by: Sealer) -> str:
    with pytest.raises(MadesError) as raised:
        by.seal(message)
    return raised.value.code


@given(message=MESSAGES | ACKNOWLEDGEMENTS | LISTS | st.just(TRACING))
def test_every_message_comes_back_as_it_was(message: Message) -> None:
    assert opened(sealer(NORTH).seal(message), sealer(HUB)) == message


@pytest.mark.parametrize("sender", [NORTH, BRAVO])
@pytest.mark.parametrize("receiver", [HUB, BRAVO])
def test_components_on_rsa_and_on_p256_understand_each_other(sender: str, receiver: str) -> None:
    message = structs.replace(STANDARD, sender=sender, receiver=receiver)

    envelope = sealer(receiver).look(sealer(sender).seal(message))

    assert opened(sealer(sender).seal(message), sealer(receiver)) == message
    assert envelope.claim.encryption is not None
    assert envelope.claim.encryption.scheme is (Scheme.RSA_OAEP if receiver == BRAVO else Scheme.ECDH_ES)


def test_the_content_is_nowhere_to_be_read_and_the_road_learns_only_its_digest() -> None:
    secret = b"what only the receiver may read"
    body = sealer(NORTH).seal(structs.replace(STANDARD, content=secret))

    assert secret not in body
    assert sealer(HUB).look(body).digest == digest_of(secret)


def test_nobody_but_the_receiver_can_open_it() -> None:
    body = sealer(NORTH).seal(STANDARD)

    assert code_of(body, sealer(ALPHA)) == "E-DECRYPT"
    assert code_of(body, sealer(NORTH)) == "E-DECRYPT"


def test_a_look_costs_no_key_and_already_tells_who_what_and_which() -> None:
    body = sealer(NORTH).seal(STANDARD)

    envelope = sealer(HUB).look(body)

    assert envelope.message == structs.replace(STANDARD, content=b"")
    assert envelope.manifest_digest == manifest_digest(parted(body)[0])
    assert envelope.digest == digest_of(STANDARD.content)


def test_two_seals_of_a_message_differ_and_share_the_digest_of_the_content() -> None:
    one, other = (sealer(HUB).look(sealer(NORTH).seal(STANDARD)) for _ in range(2))

    assert one.manifest_digest != other.manifest_digest
    assert one.payload != other.payload
    assert one.digest == other.digest


@pytest.mark.parametrize("message", [ACKNOWLEDGEMENT, LIST, TRACING], ids=["acknowledgement", "list", "tracing"])
def test_acknowledgements_and_traces_are_signed_only(message: Message) -> None:
    envelope = sealer(HUB).look(sealer(NORTH).seal(message))

    assert (envelope.payload, envelope.claim.content, envelope.claim.encryption) == (b"", None, None)
    assert envelope.digest == NOTHING


def test_a_document_is_deflated_before_it_is_encrypted_when_that_pays() -> None:
    dense = bytes(range(256))
    bodies = [sealer(NORTH).seal(structs.replace(STANDARD, content=content)) for content in (bytes(5000), dense)]
    contents = [sealer(HUB).look(body).claim.content for body in bodies]

    assert [content.compression for content in contents if content] == [Compression.DEFLATE, Compression.NONE]
    assert len(parted(bodies[0])[1]) < 100


def test_an_acknowledgement_needs_what_it_acknowledges() -> None:
    vague = structs.replace(SAID, manifest_digest=None)

    for message, acknowledgements in (
        (ACKNOWLEDGEMENT, ()),
        (ACKNOWLEDGEMENT, (vague,)),
        (ACKNOWLEDGEMENT, (SAID, SAID)),
        (ACKNOWLEDGEMENT, (structs.replace(SAID, kind=InternalType.RECEIVE),)),
        (STANDARD, (SAID,)),
        (TRACING, (SAID,)),
        (LIST, (SAID,)),
        (LIST, (SAID,) * (LIST_MAX + 1)),
        (LIST, (SAID, structs.replace(SAID, kind=InternalType.TRACED))),
    ):
        wrong = structs.replace(message, acknowledgements=acknowledgements)
        assert why_not_sealed(wrong, sealer(NORTH)) == "E-VALIDATION"


def test_the_longest_list_of_acknowledgements_fits_a_manifest() -> None:
    longest = structs.replace(SAID, related="x" * 64, reason="!" * 200)
    message = structs.replace(LIST, acknowledgements=(longest,) * LIST_MAX)

    assert opened(sealer(NORTH).seal(message), sealer(HUB)) == message


@pytest.mark.parametrize("field", ["message_id", "receiver", "business_type", "ba_message_id", "sender_application"])
@pytest.mark.parametrize("value", ["a b.c/<", "\x00", "x" * 201])
def test_a_field_outside_its_pattern_is_not_sent(field: str, value: str) -> None:
    message = structs.replace(TRACING, **{field: value})

    assert why_not_sealed(message, sealer(NORTH)) == "E-VALIDATION"


def test_nobody_seals_in_the_name_of_another() -> None:
    assert why_not_sealed(structs.replace(STANDARD, sender=ALPHA), sealer(NORTH)) == "E-VALIDATION"


def test_only_documents_have_content() -> None:
    assert why_not_sealed(structs.replace(TRACING, content=b"x"), sealer(NORTH)) == "E-VALIDATION"


@pytest.mark.parametrize(("size", "code"), [(1000, ""), (1001, "E-TOO-LARGE")])
@pytest.mark.parametrize("compressible", [True, False])
def test_the_limit_holds_to_the_byte_on_both_sides(size: int, code: str, *, compressible: bool) -> None:
    step = 0 if compressible else 7919
    message = structs.replace(STANDARD, content=bytes((n * n * step >> 7) & 0xFF for n in range(size)))
    limits = Limits(max_content_bytes=1000)

    assert code_of(sealer(NORTH).seal(message), sealer(HUB, limits=limits)) == code
    if code:
        assert why_not_sealed(message, sealer(NORTH, limits=limits)) == code


def test_the_oldest_certificate_that_still_holds_is_preferred_and_both_open_during_a_renewal() -> None:
    old, new = holders()[HUB], holder(HUB, now=NOON + 340 * DAY)
    directory = StaticCertificates([*listed(), new.encryption])
    keys = Keys(old.keys.signing, old.signing, {**old.keys.decryption, **new.keys.decryption})
    hub, north = Sealer(HUB, keys, directory), sealer(NORTH, directory=directory)
    used = []

    for days in (350, 364):
        at = NOON + days * DAY
        body = north.seal(structs.replace(STANDARD, generated=at, expires=at + DAY))
        assert opened(body, hub).content == STANDARD.content
        encryption = hub.look(body).claim.encryption
        used.append(encryption and encryption.certificate_id)

    assert used == [certificate_id(old.encryption)] * 2
    late = directory.encryption(HUB, NOON + 366 * DAY)
    assert late == new.encryption


def test_the_receiver_without_a_certificate_is_named_by_a_code() -> None:
    north, hub = holders()[NORTH], holders()[HUB]
    cases = {
        "E-UNKNOWN-RECEIVER": StaticCertificates([north.signing]),
        "E-NO-CERT": StaticCertificates([hub.signing]),
        "E-REVOKED": StaticCertificates(listed(), revoked=[hub.encryption]),
        "E-DIRECTORY-STALE": StaticCertificates(listed(), stale="The copy is 29 days old."),
    }

    assert {code: why_not_sealed(STANDARD, sealer(NORTH, directory=each)) for code, each in cases.items()} == {
        code: code for code in cases
    }


@pytest.mark.parametrize(
    ("offset", "code"),
    [
        (timedelta(seconds=-301), "E-CERT-EXPIRED"),
        (timedelta(seconds=-299), ""),
        (364 * DAY, ""),
        (365 * DAY + timedelta(seconds=1), "E-CERT-EXPIRED"),
    ],
)
def test_the_sender_must_have_had_a_valid_certificate_when_it_made_the_message(offset: timedelta, code: str) -> None:
    # A trace needs no certificate of the receiver, so only the sender's is asked for.
    made = NOON + offset
    body = sealer(NORTH).seal(structs.replace(TRACING, generated=made, expires=made + DAY))

    assert code_of(body, sealer(HUB)) == code


def test_a_certificate_that_has_ended_since_is_still_good_for_what_it_signed() -> None:
    then = NOON - 3000 * DAY
    old = holder(NORTH, now=then)
    directory = StaticCertificates([*listed(), old.signing])
    trace = structs.replace(TRACING, generated=then, expires=then + DAY)

    assert opened(Sealer(NORTH, old.keys, directory).seal(trace), sealer(HUB, directory=directory)) == trace


def test_a_revoked_or_unknown_sender_and_a_stale_copy_are_told_apart() -> None:
    body, north = sealer(NORTH).seal(STANDARD), holders()[NORTH]
    cases = {
        "E-UNKNOWN-RECEIVER": StaticCertificates([holders()[HUB].signing]),
        "E-NO-CERT": StaticCertificates([north.encryption]),
        "E-REVOKED": StaticCertificates(listed(), revoked=[north.signing]),
        "E-DIRECTORY-STALE": StaticCertificates(listed(), stale="The copy is 29 days old."),
    }

    assert {code: code_of(body, sealer(HUB, directory=each)) for code, each in cases.items()} == {
        code: code for code in cases
    }


def test_a_fault_after_the_manifest_still_says_which_message_it_was() -> None:
    body = sealer(NORTH).seal(STANDARD)
    hub = sealer(HUB)

    with pytest.raises(MadesError) as raised:
        opened(body[:-1], hub)

    assert raised.value.message == structs.replace(STANDARD, content=b"")
