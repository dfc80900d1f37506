"""What the directory's operator is shown: components and the topology of their paths (floor 7)."""

from datetime import datetime

from msgspec import Struct

from hub.directory import routing
from hub.directory.rows import BoardEntry
from hub.directory.values import ComponentRecord, MessagePath, Party, Status
from hub.mades.certificates import CertificateType
from hub.mades.errors import MadesError


class ShownCertificate(Struct, frozen=True, kw_only=True, rename="camel"):
    """A certificate as lists show it."""

    certificate_id: str
    type: CertificateType
    valid_from: datetime
    valid_to: datetime
    revoked: datetime | None = None


class ShownComponent(Struct, frozen=True, kw_only=True, rename="camel"):
    """A component as lists show it; never its queue suffix."""

    code: str
    party: Party
    status: Status
    organization: str
    email: str
    networks: tuple[str, ...]
    urls: tuple[str, ...]
    version: str
    certificates: tuple[ShownCertificate, ...]
    modified: datetime
    why: str
    by: str


class ShownPath(Struct, frozen=True, kw_only=True, rename="camel"):
    """A path as lists show it; `fault` says why it leads nowhere now."""

    receiver: str
    senders: tuple[str, ...]
    message_type: str
    broker: str | None
    valid_from: datetime
    valid_to: datetime | None
    fault: str = ""


class Listed(Struct, frozen=True):
    """A list of components."""

    items: tuple[ShownComponent, ...]


class Topology(Struct, frozen=True):
    """A list of paths."""

    items: tuple[ShownPath, ...]


def shown(entry: BoardEntry) -> ShownComponent:
    """A component for a list."""
    said = entry.configuration
    return ShownComponent(
        code=entry.code,
        party=entry.party,
        status=entry.status,
        organization=entry.contact.organization,
        email=entry.contact.email,
        networks=said.networks if said else (),
        urls=tuple(url.address for url in said.urls) if said else (),
        version=said.implementation.version if said else "",
        certificates=tuple(
            ShownCertificate(
                certificate_id=held.certificate_id,
                type=held.type,
                valid_from=held.valid_from,
                valid_to=held.valid_to,
                revoked=held.revoked,
            )
            for held in entry.certificates
        ),
        modified=entry.modified,
        why=entry.why,
        by=entry.by,
    )


def topology(board: list[BoardEntry], directory: str, now: datetime) -> list[ShownPath]:
    """Every path of every ACTIVE component, with what is wrong with it at `now`."""
    records = {record.code: record for entry in board if (record := _record(entry, directory))}
    return [
        ShownPath(
            receiver=record.code,
            senders=path.senders,
            message_type=path.message_type,
            broker=path.broker,
            valid_from=path.valid_from,
            valid_to=path.valid_to,
            fault=_fault(path, record, records, now),
        )
        for record in records.values()
        for path in record.configuration.paths
    ]


def _fault(path: MessagePath, receiver: ComponentRecord, records: dict[str, ComponentRecord], now: datetime) -> str:
    if not routing.holds(path, now):
        return "not at this time"
    try:
        routing.broker_of(path, receiver, records)
    except MadesError as error:
        return str(error)
    return ""


def _record(entry: BoardEntry, directory: str) -> ComponentRecord | None:
    if entry.status is not Status.ACTIVE or entry.configuration is None:
        return None
    return ComponentRecord(
        code=entry.code,
        party=entry.party,
        contact=entry.contact,
        configuration=entry.configuration,
        certificates=(),
        created=entry.modified,
        modified=entry.modified,
        directory=directory,
    )
