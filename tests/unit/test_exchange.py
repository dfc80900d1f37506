"""The table of delivery states (R29)."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.mades.exchange import ENDS, TRANSITIONS, fold, fold_acknowledgement
from hub.mades.message import InternalType
from hub.ports import MessageState

RANK = {MessageState.ACCEPTED: 0, MessageState.DELIVERED: 1, MessageState.RECEIVED: 2, MessageState.FAILED: 3}
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
EVENTS = st.lists(st.sampled_from(InternalType))


def test_r29_delivery_then_receive_is_the_usual_way() -> None:
    delivered = fold(MessageState.ACCEPTED, "DELIVERY_ACKNOWLEDGEMENT")

    assert delivered is MessageState.DELIVERED
    assert fold(delivered, "RECEIVE_ACKNOWLEDGEMENT") is MessageState.RECEIVED


def test_r29_acknowledgements_end_alike_in_any_order_and_number() -> None:
    for order in permutations([InternalType.DELIVERY, InternalType.DELIVERY, InternalType.RECEIVE]):
        state = MessageState.ACCEPTED
        for event in order:
            state = fold(state, event)
        assert state is MessageState.RECEIVED


@given(events=EVENTS)
def test_r29_a_state_never_goes_back_and_an_end_is_never_left(events: list[InternalType]) -> None:
    state = MessageState.ACCEPTED
    for event in events:
        after = fold(state, event)
        assert RANK[after] >= RANK[state]
        assert state not in ENDS or after is state
        state = after


@pytest.mark.parametrize("state", [MessageState.ACCEPTED, MessageState.DELIVERED])
def test_r29_a_failure_ends_a_message_that_is_not_received(state: MessageState) -> None:
    assert fold(state, InternalType.FAILURE) is MessageState.FAILED


def test_r29_a_failure_cannot_undo_what_was_received() -> None:
    assert fold(MessageState.RECEIVED, InternalType.FAILURE) is MessageState.RECEIVED


def test_an_answered_trace_is_delivered_and_business_messages_move_nothing() -> None:
    assert fold(MessageState.ACCEPTED, InternalType.TRACED) is MessageState.DELIVERED
    assert not any(event in (InternalType.STANDARD, InternalType.TRACING) for _, event in TRANSITIONS)


@pytest.mark.parametrize(
    ("event", "reason", "late_by_s", "state"),
    [
        (InternalType.RECEIVE, "E-EXPIRED", 0, MessageState.RECEIVED),
        (InternalType.RECEIVE, "E-EXPIRED", -60, MessageState.RECEIVED),
        (InternalType.RECEIVE, "E-EXPIRED", 1, MessageState.FAILED),
        (InternalType.DELIVERY, "E-EXPIRED", -60, MessageState.FAILED),
        (InternalType.RECEIVE, "E-BA-REJECTED", -60, MessageState.FAILED),
        (InternalType.RECEIVE, None, -60, MessageState.FAILED),
    ],
)
def test_r29_only_a_receipt_in_time_revives_a_message_that_was_given_up_as_expired(
    event: InternalType, reason: str | None, late_by_s: int, state: MessageState
) -> None:
    event_time = NOON + timedelta(seconds=late_by_s)

    folded = fold_acknowledgement(MessageState.FAILED, event, reason=reason, event_time=event_time, expires=NOON)

    assert folded is state


def test_an_unknown_event_is_an_error_and_not_a_state() -> None:
    with pytest.raises(ValueError, match="SOMETHING"):
        fold(MessageState.ACCEPTED, "SOMETHING")
