"""What each revision of a limit says, with totals and all shares, for the operator of the platform alone (F3, R16)."""

from collections.abc import Sequence
from typing import Final

from hub.events import Event, LimitAnnounced, LimitOrdered
from hub.ports import OPERATOR, Recorded, Row
from hub.rows import LIMIT_CONTENTS, LimitContent, LimitTotal
from hub.state import HubState
from hub.values import AssetOrder, AssetShare, LimitKind

VERSION: Final = 1


def rows(recorded: Recorded[Event], state: HubState) -> Sequence[Row]:
    """One row for each revision by the DSO."""
    event = recorded.event
    if not isinstance(event, LimitAnnounced | LimitOrdered):
        return []
    key = f"{event.dso}/{event.mrid}"
    return [
        Row(
            view=LIMIT_CONTENTS,
            audience=OPERATOR,
            key=key,
            payload=content(event),
            group=event.dso,
            valid=event.interval,
        )
    ]


def content(event: LimitAnnounced | LimitOrdered) -> LimitContent:
    """What a revision says."""
    totals: tuple[LimitTotal, ...] = ()
    shares: tuple[AssetShare, ...] = ()
    orders: tuple[AssetOrder, ...] = ()
    match event:
        case LimitAnnounced():
            kind, shares = LimitKind.FORESEEN, event.shares
            totals = tuple(LimitTotal(assets=one.assets, periods=one.periods) for one in event.series)
        case LimitOrdered():
            kind, orders = LimitKind.UNFORESEEN, event.orders
    return LimitContent(
        dso=event.dso,
        mrid=event.mrid,
        revision=event.revision,
        kind=kind,
        direction=event.direction,
        interval=event.interval,
        totals=totals,
        shares=shares,
        orders=orders,
        reasons=event.reasons,
    )
