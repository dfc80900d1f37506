"""Whether a tree obeys the content model of its version, by schemas of our own, and in words where it does not.

The schemas are templates (documents/schemas): one per family, its `$words` filled from the row of the version, the
types of codes made from codes.txt. Every document is judged as the official schema with code list V94 judges it.
"""

import re
import threading
from functools import cache
from importlib.resources import files
from itertools import islice
from string import Template
from typing import Final
from xml.sax.saxutils import quoteattr

import msgspec
from lxml import etree
from lxml.etree import _Element as Element

from documents import xml
from documents.errors import SchemaInvalid
from documents.versions import Version

AT_ONCE: Final = 64 * 2**10
"""Bytes up to which a document is parsed first and then judged as a whole, which is faster but not bounded."""
_XS: Final = "{http://www.w3.org/2001/XMLSchema}"
_SCHEMAS: Final = files("documents") / "schemas"
_QUOTED: Final = 300
_NAMESPACE: Final = re.compile(r"\{[^{}\s]*\}")
_SET: Final = re.compile(r" of the set \{.*", re.DOTALL)
_DATATYPE: Final = "Write the value in the form of its type: numbers as 12.5, dates as 2020-05-04, times as 08:00:00Z"
_MENDS: Final = {
    "SCHEMAV_ELEMENT_CONTENT": "Give the elements in the order of the schema, every mandatory one, and no others",
    "SCHEMAV_CVC_MAXLENGTH_VALID": "Shorten the value",
    "SCHEMAV_CVC_ENUMERATION_VALID": "Use a code of the code list",
    "SCHEMAV_CVC_PATTERN_VALID": "Write the value in the form that its type wants, e.g. instants in UTC with Z",
    "SCHEMAV_CVC_DATATYPE_VALID_1_2_1": _DATATYPE,
    "SCHEMAV_CVC_MININCLUSIVE_VALID": "Use a value in the range",
    "SCHEMAV_CVC_MAXINCLUSIVE_VALID": "Use a value in the range",
    "SCHEMAV_CVC_COMPLEX_TYPE_4": "Add the attribute",
    "SCHEMAV_CVC_COMPLEX_TYPE_3_2_1": "Leave the attribute out",
    "SCHEMAV_CVC_COMPLEX_TYPE_3_2_2": "Leave the attribute out",
    "SCHEMAV_CVC_COMPLEX_TYPE_2_3": "Leave the text between the elements out",
    "SCHEMAV_CVC_TYPE_3_1_1": "Leave the attributes out",
    "SCHEMAV_CVC_TYPE_3_1_2": "Leave the elements inside it out",
}
"""What would mend a finding, by its kind in libxml2."""

_local = threading.local()


def load(text: bytes, version: Version) -> Element:
    """Parse what `xml.safe_text` returned and judge it on the way, however long it is.

    Raises:
        Malformed: not well-formed.
        SchemaInvalid: the first finding, with its line and element, what was expected and what would mend it.
    """
    end = xml.parse_until_invalid(text, _schema(version))
    if not isinstance(end, int):
        return end
    check(xml.parse_beginning(text[:end]), version)
    raise SchemaInvalid(
        f"The document breaks the content model of {version.root} {version.number}",
        where=f"byte {end} or shortly before",
        mend="Correct it there",
    )


def check(root: Element, version: Version) -> None:
    """Judge the tree under `root`, which must not come from more than AT_ONCE bytes (see `load`).

    Raises:
        SchemaInvalid: the first finding.
    """
    schema = _schema(version)
    if not schema.validate(root):
        raise _in_words(schema.error_log[0], root)


def schema_text(version: Version) -> bytes:
    """Return the schema of a version, complete in one document, e.g. for other tools."""
    columns = msgspec.to_builtins(version)
    schema = _template(f"{version.family}.xsd", columns)
    for include in schema.findall(f"{_XS}include"):
        schema.remove(include)
        schema.extend(_template(str(include.get("schemaLocation")), columns))
    codes = {name for name in code_lists() if schema.find(f".//*[@type='{name}']") is not None}
    schema.extend(_code_type(name) for name in sorted(codes))
    return etree.tostring(schema, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def _schema(version: Version) -> etree.XMLSchema:
    """Return the compiled schema of this thread: one that threads share would let them wait for each other."""
    schemas: dict[str, etree.XMLSchema] = _local.__dict__.setdefault("schemas", {})
    if version.namespace not in schemas:
        schemas[version.namespace] = etree.XMLSchema(etree.fromstring(schema_text(version)))
    return schemas[version.namespace]


def _template(name: str, columns: dict[str, object]) -> Element:
    return etree.fromstring(Template((_SCHEMAS / name).read_text("utf-8")).substitute(columns).encode())


@cache
def code_lists() -> dict[str, tuple[str, ...]]:
    """Return the code lists of the documents: the name of our type, then its codes."""
    lines = (_SCHEMAS / "codes.txt").read_text("utf-8").replace("\n ", " ").splitlines()
    lists = (line.split() for line in lines if line and not line.startswith("#"))
    return {name: tuple(codes) for name, *codes in lists}


def _code_type(name: str) -> Element:
    values = "".join(f"<xs:enumeration value={quoteattr(code)}/>" for code in code_lists()[name])
    restriction = f'<xs:restriction base="xs:NMTOKEN">{values}</xs:restriction>'
    return etree.fromstring(
        f'<xs:simpleType xmlns:xs="http://www.w3.org/2001/XMLSchema" name="{name}">{restriction}</xs:simpleType>'
    )


def _in_words(finding: "etree._LogEntry", root: Element) -> SchemaInvalid:
    message = _SET.sub(" of its code list", _NAMESPACE.sub("", finding.message))
    return SchemaInvalid(
        message if len(message) <= _QUOTED else message[:_QUOTED] + "...",
        where=f"line {finding.line}, element {_path_in_words(finding.path, root)}",
        mend=_MENDS.get(finding.type_name, "Correct the element"),
    )


def _path_in_words(path: str | None, root: Element) -> str:
    """Turn the path of a finding into local names such as `TimeSeries[2]/mRID`, counted where there are several."""
    element = _element_at(path or "", root)
    steps = [_step(element), *(_step(above) for above in element.iterancestors())]
    return "/".join(reversed(steps[:-1] or steps))


def _element_at(path: str, root: Element) -> Element:
    """Walk a path of libxml2 such as `/*/*[8]/cim:mRID`. It is no XPath: its prefixes are those of the document."""
    element = root
    for step in path.split("/")[2:]:
        name, _, number = step.rstrip("]").partition("[")
        alike = (child for child in element if name in ("*", _written_name(child)))
        found = next(islice(alike, int(number or 1) - 1, None), None)
        if found is None:
            break
        element = found
    return element


def _written_name(element: Element) -> str:
    name = _local_name(element)
    return f"{element.prefix}:{name}" if element.prefix else name


def _step(element: Element) -> str:
    name = _local_name(element)
    before = sum(1 for other in element.itersiblings(preceding=True) if other.tag == element.tag)
    several = before or any(other.tag == element.tag for other in element.itersiblings())
    return f"{name}[{before + 1}]" if several else name


def _local_name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]
