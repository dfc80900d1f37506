"""What both gateways' charts have in common: a limit's document as the pages take it, and where rows come from (F3)."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from msgspec import Struct

from documents.codes import DocumentType, action_of
from documents.model import UnavailabilityMarketDocument, UnavailabilitySeries
from documents.values import Interval
from gateways.reading import Reader
from hub.values import Action, Direction
from hub.web.own import Own, OwnLimit, OwnSeries

DIRECTIONS: Final[Mapping[str, Direction]] = {
    DocumentType.GENERATION_UNAVAILABILITY.value: Direction.PRODUCTION,
    DocumentType.LOAD_UNAVAILABILITY.value: Direction.CONSUMPTION,
}


class Charts(Struct, frozen=True):
    """The views that the charts of a gateway are made from, and how their rows are read for a span."""

    views: tuple[str, ...]
    read: Callable[[Reader, Interval], Awaitable[Own]]


def limit(document: UnavailabilityMarketDocument, *, cancelled: bool) -> OwnLimit:
    """A limit as its participant has it."""
    return OwnLimit(
        mrid=document.mrid,
        revision=document.revision,
        direction=DIRECTIONS.get(document.type, Direction.BOTH),
        interval=document.interval,
        issued=document.created,
        cancelled=cancelled,
        series=tuple(map(_series, document.series)),
    )


def _series(series: UnavailabilitySeries) -> OwnSeries:
    action = action_of(series)
    assets = tuple(asset.resource for asset in series.assets)
    return OwnSeries(assets, series.periods, Action(action) if action else None)
