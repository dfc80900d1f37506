"""Every projection by name: its version, the views it makes, and how (R32).

Every way out of an event: what a privacy reviewer reads after hub/rows.py. A projection whose rows would differ for the
same events gets a new VERSION; its views are then rebuilt when the hub starts.
"""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from hub.aggregates.limit_copies import TURNING
from hub.aggregates.placement import MOVING
from hub.events import (
    AlarmRaised,
    DocumentAnswered,
    DocumentRepeated,
    Event,
    HolderConflictNoted,
    LimitAnnounced,
    LimitOrdered,
    MessageQuarantined,
    ParticipantAdded,
    ParticipantResumed,
    ParticipantSuspended,
    PushAcknowledged,
    ResourceReassigned,
    ResourceRegistered,
    ResourceRemoved,
    ScheduleSubmitted,
    ScheduleWithdrawn,
    StatusRequested,
)
from hub.ports import Recorded, Row
from hub.projections import (
    acknowledgements,
    agr_assets,
    agr_limits,
    document_trail,
    dso_assets,
    dso_schedules,
    limit_contents,
    operator_board,
    operator_plans,
    operator_registry,
    responses,
)
from hub.rows import (
    ACKNOWLEDGEMENTS,
    AGR_ASSETS,
    AGR_LIMITS,
    ALARMS,
    DOCUMENT_TRAIL,
    DSO_ASSETS,
    DSO_SCHEDULES,
    LIMIT_CONTENTS,
    OPERATOR_ASSETS,
    OPERATOR_LIMITS,
    OPERATOR_POINTS,
    OPERATOR_SCHEDULES,
    PARTICIPANTS,
    RESPONSES,
)
from hub.state import HubState

Projection = Callable[[Recorded[Event], HubState], Sequence[Row]]


class Entry(Struct, frozen=True):
    """One projection. The name is that of its module, and never changes; it makes rows of these `events` only."""

    name: str
    version: int
    views: tuple[str, ...]
    events: frozenset[type]
    rows: Projection


REQUESTS: Final[frozenset[type]] = frozenset({StatusRequested, DocumentRepeated})
"""What is answered with data; a repeated request is answered again."""

CATALOGUE: Final = (
    Entry("agr_limits", agr_limits.VERSION, (AGR_LIMITS,), TURNING | REQUESTS, agr_limits.rows),
    Entry("dso_assets", dso_assets.VERSION, (DSO_ASSETS,), MOVING, dso_assets.rows),
    Entry(
        "dso_schedules",
        dso_schedules.VERSION,
        (DSO_SCHEDULES,),
        MOVING | {ScheduleSubmitted, ScheduleWithdrawn},
        dso_schedules.rows,
    ),
    Entry(
        "agr_assets",
        agr_assets.VERSION,
        (AGR_ASSETS,),
        frozenset({ResourceRegistered, ResourceRemoved, ResourceReassigned}),
        agr_assets.rows,
    ),
    Entry("responses", responses.VERSION, (RESPONSES,), REQUESTS, responses.rows),
    Entry(
        "acknowledgements",
        acknowledgements.VERSION,
        (ACKNOWLEDGEMENTS,),
        REQUESTS | {DocumentAnswered},
        acknowledgements.rows,
    ),
    Entry(
        "operator_board",
        operator_board.VERSION,
        (PARTICIPANTS, OPERATOR_LIMITS, ALARMS),
        TURNING
        | {ParticipantAdded, ParticipantSuspended, ParticipantResumed}
        | {PushAcknowledged, HolderConflictNoted, MessageQuarantined, AlarmRaised},
        operator_board.rows,
    ),
    Entry(
        "operator_registry",
        operator_registry.VERSION,
        (OPERATOR_ASSETS, OPERATOR_POINTS),
        MOVING,
        operator_registry.rows,
    ),
    Entry(
        "operator_plans",
        operator_plans.VERSION,
        (OPERATOR_SCHEDULES,),
        MOVING | {ScheduleSubmitted, ScheduleWithdrawn},
        operator_plans.rows,
    ),
    Entry(
        "limit_contents",
        limit_contents.VERSION,
        (LIMIT_CONTENTS,),
        frozenset({LimitAnnounced, LimitOrdered}),
        limit_contents.rows,
    ),
    Entry(
        "document_trail",
        document_trail.VERSION,
        (DOCUMENT_TRAIL,),
        frozenset({DocumentAnswered, StatusRequested}),
        document_trail.rows,
    ),
)
