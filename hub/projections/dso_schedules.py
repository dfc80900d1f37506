"""What a DSO knows of the plans of assets on its grid: signed watts, never whose (F9, R7, R25).

The series' mRID is a keyed hash: the same for every revision, and nobody can tell from it which documents belong
together. These rows have no `send`: the beat gathers them (R12). A plan that leaves stays a row marked withdrawn, so
that the document of the beat can name it.
"""

from collections.abc import Sequence
from typing import Final

from documents.packing import NOTHING
from documents.values import Identifier, Mrid
from hub.aggregates.keyed import keyed_mrid
from hub.aggregates.operational_schedule import PlanChange, plan_changes
from hub.events import Event
from hub.ports import Recorded, Row
from hub.rows import DSO_SCHEDULES, DsoSchedule
from hub.state import HubState, PlanKey

VERSION: Final = 1


def rows(recorded: Recorded[Event], state: HubState) -> Sequence[Row]:
    """One row for each plan that enters, changes in or leaves a DSO's list, by asset and then by the row's own key."""
    found = [_row(change, state.secret) for change in plan_changes(recorded.event, state, recorded.at)]
    # A stable order that owes nothing to operators or their mRIDs (R25).
    return sorted(found, key=lambda row: (row.group, row.audience, row.key))


def series_of(plan: PlanKey, dso: Identifier, secret: bytes) -> Mrid:
    """The mRID of a plan's series at a DSO, which is also the key of its row."""
    operator, mrid, resource = plan
    return keyed_mrid(secret, "schedule", operator, mrid, resource, dso)


def _row(change: PlanChange, secret: bytes) -> Row:
    resource, series = change.plan[2], series_of(change.plan, change.dso, secret)
    return Row(
        view=DSO_SCHEDULES,
        audience=change.dso,
        key=series,
        payload=DsoSchedule(
            series=series, resource=resource, curve=change.curve or NOTHING, withdrawn=change.curve is None
        ),
        group=resource,
        valid=change.interval,
    )
