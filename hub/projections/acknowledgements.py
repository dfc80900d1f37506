"""The one answer to each document: its verdict, to its sender (R3, R19, R26).

A repeat gets the first answer again, under the same mRID and with the same content. Nobody but a participant gets one.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from documents.codes import ReasonCode
from documents.model import ReceivedDocument, RejectedSeries
from documents.values import Reason
from hub.aggregates.keyed import keyed_mrid
from hub.aggregates.market_document import identity, remembered
from hub.commands import Origin
from hub.events import DocumentAnswered, DocumentRepeated, Event, StatusRequested
from hub.ports import Recorded, Row, Sending
from hub.rows import ACKNOWLEDGEMENTS, Answer
from hub.state import HubState

VERSION: Final = 1
WORTH: Final = timedelta(hours=24)
WORDS: Final = {
    ReasonCode.FULLY_ACCEPTED.value: "Fully accepted",
    ReasonCode.FULLY_REJECTED.value: "Fully rejected",
    ReasonCode.PARTLY_REJECTED.value: "Accepted but for the series named",
    ReasonCode.NOT_SPECIFIED.value: "No matching data found",
}
"""The text beside the verdict's code, which is the first Reason of an Acknowledgement."""


def rows(recorded: Recorded[Event], state: HubState) -> Sequence[Row]:
    """The answer a verdict or a repeat owes."""
    match recorded.event:
        case DocumentAnswered() | StatusRequested() as event:
            return _answer(event, recorded, state)
        case DocumentRepeated(origin=origin):
            first = remembered(state, origin)
            return _answer(first, recorded, state) if first else []
        case _:
            return []


def _answer(event: DocumentAnswered | StatusRequested, recorded: Recorded[Event], state: HubState) -> Sequence[Row]:
    if event.origin.sender not in state.participants:
        return []
    match event:
        case DocumentAnswered():
            answer = _acknowledgement(event.origin, event.verdict, event.reasons, event.rejected, state.secret)
        case StatusRequested(empty=True):
            answer = _acknowledgement(event.origin, ReasonCode.NOT_SPECIFIED.value, (), (), state.secret)
        case _:
            return []
    about = event.origin.mrid or answer.mrid
    sending = Sending(business_type="TPS-ACK", document=about, expires=recorded.at + WORTH, urgent=True)
    return [Row(view=ACKNOWLEDGEMENTS, audience=event.origin.sender, key=answer.mrid, payload=answer, send=sending)]


def _acknowledgement(
    origin: Origin,
    verdict: str,
    reasons: tuple[Reason, ...],
    rejected: tuple[RejectedSeries, ...],
    secret: bytes,
) -> Answer:
    sender, mrid, revision = identity(origin)
    return Answer(
        mrid=keyed_mrid(secret, "answer", sender, mrid, str(revision), origin.digest),
        role=origin.role,
        received=_received(origin),
        reasons=(Reason(verdict, WORDS.get(verdict)), *reasons),
        rejected=rejected,
    )


def _received(origin: Origin) -> ReceivedDocument:
    """What is answered. Of an unreadable document only the transport's message id is known (R26)."""
    if origin.title is not None:
        return ReceivedDocument(title=origin.title)
    return ReceivedDocument(
        mrid=origin.mrid,
        revision=origin.revision or None,
        type=origin.type,
        process=origin.process,
        created=origin.created,
    )
