"""A document that no message can carry is refused before it is stored, in words that say how much would fit.

The bound is that of the transport and of every reader: 16 MiB (documents.xml). Nothing is rendered beyond it.
"""

from functools import partial
from http import HTTPStatus

from msgspec.structs import replace

from documents import registry
from documents.model import (
    Document,
    GlMarketDocument,
    GlSeries,
    RefMarketDocument,
    RefSeries,
    UnavailabilityMarketDocument,
    UnavailabilitySeries,
)
from documents.xml import MAX_BYTES
from gateways.problems import ProblemError
from hub.aside import aside

Listing = RefMarketDocument | GlMarketDocument | UnavailabilityMarketDocument
"""Documents that grow with what their sender puts into them."""
Series = RefSeries | GlSeries | UnavailabilitySeries


async def check(document: Document | None) -> None:
    """Let pass what fits into one message. Raises ProblemError (422)."""
    if not isinstance(document, Listing):
        return
    fit, count = (
        await aside(partial(fitting, document), urgent=isinstance(document, UnavailabilityMarketDocument)),
        len(document.series),
    )
    if fit == count:
        return
    advice = (
        f"only the first {fit} of its {count} series fit. Send about {fit} at a time"
        if fit
        else "its first series alone does not fit. Send it for a shorter time, or in longer steps"
    )
    raise ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY, f"The document would have more than {MAX_BYTES} bytes: {advice}."
    )


def fitting(document: Listing, *, most_bytes: int = MAX_BYTES) -> int:
    """How many series of a document fit into `most_bytes` with its header, counted from the first."""
    header, room = _header_bytes(document), most_bytes
    listed: tuple[Series, ...] = document.series
    for number, series in enumerate(listed):
        room -= _bytes(document, series) - (header if number else 0)
        if room < 0:
            return number
    return len(document.series)


def _header_bytes(document: Listing) -> int:
    """A document has a series at least, so it is measured with one and with two."""
    one: tuple[Series, ...] = document.series[:1]
    return 2 * _bytes(document, *one) - _bytes(document, *one, *one)


def _bytes(document: Listing, *series: Series) -> int:
    return len(registry.render(replace(document, series=series)))
