"""StatusRequest_MarketDocument, a question (451-5): what is asked for stands in its attributes (F5, F9)."""

from lxml.etree import _Element as Element

from documents.elements import Fields
from documents.header import read_party, write_party
from documents.lines import Lines, escaped, second
from documents.model import Attribute, StatusRequestMarketDocument
from documents.versions import Version


def parse(root: Element, version: Version) -> StatusRequestMarketDocument:
    """Read the document; all versions are laid out alike.

    Raises:
        SchemaInvalid: it lacks what every document of this kind has.
    """
    header = Fields(root)
    return StatusRequestMarketDocument(
        mrid=header.text("mRID"),
        type=header.text("type"),
        sender=read_party(header, "sender"),
        receiver=read_party(header, "receiver"),
        created=header.instant("createdDateTime"),
        attributes=tuple(_read_attribute(component) for component in header.all("AttributeInstanceComponent")),
    )


def render(document: StatusRequestMarketDocument, version: Version) -> bytes:
    """Write the document.

    Raises:
        ValueError: something in it cannot be written.
    """
    lines = Lines(version)
    lines.text("mRID", document.mrid)
    lines.text("type", document.type)
    write_party(lines, "sender", document.sender)
    write_party(lines, "receiver", document.receiver)
    lines.text("createdDateTime", second(document.created))
    for attribute in document.attributes:
        with lines.element("AttributeInstanceComponent"):
            lines.text("attribute", attribute.name)
            scheme = f' codingScheme="{escaped(attribute.scheme)}"' if attribute.scheme else ""
            lines.text("attributeValue", attribute.value, attribute=scheme)
    return lines.finish()


def _read_attribute(fields: Fields) -> Attribute:
    value = fields.one("attributeValue").element
    return Attribute(
        fields.text("attribute"), fields.text("attributeValue"), (value.get("codingScheme") or "").strip() or None
    )
