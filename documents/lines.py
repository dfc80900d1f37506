"""Writing a document as text, line by line and escaped: the same model always gives the same bytes.

Strings, never a tree: a day of schedules for thousands of resources is built several times faster so.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from documents.identifiers import code_of, scheme_of
from documents.values import Identifier, Instant, Interval
from documents.versions import Version

_SPECIAL: Final = re.compile(r"[&<>\"\r]")
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Lines:
    """A document being written in one version; elements are indented by two spaces."""

    __slots__ = ("_indent", "_parts", "version")

    def __init__(self, version: Version) -> None:
        self.version = version
        self._parts = ['<?xml version="1.0" encoding="UTF-8"?>\n', f'<{version.root} xmlns="{version.namespace}">\n']
        self._indent = "  "

    def text(self, name: str, value: str | None, *, attribute: str = "") -> None:
        """Write an element with text; None writes nothing. `attribute` stands in the start tag as given."""
        if value is not None:
            self._parts.append(f"{self._indent}<{name}{attribute}>{escaped(value)}</{name}>\n")

    def identifier(self, name: str, value: Identifier | None) -> None:
        """Write an identity with its coding scheme (trap 5); None writes nothing."""
        if value is not None:
            self.text(name, code_of(value), attribute=f' codingScheme="{escaped(scheme_of(value))}"')

    def interval(self, name: str, interval: Interval) -> None:
        """Write a timeInterval, which has minutes only (trap 3)."""
        with self.element(name):
            self.text("start", minute(interval.start))
            self.text("end", minute(interval.end))

    def block(self, lines: str) -> None:
        """Write lines that are complete: indented, escaped, ended."""
        self._parts.append(lines)

    @contextmanager
    def element(self, name: str) -> Iterator[None]:
        """Write an element around what is written inside the block."""
        self._parts.append(f"{self._indent}<{name}>\n")
        self._indent += "  "
        yield
        self._indent = self._indent[:-2]
        self._parts.append(f"{self._indent}</{name}>\n")

    def finish(self) -> bytes:
        """Close the document and return its bytes, UTF-8."""
        self._parts.append(f"</{self.version.root}>\n")
        return "".join(self._parts).encode()


def escaped(text: str) -> str:
    """Make text safe inside an element or a quoted attribute.

    Raises:
        ValueError: a character that XML 1.0 cannot carry at all.
    """
    forbidden = _FORBIDDEN.search(text)
    if forbidden:
        raise ValueError(f"Character U+{ord(forbidden[0]):04X} cannot stand in a document. Leave it out.")
    return _SPECIAL.sub(lambda match: _ENTITIES[match[0]], text)


def second(instant: Instant) -> str:
    """Write an instant as createdDateTime wants it: to the second, `Z` (trap 3). A fraction is dropped."""
    return _utc(instant).isoformat(timespec="seconds") + "Z"


def minute(instant: Instant) -> str:
    """Write an instant as timeInterval wants it: without seconds, `Z` (trap 3).

    Raises:
        ValueError: the instant is inside a minute; see `documents.curves.align`.
    """
    if instant.second or instant.microsecond:
        raise ValueError(
            f"{instant.isoformat()} is inside a minute. A time interval has whole minutes: align it first."
        )
    return _utc(instant).isoformat(timespec="minutes") + "Z"


def _utc(instant: Instant) -> datetime:
    offset = instant.utcoffset()
    if offset is None:
        raise ValueError(f"{instant.isoformat()} has no zone. Give an aware instant.")
    return instant.replace(tzinfo=None) - offset
