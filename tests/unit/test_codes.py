"""The action of an unforeseen limit stands in a Reason A95 of its series (R15)."""

from datetime import UTC, datetime
from typing import get_args

import pytest

from documents.codes import AGR_ROLES, BRP_ROLES, DSO_ROLES, HUB_ROLES, Action, action_of, action_reason
from documents.model import UnavailabilitySeries
from documents.values import Interval, Reason

SPAN = Interval(datetime(2026, 5, 4, tzinfo=UTC), datetime(2026, 5, 5, tzinfo=UTC))


def series(*reasons: Reason) -> UnavailabilitySeries:
    return UnavailabilitySeries(mrid="1", business_type="A54", interval=SPAN, reasons=reasons)


@pytest.mark.parametrize("action", get_args(Action))
def test_r15_an_action_is_read_as_it_is_written(action: Action) -> None:
    assert action_of(series(Reason("B18", "ACTION=HOLD"), action_reason(action), Reason("A95", "see annex"))) == action
    assert action_of(series(action_reason(action), action_reason(action))) == action


@pytest.mark.parametrize(
    "reasons",
    [
        [],
        [Reason("A95")],
        [Reason("A95", "action=stop")],
        [Reason("A95", "ACTION=STOP please")],
        [Reason("B18", "ACTION=STOP")],
        [action_reason("START"), action_reason("STOP")],
    ],
)
def test_r15_anything_else_is_no_action(reasons: list[Reason]) -> None:
    assert action_of(series(*reasons)) is None


def test_r2_no_role_belongs_to_two_kinds_of_participant() -> None:
    groups = [DSO_ROLES, AGR_ROLES, BRP_ROLES, HUB_ROLES]

    assert sum(len(group) for group in groups) == len(frozenset.union(*groups))
    assert "A50" in DSO_ROLES
    assert "A27" in AGR_ROLES
    assert "A32" in HUB_ROLES
