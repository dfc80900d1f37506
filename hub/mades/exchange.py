"""Delivery states of a sent message, folded by one table (R29).

What lives here: how the state that a sender keeps of its message moves when an acknowledgement arrives, and nothing
else: no storage, no clock, no keys. The store folds with it, so the states in every outbox obey the same table.

Theory of operation (IEC 62325-503, shared design 4.3). A message is ACCEPTED once the sender has committed it. The
receiver commits the message, its effect, and two acknowledgements at once: DELIVERY (I have it) and RECEIVE (my
business side has it). They travel as messages of their own, so they may come twice, late, or in the other order:
states only climb ACCEPTED < DELIVERED < RECEIVED and a lower acknowledgement that comes late changes nothing. FAILED
is the other end: the receiver refused for good (FAILURE), the broker refused, or the message expired. No end is ever
left again, but for one case: the sender gave up at the expiry, and a RECEIVE acknowledgement proves that the receiver
had it in time. The receiver is right then. (ECP keeps FAILED; a stated deviation, see docs/mades.md.)
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from hub.mades.message import InternalType
from hub.ports import MessageState

EXPIRED: Final = "E-EXPIRED"
"""The reason of a message that FAILED because its time was over."""

TRANSITIONS: Final[Mapping[tuple[MessageState, InternalType], MessageState]] = MappingProxyType(
    {
        (MessageState.ACCEPTED, InternalType.DELIVERY): MessageState.DELIVERED,
        (MessageState.ACCEPTED, InternalType.TRACED): MessageState.DELIVERED,
        (MessageState.ACCEPTED, InternalType.RECEIVE): MessageState.RECEIVED,
        (MessageState.ACCEPTED, InternalType.FAILURE): MessageState.FAILED,
        (MessageState.DELIVERED, InternalType.RECEIVE): MessageState.RECEIVED,
        (MessageState.DELIVERED, InternalType.FAILURE): MessageState.FAILED,
    }
)
"""Every event that moves a state; any other pair leaves the state as it is."""

ENDS: Final = frozenset({MessageState.RECEIVED, MessageState.FAILED})
"""States in which a message is no longer sent."""


def fold(state: MessageState, event: str) -> MessageState:
    """The state after an acknowledgement of type `event` (an `InternalType` value)."""
    return TRANSITIONS.get((state, InternalType(event)), state)


def fold_acknowledgement(
    state: MessageState, event: str, *, reason: str | None, event_time: datetime, expires: datetime
) -> MessageState:
    """`fold`, and the one way out of FAILED: it failed for expiry, yet the receiver took it in time.

    `reason` says why the message is FAILED (else None), `expires` is the message's own, `event_time` is when the
    receiver made the acknowledgement.
    """
    in_time = event == InternalType.RECEIVE and event_time <= expires
    if state is MessageState.FAILED and reason == EXPIRED and in_time:
        return MessageState.RECEIVED
    return fold(state, event)


class Again(StrEnum):
    """How an operator may have something sent again."""

    SAME = "same"
    """The message itself once more: its receiver answers a repeat from its store."""
    ANEW = "anew"
    """Its document in a message of its own: FAILED is an end that is never left."""


def again(state: MessageState, *, expires: datetime, now: datetime) -> Again | None:
    """How a message in this state may be sent again; None when it has arrived, or its time is over."""
    if state is MessageState.RECEIVED or now >= expires:
        return None
    return Again.ANEW if state is MessageState.FAILED else Again.SAME
