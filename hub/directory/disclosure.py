"""Who learns what of an event in the directory (pure; NF3).

A participant may know the platform's own components (hub, broker, directory) and itself. The platform's own components
know everybody: the hub must verify every sender, the broker must know whom to let in. A record is compared as its
viewer sees it, and a row is made only when that has changed: neither the count of rows (contentID) nor an instant in
them tells of anybody else.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec.structs import replace

from documents.values import Identifier
from hub.directory.component import ComponentEvent, after
from hub.directory.events import (
    ComponentRegistered,
    Event,
    RegistrationApproved,
    RegistrationRejected,
    TokenIssued,
    TokenWithdrawn,
)
from hub.directory.rows import (
    APPLICATIONS,
    BOARD,
    COMPONENTS,
    REGISTRATIONS,
    TOKENS,
    Application,
    BoardCertificate,
    BoardEntry,
    Invitation,
    Registration,
)
from hub.directory.state import ComponentState, DirectoryState, RegistrationState
from hub.directory.values import ANY, ComponentRecord, Configuration, Status
from hub.ports import OPERATOR, Recorded, Row
from hub.restored import StoreRestored


def rows(recorded: Recorded[Event], state: DirectoryState, directory: str) -> Iterator[Row]:
    """The rows an event causes, seen from the state before it. `directory` is the home directory's code."""
    event, at = recorded.event, recorded.at
    match event:
        case TokenIssued() | TokenWithdrawn():
            yield _invitation(event, state, at)
        case ComponentRegistered():
            yield from _registered(event, state, at)
        case RegistrationRejected():
            yield from _decided(event, state, at, Status.REJECTED)
        case RegistrationApproved():
            yield from _decided(event, state, at, Status.APPROVED)
            yield from _component(event, state, at, directory)
        case StoreRestored():
            return
        case _:
            yield from _component(event, state, at, directory)


def may_see(viewer: ComponentState, subject: ComponentState) -> bool:
    """Whether a component's copy of the directory holds another one."""
    return viewer.code == subject.code or not (viewer.party.is_participant and subject.party.is_participant)


def as_seen(viewer: ComponentState, subject: ComponentState | None, directory: str) -> ComponentRecord | None:
    """A component as another one knows it; None when it does not."""
    if subject is None or subject.configuration is None or subject.status is not Status.ACTIVE:
        return None
    if not may_see(viewer, subject):
        return None
    configuration = subject.configuration
    if viewer.party.is_participant and viewer.code != subject.code:
        configuration = _without_others(configuration, viewer.code, subject.code)
    return ComponentRecord(
        code=subject.code,
        party=subject.party,
        contact=subject.contact,
        configuration=configuration,
        certificates=subject.trusted,
        created=subject.created,
        modified=subject.modified,
        directory=directory,
    )


def _component(event: ComponentEvent, state: DirectoryState, at: datetime, directory: str) -> Iterator[Row]:
    before, now = state.components.get(event.code), after(event, state, at)
    yield Row(view=BOARD, audience=OPERATOR, key=now.code, payload=_board_entry(now))
    for viewer in _viewers(state, now):
        old, new = as_seen(viewer, before, directory), as_seen(viewer, now, directory)
        if _differ(old, new):
            yield _copy(viewer, now.code, new)
    if before is None:
        for subject in _in_order(state):
            if record := as_seen(now, subject, directory):
                yield _copy(now, subject.code, record)


def _viewers(state: DirectoryState, now: ComponentState) -> Iterator[ComponentState]:
    yield from (component for component in _in_order(state) if component.code != now.code)
    yield now


def _in_order(state: DirectoryState) -> Iterator[ComponentState]:
    components = state.components.contents()
    return (components[code] for code in sorted(components))


def _copy(viewer: ComponentState, code: str, record: ComponentRecord | None) -> Row:
    return Row(view=COMPONENTS, audience=Identifier(viewer.code), key=code, payload=record)


def _differ(old: ComponentRecord | None, new: ComponentRecord | None) -> bool:
    """Whether a viewer sees a difference. The instant of a change is none: it may be a change of what it cannot see."""
    if old is None or new is None:
        return old is not new
    return old != replace(new, modified=old.modified)


