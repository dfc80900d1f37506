"""The official schemas of the reference material: compiled with any code list, and walked to make full instances."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from lxml import etree
from lxml.etree import _Element as Element

from documents.versions import Version

XS = "{http://www.w3.org/2001/XMLSchema}"
CODES = "urn-entsoe-eu-wgedi-codelists.xsd"
LOCAL = "urn-entsoe-eu-local-extension-types.xsd"
SAMPLE_VALUES = {
    "xs:string": "text",
    "xs:date": "2020-05-04",
    "xs:time": "08:00:00Z",
    "xs:decimal": "12.5",
    "xs:float": "10",
    "xs:integer": "1",
    "xs:duration": "PT15M",
    "xs:dateTime": "2020-05-04T08:00:00Z",
}


def schema_files(folder: Path) -> dict[str, Path]:
    """Every document schema in `folder` by its namespace."""
    named = {path: re.search(r'targetNamespace="([^"]+)"', path.read_text("utf-8")) for path in folder.glob("iec*.xsd")}
    return {match[1]: path for path, match in named.items() if match}


def with_code_lists(folder: Path, lists: str, destination: Path) -> Path:
    """Copy the document schemas and the code lists of the folder `lists` together, as SOURCES.md says."""
    for path in [*folder.glob("iec*.xsd"), folder / lists / CODES, folder / lists / LOCAL]:
        shutil.copy(path, destination / path.name)
    return destination


def code_list(folder: Path, name: str) -> set[str]:
    """Every code that the type `name` of the code lists takes, local ones included."""
    types = {
        one.get("name"): one
        for file in (CODES, LOCAL)
        for one in etree.parse(folder / file).getroot().iterchildren(f"{XS}simpleType")
    }
    union = types[name].find(f"{XS}union")
    assert union is not None
    members = (member.partition(":")[2] for member in str(union.get("memberTypes")).split())
    return {str(code.get("value")) for member in members for code in types[member].iter(f"{XS}enumeration")}


class Instances:
    """Makes instances of one schema by walking it: full (each element once) or least (only what is mandatory)."""

    def __init__(self, schema: Element, version: Version) -> None:
        self._types = {str(one.get("name")): one for one in schema if isinstance(one.tag, str) and one.get("name")}
        self._groups = {one.get("name"): one for one in schema.iterchildren(f"{XS}group")}
        self._namespace = version.namespace
        self._top = next(schema.iterchildren(f"{XS}element"))

    def make(self, *, least: bool) -> Element:
        root = etree.Element(f"{{{self._namespace}}}{self._top.get('name')}", nsmap={None: self._namespace})
        self._fill(root, str(self._top.get("type")), least=least)
        return root

    def _fill(self, element: Element, name: str, *, least: bool) -> None:
        declared = self._types.get(name)
        sequence = None if declared is None else declared.find(f"{XS}sequence")
        if sequence is None:
            element.text, unit = self._value(name)
            for attribute, value in unit:
                element.set(attribute, value)
            return
        for particle in self._particles(sequence):
            if particle.get("maxOccurs") == "0" or (least and particle.get("minOccurs") == "0"):
                continue
            child = etree.SubElement(element, f"{{{self._namespace}}}{particle.get('name')}")
            self._fill(child, str(particle.get("type")), least=least)

    def _particles(self, sequence: Element) -> Iterator[Element]:
        for particle in sequence.iterchildren("*"):
            if particle.tag == f"{XS}group":
                inner = self._groups[particle.get("ref")].find(f"{XS}sequence")
                assert inner is not None
                yield from self._particles(inner)
            elif particle.tag == f"{XS}element":
                yield particle

    def _value(self, name: str) -> tuple[str, list[tuple[str, str]]]:
        """A value of a simple type, and its attributes."""
        attributes = []
        while name in self._types:
            declared = self._types[name]
            attributes += [
                (str(one.get("name")), one.get("fixed") or "A01")
                for one in declared.iter(f"{XS}attribute")
                if one.get("name")
            ]
            base = next(declared.iter(f"{XS}restriction", f"{XS}extension"))
            code = base.find(f"{XS}enumeration")
            if code is not None:
                return str(code.get("value")), attributes
            patterns = [str(one.get("value")) for one in base.iterchildren(f"{XS}pattern")]
            if patterns and base.get("base") == "xs:string":
                return ("2020-05-04T08:00Z" if "T" in patterns[0] else "1"), attributes
            name = str(base.get("base"))
        if not name.startswith("xs:"):
            return ("MAW" if "Unit" in name else "A01"), attributes
        return SAMPLE_VALUES[name], attributes
