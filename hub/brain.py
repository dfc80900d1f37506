"""The hub's pure core behind one door: decide, rows, evolve (ARCHITECTURE 1 and 2; implements hub.ports.Brain).

Which aggregate decides what, which projections exist, how an event is stored and where it belongs: one table each.
Nothing here knows of time, randomness, storage or documents' XML.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, assert_never, get_args

from msgspec import Struct

from documents.values import Identifier, Mrid
from hub import commands as c
from hub import events as e
from hub.aggregates import (
    capacity_limit,
    connection_point,
    holder_conflict,
    limit_copies,
    market_document,
    market_participant,
    operational_schedule,
    registered_resource,
    retention,
    status_request,
)
from hub.aggregates.keyed import keyed_mrid
from hub.errors import Rejected
from hub.ports import Recorded, Row
from hub.projections.catalogue import CATALOGUE, Projection
from hub.restored import STREAM, StoreRestored
from hub.state import HubState
from hub.tagged import Tagged

__all__ = ["PROJECTIONS", "BrainSettings", "HubBrain", "Projection", "keyed_mrid"]

PROJECTIONS: Final[tuple[Projection, ...]] = tuple(entry.rows for entry in CATALOGUE)
"""Every way out of an event, in the order of their rows."""

_EVENTS: Final = Tagged[e.Event](e.Event, lifts=e.LIFTS)


class BrainSettings(Struct, frozen=True):
    """Who the hub is, and the secret that keys its mRIDs. Another secret breaks the thread of every document."""

    hub: Identifier
    secret: bytes
    national: str = "NDK"


class HubBrain:
    """See the charter. One desk holds it; nobody else calls it."""

    def __init__(self, settings: BrainSettings, *, projections: Sequence[Projection] = PROJECTIONS) -> None:
        self._state = HubState(settings.secret)
        self._reading = {kind: [each for each in projections if _reads(each, kind)] for kind in get_args(e.Event)}

    def decide(self, command: c.Command, now: datetime) -> Sequence[e.Event]:  # noqa: C901 - one arm for each command
        """The events a command causes on the present state; changes nothing.

        Raises:
            Rejected: a command of the operator that cannot be done. A document's refusal is an event.
        """
        state = self._state
        match command:
            case c.NoteAcknowledgement():
                return market_document.decide_note_acknowledgement(command, state)
            case c.Quarantine():
                return market_document.decide_quarantine(command, state)
            case c.AddParticipant():
                return market_participant.decide_add(command, state)
            case c.SuspendParticipant():
                return market_participant.decide_suspend(command, state)
            case c.ResumeParticipant():
                return market_participant.decide_resume(command, state)
            case c.ReassignResource():
                return registered_resource.decide_reassign_resource(command, state)
            case c.ReassignPoint():
                return connection_point.decide_reassign_point(command, state)
            case c.RaiseAlarm():
                return market_document.decide_raise_alarm(command, state)
            case c.ErasePayloads():
                return retention.decide_erase_payloads(command)
            case c.RetryMessage():
                return (_retried(command),)
            case _:
                return self._decide_document(command, now)

    def _decide_document(
        self, command: market_participant.DocumentCommand | c.RefuseDocument, now: datetime
    ) -> Sequence[e.Event]:
        """Exactly one answer to every document (R26): a repeat, a refusal, or what its aggregate decides."""
        known = market_document.decide_repeat(command.origin, self._state)
        if known is not None:
            return (known,)
        if isinstance(command, c.RefuseDocument):
            return market_document.decide_refuse(command)
        try:
            market_participant.check_sender(command, self._state)
            return self._decide_content(command, now)
        except Rejected as error:
            return (market_document.refusal(command.origin, error.code, error.text),)

    def _decide_content(self, command: market_participant.DocumentCommand, now: datetime) -> Sequence[e.Event]:
        state = self._state
        match command:
            case c.RegisterResources():
                return registered_resource.decide_register_resources(command, state, now)
            case c.RegisterPoints():
                return connection_point.decide_register_points(command, state, now)
            case c.AnnounceLimit():
                return capacity_limit.decide_announce_limit(command, state, now)
            case c.OrderLimit():
                return capacity_limit.decide_order_limit(command, state, now)
            case c.CancelLimit():
                return capacity_limit.decide_cancel_limit(command, state, now)
            case c.SubmitSchedules():
                return operational_schedule.decide_submit_schedules(command, state, now)
            case c.AskStatus():
                return status_request.decide_ask(command, state, now)
            case _:
                assert_never(command)

    def rows(self, recorded: Recorded[e.Event]) -> Sequence[Row]:
        """The rows an event causes, seen from the state before it."""
        return [row for projection in self._reading[type(recorded.event)] for row in projection(recorded, self._state)]

    def evolve(self, recorded: Recorded[e.Event]) -> None:  # noqa: C901 - one arm for each aggregate
        """Fold an event into the state; what follows from a move first, while the old place is still known."""
        event, at, state = recorded.event, recorded.at, self._state
        limit_copies.evolve_copies(limit_copies.copy_changes(event, state, at), state)
        operational_schedule.evolve_moved_plans(event, state, at)
        match event:  # the most frequent first: a class that does not fit costs as much as folding
            case e.ScheduleSubmitted() | e.ScheduleWithdrawn():
                operational_schedule.evolve_schedule(event, state, at)
            case e.DocumentAnswered():
                market_document.evolve_verdict(event, state)
            case e.ParticipantAdded() | e.ParticipantSuspended() | e.ParticipantResumed():
                market_participant.evolve_participant(event, state)
            case e.PointRegistered() | e.PointRemoved() | e.PointReassigned():
                connection_point.evolve_point(event, state)
            case e.ResourceRegistered() | e.ResourceRemoved() | e.ResourceReassigned():
                registered_resource.evolve_resource(event, state)
            case e.LimitAnnounced() | e.LimitOrdered() | e.LimitCancelled():
                capacity_limit.evolve_limit(event, state, at)
            case e.StatusRequested():
                status_request.evolve_asked(event, state, at)
            case e.PushAcknowledged():
                market_document.evolve_acknowledged(event, state)
            case e.HolderConflictNoted():
                holder_conflict.evolve_conflict(event, state, at)
            case e.AlarmRaised():
                market_document.evolve_alarm(event, state)
            case (
                e.DocumentRepeated()
                | e.MessageQuarantined()
                | e.MessageRetried()
                | e.PayloadsErased()
                | e.ViewsRebuilt()
                | StoreRestored()
            ):
                pass
            case _:
                assert_never(event)

    def savepoint(self) -> int:
        """Remember the present state."""
        return self._state.journal.savepoint()

    def rollback(self, savepoint: int) -> None:
        """Return to a remembered state, at a cost proportional to what happened since."""
        self._state.journal.rollback(savepoint)

    @property
    def undoable(self) -> int:
        """Writes that a rollback to the oldest remembered state would take back: what a batch has cost."""
        return len(self._state.journal)

    @property
    def state(self) -> HubState:
        """The present state, for an audit; only the brain writes it."""
        return self._state

    def limit_of_copy(self, audience: Identifier, mrid: Mrid) -> Mrid | None:
        """The mRID of the DSO's limit behind an AGR's copy, for the hub's own eyes; None for what is no copy."""
        limit = self._state.copied.get((audience, mrid))
        return limit[1] if limit else None

    def contents(self) -> dict[str, Any]:
        """The whole state by name, to compare two brains; its values differ in type."""
        return self._state.contents()

    def encode(self, event: e.Event) -> tuple[str, bytes]:
        """Topic (the tag `Name.v1`) and state (MessagePack) of an event."""
        return _EVENTS.encode(event)

    def decode(self, topic: str, state: bytes) -> e.Event:
        """The event, lifted to the present version. Raises UnknownEvent."""
        return _EVENTS.decode(topic, state)

    def stream_of(self, event: e.Event) -> str:
        """The aggregate an event belongs to."""
        return _STREAMS[type(event)](event)


