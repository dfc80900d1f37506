"""Values every document is made of: identifiers, power, time, curves (IEC 62325-451 profiles).

Frozen and comparable; no I/O, no clock. Power is whole watts everywhere inside the platform, decimals in MAW or KWT
exist only in the bytes of a document. Instants are aware UTC; local days exist only at the edges.
"""

from datetime import datetime
from typing import Annotated, NewType

from msgspec import Meta, Struct

Identifier = NewType("Identifier", str)
"""Identity of a party, resource or area: `<codingScheme>:<code>`, e.g.

`A01:45X-TPS-HUB-DEM8` (R2). Made by `documents.identifiers`.
"""

Power = int
"""Whole watts. Positive feeds the grid, negative draws from it, where a sign is allowed at all."""

Mrid = str
"""Identification of a document or series; 32 hexadecimal digits when made here (35 characters is the wire limit)."""

Instant = Annotated[datetime, Meta(tz=True)]
"""An aware datetime; UTC inside the platform."""


class Interval(Struct, frozen=True, order=True, gc=False):
    """A half-open span of time `[start, end)`, both aware UTC."""

    start: Instant
    end: Instant

    def overlaps(self, other: "Interval") -> bool:
        """Whether the two spans share an instant."""
        return self.start < other.end and other.start < self.end

    def contains(self, other: "Interval") -> bool:
        """Whether `other` lies wholly inside this span."""
        return self.start <= other.start and other.end <= self.end


class Point(Struct, frozen=True, array_like=True, gc=False):
    """One value of a curve: `position` counts from 1, `quantity` is whole watts."""

    position: int
    quantity: Power


class Period(Struct, frozen=True):
    """A curve over `interval`: `resolution` is an ISO 8601 duration as written (`PT15M`).

    `points` are in ascending position and hold only changes (curve A03): each lasts until the next, the last one to
    the end. Position 1 is always present. A gap in data is the space between two Periods.
    """

    interval: Interval
    resolution: str
    points: tuple[Point, ...]


class Reason(Struct, frozen=True):
    """Why: a code of the Reason code list and free text for people."""

    code: str
    text: str | None = None
