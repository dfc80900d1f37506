"""A directory's content as bytes: the `components` XML of MADES (pure).

The shape is that of ECP's directory as public sources show it; no schema is public. Ours beside it: the attribute
`party` of our own namespace, which says what an endpoint is in the exchange. The content is signed as it stands, byte
by byte, together with the code of the component it was made for: one component's copy is no use to another.
Everything read here is hostile until its signature was checked, and read as carefully afterwards.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, TypeVar

from lxml import etree

from documents import xml
from documents.errors import Malformed
from hub.directory.values import (
    Certificate,
    ComponentRecord,
    ComponentType,
    Configuration,
    Contact,
    Content,
    Implementation,
    MessagePath,
    Party,
    Restriction,
    Url,
)
from hub.mades.certificates import CertificateType
from hub.mades.errors import MadesError
from hub.mades.paths import CODE

NAMESPACE: Final = "http://mades.entsoe.eu/componentDirectory"
OURS: Final = "urn:drem:tps:directory:1"
DIRECT: Final = "DIRECT"
INDIRECT: Final = "INDIRECT:"
ELEMENTS: Final = {
    ComponentType.BROKER: "broker",
    ComponentType.ENDPOINT: "endpoint",
    ComponentType.COMPONENT_DIRECTORY: "componentDirectory",
}
"""Type -> element, in the order of the list."""
_SIGNED: Final = b"tps component directory 1\n"
_PARTY: Final = f"{{{OURS}}}party"
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
_NUMBER: Final = re.compile(r"\d{1,15}")

E = TypeVar("E", Party, CertificateType)


def signed_bytes(audience: str, body: bytes) -> bytes:
    """What the directory signs: the content and for whom it was made."""
    return _SIGNED + audience.encode() + b"\n" + body


def render(content: Content) -> bytes:
    """The bytes of a directory's content; equal contents give equal bytes."""
    root = etree.Element(f"{{{NAMESPACE}}}components", nsmap={"ns2": NAMESPACE, "tps": OURS})
    listed = etree.SubElement(root, "componentList")
    for kind, element in ELEMENTS.items():
        for record in sorted(content.records, key=lambda record: record.code):
            if record.party.type is kind:
                _add_record(etree.SubElement(listed, element), record)
    about = etree.SubElement(etree.SubElement(root, "metadata"), "componentDirectoryMetadata")
    _add(about, "componentDirectory", content.directory)
    _add(about, "ttl", str(content.ttl_ms))
    _add(about, "contentID", str(content.content_id))
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def parse(body: bytes) -> Content:
    """Read a directory's content.

    Raises:
        MadesError: E-FORMAT with the element that cannot be read.
    """
    try:
        root = xml.parse(body)
    except Malformed as error:
        raise MadesError("E-FORMAT", f"The directory's content cannot be read: {error}") from error
    if root.tag != f"{{{NAMESPACE}}}components":
        raise MadesError("E-FORMAT", f"The directory's content is no `components` of {NAMESPACE}.")
    about = _one(root, "metadata/componentDirectoryMetadata")
    return Content(
        directory=_text(about, "componentDirectory", CODE),
        content_id=int(_text(about, "contentID", _NUMBER)),
        ttl_ms=int(_text(about, "ttl", _NUMBER)),
        records=tuple(
            _record(element) for name in ELEMENTS.values() for element in root.iterfind(f"componentList/{name}")
        ),
    )


def _add(parent: etree._Element, name: str, text: str) -> None:
    etree.SubElement(parent, name).text = text


def _add_all(parent: etree._Element, name: str, item: str, texts: Iterable[str]) -> None:
    group = etree.SubElement(parent, name)
    for text in texts:
        _add(group, item, text)


def _add_record(element: etree._Element, record: ComponentRecord) -> None:
    configuration = record.configuration
    element.set(_PARTY, record.party)
    for name in record.contact.__struct_fields__:
        _add(element, name, getattr(record.contact, name))
    _add(element, "code", record.code)
    _add(element, "type", record.party.type)
    _add_all(element, "networks", "network", configuration.networks)
    urls = etree.SubElement(element, "urls")
    for url in configuration.urls:
        etree.SubElement(urls, "url", network=url.network).text = url.address
    certificates = etree.SubElement(element, "certificates")
    for certificate in record.certificates:
        _add_certificate(etree.SubElement(certificates, "certificate"), certificate)
    _add(element, "creationTimestamp", _written(record.created))
    _add(element, "modificationTimestamp", _written(record.modified))
    _add(element, "componentDirectory", record.directory)
    program = configuration.implementation
    etree.SubElement(
        element,
        "madesImplementation",
        name=program.name,
        version=program.version,
        compatibleVersions=program.compatible_versions,
        madesVersion=str(program.mades_version),
    )
    if record.party.type is ComponentType.ENDPOINT:
        paths = etree.SubElement(element, "paths")
        for path in configuration.paths:
            _add_path(etree.SubElement(paths, "path"), path)
    if configuration.restriction:
        restriction = etree.SubElement(element, "restriction")
        _add_all(restriction, "components", "component", configuration.restriction.components)
        _add_all(restriction, "messageTypes", "messageType", configuration.restriction.message_types)


