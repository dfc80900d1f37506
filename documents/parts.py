"""Parts of a list that is too long for one document: each is the whole truth about a span (451-N, 451-6; R11).

Neither a Ref nor a GL document has an element for a part, but each of their series has a free text: the description of
a resource, the name of a plan's resource. The first series of a part tells there what it is about: what is listed with
`after` < id <= `upto` and is not named is gone. Ids are those of resources in a list of assets, mRIDs of series in a
list of plans. The first part has no beginning, the last no end. Where only the assets at some connection points were
asked for, these follow.
"""

import re
from typing import Final

from msgspec import Struct

from documents.model import GlMarketDocument, RefMarketDocument

_START, _END = "the start", "the end"
_TEXT: Final = re.compile(r"List part: after (\S+|the start) up to (\S+|the end)(?: at (\S+(?: \S+)*))?")


class Span(Struct, frozen=True):
    """Ids with `after` < id <= `upto`; an empty end is open."""

    after: str = ""
    upto: str = ""

    def __contains__(self, id: str) -> bool:  # noqa: A002 - the field's own word
        return self.after < id and (not self.upto or id <= self.upto)

    @property
    def is_all(self) -> bool:
        """Whether both ends are open."""
        return not self.after and not self.upto


WHOLE: Final = Span()
"""Every id."""


class Part(Struct, frozen=True):
    """What a list is the whole truth about: a span, at these connection points; none: at all."""

    span: Span = WHOLE
    points: tuple[str, ...] = ()


ALL: Final = Part()
"""Everything."""


def described(part: Part) -> str | None:
    """The text that tells a part; None for a whole list, which needs none."""
    span = part.span
    if span.is_all:
        return None
    points = f" at {' '.join(part.points)}" if part.points else ""
    return f"List part: after {span.after or _START} up to {span.upto or _END}{points}"


def part_of(document: RefMarketDocument | GlMarketDocument) -> Part | None:
    """What a list says that it is the whole truth about; None when it does not say that it is a part."""
    found = _TEXT.fullmatch(_text(document) or "")
    if found is None:
        return None
    after, upto, points = found.groups()
    span = Span("" if after == _START else after, "" if upto == _END else upto)
    return Part(span, tuple(points.split(" ")) if points else ())


def _text(document: RefMarketDocument | GlMarketDocument) -> str | None:
    match document:
        case RefMarketDocument(series=(first, *_)):
            return first.description
        case GlMarketDocument(series=(plan, *_)):
            return plan.name
        case _:
            return None
