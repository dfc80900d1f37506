"""A small directory for tests: components with made-up certificates, and a brain that is played without a desk."""

from datetime import datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import Any

from hub.clock import ORIGIN
from hub.directory import commands as c
from hub.directory.brain import DirectoryBrain
from hub.directory.events import Event
from hub.directory.rows import COMPONENTS
from hub.directory.values import (
    Certificate,
    Configuration,
    Contact,
    Csr,
    Implementation,
    MessagePath,
    Party,
    Restriction,
    Url,
)
from hub.mades.certificates import CertificateType
from hub.ports import Recorded, Row

DIRECTORY = "A01:45V-TPS-DIR-DEMJ"
BROKER = "A01:45V-TPS-BRK-DEME"
HUB = "A01:45X-TPS-HUB-DEM8"
NORTH, SOUTH = "A10:5790000000005", "A10:5790000000012"
ALPHA, BRAVO = "A01:45X-AGR-ALPHA--N", "A01:45X-AGR-BRAVO--B"
YEAR = timedelta(days=365)
CONTACT = Contact(organization="Example", person="Operations", email="ops@example.org", phone="0000000000")
REQUESTS = tuple(Csr(type=kind, der=kind.encode()) for kind in CertificateType)
PROGRAM = Implementation(name="tps", version="1", compatible_versions="1", mades_version=2)
_numbers = count(1)


def certificates(start: datetime = ORIGIN, *, lasting: timedelta = YEAR) -> tuple[Certificate, ...]:
    """One made-up certificate of each type; no two are the same."""
    contents = [(kind, f"{kind} {next(_numbers)}".encode()) for kind in CertificateType]
    return tuple(
        Certificate(
            certificate_id=sha256(der).hexdigest(), type=kind, der=der, valid_from=start, valid_to=start + lasting
        )
        for kind, der in contents
    )


def over_broker(
    message_type: str = "*", *senders: str, start: datetime = ORIGIN, end: datetime | None = None
) -> MessagePath:
    """A path over the broker."""
    return MessagePath(senders=senders, message_type=message_type, broker=BROKER, valid_from=start, valid_to=end)


def configured(*paths: MessagePath, networks: tuple[str, ...] = ("internet",)) -> Configuration:
    """What an endpoint says of itself."""
    return Configuration(networks=networks, paths=paths or (over_broker(),), implementation=PROGRAM)


BROKER_CONFIGURATION = Configuration(
    networks=("internet",),
    urls=(Url(network="internet", address="amqps://broker.example.org:5671"),),
    restriction=Restriction(),
    implementation=PROGRAM,
)
DIRECTORY_CONFIGURATION = Configuration(
    networks=("internet",),
    urls=(Url(network="internet", address="https://directory.example.org:8443"),),
    implementation=PROGRAM,
)


class World:
    """A directory's brain with its log and every row it has made."""

    def __init__(self, now: datetime = ORIGIN) -> None:
        self.now = now
        self.brain = DirectoryBrain(DIRECTORY)
        self.log: list[Recorded[Event]] = []
        self.rows: list[Row] = []
        self._registrations = count(1)

    def do(self, command: c.Command) -> list[Event]:
        """Decide, show and fold a command. Raises Rejected."""
        events = list(self.brain.decide(command, self.now))
        for event in events:
            recorded = Recorded(event, len(self.log) + 1, self.now, "test")
            self.rows.extend(self.brain.rows(recorded))
            self.brain.evolve(recorded)
            self.log.append(recorded)
        return events

    def register(self, code: str, party: Party | None, *, token: str | None = None) -> str:
        """A registration that waits; returns its id."""
        registration = f"reg-{next(self._registrations)}"
        self.do(
            c.Register(
                registration=registration, code=code, party=party, contact=CONTACT, requests=REQUESTS, token=token
            )
        )
        return registration

    def approve(self, registration: str, *, party: Party | None = None) -> tuple[Certificate, ...]:
        """Let it in; returns the certificates it got."""
        issued = certificates(self.now)
        self.do(
            c.Approve(
                registration=registration,
                party=party,
                certificates=issued,
                queue_suffix="0123456789abcdef",
                why="known",
                by="operator",
            )
        )
        return issued

    def admit(self, code: str, party: Party, configuration: Configuration | None = None) -> tuple[Certificate, ...]:
        """From nothing to ACTIVE; returns the certificates."""
        issued = self.approve(self.register(code, party))
        if configuration is None:
            configuration = {Party.BROKER: BROKER_CONFIGURATION, Party.DIRECTORY: DIRECTORY_CONFIGURATION}.get(
                party, configured()
            )
        self.do(c.Configure(code=code, configuration=configuration))
        return issued

    def platform(self) -> None:
        """Directory, broker and hub."""
        self.admit(DIRECTORY, Party.DIRECTORY)
        self.admit(BROKER, Party.BROKER)
        self.admit(HUB, Party.HUB)

    def feed(self, code: str) -> list[Row]:
        """All rows of a component's copy of the directory, in order: their count is its contentID."""
        return [row for row in self.rows if (row.view, row.audience) == (COMPONENTS, code)]

    def copy(self, code: str) -> dict[str, Any]:  # records by code; Any: a row's payload
        """A component's copy of the directory."""
        current = {row.key: row.payload for row in self.feed(code)}
        return {key: record for key, record in current.items() if record is not None}
