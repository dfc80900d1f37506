"""Participants: who may send what (R1, R2).

The endpoint has already proven that the envelope's sender is who it says; here stands what its role allows. Commands of
the operator raise `Rejected` themselves, because no document asks for an answer.
"""

from typing import Final

import msgspec

from documents.codes import AGR_ROLES, BRP_ROLES, DSO_ROLES, DocumentType, ReasonCode
from documents.errors import IdentifierError
from documents.identifiers import code_of, party
from documents.values import Identifier
from hub.commands import (
    AddParticipant,
    AnnounceLimit,
    AskStatus,
    CancelLimit,
    OrderLimit,
    RegisterPoints,
    RegisterResources,
    ResumeParticipant,
    SubmitSchedules,
    SuspendParticipant,
)
from hub.errors import Rejected
from hub.events import Event, ParticipantAdded, ParticipantResumed, ParticipantSuspended
from hub.state import HubState, ParticipantState
from hub.values import Role

DocumentCommand = (
    RegisterResources | RegisterPoints | AnnounceLimit | OrderLimit | CancelLimit | SubmitSchedules | AskStatus
)

OPERATORS: Final = frozenset({Role.AGR, Role.BRP})
"""Who may operate assets; a BRP may do so itself (R1)."""
GRID: Final = frozenset({Role.DSO})

MAY_SEND: Final[dict[type, frozenset[Role]]] = {
    RegisterResources: OPERATORS,
    RegisterPoints: GRID,
    AnnounceLimit: GRID,
    OrderLimit: GRID,
    CancelLimit: GRID,
    SubmitSchedules: OPERATORS,
}
MAY_ASK: Final[dict[str, frozenset[Role]]] = {
    DocumentType.CONFIGURATION.value: GRID,
    DocumentType.SCHEDULE.value: GRID,
    DocumentType.OUTAGE.value: OPERATORS,
}
"""DocumentType asked for -> who is answered (F5, F9, R13)."""
ROLE_CODES: Final[dict[Role, frozenset[str]]] = {
    Role.DSO: frozenset(DSO_ROLES),
    Role.AGR: frozenset(AGR_ROLES),
    Role.BRP: frozenset(BRP_ROLES | AGR_ROLES),
}
"""Role codes a participant may write in a document. A BRP that operates assets may write that it does."""


def check_sender(command: DocumentCommand, state: HubState) -> None:
    """Raise Rejected (A78, A59) unless the sender is admitted, not suspended, and may send this document (R1, R2)."""
    origin = command.origin
    sender = state.participants.get(origin.sender)
    if sender is None:
        raise Rejected(ReasonCode.SENDER_INVALID, "You are no participant here. Ask the operator of the platform.")
    if sender.suspended:
        raise Rejected(
            ReasonCode.SENDER_INVALID,
            "You are suspended. Ask the operator of the platform, then send it as a new revision or under a new mRID.",
        )
    if sender.role not in _allowed(command):
        raise Rejected(
            ReasonCode.SENDER_INVALID, f"You are registered as {sender.role}, whose part this document is not."
        )
    if origin.role is not None and origin.role not in ROLE_CODES[sender.role]:
        expected = ", ".join(sorted(ROLE_CODES[sender.role]))
        raise Rejected(
            ReasonCode.SENDER_INVALID,
            f"The document names your role {origin.role}, and you are registered as {sender.role}. Give {expected}.",
        )


def _allowed(command: DocumentCommand) -> frozenset[Role]:
    if not isinstance(command, AskStatus):
        return MAY_SEND[type(command)]
    if command.subject not in MAY_ASK:
        expected = ", ".join(sorted(MAY_ASK))
        raise Rejected(
            ReasonCode.NOT_COMPLIANT, f"You asked for DocumentType {command.subject}. Ask for one of {expected}."
        )
    return MAY_ASK[command.subject]


