"""Messages to bytes and back, and everything hostile bytes can try."""

import re
import tracemalloc
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from hub.mades.codec import (
    PREAMBLE,
    Limits,
    decode,
    digest_of,
    encode,
    open_envelope,
)
from hub.mades.errors import CATALOGUE, MadesError
from hub.mades.manifest import MAX_MANIFEST_BYTES, NAMESPACE
from hub.mades.message import BusinessType, InternalType, Message

NOON = datetime(2026, 1, 15, 12, 0, 0, 123_000, tzinfo=UTC)
MESSAGE = Message(
    message_id="0123456789abcdef0123456789abcdef",
    internal_type=InternalType.STANDARD,
    sender="A01:45X-NORTH",
    receiver="A01:45X-HUB",
    business_type=BusinessType.POINTS,
    ba_message_id="doc-1",
    generated=NOON,
    expires=NOON + timedelta(hours=24),
    content=b"<Ref_MarketDocument/>" * 100,
)

CODES = st.from_regex(re.compile(r"[A-Za-z0-9@:-]{1,64}", re.ASCII), fullmatch=True)
INSTANTS = st.datetimes(min_value=datetime.min.replace(year=2000), timezones=st.just(UTC)).map(  # noqa: DTZ901 - hypothesis adds the zone
    lambda instant: instant.replace(microsecond=instant.microsecond // 1000 * 1000)
)
MESSAGES = st.builds(
    Message,
    message_id=CODES.map(lambda code: code.replace("@", "-")),
    internal_type=st.sampled_from(InternalType),
    sender=CODES,
    receiver=CODES,
    business_type=st.sampled_from(BusinessType),
    ba_message_id=st.from_regex(re.compile(r"[A-Za-z0-9-]{0,60}", re.ASCII), fullmatch=True),
    generated=INSTANTS,
    expires=INSTANTS,
    content=st.binary(max_size=2000),
)
ACKNOWLEDGEMENTS = st.builds(
    lambda message, event_time, reason: structs.replace(
        message, content=b"", related="m-1", related_digest=digest_of(b""), event_time=event_time, reason=reason
    ),
    MESSAGES,
    INSTANTS,
    st.none() | st.sampled_from(sorted(CATALOGUE)),
)


def edited(pattern: str, replacement: str, message: Message = MESSAGE) -> bytes:
    """The message with its manifest changed by hand, lengths kept right."""
    body = encode(message)
    head = len(PREAMBLE) + 4
    length = int.from_bytes(body[len(PREAMBLE) : head], "big")
    manifest, changes = re.subn(pattern.encode(), replacement.encode(), body[head : head + length])
    assert changes == 1
    return PREAMBLE + len(manifest).to_bytes(4, "big") + manifest + body[head + length :]


def code_of(body: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(MadesError) as raised:
        decode(body, limits=limits or Limits())
    return raised.value.code


@given(message=MESSAGES | ACKNOWLEDGEMENTS)
def test_every_message_comes_back_as_it_was(message: Message) -> None:
    assert decode(encode(message)) == message


def test_the_same_message_gives_the_same_bytes_so_that_a_retry_is_a_repeat() -> None:
    assert encode(MESSAGE) == encode(structs.replace(MESSAGE))


def test_a_document_is_deflated_when_that_pays_and_else_left_alone() -> None:
    noise = bytes(zlib.crc32(bytes([n])) & 0xFF for n in range(256))

    assert len(encode(MESSAGE)) < len(MESSAGE.content)
    assert encode(structs.replace(MESSAGE, content=noise)).endswith(noise)


def test_the_manifest_can_be_read_without_the_payload() -> None:
    envelope = open_envelope(encode(MESSAGE)[:-5])

    assert envelope.message == structs.replace(MESSAGE, content=b"")
    assert envelope.digest == digest_of(MESSAGE.content)


@given(body=st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: PREAMBLE + tail))
def test_arbitrary_bytes_are_refused_with_a_code(body: bytes) -> None:
    assert code_of(body) in {"E-FORMAT", "E-TOO-LARGE"}


@given(place=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_changed_byte_is_never_taken_for_the_same_content(place: int, flip: int) -> None:
    body = bytearray(encode(MESSAGE))
    body[place % len(body)] ^= flip
    try:
        message = decode(bytes(body))
    except MadesError:
        return
    assert message.content == MESSAGE.content


@pytest.mark.parametrize(
    ("pattern", "replacement", "code"),
    [
        ("<madesVersion>2<", "<madesVersion>4<", "E-VERSION"),
        ("<madesVersion>2<", "<madesVersion>two<", "E-FORMAT"),
        ("STANDARD_MESSAGE", "OTHER_MESSAGE", "E-FORMAT"),
        ("<senderCode>.*</senderCode>", "", "E-FORMAT"),
        ("<senderCode>", "<senderCode>A</senderCode><senderCode>", "E-FORMAT"),
        ("A01:45X-NORTH", "A01 45X.NORTH", "E-FORMAT"),
        ("A01:45X-NORTH", "A01:45X<b/>NORTH", "E-FORMAT"),
        ("TPS-POINTS", "TPS POINTS", "E-FORMAT"),
        ("2026-01-15T12:00:00.123Z", "2026-13-15T12:00:00Z", "E-FORMAT"),
        ("2026-01-15T12:00:00.123Z", "2026-01-15T12:00:00+01:00", "E-FORMAT"),
        (NAMESPACE, "urn:other", "E-FORMAT"),
        ("<plainLength>2100<", "<plainLength>2099<", "E-DECOMPRESS"),
        ("<plainLength>2100<", "<plainLength>2101<", "E-DECOMPRESS"),
        ("<plainLength>2100<", "<plainLength>99999999<", "E-TOO-LARGE"),
        ("<compression>deflate<", "<compression>none<", "E-DECOMPRESS"),
        ("<compression>deflate<", "<compression>brotli<", "E-FORMAT"),
        (r"<plainDigest>\w+<", f"<plainDigest>{'0' * 64}<", "E-DIGEST"),
        ("<manifest ", '<!DOCTYPE manifest [<!ENTITY x "y">]><manifest ', "E-FORMAT"),
    ],
)
def test_a_manifest_changed_by_hand_gives_its_code(pattern: str, replacement: str, code: str) -> None:
    assert code_of(edited(pattern, replacement)) == code


@pytest.mark.parametrize("version", [1, 3])
def test_neighbouring_versions_are_read(version: int) -> None:
    assert decode(edited("<madesVersion>2<", f"<madesVersion>{version}<")) == MESSAGE


def test_entities_are_not_resolved() -> None:
    doctype = '<!DOCTYPE manifest [<!ENTITY x SYSTEM "file:///etc/hostname">]><manifest '
    body = edited("<manifest ", doctype).replace(b"doc-1", b"&x;  ")

    assert code_of(body) == "E-FORMAT"


def test_a_deflate_bomb_costs_no_more_memory_than_the_limit() -> None:
    small, bomb = structs.replace(MESSAGE, content=bytes(1000)), zlib.compress(bytes(64_000_000), 9)
    body = encode(small)[: -len(zlib.compress(bytes(1000), 6))] + bomb
    tracemalloc.start()

    assert code_of(body) == "E-DECOMPRESS"

    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()


def test_sizes_are_bounded_both_ways() -> None:
    limits = Limits(max_content_bytes=1000)
    with pytest.raises(MadesError, match="E-TOO-LARGE"):
        encode(MESSAGE, limits=limits)

    assert code_of(encode(MESSAGE), limits) == "E-TOO-LARGE"
    assert code_of(PREAMBLE + (MAX_MANIFEST_BYTES + 1).to_bytes(4, "big")) == "E-TOO-LARGE"


@pytest.mark.parametrize("field", ["message_id", "sender", "receiver", "business_type", "ba_message_id"])
def test_a_field_outside_its_pattern_is_not_sent(field: str) -> None:
    with pytest.raises(MadesError, match="E-VALIDATION"):
        encode(structs.replace(MESSAGE, **{field: "a b.c/<"}))


def test_a_fault_of_the_content_still_says_which_message_it_was() -> None:
    with pytest.raises(MadesError) as raised:
        decode(encode(MESSAGE)[:-1])

    assert raised.value.message is not None
    assert raised.value.message.message_id == MESSAGE.message_id


def test_every_code_of_the_catalogue_is_documented_with_its_case(root: Path) -> None:
    text = (root / "docs" / "mades.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(E-[A-Z-]+)` \| (.+?) \|", text, re.MULTILINE))

    assert {code: entry.when for code, entry in CATALOGUE.items()} == rows
