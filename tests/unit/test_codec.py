"""The frame of messages, their compression and their limits, and the catalogue of what can go wrong."""

import re
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.mades.codec import PREAMBLE, Limits, deflated, framed, inflated, parted
from hub.mades.errors import CATALOGUE, MadesError
from hub.mades.manifest import MAX_MANIFEST_BYTES

DOCUMENT = b"<Ref_MarketDocument/>" * 100


def code_of(body: bytes) -> str:
    with pytest.raises(MadesError) as raised:
        parted(body)
    return raised.value.code


@given(manifest=st.binary(max_size=500), payload=st.binary(max_size=500))
def test_manifest_and_payload_come_back_as_they_were(manifest: bytes, payload: bytes) -> None:
    assert parted(framed(manifest, payload)) == (manifest, payload)


@given(body=st.binary(max_size=7) | st.binary(min_size=1, max_size=300).map(lambda tail: b"X" + tail))
def test_bytes_without_the_preamble_are_no_message(body: bytes) -> None:
    assert code_of(body) == "E-FORMAT"


@pytest.mark.parametrize("length", [len(PREAMBLE), len(PREAMBLE) + 3, len(PREAMBLE) + 4, len(PREAMBLE) + 13])
def test_a_frame_cut_short_is_refused(length: int) -> None:
    assert code_of(framed(b"ten bytes.", b"")[:length]) == "E-FORMAT"


def test_a_manifest_may_be_as_long_as_the_limit_and_no_longer() -> None:
    largest = bytes(MAX_MANIFEST_BYTES)

    assert parted(framed(largest, b"x")) == (largest, b"x")
    assert code_of(framed(largest + b"x", b"")) == "E-TOO-LARGE"


@given(content=st.binary(max_size=2000))
def test_what_is_deflated_inflates_and_saves_at_least_a_twentieth(content: bytes) -> None:
    smaller = deflated(content)

    if smaller is not None:
        assert inflated(smaller, len(content)) == content
        assert len(smaller) < len(content) * 0.95


def test_a_document_is_deflated_and_noise_is_left_alone() -> None:
    noise = bytes(zlib.crc32(bytes([n])) & 0xFF for n in range(256))

    assert deflated(DOCUMENT) is not None
    assert deflated(noise) is None


def test_inflating_stops_at_the_bound() -> None:
    stream = zlib.compress(DOCUMENT)

    assert inflated(stream, len(DOCUMENT)) == DOCUMENT
    assert inflated(stream, len(DOCUMENT) - 1) is None


@pytest.mark.parametrize("stream", [b"", b"no stream", zlib.compress(DOCUMENT)[:-1], zlib.compress(DOCUMENT) + b"x"])
def test_what_is_not_exactly_one_stream_is_not_inflated(stream: bytes) -> None:
    assert inflated(stream, 10_000) is None


def test_a_deflate_bomb_costs_no_more_memory_than_the_limit() -> None:
    bomb = zlib.compress(bytes(64_000_000), 9)
    tracemalloc.start()

    assert inflated(bomb, 1000) is None

    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()


def test_a_content_may_be_as_long_as_the_limit_and_no_longer() -> None:
    limits = Limits(max_content_bytes=1000)
    limits.check(1000)

    with pytest.raises(MadesError, match="E-TOO-LARGE: The content has 1001 bytes, 1000 are allowed"):
        limits.check(1001)


def test_every_code_of_the_catalogue_is_documented_with_its_case_and_effect(root: Path) -> None:
    text = (root / "docs" / "mades.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(E-[A-Z-]+)` \| (.+?) \| (.+?) \|$", text, re.MULTILINE)

    assert {(code, entry.when, entry.effect.value) for code, entry in CATALOGUE.items()} == set(rows)
