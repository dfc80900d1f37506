"""The directory's pure core behind one door: decide, rows, evolve (implements hub.ports.Brain)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, assert_never

from hub.directory import commands as c
from hub.directory import component, disclosure, invitation, registration
from hub.directory import events as e
from hub.directory.state import DirectoryState
from hub.ports import Recorded, Row
from hub.restored import STREAM, StoreRestored
from hub.tagged import Tagged

_EVENTS: Final = Tagged[e.Event](e.Event, lifts=e.LIFTS)


class DirectoryBrain:
    """See the charter. One desk holds it; `state` may be read between two of its commands."""

    def __init__(self, directory: str) -> None:
        """`directory` is the code of the directory itself."""
        self._directory = directory
        self.state = DirectoryState()

    def decide(self, command: c.Command, now: datetime) -> Sequence[e.Event]:  # noqa: C901 - one arm for each command
        """The events a command causes on the present state; changes nothing. Raises Rejected."""
        state = self.state
        match command:
            case c.IssueToken():
                return invitation.decide_issue(command, state, now)
            case c.WithdrawToken():
                return invitation.decide_withdraw(command, state)
            case c.Register():
                return registration.decide_register(command, state, now)
            case c.Approve():
                return registration.decide_approve(command, state)
            case c.Reject():
                return registration.decide_reject(command, state)
            case c.Configure():
                return component.decide_configure(command, state)
            case c.Renew():
                return component.decide_renew(command, state, now)
            case c.RevokeCertificate():
                return component.decide_revoke_certificate(command, state)
            case c.RevokeComponent():
                return component.decide_revoke(command, state)
            case c.ReapproveComponent():
                return component.decide_reapprove(command, state)
            case c.NoteThrownOut():
                return component.decide_note_thrown_out(command, state)
            case _:
                assert_never(command)

    def rows(self, recorded: Recorded[e.Event]) -> Sequence[Row]:
        """The rows an event causes, seen from the state before it."""
        return list(disclosure.rows(recorded, self.state, self._directory))

    def evolve(self, recorded: Recorded[e.Event]) -> None:
        """Fold an event into the state."""
        event, state, at = recorded.event, self.state, recorded.at
        match event:
            case e.TokenIssued() | e.TokenWithdrawn():
                invitation.evolve_token(event, state, at)
            case e.ComponentRegistered():
                invitation.evolve_token(event, state, at)
                registration.evolve_registration(event, state, at)
            case e.RegistrationRejected():
                registration.evolve_registration(event, state, at)
            case e.RegistrationApproved():
                component.evolve_component(event, state, at)
                registration.evolve_registration(event, state, at)
            case StoreRestored():
                pass
            case _:
                component.evolve_component(event, state, at)

    def savepoint(self) -> int:
        """Remember the present state."""
        return self.state.journal.savepoint()

    def rollback(self, savepoint: int) -> None:
        """Return to a remembered state."""
        self.state.journal.rollback(savepoint)

    def encode(self, event: e.Event) -> tuple[str, bytes]:
        """Topic (the tag `Name.v1`) and state (MessagePack) of an event."""
        return _EVENTS.encode(event)

    def decode(self, topic: str, state: bytes) -> e.Event:
        """The event, lifted to the present version. Raises UnknownEvent."""
        return _EVENTS.decode(topic, state)

    def stream_of(self, event: e.Event) -> str:
        """The component an event belongs to; an invitation has a stream of its own."""
        match event:
            case e.TokenIssued() | e.TokenWithdrawn():
                return f"token/{event.fingerprint}"
            case StoreRestored():
                return STREAM
            case _:
                return f"component/{event.code}"
