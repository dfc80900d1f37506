"""Registrations: a component asks, the operator decides (R1, MADES 4.5.1; pure).

That the requests are signed with the keys they carry is checked outside, before they come here.
"""

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from hub.directory import invitation
from hub.directory.commands import Approve, Register, Reject
from hub.directory.events import (
    CertificateRevoked,
    ComponentRegistered,
    Event,
    RegistrationApproved,
    RegistrationRejected,
)
from hub.directory.refusals import Refusal, refuse
from hub.directory.state import DirectoryState, RegistrationState
from hub.directory.values import Contact, Party, Status
from hub.mades.certificates import CertificateType

TEXT_MAX: Final = 200


def decide_register(command: Register, state: DirectoryState, now: datetime) -> tuple[ComponentRegistered, ...]:
    """Take a registration in, to wait for the operator. Raises Rejected."""
    party = command.party
    if command.token is not None:
        party = invitation.opened(command.token, command.code, state, now).party
    if party is None and command.code in state.components:
        party = state.components[command.code].party
    invitation.check_code(command.code, party)
    invitation.check_party(command.code, party, state)
    _check_contact(command.contact)
    if sorted(request.type for request in command.requests) != sorted(CertificateType):
        refuse(Refusal.INVALID, f"Expected one request for each of {', '.join(CertificateType)}.")
    if command.code in state.pending:
        refuse(Refusal.STATE, f"A registration of {command.code} waits for the operator already. Wait for its answer.")
    return (
        ComponentRegistered(
            registration=command.registration,
            code=command.code,
            party=party,
            contact=command.contact,
            requests=command.requests,
            token=command.token,
        ),
    )


def decide_approve(command: Approve, state: DirectoryState) -> tuple[Event, ...]:
    """Let a registration in (R1). Raises Rejected.

    A component that registers anew loses the certificates it had. It keeps its queue suffix: what waits for it at the
    broker is still found.
    """
    waiting = _waiting(command.registration, state)
    party = _agreed(waiting.party, command.party)
    invitation.check_code(waiting.code, party)
    invitation.check_party(waiting.code, party, state)
    known = state.components.get(waiting.code)
    lapsed = (
        CertificateRevoked(
            code=waiting.code, certificate_id=old.certificate_id, why="replaced by a new registration", by=command.by
        )
        for old in (known.trusted if known else ())
    )
    approved = RegistrationApproved(
        registration=command.registration,
        code=waiting.code,
        party=party,
        certificates=command.certificates,
        queue_suffix=known.queue_suffix if known else command.queue_suffix,
        why=command.why,
        by=command.by,
    )
    return (*lapsed, approved)


def decide_reject(command: Reject, state: DirectoryState) -> tuple[RegistrationRejected, ...]:
    """Turn a registration down; its token stays used. Raises Rejected."""
    code = _waiting(command.registration, state).code
    return (RegistrationRejected(registration=command.registration, code=code, why=command.why, by=command.by),)


def check_approvable(registration: str, party: Party | None, state: DirectoryState) -> RegistrationState:
    """The registration to make certificates for, known to be approvable as this party. Raises Rejected."""
    waiting = _waiting(registration, state)
    invitation.check_code(waiting.code, _agreed(waiting.party, party))
    return waiting


def evolve_registration(
    event: ComponentRegistered | RegistrationApproved | RegistrationRejected, state: DirectoryState, at: datetime
) -> None:
    """Fold what happens to a registration."""
    match event:
        case ComponentRegistered():
            now = RegistrationState(
                code=event.code,
                party=event.party,
                status=Status.PENDING,
                contact=event.contact,
                requests=event.requests,
                token=event.token,
                registered=at,
            )
            state.pending.put(event.code, event.registration)
        case RegistrationApproved():
            now = replace(state.registrations[event.registration], status=Status.APPROVED, party=event.party)
            state.pending.drop(event.code)
        case RegistrationRejected():
            now = replace(state.registrations[event.registration], status=Status.REJECTED)
            state.pending.drop(event.code)
    state.registrations.put(event.registration, now)


def _waiting(registration: str, state: DirectoryState) -> RegistrationState:
    found = state.registrations.get(registration)
    if found is None:
        refuse(Refusal.UNKNOWN, "No registration has this id. See `tps directory list`.")
    if found.status is not Status.PENDING:
        refuse(Refusal.STATE, f"This registration is {found.status} already.")
    return found


def _agreed(invited: Party | None, named: Party | None) -> Party:
    if invited and named and invited is not named:
        refuse(Refusal.STATE, f"It was invited as {invited}, not as {named}. Reject it, and invite it anew.")
    party = invited or named
    if party is None:
        refuse(Refusal.INVALID, "Nobody has said which party this is. Name it with --party (R1).")
    return party


def _check_contact(contact: Contact) -> None:
    for name in contact.__struct_fields__:
        text: str = getattr(contact, name)
        if len(text) > TEXT_MAX or not text.isprintable():
            refuse(Refusal.INVALID, f"{name} is not one line of at most {TEXT_MAX} printable characters.")
    if not contact.organization.strip():
        refuse(Refusal.INVALID, "organization is empty. Say who operates the component.")
