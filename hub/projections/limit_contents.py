"""What each revision of a limit says, with totals and all shares, for the operator of the platform alone (F3, R16)."""

from collections.abc import Sequence
from typing import Final

from hub.events import Event, LimitAnnounced, LimitOrdered
from hub.ports import OPERATOR, Recorded, Row
from hub.rows import LIMIT_CONTENTS, LimitContent, LimitTotal
from hub.state import HubState
from hub.values import LimitKind

VERSION: Final = 1


def rows(recorded: Recorded[Event], state: HubState) -> Sequence[Row]:
    """One row for each revision by the DSO."""
    match recorded.event:
        case LimitAnnounced() as event:
            content = LimitContent(
                dso=event.dso,
                mrid=event.mrid,
                revision=event.revision,
                kind=LimitKind.FORESEEN,
                direction=event.direction,
                interval=event.interval,
                totals=tuple(LimitTotal(assets=one.assets, periods=one.periods) for one in event.series),
                shares=event.shares,
                reasons=event.reasons,
            )
        case LimitOrdered() as event:
            content = LimitContent(
                dso=event.dso,
                mrid=event.mrid,
                revision=event.revision,
                kind=LimitKind.UNFORESEEN,
                direction=event.direction,
                interval=event.interval,
                orders=event.orders,
                reasons=event.reasons,
            )
        case _:
            return []
    return [
        Row(
            view=LIMIT_CONTENTS,
            audience=OPERATOR,
            key=f"{content.dso}/{content.mrid}",
            payload=content,
            group=content.dso,
            valid=content.interval,
        )
    ]
