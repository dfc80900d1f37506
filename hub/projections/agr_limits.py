"""An AGR's own copy of each limit on its assets, one document per revision (F6, F7, R14-R18, R22).

The row holds its own assets and shares, reason codes, and nothing of the DSO, the total, or anybody else.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from documents.codes import DocumentType
from documents.values import Identifier, Instant
from hub.aggregates.limit_copies import copy_changes, held_limits
from hub.aggregates.market_document import remembered
from hub.events import DocumentRepeated, Event, StatusRequested
from hub.ports import Recorded, Row, Sending
from hub.projections.responses import ANSWERED_WITHIN, RESPONSE
from hub.rows import AGR_LIMITS
from hub.state import CopyState, HubState
from hub.values import LimitKind

VERSION: Final = 1
BUSINESS_TYPES: Final = {LimitKind.FORESEEN: "TPS-FORESEEN", LimitKind.UNFORESEEN: "TPS-UNFORESEEN"}
"""R27."""
WITHOUT_END: Final = timedelta(days=14)


def rows(recorded: Recorded[Event], state: HubState) -> Sequence[Row]:
    """A row and a document for each copy that changes; on request, each copy that has not ended once more (R13)."""
    match recorded.event:
        case StatusRequested() as event:
            return _again(event, state, recorded.at)
        case DocumentRepeated(origin=origin):
            first = remembered(state, origin)
            return _again(first, state, recorded.at) if isinstance(first, StatusRequested) else []
        case event:
            return [
                _row(change.audience, change.copy, _push(change.copy, recorded.at))
                for change in copy_changes(event, state, recorded.at)
            ]


def _again(event: StatusRequested, state: HubState, at: Instant) -> Sequence[Row]:
    """Each copy as its own document, because one Unavailability document has one interval and one revision."""
    if event.subject != DocumentType.OUTAGE or event.empty:
        return []
    asker = event.origin.sender
    return [
        _row(asker, copy, Sending(business_type=RESPONSE, document=copy.content.mrid, expires=at + ANSWERED_WITHIN))
        for copy in held_limits(state, asker, at)
    ]


def _push(copy: CopyState, at: Instant) -> Sending:
    end = copy.content.interval.end
    return Sending(
        business_type=BUSINESS_TYPES[copy.content.kind],
        document=copy.content.mrid,
        expires=end if end > at else at + WITHOUT_END,
        urgent=True,
    )


def _row(audience: Identifier, copy: CopyState, sending: Sending) -> Row:
    return Row(
        view=AGR_LIMITS,
        audience=audience,
        key=copy.content.mrid,
        payload=copy.content,
        valid=copy.content.interval,
        issued=copy.issued,
        send=sending,
    )
