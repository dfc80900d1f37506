"""Why an aggregator has its share of a limit, told from its own copy and its own ratings alone (floor 3, pure; R37).

Whoever knows more than these cannot have been asked: there is no total here, no other share, no count. Whether the
limit was shared at all cannot be seen either.
"""

from collections.abc import Mapping
from typing import Final

from documents.codes import DocumentType
from documents.model import RefSeries, UnavailabilityMarketDocument
from documents.values import Identifier, Period, Power
from gateways.agr.bodies import LimitExplanation, ShareExplanation
from gateways.identity import Identity

RULE: Final = (
    "Each asset gets a part of the limit in proportion to its rated power in the limited direction, "
    "never more than its rated power (rated-power.v1)."
)
ROUNDING: Final = "Shares are whole watts: a share differs from the exact proportion by less than two watts."


def explain(
    document: UnavailabilityMarketDocument, assets: Mapping[Identifier, RefSeries], who: Identity
) -> LimitExplanation:
    """Explain a limit to whoever got it. `assets` are its own, as registered; those it has no more are left out."""
    return LimitExplanation(
        mrid=document.mrid,
        revision=document.revision,
        rule=RULE,
        rounding=ROUNDING,
        shares=tuple(
            _share(who.show(asset.resource), rated(assets[asset.resource], document.type), series.periods)
            for series in document.series
            for asset in series.assets
            if asset.resource in assets and series.periods
        ),
    )


def rated(asset: RefSeries, direction: str) -> Power:
    """Rated power in the direction that a limit's document type says; of both, the larger (R16). Watts."""
    produces, consumes = asset.max_production or 0, asset.max_consumption or 0
    match direction:
        case DocumentType.GENERATION_UNAVAILABILITY:
            return produces
        case DocumentType.LOAD_UNAVAILABILITY:
            return consumes
        case _:
            return max(produces, consumes)


def _share(asset: str, power: Power, periods: tuple[Period, ...]) -> ShareExplanation:
    quantities = [point.quantity for period in periods for point in period.points]
    lowest, highest = min(quantities), max(quantities)
    return ShareExplanation(asset=asset, rated=power, lowest=lowest, highest=highest, ratio=f"{lowest}/{power}")