def _add_certificate(element: etree._Element, certificate: Certificate) -> None:
    _add(element, "certificateID", certificate.certificate_id)
    _add(element, "type", certificate.type)
    _add(element, "certificate", base64.b64encode(certificate.der).decode())
    _add(element, "validFrom", _written(certificate.valid_from))
    _add(element, "validTo", _written(certificate.valid_to))


def _add_path(element: etree._Element, path: MessagePath) -> None:
    _add_all(element, "senderComponent", "component", path.senders)
    _add(element, "messageType", path.message_type)
    _add(element, "path", DIRECT if path.broker is None else INDIRECT + path.broker)
    _add(element, "validFrom", _written(path.valid_from))
    if path.valid_to:
        _add(element, "validTo", _written(path.valid_to))


def _written(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _record(element: etree._Element) -> ComponentRecord:
    party = _member(Party, element.get(_PARTY, ""), "party")
    if ELEMENTS[party.type] != element.tag or _text(element, "type") != party.type:
        raise MadesError("E-FORMAT", f"A {party} stands as {element.tag!s} in the directory's content.")
    return ComponentRecord(
        code=_text(element, "code", CODE),
        party=party,
        contact=Contact(**{name: _text(element, name) for name in Contact.__struct_fields__}),
        configuration=_configuration(element),
        certificates=tuple(_certificate(each) for each in element.iterfind("certificates/certificate")),
        created=_instant(element, "creationTimestamp"),
        modified=_instant(element, "modificationTimestamp"),
        directory=_text(element, "componentDirectory", CODE),
    )


def _configuration(element: etree._Element) -> Configuration:
    restriction = element.find("restriction")
    return Configuration(
        networks=tuple(_texts(element, "networks/network")),
        urls=tuple(Url(network=url.get("network", ""), address=url.text or "") for url in element.iterfind("urls/url")),
        paths=tuple(_path(path) for path in element.iterfind("paths/path")),
        restriction=None
        if restriction is None
        else Restriction(
            components=tuple(_texts(restriction, "components/component")),
            message_types=tuple(_texts(restriction, "messageTypes/messageType")),
        ),
        implementation=_implementation(_one(element, "madesImplementation")),
    )


def _implementation(element: etree._Element) -> Implementation:
    version = element.get("madesVersion", "")
    if not _NUMBER.fullmatch(version):
        raise MadesError("E-FORMAT", f"madesVersion is {version[:40]!r}; expected a number.")
    return Implementation(
        name=element.get("name", ""),
        version=element.get("version", ""),
        compatible_versions=element.get("compatibleVersions", ""),
        mades_version=int(version),
    )


def _certificate(element: etree._Element) -> Certificate:
    try:
        der = base64.b64decode(_text(element, "certificate"), validate=True)
    except binascii.Error as error:
        raise MadesError("E-FORMAT", "A certificate in the directory's content is no base64.") from error
    return Certificate(
        certificate_id=_text(element, "certificateID"),
        type=_member(CertificateType, _text(element, "type"), "type"),
        der=der,
        valid_from=_instant(element, "validFrom"),
        valid_to=_instant(element, "validTo"),
    )


def _path(element: etree._Element) -> MessagePath:
    way = _text(element, "path")
    if way != DIRECT and not (way.startswith(INDIRECT) and CODE.fullmatch(way.removeprefix(INDIRECT))):
        raise MadesError("E-FORMAT", f"path is {way[:80]!r}; expected {DIRECT} or {INDIRECT}CODE.")
    return MessagePath(
        senders=tuple(_texts(element, "senderComponent/component")),
        message_type=_text(element, "messageType"),
        broker=None if way == DIRECT else way.removeprefix(INDIRECT),
        valid_from=_instant(element, "validFrom"),
        valid_to=None if element.find("validTo") is None else _instant(element, "validTo"),
    )


def _one(element: etree._Element, path: str) -> etree._Element:
    found = element.findall(path)
    if len(found) != 1:
        raise MadesError("E-FORMAT", f"{path} stands {len(found)} times in the directory's content; expected once.")
    return found[0]


def _text(element: etree._Element, path: str, pattern: re.Pattern[str] | None = None) -> str:
    text = _one(element, path).text or ""
    if pattern and not pattern.fullmatch(text):
        raise MadesError("E-FORMAT", f"{path} is {text[:80]!r}; expected {pattern.pattern}.")
    return text


def _texts(element: etree._Element, path: str) -> Iterator[str]:
    return (found.text or "" for found in element.iterfind(path))


def _instant(element: etree._Element, path: str) -> datetime:
    text = _text(element, path, _INSTANT)
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise MadesError("E-FORMAT", f"{path} is no instant: {text}.") from error


def _member(kind: type[E], text: str, what: str) -> E:
    try:
        return kind(text)
    except ValueError as error:
        raise MadesError("E-FORMAT", f"{what} is {text[:40]!r}; expected one of {', '.join(kind)}.") from error
