"""Parts of a list that is too long for one document: each is the whole truth about a span of resources (451-N; R11).

A Ref_MarketDocument has no element for a part, but each of its series has a free description. The first series of a
part tells its span there: resources with `after` < id <= `upto` that the part does not name are gone. Both ends are
identifiers in our notation; the first part has no beginning, the last no end.
"""

import re
from typing import Final

from msgspec import Struct

from documents.model import RefMarketDocument

_START, _END = "the start", "the end"
_TEXT: Final = re.compile(r"List part: after (\S+|the start) up to (\S+|the end)")


class Span(Struct, frozen=True):
    """Resources with `after` < id <= `upto`; an empty end is open."""

    after: str = ""
    upto: str = ""

    def __contains__(self, resource: str) -> bool:
        return self.after < resource and (not self.upto or resource <= self.upto)

    @property
    def is_all(self) -> bool:
        """Whether both ends are open."""
        return not self.after and not self.upto


WHOLE: Final = Span()
"""Every resource."""


def described(span: Span) -> str | None:
    """The description that tells a span; None for a whole list, which needs none."""
    return None if span.is_all else f"List part: after {span.after or _START} up to {span.upto or _END}"


def span_of(document: RefMarketDocument) -> Span:
    """What a list is the whole truth about: everything, unless it says that it is a part."""
    found = _TEXT.fullmatch(document.series[0].description or "") if document.series else None
    if found is None:
        return WHOLE
    after, upto = found.groups()
    return Span("" if after == _START else after, "" if upto == _END else upto)
