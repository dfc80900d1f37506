"""Reading the elements of a document (traps 4, 9, 10): text without comments and trimmed, what is missing named."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final

from lxml.etree import _Element as Element

from documents import identifiers
from documents.errors import IdentifierError, SchemaInvalid
from documents.values import Identifier, Instant, Interval

_WHITE_SPACE: Final = " \t\r\n"
_DATE: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(Z|[+-][0-9]{2}:[0-9]{2})?")
_TIME: Final = re.compile(r"([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?)(Z|[+-][0-9]{2}:[0-9]{2})?")
_INSTANT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2})?Z")
_NUMBER: Final = re.compile(r"\+?[0-9]{1,9}")


class Fields:
    """The child elements of one element by local name; those from `before` on, maybe millions, are left alone."""

    __slots__ = ("_children", "element")

    def __init__(self, element: Element, *, before: str | None = None) -> None:
        self.element = element
        namespace = str(element.tag).rpartition("}")[0] + "}"
        children: dict[str, list[Element]] = {}
        for child in element.iterchildren("*"):
            tag = str(child.tag)
            if tag.startswith(namespace):
                name = tag[len(namespace) :]
                if name == before:
                    break
                children.setdefault(name, []).append(child)
        self._children = children

    def __contains__(self, name: str) -> bool:
        return name in self._children

    def all(self, name: str, *, before: str | None = None) -> Iterator["Fields"]:
        """Every child element of that name."""
        return (Fields(child, before=before) for child in self._children.get(name, ()))

    def one(self, name: str) -> "Fields":
        """Return the child element of that name.

        Raises:
            SchemaInvalid: it is missing.
        """
        return Fields(self._one(name))

    def text(self, name: str) -> str:
        """Trimmed text of a mandatory child, possibly empty.

        Raises:
            SchemaInvalid: it is missing.
        """
        return text_of(self._one(name))

    def text_or_none(self, name: str) -> str | None:
        """Trimmed text of an optional child."""
        return text_of(self._children[name][0]) if name in self._children else None

    def identifier(self, name: str) -> Identifier:
        """Identity of a party, resource or area; check characters are not judged here (trap 14).

        Raises:
            SchemaInvalid: it is missing, or has no coding scheme or no usable code.
        """
        child = self._one(name)
        try:
            return identifiers.identifier((child.get("codingScheme") or "").strip(_WHITE_SPACE), text_of(child))
        except IdentifierError as error:
            raise invalid(child, str(error)) from error

    def identifier_or_none(self, name: str) -> Identifier | None:
        """Like `identifier` for an optional child."""
        return self.identifier(name) if name in self._children else None

    def number(self, name: str) -> int:
        """Return a small whole number such as a revision.

        Raises:
            SchemaInvalid: it is missing or no number.
        """
        text = self.text(name)
        if not _NUMBER.fullmatch(text):
            raise invalid(self._one(name), f"Found {text[:20]!r}, a whole number was expected")
        return int(text)

    def instant(self, name: str) -> Instant:
        """Return an instant in UTC with `Z`, with or without seconds.

        Raises:
            SchemaInvalid: it is missing or no such instant.
        """
        child, text = self._one(name), self.text(name)
        try:
            if not _INSTANT.fullmatch(text):
                raise ValueError(text)
            return datetime.fromisoformat(text)
        except ValueError as error:
            raise invalid(
                child, f"Found {text[:40]!r}, an instant such as 2020-05-04T08:00:00Z was expected"
            ) from error

    def interval(self, name: str) -> Interval:
        """Return a timeInterval with start and end; their order is not judged here.

        Raises:
            SchemaInvalid: it is missing or incomplete.
        """
        bounds = self.one(name)
        return Interval(bounds.instant("start"), bounds.instant("end"))

    def day(self, name: str) -> date:
        """Return a calendar day; a zone is legal and carries no meaning for a day.

        Raises:
            SchemaInvalid: it is missing or no day.
        """
        child, match = self._one(name), _DATE.fullmatch(self.text(name))
        try:
            return date.fromisoformat(match[1] if match else "")
        except ValueError as error:
            raise invalid(child, f"Found {text_of(child)[:40]!r}, a date such as 2020-05-04 was expected") from error

    def date_and_time(self, name: str) -> Instant:
        """Join `<name>_DateAndOrTime.date` and `.time` to one UTC instant (trap 4).

        The zone of the time counts, else that of the date, else it is UTC; converting may shift the date.

        Raises:
            SchemaInvalid: one is missing or they make no instant.
        """
        child = self._one(f"{name}_DateAndOrTime.time")
        day = _DATE.fullmatch(self.text(f"{name}_DateAndOrTime.date"))
        clock = _TIME.fullmatch(text_of(child))
        try:
            if not day or not clock:
                raise ValueError(child.text)
            return _instant(day[1], clock[1], clock[2] or day[2] or "Z")
        except (ValueError, OverflowError) as error:
            raise invalid(child, "Date and time make no instant; 2020-05-04 and 08:00:00Z were expected") from error

    def _one(self, name: str) -> Element:
        if name not in self._children:
            raise invalid(self.element, f"Element {name} is missing")
        return self._children[name][0]


def text_of(element: Element) -> str:
    """Text of an element without its comments, trimmed of white space."""
    if not len(element):
        return (element.text or "").strip(_WHITE_SPACE)
    return "".join([element.text or "", *(child.tail or "" for child in element)]).strip(_WHITE_SPACE)


def invalid(element: Element, found: str) -> SchemaInvalid:
    """Return the error for unusable content of `element`."""
    name = str(element.tag).rpartition("}")[2]
    where = f"line {element.sourceline}, element {name}" if element.sourceline else f"element {name}"
    return SchemaInvalid(found, where=where, mend="Correct the element and send the document again")


def _instant(day: str, clock: str, zone: str) -> Instant:
    # xs:time writes midnight at the end of a day as 24:00:00, which datetime does not know.
    ends_day = clock.startswith("24:00:00")
    instant = datetime.fromisoformat(f"{day}T{clock.replace('24', '00', 1) if ends_day else clock}{zone}")
    return (instant + timedelta(days=ends_day)).astimezone(UTC)
