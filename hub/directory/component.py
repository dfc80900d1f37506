"""Components once they are approved: configuration, certificates, revocation (MADES 4.5, 4.6; pure)."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final, assert_never

from msgspec.structs import replace

from hub.directory import routing
from hub.directory.commands import (
    Configure,
    NoteThrownOut,
    ReapproveComponent,
    Renew,
    RevokeCertificate,
    RevokeComponent,
)
from hub.directory.events import (
    CertificateRevoked,
    CertificatesIssued,
    ComponentReapproved,
    ComponentRevoked,
    ComponentThrownOut,
    ConfigurationPushed,
    RegistrationApproved,
)
from hub.directory.refusals import Refusal, refuse
from hub.directory.state import ComponentState, DirectoryState, HeldCertificate
from hub.directory.values import (
    ANY,
    Certificate,
    ComponentType,
    Configuration,
    MessagePath,
    Restriction,
    Status,
)
from hub.mades.certificates import CertificateType
from hub.mades.paths import CODE

ComponentEvent = (
    RegistrationApproved
    | ConfigurationPushed
    | CertificatesIssued
    | CertificateRevoked
    | ComponentRevoked
    | ComponentReapproved
    | ComponentThrownOut
)

VALID_MAX: Final = 4
"""Certificates of one type that may hold at the same time: who renews in a loop is stopped."""
LIST_MAX: Final = 200
_NETWORK: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_URL: Final = re.compile(r"(amqps?|https)://[A-Za-z0-9.:\[\]_-]{1,253}(/[A-Za-z0-9._~/-]{0,200})?")
_WORD: Final = re.compile(r"[\x20-\x7e]{1,64}")


def decide_configure(command: Configure, state: DirectoryState) -> tuple[ConfigurationPushed, ...]:
    """Make a component known to others, or change what they know. Raises Rejected."""
    known = _admitted(command.code, state)
    _check_configuration(command.configuration, known, state)
    if command.configuration == known.configuration:
        return ()
    return (ConfigurationPushed(code=command.code, configuration=command.configuration),)


def decide_renew(command: Renew, state: DirectoryState, now: datetime) -> tuple[CertificatesIssued, ...]:
    """Put new certificates beside the present ones. Raises Rejected."""
    check_renewable(command.code, state, now)
    return (CertificatesIssued(code=command.code, certificates=command.certificates),)


def check_renewable(code: str, state: DirectoryState, now: datetime) -> ComponentState:
    """The component to make certificates for. Raises Rejected."""
    known = _admitted(code, state)
    for kind in CertificateType:
        if sum(now < certificate.valid_to for certificate in known.of_type(kind)) >= VALID_MAX:
            refuse(Refusal.STATE, f"{VALID_MAX} {kind} certificates hold already. Use them; renew when they end.")
    return known


def decide_revoke_certificate(command: RevokeCertificate, state: DirectoryState) -> tuple[CertificateRevoked, ...]:
    """Trust a certificate no longer. Raises Rejected."""
    code = state.owners.get(command.certificate_id)
    if code is None:
        refuse(Refusal.UNKNOWN, "No certificate has this id. See `tps directory show CODE`.")
    if command.certificate_id not in {trusted.certificate_id for trusted in state.components[code].trusted}:
        return ()
    return (CertificateRevoked(code=code, certificate_id=command.certificate_id, why=command.why, by=command.by),)


def decide_revoke(command: RevokeComponent, state: DirectoryState) -> tuple[ComponentRevoked, ...]:
    """Put a component out. Raises Rejected."""
    if _known(command.code, state).status is Status.REVOKED:
        return ()
    return (ComponentRevoked(code=command.code, why=command.why, by=command.by),)


def decide_reapprove(command: ReapproveComponent, state: DirectoryState) -> tuple[ComponentReapproved, ...]:
    """Let a revoked component back in. Raises Rejected."""
    if _known(command.code, state).status is not Status.REVOKED:
        return ()
    return (ComponentReapproved(code=command.code, why=command.why, by=command.by),)


def decide_note_thrown_out(command: NoteThrownOut, state: DirectoryState) -> tuple[ComponentThrownOut, ...]:
    """Keep that a component was thrown out at the broker, each time it was. Raises Rejected."""
    _known(command.code, state)
    return (ComponentThrownOut(code=command.code, why=command.why, by=command.by),)


def after(event: ComponentEvent, state: DirectoryState, at: datetime) -> ComponentState:
    """What the component of an event is once it has happened."""
    if isinstance(event, RegistrationApproved):
        return _approved(event, state, at)
    known = state.components[event.code]
    match event:
        case ConfigurationPushed():
            return replace(known, status=Status.ACTIVE, configuration=event.configuration, modified=at)
        case CertificatesIssued():
            return replace(known, certificates=known.certificates + _held(event.certificates), modified=at)
        case CertificateRevoked():
            held = tuple(
                replace(each, revoked=at, why=event.why)
                if each.certificate.certificate_id == event.certificate_id
                else each
                for each in known.certificates
            )
            return replace(known, certificates=held, modified=at)
        case ComponentRevoked():
            return replace(known, status=Status.REVOKED, why=event.why, by=event.by, modified=at)
        case ComponentReapproved():
            status = Status.ACTIVE if known.configuration else Status.APPROVED
            return replace(known, status=status, why=event.why, by=event.by, modified=at)
        case ComponentThrownOut():
            return replace(known, why=event.why, by=event.by)
        case _:
            assert_never(event)


def evolve_component(event: ComponentEvent, state: DirectoryState, at: datetime) -> None:
    """Fold what happens to a component."""
    state.components.put(event.code, after(event, state, at))
    if isinstance(event, RegistrationApproved | CertificatesIssued):
        for certificate in event.certificates:
            state.owners.put(certificate.certificate_id, event.code)


def _approved(event: RegistrationApproved, state: DirectoryState, at: datetime) -> ComponentState:
    known = state.components.get(event.code)
    return ComponentState(
        code=event.code,
        party=event.party,
        status=Status.APPROVED,
        contact=state.registrations[event.registration].contact,
        certificates=(known.certificates if known else ()) + _held(event.certificates),
        queue_suffix=event.queue_suffix,
        created=known.created if known else at,
        modified=at,
        why=event.why,
        by=event.by,
    )


def _held(certificates: Iterable[Certificate]) -> tuple[HeldCertificate, ...]:
    return tuple(HeldCertificate(certificate=certificate) for certificate in certificates)


def _known(code: str, state: DirectoryState) -> ComponentState:
    found = state.components.get(code)
    if found is None:
        refuse(Refusal.UNKNOWN, f"No component {code[:80]!r} was approved. See `tps directory list`.")
    return found


def _admitted(code: str, state: DirectoryState) -> ComponentState:
    known = _known(code, state)
    if known.status is Status.REVOKED:
        refuse(Refusal.STATE, f"{code} is revoked. Ask the operator of the platform.")
    return known


def _check_configuration(said: Configuration, known: ComponentState, state: DirectoryState) -> None:
    if max(len(said.networks), len(said.urls), len(said.paths)) > LIST_MAX:
        refuse(Refusal.INVALID, f"More than {LIST_MAX} networks, urls or paths. Send fewer.")
    if not said.networks:
        refuse(Refusal.INVALID, "networks is empty. Name at least one, for example internet.")
    _each(_NETWORK, said.networks, "network")
    _each(_URL, (url.address for url in said.urls), "url")
    program = said.implementation
    _each(_WORD, (program.name, program.version, program.compatible_versions), "madesImplementation")
    if strange := {url.network for url in said.urls} - set(said.networks):
        refuse(Refusal.INVALID, f"A url names the network {min(strange)}, which is none of networks. Add it there.")
    if known.party.type is not ComponentType.ENDPOINT and said.paths:
        refuse(Refusal.INVALID, "Only an endpoint declares paths. Leave them out.")
    if known.party.type is not ComponentType.BROKER and said.restriction:
        refuse(Refusal.INVALID, "Only a broker has a restriction. Leave it out.")
    for path in said.paths:
        _check_path(path, state)
    if clash := routing.conflict(said.paths):
        refuse(Refusal.INVALID, clash)
    if said.restriction:
        _check_restriction(said.restriction)


def _check_path(path: MessagePath, state: DirectoryState) -> None:
    _each(routing.MESSAGE_TYPE, (path.message_type,), "messageType")
    _each(CODE, path.senders, "senderComponent")
    if len(path.senders) > LIST_MAX:
        refuse(Refusal.INVALID, f"A path names more than {LIST_MAX} senders. Allow any, or name fewer.")
    if path.valid_to is not None and path.valid_to <= path.valid_from:
        refuse(Refusal.INVALID, f"The path for {path.message_type} ends before it begins.")
    if path.broker is None:
        refuse(
            Refusal.INVALID, "The path is DIRECT. Participants meet at the platform's broker only (F1): INDIRECT:CODE."
        )
    broker = state.components.get(path.broker)
    if broker is None or broker.party.type is not ComponentType.BROKER:
        refuse(Refusal.INVALID, f"{path.broker[:80]!r} is no broker of this directory. Name the platform's broker.")


def _check_restriction(said: Restriction) -> None:
    if max(len(said.components), len(said.message_types)) > LIST_MAX:
        refuse(Refusal.INVALID, f"The restriction names more than {LIST_MAX} components or types.")
    _each(CODE, (code for code in said.components if code != ANY), "component")
    _each(routing.MESSAGE_TYPE, said.message_types, "messageType")


def _each(pattern: re.Pattern[str], texts: Iterable[str], what: str) -> None:
    for text in texts:
        if not pattern.fullmatch(text):
            refuse(Refusal.INVALID, f"{what} {text[:80]!r} does not match {pattern.pattern}.")
