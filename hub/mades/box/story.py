"""Where a message is, told as CheckMessageStatus tells it: state, times, and a trace hop by hop (pure)."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from hub import ports
from hub.mades.box.interface import MessageStatus, MessageTraceItem
from hub.mades.box.rows import Received, Sent, Tested
from hub.mades.errors import CATALOGUE
from hub.ports import MessageState, TraceStep

SENDER, BROKER, RECEIVER = "sender endpoint", "broker", "receiver endpoint"
TRANSPORTED: Final = "TRANSPORTED"
RETRY: Final = "RETRY"
"""A step of ours that the standard has no word for: the message is what it was, and tried again."""


def of_sent(sent: Sent, found: ports.MessageStatus | None, *, me: str) -> MessageStatus:
    """A message of ours; `found` is what the outbox of the store knows of it."""
    trace = tuple(_steps(found.trace if found else (), me))
    arrived = (item.timestamp for item in trace if item.component_description == RECEIVER and item.state != "FAILED")
    return MessageStatus(
        message_id=sent.message_id,
        state=found.state if found else MessageState.ACCEPTED,
        receiver_code=sent.receiver,
        sender_code=me,
        business_type=sent.business_type,
        sender_application=sent.sender_application,
        ba_message_id=sent.ba_message_id,
        send_timestamp=sent.at,
        receive_timestamp=min(arrived, default=None),
        trace=trace,
    )


def of_received(received: Received, *, me: str) -> MessageStatus:
    """A message from somebody else."""
    state = MessageState.DELIVERED
    trace = [_item(received.at, state, me, RECEIVER)]
    if received.confirmed:
        state = MessageState.RECEIVED
        trace.append(_item(received.confirmed, state, me, RECEIVER))
    elif received.expired:
        state = MessageState.FAILED
        trace.append(_item(received.expired, state, me, RECEIVER, _explained("E-EXPIRED")))
    return MessageStatus(
        message_id=received.message_id,
        state=state,
        receiver_code=me,
        sender_code=received.sender,
        business_type=received.business_type,
        sender_application=received.sender_application,
        ba_message_id=received.ba_message_id,
        send_timestamp=received.generated,
        receive_timestamp=received.at,
        trace=tuple(trace),
    )


def of_test(tested: Tested, *, me: str) -> MessageStatus:
    """A connectivity test: DELIVERED when its receiver has answered."""
    trace = tuple(_test_steps(tested, me))
    return MessageStatus(
        message_id=tested.message_id,
        state=MessageState(trace[-1].state),
        receiver_code=tested.receiver,
        sender_code=me,
        business_type=tested.business_type,
        send_timestamp=tested.at,
        receive_timestamp=tested.ended if tested.receiver_ms is not None else None,
        trace=trace,
    )


def _test_steps(tested: Tested, me: str) -> Iterator[MessageTraceItem]:
    yield _item(tested.at, MessageState.ACCEPTED, me, SENDER)
    if tested.ended is None:
        return
    if tested.receiver_ms is None:
        yield _item(tested.ended, MessageState.FAILED, me, SENDER, tested.failure)
        return
    yield _item(tested.ended, TRANSPORTED, me, BROKER, f"confirmed after {tested.broker_ms:.0f} ms")
    answered = f"answered after {tested.receiver_ms:.0f} ms"
    yield _item(tested.ended, MessageState.DELIVERED, tested.receiver, RECEIVER, answered)


def _steps(steps: Iterable[TraceStep], me: str) -> Iterator[MessageTraceItem]:
    """Steps as the outbox keeps them: what another component said, what we did, or what the broker confirmed to us."""
    state = str(MessageState.ACCEPTED)
    for step in steps:
        where = RECEIVER if step.component != me else BROKER if step.state == TRANSPORTED else SENDER
        if step.state == RETRY:
            yield _item(step.at, state, step.component, where, f"tried again: {step.details}")
            continue
        state = step.state if step.state in list(MessageState) else state
        yield _item(step.at, step.state, step.component, where, _explained(step.details))


def _item(at: datetime, state: str, component: str, description: str, details: str = "") -> MessageTraceItem:
    return MessageTraceItem(
        timestamp=at, state=state, component=component, component_description=description, details=details
    )


def _explained(details: str) -> str:
    """A code of the catalogue with its meaning; anything else as it is."""
    return f"{details}: {CATALOGUE[details].when}" if details in CATALOGUE else details