def _reads(projection: Projection, kind: type) -> bool:
    """Whether a projection may make rows of this kind of event; one that no catalogue knows is asked every time."""
    return all(kind in entry.events for entry in CATALOGUE if entry.rows is projection)


def _retried(command: c.RetryMessage) -> e.MessageRetried:
    return e.MessageRetried(
        message_id=command.message_id,
        receiver=command.receiver,
        document=command.document,
        again=command.again,
        why=command.why,
        by=command.by,
    )


def _of(kind: str, *names: str) -> Callable[[Any], str]:
    """Stream `kind/…` from fields of the event."""
    return partial(_named, kind, names)


def _named(kind: str, names: tuple[str, ...], event: Any) -> str:  # an event that has the fields
    return "/".join((kind, *(getattr(event, name) for name in names)))


def _document(event: Any) -> str:  # an event with an origin
    sender, mrid, _ = market_document.identity(event.origin)
    return f"document/{sender}/{mrid}"


_STREAMS: Final[dict[type, Callable[[Any], str]]] = {
    e.ParticipantAdded: _of("participant", "participant"),
    e.ParticipantSuspended: _of("participant", "participant"),
    e.ParticipantResumed: _of("participant", "participant"),
    e.PointRegistered: _of("point", "point"),
    e.PointRemoved: _of("point", "point"),
    e.PointReassigned: _of("point", "point"),
    e.ResourceRegistered: _of("resource", "resource"),
    e.ResourceRemoved: _of("resource", "resource"),
    e.ResourceReassigned: _of("resource", "resource"),
    e.LimitAnnounced: _of("limit", "dso", "mrid"),
    e.LimitOrdered: _of("limit", "dso", "mrid"),
    e.LimitCancelled: _of("limit", "dso", "mrid"),
    e.ScheduleSubmitted: _of("schedule", "operator", "mrid"),
    e.ScheduleWithdrawn: _of("schedule", "operator", "mrid"),
    e.StatusRequested: _document,
    e.DocumentAnswered: _document,
    e.DocumentRepeated: _document,
    e.MessageQuarantined: _document,
    e.PushAcknowledged: _of("push", "participant", "document"),
    e.HolderConflictNoted: _of("participant", "participant"),
    e.AlarmRaised: _of("alarm", "subject"),
    e.PayloadsErased: _of("payloads", "by"),
    e.MessageRetried: _of("message", "message_id"),
    e.ViewsRebuilt: _of("views"),
    StoreRestored: _of(STREAM),
}
