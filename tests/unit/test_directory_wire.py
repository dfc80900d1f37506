"""The content of a directory as bytes: the shape of the sample, there and back, and what hostile bytes can try."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from hub.clock import ORIGIN
from hub.directory import commands as c
from hub.directory import wire
from hub.directory.values import Content, MessagePath, Party
from hub.mades.errors import MadesError
from tests.directory_world import ALPHA, BROKER, DIRECTORY, HUB, NORTH, World, configured, over_broker


def content(*paths: MessagePath) -> Content:
    """What a hub holds of a small platform."""
    world = World()
    world.platform()
    world.admit(NORTH, Party.DSO, configured(*paths))
    world.admit(ALPHA, Party.AGR)
    world.do(c.RevokeComponent(code=ALPHA, why="x", by="y"))
    return Content(
        directory=DIRECTORY, content_id=len(world.feed(HUB)), ttl_ms=86_400_000, records=tuple(world.copy(HUB).values())
    )


def fault(body: bytes) -> str:
    with pytest.raises(MadesError) as caught:
        wire.parse(body)
    assert caught.value.code == "E-FORMAT"
    return caught.value.detail


def test_what_is_written_is_read_back() -> None:
    written = content(over_broker("TPS-*", HUB, end=ORIGIN + timedelta(days=1)), over_broker())
    read = wire.parse(wire.render(written))

    assert {record.code: record for record in read.records} == {record.code: record for record in written.records}
    assert (read.directory, read.content_id, read.ttl_ms) == (DIRECTORY, written.content_id, 86_400_000)
    assert [record.code for record in read.records] == [BROKER, HUB, NORTH, DIRECTORY]


def test_equal_contents_are_equal_bytes_whatever_their_order() -> None:
    one = content()
    turned = Content(
        directory=one.directory, content_id=one.content_id, ttl_ms=one.ttl_ms, records=tuple(reversed(one.records))
    )

    assert wire.render(one) == wire.render(turned)


def test_the_signature_covers_for_whom_the_content_was_made() -> None:
    assert wire.signed_bytes(NORTH, b"x") != wire.signed_bytes(ALPHA, b"x")


def test_our_elements_are_those_of_the_sample_in_its_order(shared: Path) -> None:
    sample = etree.parse(shared / "standards" / "mades" / "component-directory.sample.xml").getroot()
    ours = etree.fromstring(wire.render(content(over_broker("*", HUB, end=ORIGIN + timedelta(days=1)))))

    assert ours.tag == sample.tag
    assert tags(ours, "metadata") == tags(sample, "metadata")
    for element in ("broker", "endpoint"):
        assert tags(ours, f"componentList/{element}") == tags(sample, f"componentList/{element}")


def tags(root: etree._Element, path: str) -> list[str]:
    """The ways to every element and attribute below, in their order; each once."""
    return list(dict.fromkeys(way for top in root.findall(path) for way in ways(top, "")))


def ways(element: etree._Element, above: str) -> Iterator[str]:
    for child in element:
        way = f"{above}/{child.tag!s}"
        yield from (way, *(f"{way}@{name}" for name in child.attrib), *ways(child, way))


def test_the_sample_itself_lacks_only_what_we_add(shared: Path) -> None:
    sample = (shared / "standards" / "mades" / "component-directory.sample.xml").read_bytes()

    assert fault(sample).startswith("party is ''; expected one of HUB")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b"<ns2:components", b"<!DOCTYPE x [<!ENTITY e 'x'>]><ns2:components", "document type declaration"),
        (b'componentDirectory" xmlns:tps', b'somethingElse" xmlns:tps', "is no `components`"),
        (b"<contentID>", b"<contentID>-", "contentID is '-"),
        (b"<ttl>86400000</ttl>", b"", "ttl stands 0 times"),
        (b"<ttl>", b"<ttl>1</ttl><ttl>", "ttl stands 2 times"),
        (b'tps:party="DSO"', b'tps:party="KING"', "party is 'KING'"),
        (b'tps:party="DSO"', b'tps:party="BROKER"', "A BROKER stands as endpoint"),
        (b"<type>SIGNING</type>", b"<type>BAKING</type>", "type is 'BAKING'"),
        (b"<certificate>U0lH", b"<certificate>!!!!", "no base64"),
        (b"INDIRECT:", b"AROUND:", "path is 'AROUND:"),
        (b"<validFrom>2026-01-15T", b"<validFrom>2026-13-15T", "is no instant"),
        (b"<validFrom>2026-01-15T", b"<validFrom>yesterday ", "validFrom is 'yesterday"),
        (b'madesVersion="2"', b'madesVersion="two"', "madesVersion is 'two'"),
        (b"</ns2:components>", b"", "cannot be read"),
    ],
)
def test_content_that_cannot_be_read_says_where(old: bytes, new: bytes, says: str) -> None:
    body = wire.render(content())
    assert old in body

    assert says in fault(body.replace(old, new))


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail_otherwise(body: bytes) -> None:
    fault(body)
