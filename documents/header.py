"""Parts that several documents share: parties and reasons."""

from collections.abc import Iterable

from documents.elements import Fields
from documents.lines import Lines
from documents.model import Party
from documents.values import Identifier, Reason


def read_party(header: Fields, side: str) -> Party:
    """Read the `sender` or `receiver` of a document."""
    name = f"{side}_MarketParticipant"
    return Party(header.identifier(f"{name}.mRID"), header.text_or_none(f"{name}.marketRole.type"))


def write_party(lines: Lines, side: str, party: Party) -> None:
    """Write the `sender` or `receiver` of a document."""
    name = f"{side}_MarketParticipant"
    lines.identifier(f"{name}.mRID", party.id)
    lines.text(f"{name}.marketRole.type", party.role)


def read_reasons(parent: Fields) -> tuple[Reason, ...]:
    """Read the Reason elements directly under `parent`."""
    return tuple(Reason(reason.text("code"), reason.text_or_none("text")) for reason in parent.all("Reason"))


def write_reasons(lines: Lines, reasons: Iterable[Reason]) -> None:
    """Write Reason elements."""
    for reason in reasons:
        with lines.element("Reason"):
            lines.text("code", reason.code)
            lines.text("text", reason.text)


def read_wrapped_ids(parent: Fields, name: str) -> tuple[Identifier, ...]:
    """Read the mRIDs of repeated elements that hold nothing else, such as Domain."""
    return tuple(child.identifier("mRID") for child in parent.all(name))


def write_wrapped_ids(lines: Lines, name: str, ids: Iterable[Identifier]) -> None:
    """Write one element with an mRID for each id."""
    for wrapped in ids:
        with lines.element(name):
            lines.identifier("mRID", wrapped)
