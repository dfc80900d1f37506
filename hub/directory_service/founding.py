"""How the operator brings components of a platform into being on one machine, keys and all (floor 7).

For the platform's own components, for `tps init` and for the demo. Whoever runs a component elsewhere registers it from
there instead (`tps mades register`), so that its keys never leave its machine.
"""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from hub.directory.values import Configuration, Contact, Party, Status, Url
from hub.directory_service.directory import Directory
from hub.mades import credentials, enrolment, paths, pki
from hub.mades.membership import NETWORK, implementation
from hub.mades.topology import Registered

SERVER_CERTIFICATE: Final = "server.pem"
SERVER_KEY: Final = "server.key"
AUTHORITY: Final = "authority.pem"
SERVER_LEFT: Final = timedelta(days=30)


class Founder(Struct, frozen=True):
    """A running directory and the address it is reached at; `by` is who founds."""

    directory: Directory
    url: str
    organization: str
    by: str

    async def enrol(self, folder: Path, code: str, party: Party) -> None:
        """Fill a component's folder, or bring its addresses up to date when it is there. Raises Rejected."""
        if not (folder / credentials.ROOT).exists():
            await self.directory.enrol(folder, code, party, self._contact, by=self.by)
        entry = await self.directory.entry(code)
        assert entry is not None, "enrolled is listed"
        told = enrolment.Component(
            code=code,
            directory=self.directory.code,
            directory_url=self.url,
            brokers=(),
            queue_suffix=entry.queue_suffix,
        )
        credentials.write(folder / enrolment.COMPONENT, msgspec.json.encode(told))

    async def enrol_broker(self, folder: Path, code: str, *, hosts: Sequence[str]) -> None:
        """Fill the broker's folder: what its listener shows itself with, under these names, and whom it trusts."""
        await self.enrol(folder, code, Party.BROKER)
        authority, now = self.directory.authority, self.directory.clock.now()
        credentials.write(folder / AUTHORITY, pki.pem_of(authority.issuing.certificate, authority.root))
        certificate = folder / SERVER_CERTIFICATE
        if certificate.exists() and now + SERVER_LEFT < pki.read_chain(certificate)[0].not_valid_after_utc:
            return
        (folder / SERVER_KEY).unlink(missing_ok=True)
        key = pki.make_key()
        pki.write_key(folder / SERVER_KEY, key)
        leaf = pki.issue_server(key.public_key(), hosts, authority=authority.issuing, now=now)
        credentials.write(certificate, pki.pem_of(leaf, authority.issuing.certificate))

    async def tell_broker(self, code: str, address: str) -> None:
        """Let everybody know where the broker listens (`amqps://host:port/vhost`). Raises Rejected."""
        where = Url(network=NETWORK, address=address)
        declared = Configuration(networks=(NETWORK,), urls=(where,), implementation=implementation())
        await self.directory.configure(code, declared)

    async def admitted(self) -> list[Registered]:
        """Every endpoint as the broker has to know it."""
        return [
            Registered(
                code=entry.code,
                party=paths.Party(entry.party),
                suffix=entry.queue_suffix,
                revoked=entry.status is Status.REVOKED,
            )
            for entry in await self.directory.board()
            if entry.party not in {Party.BROKER, Party.DIRECTORY}
        ]

    @property
    def _contact(self) -> Contact:
        return Contact(organization=self.organization, person="", email="", phone="")