def decide_add(command: AddParticipant, state: HubState) -> tuple[Event, ...]:
    """Admit a participant, or change its name or BRP (R1). Raises Rejected."""
    _check_party(command.participant)
    known = state.participants.get(command.participant)
    if known and known.role != command.role:
        raise Rejected(
            ReasonCode.SENDER_INVALID,
            f"{code_of(command.participant)} is admitted as {known.role} and cannot become {command.role}. "
            "Give the other role an id of its own.",
        )
    _check_brp(command, state)
    if known and (known.name, known.brp) == (command.name, command.brp):
        return ()
    return (
        ParticipantAdded(
            participant=command.participant,
            role=command.role,
            name=command.name,
            brp=command.brp,
            why=command.why,
            by=command.by,
        ),
    )


def _check_party(participant: Identifier) -> None:
    try:
        party(participant)
    except IdentifierError as error:
        raise Rejected(ReasonCode.SENDER_INVALID, str(error)) from error


def _check_brp(command: AddParticipant, state: HubState) -> None:
    """Whom an AGR names as its BRP is one, whichever of the two is admitted first."""
    others_brps = {known.brp for one, known in state.participants.contents().items() if one != command.participant}
    if command.role is not Role.BRP and command.participant in others_brps:
        raise Rejected(
            ReasonCode.SENDER_INVALID,
            f"{code_of(command.participant)} is named as the BRP of an AGR. Admit it as BRP, or name another first.",
        )
    if command.brp is None:
        return
    if command.role is not Role.AGR:
        raise Rejected(ReasonCode.SENDER_INVALID, f"A {command.role} names no BRP; only an AGR does. Leave it out.")
    _check_party(command.brp)
    named = state.participants.get(command.brp)
    role = command.role if command.brp == command.participant else named.role if named else Role.BRP
    if role is not Role.BRP:
        raise Rejected(ReasonCode.SENDER_INVALID, f"{code_of(command.brp)} is admitted as {role}. Name a BRP instead.")


def decide_suspend(command: SuspendParticipant, state: HubState) -> tuple[Event, ...]:
    """Refuse what it sends from now on (R1). Raises Rejected."""
    if _known(command.participant, state).suspended:
        return ()
    return (ParticipantSuspended(participant=command.participant, why=command.why, by=command.by),)


def decide_resume(command: ResumeParticipant, state: HubState) -> tuple[Event, ...]:
    """Take what it sends again (R1). Raises Rejected."""
    if not _known(command.participant, state).suspended:
        return ()
    return (ParticipantResumed(participant=command.participant, why=command.why, by=command.by),)


def check_recipient(participant: Identifier, roles: frozenset[Role], state: HubState) -> None:
    """Raise Rejected unless an asset or point can be handed over to this participant (R6)."""
    role = _known(participant, state).role
    if role not in roles:
        expected = " or ".join(sorted(roles))
        raise Rejected(
            ReasonCode.SENDER_INVALID, f"{code_of(participant)} is admitted as {role}. Name one that is {expected}."
        )


def _known(participant: Identifier, state: HubState) -> ParticipantState:
    known = state.participants.get(participant)
    if known is None:
        raise Rejected(
            ReasonCode.SENDER_INVALID,
            f"{code_of(participant)} is no participant. Admit it with `tps participants add`.",
        )
    return known


def evolve_participant(event: ParticipantAdded | ParticipantSuspended | ParticipantResumed, state: HubState) -> None:
    """Fold an event of one participant."""
    known = state.participants.get(event.participant)
    match event:
        case ParticipantAdded():
            suspended = known.suspended if known else False
            now = ParticipantState(event.role, event.name, event.brp, suspended)
        case ParticipantSuspended() | ParticipantResumed():
            assert known is not None, "only known participants are suspended or resumed"
            now = msgspec.structs.replace(known, suspended=isinstance(event, ParticipantSuspended))
    state.participants.put(event.participant, now)
