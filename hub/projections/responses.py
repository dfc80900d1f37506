"""That a DSO is owed the data it asked for (F5, F9, R13). Limits asked for by an AGR are sent by `agr_limits`
themselves.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from documents.codes import DocumentType
from hub.aggregates.keyed import keyed_mrid
from hub.aggregates.market_document import identity, remembered
from hub.events import DocumentRepeated, Event, StatusRequested
from hub.ports import Recorded, Row, Sending
from hub.rows import RESPONSES, Response
from hub.state import HubState

RESPONSE: Final = "TPS-RESPONSE"
ANSWERED_WITHIN: Final = timedelta(minutes=15)
"""R27: later than that nobody waits for it."""


def rows(recorded: Recorded[Event], state: HubState) -> Sequence[Row]:
    """One row for a request that has data; a repeated request is answered anew under the same mRID."""
    match recorded.event:
        case StatusRequested() as event:
            return _owed(event, recorded, state)
        case DocumentRepeated(origin=origin):
            first = remembered(state, origin)
            return _owed(first, recorded, state) if isinstance(first, StatusRequested) else []
        case _:
            return []


def _owed(event: StatusRequested, recorded: Recorded[Event], state: HubState) -> Sequence[Row]:
    if event.empty or event.subject == DocumentType.OUTAGE:
        return []
    origin = event.origin
    sender, mrid, _ = identity(origin)
    answer = keyed_mrid(state.secret, "response", sender, mrid, origin.digest)
    response = Response(
        mrid=answer,
        request=origin.mrid,
        subject=event.subject,
        role=origin.role,
        resources=event.resources,
        interval=event.interval,
    )
    sending = Sending(business_type=RESPONSE, document=origin.mrid, expires=recorded.at + ANSWERED_WITHIN)
    return [Row(view=RESPONSES, audience=sender, key=answer, payload=response, send=sending)]
