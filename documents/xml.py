"""Safe bytes to an element tree: the only place where XML from outside is parsed (NF1, R29).

Refused, each with words: document type declarations and with them entities, encodings other than UTF-8 and UTF-16,
more bytes, elements, attributes or depth than any document of the platform needs. Nothing is ever fetched. Work and
memory are bounded before the parser starts. Comments and processing instructions say nothing and are left out of the
tree.
"""

import re
import threading
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from itertools import islice
from typing import Final, TypedDict

from lxml import etree
from lxml.etree import _Element as Element

from documents.errors import Malformed

MAX_BYTES: Final = 16 * 2**20
"""Largest document: two thousand resources with a day of quarter-hours each."""
MAX_TAGS: Final = 1_500_000
"""Most start and end tags, comments included. A document of MAX_BYTES that is full of short points stays just below."""
MAX_ATTRIBUTES: Final = 400_000
"""Most attributes and namespace declarations."""
FEW_ATTRIBUTES: Final = 10_000
"""So many may stand in one element without harm; of more, no element may have 64."""

CHUNK: Final = 4096
"""Bytes that are parsed at a time where a document is not parsed at once."""
_BY_SCHEMA: Final = "SCHEMASV"
_QUOTED: Final = 120
# No part of these can match a byte in two ways, so each byte is looked at once, whatever the input. (Atomic groups and
# possessive repeats would say it shorter, but Python before 3.11.5 matches some of them wrongly.)
_BEFORE_ROOT: Final = re.compile(rb"\s+|<\?.*?\?>|<!--.*?-->", re.DOTALL)
_LONG_TAG: Final = re.compile(rb"<[^<]{256,}")
"""No shorter one holds 64 attributes."""
_ASSIGNED: Final = re.compile(rb"=\s*[\"']")
_DECLARED: Final = re.compile(rb"<\?xml[^>]{0,200}?\sencoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_UTF8_NAMES: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_UTF16_NAMES: Final = frozenset({"utf-16", "utf16", "utf-16le", "utf-16be"})
_SEND_UTF8: Final = "Send the document as UTF-8"


class _Options(TypedDict):
    encoding: str
    resolve_entities: bool
    no_network: bool
    load_dtd: bool
    dtd_validation: bool
    attribute_defaults: bool
    huge_tree: bool
    remove_comments: bool
    remove_pis: bool


_SAFE: Final = _Options(
    encoding="utf-8",
    resolve_entities=False,
    no_network=True,
    load_dtd=False,
    dtd_validation=False,
    attribute_defaults=False,
    huge_tree=False,
    remove_comments=True,
    remove_pis=True,
)
_local = threading.local()


def parse(data: bytes, *, max_bytes: int = MAX_BYTES) -> Element:
    """Parse `data` into its root element.

    Raises:
        Malformed: not well-formed, or with one of the features that are refused; says where and what would mend it.
    """
    return parse_text(safe_text(data, max_bytes=max_bytes))


def safe_text(data: bytes, *, max_bytes: int = MAX_BYTES) -> bytes:
    """Return `data` as UTF-8 without byte order mark, free of what is refused before parsing.

    Raises:
        Malformed: too big, in another encoding, or with a document type declaration.
    """
    if len(data) > max_bytes:
        raise Malformed(
            f"The document has {len(data)} bytes, at most {max_bytes} are taken",
            mend="Send the series in several documents",
        )
    text = _as_utf8(data)
    _refuse_doctype(text)
    _refuse_floods(text)
    return text


def parse_text(text: bytes) -> Element:
    """Parse what `safe_text` returned.

    Raises:
        Malformed: not well-formed.
    """
    try:
        root = etree.fromstring(text, _parser())
    except etree.XMLSyntaxError as error:
        raise _not_well_formed(error.msg, error.lineno) from error
    # A second wall: should a declaration have passed the scan, its entities are still not expanded.
    if root.getroottree().docinfo.internalDTD is not None:
        raise _doctype_refused("the beginning")
    return root


def root_tag(text: bytes) -> str:
    """Return the tag of the root element, `{namespace}name`, reading no further than its start.

    Raises:
        Malformed: not well-formed up to there, or no element at all.
    """
    parser = etree.XMLPullParser(events=("start",), **_SAFE)
    try:
        for start in range(0, len(text), CHUNK):
            parser.feed(text[start : start + CHUNK])
            for _, element in parser.read_events():
                return str(element.tag)
        parser.close()
    except etree.XMLSyntaxError as error:
        raise _not_well_formed(error.msg, error.lineno) from error
    raise AssertionError("a document that parses to its end has a root element")


def parse_until_invalid(text: bytes, schema: etree.XMLSchema) -> Element | int:
    """Parse and validate in one pass; return the root element, or the offset of the chunk after the first finding.

    A document that is judged as a whole costs, with many findings, the square of its length: libxml2 counts the
    siblings before each. Here nothing is looked at after the chunk with the first one.

    Raises:
        Malformed: not well-formed before the first finding.
    """
    parser = etree.XMLParser(schema=schema, **_SAFE)
    try:
        for start in range(0, len(text), CHUNK):
            parser.feed(text[start : start + CHUNK])
            findings = parser.feed_error_log.filter_from_errors()
            if findings and findings[0].domain_name != _BY_SCHEMA:
                raise _not_well_formed(findings[0].message, findings[0].line)
            if findings:
                return min(start + CHUNK, len(text))
        return parser.close()
    except etree.XMLSyntaxError as error:
        if error.error_log.filter_from_errors()[0].domain_name == _BY_SCHEMA:
            return len(text)
        raise _not_well_formed(error.msg, error.lineno) from error


def parse_beginning(text: bytes) -> Element:
    """Parse a document that was cut off, closing what is open; only to tell where in it a finding is."""
    return etree.fromstring(text, etree.XMLParser(recover=True, **_SAFE))


def _parser() -> etree.XMLParser:
    """Return the parser of this thread; parsing releases the interpreter lock only with a parser of one's own."""
    parser: etree.XMLParser | None = getattr(_local, "parser", None)
    if parser is None:
        parser = _local.parser = etree.XMLParser(**_SAFE)
    return parser


def _not_well_formed(message: str | None, line: int | None) -> Malformed:
    return Malformed(
        f"This is no well-formed XML: {_shortened(message or 'nothing found')}",
        where=f"line {line}" if line else "",
        mend="Let an XML library write the document",
    )


def _as_utf8(data: bytes) -> bytes:
    """Bring every accepted encoding to UTF-8 without a byte order mark.

    Raises:
        Malformed: another encoding, or one that differs from what the document declares.
    """
    if data.startswith((BOM_UTF32_LE, BOM_UTF32_BE)):
        raise Malformed("The document is written as UTF-32", mend=_SEND_UTF8)
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        try:
            text = data.decode("utf-16").encode()
        except UnicodeError as error:
            raise Malformed("The document starts as UTF-16 but is none", mend=_SEND_UTF8) from error
        return _declared_as(text, _UTF16_NAMES, "UTF-16")
    if b"\0" in data:
        raise Malformed(
            "The document holds a zero byte; it is damaged, or UTF-16 without a byte order mark",
            where=f"byte {data.index(0)}",
            mend=_SEND_UTF8,
        )
    return _declared_as(data.removeprefix(BOM_UTF8), _UTF8_NAMES, "UTF-8")


def _declared_as(text: bytes, names: frozenset[str], written: str) -> bytes:
    declared = _DECLARED.match(text)
    if declared and declared[1].decode().lower() not in names:
        found = f"The document declares the encoding {declared[1].decode()}; this one was read as {written}"
        raise Malformed(found, where="line 1", mend=f"{_SEND_UTF8}, and declare it so or not at all")
    return text


def _refuse_doctype(text: bytes) -> None:
    root = 0
    while before := _BEFORE_ROOT.match(text, root):
        root = before.end()
    if text.startswith(b"<!DOCTYPE", root):
        raise _doctype_refused(_line(text, root))


def _doctype_refused(where: str) -> Malformed:
    return Malformed(
        "The document has a document type declaration; these are refused, and entities with them",
        where=where,
        mend="Leave <!DOCTYPE ...> out",
    )


def _refuse_floods(text: bytes) -> None:
    """Bound the size of the tree before it is built. Marks inside text count too; no real document comes near."""
    tags, equals = text.count(b"<"), text.count(b"=")
    if tags > MAX_TAGS:
        raise Malformed(f"The document has more than {MAX_TAGS} tags", mend="Send the series in several documents")
    if equals > MAX_ATTRIBUTES:
        raise Malformed(
            f"The document has more than {MAX_ATTRIBUTES} attributes", mend="Send the series in several documents"
        )
    if equals > FEW_ATTRIBUTES and (tag := next(filter(_is_crowded, _LONG_TAG.finditer(text)), None)):
        raise Malformed(
            "An element has more than 63 attributes",
            where=_line(text, tag.start()),
            mend="Leave out what the schema does not know",
        )


def _is_crowded(tag: re.Match[bytes]) -> bool:
    return next(islice(_ASSIGNED.finditer(tag[0]), 63, None), None) is not None


def _line(text: bytes, offset: int) -> str:
    newline = b"\n"
    return f"line {1 + text.count(newline, 0, offset)}"


def _shortened(message: str) -> str:
    return message if len(message) <= _QUOTED else message[:_QUOTED] + "..."
