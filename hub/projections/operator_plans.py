"""Every live plan with whose it is, as the operator of the platform sees it (F3, R6, R24)."""

from collections.abc import Sequence
from typing import Final

from hub.aggregates.operational_schedule import covering, unended
from hub.aggregates.placement import moves
from hub.events import Event, ScheduleSubmitted, ScheduleWithdrawn
from hub.ports import OPERATOR, Recorded, Row
from hub.rows import OPERATOR_SCHEDULES, OperatorSchedule
from hub.state import HubState, PlanKey

VERSION: Final = 1


def rows(recorded: Recorded[Event], state: HubState) -> Sequence[Row]:
    """The plan of the event, or the plans that end because their asset has another operator now (R6)."""
    match recorded.event:
        case ScheduleSubmitted() as event:
            return [_submitted(event)]
        case ScheduleWithdrawn() as event:
            key = (event.operator, event.mrid, event.resource)
            return [_gone(key)] if key in state.plans else []
        case event:
            return [
                _gone(key)
                for resource, after in moves(event, state).items()
                for key in unended(resource, state, recorded.at)
                if after.operator != key[0]
            ]


def _submitted(event: ScheduleSubmitted) -> Row:
    payload = OperatorSchedule(
        operator=event.operator,
        mrid=event.mrid,
        revision=event.revision,
        resource=event.resource,
        curve=event.curve,
    )
    return Row(
        view=OPERATOR_SCHEDULES,
        audience=OPERATOR,
        key=_key((event.operator, event.mrid, event.resource)),
        payload=payload,
        group=event.operator,
        valid=covering(event.intervals),
    )


def _gone(plan: PlanKey) -> Row:
    return Row(view=OPERATOR_SCHEDULES, audience=OPERATOR, key=_key(plan), payload=None, group=plan[0])


def _key(plan: PlanKey) -> str:
    return "/".join(plan)