def _without_others(said: Configuration, viewer: str, owner: str) -> Configuration:
    """Lists of codes with the viewer and their owner only. None of the two: the owner, as an empty list allows all."""
    allowed = {viewer, owner, ANY}

    def reduced(codes: Iterable[str]) -> tuple[str, ...]:
        return tuple(code for code in codes if code in allowed) or (owner,)

    paths = tuple(replace(path, senders=reduced(path.senders)) if path.senders else path for path in said.paths)
    restriction = said.restriction
    if restriction:
        restriction = replace(restriction, components=reduced(restriction.components))
    return replace(said, paths=paths, restriction=restriction)


def _board_entry(now: ComponentState) -> BoardEntry:
    return BoardEntry(
        code=now.code,
        party=now.party,
        status=now.status,
        contact=now.contact,
        configuration=now.configuration,
        certificates=tuple(
            BoardCertificate(
                certificate_id=held.certificate.certificate_id,
                type=held.certificate.type,
                der=held.certificate.der,
                valid_from=held.certificate.valid_from,
                valid_to=held.certificate.valid_to,
                revoked=held.revoked,
                why=held.why,
            )
            for held in now.certificates
        ),
        queue_suffix=now.queue_suffix,
        modified=now.modified,
        why=now.why,
        by=now.by,
    )


def _invitation(event: TokenIssued | TokenWithdrawn, state: DirectoryState, at: datetime) -> Row:
    if isinstance(event, TokenIssued):
        shown = Invitation(
            fingerprint=event.fingerprint,
            code=event.code,
            party=event.party,
            expires=event.expires,
            why=event.why,
            by=event.by,
        )
    else:
        shown = replace(_shown_token(event.fingerprint, state), withdrawn=at)
    return Row(view=TOKENS, audience=OPERATOR, key=event.fingerprint, payload=shown)


def _shown_token(fingerprint: str, state: DirectoryState) -> Invitation:
    token = state.tokens[fingerprint]
    return Invitation(
        fingerprint=fingerprint,
        code=token.code,
        party=token.party,
        expires=token.expires,
        why=token.why,
        by=token.by,
    )


def _registered(event: ComponentRegistered, state: DirectoryState, at: datetime) -> Iterator[Row]:
    if event.token:
        used = replace(_shown_token(event.token, state), used=at)
        yield Row(view=TOKENS, audience=OPERATOR, key=event.token, payload=used)
    registration = RegistrationState(
        code=event.code,
        party=event.party,
        status=Status.PENDING,
        contact=event.contact,
        requests=event.requests,
        token=event.token,
        registered=at,
    )
    yield _application(event.registration, registration)
    yield Row(
        view=REGISTRATIONS,
        audience=Identifier(event.code),
        key=event.registration,
        payload=Registration(registration=event.registration, code=event.code, status=Status.PENDING),
    )


def _decided(
    event: RegistrationApproved | RegistrationRejected, state: DirectoryState, at: datetime, status: Status
) -> Iterator[Row]:
    registration = replace(state.registrations[event.registration], status=status)
    answer = Registration(registration=event.registration, code=event.code, status=status)
    if isinstance(event, RegistrationRejected):
        answer = replace(answer, why=event.why)
    else:
        registration = replace(registration, party=event.party)
        answer = replace(answer, certificates=event.certificates, queue_suffix=event.queue_suffix)
    yield _application(event.registration, registration, decided=at, why=event.why, by=event.by)
    yield Row(view=REGISTRATIONS, audience=Identifier(event.code), key=event.registration, payload=answer)


def _application(
    registration: str, held: RegistrationState, *, decided: datetime | None = None, why: str = "", by: str = ""
) -> Row:
    shown = Application(
        registration=registration,
        code=held.code,
        party=held.party,
        status=held.status,
        contact=held.contact,
        requests=held.requests,
        token=held.token,
        registered=held.registered,
        decided=decided,
        why=why,
        by=by,
    )
    return Row(view=APPLICATIONS, audience=OPERATOR, key=registration, payload=shown)
