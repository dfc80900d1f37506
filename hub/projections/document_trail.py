"""The operator's trail of documents: what came from whom, and what was answered (F3, R26)."""

from collections.abc import Sequence
from typing import Final

from documents.codes import ReasonCode
from hub.aggregates.market_document import identity
from hub.events import DocumentAnswered, Event, StatusRequested
from hub.ports import OPERATOR, Recorded, Row
from hub.rows import DOCUMENT_TRAIL, TrailEntry
from hub.state import HubState

VERSION: Final = 1
DIGITS_OF_DIGEST: Final = 8


def rows(recorded: Recorded[Event], state: HubState) -> Sequence[Row]:
    """One entry for each document judged; other content under a known identity has an entry of its own (R19)."""
    event = recorded.event
    if not isinstance(event, DocumentAnswered | StatusRequested):
        return []
    origin = event.origin
    sender, mrid, revision = known_as = identity(origin)
    key = f"{sender}/{mrid}/{revision}"
    if state.digests.has(known_as):
        key = f"{key}/{origin.digest[:DIGITS_OF_DIGEST]}"
    entry = TrailEntry(
        sender=sender,
        mrid=origin.mrid,
        revision=revision,
        type=origin.type,
        business_type=origin.business_type,
        digest=origin.digest,
        created=origin.created,
        verdict=_verdict(event),
        reasons=event.reasons if isinstance(event, DocumentAnswered) else (),
    )
    return [Row(view=DOCUMENT_TRAIL, audience=OPERATOR, key=key, payload=entry, group=sender)]


def _verdict(event: DocumentAnswered | StatusRequested) -> str:
    if isinstance(event, DocumentAnswered):
        return event.verdict
    return (ReasonCode.NOT_SPECIFIED if event.empty else ReasonCode.FULLY_ACCEPTED).value
