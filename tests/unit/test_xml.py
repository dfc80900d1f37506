"""Safe bytes to a tree: what is taken is taken whole; see test_hostile_xml.py for what is refused."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from documents import xml
from documents.errors import Malformed


def test_the_root_comes_with_its_namespace_and_children() -> None:
    root = xml.parse(b'<a xmlns="urn:a"><b>1</b><b/></a>')

    assert root.tag == "{urn:a}a"
    assert [(child.tag, child.text) for child in root] == [("{urn:a}b", "1"), ("{urn:a}b", None)]


def test_lines_are_those_of_the_document() -> None:
    root = xml.parse("<?xml version='1.0'?>\n<!-- x\n -->\n<a>\n<b/></a>".encode("utf-16"))

    assert (root.sourceline, root[0].sourceline) == (4, 5)


def test_text_around_comments_is_one_text() -> None:
    assert xml.parse(b"<a>1<!-- 2 -->3<?x y?>4<![CDATA[<5>]]></a>").text == "134<5>"


def test_a_tag_that_does_not_match_is_told_with_its_line() -> None:
    with pytest.raises(Malformed, match="tag mismatch") as refused:
        xml.parse(b"<a>\n<b>\n</a>")

    assert refused.value.where == "line 3"
    assert refused.value.mend == "Let an XML library write the document"


def test_what_is_quoted_of_a_document_is_short() -> None:
    with pytest.raises(Malformed) as refused:
        xml.parse(b"<" + b"a" * 10_000 + b"></b>")

    assert len(str(refused.value)) < 300


def test_the_size_bound_can_be_set() -> None:
    assert xml.parse(b"<aaa/>", max_bytes=6).tag == "aaa"
    with pytest.raises(Malformed, match="has 7 bytes, at most 6 are taken"):
        xml.parse(b"<aaaa/>", max_bytes=6)


@pytest.mark.parametrize("before", ["", "<!-- a -->" * 2_000, "\n" * 10_000, "<?a b?>"])
def test_the_root_is_told_from_the_beginning_alone(before: str) -> None:
    text = f"{before}<a:b xmlns:a='urn:a'>".encode()

    assert xml.root_tag(text + b"<unfinished") == "{urn:a}b"


@pytest.mark.parametrize("text", [b"", b"text", b"<", b"<!-- a -->"])
def test_without_an_element_there_is_no_root(text: bytes) -> None:
    with pytest.raises(Malformed, match="no well-formed XML"):
        xml.root_tag(text)


def test_threads_do_not_share_a_parser_and_may_parse_at_once() -> None:
    contents = [f"<a>{number}</a>".encode() * 1 for number in range(200)]

    with ThreadPoolExecutor(4) as threads:
        texts = [root.text for root in threads.map(xml.parse, contents)]

    assert texts == [str(number) for number in range(200)]
