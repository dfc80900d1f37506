"""That a DSO is owed the data it asked for (F5, F9, R13). Limits asked for by an AGR are sent by `agr_limits`
themselves.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Final

from documents.codes import DocumentType
from documents.parts import WHOLE, Span
from hub.aggregates.keyed import keyed_mrid
from hub.aggregates.market_document import identity, remembered
from hub.events import DocumentRepeated, Event, StatusRequested
from hub.ports import Recorded, Row, Sending
from hub.rows import RESPONSES, Response
from hub.state import HubState

RESPONSE: Final = "TPS-RESPONSE"
ASSETS: Final = "TPS-ASSETS"
PART_ASSETS: Final = 1_000
"""Assets in one document of a list (1.5 kB each); a longer list leaves in parts, the last of which is the answer."""
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
    *pushed, last = _spans(event, state)
    rows = [_part(event, span, recorded, state, ("part", span.upto)) for span in pushed]
    return [*rows, _part(event, last, recorded, state, ())]


def _part(event: StatusRequested, span: Span, recorded: Recorded[Event], state: HubState, part: tuple[str, ...]) -> Row:
    """The answer, or one of the parts pushed before it."""
    origin = event.origin
    sender, mrid, _ = identity(origin)
    answer = keyed_mrid(state.secret, "response", sender, mrid, origin.digest, *part)
    response = Response(
        mrid=answer,
        request=origin.mrid,
        subject=event.subject,
        role=origin.role,
        resources=event.resources,
        interval=event.interval,
        span=span,
    )
    kind, document = (ASSETS, answer) if part else (RESPONSE, origin.mrid)
    sending = Sending(business_type=kind, document=document, expires=recorded.at + ANSWERED_WITHIN)
    return Row(view=RESPONSES, audience=sender, key=answer, payload=response, send=sending)


def _spans(event: StatusRequested, state: HubState) -> list[Span]:
    """The spans of a list of all assets, about PART_ASSETS each; what is filtered stays in one document."""
    if event.subject != DocumentType.CONFIGURATION or event.resources:
        return [WHOLE]
    assets = list(state.grid.of(event.origin.sender))
    cuts = ["", *assets[PART_ASSETS - 1 : -1 : PART_ASSETS], ""]
    return [Span(after, upto) for after, upto in pairwise(cuts)]
