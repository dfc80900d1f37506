"""What somebody is told who registers what another participant holds (R5).

That an asset or point is held is the one thing about others that a participant may learn, so that a mix-up can be
cleared. Learning is rationed: after twenty such answers in an hour, everything that is not already its own is refused
with the same words for the rest of the hour, held or free, so that ids cannot be tried out in bulk.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from documents.codes import ReasonCode
from documents.identifiers import code_of
from documents.model import Fault
from documents.values import Identifier, Instant
from hub.events import HolderConflictNoted
from hub.state import HubState

CONFLICTS_PER_HOUR: Final = 20
HOUR: Final = timedelta(hours=1)


def answered_in_this_hour(state: HubState, participant: Identifier, now: Instant) -> int:
    """How often the participant was told of a holder since its present hour began."""
    since, count = state.conflicts.get(participant) or (now, 0)
    return count if now - since < HOUR else 0


class Ration:
    """How much one document's sender may still learn. Made per decision, counts what the decision itself gives away."""

    def __init__(self, state: HubState, participant: Identifier, now: Instant, document: str) -> None:
        self._left = CONFLICTS_PER_HOUR - answered_in_this_hour(state, participant, now)
        self._participant, self._document = participant, document
        self.noted: list[HolderConflictNoted] = []

    def judge(self, subject: Identifier, *, is_held: bool) -> Sequence[Fault]:
        """Findings about something that is not the sender's own: none when it is free to register."""
        code = code_of(subject)
        if self._left <= 0:
            text = f"{code} cannot be registered now: too many of your registrations met others' ids. Wait an hour."
            return (Fault(ReasonCode.DEADLINE, text),)
        if not is_held:
            return ()
        self._left -= 1
        self.noted.append(HolderConflictNoted(participant=self._participant, subject=subject, document=self._document))
        text = (
            f"{code} is registered by another participant. Check the id; "
            "if it is yours now, ask the operator of the platform to hand it over."
        )
        return (Fault(ReasonCode.SERIES_IDENTIFICATION_CONFLICT, text),)


def evolve_conflict(event: HolderConflictNoted, state: HubState, at: Instant) -> None:
    """Count the answer in the participant's hour."""
    count = answered_in_this_hour(state, event.participant, at)
    since = state.conflicts[event.participant][0] if count else at
    state.conflicts.put(event.participant, (since, count + 1))
