"""That a DSO is owed the data it asked for (F5, F9, R13). Limits asked for by an AGR are sent by `agr_limits`
themselves.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Final

from documents.codes import DocumentType
from documents.lengths import longest
from documents.parts import WHOLE, Span
from documents.values import Instant
from hub.aggregates.keyed import keyed_mrid
from hub.aggregates.market_document import identity, remembered
from hub.aggregates.status_request import asked_assets, asked_plans
from hub.events import DocumentRepeated, Event, StatusRequested
from hub.ports import Recorded, Row, Sending
from hub.projections.dso_schedules import series_of
from hub.rows import RESPONSES, Response
from hub.state import HubState

VERSION: Final = 1
RESPONSE: Final = "TPS-RESPONSE"
PUSHED: Final = {DocumentType.CONFIGURATION.value: "TPS-ASSETS", DocumentType.SCHEDULE.value: "TPS-SCHEDULES"}
"""How the parts before the answer travel."""
PART_ASSETS: Final = 1_000
"""Assets in one document of a list (1.5 kB each); a longer list leaves in parts, the last of which is the answer."""
PART_BYTES: Final = 8 * 2**20
"""Bytes of plans in one document of a list; a plan that is longer has a document of its own.

Half of what a document holds: plans may grow until it is written.
"""
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
    *pushed, last = _spans(event, state, recorded.at)
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
    kind, document = (PUSHED[event.subject], answer) if part else (RESPONSE, origin.mrid)
    sending = Sending(business_type=kind, document=document, expires=recorded.at + ANSWERED_WITHIN)
    return Row(view=RESPONSES, audience=sender, key=answer, payload=response, send=sending)


def _spans(event: StatusRequested, state: HubState, now: Instant) -> list[Span]:
    """The spans of what is asked for, as much in each as one document holds, by id or by mRID of the series."""
    if event.subject == DocumentType.CONFIGURATION:
        return _cut([(asset, 1) for asset in sorted(asked_assets(event, state))], PART_ASSETS)
    plans = {key: longest(state.plans[key].periods) for key in asked_plans(event, state, now)}
    if sum(plans.values()) <= PART_BYTES:
        return [WHOLE]
    asker = event.origin.sender
    return _cut(sorted((series_of(key, asker, state.secret), size) for key, size in plans.items()), PART_BYTES)


def _cut(sizes: Sequence[tuple[str, int]], most: int) -> list[Span]:
    """Consecutive spans of ids with at most so much in each; what is larger has a span of its own."""
    ends, held = [""], 0
    for (before, _), (_, size) in pairwise([("", 0), *sizes]):
        if held and held + size > most:
            ends.append(before)
            held = 0
        held += size
    return [Span(after, upto) for after, upto in pairwise([*ends, ""])]
